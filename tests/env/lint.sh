#!/usr/bin/env bash
# lint.sh: formatting, clippy, documentation, dependencies and scripts. Warnings are errors.
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
  RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
  cargo deny --locked --workspace check --hide-inclusion-graph licenses bans sources
}
(workspace . "$CARGO_TARGET_DIR")
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
