#!/usr/bin/env bash
# demo.sh: what `make demo` runs: build weir and the modules, send the recorded events of
# config/demo.toml through them, and tell what became of them. Needs nothing but Rust;
# with-target.sh sets CARGO_TARGET_DIR.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/lib.sh
. tests/env/account.sh
tests/env/setup.sh rust-wasm
say "demo: building weir and its modules"
tests/env/filters.sh dev

out=demo-out
rm -rf $out
mkdir $out
# The same pipeline, but it goes on listening at the end of the file, so that its metrics can be
# asked for.
config=config/.demo-$$.toml
trap 'rm -f "$config"; kill "${weir:-}" 2>/dev/null || true' EXIT
follow_and_listen <config/demo.toml >"$config"
events=config/$(setting source path <config/demo.toml)
documents=config/$(setting sink path <config/demo.toml)
documents=$(realpath --relative-to=. "$documents")
rm -f "$documents"

"$CARGO_TARGET_DIR/debug/weir" run --config "$config" 2>$out/weir.log &
weir=$!
settle "$weir" $out/weir.log "$(wc -l <"$events")" >$out/metrics.txt
kill "$weir"
wait "$weir" || die "weir failed: $(tail -n 3 $out/weir.log)"

account "$events" "$documents" $out/metrics.txt
cat <<END
  ${dim}documents${plain}   $documents
  ${dim}metrics${plain}     $out/metrics.txt, as /metrics served them
  ${dim}log${plain}         $out/weir.log
  ${dim}ledger${plain}      $(grep -o 'ledger received=.*' $out/weir.log | tail -n 1 | sed 's/^ledger //')

The pipeline is config/demo.toml, the modules are filters/*/src/lib.rs: change them and run it again.
\`make demo-live\` does this with a real Kubernetes API server and a real OpenSearch.
END
