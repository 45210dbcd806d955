#!/usr/bin/env bash
# down.sh DATADIR: stop the node that up.sh started in DATADIR, then remove DATADIR.
#   KEEP=1  keep DATADIR, so that up.sh can start the node again with its data
#   HARD=1  stop it with SIGKILL
set -euo pipefail
[ $# -eq 1 ] && [ -d "$1" ] || { echo "usage: down.sh DATADIR" >&2; exit 2; }
data=$(cd "$1" && pwd)
# Only if the process is still ours.
ours() { tr '\0' '\n' <"/proc/$1/cmdline" | grep -qF "$data/"; } 2>/dev/null
if pid=$(cat "$data/pid" 2>/dev/null) && ours "$pid"; then
  if [ -n "${HARD:-}" ]; then kill -9 "$pid"; else kill "$pid" && kill -CONT "$pid"; fi || true
  for ((i = 0; i < 300; i++)); do
    ours "$pid" || break
    sleep 0.1
  done
  if ours "$pid"; then
    echo "down.sh: OpenSearch ($pid) did not stop, killing it" >&2
    kill -9 "$pid" || true
    sleep 1
  fi
fi
rm -f "$data/pid"
[ -n "${KEEP:-}" ] || rm -rf "$data"
