#!/usr/bin/env bash
# instrument.sh RUSTC ARGUMENTS...: cargo calls this in place of rustc for the crates of this
# workspace (RUSTC_WORKSPACE_WRAPPER), and keeps what it makes apart from what rustc makes. It adds
# to weir's library what libFuzzer sees coverage by. The flags are those that cargo-fuzz gives; all
# of them are stable. What weir depends on is built once, for this and for all other tests.
set -euo pipefail
case " $* " in
  *" --crate-name weir "*" --crate-type lib "*)
    set -- "$@" -Cpasses=sancov-module
    for flag in level=4 inline-8bit-counters pc-table trace-compares; do
      set -- "$@" "-Cllvm-args=-sanitizer-coverage-$flag"
    done
    ;;
esac
exec "$@"
