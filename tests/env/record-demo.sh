#!/usr/bin/env bash
# record-demo.sh [OUT]: record config/demo-events.jsonl anew, from real servers and a real node.
# About three minutes; needs root. Two stories cannot be provoked on a machine without GPUs and with
# a healthy disk, so their events are created through the API with the texts of the kubelet and of
# node-problem-detector: see demo-reports.sh.
# shellcheck disable=SC2154 # kubeconfig, server, kubectl: from the file that up.sh writes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
out=${1:-$here/../../config/demo-events.jsonl}

if [ -z "${RECORDING:-}" ]; then
  "$here/setup.sh" kubernetes node
  out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
  # A network of its own: what the node and its pods do stays in it, and ends with it.
  RECORDING=1 exec unshare --net "$0" "$out"
fi
ip link set lo up
work=$(mktemp -d /tmp/weir-record.XXXXXX)
chmod 755 "$work"
cleanup() {
  kill "${watch:-}" "${registry:-}" 2>/dev/null || true
  [ ! -f "$work/cluster/pids" ] || "$here/kubernetes/down.sh" "$work/cluster" || true
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT

# --- the registry that the node pulls from: files, served by busybox
mkdir -p "$work/www" "$work/images"
"$here/kubernetes/mkimages.sh" "$work/images"
push() { # image tag...: busybox under that name
  local root=$work/www/v2/$1 tag
  shift
  mkdir -p "$root/manifests" "$root/blobs"
  local t
  t=$(mktemp -d "$work/push.XXXXXX")
  tar -C "$t" -xf "$work/images/busybox.tar"
  gzip -n "$t/layer.tar"
  blob() { cp "$t/$1" "$root/blobs/sha256:$(digest "$t/$1")"; echo "{\"mediaType\":\"$2\",\"size\":$(stat -c %s "$t/$1"),\"digest\":\"sha256:$(digest "$t/$1")\"}"; }
  digest() { sha256sum "$1" | cut -d' ' -f1; }
  for tag; do
    echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",
      \"config\":$(blob config.json application/vnd.docker.container.image.v1+json),
      \"layers\":[$(blob layer.tar.gz application/vnd.docker.image.rootfs.diff.tar.gzip)],
      \"annotations\":{\"version\":\"$tag\"}}" >"$t/manifest"
    cp "$t/manifest" "$root/manifests/$tag"
    cp "$t/manifest" "$root/manifests/sha256:$(digest "$t/manifest")"
  done
  rm -rf "$t"
}
# The server tells the media type from a suffix: every tag that exists ends in .2.
push shop/checkout 1.8.2 1.9.2
push shop/search 3.1.2
push shop/worker 0.4.2
push data/ingest 5.0.2
push ops/report 1.0.2
echo '.2:application/vnd.docker.distribution.manifest.v2+json' >"$work/httpd.conf"
busybox httpd -f -p 127.0.0.1:5000 -h "$work/www" -c "$work/httpd.conf" &
registry=$!

# --- the cluster: one real node, two that have only an object
"$here/kubernetes/up.sh" "$work/cluster" >/dev/null
. "$work/cluster/env"
export KUBECONFIG=$kubeconfig PATH="${kubectl%/*}:$PATH"
tls=(--cacert "$work/cluster/pki/ca.crt" --cert "$work/cluster/pki/admin.crt" --key "$work/cluster/pki/admin.key")
curl -sN "${tls[@]}" "$server/api/v1/events?watch=true" >"$work/events.jsonl" &
watch=$!
mkdir -p "$work/registries/registry.example.com"
printf 'server = "http://127.0.0.1:5000"\n[host."http://127.0.0.1:5000"]\n' >"$work/registries/registry.example.com/hosts.toml"
IMAGES=$work/images/pause.tar REGISTRIES=$work/registries "$here/kubernetes/node-up.sh" "$work/cluster" worker-1 >/dev/null
for n in worker-2 worker-3; do "$here/kubernetes/fake-node.sh" $n >/dev/null; done

say "record: the node is up, applying demo.yaml"
kubectl apply -f "$here/demo.yaml" >/dev/null
"$here/demo-reports.sh" "$work/cluster" start
sleep 40
say "record: a rollout"
kubectl -n shop set image deployment/checkout app=registry.example.com/shop/checkout:1.9.2 >/dev/null
sleep 30
kubectl -n data scale deployment/ingest --replicas 5 >/dev/null
"$here/demo-reports.sh" "$work/cluster" end
sleep 30
kubectl -n shop scale deployment/checkout --replicas 1 >/dev/null
kubectl -n ops delete cronjob report >/dev/null
sleep 10
kill $watch

say "record: $(wc -l <"$work/events.jsonl") events, $(stat -c %s "$work/events.jsonl") bytes"
if grep -qF -e "$work" -e " on 10." "$work/events.jsonl"; then
  KEEP=1
  die "names of this machine, or its nameserver, are in $work/events.jsonl"
fi
cp "$work/events.jsonl" "$out"
chmod 644 "$out"
