//! Places in the log, and how much lies between them.

/// A record's number: dense, in the order of appending, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seq(pub(super) u64);

#[cfg(test)]
impl Seq {
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// No log counts further: a thousand documents a microsecond take two years to it. A larger number
/// on a disk is damage, or somebody's; below it, no sum overflows.
pub(super) const NUMBER_MAX: u64 = 1 << 56;

/// A point between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// How many records are before it: the number of the record behind it.
    pub(super) seq: u64,
    /// How many documents those hold.
    pub(super) documents: u64,
}

impl Point {
    /// Whether a log can have come there.
    pub(super) fn is_possible(self) -> bool {
        self.seq <= NUMBER_MAX && self.documents <= NUMBER_MAX
    }

    /// Whether a log can come from here to `later`: no record takes documents back, and without a
    /// record there are none.
    pub(super) fn leads_to(self, later: Point) -> bool {
        match later.seq.checked_sub(self.seq) {
            Some(0) => self.documents == later.documents,
            Some(_) => self.documents <= later.documents,
            None => false,
        }
    }

    /// The later one.
    pub(super) fn max(self, other: Point) -> Point {
        if other.seq > self.seq { other } else { self }
    }

    /// What lies between this point and a later one; nothing when it is not later.
    pub(super) fn until(self, later: Point) -> Amount {
        Amount {
            records: later.seq.saturating_sub(self.seq),
            documents: later.documents.saturating_sub(self.documents),
        }
    }
}

/// How much lies between two places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) records: u64,
    pub(super) documents: u64,
}
