//! The segment log under the buffer's disk: records go in at one end, come out at the other in the
//! same order, and their files go when everything in them is settled.
//!
//! ```text
//!   append ──> [segment 7] ──> read ──> (the sink) ──> settle ──> tidy
//!    sync      [segment 6]                                         unlinks
//!              [segment 5] <────────────────────────────────────── settled
//! ```
//!
//! A record is a payload of bytes, a count of the documents in it, and marks. The log counts
//! documents, and keeps the marks of what is settled; what payload and marks mean is its user's
//! matter ([`Contents`]).
//!
//! Constraints:
//!
//! - A record costs no memory while it waits to be read, and an entry of the [`Window`] between
//!   then and its settlement; settled neighbours share one entry.
//! - All files together take at most `bytes_max`, and a full disk stops nothing but appending: what
//!   an acknowledgement needs was written when the folder was made.
//! - After a failed fsync nobody knows what the file holds, and another fsync only seems to help
//!   ([Fsync Errors]): what was not durable is kept in memory until it is, and is written again to
//!   another file.
//! - Whatever the files hold after a crash, a flipped bit or an administrator, opening and reading
//!   them ends, takes little memory, and names what is wrong.
//! - Every call may block on the disk, except those that say otherwise.
//!
//! Invariants:
//!
//! - `settled <= next` and `durable <= next`. Settled may be ahead of durable, because a record can
//!   be read before it is durable.
//! - After a crash the log holds a beginning of what was appended: a record is there only if all
//!   before it are. Those that were damaged after they were durable are the exception, and
//!   [`Log::read`] tells how many documents are gone with them.
//! - A record that was durable and is not settled is read again. One that was settled is read again
//!   only if the process ended before [`Log::tidy`] had written that down.
//!
//! # The files
//!
//! The folder holds `lock` ([`folder`]: the process's number, [`folder::LOCK_BYTES`] bytes of
//! text), `progress` ([`progress`]) and segments ([`segment`]), each called
//! `{number:08}.{first record}.{documents before it}.segment`. Other files in it are left alone.
//! Events may hold secrets: the folder is 0700, and its files 0600.
//!
//! All numbers are unsigned and little-endian, all checksums CRC-32 (IEEE). A point is the number
//! of a record, 8 bytes, then how many documents all records before it hold, 8 bytes.
//!
//! A segment is a header of [`segment::HEADER_BYTES`] = 36 bytes, then frames without a gap:
//!
//! ```text
//!   offset  bytes
//!        0      8  MAGIC_FILE: "weirlog\n"                  ┐ the format: these 16 bytes stay as
//!        8      4  segment::VERSION: 2                      │ they are in every version
//!       12      4  checksum of bytes 0..12                  ┘
//!       16     16  point of the first record
//!       32      4  checksum of bytes 16..32
//!       36         the first frame
//! ```
//!
//! A frame is one record: a head of [`frame::HEAD_BYTES`] = 48 bytes, then its payload:
//!
//! ```text
//!   offset  bytes
//!        0      4  MAGIC: "w" ff "r" fe
//!        4      4  flags: bit 0 is FLAG_IS_COPY
//!        8     16  point of the record
//!       24      8  all records before this number were durable when it was written
//!       32      4  how many documents it holds
//!       36      4  length of the payload, at most PAYLOAD_BYTES_MAX
//!       40      4  checksum of the payload
//!       44      4  checksum of bytes 0..44
//!       48         the payload
//! ```
//!
//! `progress` is two slots of [`progress::SLOT_BYTES`] = 4096 bytes, of which the first
//! [`progress::USED_BYTES`] = 60 are used. The slot with the higher counter holds; counter `n` is
//! written to slot `n % 2`:
//!
//! ```text
//!   offset  bytes
//!        0      8  MAGIC: "weirprog"                        ┐
//!        8      4  progress::VERSION: 1                     │ the format, as in a segment
//!       12      4  checksum of bytes 0..12                  ┘
//!       16      8  the counter
//!       24     16  point before which everything is settled
//!       40     16  point before which everything was durable
//!       56      4  checksum of bytes 0..56
//! ```
//!
//! [Fsync Errors]: https://wiki.postgresql.org/wiki/Fsync_Errors

mod disk;
mod error;
mod folder;
mod frame;
mod open;
mod point;
mod progress;
mod read;
mod segment;
mod tidy;
mod window;
mod write;

#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), expect(dead_code, reason = "a simulator uses more of it"))]
pub(crate) mod simulated;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt::Debug;

pub(crate) use self::disk::{Disk, DiskFile};
pub(crate) use self::error::IoError;
pub use self::error::OpenError;
pub(crate) use self::error::{AppendError, ReadError};
pub(crate) use self::folder::Folder;
pub(crate) use self::open::Opened;
pub(crate) use self::point::Seq;
use self::point::{Amount, Point};
use self::progress::ProgressFile;
use self::read::Reader;
use self::segment::Segment;
use self::window::Window;
use self::write::Tip;
use crate::folders;

/// Whether a folder holds a log.
pub(crate) fn is_in(folder: &folders::Folder) -> bool {
    folder.has(progress::NAME)
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
    /// opened. Smaller ones where so few would fit that one stuck document held on to a large
    /// share of the disk.
    pub(crate) fn new(bytes_max: u64) -> Limits {
        Limits { bytes_max, segment_bytes: (16 << 20).min(bytes_max / 8) }
    }
}

/// What records hold. The log's user knows; the log asks when it has read one.
pub(crate) trait Contents: Debug {
    /// A payload that was decoded.
    type Record;
    /// What each record carries besides, and what of it holds when all up to a record are settled.
    type Marks: Clone + Debug;

    /// What a payload holds; `None` if it cannot be read, or does not hold this many documents.
    fn decode(payload: &[u8], documents: u32) -> Option<(Self::Record, Self::Marks)>;

    /// Only its marks, which cost less.
    fn decode_marks(payload: &[u8]) -> Option<Self::Marks>;
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a, M> {
    /// What [`Contents::decode`] understands.
    pub(crate) payload: &'a [u8],
    /// How many documents that holds. None: the record only carries marks, is never given back by
    /// [`Log::read`], and counts as settled as soon as that has passed it.
    pub(crate) documents: u32,
    /// The marks in the payload.
    pub(crate) marks: &'a M,
    /// Its documents are in memory too: it is read only after a restart.
    pub(crate) is_copy: bool,
}

/// A log on a disk. One thread at a time.
#[derive(Debug)]
pub(crate) struct Log<D: Disk, C: Contents> {
    disk: D,
    limits: Limits,
    /// Oldest first. The last one is being written to when the tip has a file.
    segments: VecDeque<Segment>,
    tip: Tip<D::File>,
    reader: Reader<D::File>,
    window: Window<C::Marks>,
    progress: ProgressFile<D::File>,
    /// Of all that is not settled.
    documents: u64,
}

impl<D: Disk, C: Contents> Log<D, C> {
    /// Whether [`Log::read`] has nothing more to give now. Does not block.
    pub(crate) fn is_drained(&self) -> bool {
        self.reader.unread == 0
    }

    /// The marks of the last record before which everything is settled. `None` until this process
    /// has settled one. Does not block.
    pub(crate) fn settled_marks(&self) -> Option<&C::Marks> {
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
