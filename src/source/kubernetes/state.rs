//! The states of the list/watch machine: a closed set, each with a name that metrics and log lines
//! use.

use std::time::Instant;

use super::failure::Cause;

/// What the machine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Asking which cluster this is: saved positions mean something only for theirs.
    Identifying,
    /// Asking for a page of a list, or reading it.
    Listing,
    /// Asking for a list of one item, only to see its version: to begin behind everything that
    /// there is; and after a connection was lost, when an API server whose version is below the
    /// cursor was restored from a backup, and a watch from the cursor would be silent.
    Checking,
    /// Waits until the position is saved, before the first watch of a run that begins behind
    /// everything there is: if it were not, the next run would begin behind what this one has
    /// seen.
    Saving,
    /// Has asked for a watch and waits for the answer.
    Opening,
    /// A watch is open.
    Watching {
        /// Since when.
        opened: Instant,
        /// Frames that it delivered.
        frames: u64,
    },
    /// Nothing is open; waits before the next try.
    Backoff {
        /// What went wrong.
        cause: Cause,
        /// Until when.
        until: Instant,
        /// What comes next.
        then: Then,
    },
    /// Nothing is open, because nobody has room for more events: an open watch that is not read
    /// would fill the API server's memory instead.
    Full {
        /// What is done when there is room.
        then: Then,
    },
    /// Told to stop.
    Stopped,
}

/// Where a state that waits goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// With the cluster's identity.
    Identify,
    /// With the list, at the page where it was.
    List,
    /// With a look at the server's version, then with a watch.
    Check,
    /// With a watch from the cursor.
    Watch,
}

impl State {
    /// All names, in the order of the metric's labels.
    pub(super) const NAMES: [&'static str; 9] = [
        "identifying",
        "listing",
        "checking",
        "saving",
        "opening",
        "watching",
        "backoff",
        "full",
        "stopped",
    ];

    /// The metric's label, and the name in log lines.
    pub(super) fn name(&self) -> &'static str {
        match self {
            State::Identifying => "identifying",
            State::Saving => "saving",
            State::Listing => "listing",
            State::Checking => "checking",
            State::Opening => "opening",
            State::Watching { .. } => "watching",
            State::Backoff { .. } => "backoff",
            State::Full { .. } => "full",
            State::Stopped => "stopped",
        }
    }
}
