#!/usr/bin/env bash
# cluster.sh [PROFILE [HEADING...]]: follow the workshop in a real cluster, with weir as a pod of
# the image built here. PROFILE: dev (default; `make test`) or release. HEADINGs: see workshop.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
profile=${1:-dev}
shift || true
tests/env/setup.sh kubernetes opensearch node helm jq
# test.sh has built it.
image=${WEIR_TEST_IMAGE:+$WEIR_TEST_IMAGE/weir-image.tar}
image=${image:-$(deploy/image/build.sh "$profile")}
exec tests/env/in-cluster.sh "$image" tests/env/workshop.sh deploy/workshop/README.md "$@"
