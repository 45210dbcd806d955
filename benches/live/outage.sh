#!/usr/bin/env bash
# outage.sh: OpenSearch is down for ten minutes of 1,000 events a second, then back. `make
# bench-outage` runs it: what weir and the API server need meanwhile, whether anything is lost, and
# how fast the backlog drains. First the same load without weir, on a cluster of its own, to compare
# the API server with.
#   MINUTES=10 RATE=1000 (events a second)
set -euo pipefail
cd "$(dirname "$0")/../.."
. benches/live/lib.sh
minutes=${MINUTES:-10} rate=${RATE:-1000}
n=$((minutes * 60 * rate))
live_build

say "bench-outage: $n events without weir, $rate a second"
live_begin kubernetes
without=$(run steady -n "$n" -rate "$rate")
without_api=$(peak_mib "$(server_pid kube-apiserver)") without_etcd=$(peak_mib "$(server_pid etcd)")
live_end

say "bench-outage: the same with weir, and OpenSearch down"
live_begin kubernetes opensearch
start outage
run create -n 1 >/dev/null
run stored -index outage -n 1 >/dev/null
os=$(value opensearch_dir)
KEEP=1 HARD=1 tests/env/opensearch/down.sh "$os"
before=$(cpu_us)
with=$(run steady -n "$n" -rate "$rate")
cpu=$((($(cpu_us) - before) / n))
with_api=$(peak_mib "$(server_pid kube-apiserver)") with_etcd=$(peak_mib "$(server_pid etcd)")
peak=$(peak_mib "$pid")
spool=$(du -sm "$dir/spool-outage" | cut -f1)

say "bench-outage: OpenSearch is back"
(unset WEIR_TEST_OWNER
  OS_HEAP=${OS_HEAP:-1g} tests/env/opensearch/up.sh "${opensearch##*:}" "$os" >/dev/null)
back=$(date +%s%N)
before=$(cpu_us)
drain=$(run drain -index outage -base 1 -n "$n" -since "$back" -timeout 20m)
drain_cpu=$((($(cpu_us) - before) / n))
peak_after=$(peak_mib "$pid")
stop

echo
row "" measured "to reach"
row "events a second, without weir / with" \
  "$(value create_rate "$without") / $(value create_rate "$with")" "$rate"
row "API server's peak memory, without / with" "$without_api / $with_api MiB" "no higher"
row "etcd's peak memory, without / with" "$without_etcd / $with_etcd MiB" ""
row "weir's peak memory: outage / and drain" "$peak / $peak_after MiB" "64 MiB"
row "weir's CPU an event: outage / drain" "$cpu / $drain_cpu µs" ""
row "spool at the end of the outage" "$spool MiB" ""
row "OpenSearch is back, first document" "$(value first_s "$drain") s" ""
row "all $n stored, none lost, after it" "$(value drain_s "$drain") s" ""
row "backlog drained, documents a second" "$(value drain_rate "$drain")" \
  "$((10 * rate)), or OpenSearch's limit"
echo
echo "  $ledger"
