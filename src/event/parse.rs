//! One pass over an event's bytes: is it one, and where are its members.

use super::chunk::MalformedKind;
use super::head::{Head, Member};

/// What [`parse`] found.
#[derive(Debug)]
pub enum Parsed {
    /// A whole, valid event.
    Event {
        /// Its length in bytes.
        len: usize,
        /// Boxed nowhere: moved once into the chunk.
        head: Head,
        /// It has events.k8s.io/v1 names and must be rewritten (`rewrite`) and parsed again.
        needs_rewrite: bool,
    },
    /// The bytes end before the object does.
    Incomplete,
    /// No valid event.
    Malformed(Malformed),
}

/// A refused object.
#[derive(Debug)]
pub struct Malformed {
    /// Where the fault is, from the first byte given.
    pub at: usize,
    /// The object's length, where its end is known (faults of meaning); `None` after a fault of syntax.
    pub len: Option<usize>,
    /// Which kind of fault.
    pub kind: MalformedKind,
    /// What was wrong, for people.
    pub detail: String,
}

/// Parses the event that begins at `bytes[0]`, which is `{`; `bytes` may go on behind it.
///
/// Appends its root members to `members` (nothing is left there unless the answer is `Event`). Raw line
/// breaks between tokens become spaces, in place, so that the event is one line.
pub fn parse(_bytes: &mut [u8], _members: &mut Vec<Member>) -> Parsed {
    todo!()
}
