# shellcheck shell=bash
# What demo.sh and demo-live.sh share: settings, metrics, and the account of what became of the
# events. Awk and bash alone: a fresh machine has no jq. Source it after lib.sh.

bold='' dim='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  # shellcheck disable=SC2034
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
fi

# setting TABLE KEY: the string of a pipeline.toml on stdin.
setting() {
  awk -v table="[$1]" -v key="$2" '
    /^\[/ { here = $1 == table }
    here && $1 == key && match($0, /"[^"]*"/) { print substr($0, RSTART + 1, RLENGTH - 2); exit }'
}

# follow_and_listen: the pipeline.toml on stdin, with source.follow and an admin port that is free.
follow_and_listen() {
  awk '
    /^\[/ { table = $1 }
    table == "[source]" && $1 == "follow" { next }
    table == "[admin]" { next }
    { print }
    $1 == "[source]" { print "follow = true" }
    END { print "[admin]\nlisten = \"127.0.0.1:0\"" }'
}

# scrape ADDRESS: its /metrics. (Bash opens the connection itself: curl may not be there.)
scrape() {
  local line
  exec 3<>"/dev/tcp/${1%:*}/${1##*:}" || return 1
  printf 'GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" >&3
  while read -r line <&3 && [ "$line" != $'\r' ]; do :; done
  tr -d '\r' <&3 | grep -vE '^[0-9a-f]+$' || true # the lengths of chunks, if it came in chunks
  exec 3<&-
}

# metric NAME FILE: the sum over its labels.
metric() {
  awk -v n="$1" '
    { name = $1; sub(/{.*/, "", name) }
    name == n { s += $NF }
    END { printf "%d", s }' "$2"
}

# settle PID LOG N: wait until weir has received N events and settled all; its metrics.
settle() {
  local i address text
  for ((i = 0; i < 600; i++)); do
    kill -0 "$1" 2>/dev/null || die "weir ended: $(tail -n 3 "$2")"
    sleep 0.1
    address=$(grep -oE '127\.0\.0\.1:[1-9][0-9]*' "$2" | head -n 1) || continue
    text=$(scrape "$address" 2>/dev/null) || continue
    [ "$(metric weir_events_received_total <(echo "$text"))" -ge "$3" ] || continue
    [ "$(metric weir_events_in_flight <(echo "$text"))" = 0 ] || continue
    echo "$text"
    return
  done
  die "weir did not settle all events within a minute: $(tail -n 3 "$2")"
}

# The awk functions that know an event's line: no tree is built, the first member of that name
# counts.
# shellcheck disable=SC2016 # awk, not bash
event_awk='
  function text(name,   s) { # the string member called name, as it is between its quotes
    if (!match($0, "\"" name "\" *: *\"([^\"\\\\]|\\\\.)*\"")) return ""
    s = substr($0, RSTART, RLENGTH); sub(/^"[^"]*" *: *"/, "", s); sub(/"$/, "", s); return s
  }
  function within(object, name,   s, whole) { # the same, within a member that is an object
    whole = $0
    if (match($0, "\"" object "\" *: *{[^{}]*}")) {
      $0 = substr($0, RSTART, RLENGTH); s = text(name)
    }
    $0 = whole; return s
  }
  function cut(s, n) {
    gsub(/\\[nrt]/, " ", s); gsub(/\\"/, "\"", s)
    return length(s) > n ? substr(s, 1, n - 1) "…" : s
  }'

# reasons FILE: how often each reason occurs in it, as REASON<tab>COUNT.
reasons() {
  awk "$event_awk"'
    { n[text("reason")]++ }
    END { for (r in n) print r "\t" n[r] }' "$1" | sort
}

# top N: the N most frequent of REASON<tab>COUNT lines, and how many more there are.
top() {
  sort -t$'\t' -k2,2nr -k1,1 | awk -F'\t' -v n="$1" '
    NR <= n { printf "    %5d  %s\n", $2, $1 } NR > n { more++; events += $2 }
    END { if (more) printf "    %5d  of %d more reasons\n", events, more }'
}

# gpus FILE: the documents that tag-gpu-failures tagged: by cause and resource, with one example.
gpus() {
  awk "$event_awk"'
    !/"gpu-failure"/ { next }
    {
      key = within("gpu", "cause") "\t" within("gpu", "resource")
      if (!(key in n)) {
        about[key] = within("involvedObject", "namespace") "/" within("involvedObject", "name")
        sub(/^\//, "", about[key]); said[key] = cut(text("message"), 68)
      }
      n[key]++
    }
    END { for (k in n) print n[k] "\t" k "\t" about[k] "\t" said[k] }' "$1" | sort -t$'\t' -k1,1nr |
    awk -F'\t' -v dim="$dim" -v red="$red" -v plain="$plain" '{
      printf "    %5d  %s%-14s%s %s\n           %s%s: %s%s\n", $1, red, $2, plain, $3, dim, $4, $5, plain }'
}

# account EVENTS DOCUMENTS METRICS: what was dropped, tagged and kept.
account() {
  local received dropped dead kept tagged
  received=$(metric weir_events_received_total "$3")
  dropped=$(metric weir_events_filtered_total "$3")
  dead=$(metric weir_events_dead_lettered_total "$3")
  kept=$(metric weir_events_delivered_total "$3")
  tagged=$(grep -c '"gpu-failure"' "$2" || true)
  echo
  printf '  %s%6d%s  events received\n' "$bold" "$received" "$plain"
  printf '  %s%6d%s  dropped by drop-normal\n' "$bold" "$dropped" "$plain"
  join -t$'\t' -a 1 -e 0 -o 0,1.2,2.2 <(reasons "$1") <(reasons "$2") |
    awk -F'\t' '$2 > $3 { print $1 "\t" $2 - $3 }' | top 6
  printf '  %s%6d%s  kept\n' "$bold" "$kept" "$plain"
  reasons "$2" | top 8
  printf '  %s%6d%s  of those tagged by tag-gpu-failures\n' "$bold" "$tagged" "$plain"
  gpus "$2"
  [ "$dead" = 0 ] || printf '  %s%6d%s  dead letters\n' "$bold" "$dead" "$plain"
  echo
}
