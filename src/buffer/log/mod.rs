//! The segment log under the buffer's disk: records go in at one end, come out at the other in the
//! same order, and their files go when all in them is settled. What a record means is the buffer's
//! matter.
//!
//! ```text
//!   append ──> [segment 7] ──> read ──> (the sink) ──> settle ──> tidy
//!    sync      [segment 6]                                         unlinks
//!              [segment 5] <────────────────────────────────────── settled
//! ```
//!
//! Constraints:
//!
//! - A record costs no memory while it waits to be read, and an entry of the [`Window`] between
//!   then and its settlement; settled neighbours share one entry.
//! - All files together take at most `bytes_max`, and a full disk stops nothing but appending: what
//!   an acknowledgement needs was written when the folder was made.
//! - After a failed fsync nobody knows what the file holds, and asking again only seems to help (<https://wiki.postgresql.org/wiki/Fsync_Errors>):
//!   what was not durable is kept in memory until it is, and is written again to another file.
//! - Whatever the files hold after a crash, a flipped bit or an administrator, opening and reading
//!   them ends, takes little memory, and names what is wrong.
//! - Every call may block on the disk but those that say otherwise: call it from a thread that may.
//!
//! Invariants:
//!
//! - `settled <= durable <= next`, but that settled may pass durable (a record can be read before
//!   it is durable).
//! - After a crash the log holds a beginning of what was appended: never a record without all
//!   before it, unless they were damaged after they were durable, and then [`Log::read`] tells how
//!   many documents are gone.
//! - A record that was durable and is not settled is read again; one that was settled is at most
//!   read again when the process ended before [`Log::tidy`] had written that down.
//!
//! The folder holds `lock` (whose number is in it), `progress` (the [`progress`] module) and the
//! [`segment`] files; other files in it are left alone. Events may hold secrets: it is 0700, and
//! its files 0600.

mod disk;
mod error;
mod folder;
mod frame;
mod open;
mod progress;
mod read;
mod record;
mod segment;
mod tidy;
mod window;
mod write;

#[cfg(test)]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(crate) use self::disk::{Disk, DiskFile};
pub(crate) use self::error::{AppendError, ReadError};
pub use self::error::{IoError, OpenError};
pub(crate) use self::folder::Folder;
pub(crate) use self::open::Opened;
use self::progress::ProgressFile;
use self::read::Reader;
use self::record::Encoder;
use self::segment::Segment;
use self::window::Window;
use self::write::Tip;
use crate::event::Documents;
use crate::position::Positions;

/// Whether a folder holds a log.
pub(crate) fn is_in(folder: &std::path::Path) -> bool {
    folder.join(progress::NAME).exists()
}

/// What a log may take on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// All files together, in bytes: `buffer.disk`.
    pub(crate) bytes_max: u64,
    /// A file that has reached this size is followed by another: room comes back in pieces of this
    /// size.
    pub(crate) segment_bytes: u64,
}

impl Limits {
    /// Files of 16 MiB: about 100,000 events of 0.75 KB, and read within 10 ms when the log is
    /// opened. Smaller ones where so few of them would fit that one stuck document holds a
    /// large share.
    pub(crate) fn new(bytes_max: u64) -> Limits {
        Limits { bytes_max, segment_bytes: (16 << 20).min(bytes_max / 8) }
    }
}

/// A record's number: dense, in the order of appending, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seq(u64);

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The documents of about one chunk. None: it only carries marks, is never given back by
    /// [`Log::read`], and counts as settled as soon as that has passed it.
    pub(crate) documents: &'a Documents,
    /// How far the source was read when this was written.
    pub(crate) marks: &'a Positions,
    /// Its documents are in memory too: it is read only after a restart.
    pub(crate) is_copy: bool,
}

/// A record that was read.
#[derive(Debug)]
pub(crate) struct OwnedRecord {
    /// Byte for byte what was appended.
    pub(crate) documents: Documents,
}

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Point {
    /// How many records are before it: the number of the record behind it.
    seq: u64,
    /// How many documents those hold.
    documents: u64,
}

impl Point {
    /// The later one.
    fn max(self, other: Point) -> Point {
        if other.seq > self.seq { other } else { self }
    }

    /// What lies between this place and a later one; nothing when it is not later.
    fn until(self, later: Point) -> Amount {
        Amount {
            records: later.seq.saturating_sub(self.seq),
            documents: later.documents.saturating_sub(self.documents),
        }
    }
}

/// How much lies between two places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    records: u64,
    documents: u64,
}

/// A log on a disk. One thread at a time.
#[derive(Debug)]
pub(crate) struct Log<D: Disk> {
    disk: D,
    limits: Limits,
    /// Oldest first. The last one is being written to when the tip has a file.
    segments: VecDeque<Segment>,
    tip: Tip<D::File>,
    reader: Reader<D::File>,
    window: Window,
    progress: ProgressFile<D::File>,
    encoder: Encoder,
    /// Of all that is not settled.
    documents: u64,
}

impl<D: Disk> Log<D> {
    /// Whether [`Log::read`] has nothing more to give now. Does not block.
    pub(crate) fn is_drained(&self) -> bool {
        self.reader.unread == 0
    }

    /// What the source has reached, behind which everything of this log is settled: the marks of
    /// the last record of the settled beginning. `None` until this process has settled one.
    /// Does not block.
    pub(crate) fn settled_marks(&self) -> Option<&Positions> {
        self.window.marks()
    }

    /// The number that the next record gets. Does not block.
    pub(crate) fn end(&self) -> Seq {
        Seq(self.tip.next.seq)
    }

    /// The first record that is not settled. Does not block.
    pub(crate) fn settled(&self) -> Seq {
        Seq(self.window.settled().seq)
    }

    /// What the folder takes on disk, in bytes of its files. Does not block.
    pub(crate) fn bytes(&self) -> u64 {
        progress::BYTES + folder::LOCK_BYTES + self.segment_bytes()
    }

    /// The same, without what an empty log takes. Does not block.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Documents that are not settled. Does not block.
    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    /// Some documents of a record are settled; in any order. Only counts: [`Log::tidy`] writes it
    /// down. Does not block.
    pub(crate) fn settle(&mut self, seq: Seq, documents: u64) {
        self.documents = self.documents.saturating_sub(self.window.settle(seq.0, documents));
    }
}
