#!/usr/bin/env bash
# build.sh [PROFILE]: build weir and its modules, and make the image of them, without a container
# engine: an OCI image layout and the archive beside it. Prints the archive's path.
# PROFILE: cargo's: release (default), or dev, which the tests take.
# with-target.sh (`make image`) sets CARGO_TARGET_DIR.
#   DEBS=                a folder of .deb files to take, see root.sh
#   IMAGE=               the name, default ghcr.io/weir-events/weir:VERSION
#   SOURCE_DATE_EPOCH=   its time, default the commit's
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
. tests/env/lib.sh
profile=${1:-release}
out=${CARGO_TARGET_DIR:?run it as \`make image\`}/image/$profile
version=$(sed -n '/^\[package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
image=${IMAGE:-ghcr.io/weir-events/weir:$version}

rm -rf "$out"
"$here/compile.sh" "$out" "$profile" >&2
# A release takes today's packages; for tests those that they took before will do.
debs=${DEBS:-$out/debs}
[ "$profile" = release ] || debs=${DEBS:-$WEIR_CACHE/debs/$(hash_of "$here/root.sh")}
DEBS=$debs "$here/root.sh" "$out/root" "$out/weir" "$out"/*.wasm

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH REVISION VERSION=$version
digest=$("$here/layout.sh" "$out/weir-image" "$image" "$out/root")
say "image: $image, $digest, $((($(stat -c %s "$out/weir-image.tar") + 524288) / 1048576)) MiB"
echo "$out/weir-image.tar"
