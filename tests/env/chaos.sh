#!/usr/bin/env bash
# chaos.sh: what `make chaos` runs: the long form of tests/chaos, with a release build of weir. Half an hour on two cores.
#   SEED=N    the schedule of faults of an earlier run
#   WEIR_CHAOS_SECONDS, _KILLS, _OPENSEARCH_KILLS, _API_SERVER_STOPS, _LINK_FAULTS, _COMPACTIONS, _RATE: how much of what;
#   WEIR_CHAOS_VERBOSE=1 shows each fault
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/env/setup.sh rust-wasm kubernetes opensearch toxiproxy
tests/env/filters.sh release

# A third of what is done to weir is SIGTERM with a SIGKILL in the drain, which may come too late.
export WEIR_CHAOS_SECONDS=${WEIR_CHAOS_SECONDS:-1320} WEIR_CHAOS_KILLS=${WEIR_CHAOS_KILLS:-280}
export WEIR_CHAOS_OPENSEARCH_KILLS=${WEIR_CHAOS_OPENSEARCH_KILLS:-20}
export WEIR_CHAOS_API_SERVER_STOPS=${WEIR_CHAOS_API_SERVER_STOPS:-36}
export WEIR_CHAOS_LINK_FAULTS=${WEIR_CHAOS_LINK_FAULTS:-96} WEIR_CHAOS_COMPACTIONS=${WEIR_CHAOS_COMPACTIONS:-40}
export WEIR_CHAOS_RATE=${WEIR_CHAOS_RATE:-40} WEIR_CHAOS_SEED=${SEED:-${WEIR_CHAOS_SEED:-}}
export WEIR_CHAOS_WEIR=$CARGO_TARGET_DIR/release/weir
cargo test --locked --test chaos -- --nocapture
