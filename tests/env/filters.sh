#!/usr/bin/env bash
# filters.sh [PROFILE]: build every module of filters/ into filters/dist/NAME.wasm with `weir filter build`.
# PROFILE: cargo's, of weir itself: release (default) or dev. with-target.sh sets CARGO_TARGET_DIR.
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-release}
weir=$CARGO_TARGET_DIR/${profile/#dev/debug}/weir
cargo build --locked --profile "$profile" --bin weir
for module in filters/*/Cargo.toml; do
  # Those that become a module; the SDK is a library.
  grep -q cdylib "$module" || continue
  CARGO_TARGET_DIR=$CARGO_TARGET_DIR/filters "$weir" filter build "${module%/Cargo.toml}"
done
