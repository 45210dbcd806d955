#!/usr/bin/env bash
# up.sh [--owner PID] [--private] [WHAT...]: start real servers on 127.0.0.1, random ports, and
# print how to reach them.
# WHAT: kubernetes, opensearch, opensearch-secure (https, basic auth). Default: kubernetes
# opensearch.
#
# Prints lines NAME=VALUE, in this order, those of what was started:
#   dir=              everything of theirs is below it; `down.sh DIR` stops and removes it
#   kubeconfig= server= etcd= kubectl=
#   opensearch= opensearch_dir=
#   opensearch_secure= opensearch_secure_dir= opensearch_secure_ca=
#     opensearch_secure_username= opensearch_secure_password=
# (opensearch_dir is for ../opensearch/down.sh and up.sh, to stop that node and start it again.)
#
# --owner PID: they are stopped when that process ends, however it ends. A test passes its own.
# WEIR_TEST_KUBECONFIG, WEIR_TEST_OPENSEARCH_URL: existing servers to use: nothing is started in
# their place.
# --private: start them all the same, for a test that will stop or break them.
# The variables of kubernetes/up.sh (EVENT_TTL, APISERVER_FLAGS...) and opensearch/up.sh
# (OS_VERSION...) work.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
owner=
while :; do
  case ${1:-} in
    --owner)
      owner=${2:?--owner needs a PID}
      shift 2
      ;;
    --private)
      unset WEIR_TEST_KUBECONFIG WEIR_TEST_OPENSEARCH_URL
      shift
      ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- kubernetes opensearch

# The leftovers of runs whose owner is gone, watcher and all (a reboot, kill -9 of everything).
for d in /tmp/weir-env.*; do
  [ -f "$d/owner" ] && read -r pid born <"$d/owner" || continue
  [ "$(start_time "$pid")" = "$born" ] || "$here/down.sh" "$d" 2>/dev/null || true
done

# Not $TMPDIR: OpenSearch does not run as root, and its user must be able to get there.
dir=$(mktemp -d /tmp/weir-env.XXXXXX)
chmod 755 "$dir"
if [ -n "$owner" ]; then
  born=$(start_time "$owner")
  [ -n "$born" ] || { rmdir "$dir"; die "no such process: $owner"; }
  echo "$owner $born" >"$dir/owner"
  setsid "$here/watch.sh" "$here/down.sh" "$dir" "$owner" "$born" >/dev/null 2>&1 </dev/null &
fi
trap '"$here/down.sh" "$dir" || true' EXIT

# twice COMMAND...: a port found free may have been taken before it was used, so one failure is not
# yet one.
twice() { "$@" || { say "up.sh: once more: $*"; "$@"; }; }
kubernetes() {
  rm -rf "$dir/kubernetes"
  "$here/kubernetes/up.sh" "$dir/kubernetes" | grep -v '^dir='
}
opensearch() { # name, SECURE
  local data=$dir/$1
  rm -rf "$data"
  WEIR_TEST_OWNER="" SECURE=${2:-} "$here/opensearch/up.sh" 0 "$data" |
    sed -n "s/^url=/$1=/p; s/^\(ca\|username\|password\)=/$1_\1=/p; s#^pid=.*#$1_dir=$data#p"
}
begin() { # name COMMAND...: in the background; its lines go to a file, so that they come out in order
  local name=$1
  shift
  twice "$@" >"$dir/$name.out" &
  jobs+=("$!")
}
jobs=()
for what; do
  case $what in
    kubernetes)
      if [ -n "${WEIR_TEST_KUBECONFIG:-}" ]; then
        {
          echo "kubeconfig=$WEIR_TEST_KUBECONFIG"
          sed -n 's/.*server: *"\{0,1\}\(https\{0,1\}:[^", ]*\).*/server=\1/p' "$WEIR_TEST_KUBECONFIG" | head -n 1
          if have kubectl; then echo "kubectl=$(command -v kubectl)"; else echo "kubectl=$(k8s_dir)/kubectl"; fi
        } >"$dir/kubernetes.out"
      else begin kubernetes kubernetes; fi ;;
    opensearch)
      if [ -n "${WEIR_TEST_OPENSEARCH_URL:-}" ]; then
        echo "opensearch=$WEIR_TEST_OPENSEARCH_URL" >"$dir/opensearch.out"
      else begin opensearch opensearch opensearch; fi ;;
    opensearch-secure) begin opensearch_secure opensearch opensearch_secure 1 ;;
    *) die "no such server: $what" ;;
  esac
done
for j in ${jobs[@]+"${jobs[@]}"}; do wait "$j" || die "a server did not start, see above"; done
trap - EXIT
{
  echo "dir=$dir"
  cat "$dir"/{kubernetes,opensearch,opensearch_secure}.out 2>/dev/null || true
} | tee "$dir/env"
