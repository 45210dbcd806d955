#!/usr/bin/env bash
# failover.sh: two replicas with a Lease, whose leader is killed: how long nothing is delivered, and
# whether anything is lost or stored twice. `make bench-failover` runs it.
#   KILLS=5 DURATION=15 (of the Lease, in seconds)
set -euo pipefail
cd "$(dirname "$0")/../.."
. benches/live/lib.sh
kills=${KILLS:-5} duration=${DURATION:-15}
live_build
live_begin kubernetes opensearch
declare -A pids ports
trap 'kill -9 "${pids[@]}" 2>/dev/null || true; live_end' EXIT

for name in a b; do
  live_config failover "$name" "[lease]
enabled = true
namespace = \"default\"
duration = \"${duration}s\""
  ports[$name]=$port
done
replica() { # name
  "$weir" run --config "$dir/$1.toml" 2>>"$dir/weir-$1.log" &
  pids[$1]=$!
}
leader() {
  local name
  for name in a b; do
    [ "$(metric weir_lease_leader "${ports[$name]}" 2>/dev/null)" != 1 ] || echo "$name"
  done
}
# until COMMAND...: waits, for a minute.
until_() {
  local i
  for ((i = 0; i < 600; i++)); do
    ! "$@" || return 0
    sleep 0.1
  done
  local readiness
  readiness=$(curl -sS "http://127.0.0.1:${ports[a]}/readyz?verbose" \
    "http://127.0.0.1:${ports[b]}/readyz?verbose")
  die "not within a minute: $* $readiness"
}
led() { [ -n "$(leader)" ]; }
answers() { curl -fsS -o /dev/null "http://127.0.0.1:${ports[$1]}/readyz" 2>/dev/null; }

replica a
replica b
created=0 worst=0
for ((kill = 1; kill <= kills; kill++)); do
  until_ led
  until_ answers a
  until_ answers b
  # One event after the other, so that the slowest of them is the gap.
  n=$((5 * (duration + 5)))
  run latency -index failover -n "$n" -rate 5 >"$dir/latency" &
  loading=$!
  sleep "$((2 + kill % 3)).$((RANDOM % 10))"
  dead=$(leader)
  kill -9 "${pids[$dead]}"
  wait "${pids[$dead]}" 2>/dev/null || true
  wait "$loading" || die "events did not come: $(tail -n 5 "$dir"/weir-?.log)"
  created=$((created + n))
  gap=$(value latency_max_ms "$(cat "$dir/latency")")
  say "bench-failover: $dead was killed, and $(leader) leads: nothing for $gap ms"
  worst=$(awk -v a="$worst" -v b="$gap" 'BEGIN { print (b > a) ? b : a }')
  replica "$dead"
done
until_ answers a
until_ answers b
for name in a b; do
  kill "${pids[$name]}"
  wait "${pids[$name]}" || die "weir failed: $(tail -n 5 "$dir/weir-$name.log")"
done
curl -fsS -o /dev/null -XPOST "$opensearch/failover/_refresh"
stored=$(curl -fsS "$opensearch/failover/_count" | grep -o '"count":[0-9]*' | tr -dc 0-9)
echo
row "" measured "to reach"
row "longest gap of $kills" "$worst ms" "$(((duration + 2) * 1000)) ms"
row "events created / documents stored" "$created / $stored" "the same"
[ "$created" = "$stored" ] || die "documents were lost or stored twice"
