# shellcheck shell=bash
# What the live measurements share: weir with both modules, between a real API server and a real
# OpenSearch of the same machine, and its figures from /proc. Source it in the repository's root,
# after `set -euo pipefail`. Needs Linux.
. tests/env/lib.sh
root=$PWD

# What is built: weir, its modules, and what drives the servers.
live_build() {
  tests/env/setup.sh rust-wasm kubernetes opensearch
  tests/env/filters.sh release
  weir=$CARGO_TARGET_DIR/release/weir
  live_build_load
}

# The generator of load: sets load.
live_build_load() {
  load=$WEIR_CACHE/tools/load-$(hash_of benches/live/load/*)
  [ -x "$load" ] ||
    (cd benches/live/load && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$load" .)
}

# value NAME [TEXT]: of the lines NAME=VALUE that up.sh and load print.
value() { sed -n "s/^$1=//p" <<<"${2:-$servers}"; }

# live_begin WHAT...: servers, without controllers and scheduler: every event of this cluster is one
# that we created. Sets dir, opensearch and KUBECONFIG; they end with this script, and so does weir.
live_begin() {
  servers=$(COMPONENTS='' OS_HEAP=${OS_HEAP:-1g} tests/env/up.sh --owner $$ --private "$@")
  dir=$(value dir) opensearch=$(value opensearch) pid=
  trap live_end EXIT
  KUBECONFIG=$(value kubeconfig)
  export KUBECONFIG
}

live_end() {
  [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
  tests/env/down.sh "$dir"
}

# The pipeline that is measured: both modules in WebAssembly, and without `match`.
live_config() { # index, name of this weir, more of the configuration
  port=$(free_port)
  cat >"$dir/$2.toml" <<TOML
name = "bench"
cluster = "bench"
cache = "$dir/weir-cache"
[source]
kind = "kubernetes"
[[stage]]
name = "drop-normal"
module = "$root/filters/dist/drop-normal.wasm"
[[stage]]
name = "tag-gpu-failures"
module = "$root/filters/dist/tag-gpu-failures.wasm"
[buffer]
path = "$dir/spool-$2"
[sink]
kind = "opensearch"
hosts = ["$opensearch"]
index = "$1"
[dead_letter]
path = "$dir/dead-letter-$2"
[admin]
listen = "127.0.0.1:$port"
${3:-}
TOML
}

start() { # index
  live_config "$1" "$1"
  # shellcheck disable=SC2034 # for who sources this
  began=$(date +%s%N)
  "$weir" run --config "$dir/$1.toml" 2>>"$dir/weir.log" &
  pid=$!
}

# In good order; sets ledger.
stop() {
  kill "$pid"
  wait "$pid" || die "weir failed: $(tail -n 5 "$dir/weir.log")"
  pid=
  # shellcheck disable=SC2034 # the same
  ledger=$(grep -o 'ledger received=.*' "$dir/weir.log" | tail -n 1)
}

# cpu_us: user and system time of weir and its ended children. A tick is 10 ms.
cpu_us() {
  sed 's/.*) //' "/proc/$pid/stat" |
    awk -v hz="$(getconf CLK_TCK)" '{ printf "%d", ($12 + $13 + $14 + $15) * 1e6 / hz }'
}
# peak_mib PID, resident_mib PID
peak_mib() { awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
resident_mib() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
# server_pid NAME: kube-apiserver or etcd.
server_pid() { awk -v n="$1" '$1 == n { pid = $2 } END { print pid }' "$dir/kubernetes/pids"; }
# metric REGEX [PORT]: the sum of the series that match it.
metric() {
  curl -fsS "http://127.0.0.1:${2:-$port}/metrics" |
    awk -v re="^$1" '$0 ~ re { sum += $NF } END { print sum + 0 }'
}

run() { "$load" "$@" -cluster "$dir/kubernetes" -opensearch "$opensearch"; }
row() { printf '  %-44s %12s   %s\n' "$@"; }
