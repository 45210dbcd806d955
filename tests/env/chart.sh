#!/usr/bin/env bash
# chart.sh: what the workshop does not do with the chart, in the cluster that in-cluster.sh made:
#
# - image and chart are pushed to a registry, as a release's are, and installed from there with a
#   values file, `--wait`, and nothing but `--set` of user, password and host, as people are used
#   to;
# - a changed configuration replaces the pod, whose modules another container compiles first;
# - a module is mounted from an image that `weir filter push --as-image` made, where the node's
#   containerd mounts images;
# - with `persistence`, a pod that replaces another goes on where that one was, and lists nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
: "${WEIR_CLUSTER_DIR:?in-cluster.sh runs this}"
: "${WEIR_CLUSTER_IMAGE:?in-cluster.sh says which image it loaded}"
: "${WEIR_CLUSTER_BUILT:?in-cluster.sh says what the image was made of}"
work=$WEIR_CLUSTER_DIR/chart
registry=127.0.0.1:5000
mkdir "$work"

# check WHAT COMMAND...: says WHAT, and ends when COMMAND is not true within two minutes.
check() {
  local end=$((SECONDS + 120)) what=$1
  shift
  until "$@" >"$work/said" 2>&1; do
    [ $SECONDS -lt $end ] || { cat "$work/said" >&2; die "chart: not so after two minutes: $what"; }
    sleep 1
  done
  say "chart: $what"
}

cat >"$work/registry.yml" <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "$registry"}
Y
setsid "$(registry_dir)/docker-registry" serve "$work/registry.yml" >"$work/registry.log" 2>&1 </dev/null &
trap 'kill %1' EXIT
check "the registry answers" curl -fsS "http://$registry/v2/"

# A release's, under another name: nothing of this name was loaded into the node before.
image=$registry/weir-events/weir:${WEIR_CLUSTER_IMAGE##*:}
containers() { ctr -a "$WEIR_CLUSTER_DIR/kubernetes/node/containerd.sock" -n k8s.io "$@"; }
containers images tag "$WEIR_CLUSTER_IMAGE" "$image" >/dev/null
containers images push --plain-http "$image" >/dev/null
containers images rm "$image" >/dev/null
helm package deploy/helm/weir --destination "$work" >/dev/null
helm push --plain-http "$work"/weir-*.tgz "oci://$registry/charts" 2>&1 | sed 's/^/  /' >&2
version=$(sed -n 's/^version: //p' deploy/helm/weir/Chart.yaml)

kubectl create namespace familiar >/dev/null
kubectl label namespace familiar pod-security.kubernetes.io/enforce=restricted >/dev/null
kubectl --namespace familiar create secret generic ca \
  --from-file=ca.crt="$WEIR_CLUSTER_OPENSEARCH_CA" >/dev/null
cat >"$work/values.yaml" <<Y
cluster: familiar
image: {registry: "$registry"}
opensearch: {caSecret: ca, index: familiar-events}
Y
chart() { # action
  helm "$1" weir "oci://$registry/charts/weir" --plain-http --version "$version" \
    --namespace familiar --wait --timeout 2m --values "$work/values.yaml" \
    --set opensearch.username="$WEIR_CLUSTER_OPENSEARCH_USERNAME" \
    --set opensearch.password="$WEIR_CLUSTER_OPENSEARCH_PASSWORD" \
    --set "opensearch.hosts[0]=$WEIR_CLUSTER_OPENSEARCH" "${@:2}" >"$work/helm.log" 2>&1 ||
    { cat "$work/helm.log" >&2; die "chart: helm $1 failed"; }
}
search() { # path, arguments of curl
  curl -sS --cacert "$WEIR_CLUSTER_OPENSEARCH_CA" \
    -u "$WEIR_CLUSTER_OPENSEARCH_USERNAME:$WEIR_CLUSTER_OPENSEARCH_PASSWORD" \
    "$WEIR_CLUSTER_OPENSEARCH/$1" "${@:2}"
}
pod() { # namespace
  kubectl --namespace "$1" get pods --selector app.kubernetes.io/name=weir --output json |
    jq -r '[.items[] | select(.metadata.deletionTimestamp | not)][0].metadata.name'
}

chart install
first=$(pod familiar)
say "chart: installed from oci://$registry, pod $first"
helm test weir --namespace familiar --logs --hide-notes >"$work/test.log" 2>&1 ||
  { cat "$work/test.log" >&2; die "chart: helm test failed"; }
stored() { search "$1/_refresh" >/dev/null && [ "$(search "$1/_count" | jq .count)" -gt "${2:-0}" ]; }
check "documents are in its index" stored familiar-events
chart upgrade --set cluster=renamed --set compile.enabled=true \
  --set "stages[0].name=noise" --set "stages[0].module=drop-normal.wasm"
[ "$(pod familiar)" != "$first" ] || die "chart: a changed configuration did not replace the pod"
# Not into `grep -q`, which ends before kubectl has written the rest, and fails the pipe then.
kubectl --namespace familiar logs "$(pod familiar)" --container compile >"$work/compile.log"
grep -q '^stage  *noise: ' "$work/compile.log" ||
  { cat "$work/compile.log" >&2; die "chart: no module was compiled before weir began"; }
helm uninstall weir --namespace familiar --wait >/dev/null

# What `push` prints are values of the chart. Nothing but the mounted module drops Normal events.
mounted_module() {
  "$WEIR_CLUSTER_BUILT/weir" filter push "$WEIR_CLUSTER_BUILT/drop-normal.wasm" \
    "$registry/filters/noise:1" --as-image --json | jq -r .stage >"$work/mounted.yaml"
  chart install --values "$work/mounted.yaml" --set opensearch.index=mounted-events
  say "chart: installed with an image as a volume: $(sed -n 's/^ *reference: //p' "$work/mounted.yaml")"
  for type in Normal Warning; do
    kubectl --namespace familiar create -f - >/dev/null <<Y
apiVersion: v1
kind: Event
metadata: {name: mounted-${type,,}, namespace: familiar}
involvedObject: {kind: Pod, namespace: familiar, name: weir-0}
type: $type
reason: Mounted
message: it passes the mounted module, or does not
Y
  done
  check "the Warning is stored" is_stored 'type:Warning AND reason:Mounted'
  [ "$(count_of 'type:Normal')" = 0 ] || die "chart: the mounted module has not dropped Normal events"
  helm uninstall weir --namespace familiar --wait >/dev/null
}
count_of() { # query
  search mounted-events/_refresh >/dev/null &&
    search mounted-events/_count --get --data-urlencode "q=$1" | jq .count
}
is_stored() { [ "$(count_of "$1")" -gt 0 ]; }
runtime=$(kubectl get nodes --output jsonpath='{.items[0].status.nodeInfo.containerRuntimeVersion}')
case $runtime in
  containerd://1.* | containerd://2.0.*)
    [ -z "${WEIR_CLUSTER_MOUNTS:-}" ] || die "chart: the node runs $runtime, and not what setup.sh built"
    say "chart: no image is mounted: $runtime cannot; \`make workshop\` brings one that can" ;;
  *) mounted_module ;;
esac

# A claim needs a volume; nobody makes any here.
kubectl create namespace kept >/dev/null
kubectl label namespace kept pod-security.kubernetes.io/enforce=restricted >/dev/null
kubectl --namespace kept create secret generic ca --from-file=ca.crt="$WEIR_CLUSTER_OPENSEARCH_CA" >/dev/null
mkdir -m 2775 "$work/volume"
chown 0:65532 "$work/volume" # a kubelet changes no owner in a hostPath, as it does in other volumes
kubectl apply --filename - >/dev/null <<Y
apiVersion: v1
kind: PersistentVolume
metadata: {name: kept}
spec:
  capacity: {storage: 4Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  hostPath: {path: "$work/volume", type: Directory}
Y
helm install weir "oci://$registry/charts/weir" --plain-http --version "$version" \
  --namespace kept --wait --timeout 2m \
  --set image.registry="$registry",persistence.enabled=true,persistence.storageClass=- \
  --set opensearch.caSecret=ca,opensearch.index=kept-events \
  --set opensearch.username="$WEIR_CLUSTER_OPENSEARCH_USERNAME" \
  --set opensearch.password="$WEIR_CLUSTER_OPENSEARCH_PASSWORD" \
  --set "opensearch.hosts[0]=$WEIR_CLUSTER_OPENSEARCH" >"$work/helm.log" 2>&1 ||
  { cat "$work/helm.log" >&2; die "chart: helm install with persistence failed"; }
check "documents are in the index of the one with a volume" stored kept-events
position_is_saved() { [ -s "$(find "$work/volume" -name position.json -print -quit)" ]; }
check "its position is on the volume" position_is_saved
lists() { kubectl --namespace kept logs weir-0 | grep '"message":"listed"'; }
check "it has listed what there was" lists
kubectl --namespace kept delete pod weir-0 --wait >/dev/null
kubectl --namespace kept wait --for=condition=Ready pod/weir-0 --timeout=2m >/dev/null
! lists >&2 || die "chart: the pod listed everything, and did not go on where the other was"
count=$(search kept-events/_count | jq .count)
kubectl --namespace kept create -f - >/dev/null <<Y
apiVersion: v1
kind: Event
metadata: {name: after-the-pod, namespace: kept}
involvedObject: {kind: Pod, namespace: kept, name: weir-0}
type: Warning
reason: Test
message: it is read by the second pod
Y
check "it goes on" stored kept-events "$count"
helm uninstall weir --namespace kept --wait >/dev/null
[ -n "$(kubectl --namespace kept get persistentvolumeclaim --output name)" ] ||
  die "chart: the claim went with the release"
say "chart: the claim is kept when the release goes"
