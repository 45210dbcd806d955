#!/usr/bin/env bash
# watch.sh DIR PID BORN: up.sh's watcher: when process PID (started at BORN) ends, stop what runs below DIR.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
while [ -d "$1" ] && [ "$(start_time "$2")" = "$3" ]; do sleep 1; done
[ ! -d "$1" ] || "$here/down.sh" "$1"
