#!/usr/bin/env bash
# pod.sh: what weir needs as a pod of the chart, in a real cluster of its own. `make bench-pod` runs
# it; root only. Memory is what the kernel counts as the pod's own (`rss` of the cgroup's
# memory.stat, `anon` where cgroups are of version 2): the pages of files, the binary's too, are
# charged to whoever read them first, and can be given back. "At most" is of a look every 10 ms.
#   PERIOD=60 (seconds a figure) RATE=1000 (events a second) PODS=100 (that they are about)
set -euo pipefail
cd "$(dirname "$0")/../.."
. benches/live/lib.sh
period=${PERIOD:-60} rate=${RATE:-1000} pods=${PODS:-100}

if [ -z "${WEIR_CLUSTER_DIR:-}" ]; then
  tests/env/setup.sh rust-wasm kubernetes opensearch node helm jq
  image=$(deploy/image/build.sh release)
  live_build_load
  export load
  exec tests/env/in-cluster.sh "$image" "$PWD/benches/live/pod.sh"
fi
kubernetes=$WEIR_CLUSTER_DIR/kubernetes

# cgroup CONTROLLER: where the kernel accounts for weir's container, in both versions of cgroups.
cgroup() {
  local id root=/sys/fs/cgroup
  id=$(kubectl --namespace weir get pods --selector app.kubernetes.io/name=weir --output json |
    jq -r '.items[] | select(.metadata.deletionTimestamp | not) | .status.containerStatuses[0].containerID')
  [ ! -d "$root/$1" ] || root=$root/$1
  find "$root" -type d -name "*${id#containerd://}*" -print -quit
}
# own_kib FOLDER: of a cgroup, in KiB. Without a program of its own, as it runs every 10 ms.
own_kib() {
  local name value
  while read -r name value; do
    case $name in rss | anon) echo $((value / 1024)); return ;; esac
  done <"$1/memory.stat"
  echo 0
} 2>/dev/null
# most_kib FILE: keeps in FILE the most that any container of the cluster's pods has had. All of
# them are weir's.
most_kib() {
  local most=0 now stat kubepods
  kubepods=$(find /sys/fs/cgroup -type d -name 'kubepods*' -path '*memory*' -print -quit)
  : "${kubepods:=$(find /sys/fs/cgroup -type d -name 'kubepods*' -print -quit)}"
  echo 0 >"$1"
  shopt -s nullglob globstar
  while :; do
    for stat in "$kubepods"/**/memory.stat; do
      case ${stat#"$kubepods"} in */*pod*/*/*) now=$(own_kib "${stat%/*}") ;; *) continue ;; esac
      [ "${now:-0}" -le "$most" ] || { most=$now; echo "$most" >"$1"; }
    done
    sleep 0.01
  done
}
pod_cpu_us() {
  local at
  at=$(cgroup cpuacct)
  awk '/^[0-9]+$/ { printf "%d", $1 / 1000 } $1 == "usage_usec" { print $2 }' \
    "$at"/cpuacct.usage "$at"/cpu.stat 2>/dev/null || true
}
api_cpu_us() {
  local pid
  pid=$(awk '$1 == "kube-apiserver" { pid = $2 } END { print pid }' "$kubernetes/pids")
  sed 's/.*) //' "/proc/$pid/stat" | awk -v hz="$(getconf CLK_TCK)" '{ printf "%d", ($12 + $13) * 1e6 / hz }'
}
mib() { awk -v k="$1" 'BEGIN { printf "%.1f MiB", k / 1024 }'; }
# pod_metric NAME: the sum of its series.
pod_metric() {
  local ip
  ip=$(kubectl --namespace weir get pods --selector app.kubernetes.io/name=weir --output json |
    jq -r '.items[] | select(.metadata.deletionTimestamp | not) | .status.podIP')
  curl -fsS "http://$ip:9464/metrics" | awk -v re="^$1" '$0 ~ re { sum += $NF } END { print sum + 0 }'
}

# measure NAME REACH COMMAND...: the pod's memory and CPU, and the API server's CPU, while COMMAND
# runs. RATE in NAME is what the API server took of the load, which may be less than was offered.
measure() {
  local name=$1 reach=$2 watcher began cpu api took pod
  shift 2
  pod=$(cgroup memory)
  most_kib "$WEIR_CLUSTER_DIR/most" &
  watcher=$!
  cpu=$(pod_cpu_us) api=$(api_cpu_us) began=$(date +%s%N)
  "$@"
  cpu=$(($(pod_cpu_us) - cpu)) api=$(($(api_cpu_us) - api)) took=$((($(date +%s%N) - began) / 1000))
  kill $watcher
  case $name in
    *RATE*) name=${name/RATE/$(value create_rate "$(cat "$WEIR_CLUSTER_DIR/load")")} ;;
  esac
  row "$name: memory, at its end / at most" \
    "$(mib "$(own_kib "$pod")") / $(mib "$(cat "$WEIR_CLUSTER_DIR/most")")" "${reach%,*}"
  row "$name: CPU" "$((cpu * 1000 / took)) m" "${reach#*,}"
  row "$name: the API server's CPU" "$((api * 1000 / took)) m" ""
}
steady() { "$load" steady -pods -cluster "$kubernetes" -n $((period * rate)) -rate "$rate" >"$WEIR_CLUSTER_DIR/load"; }

kubectl create namespace weir >&2
kubectl label namespace weir pod-security.kubernetes.io/enforce=restricted >&2
kubectl --namespace weir create secret generic opensearch \
  --from-literal=username="$WEIR_CLUSTER_OPENSEARCH_USERNAME" \
  --from-literal=password="$WEIR_CLUSTER_OPENSEARCH_PASSWORD" \
  --from-file=ca.crt="$WEIR_CLUSTER_OPENSEARCH_CA" >&2
# What the events are about: pods that nobody schedules, so that they have no events of their own.
for ((i = 0; i < pods; i++)); do
  cat <<Y
---
apiVersion: v1
kind: Pod
metadata: {name: web-$i, labels: {app: web}}
spec: {schedulingGates: [{name: weir.example/never}], containers: [{name: app, image: app}]}
Y
done | kubectl apply --filename - >/dev/null

# Both modules of the image, so that what is compiled is not nothing.
install() {
  helm upgrade --install weir deploy/helm/weir --namespace weir --wait --timeout 3m \
    --set opensearch.existingSecret=opensearch --set opensearch.caSecret=opensearch \
    --set "opensearch.hosts[0]=$WEIR_CLUSTER_OPENSEARCH" \
    --set 'stages[0].name=drop-normal,stages[0].module=drop-normal.wasm' \
    --set 'stages[1].name=tag-gpu-failures,stages[1].module=tag-gpu-failures.wasm' "$@" >/dev/null
}
most_kib "$WEIR_CLUSTER_DIR/cold" &
watcher=$!
install
kill $watcher
kubectl --namespace weir wait --for condition=Ready pod --selector app.kubernetes.io/name=weir >/dev/null
memory=$(cgroup memory)
row "" measured "to reach"
row "start, with a cold compile: memory at most" "$(mib "$(cat "$WEIR_CLUSTER_DIR/cold")")" "limits.memory"
row "the same, with the pages of files" \
  "$(mib $(($(cat "$memory"/memory.{max_usage_in_bytes,peak} 2>/dev/null | head -n 1) / 1024)))" ""
sleep 10
measure quiet "20 MiB,2 m" sleep "$period"
measure "RATE events a second" "64 MiB,50 m" steady
install --set 'lookup.resources[0]=pods'
# The new pod lists what there is, and sends it again.
for ((i = 0; i < 120; i++)); do
  [ "$(pod_metric weir_events_received_total)" -lt $((period * rate)) ] ||
    [ "$(pod_metric weir_events_in_flight)" != 0 ] || break
  sleep 1
done
measure "RATE a second, with lookup" "64 MiB,100 m" steady
looked_up() { pod_metric "weir_lookups_total.*\"$1\""; }
row "looked up / known already / in vain" \
  "$(looked_up found) / $(looked_up cached) / $(looked_up '(missing|forbidden|timeout)')" ""
row "events received / delivered by the second pod" \
  "$(pod_metric weir_events_received_total) / $(pod_metric weir_events_delivered_total)" ""
