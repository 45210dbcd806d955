#!/usr/bin/env bash
# demo-reports.sh CLUSTER_DIR start|end: the events of record-demo.sh that one machine cannot
# provoke, created through the API as their reporters create them: a node's disk fills up, a GPU
# fails, the autoscaler has no answer.
# shellcheck disable=SC2154 # kubeconfig, server, kubectl: from the file that up.sh writes
set -euo pipefail
. "${1:?usage: demo-reports.sh CLUSTER_DIR start|end}/env"
export KUBECONFIG=$kubeconfig PATH="${kubectl%/*}:$PATH"

# report NAMESPACE KIND NAME TYPE REASON COMPONENT HOST MESSAGE [COUNT]: create the event; with
# COUNT, repeat it.
report() {
  local ns=$1 kind=$2 object=$3 now name uid=$3 body
  now=$(date -u +%FT%TZ)
  name=$object.$(printf '%016x' "$(date +%s%N)")
  [ "$kind" != Pod ] || uid=$(pod_uid "$object")
  body=$(printf '{"apiVersion":"v1","kind":"Event","metadata":{"name":"%s","namespace":"%s"},
    "involvedObject":{"kind":"%s","name":"%s","uid":"%s"%s},"reason":"%s","message":"%s","type":"%s","count":1,
    "source":{"component":"%s"%s},"reportingComponent":"%s","reportingInstance":"%s",
    "firstTimestamp":"%s","lastTimestamp":"%s"}' "$name" "$ns" "$kind" "$object" "$uid" \
    "$([ "$kind" = Node ] || echo ",\"namespace\":\"$ns\",\"apiVersion\":\"v1\"")" "$5" "$8" "$4" "$6" \
    "$([ -z "$7" ] || echo ",\"host\":\"$7\"")" "$6" "$7" "$now" "$now")
  kubectl create -f - <<<"$body" >/dev/null
  local i
  for ((i = 2; i <= ${9:-1}; i++)); do
    sleep 1
    kubectl -n "$ns" patch event "$name" --type merge \
      -p "{\"count\":$i,\"lastTimestamp\":\"$(date -u +%FT%TZ)\"}" >/dev/null
  done
}
# pod_uid NAME: of its own for every name, and shaped like one.
pod_uid() { md5sum <<<"$1" | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-4\3-8\4-\5/'; }

case $2 in
  start)
    node=worker-2
    report default Node $node Warning EvictionThresholdMet kubelet $node 'Attempting to reclaim ephemeral-storage' 4
    report default Node $node Normal NodeHasDiskPressure kubelet $node "Node $node status is now: NodeHasDiskPressure"
    report default Node $node Warning FreeDiskSpaceFailed kubelet $node 'Failed to garbage collect required amount of images. Attempted to free 5368709120 bytes, but only found 0 bytes eligible to free.' 2
    report default Node $node Warning ImageGCFailed kubelet $node 'Failed to garbage collect required amount of images. Attempted to free 5368709120 bytes, but only found 0 bytes eligible to free.' 2
    for p in log-archiver-6c9f7d9b8-4hx2m log-archiver-6c9f7d9b8-tq9zs batch-export-29384; do
      report data Pod $p Warning Evicted kubelet $node 'The node was low on resource: ephemeral-storage. Threshold quantity: 10620093440, available: 9121884Ki. Container app was using 48231420Ki, request is 0, has larger consumption of ephemeral-storage. '
      report data Pod $p Normal Killing kubelet $node 'Stopping container app'
    done
    report ml Pod inference-7d4b9c6f5-k8w2p Normal NotTriggerScaleUp cluster-autoscaler '' "pod didn't trigger scale-up: 2 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint {dedicated: ingress}" 3
    ;;
  end)
    node=gpu-a100-4
    report default Node $node Warning XidError node-problem-detector $node 'NVRM: Xid (PCI:0000:3b:00): 48, pid=51874, name=python3, DBE (double bit error): 0x0000000a' 2
    report default Node $node Warning XidError node-problem-detector $node 'NVRM: Xid (PCI:0000:3b:00): 79, pid=51874, name=python3, GPU has fallen off the bus.'
    report ml Pod train-vision-worker-3 Warning Failed kubelet $node 'Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as \"legacy\"\nnvidia-container-cli: detection error: nvml error: gpu is lost: unknown' 2
    report ml Pod train-vision-worker-4 Warning Failed kubelet $node 'Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as \"legacy\"\nnvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown' 2
    report ml Pod train-vision-worker-5 Warning UnexpectedAdmissionError kubelet $node 'Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected'
    report ml Pod batch-embed-2kx9v Warning UnexpectedAdmissionError kubelet gpu-a100-2 'Allocate failed due to requested number of devices unavailable for nvidia.com/mig-1g.5gb. Requested: 1, Available: 0, which is unexpected'
    report default Node worker-2 Warning SystemOOM kubelet worker-2 'System OOM encountered, victim process: java, pid: 22317'
    report default Node worker-2 Normal NodeHasNoDiskPressure kubelet worker-2 'Node worker-2 status is now: NodeHasNoDiskPressure'
    ;;
esac
