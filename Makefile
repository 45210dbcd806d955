# Everything that is done with weir's source. `make help` lists it.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-live test chaos fuzz filters languages image release release-check workshop lint clean-servers
.PHONY: bench bench-bulk bench-live bench-outage bench-failover bench-pod soak-quiet soak-swap

# Builds go to ~/.cache/weir/build, so that a fresh clone starts warm, or to CARGO_TARGET_DIR.
in_target := tests/env/with-target.sh

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | \
	  awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: ## A recorded cluster's events through both modules to a file, with an account
	@$(in_target) tests/env/demo.sh

demo-live: ## The same with a real API server and OpenSearch, until Ctrl-C
	@$(in_target) tests/env/demo-live.sh

test: ## Set up and run every test, the end-to-end ones on real servers included
	@$(in_target) tests/env/test.sh

chaos: ## Kill weir and its servers for half an hour; nothing may be lost. SEED= repeats a schedule
	@$(in_target) tests/env/chaos.sh

workshop: ## The whole workshop in a real cluster, with weir as a pod. OS_VERSION=3.4.0 for another OpenSearch
	@$(in_target) tests/env/cluster.sh release

fuzz: ## Fuzz what reads foreign bytes, TIME= seconds for each TARGET= (all of them, 400 s each)
	@$(in_target) tests/fuzz/run.sh $(or $(TIME),400) $(TARGET)

filters: ## Build every module into filters/dist/NAME.wasm
	@tests/env/setup.sh rust-wasm
	@$(in_target) tests/env/filters.sh dev

languages: ## Filters in other languages: build them with their tools, test them, and compare their cost
	@$(in_target) filters/languages/check.sh

image: ## The image, as an OCI layout and an archive of it, without a container engine
	@$(in_target) deploy/image/build.sh

release: ## Binary, image, chart, list of components and checksums, in dist/
	@$(in_target) deploy/release.sh

release-check: ## A release twice, from nothing, and the Containerfile: byte for byte the same. 40 minutes
	@$(in_target) tests/env/release.sh

lint: ## Format, clippy, documentation and dependency checks
	@tests/env/setup.sh rust-wasm cargo-deny
	@$(in_target) tests/env/lint.sh

bench: ## CPU, wall time and memory an event: file, both modules, file
	@tests/env/setup.sh rust-wasm
	@$(in_target) benches/file.sh

bench-bulk: ## Documents a second into a real OpenSearch, against a client of ready-made requests
	@$(in_target) benches/bulk.sh

bench-live: ## The live figures, with a real API server and OpenSearch
	@$(in_target) benches/live/run.sh

bench-outage: ## OpenSearch down for ten minutes of 1,000 events a second, and the backlog after it
	@$(in_target) benches/live/outage.sh

bench-failover: ## How long nothing is delivered after the leader of two replicas was killed
	@$(in_target) benches/live/failover.sh

bench-pod: ## Memory and CPU of weir as a pod of the chart: its start, quiet, 1,000 events a second, lookups
	@$(in_target) benches/live/pod.sh

soak-quiet: ## Twenty minutes of a quiet cluster, compacted each minute: nothing twice, flat memory
	@$(in_target) benches/live/quiet.sh

soak-swap: ## A thousand changes of the stages under 10,000 events a second: nothing lost, nothing twice
	@$(in_target) env WEIR_TEST_SWAPS=1000 \
	  cargo test --locked --test suite -- --nocapture swap::swaps_under

clean-servers: ## Stop test servers that were left running
	@for d in /tmp/weir-env.*; do [ ! -d "$$d" ] || tests/env/down.sh "$$d"; done
