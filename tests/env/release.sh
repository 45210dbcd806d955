#!/usr/bin/env bash
# release.sh: make the release of the last commit twice, in two checkouts with nothing built, and
# hold every file of one to the other, byte for byte; then build the Containerfile and hold it to
# the image. 40 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
root=$PWD
: "${CARGO_TARGET_DIR:?run it as \`make release-check\`}"
work=$CARGO_TARGET_DIR/release-check
rm -rf "$work"
mkdir -p "$work/debs"
trap 'rm -rf "$work"' EXIT
# The same packages: apt may have newer ones the second time.
export DEBS=$work/debs
for checkout in one another/place; do
  git clone --quiet "$root" "$work/$checkout"
  CARGO_TARGET_DIR=$work/$checkout/target "$work/$checkout/deploy/release.sh" "$work/$checkout.dist"
  rm -rf "$work/$checkout/target"
done
diff -r "$work/one.dist" "$work/another/place.dist" >&2 || die "the two releases differ, see above"
say "release-check: the same twice:"
cat "$work/one.dist/SHA256SUMS"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  deploy/image/build.sh dev >/dev/null
  tests/env/containerfile.sh "$CARGO_TARGET_DIR/image/dev/weir-image" dev
else
  say "release-check: the Containerfile is not built: that takes root, and Debian's buildah"
fi
