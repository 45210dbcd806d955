#!/usr/bin/env bash
# containerfile.sh LAYOUT [PROFILE]: build deploy/image/Containerfile with Debian's buildah, and
# hold the image to the one in LAYOUT, an OCI layout that deploy/image/build.sh made with the same
# PROFILE (default: release): the same configuration, and the same files but for what is in them
# that was compiled. Root only. The base image is Debian's packages, as nothing is pulled from a
# registry; the compiler is this machine's.
#   DEBS=   the folder of .deb files that build.sh took; default: apt downloads today's
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
layout=$(cd "${1:?usage: containerfile.sh LAYOUT [PROFILE]}" && pwd) profile=${2:-release}
root=$(cd "$here/../.." && pwd)
: "${CARGO_TARGET_DIR:?with-target.sh sets it}"
"$here/setup.sh" rust-wasm buildah jq
work=$(mktemp -d /tmp/weir-containerfile.XXXXXX)
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
trap 'buildah rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# Its own folder of builds: in a container, weir is at another path.
target=$CARGO_TARGET_DIR/containerfile
cargo_home=${CARGO_HOME:-$HOME/.cargo} sysroot=$(rustc --print sysroot)
mkdir -p "$target" "${DEBS:=$work/debs}"
say "containerfile: making a base of Debian's packages"
mmdebstrap --quiet --variant=minbase --include=ca-certificates,gcc,libc6-dev,binutils \
  "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/base.tar" >&2
base=$(buildah from scratch)
mounted=$(buildah mount "$base")
tar -C "$mounted" -xf "$work/base.tar"
mkdir -p "$mounted/rust" "$mounted/cargo" "$mounted/target" "$mounted/debs"
buildah umount "$base" >/dev/null
buildah config --env PATH=/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/cargo \
  --env CARGO_TARGET_DIR=/target --env DEBS=/debs "$base"
buildah commit --quiet "$base" localhost/base >/dev/null

# What the layout says of itself is what the Containerfile is told.
manifest() { jq -r '.manifests[0].digest | sub(":"; "/")' "$1/index.json"; }
config() { jq -r '.config.digest | sub(":"; "/")' "$1/blobs/$(manifest "$1")"; }
label() { jq -r ".config.Labels[\"org.opencontainers.image.$1\"]" "$layout/blobs/$(config "$layout")"; }
say "containerfile: building it"
buildah bud --quiet --isolation chroot --pull-never --identity-label=false --timestamp 0 \
  --volume "$sysroot:/rust:ro" --volume "$cargo_home:/cargo" --volume "$target:/target" \
  --volume "$DEBS:/debs" \
  --build-arg BUILD=localhost/base --build-arg PROFILE="$profile" \
  --build-arg VERSION="$(label version)" --build-arg REVISION="$(label revision)" \
  --file "$root/deploy/image/Containerfile" --tag localhost/weir "$root" >&2
buildah push --quiet localhost/weir "oci:$work/built" >&2

# files LAYOUT FOLDER: unpacks it; prints mode, owner, path and checksum of each file, without the
# checksums of what was compiled.
files() {
  mkdir -p "$2"
  jq -r '.layers[].digest | sub(":"; "/")' "$1/blobs/$(manifest "$1")" |
    while read -r layer; do tar -C "$2" -xpf "$1/blobs/$layer" --same-owner; done
  (cd "$2" && find . -mindepth 1 -printf '%M %U:%G %p %l\n' | sort -k3)
  (cd "$2" && find . -type f ! -path ./usr/bin/weir ! -name '*.wasm' -exec sha256sum {} + | sort -k2)
}
files "$layout" "$work/ours" >"$work/ours.files"
files "$work/built" "$work/theirs" >"$work/theirs.files"
diff "$work/ours.files" "$work/theirs.files" >&2 || die "the Containerfile makes other files, see above"
about() { jq -S '{architecture, os, config}' "$1/blobs/$(config "$1")"; }
diff <(about "$layout") <(about "$work/built") >&2 ||
  die "the Containerfile makes another configuration, see above"
chroot "$work/theirs" /usr/bin/weir --version >&2
say "containerfile: $(wc -l <"$work/ours.files") lines about files, and the configuration, are the same"
