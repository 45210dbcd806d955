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
//! Invariant: a mark never passes an event that is neither settled nor safe on disk, and is rewound
//! only when a cluster was restored or replaced, or something that was read is lost on disk, and in
//! each later term of a process that knows of such: then it is [`Position::Nowhere`] until what is
//! read anew reaches one.

pub(crate) mod file;
mod keeper;
mod record;
mod tracker;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

pub(crate) use keeper::KeepError;
pub use keeper::Keeper;
pub(crate) use record::{Identity, Misfit, Record, RecordError, Target};
pub(crate) use tracker::Tracker;

/// How far one scope is read, in the scope's own order. Saved as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Position {
    /// Before everything: whoever begins there reads all that there is. The mark of a scope that
    /// was rewound; as text it is empty.
    Nowhere,
    /// As its source writes it, and nobody else reads it: a `resourceVersion`, or a file and an
    /// offset. Never empty.
    At(String),
}

impl Position {
    /// As it is saved.
    pub fn as_str(&self) -> &str {
        match self {
            Position::Nowhere => "",
            Position::At(text) => text,
        }
    }
}

impl From<String> for Position {
    fn from(text: String) -> Position {
        if text.is_empty() { Position::Nowhere } else { Position::At(text) }
    }
}

impl From<&str> for Position {
    fn from(text: &str) -> Position {
        text.to_owned().into()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> String {
        match position {
            Position::Nowhere => String::new(),
            Position::At(text) => text,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A position for each scope that has one, by the scope's name.
pub(crate) type Positions = BTreeMap<String, Position>;

/// Settled marks, which a Lease may hold. Only the buffer knows them: a read mark is none, and does
/// not pass for one by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettledPositions(pub(crate) Positions);

impl Deref for SettledPositions {
    type Target = Positions;

    fn deref(&self) -> &Positions {
        &self.0
    }
}

#[cfg(test)]
mod tests;
