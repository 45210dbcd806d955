# shellcheck shell=bash
# What the scripts of this folder share. Source it; it sets only functions, WEIR_CACHE and
# CARGO_DENY.

# Everything slow to get is kept here, in folders named after a hash of what it is made from, so
# that a fresh clone on a machine that built before starts warm.
WEIR_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/weir

# Where setup.sh installs programs of crates.io: name and version of each are its folder's name.
# shellcheck disable=SC2034
CARGO_DENY=$WEIR_CACHE/tools/cargo-deny-0.20.2 CARGO_CYCLONEDX=$WEIR_CACHE/tools/cargo-cyclonedx-0.5.9

# say TEXT...: progress, on stderr: stdout of these scripts is for programs.
say() { echo "$*" >&2; }

die() {
  say "${0##*/}: $*"
  exit 1
}

have() { type -P "$1" >/dev/null; }

# hash_of FILE...: a short name for the content of these files, whatever the folder they are in.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# keep_newest N DIR...: removes all but the N folders used last (`touch` one to say that it was
# used), but none that was used in the last two hours: somebody may be using it.
keep_newest() {
  local keep=$1 d
  shift
  # Names are ours: hashes, without blanks.
  # shellcheck disable=SC2012
  ls -1dt "$@" 2>/dev/null | tail -n +$((keep + 1)) | while read -r d; do
    [ -z "$(find "$d" -maxdepth 0 -mmin +120)" ] || rm -rf "$d"
  done
}

# free_port: a port of 127.0.0.1 on which nobody listens, below the range that the kernel hands out
# to clients.
free_port() {
  local p
  while :; do
    p=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || {
      echo "$p"
      return
    }
  done
}

# start_time PID: with the pid it names a process for good, although pids are used again.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# k8s_dir: where setup.sh keeps the Kubernetes servers and kubectl.
k8s_dir() {
  local src
  src=$(cd "${BASH_SOURCE[0]%/*}/kubernetes" && pwd)
  echo "$WEIR_CACHE/kubernetes/$(hash_of "$src"/{go.mod,go.sum,main.go,build.sh})"
}

# toxiproxy_server: what setup.sh builds from tests/env/toxiproxy.
toxiproxy_server() {
  local src
  src=$(cd "${BASH_SOURCE[0]%/*}/toxiproxy" && pwd)
  echo "$WEIR_CACHE/tools/toxiproxy-$(hash_of "$src"/{go.mod,go.sum})"
}

# helm_command: what setup.sh builds from tests/env/helm.
helm_command() {
  local src
  src=$(cd "${BASH_SOURCE[0]%/*}/helm" && pwd)
  echo "$WEIR_CACHE/tools/helm-$(hash_of "$src"/{go.mod,go.sum})"
}

# containerd_dir: where setup.sh keeps the containerd of tests/env/containerd, and its shim.
containerd_dir() {
  local src
  src=$(cd "${BASH_SOURCE[0]%/*}/containerd" && pwd)
  echo "$WEIR_CACHE/tools/containerd-$(hash_of "$src"/{go.mod,go.sum})"
}

# prometheus_crds_dir: what setup.sh takes out of the module in tests/env/prometheus-crds.
prometheus_crds_dir() {
  local src
  src=$(cd "${BASH_SOURCE[0]%/*}/prometheus-crds" && pwd)
  echo "$WEIR_CACHE/tools/prometheus-crds-$(hash_of "$src"/{go.mod,go.sum})"
}

# libfuzzer_archive: what setup.sh builds from tests/env/libfuzzer.
libfuzzer_archive() {
  local src
  src=$(cd "${BASH_SOURCE[0]%/*}/libfuzzer" && pwd)
  echo "$WEIR_CACHE/tools/libfuzzer-$(hash_of "$src"/Cargo.{toml,lock}).a"
}

# prometheus_dir: where setup.sh keeps prometheus and promtool.
prometheus_dir() { echo "$WEIR_CACHE/tools/prometheus"; }
# registry_dir: where it keeps docker-registry.
registry_dir() { echo "$WEIR_CACHE/tools/docker-registry"; }
