#!/usr/bin/env bash
# demo-live.sh: what `make demo-live` runs: the demo with a real API server, controllers and
# scheduler, and a real OpenSearch. They stay until Ctrl-C. The nodes are objects without a machine,
# so the kubelets' part is created.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
# shellcheck source=tests/env/account.sh
. tests/env/account.sh
env=tests/env root=$PWD
$env/setup.sh rust-wasm kubernetes opensearch
say "demo: building weir and its modules"
$env/filters.sh dev
say "demo: starting Kubernetes and OpenSearch"
servers=$($env/up.sh --owner $$ --private)
value() { sed -n "s/^$1=//p" <<<"$servers"; }
dir=$(value dir) opensearch=$(value opensearch)
weir=
# shellcheck disable=SC2317 # a trap
stop() {
  trap '' INT TERM
  [ -z "$weir" ] || { kill "$weir" && wait "$weir"; } 2>/dev/null || true
  grep -o 'ledger received=.*' "$dir/weir.log" | tail -n 1 || true
  say "demo: stopping the servers"
  $env/down.sh "$dir"
}
trap stop EXIT
trap 'exit 0' INT
trap 'exit 143' TERM
KUBECONFIG=$(value kubeconfig)
export KUBECONFIG
admin=127.0.0.1:$(free_port)
cat >"$dir/pipeline.toml" <<TOML
name = "demo-live"
cluster = "demo"
[source]
kind = "kubernetes"
[[stage]]
name = "drop-normal"
module = "$root/filters/dist/drop-normal.wasm"
[[stage]]
name = "tag-gpu-failures"
module = "$root/filters/dist/tag-gpu-failures.wasm"
[sink]
kind = "opensearch"
hosts = ["$opensearch"]
index = "kube-events-{yyyy.MM.dd}"
[dead_letter]
path = "$dir/dead-letter"
[admin]
listen = "$admin"
TOML
# Not of this process group: Ctrl-C is for this script, which lets weir drain.
setsid "$CARGO_TARGET_DIR/debug/weir" run --config "$dir/pipeline.toml" 2>"$dir/weir.log" &
weir=$!
bin=$(dirname "$(value kubectl)")
export PATH=$bin:$PATH
pki=$dir/kubernetes/pki
curl -sN "$(value server)/api/v1/events?watch=true" --cacert "$pki/ca.crt" --cert "$pki/admin.crt" \
  --key "$pki/admin.key" >"$dir/events.ndjson" &
watch=$!
for node in worker-1 worker-2 worker-3; do $env/kubernetes/fake-node.sh $node >/dev/null; done
kubectl apply -f $env/demo.yaml >/dev/null
$env/demo-reports.sh "$dir/kubernetes" start
$env/demo-reports.sh "$dir/kubernetes" end
sleep 5 # the controllers and the scheduler answer
kill "$watch"
settle "$weir" "$dir/weir.log" "$(wc -l <"$dir/events.ndjson")" >"$dir/metrics.txt"

# OpenSearch's answer has all documents on one line: one a line is what the account reads.
documents=$dir/documents.ndjson
curl -sf "$opensearch/kube-events-*/_refresh" -XPOST -o /dev/null
curl -sf "$opensearch/kube-events-*/_search?size=5000&filter_path=hits.hits._source" |
  sed 's/{"_source":/\n/g' >"$documents"
account "$dir/events.ndjson" "$documents" "$dir/metrics.txt"
cat <<END
  ${dim}documents${plain}   $opensearch/kube-events-*/_search?pretty&q=tags:gpu-failure&sort=@timestamp:desc
  ${dim}metrics${plain}     http://$admin/metrics
  ${dim}cluster${plain}     export KUBECONFIG=$KUBECONFIG
              $(value kubectl) get events -A --watch
  ${dim}log${plain}         $dir/weir.log

Running until Ctrl-C. Make events, for example: kubectl -n shop scale deployment/checkout --replicas 9
END
wait "$weir"
