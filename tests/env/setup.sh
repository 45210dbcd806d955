#!/usr/bin/env bash
# setup.sh WHAT...: make sure that WHAT is there, and say exactly what is missing where it cannot be
# had.
# WHAT: rust-wasm (compile modules), kubernetes, opensearch (servers of the tests), toxiproxy
# (connections that fail, for tests/chaos), helm, prometheus-crds (kinds of the Prometheus operator;
# both for the chart's tests), prometheus (and promtool, for the rules and dashboards of deploy/),
# registry (of images and charts), libfuzzer (for tests/fuzz), node (a kubelet's needs, for root
# only), containerd (one that mounts images, newer than a distribution's), jq, graphviz
# (diagram.sh), buildah (containerfile.sh), cargo-deny, cargo-cyclonedx (the list of what a release
# is made of), all (what `make test` and .ci/run need, but for a node). As root on Debian or Ubuntu
# it installs packages with apt; it never changes anything else outside
# ${XDG_CACHE_HOME:-~/.cache}/weir.
# Callers may run at the same time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
OPENSEARCH_VERSION=${OS_VERSION:-2.19.4}

missing=()
need() { missing+=("$1"); }

may_apt() { [ "$(id -u)" = 0 ] && have apt-get; }

# apt PACKAGE...: installs what it can; the caller looks again whether it helped.
apt() {
  may_apt || return 1
  say "setup: installing $* with apt"
  (
    flock 9
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" ||
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; }
  ) 9>"$WEIR_CACHE/apt.lock" >"$WEIR_CACHE/apt.log" 2>&1 </dev/null || {
    say "setup: apt could not install $*: $(tail -n 2 "$WEIR_CACHE/apt.log")"
    return 1
  }
}

# tool COMMAND PACKAGE: on the PATH, or installed now, or listed as missing.
tool() {
  have "$1" || { apt "$2" && hash -r && have "$1"; } ||
    need "$1: install the package \`$2\` (apt-get install $2), or its like on your system"
}

rust() {
  have cargo || need "cargo (Rust 1.95 or newer): https://rustup.rs"
  have cc || { apt gcc libc6-dev && have cc; } || need "cc, a C compiler: install the package \`gcc\` or \`clang\`"
}

# Modules are wasm32-unknown-unknown. rustup has that target's standard library; where rustup cannot
# download, Debian's Rust for the web can build it from source.
has_rustup_target() {
  have rustc && compgen -G "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib/libstd-*.rlib" >/dev/null
}
has_debian_target() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] &&
    [ -f "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ] && has_linker
}
has_linker() {
  have rust-lld ||
    { have rustc && compgen -G "$(rustc --print sysroot)/lib/rustlib/*/bin/rust-lld" >/dev/null; }
}
rust_wasm() {
  rust
  ! has_rustup_target || return 0
  ! has_debian_target || return 0
  if have rustup; then
    say "setup: rustup target add wasm32-unknown-unknown"
    timeout 60 rustup target add wasm32-unknown-unknown >"$WEIR_CACHE/rustup.log" 2>&1 </dev/null || true
    ! has_rustup_target || return 0
    say "setup: rustup could not add it: $(tail -n 1 "$WEIR_CACHE/rustup.log")"
  fi
  if may_apt; then
    apt rustc-web cargo-web rust-web-src || true
    ! has_debian_target || return 0
  fi
  need "Rust's target wasm32-unknown-unknown: \`rustup target add wasm32-unknown-unknown\`;
    or, on Debian 12 and later: apt-get install rustc-web cargo-web rust-web-src (and rust-lld, which rustup's toolchains have)"
}

server_tools() {
  tool curl curl
  tool openssl openssl
  tool flock util-linux
  tool setsid util-linux
}

# go_tool NAME OUT PROGRAM TIME BUILD: PROGRAM is there, which is OUT or in the folder OUT; or OUT
# is made by `BUILD OUT.new` in the folder NAME beside this file, which takes TIME.
go_tool() {
  local name=$1 out=$2 program=$3 time=$4 build=$5
  [ ! -x "$program" ] || return 0
  have go || need "go (1.21 or newer): https://go.dev/dl"
  [ ${#missing[@]} = 0 ] || return 0
  (
    flock 9
    [ ! -x "$program" ] || exit 0
    say "setup: building $name (once; $time)"
    rm -rf "$out" "$out.new"
    cd "$here/$name" || exit 1
    "$build" "$out.new" >"$WEIR_CACHE/$name.log" 2>&1 </dev/null ||
      { tail -n 20 "$WEIR_CACHE/$name.log" >&2; exit 1; }
    mv -T "$out.new" "$out"
  ) 9>"$WEIR_CACHE/$name.lock" || die "$name could not be built, see above"
}

# go_build OUT ARGUMENT...: without -buildvcs, as git may refuse to tell the state of the checkout.
go_build() {
  local out=$1
  shift
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$out" "$@"
}

kubernetes() {
  server_tools
  local out
  out=$(k8s_dir)
  go_tool kubernetes "$out" "$out/kubectl" "7 minutes on two cores" ./build.sh
  [ -d "$out" ] || return 0
  touch "$out"
  keep_newest 3 "$WEIR_CACHE"/kubernetes/*/
}

build_toxiproxy() { go_build "$1" github.com/Shopify/toxiproxy/v2/cmd/server; }
toxiproxy() {
  local out
  out=$(toxiproxy_server)
  go_tool toxiproxy "$out" "$out" "a quarter of a minute" build_toxiproxy
}

# As helm's own Makefile does: without, it takes every cluster for Kubernetes 1.20.
build_helm() {
  local minor flags package
  IFS=. read -r _ minor _ < <(go list -m -f '{{.Version}}' k8s.io/client-go)
  flags="-s -w -X helm.sh/helm/v3/internal/version.version=$(go list -m -f '{{.Version}}' helm.sh/helm/v3)"
  for package in chartutil lint/rules; do
    flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1"
    flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$minor"
  done
  go_build "$1" -ldflags "$flags" helm.sh/helm/v3/cmd/helm
}
helm() {
  local out
  out=$(helm_command)
  go_tool helm "$out" "$out" "three minutes on two cores" build_helm
}

# Its folder goes first in the PATH of node-up.sh.
build_containerd() {
  go_build "$1/" -ldflags '-s -w' github.com/containerd/containerd/v2/cmd/containerd{,-shim-runc-v2}
}
containerd() {
  local out
  out=$(containerd_dir)
  go_tool containerd "$out" "$out/containerd" "five minutes on two cores" build_containerd
}

# The operator's own files, out of its Go module: nothing is compiled.
build_prometheus_crds() {
  local sources kind
  go mod download || return 1
  sources=$(go list -m -f '{{.Dir}}' github.com/prometheus-operator/prometheus-operator) || return 1
  mkdir "$1" || return 1
  for kind in servicemonitors podmonitors prometheusrules; do
    cp "$sources/example/prometheus-operator-crd/monitoring.coreos.com_$kind.yaml" "$1" || return 1
  done
}
prometheus_crds() {
  local out
  out=$(prometheus_crds_dir)
  go_tool prometheus-crds "$out" "$out" "10 MB to fetch" build_prometheus_crds
}

libfuzzer() {
  rust
  have c++ || { apt g++ && have c++; } ||
    need "c++, a C++ compiler: install the package \`g++\` or \`clang\`"
  [ ${#missing[@]} = 0 ] || return 0
  local out built
  out=$(libfuzzer_archive)
  [ ! -s "$out" ] || return 0
  (
    flock 9
    [ ! -s "$out" ] || exit 0
    say "setup: building libFuzzer (once; a quarter of a minute)"
    built=$out.target
    CARGO_TARGET_DIR=$built cargo build --locked --release \
      --manifest-path "$here/libfuzzer/Cargo.toml" >"$WEIR_CACHE/libfuzzer.log" 2>&1 </dev/null ||
      { tail -n 20 "$WEIR_CACHE/libfuzzer.log" >&2; exit 1; }
    cp "$built"/release/build/libfuzzer-sys-*/out/libfuzzer.a "$out.new"
    mv "$out.new" "$out"
    rm -rf "$built"
  ) 9>"$WEIR_CACHE/libfuzzer.lock" || die "libFuzzer could not be built, see above"
}

java_home() { "$here/opensearch/up.sh" --java-home 2>/dev/null; }

opensearch() {
  server_tools
  tool unzip unzip
  case $OPENSEARCH_VERSION in
    2.*) local jdk='11 to 21' package=openjdk-17-jre-headless ;;
    *) local jdk='21 or newer' package=openjdk-21-jre-headless ;;
  esac
  java_home >/dev/null || { apt "$package" && java_home >/dev/null; } ||
    need "a Java runtime, $jdk: install the package \`$package\`, or set OS_JAVA_HOME"
  local zips=$WEIR_CACHE/opensearch v=$OPENSEARCH_VERSION
  if [ ! -s "$zips/opensearch-$v.zip" ] || [ ! -s "$zips/opensearch-security-$v.0.zip" ]; then
    tool mvn maven
    [ ${#missing[@]} = 0 ] || return 0
    (
      flock 9
      [ ! -s "$zips/opensearch-$v.zip" ] || [ ! -s "$zips/opensearch-security-$v.0.zip" ] || exit 0
      say "setup: fetching OpenSearch $v (once; 100 MB)"
      mkdir -p "$zips.new"
      mvn -q -B -f "$here/opensearch/pom.xml" -Dos.version="$v" -Dout="$zips.new" initialize \
        >"$WEIR_CACHE/opensearch.log" 2>&1 </dev/null || { tail -n 20 "$WEIR_CACHE/opensearch.log" >&2; exit 1; }
      mkdir -p "$zips"
      mv "$zips.new"/* "$zips"/
      rmdir "$zips.new"
    ) 9>"$WEIR_CACHE/opensearch.lock" || die "OpenSearch could not be fetched, see above"
  fi
}

node() {
  [ "$(id -u)" = 0 ] || need "root, for a real node (everything else works without)"
  tool containerd containerd
  tool runc runc
  tool ip iproute2
  [ -x /usr/lib/cni/bridge ] || { apt containernetworking-plugins && [ -x /usr/lib/cni/bridge ]; } ||
    need "/usr/lib/cni/bridge: install the package \`containernetworking-plugins\`"
  { ! ldd /bin/busybox >/dev/null 2>&1 && [ -x /bin/busybox ]; } || apt busybox-static ||
    need "a static /bin/busybox: install the package \`busybox-static\`"
}

# unpacked FOLDER PACKAGE PROGRAM...: programs in FOLDER: those on the PATH, or those of Debian's
# package, which is not installed: it would run a server of its own at each start of the machine.
unpacked() {
  local out=$1 package=$2 program new=$1.new
  shift 2
  has_all() { for program; do [ -x "$out/$program" ] || return 1; done; }
  ! has_all "$@" || return 0
  (
    flock 9
    ! has_all "$@" || exit 0
    rm -rf "$new"
    mkdir -p "$new"
    if [ "$(type -P "$@" | wc -l)" = $# ]; then
      for program; do ln -s "$(type -P "$program")" "$new"; done
    elif have apt-get && have dpkg-deb; then
      say "setup: fetching $package (once)"
      cd "$new"
      exec >"$WEIR_CACHE/$package.log" 2>&1 </dev/null
      apt-get download -qq "$package" ||
        { may_apt && apt-get update -qq && apt-get download -qq "$package"; } || exit 0
      dpkg-deb -x "$package"_*.deb package
      for program; do mv "package/usr/bin/$program" .; done
      rm -rf package "$package"_*.deb
    else
      exit 0
    fi
    rm -rf "$out"
    mv -T "$new" "$out"
  ) 9>"$WEIR_CACHE/$package.lock" || true
  has_all "$@" || return 1
}

prometheus() {
  unpacked "$(prometheus_dir)" prometheus prometheus promtool ||
    need "prometheus and promtool, 2.42 or newer: install the package \`prometheus\`, or put both on the
    PATH: https://prometheus.io/download"
}

# A registry of images and charts.
registry() {
  unpacked "$(registry_dir)" docker-registry docker-registry ||
    need "docker-registry, CNCF's registry: install the package \`docker-registry\`"
}

# cargo_tool FOLDER: a program of crates.io, whose name and version are the folder's.
cargo_tool() {
  rust
  [ ${#missing[@]} = 0 ] || return 0
  local out=$1 name=${1##*/}
  local version=${name##*-}
  name=${name%-*}
  [ ! -x "$out/bin/$name" ] || return 0
  (
    flock 9
    [ ! -x "$out/bin/$name" ] || exit 0
    say "setup: building $name $version (once; some minutes)"
    CARGO_TARGET_DIR=$out.target cargo install --locked --quiet --root "$out.new" \
      "$name" --version "$version" >"$WEIR_CACHE/$name.log" 2>&1 </dev/null ||
      { tail -n 20 "$WEIR_CACHE/$name.log" >&2; exit 1; }
    rm -rf "$out.target"
    rm -rf "$out" && mv -T "$out.new" "$out"
  ) 9>"$WEIR_CACHE/$name.lock" || die "$name could not be built, see above"
}

mkdir -p "$WEIR_CACHE/kubernetes" "$WEIR_CACHE/tools"
[ $# -gt 0 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
for what; do
  case $what in
    rust-wasm) rust_wasm ;;
    kubernetes) kubernetes ;;
    opensearch) opensearch ;;
    toxiproxy) toxiproxy ;;
    helm) helm ;;
    containerd) containerd ;;
    prometheus-crds) prometheus_crds ;;
    libfuzzer) libfuzzer ;;
    node) node ;;
    prometheus) prometheus ;;
    registry) registry ;;
    jq) tool jq jq ;;
    graphviz) tool dot graphviz ;;
    buildah) tool buildah buildah; tool mmdebstrap mmdebstrap ;;
    cargo-deny) cargo_tool "$CARGO_DENY" ;;
    cargo-cyclonedx) cargo_tool "$CARGO_CYCLONEDX" ;;
    all)
      rust_wasm; kubernetes; opensearch; toxiproxy; helm; prometheus_crds; prometheus; registry; libfuzzer
      cargo_tool "$CARGO_DENY"
      ;;
    *) die "no such thing to set up: $what" ;;
  esac
done
if [ ${#missing[@]} -gt 0 ]; then
  say "setup: missing, and not to be had from here without you:"
  printf '%s\n' "${missing[@]}" | sort -u | sed 's/^/  /; s/^      /    /' >&2
  exit 1
fi
