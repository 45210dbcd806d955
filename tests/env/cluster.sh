#!/usr/bin/env bash
# cluster.sh [PROFILE [HEADING...]]: follow the workshop in a real cluster, with weir as a pod of
# the image built here, and then what else there is to the chart (chart.sh).
# PROFILE: dev (default; `make test`) or release, which takes a containerd that mounts images.
# HEADINGs: see workshop.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
profile=${1:-dev}
shift || true
tests/env/setup.sh kubernetes opensearch node helm registry jq
if [ "$profile" = release ]; then
  tests/env/setup.sh containerd
  PATH=$(containerd_dir):$PATH
  export WEIR_CLUSTER_MOUNTS=1
fi
# test.sh has built it.
image=${WEIR_TEST_IMAGE:+$WEIR_TEST_IMAGE/weir-image.tar}
image=${image:-$(deploy/image/build.sh "$profile")}
# shellcheck disable=SC2016 # the arguments are that shell's
exec tests/env/in-cluster.sh "$image" bash -euc '
  tests/env/workshop.sh deploy/workshop/README.md "$@"
  tests/env/chart.sh
' "$0" "$@"
