//! A segment: a file of frames behind a header, and a walk over them that works whatever the file
//! holds. The bytes are drawn in [`log`](super).
//!
//! Constraints: the first 16 bytes (magic, version, their checksum) are the same in every version.
//! The file's name says what its header says, so that a damaged header loses nothing. Files are
//! numbered as they are made: where two of them hold a record of the same number, that in the later
//! file counts, because the earlier one could not be made durable.

use std::io;

use super::frame::{HEAD_BYTES, Head, MAGIC, PAYLOAD_BYTES_MAX, u32_at};
use super::point::NUMBER_MAX;
use super::{DiskFile, Point};

/// The format that this weir writes, and the newest that it reads; it reads all before it, too. In
/// format 1 no document has a difference in place of its source's bytes.
pub(super) const VERSION: u32 = 2;
/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 36;
const MAGIC_FILE: [u8; 8] = *b"weirlog\n";
const SUFFIX: &str = ".segment";
/// What a file holds at most is what fills it and one record, or what was pending: half of this.
const FILE_BYTES_MAX: u64 = 2 * PAYLOAD_BYTES_MAX as u64;
/// Files are looked through in pieces of this size.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Files are numbered in the order in which they are made.
    pub(super) number: u64,
    /// Where in the log it begins. It ends where the next one begins.
    pub(super) first: Point,
    /// The file's size.
    pub(super) bytes: u64,
    /// What it is called.
    pub(super) name: String,
}

impl Segment {
    pub(super) fn new(number: u64, first: Point, bytes: u64) -> Segment {
        let name = format!("{number:08}.{}.{}{SUFFIX}", first.seq, first.documents);
        Segment { number, first, bytes, name }
    }

    /// Whether weir can have written a file of this name and size.
    pub(super) fn is_possible(&self) -> bool {
        self.number <= NUMBER_MAX && self.first.is_possible() && self.bytes <= FILE_BYTES_MAX
    }

    /// `None` if the file is not one of the log's.
    pub(super) fn of_file(name: &str, bytes: u64) -> Option<Segment> {
        let mut numbers = name.strip_suffix(SUFFIX)?.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let (number, seq, documents) = (next()?, next()?, next()?);
        let segment = Segment::new(number, Point { seq, documents }, bytes);
        (segment.name == name).then_some(segment)
    }
}

/// What stands at the beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Good,
    /// Written by an older weir: its records are read, and none is appended.
    Older,
    /// Written by a newer weir, in this format.
    Newer(u32),
    Damaged,
}

pub(super) fn encode_header(first: Point, version: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..16].copy_from_slice(&encode_format(MAGIC_FILE, version));
    bytes[16..24].copy_from_slice(&first.seq.to_le_bytes());
    bytes[24..32].copy_from_slice(&first.documents.to_le_bytes());
    let crc = crc32fast::hash(&bytes[16..32]);
    bytes[32..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// What the file says of itself. A segment that was renamed counts as damaged.
pub(super) fn read_header<F: DiskFile>(file: &F, first: Point) -> io::Result<Header> {
    let mut bytes = [0; HEADER_BYTES];
    file.read_at(&mut bytes, 0)?;
    Ok(match decode_format(&bytes, MAGIC_FILE) {
        Some(newer) if newer > VERSION => Header::Newer(newer),
        Some(version) if bytes != encode_header(first, version) => Header::Damaged,
        Some(VERSION) => Header::Good,
        Some(_) => Header::Older,
        None => Header::Damaged,
    })
}

/// The 16 bytes that every file of the log begins with, in every version.
pub(super) fn encode_format(magic: [u8; 8], version: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&magic);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The version; `None` where something else stands.
pub(super) fn decode_format(bytes: &[u8], magic: [u8; 8]) -> Option<u32> {
    let is_whole = bytes[..8] == magic && crc32fast::hash(&bytes[..12]) == u32_at(bytes, 12);
    is_whole.then(|| u32_at(bytes, 8))
}

/// A walk over a file's frames from some offset on.
#[derive(Debug)]
pub(super) struct Walk<F> {
    pub(super) file: F,
    /// Where the next frame is expected.
    pub(super) offset: u64,
    /// Where the file ends.
    bytes: u64,
}

/// A head that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) head: Head,
    /// Where it stands: where it was expected, or behind that when there is damage in between.
    pub(super) offset: u64,
}

impl<F: DiskFile> Walk<F> {
    pub(super) fn new(file: F, offset: u64, bytes: u64) -> Walk<F> {
        Walk { file, offset, bytes }
    }

    /// The file has grown.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// The next head of a whole frame between `first` and `bound`; damage is stepped over. Does not
    /// move.
    pub(super) fn peek(&self, first: Point, bound: Point) -> io::Result<Option<Found>> {
        let fits = |found: &Found| {
            found.offset + found.head.frame_bytes() <= self.bytes
                && first.leads_to(found.head.start)
                && found.head.end().seq <= bound.seq
                && found.head.end().documents <= bound.documents
        };
        let mut bytes = [0; HEAD_BYTES];
        if self.bytes.saturating_sub(self.offset) < HEAD_BYTES as u64 {
            return Ok(None);
        }
        if self.file.read_at(&mut bytes, self.offset)? == HEAD_BYTES
            && let Some(head) = Head::decode(&bytes)
            && let found = (Found { head, offset: self.offset })
            && fits(&found)
        {
            return Ok(Some(found));
        }
        self.search(fits)
    }

    /// Looks for a head behind where one is expected.
    fn search(&self, fits: impl Fn(&Found) -> bool) -> io::Result<Option<Found>> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut base = self.offset + 1;
        while base < self.bytes {
            let length = self.file.read_at(&mut piece, base)?;
            for at in memchr::memmem::find_iter(&piece[..length], &MAGIC) {
                let mut bytes = [0; HEAD_BYTES];
                let offset = base + at as u64;
                if self.file.read_at(&mut bytes, offset)? < HEAD_BYTES {
                    continue;
                }
                if let Some(head) = Head::decode(&bytes)
                    && let found = (Found { head, offset })
                    && fits(&found)
                {
                    return Ok(Some(found));
                }
            }
            if length < piece.len() {
                break;
            }
            // A magic may lie across two pieces.
            base += (length - (MAGIC.len() - 1)) as u64;
        }
        Ok(None)
    }

    /// Goes on behind a frame.
    pub(super) fn step_over(&mut self, found: &Found) {
        self.offset = found.offset + found.head.frame_bytes();
    }

    /// Reads a payload into `out`; false: it is not what was written.
    pub(super) fn read_payload(&self, found: &Found, out: &mut Vec<u8>) -> io::Result<bool> {
        out.resize(found.head.payload_bytes as usize, 0);
        let length = self.file.read_at(out, found.offset + HEAD_BYTES as u64)?;
        Ok(length == out.len() && crc32fast::hash(out) == found.head.payload_crc)
    }

    /// [`Walk::read_payload`] without keeping it, in little memory.
    pub(super) fn check_payload(&self, found: &Found, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.resize(PIECE_BYTES, 0);
        let mut hasher = crc32fast::Hasher::new();
        let mut at = found.offset + HEAD_BYTES as u64;
        let end = found.offset + found.head.frame_bytes();
        while at < end {
            let want = (end - at).min(PIECE_BYTES as u64) as usize;
            let length = self.file.read_at(&mut piece[..want], at)?;
            if length < want {
                return Ok(false);
            }
            hasher.update(&piece[..want]);
            at += want as u64;
        }
        Ok(hasher.finalize() == found.head.payload_crc)
    }
}
