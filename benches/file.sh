#!/usr/bin/env bash
# file.sh [--events N] [--runs N] [--workers N]: what `make bench` runs. First the whole process,
# then each part alone.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/env/filters.sh release
cargo bench --locked --bench file -- "$@"
echo
cargo bench --locked --bench event --bench stages -- --quick
