//! How far the source was read, so that the next run goes on from there. Pure but for [`mod@file`],
//! and for [`Keeper`] that uses it.
//!
//! ```text
//!   source ── issue(scope, events, position) ──> [Tracker] ── mark ──> [Record] ──> position.json
//!                                                    ▲
//!   workers, sink ── settled ────────────────────────┘
//! ```
//!
//! A source reads one or more *scopes* (all namespaces, or each of several; a file), each in an
//! order of its own. It says with each chunk how many events are in it and which position is
//! reached behind them. The **mark** of a scope is the last position before which every event has
//! its outcome, or lies safe on this machine's disk: whoever starts at the mark misses nothing, and
//! reads little twice. The [`Keeper`] saves the marks, and knows whose they are.
//!
//! Invariant: a mark never passes an event that is not done with, and moves back only when a
//! cluster was restored or replaced, or something that was read is lost on disk: then it is
//! [`NOWHERE`] until what is read anew reaches one.

pub mod file;
mod keeper;
mod record;
mod tracker;

use std::collections::BTreeMap;

pub use keeper::{KeepError, Keeper};
pub use record::{Identity, Misfit, Record, RecordError, Target};
pub use tracker::Tracker;

/// A place in one scope's order, as its source writes it: a `resourceVersion`, or a file and an
/// offset. Nobody else reads it.
pub type Position = String;

/// The mark of a scope that has to start over: whoever begins there reads everything.
pub const NOWHERE: &str = "";

/// A position for each scope that has one, by the scope's name.
pub type Positions = BTreeMap<String, Position>;

#[cfg(test)]
mod tests;
