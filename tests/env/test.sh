#!/usr/bin/env bash
# test.sh: what `make test` runs: set up, build the modules, start the servers, run every test.
# Arguments go to `cargo test` of the root workspace.
set -euo pipefail
cd "$(dirname "$0")/../.."
env=tests/env
. $env/lib.sh
# Kubernetes also where the tests are given one: tests/chaos kills its own.
$env/setup.sh rust-wasm kubernetes opensearch toxiproxy helm prometheus-crds prometheus registry
$env/filters.sh dev
# The image takes Debian's packages.
if have apt-get && have dpkg-deb; then
  WEIR_TEST_IMAGE=$(deploy/image/build.sh dev)
  export WEIR_TEST_IMAGE=${WEIR_TEST_IMAGE%/*}
else
  say "test: no image is made, and its tests are skipped: that needs apt-get and dpkg-deb"
fi
cargo test --locked --no-run # now: servers need not wait for it
# Little, from one seed, before the servers take the processor. `make fuzz` is the long form.
tests/fuzz/run.sh 6

# Of this script's: also nodes that tests start themselves stop when it ends.
export WEIR_TEST_OWNER=$$
servers=$($env/up.sh --owner $$ kubernetes opensearch opensearch-secure)
dir=$(sed -n 's/^dir=//p' <<<"$servers")
trap '$env/down.sh "$dir"' EXIT
# Each line NAME=VALUE of up.sh, to the tests as WEIR_TEST_NAME.
while IFS='=' read -r name value; do
  export "WEIR_TEST_${name^^}=$value"
done <<<"$servers"
export WEIR_TEST_OPENSEARCH_URL=$WEIR_TEST_OPENSEARCH
WEIR_TEST_PROMETHEUS=$(prometheus_dir)/prometheus
WEIR_TEST_PROMTOOL=$(prometheus_dir)/promtool
WEIR_TEST_REGISTRY=$(registry_dir)/docker-registry
export WEIR_TEST_PROMETHEUS WEIR_TEST_PROMTOOL WEIR_TEST_REGISTRY

cargo test --locked "$@"
(cd filters && CARGO_TARGET_DIR=$CARGO_TARGET_DIR/filters cargo test --locked)

# The shortest way through the workshop, with weir as a pod of that image.
if [ -z "${WEIR_TEST_IMAGE:-}" ] || ! unshare --net true 2>/dev/null || ! $env/setup.sh node; then
  say "test: no pod was run: that needs an image, and root that may make a network namespace"
else
  $env/down.sh "$dir" # what has been tested needs its memory no more
  $env/cluster.sh dev 1 2 3
fi
