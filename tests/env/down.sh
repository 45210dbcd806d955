#!/usr/bin/env bash
# down.sh DIR: stop the servers that up.sh started below DIR, and remove it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ $# -eq 1 ] || die "usage: down.sh DIR"
[ -d "$1" ] || exit 0 # stopped already
dir=$(cd "$1" && pwd)
case $dir in /tmp/weir-env.*) ;; *) die "$dir is not one of up.sh's folders" ;; esac
jobs=()
for d in "$dir"/opensearch*/; do
  [ -d "$d" ] || continue
  HARD=1 "$here/opensearch/down.sh" "$d" & # nothing of it is wanted: no need to be gentle
  jobs+=("$!")
done
[ ! -f "$dir/kubernetes/pids" ] || "$here/kubernetes/down.sh" "$dir/kubernetes" || true
for j in ${jobs[@]+"${jobs[@]}"}; do wait "$j" || true; done
rm -rf "$dir"
