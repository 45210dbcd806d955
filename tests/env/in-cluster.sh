#!/usr/bin/env bash
# in-cluster.sh IMAGE.tar COMMAND...: run COMMAND beside a whole cluster: a Kubernetes control
# plane, a node that runs pods (with the image in IMAGE.tar, that layout.sh made), and OpenSearch,
# all in a network namespace of their own that ends with COMMAND. Root only. Nothing in there
# reaches the world outside: no DNS, no default route. Pods reach the API server as in any cluster,
# and OpenSearch at the address of a Service that nobody else has. COMMAND gets:
#   KUBECONFIG, and kubectl (and helm, where setup.sh built it) on its PATH
#   WEIR_CLUSTER_DIR                    everything is below it
#   WEIR_CLUSTER_IMAGE                  the name of the image
#   WEIR_CLUSTER_BUILT                  where weir and its modules are, as they are in the image
#   WEIR_CLUSTER_OPENSEARCH             https://10.96.0.200:9200
#   WEIR_CLUSTER_OPENSEARCH_CA, …_USERNAME, …_PASSWORD
# OS_VERSION, OS_HEAP and the like of opensearch/up.sh work. KEEP=1 leaves the folder there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ $# -ge 2 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || die "a node that runs pods needs root"
if [ -z "${WEIR_CLUSTER_DIR:-}" ]; then
  WEIR_CLUSTER_DIR=$(mktemp -d /tmp/weir-cluster.XXXXXX)
  export WEIR_CLUSTER_DIR
  chmod 755 "$WEIR_CLUSTER_DIR"
  # One at a time: kubelets share a cgroup, and each ends the pods there that it does not know.
  exec flock --close "${TMPDIR:-/tmp}/weir-in-cluster.lock" unshare --net "$0" "$@"
fi
dir=$WEIR_CLUSTER_DIR
image=$1
shift
# What somebody would look at first, when COMMAND failed.
tell() {
  say "in-cluster: it failed; the pods, the newest events, and what weir's pods say:"
  kubectl get pods --all-namespaces --output wide
  kubectl get events --all-namespaces --sort-by=.metadata.creationTimestamp | tail -n 15
  kubectl get pods --all-namespaces --selector app.kubernetes.io/name=weir \
    --output jsonpath='{range .items[*]}{.metadata.namespace}{"\n"}{end}' | sort -u |
    while read -r namespace; do
      kubectl --namespace "$namespace" logs --selector app.kubernetes.io/name=weir --prefix --tail 20
    done
}
cleanup() {
  local status=$?
  [ $status = 0 ] || [ ! -f "${KUBECONFIG:-}" ] || tell >&2 || true
  [ ! -d "$dir/opensearch" ] || HARD=1 "$here/opensearch/down.sh" "$dir/opensearch" || true
  [ ! -f "$dir/kubernetes/pids" ] || "$here/kubernetes/down.sh" "$dir/kubernetes" || true
  [ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ip link set lo up
ip addr add 10.96.0.200/32 dev lo
BIND=10.96.0.200 SECURE=1 WEIR_TEST_OWNER='' "$here/opensearch/up.sh" 9200 "$dir/opensearch" \
  >"$dir/opensearch.env" &
opensearch=$!
"$here/kubernetes/mkimages.sh" "$dir/images"
BIND=10.96.0.1 PORT=443 "$here/kubernetes/up.sh" "$dir/kubernetes" >/dev/null
IMAGES="$dir/images/pause.tar $dir/images/busybox.tar $image" \
  "$here/kubernetes/node-up.sh" "$dir/kubernetes" worker-1 >/dev/null
# As the guides call it.
ctr -a "$dir/kubernetes/node/containerd.sock" -n k8s.io \
  images tag localhost/busybox:1 docker.io/library/busybox:1.36 >/dev/null
wait $opensearch || die "OpenSearch did not start"

mkdir "$dir/bin"
[ ! -x "$(helm_command)" ] || ln -s "$(helm_command)" "$dir/bin/helm"
PATH=$dir/bin:$(k8s_dir):$PATH
export PATH KUBECONFIG=$dir/kubernetes/admin.kubeconfig
WEIR_CLUSTER_IMAGE=$(tar -xOf "$image" ./index.json |
  sed -n 's/.*"io.containerd.image.name": "\(.*\)".*/\1/p')
export WEIR_CLUSTER_IMAGE WEIR_CLUSTER_BUILT=${image%/*}
export WEIR_CLUSTER_OPENSEARCH=https://10.96.0.200:9200
# The lines ca=, username= and password=.
while IFS='=' read -r name value; do
  export "WEIR_CLUSTER_OPENSEARCH_${name^^}=$value"
done < <(grep '^ca=\|^username=\|^password=' "$dir/opensearch.env")
"$@"
