//! The integration tests, in one binary: weir's library, with wasmtime in it, is linked once.
//!
//! `make test` starts the servers that some need, and says where they are. `cargo test --test suite
//! NAME` runs those with NAME in their path, such as `e2e::` or `cli::help::`; without servers:
//! `admin`, `allocations`, `cases`, `chart` (needs helm; its `server` and `rights` servers), `cli`,
//! `compatibility`, `compile`, `dead_letter`, `filter`, `folders`, `gallery`, `guests`, `guide`,
//! `hostile_memory`, `hostile_text`, `imports`, `ledger`, `links`, `quota`, `readme`, `signals` and
//! `swap`; of `dashboards`, `loading`, `made` and `metrics`.
//!
//! Tests run beside each other, as many as there are cores, so each has folders, a namespace and an
//! index of its own. What cannot stand others beside it takes the cluster for itself:
//! [`support::Cluster::alone`]. `tests/chaos` is a binary of its own, because it kills servers for
//! minutes.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot be set up fails")]

mod admin;
mod allocations;
mod aws;
mod cases;
mod chart;
mod cli;
mod compatibility;
mod compile;
mod dashboards;
mod dead_letter;
mod doctor;
mod e2e;
mod filter;
mod folders;
mod gallery;
mod guests;
mod guide;
mod hostile_memory;
mod hostile_text;
mod image;
mod imports;
mod lease;
mod ledger;
mod links;
mod opensearch_setup;
mod quota;
mod readme;
mod registry;
mod signals;
mod sink_opensearch;
mod source_kubernetes;
mod support;
mod swap;
