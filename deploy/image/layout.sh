#!/usr/bin/env bash
# layout.sh OUT NAME:TAG ROOT: make an image of the root file system in ROOT, as an OCI image layout
# in the folder OUT and as the archive OUT.tar, which `ctr images import`, `podman load` and
# `skopeo copy oci-archive:` take. It needs no container engine: an image is a few JSON files and an
# archive (https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md). The same ROOT
# gives the same bytes.
#   SOURCE_DATE_EPOCH=0   seconds since 1970, the time of the image and of all its files
#   VERSION=, REVISION=   for its labels
set -euo pipefail
umask 022
export LC_ALL=C
[ $# = 3 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
out=$1 reference=$2 root=$3
epoch=${SOURCE_DATE_EPOCH:-0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out/blobs/sha256"

archive() { # folder
  tar -C "$1" --format=ustar --sort=name --mtime="@$epoch" \
    --owner=0 --group=0 --numeric-owner -cf - .
}
digest() { sha256sum "$1" | cut -d' ' -f1; }
blob() { # file: moves it to its place, and prints its descriptor's digest and size
  local sum
  sum=$(digest "$1")
  mv "$1" "$out/blobs/sha256/$sum"
  echo "\"digest\": \"sha256:$sum\", \"size\": $(stat -c %s "$out/blobs/sha256/$sum")"
}

case $(dpkg --print-architecture) in amd64) architecture=amd64 ;; arm64) architecture=arm64 ;; *) exit 1 ;; esac
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
archive "$root" >"$work/layer.tar"
diff=$(digest "$work/layer.tar")
gzip -n -9 "$work/layer.tar"
layer=$(blob "$work/layer.tar.gz")

# The Containerfile says the same.
cat >"$work/config" <<J
{
  "created": "$created",
  "architecture": "$architecture",
  "os": "linux",
  "config": {
    "User": "65532:0",
    "Entrypoint": ["/usr/bin/weir"],
    "Cmd": ["run", "--config", "/etc/weir/pipeline.toml"],
    "Env": ["PATH=/usr/bin"],
    "WorkingDir": "/",
    "ExposedPorts": {"9464/tcp": {}},
    "Labels": {
      "org.opencontainers.image.title": "weir",
      "org.opencontainers.image.description": "Kubernetes events, through WebAssembly filters, into OpenSearch",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.revision": "${REVISION:-unknown}",
      "org.opencontainers.image.version": "${VERSION:-unknown}"
    }
  },
  "rootfs": {"type": "layers", "diff_ids": ["sha256:$diff"]},
  "history": [{"created": "$created", "created_by": "deploy/image/layout.sh"}]
}
J
config=$(blob "$work/config")
cat >"$work/manifest" <<J
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", $config},
  "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", $layer}]
}
J
manifest=$(blob "$work/manifest")
echo '{"imageLayoutVersion": "1.0.0"}' >"$out/oci-layout"
# containerd's import takes the name from io.containerd.image.name; ref.name alone is the tag.
cat >"$out/index.json" <<J
{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json", $manifest,
      "platform": {"architecture": "$architecture", "os": "linux"},
      "annotations": {
        "io.containerd.image.name": "$reference",
        "org.opencontainers.image.ref.name": "${reference##*:}"
      }
    }
  ]
}
J
archive "$out" >"$out.tar"
echo "$manifest" | cut -d'"' -f4
