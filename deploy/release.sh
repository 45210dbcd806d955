#!/usr/bin/env bash
# release.sh [OUT]: make what a release consists of, in OUT (default: dist/):
#   weir-VERSION-linux-ARCH            the stripped binary
#   weir-VERSION-linux-ARCH.oci.tar    the image, an archive of an OCI layout
#   weir-VERSION.tgz                   the Helm chart
#   weir-VERSION.cdx.json              what the binary is made of (CycloneDX)
#   SHA256SUMS
# From one commit, compiler and cargo registry, binary, chart and list are the same byte for byte,
# wherever the checkout is; the image too, with the same Debian packages (DEBS=, see image/root.sh).
# For arm64: run it on an arm64 Debian; nothing here is compiled for another machine.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
mkdir -p "${1:-$root/dist}"
out=$(cd "${1:-$root/dist}" && pwd)
cd "$root"
. tests/env/lib.sh
: "${CARGO_TARGET_DIR:?run it as \`make release\`}"
tests/env/setup.sh rust-wasm cargo-cyclonedx
version=$(sed -n '/^\[package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# Where a checkout, the registry and the build are is in no file. Builds for a release stay apart:
# flags of the compiler are part of what cargo compares.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/reproducible
export RUSTFLAGS="--remap-path-prefix=$root=/weir --remap-path-prefix=$cargo_home=/cargo"
RUSTFLAGS+=" --remap-path-prefix=$CARGO_TARGET_DIR=/target"
export CFLAGS="-ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$CARGO_TARGET_DIR=/target"

archive=$(deploy/image/build.sh release)
name=weir-$version-linux-$architecture
cp "${archive%/*}/weir" "$out/$name"
cp "$archive" "$out/$name.oci.tar"

# `helm package` writes the present time into each entry.
tar -C deploy/helm --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
  --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' -cf - weir |
  gzip -n9 >"$out/weir-$version.tgz"
touch -d "@$SOURCE_DATE_EPOCH" "$out/weir-$version.tgz" # `helm push` takes the file's time

# It writes beside Cargo.toml, and without a serial number where SOURCE_DATE_EPOCH is set.
PATH=$CARGO_CYCLONEDX/bin:$PATH cargo cyclonedx --format json --describe binaries \
  --target "$(rustc -vV | sed -n 's/^host: //p')" --no-build-deps --quiet
sed "s#$root#/weir#g" weir_bin.cdx.json >"$out/weir-$version.cdx.json"
rm -f ./*_bin.cdx.json

(cd "$out" && sha256sum "$name" "$name.oci.tar" "weir-$version.tgz" "weir-$version.cdx.json" >SHA256SUMS)
say "release: in $out:"
(cd "$out" && ls -l "$name"* "weir-$version".* SHA256SUMS) >&2
