//! How far everything is settled, as the next holder of the Lease may rely on it: it has none of
//! this machine's disk. Pure.
//!
//! Invariant: the answer never passes an event that is not settled or only on this disk, and goes
//! back only where the source has rewound or a term begins.

use super::log::Seq;
use crate::position::{Position, Positions};

/// Where the settled marks begin.
#[derive(Debug)]
pub(super) struct SettledMarks {
    /// The first record whose marks count.
    first: Seq,
    /// What holds until all records before it, and it, are settled.
    marks: Positions,
    /// Whether others settle what the records before it hold.
    is_settled: bool,
    /// The tracker's rewinds that are accounted for.
    rewinds: u64,
}

/// What the disk holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnDisk<'a> {
    /// Documents that are not settled.
    pub(super) documents: u64,
    /// The number of the next record.
    pub(super) end: Seq,
    /// The first record that is not settled.
    pub(super) settled: Seq,
    /// The marks of the last record before that, where this process has settled it.
    pub(super) marks: Option<&'a Positions>,
}

impl SettledMarks {
    /// A process begins, with records of earlier ones before `end`. Their marks do not count: that
    /// process may have lost some of them, or have rewound, and have ended before it was read
    /// again.
    pub(super) fn new(end: Seq, rewinds: u64) -> SettledMarks {
        SettledMarks { first: end, marks: Positions::new(), is_settled: false, rewinds }
    }

    /// The source goes on from `marks`, before which everything is settled: what is on disk from
    /// before `end` is still sent, and holds no mark back. Of rewinds, only those after this many
    /// count for these marks.
    pub(super) fn begin(&mut self, end: Seq, marks: Positions, rewinds: u64) {
        *self = SettledMarks { first: end, marks, is_settled: true, rewinds };
    }

    /// The settled marks. `read` are the read marks of now, after this many `rewinds`.
    pub(super) fn marks(&mut self, read: Positions, rewinds: u64, disk: OnDisk<'_>) -> Positions {
        if rewinds != self.rewinds {
            // The marks of records until now may be those of a cluster before it was restored.
            self.rewinds = rewinds;
            self.marks = read.keys().map(|scope| (scope.clone(), Position::Nowhere)).collect();
            (self.first, self.is_settled) = (disk.end, false);
        }
        if disk.documents == 0 || (self.is_settled && disk.end == self.first) {
            // As if it had begun here: what is spooled next does not take it back.
            self.begin(disk.end, read.clone(), rewinds);
            return read;
        }
        match disk.marks {
            Some(marks) if disk.settled > self.first => marks.clone(),
            _ => self.marks.clone(),
        }
    }
}
