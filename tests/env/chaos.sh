#!/usr/bin/env bash
# chaos.sh: what `make chaos` runs: the long form of tests/chaos with a release build of weir, half
# an hour on two cores; then five minutes of it with two replicas and a Lease, whose leader is
# killed and cut off.
#   SEED=N    the schedules of faults of an earlier run
#   WEIR_CHAOS_SECONDS, _REPLICAS, _KILLS, ...: how much of what (tests/chaos/plan.rs has them
#     all), for one run alone
#   WEIR_CHAOS_VERBOSE=1 shows each fault
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/env/setup.sh rust-wasm kubernetes opensearch toxiproxy
tests/env/filters.sh release
export WEIR_CHAOS_SEED=${SEED:-${WEIR_CHAOS_SEED:-}} WEIR_CHAOS_WEIR=$CARGO_TARGET_DIR/release/weir

# run NAME=VALUE...: a run with these as WEIR_CHAOS_NAME.
run() { env "${@/#/WEIR_CHAOS_}" cargo test --locked --test chaos -- --nocapture; }

scale='SECONDS|REPLICAS|KILLS|OPENSEARCH_KILLS|API_SERVER_STOPS|LINK_FAULTS|LEADER_CUTS|COMPACTIONS|RATE'
if env | grep -qE "^WEIR_CHAOS_($scale)="; then
  run
  exit
fi
# A third of what is done to weir is SIGTERM with a SIGKILL in the drain, which may come too late.
run REPLICAS=1 SECONDS=1320 KILLS=280 OPENSEARCH_KILLS=20 API_SERVER_STOPS=36 \
  LINK_FAULTS=96 COMPACTIONS=40
run REPLICAS=2 SECONDS=300 KILLS=30 OPENSEARCH_KILLS=4 API_SERVER_STOPS=6 \
  LINK_FAULTS=24 LEADER_CUTS=10 COMPACTIONS=8
