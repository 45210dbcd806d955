#!/usr/bin/env bash
# lint.sh: formatting, clippy, documentation, dependencies, scripts and the length of lines.
# Warnings are errors.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
PATH=$CARGO_DENY/bin:$PATH

workspace() { # folder, target folder
  cd "$1"
  export CARGO_TARGET_DIR=$2
  say "lint: $1"
  cargo fmt --all --check
  cargo clippy --workspace --all-targets --locked -- -D warnings
  # Its readers work on weir: nothing is published, so private items are documented too.
  RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' \
    cargo doc --workspace --no-deps --document-private-items --locked
  cargo deny --locked --workspace check --hide-inclusion-graph licenses bans sources
}
(workspace . "$CARGO_TARGET_DIR")
cargo clippy --locked --features fuzz --example fuzz -- -D warnings
(workspace filters "$CARGO_TARGET_DIR/filters")

# The database of vulnerabilities is a git repository: not every machine can reach it.
if timeout 60 cargo deny --locked fetch db >/dev/null 2>&1; then
  cargo deny --locked check --disable-fetch advisories
else
  say "lint: advisories: skipped, their database is not reachable from here"
fi

mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
for s in "${scripts[@]}"; do bash -n "$s"; done
if have shellcheck; then
  shellcheck -x "${scripts[@]}"
else
  say "lint: scripts: only their syntax was checked, shellcheck is not installed"
fi

# long_lines: the lines of more than 100 columns, as FILE:LINE: TEXT. rustfmt cuts code, but neither
# comments nor strings. Data in the strings of tests, and whatever a script quotes, may be longer.
long_lines() {
  local file tests
  export LC_ALL=C.UTF-8 # columns, not bytes
  git ls-files '*.rs' | while read -r file; do
    case $file in
      filters/sdk/src/sys/bindings.rs) continue ;; # It is generated.
      tests/* | benches/* | */tests/* | */tests.rs | */scenarios/*) tests=1 ;;
      *) tests=$(grep -n -m1 -xF '#[cfg(test)]' "$file" | cut -d: -f1) ;;
    esac
    grep -nE '^.{101,}' "$file" |
      awk -v file="$file" -v tests="${tests:-1000000}" '
        { line = $0; number = line + 0; sub(/^[0-9]+:/, "", line) }
        line ~ /^ *\/\/.*https?:/ { next } # a link cannot be cut
        number < tests || line ~ /^ *\/\// { print file ":" number ": " substr(line, 1, 60) "…" }'
  done
  # Not Kubernetes' build.sh: its text is part of the name under which the servers are cached.
  grep -nE '^ *#.{100,}' -- "${scripts[@]}" Makefile | grep -v '^tests/env/kubernetes/build.sh'
}
long=$(long_lines || true)
[ -z "$long" ] || die "lines of more than 100 columns:"$'\n'"$long"
