//! What goes into the list/watch machine and what comes out of it.

use std::time::Duration;

use super::failure::{Cause, Failure};
use super::version::Version;
use crate::source::Start;

/// What happened outside.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Begin.
    Start,
    /// The cluster is known, or does not tell its identity.
    Identified {
        /// Where an earlier run was in this very cluster.
        cursor: Option<Version>,
        /// Where to begin without one.
        start: Start,
    },
    /// The position is saved.
    Saved,
    /// The answer to the request began with 200.
    Opened,
    /// The answer was another status, or an `ERROR` line of a watch said so.
    Refused {
        /// The HTTP status, or the code of the Status object.
        status: u16,
        /// The header `Retry-After`.
        retry_after: Option<Duration>,
        /// What the API server says about it.
        message: String,
    },
    /// The answer ended. `whole`: not inside an object or a list.
    Ended {
        /// Whether what came is complete.
        whole: bool,
    },
    /// No answer, or it broke off.
    Broke(String),
    /// There is none because of TLS.
    Untrusted(String),
    /// More of the answer has come, and the Lease has lapsed by our clock: whoever holds it now may
    /// read the same.
    Lapsed,
    /// The answer is neither a list nor a watch.
    Nonsense(&'static str),
    /// [`Machine::deadline`](super::machine::Machine::deadline) has passed.
    Deadline,
    /// What was read has found no room in time.
    NoRoom,
    /// There is room.
    Room,
    /// Something that had been read was lost behind us.
    Lost,
    /// End.
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Go on reading the answer.
    Read,
    /// Close what is open, and ask this.
    Request(Request),
    /// Close what is open, and save the position.
    Save,
    /// Close what is open, and wait for the deadline.
    Sleep,
    /// Close what is open, and wait for room.
    AwaitRoom,
    /// Close what is open, and end.
    End,
}

/// A request to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The namespace whose UID is taken for the cluster's.
    Identity,
    /// A page of a list.
    List {
        /// At most this many items.
        limit: u32,
        /// From where; `None`: the first page.
        token: Option<String>,
    },
    /// A watch.
    Watch {
        /// Of everything after this version.
        from: Version,
        /// After this long the server ends it.
        timeout: Duration,
    },
}

/// What people should know about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Something failed; it is tried again.
    Failed {
        /// In which state.
        state: &'static str,
        /// What failed.
        failure: Failure,
        /// Consecutive failures so far, counting this one.
        failures: u32,
        /// How long the wait is.
        wait: Duration,
    },
    /// A watch ended, or the list's snapshot was lost: nothing is wrong.
    Restarted(Cause),
    /// A list is complete.
    Listed {
        /// The first one of this process.
        first: bool,
        /// Items accepted.
        accepted: u64,
        /// Items skipped, because they were accepted before.
        skipped: u64,
        /// The cursor before it. What was overwritten between the two versions has not been seen.
        since: Option<Version>,
        /// The version to watch from.
        version: Version,
    },
    /// The server's version is below the cursor: it was restored or replaced.
    Restored {
        /// The cursor that was forgotten.
        cursor: Version,
        /// The server's version.
        version: Version,
    },
    /// A watch was quiet, and the list had items above the cursor: the watch had died without a
    /// word.
    Lied {
        /// How many.
        missed: u64,
    },
    /// Everything up to this version is left out, as `start = "now"` has it.
    Begun(Version),
    /// A watch is open.
    Watching(Version),
}

/// The outcome of an input.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What is to be done.
    pub(super) action: Action,
    /// What people should know.
    pub(super) notes: Vec<Note>,
}
