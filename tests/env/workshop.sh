#!/usr/bin/env bash
# workshop.sh FILE [HEADING...]: run the commands of a guide's ```sh blocks, from top to bottom, in
# one shell, and hold each to what the guide promises. With HEADINGs, of the sections whose heading
# begins with a digit only those (`1` for "## 1. A bad image"); all others always.
# A comment before a block says more about it:
#   <!-- until: REGEX -->  run it again and again, until what it prints has a line for each REGEX
#                          (several comments: all of them), for three minutes at most
#   <!-- not run: WHY -->  the block is for people
# Ends at the first block that fails, with what it printed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
guide=${1:?usage: workshop.sh FILE [HEADING...]}
shift
wanted=" $* "
deadline=180
# What the guide asks its reader for, where in-cluster.sh runs this.
if [ -n "${WEIR_CLUSTER_OPENSEARCH:-}" ]; then
  export OPENSEARCH=$WEIR_CLUSTER_OPENSEARCH OPENSEARCH_CA=$WEIR_CLUSTER_OPENSEARCH_CA
  export OPENSEARCH_USERNAME=$WEIR_CLUSTER_OPENSEARCH_USERNAME
  export OPENSEARCH_PASSWORD=$WEIR_CLUSTER_OPENSEARCH_PASSWORD
fi

# Each block becomes NUMBER.sh in a folder, with the regular expressions in NUMBER.until.
work=$(mktemp -d)
printed=$work/printed running=
leave() {
  [ -z "$running" ] || { cat "$printed" >&2; say "${0##*/}: $guide: this failed, see above"; }
  rm -rf "$work"
}
trap leave EXIT
awk -v dir="$work" -v wanted="$wanted" '
  /^## / {
    number = $2; sub(/\..*/, "", number)
    left_out = wanted != "  " && number ~ /^[0-9]+$/ && index(wanted, " " number " ") == 0
  }
  /^<!-- not run: .* -->$/ { skip = 1 }
  /^<!-- until: .* -->$/ {
    text = $0; sub(/^<!-- until: /, "", text); sub(/ -->$/, "", text); patterns = patterns text "\n"
  }
  /^```sh$/ {
    file = sprintf("%s/%03d", dir, ++count)
    inside = !skip && !left_out
    if (inside && patterns != "") printf "%s", patterns > (file ".until")
    if (inside) printf "" > (file ".sh")
    skip = 0; patterns = ""
    next
  }
  /^```/ { inside = 0 }
  inside { print > (file ".sh") }
' "$guide"
compgen -G "$work/*.sh" >/dev/null || die "$guide has no commands"

# has_all FILE PATTERNS: says the first pattern that no line matches.
has_all() {
  local pattern
  while read -r pattern; do
    grep -qE -- "$pattern" "$1" || { echo "$pattern"; return 1; }
  done <"$2"
}

for block in "$work"/*.sh; do
  sed 's/^/  $ /' "$block" >&2
  if [ ! -f "${block%.sh}.until" ]; then
    # Not in a subshell: what it defines and exports is for the blocks after it. Its first command
    # that fails ends all.
    running=$block
    . "$block" >"$printed" 2>&1
    running=
    continue
  fi
  end=$((SECONDS + deadline))
  until (. "$block") >"$printed" 2>&1 && missing=$(has_all "$printed" "${block%.sh}.until"); do
    [ $SECONDS -lt $end ] || {
      cat "$printed" >&2
      die "$guide: after $deadline s no line of this matches: ${missing:-(it failed)}"
    }
    sleep 1
  done
  cat "$printed" >&2
done
