#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]: build the fuzz targets, replay what is in corpus/, and fuzz each (all,
#   when none is named) for that long; 0: only replay.
# run.sh replay TARGET FILE: run one input, such as a finding.
# run.sh shrink TARGET FILE: make a finding smaller, beside it.
# run.sh merge TARGET: add to corpus/ what reaches more than is there.
# New inputs are kept in $CARGO_TARGET_DIR/fuzz/TARGET, where the next run finds them, and findings
# under findings/ there. tests/README.md#fuzzing has more.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
[ $# -gt 0 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

# An input that takes this long is a finding, in seconds; or that much memory, in MiB, which what is
# not counted by a target's own oracle may take.
timeout=20
memory=2048

tests/env/setup.sh libfuzzer
target_dir=${CARGO_TARGET_DIR:-target}
# Without what makes building again faster: it takes more room than all the rest.
RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/instrument.sh CARGO_INCREMENTAL=0 \
  cargo rustc --locked --quiet --features fuzz --example fuzz -- \
  -Clink-arg="$(libfuzzer_archive)" -Clink-arg=-lstdc++
fuzz=$target_dir/debug/examples/fuzz

one() { # target, file, more arguments of libFuzzer
  WEIR_FUZZ_TARGET=$1 "$fuzz" -timeout=$timeout -rss_limit_mb=$memory "${@:3}" "$2"
}
case $1 in
  replay) one "$2" "$3"; exit ;;
  shrink) one "$2" "$3" -minimize_crash=1 -max_total_time=60 -exact_artifact_path="$3.small"; exit ;;
  merge) one "$2" "tests/fuzz/corpus/$2" "$target_dir/fuzz/$2/corpus" -merge=1; exit ;;
esac

seconds=$1
shift
[ $# -gt 0 ] || mapfile -t targets < <("$fuzz" --list)
[ $# = 0 ] || targets=("$@")

dictionary() { # target
  case $1 in
    event | framer | list | metadata) echo kubernetes ;;
    segments | module) ;;
    *) echo "$1" ;;
  esac
}

# number NAME FILE: what libFuzzer says at its end.
number() { sed -n "s/^stat::$1: *//p" "$2"; }

# A run of at most so many seconds is a test's.
short=10
failed=()
for target in "${targets[@]}"; do
  folder=$target_dir/fuzz/$target
  log=$folder/log
  mkdir -p "$folder/corpus" "$folder/findings"
  words=$(dictionary "$target")
  arguments=(-max_total_time="$seconds" -print_final_stats=1 -reload=0)
  corpus=$folder/corpus
  if [ "$seconds" -le $short ]; then
    # From one seed and what is in the repository alone, so that most of what a test says does not
    # depend on luck. libFuzzer's choices also depend on what it sees of the process, so the inputs
    # of some targets differ from run to run. `make fuzz` looks for what is new.
    corpus=$(mktemp -d)
    arguments+=(-seed=1 -runs=5000)
  fi
  [ "$seconds" != 0 ] || arguments=(-runs=0 -print_final_stats=1)
  [ -z "$words" ] || arguments+=(-dict="tests/fuzz/dictionaries/$words.dict")
  if WEIR_FUZZ_TARGET=$target "$fuzz" -timeout=$timeout -rss_limit_mb=$memory \
    -artifact_prefix="$folder/findings/" "${arguments[@]}" \
    "$corpus" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    say "fuzz: $target: $(number number_of_executed_units "$log") inputs," \
      "$(number new_units_added "$log") new," \
      "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)"
  else
    failed+=("$target")
    grep -v '^#\|^INFO\|^Dictionary' "$log" | tail -n 40 >&2
    say "fuzz: $target has failed; all that it said is in $log"
  fi
  [ "$corpus" = "$folder/corpus" ] || rm -rf "$corpus"
done
[ ${#failed[@]} = 0 ] || die "findings of ${failed[*]}: each names its file above;
  tests/fuzz/run.sh replay TARGET FILE runs it again, and shrink makes it smaller"
