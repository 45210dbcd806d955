#!/usr/bin/env bash
# component.sh DIR NAME stop SIGNAL | start: end one process that up.sh started in DIR
# (kube-apiserver, etcd, ...) and wait until it is gone, with SIGKILL where SIGNAL has not done it
# within 5 s; start it again with the arguments that it had. `start kube-apiserver` returns when it
# is ready.
set -euo pipefail
umask 077
here=$(cd "$(dirname "$0")" && pwd -P)
. "$here/../lib.sh"
[ $# -ge 3 ] || die "usage: component.sh DIR NAME stop SIGNAL | start"
dir=$(cd "$1" && pwd -P) name=$2
cd "$dir"
pid=$(awk -v n="$name" '$1 == n { pid = $2 } END { print pid }' pids)
# Only if the process is still ours: its stdout is our log.
ours() { [ "$(readlink "/proc/$pid/fd/1" 2>/dev/null)" = "$dir/log/$name.log" ]; }

stop() { # signal
  ours || die "$name does not run"
  cp "/proc/$pid/cmdline" "$name.cmdline"
  kill "-$1" "$pid"
  # Of a killed process /proc shows nothing any more, also before its parent has waited for it.
  for ((i = 0; i < 600; i++)); do
    ours || return 0
    # As a kubelet does when the grace period is over. An API server waits a minute for its clients.
    [ $i != 100 ] || kill -KILL "$pid" || true
    sleep 0.05
  done
  die "$name ($pid) does not end"
}

start() {
  local command ready
  ! ours || die "$name runs already"
  mapfile -d '' -t command <"$name.cmdline"
  setsid "${command[@]}" >>"log/$name.log" 2>&1 </dev/null &
  pid=$!
  echo "$name $pid" >>pids # the last one holds
  [ "$name" = kube-apiserver ] || return 0
  ready=$(sed -n 's/^server=//p' env)/readyz
  for ((i = 0; i < 1200; i++)); do
    ! curl -fsS --max-time 5 --cacert pki/ca.crt --cert pki/admin.crt --key pki/admin.key -o /dev/null "$ready" \
      2>/dev/null || return 0
    kill -0 "$pid" 2>/dev/null || die "$name ended: $(tail -n 5 "log/$name.log")"
    sleep 0.1
  done
  die "$name is not ready: $(tail -n 5 "log/$name.log")"
}

case $3 in
  stop) stop "${4:?stop needs a signal, such as KILL}" ;;
  start) start ;;
  *) die "no such order: $3" ;;
esac
