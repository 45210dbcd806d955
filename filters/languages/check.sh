#!/usr/bin/env bash
# check.sh [LANGUAGE...]: makes the filters of this folder, holds each to its cases, and prints what
#   it costs beside the same filter in Rust. with-target.sh sets CARGO_TARGET_DIR.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
tests/env/setup.sh rust-wasm
tests/env/filters.sh release >/dev/null
weir=$CARGO_TARGET_DIR/release/weir
out=$WEIR_CACHE/languages
filters/languages/build.sh "$out" "$@"
for filter in drop-normal crash-loops; do
  for module in "$out"/*-"$filter.wasm"; do
    say "languages: ${module##*/}"
    "$weir" filter test --module "$module" --cases "filters/languages/cases/$filter"
  done
done
python3 filters/languages/table.py "$weir" filters/dist/drop-normal.wasm "$out"/*-drop-normal.wasm
