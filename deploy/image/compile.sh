#!/usr/bin/env bash
# compile.sh OUT [PROFILE]: compile weir and its modules, and put what the image gets into OUT: the
# stripped binary, and the modules.
# PROFILE: cargo's: release (default), or dev, which the tests take.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1 profile=${2:-release}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
tests/env/setup.sh rust-wasm
tests/env/filters.sh "$profile"
mkdir -p "$out"
strip -s -o "$out/weir" "$CARGO_TARGET_DIR/${profile/#dev/debug}/weir"
cp filters/dist/{drop-normal,explain,redact,route,tag-gpu-failures,throttle}.wasm "$out/"
