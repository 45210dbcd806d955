//! What goes into the Lease's machine and what comes out of it.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::failure::Failure;

/// Which Lease it is: names are unique within a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseName {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl std::fmt::Display for LeaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The outside at the time of an input.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// The local clock that never jumps: everything is decided by it.
    pub(crate) now: Instant,
    /// The time of day, for people: it is written, and never compared.
    pub(crate) wall: Timestamp,
    /// For jitter.
    pub(crate) random: u64,
    /// The settled mark of the current term, if it leads and has one.
    pub(crate) mark: Option<String>,
}

/// What happened outside.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Begin.
    Start,
    /// The Lease was read.
    Found(Value),
    /// There is no such Lease.
    Absent,
    /// What was to be written is written; this is the object now.
    Written(Value),
    /// The write was refused, because the Lease is no longer what it was read to be.
    Conflict,
    /// The request failed. A write may have been done all the same.
    Failed(Failure),
    /// [`Machine::deadline`](super::machine::Machine::deadline) has passed.
    Deadline,
    /// What the Lease says is not true any more: write it before its time.
    Renew,
    /// Give the Lease up, and end.
    Release,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Read the Lease.
    Get,
    /// Create this one.
    Create(Value),
    /// Replace it by this, if it still is what it was read to be.
    Update(Value),
    /// Go on waiting for the answer to the request, or for the deadline.
    Wait,
    /// Give up the request, if there is one, and wait for the deadline.
    Sleep,
    /// Nothing more.
    End,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// To read the Lease.
    Get,
    /// To create it.
    Create,
    /// To write it.
    Update,
}

/// Why leading has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No renewal succeeded in time.
    NotRenewed,
    /// Somebody else holds the Lease, or with an empty name nobody.
    Taken(String),
    /// It was given up.
    Released,
}

/// What people should know of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// This process leads now.
    Leading,
    /// It does no longer.
    Lost(Lost),
    /// The Lease has another holder than when it was last seen.
    HolderChanged,
    /// A write succeeded.
    Written,
    /// A write was refused, because somebody else wrote.
    Conflict,
    /// A request failed; it is tried again.
    Failed {
        /// What it was for.
        verb: Verb,
        /// How.
        failure: Failure,
        /// Consecutive failures so far, counting this one.
        failures: u32,
    },
    /// The Lease is not weir's, and this holds it.
    Foreign(String),
    /// The mark is too long for an annotation, and was left as it is.
    MarkTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Giving it up has not succeeded in time: it will expire.
    NotReleased,
}

/// The outcome of an input.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What is to be done.
    pub(crate) action: Action,
    /// What people should know.
    pub(crate) notes: Vec<Note>,
}
