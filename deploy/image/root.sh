#!/usr/bin/env bash
# root.sh OUT WEIR MODULE...: make the root file system of weir's image in OUT: the binary, the
# modules, the C library that the binary needs, and the certificate authorities of the system, from
# Debian's packages. No shell, no package manager. The Containerfile and layout.sh both use it, so
# both make the same files.
#   DEBS=DIR   a folder of .deb files to take (default: apt downloads today's)
# Needs apt-get and dpkg-deb, and writes nothing outside OUT, DEBS and $TMPDIR.
set -euo pipefail
umask 022
export LC_ALL=C
[ $# -ge 2 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
out=$1 weir=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debs=${DEBS:-$work/debs}
mkdir -p "$debs" "$work/unpacked" "$out"
if ! compgen -G "$debs/*.deb" >/dev/null; then
  # As root, apt downloads as another user, who may not write here; that is only a warning.
  (cd "$debs" && apt-get download -qq libc6 libgcc-s1 ca-certificates 2>"$work/apt.log") ||
    { cat "$work/apt.log" >&2; exit 1; }
fi
for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done

# What the loader is called and where it looks: 64-bit systems keep it in a folder of its own.
case $(dpkg --print-architecture) in
  amd64) libraries=lib/x86_64-linux-gnu loader=lib64/ld-linux-x86-64.so.2 ;;
  arm64) libraries=lib/aarch64-linux-gnu loader=lib/ld-linux-aarch64.so.1 ;;
  *) echo "root.sh: weir's image is made for amd64 and arm64" >&2; exit 1 ;;
esac
mkdir -p "$out/$libraries" "$out/${loader%/*}"
# The last two are what getaddrinfo opens by itself, to read /etc/resolv.conf and ask.
for name in "${loader##*/}" libc.so.6 libm.so.6 libgcc_s.so.1 libresolv.so.2 libnss_dns.so.2; do
  cp -L "$work/unpacked/$libraries/$name" "$out/$libraries/"
done
[ -e "$out/$loader" ] || ln -s "../$libraries/${loader##*/}" "$out/$loader"

mkdir -p "$out"/{etc/ssl/certs,tmp,usr/bin,usr/share/weir/filters,var/lib/weir}
find "$work/unpacked/usr/share/ca-certificates" -name '*.crt' | sort |
  xargs -d '\n' awk 1 >"$out/etc/ssl/certs/ca-certificates.crt" # awk ends each file with a line end
cat >"$out/etc/passwd" <<'P'
root:x:0:0::/:/nonexistent
weir:x:65532:0::/var/lib/weir:/nonexistent
P
cat >"$out/etc/group" <<'G'
root:x:0:
weir:x:65532:
G
echo 'hosts: files dns' >"$out/etc/nsswitch.conf"

install -m 755 "$weir" "$out/usr/bin/weir"
for module; do install -m 644 "$module" "$out/usr/share/weir/filters/"; done
find "$out" -type d -exec chmod 755 {} +
chmod 1777 "$out/tmp"
# Group 0 may write: OpenShift runs a pod as any user, in that group.
chmod 775 "$out/var/lib/weir"
