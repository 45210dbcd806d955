#!/usr/bin/env bash
# generate.sh: make anew what is made in this folder: OpenSearch's dashboards and monitors from
# opensearch/dashboards.toml, Grafana's dashboard from grafana/weir.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --locked --quiet --example generate
