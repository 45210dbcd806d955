#!/usr/bin/env bash
# filters.sh [PROFILE]: build every module of filters/ into filters/dist/NAME.wasm with `weir filter
# build`.
# PROFILE: cargo's, of weir itself: release (default) or dev. with-target.sh sets CARGO_TARGET_DIR.
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-release}
weir=$CARGO_TARGET_DIR/${profile/#dev/debug}/weir
cargo build --locked --profile "$profile" --bin weir
for module in filters/*/Cargo.toml; do
  # Those that become a module; the SDK is a library.
  grep -q cdylib "$module" || continue
  [ "$module" != filters/wasi-guest/Cargo.toml ] || continue
  CARGO_TARGET_DIR=$CARGO_TARGET_DIR/filters "$weir" filter build "${module%/Cargo.toml}"
done

# A module that imports WASI, to test `wasi = "stub"` with; only rustup has what it takes to build
# it.
wasip2() { compgen -G "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip2/lib/libstd-*.rlib" >/dev/null; }
if wasip2 || { timeout 60 rustup target add wasm32-wasip2 >/dev/null 2>&1 </dev/null && wasip2; }; then
  (cd filters && CARGO_TARGET_DIR=$CARGO_TARGET_DIR/filters \
    cargo build --quiet --locked --release --target wasm32-wasip2 --package wasi-guest)
  cp "$CARGO_TARGET_DIR/filters/wasm32-wasip2/release/wasi_guest.wasm" filters/dist/wasi-guest.wasm
else
  rm -f filters/dist/wasi-guest.wasm
  echo "filters: wasi-guest is not built, and its test skipped: \`rustup target add wasm32-wasip2\` failed" >&2
fi
