#!/usr/bin/env bash
# down.sh dir [--keep]: stop what up.sh (and node-up.sh) started there, last first, then remove dir.
set -euo pipefail
dir=$(cd "${1:?usage: down.sh dir [--keep]}" && pwd -P)
[ -f "$dir/pids" ] || { echo "down.sh: no $dir/pids" >&2; exit 1; }
"$(dirname "$0")/node-down.sh" "$dir"
# Only if the process is still ours: its stdout is our log.
ours() { [ "$(readlink "/proc/$2/fd/1" 2>/dev/null)" = "$dir/log/$1.log" ]; }
tac "$dir/pids" | while read -r name pid; do
  ours "$name" "$pid" || continue
  # A paused process (SIGSTOP, a test's way to make it hang) does not see SIGTERM before SIGCONT.
  kill "$pid" && kill -CONT "$pid" || true
  for ((i = 0; i < 150; i++)); do
    ours "$name" "$pid" || continue 2
    sleep 0.1
  done
  echo "down.sh: $name ($pid) did not stop, killing it" >&2
  kill -9 "$pid" || true
done
[ ! -f "$dir/lo" ] || ip addr del "$(cat "$dir/lo")/32" dev lo || true
[ "${2:-}" = --keep ] || rm -rf "$dir"
