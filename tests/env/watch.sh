#!/usr/bin/env bash
# watch.sh DOWN DIR PID BORN: when process PID (started at BORN) ends, however it ends, run DOWN
# DIR, if it is there still.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
while [ -d "$2" ] && [ "$(start_time "$3")" = "$4" ]; do sleep 1; done
[ ! -d "$2" ] || "$1" "$2"
