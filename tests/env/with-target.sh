#!/usr/bin/env bash
# with-target.sh COMMAND...: run COMMAND with CARGO_TARGET_DIR in the cache, so that a fresh clone,
# as CI makes one, does not compile wasmtime again. A CARGO_TARGET_DIR of the user wins.
# One checkout at a time: two would run each other's `weir`. Who finds the folder taken builds into
# target/ of the checkout.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ -z "${CARGO_TARGET_DIR:-}" ] || exec "$@"
root=$(cd "$here/../.." && pwd)
target=$WEIR_CACHE/build
mkdir -p "$target"
exec 9>"$target.lock"
if ! flock -n 9; then
  say "with-target: $target is in use: building into target/"
  CARGO_TARGET_DIR=$root/target exec "$@" 9>&-
fi

# Old dependencies and compilers cannot be told from those still of use: all of it goes when it is
# three times what one checkout needs.
size_max_mib=20480
[ "$(du -sm "$target" | cut -f1)" -le $size_max_mib ] || rm -rf "${target:?}"/*

# cargo calls our crates by the same names whatever the checkout, and takes what another one built
# for fresh if it is younger than the sources of this one. Their fingerprints gone, it builds them
# again.
if [ "$(cat "$target/checkout" 2>/dev/null)" != "$root" ]; then
  name='/^\[package\]/,/^$/s/^name = "\(.*\)"/\1/p'
  sed -n "$name" "$root/Cargo.toml" "$root"/filters/*/Cargo.toml | while read -r crate; do
    rm -rf "$target"/{,filters/,filters/wasm32-*/}{debug,release}/.fingerprint/"$crate"-*
  done
  echo "$root" >"$target/checkout"
fi

export CARGO_TARGET_DIR=$target
"$@" 9>&- # servers that it starts do not keep the lock
