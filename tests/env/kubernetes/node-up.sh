#!/usr/bin/env bash
# node-up.sh dir [node name]: add a real node to up.sh's control plane in dir: the containerd on the
# PATH (Debian's, or the one of `setup.sh containerd`), Debian's ctr, runc and
# containernetworking-plugins, the kubelet, a CNI bridge. Needs root. All state is below dir, except
# /sys/fs/cgroup/*/k8slab, /var/log/containers and the bridge cni-k8slab.
#   POD_NET=10.88.0
#   IMAGES="a.tar b.tar"  docker or OCI archives
#   REGISTRIES=DIR        containerd's hosts.toml files
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd -P)
. "$here/../lib.sh"
BIN=${BIN:-$(k8s_dir)}
dir=$(cd "${1:?usage: node-up.sh dir [node name]}" && pwd -P)
node=${2:-node1}
cd "$dir"
. ./env
chmod 755 .
mkdir -p node/{net.d,kubelet,static,images}

# --- the node's client certificate
openssl ecparam -name prime256v1 -genkey -noout -out pki/kubelet.key
openssl req -new -key pki/kubelet.key -subj "/O=system:nodes/CN=system:node:$node" |
  openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 \
    -extfile <(echo extendedKeyUsage=clientAuth) -out pki/kubelet.crt 2>/dev/null
sed 's#pki/admin\.#pki/kubelet.#g' admin.kubeconfig >kubelet.kubeconfig

# --- the bridge, whose address is also the node's: the kubelet refuses a loopback one
net=${POD_NET:-10.88.0}
ip link add cni-k8slab type bridge
ip addr add "$net.1/24" dev cni-k8slab
ip link set cni-k8slab up

# --- containerd. Pods get no default route: nothing of theirs leaves the machine.
cat /proc/sys/net/ipv4/ip_forward >node/ip_forward # the bridge plugin turns it on
cat >node/containerd.toml <<TOML
version = 2
root = "$dir/node/containerd"
state = "$dir/node/containerd-run"
[grpc]
address = "$dir/node/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
netns_mounts_under_state_dir = true
restrict_oom_score_adj = true # this machine's root may lack CAP_SYS_RESOURCE
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$dir/node/net.d"
[plugins."io.containerd.internal.v1.opt"]
path = "$dir/node/opt"
TOML
[ -z "${REGISTRIES:-}" ] || cat >>node/containerd.toml <<TOML
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "$REGISTRIES"
TOML
cat >node/net.d/10-bridge.conflist <<JSON
{"cniVersion": "1.0.0", "name": "k8slab", "plugins": [
  {"type": "bridge", "bridge": "cni-k8slab", "isGateway": true, "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": "$dir/node/ipam", "ranges": [[{"subnet": "$net.0/24"}]],
            "routes": [{"dst": "10.96.0.0/16"}]}}]}
JSON
start() {
  local name=$1
  shift
  setsid "$@" >"log/$name.log" 2>&1 </dev/null &
  echo "$name $!" >>pids
}
ctr() { command ctr -a node/containerd.sock -n k8s.io "$@"; }
start containerd containerd --config node/containerd.toml
for ((i = 0; ; i++)); do
  kill -0 "$(awk '$1 == "containerd" {print $2}' pids)" 2>/dev/null || { tail log/containerd.log >&2; exit 1; }
  ctr --connect-timeout 1s version >/dev/null 2>&1 && break
  [ $i -lt 100 ] || { tail log/containerd.log >&2; exit 1; }
  sleep 0.1
done
for i in ${IMAGES:-$here/images/*.tar}; do ctr images import "$i" >/dev/null; done

# --- kubelet
for c in /sys/fs/cgroup /sys/fs/cgroup/*/; do # cgroup v1: one tree a controller; v2: one
  [ -f "$c/cgroup.procs" ] && mkdir -p "${c%/}/k8slab"
done
# A cpuset (v1) is born empty, and nothing can join it so.
cs=/sys/fs/cgroup/cpuset
[ ! -f $cs/cpuset.cpus ] || { cat $cs/cpuset.cpus >$cs/k8slab/cpuset.cpus; cat $cs/cpuset.mems >$cs/k8slab/cpuset.mems; }
cat >node/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $net.1
port: ${KUBELET_PORT:-10250}
readOnlyPort: 0
healthzPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://$dir/node/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /k8slab
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
# For pods that are evicted because they write too much; without the period it takes a minute.
localStorageCapacityIsolation: true
volumeStatsAggPeriod: 5s
syncFrequency: 5s
# Imported images have no credentials to verify, and would be pulled again.
imagePullCredentialsVerificationPolicy: NeverVerify
podLogsDir: $dir/node/pod-logs
volumePluginDir: $dir/node/volume-plugins
resolvConf: ""
clusterDNS: [10.96.0.10] # nobody answers there; without it each pod gets a MissingClusterDNS event
clusterDomain: cluster.local
oomScoreAdj: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi}
registerNode: true
nodeStatusUpdateFrequency: 5s
YAML
start kubelet "$BIN/kubelet" --config node/kubelet.yaml --kubeconfig kubelet.kubeconfig \
  --root-dir "$dir/node/kubelet" --cert-dir "$dir/node/kubelet-pki" --hostname-override "$node" --node-ip "$net.1"
export KUBECONFIG=$dir/admin.kubeconfig
for ((i = 0; i < 300; i++)); do
  kill -0 "$(awk '$1 == "kubelet" {print $2}' pids)" 2>/dev/null || { tail log/kubelet.log >&2; exit 1; }
  "$BIN/kubectl" wait --for=condition=Ready "node/$node" --timeout=1s >/dev/null 2>&1 && { echo "node=$node"; exit; }
  sleep 0.2
done
tail log/kubelet.log >&2
exit 1
