#!/usr/bin/env bash
# with-target.sh COMMAND...: run COMMAND with CARGO_TARGET_DIR in the cache, named after the compiler and the profiles, so
# that a fresh clone does not compile wasmtime again. (Not after Cargo.lock: cargo itself knows which dependencies
# changed.) One user at a time: two checkouts that build into one folder would run each other's `weir`. Who finds it busy
# takes the next of three. A CARGO_TARGET_DIR of the user wins.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ -z "${CARGO_TARGET_DIR:-}" ] || exec "$@"
root=$(cd "$here/../.." && pwd)
# Three times what one checkout needs. What no longer is of use cannot be told apart, so all of it goes.
size_max_mib=20480

# What another checkout built of its own crates would stay for ever: its path is part of the files' names.
forget_other_checkouts() { # target folder
  [ "$(cat "$1/checkout" 2>/dev/null)" != "$root" ] || return 0
  local profile
  for profile in dev release; do
    cargo clean -q --workspace --profile $profile --manifest-path "$root/Cargo.toml" --target-dir "$1" || true
    cargo clean -q --workspace --profile $profile --manifest-path "$root/filters/Cargo.toml" \
      --target-dir "$1/filters" || true
  done 2>/dev/null
  mkdir -p "$1"
  echo "$root" >"$1/checkout"
}

if [ "${1:-}" = --locked ]; then
  target=$2
  shift 2
  if [ -d "$target" ] && [ "$(du -sm "$target" | cut -f1)" -gt $size_max_mib ]; then
    rm -rf "$target"
  fi
  forget_other_checkouts "$target"
  touch "$target"
  # The three used last stay, and those in use.
  # shellcheck disable=SC2012
  ls -1dt "$WEIR_CACHE"/target/*/ | tail -n +4 | while read -r old; do
    flock -n "${old%/}.lock" rm -rf "$old" || true
  done
  CARGO_TARGET_DIR=$target exec "$@"
fi

key=$({
  sed -n '/^\[profile/,/^$/p' "$root/Cargo.toml" "$root/filters/Cargo.toml"
  rustc -vV
} | sha256sum | cut -c1-16)
mkdir -p "$WEIR_CACHE/target"
for slot in 1 2 3; do
  target=$WEIR_CACHE/target/$key.$slot
  # -o: servers that COMMAND starts do not inherit the lock. 75 (EX_TEMPFAIL): busy.
  rc=0
  flock -n -o -E 75 "$target.lock" "$0" --locked "$target" "$@" || rc=$?
  [ $rc = 75 ] || exit $rc
done
say "with-target: three others are building: waiting"
exec flock -o "$WEIR_CACHE/target/$key.1.lock" "$0" --locked "$WEIR_CACHE/target/$key.1" "$@"
