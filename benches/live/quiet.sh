#!/usr/bin/env bash
# quiet.sh: a cluster in which nothing happens, while etcd is compacted every minute: every watch's
# position becomes stale. `make soak-quiet` runs it for twenty minutes: weir lists again, sends
# nothing twice, and its memory stays where it is. Exits 1 when one of the first two does not hold.
#   MINUTES=20 EVENTS=500 (before it is quiet)
set -euo pipefail
cd "$(dirname "$0")/../.."
. benches/live/lib.sh
minutes=${MINUTES:-20} events=${EVENTS:-500}
live_build
COMPACTION=0 live_begin kubernetes opensearch
etcd=$(value etcd)
run create -n "$events" >/dev/null
start quiet
run stored -index quiet -n "$events" >/dev/null
sent=$(metric weir_sink_items_total)

# Everything that was overwritten is forgotten. The API server's own leases keep the version moving.
compact() {
  local revision
  revision=$(curl -fsS -d '{}' "$etcd/v3/maintenance/status" |
    grep -o '"revision":"[0-9]*"' | tr -dc 0-9)
  curl -sS -o /dev/null -d "{\"revision\":\"$revision\",\"physical\":true}" "$etcd/v3/kv/compaction"
}

printf '  %6s %14s %16s %18s %16s\n' \
  minute "resident MiB" "documents sent" "lists of a 410" "quiet watches"
first='' most=0
for ((minute = 1; minute <= minutes; minute++)); do
  compact
  sleep 60
  now=$(resident_mib "$pid")
  [ "$minute" != 2 ] || first=$now
  most=$(awk -v a="$most" -v b="$now" 'BEGIN { print (b > a) ? b : a }')
  printf '  %6s %14s %16s %18s %16s\n' "$minute" "$now" "$(metric weir_sink_items_total)" \
    "$(metric 'weir_source_restarts_total.cause="(gone|closed_at_once)"')" \
    "$(metric 'weir_source_restarts_total.cause="quiet"')"
done
again=$(($(metric weir_sink_items_total) - sent))
lists=$(metric 'weir_source_restarts_total.cause="(gone|closed_at_once|quiet)"')
last=$(resident_mib "$pid")
stop
echo
row "documents sent again" "$again" "(to reach: 0)"
row "lists" "$lists" ""
row "resident: second minute / most / last" "${first:-$last} / $most / $last MiB" ""
echo "  $ledger"
[ "$again" = 0 ] || die "documents were sent again"
[ "$lists" -gt 0 ] || [ "$minutes" -lt 6 ] || die "nothing was listed again"
