//! weir keeps a Kubernetes cluster's events: it watches them, runs each one through
//! WebAssembly modules, and ships what is left to OpenSearch in batches.
//!
//! ```text
//!   source ──────> stages ──────> buffer ──────> sink
//!   list + watch   WebAssembly    memory, disk   _bulk
//!      ▲              │                            │
//!      │              └──> dead letters <──────────┤
//!      └────────────────── position <──────────────┘   moves only over settled events
//! ```
//!
//! What it promises is in docs/architecture.md#guarantees, who may name what in
//! docs/architecture.md#who-may-know-what, and the words in
//! docs/architecture.md#words-that-weir-uses.
//!
//! Modules, in the order of the flow:
//!
//! - [`event`]: the one value that flows: bytes, head, edits, encoding; pure.
//! - [`source`]: where events come from: a Kubernetes watch, a file, stdin; dead letters that are
//!   replayed.
//! - [`stages`]: the chain of WebAssembly modules that each event passes.
//! - [`registry`]: brings modules here that are in registries.
//! - [`lookup`]: what the API server has of the object that an event is about, if that is wanted.
//! - [`buffer`]: what waits for the sink, in memory and on disk, bounded in bytes; the batcher.
//! - [`sink`]: where documents go: OpenSearch, a file, stdout.
//! - [`position`]: how far the source was read, and how far everything is settled.
//! - [`pipeline`]: wires them together, and shuts them down in order.
//!
//! [`handoff`] has what passes between them, [`process`] what they all share. Around them:
//! [`config`] turns `pipeline.toml` into settings, [`cases`] holds recorded events to what is
//! expected of them, [`ledger`] accounts for every event,
//! [`dead_letter`] keeps what could not be processed, [`metrics`], [`health`] and [`admin`] show
//! how things stand, [`shutdown`] and [`telemetry`] serve the process, [`secret`] reads passwords,
//! [`kube`] makes the API server's client and elects a leader, [`opensearch`] is the client of
//! OpenSearch, [`tls`] chooses the cryptography, and [`cli`] is the command line. Several of them
//! need `backoff` (waits between tries), `log_limit` (a bound on log lines), `text` (what others
//! wrote, made fit to be shown) and `words` (the words of the configuration). [`internals`] is what
//! integration tests and benches may use.

pub mod internals;

pub use cli::Cli;

// So that what tests share among crates can say `weir` here too.
#[cfg(test)]
extern crate self as weir;

mod buffer;
mod event;
mod handoff;
mod sink;
mod source;
mod stages;

mod pipeline;
mod position;
mod process;
mod proxy;
mod registry;

mod cases;
mod cli;
mod config;

mod admin;
mod answers;
mod backoff;
mod blocking;
mod dead_letter;
mod files;
mod folders;
mod form;
mod health;
mod kube;
mod ledger;
mod lines;
mod log_limit;
mod lookup;
mod metrics;
mod opensearch;
mod panics;
mod reload;
mod secret;
mod shutdown;
mod telemetry;
mod text;
mod tls;
mod words;

#[cfg(test)]
mod simulator;
