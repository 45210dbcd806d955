#!/usr/bin/env bash
# bulk.sh [--events N] [--rounds N]: what `make bench-bulk` runs: weir's _bulk against ready-made
# requests, on a real OpenSearch.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/env/lib.sh
tests/env/setup.sh rust-wasm opensearch
cargo build --locked --release --bench bulk
servers=$(OS_HEAP=${OS_HEAP:-1g} tests/env/up.sh --owner $$ --private opensearch)
value() { sed -n "s/^$1=//p" <<<"$servers"; }
trap 'tests/env/down.sh "$(value dir)"' EXIT
WEIR_TEST_OPENSEARCH_URL=$(value opensearch) cargo bench --locked --bench bulk -- "$@"
