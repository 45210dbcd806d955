#!/usr/bin/env bash
# run.sh: the live figures: a real API server, a real OpenSearch and weir on the same machine. `make
# bench-live` runs it.
#   N=20000         events of the burst, and so of the backlog
#   QUIET=200       events of the latency measurement, RATE=5 of them a second
# The figures of weir are of the whole process with its children, from /proc. Needs Linux.
set -euo pipefail
cd "$(dirname "$0")/../.."
. benches/live/lib.sh
n=${N:-20000} quiet=${QUIET:-200} rate=${RATE:-5}
live_build
live_begin kubernetes opensearch

say "bench-live: start, with a warm compile cache and one event"
run create -n 1 >/dev/null
start warm-up
run stored -index warm-up -n 1 >/dev/null
stop
start live
first=$(run stored -index live -n 1 -since "$began")

say "bench-live: $quiet events, $rate a second"
latency=$(run latency -index live -n "$quiet" -rate "$rate")

say "bench-live: $n events as fast as the API server takes them"
before=$(cpu_us)
burst=$(run burst -index live -n "$n" -base $((quiet + 1)))
burst_cpu=$((($(cpu_us) - before) / n))
burst_peak=$(peak_mib "$pid")
stop
burst_ledger=$ledger

say "bench-live: SIGKILL, one more event, and a start with the saved position"
start live
sleep 3 # the position is saved once a second
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
run create -n 1 >/dev/null
start live
restart=$(run stored -index live -n $((n + quiet + 2)) -since "$began")
stop
restart_ledger=$ledger

backlog_n=$((n + quiet + 2))
say "bench-live: a backlog of $backlog_n events"
start backlog
backlog=$(run stored -index backlog -n "$backlog_n" -since "$began")
backlog_cpu=$(($(cpu_us) / backlog_n))
backlog_peak=$(peak_mib "$pid")
stop

echo
row "" measured "to reach"
row "start to the first stored event" "$(value stored_s "$first") s" "0.300 s"
row "SIGKILL, start, first new document stored" "$(value stored_s "$restart") s" "1 s"
row "API server's answer to stored, median" "$(value latency_p50_ms "$latency") ms" "20 ms"
ms() { value "latency_$1_ms" "$latency"; }
row "  90 % / 99 % / worst" "$(ms p90) / $(ms p99) / $(ms max)" ""
row "burst: events a second the API server took" "$(value create_rate "$burst")" ""
row "burst: all $n stored after the last creation" "$(value stored_s "$burst") s" "2 s"
row "burst: CPU an event" "$burst_cpu µs" "25 µs"
row "burst: peak resident memory" "$burst_peak MiB" "48 MiB"
row "backlog: all $backlog_n stored after the start" "$(value stored_s "$backlog") s" "4 s"
row "backlog: CPU an event / peak memory" "$backlog_cpu µs / $backlog_peak" ""
echo
echo "  burst    $burst_ledger"
echo "  restart  $restart_ledger"
echo "  backlog  $ledger"
