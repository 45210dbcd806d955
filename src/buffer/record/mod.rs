//! What the payload of a record in the log holds: the source's marks, and documents. Pure.
//!
//! Constraints: what is decoded is byte for byte what was encoded, the documents' ranges included
//! (the file sink writes neighbours with one copy). A payload's checksum was right when it comes
//! here, yet no payload makes this panic or allocate more than it says: a newer weir with a bug may
//! have written it.
//!
//! ```text
//!   offset  bytes
//!        0      4  length of the table, T
//!        4      4  length of the documents' bytes before compression
//!        8      T  the table: marks, then documents
//!    8 + T         the documents' bytes as one LZ4 block, to the end of the payload
//!
//!   marks      number of scopes; for each: its name and its position, a text each
//!   documents  number of documents; for each:
//!                1 byte      which identity: 0 none, 1 object, 2 digest; plus FLAG_EVENT_TIME,
//!                            plus FLAG_DIFFERENCE
//!                ranges      body; the source's bytes, or with FLAG_DIFFERENCE how they differ
//!                            from the body; then uid and version of an object, hex of a digest
//!                signed      index time
//!                signed      event time minus index time, where FLAG_EVENT_TIME is set
//!
//!   number  unsigned LEB128
//!   signed  zigzag, then a number
//!   text    number of bytes, then UTF-8
//!   range   signed distance of its start from the end of the range before it, then its length
//! ```
//!
//! Lengths of 4 bytes are little-endian. An empty position is that of a scope that is nowhere. The
//! checksum of the whole payload is the log's. The documents' bytes are compressed from where they
//! lie and decompressed to where they will lie, without another copy; the table takes about 20
//! bytes a document as it is.

use std::fmt;
use std::ops::Range;

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};

use super::log;
use crate::event::{Document, DocumentIdentity, Documents, Origin, varint};
use crate::position::Positions;

/// Documents of more bytes than this are not encoded: lengths are 32 bits.
pub(super) const PLAIN_BYTES_MAX: usize = 1 << 30;
/// An encoder's buffer that has grown larger than this for one record is not kept.
const BUFFER_BYTES_MAX: usize = 4 << 20;
/// Bytes in front of the table: its length, and the length of the documents' bytes before
/// compression.
const PREFIX_BYTES: usize = 8;

const IDENTITY_NONE: u8 = 0;
const IDENTITY_OBJECT: u8 = 1;
const IDENTITY_DIGEST: u8 = 2;
const FLAG_EVENT_TIME: u8 = 4;
/// What is kept of the source's bytes is a difference. It is never set in segments of format 1.
const FLAG_DIFFERENCE: u8 = 8;

/// What the records of a buffer's log hold.
#[derive(Debug)]
pub(super) struct Contents;

impl log::Contents for Contents {
    type Record = Documents;
    type Marks = Positions;

    fn decode(payload: &[u8], documents: u32) -> Option<(Documents, Positions)> {
        decode(payload).filter(|(decoded, _)| decoded.docs.len() as u64 == u64::from(documents))
    }

    fn decode_marks(payload: &[u8]) -> Option<Positions> {
        decode_marks(payload)
    }
}

/// Encodes payloads; keeps the memory that it needs for that.
pub(super) struct Encoder {
    table: CompressTable,
    payload: Vec<u8>,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder { table: CompressTable::large(), payload: Vec::new() }
    }

    /// The payload of a record. The documents have at most [`PLAIN_BYTES_MAX`] bytes.
    pub(super) fn encode(&mut self, documents: &Documents, marks: &Positions) -> &[u8] {
        let (plain, out) = (&documents.bytes, &mut self.payload);
        out.clear();
        // One large event must not keep its memory for ever.
        out.shrink_to(BUFFER_BYTES_MAX);
        out.extend_from_slice(&[0; PREFIX_BYTES]);
        write_marks(marks, out);
        write_documents(&documents.docs, out);
        let at = out.len();
        out.resize(at + get_maximum_output_size(plain.len()), 0);
        let length = match compress_into_with_table(plain, &mut out[at..], &mut self.table) {
            Ok(length) => length,
            // It needs no more than it asked for.
            Err(error) => unreachable!("{error}"),
        };
        out.truncate(at + length);
        let table = at - PREFIX_BYTES;
        out[..4].copy_from_slice(&(table as u32).to_le_bytes());
        out[4..PREFIX_BYTES].copy_from_slice(&(plain.len() as u32).to_le_bytes());
        out
    }
}

/// What a payload holds; `None` if this weir does not understand it.
fn decode(payload: &[u8]) -> Option<(Documents, Positions)> {
    let (mut table, plain_bytes, packed) = split(payload)?;
    // LZ4 has at most 255 bytes for one.
    if plain_bytes > packed.len().saturating_mul(255) {
        return None;
    }
    let marks = read_marks(&mut table)?;
    let docs = read_documents(&mut table, plain_bytes)?;
    let mut bytes = vec![0; plain_bytes];
    let length = decompress_into(packed, &mut bytes).ok()?;
    (length == plain_bytes && table.is_empty()).then_some((Documents { bytes, docs }, marks))
}

/// Only the marks, without decompressing.
fn decode_marks(payload: &[u8]) -> Option<Positions> {
    read_marks(&mut split(payload)?.0)
}

fn split(payload: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    let (table_bytes, rest) = payload.split_first_chunk()?;
    let (plain_bytes, rest) = rest.split_first_chunk()?;
    let (table, packed) = rest.split_at_checked(u32::from_le_bytes(*table_bytes) as usize)?;
    Some((table, u32::from_le_bytes(*plain_bytes) as usize, packed))
}

fn write_marks(marks: &Positions, out: &mut Vec<u8>) {
    varint::write(marks.len() as u64, out);
    for (scope, position) in marks {
        for text in [scope.as_str(), position.as_str()] {
            varint::write(text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn read_marks(table: &mut &[u8]) -> Option<Positions> {
    let mut marks = Positions::new();
    for _ in 0..varint::read(table)? {
        let scope = read_text(table)?;
        marks.insert(scope, read_text(table)?.into());
    }
    Some(marks)
}

fn read_text(table: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(varint::read(table)?).ok()?;
    let text = table.split_off(..length)?;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

fn write_documents(docs: &[Document], out: &mut Vec<u8>) {
    varint::write(docs.len() as u64, out);
    let mut before = 0;
    for doc in docs {
        let (kind, ranges) = match &doc.identity {
            None => (IDENTITY_NONE, [None, None]),
            Some(DocumentIdentity::Object { uid, version }) => {
                (IDENTITY_OBJECT, [Some(uid), Some(version)])
            }
            Some(DocumentIdentity::Digest(hex)) => (IDENTITY_DIGEST, [Some(hex), None]),
        };
        let time_flag = if doc.event_time.is_some() { FLAG_EVENT_TIME } else { 0 };
        let (origin, origin_flag) = match &doc.origin {
            Origin::Whole(source) => (source, 0),
            Origin::Difference(difference) => (difference, FLAG_DIFFERENCE),
        };
        out.push(kind | time_flag | origin_flag);
        let fixed = [Some(&doc.body), Some(origin)];
        for range in fixed.into_iter().chain(ranges).flatten() {
            write_range(range, &mut before, out);
        }
        write_signed(doc.index_time, out);
        if let Some(time) = doc.event_time {
            write_signed(time.wrapping_sub(doc.index_time), out);
        }
    }
}

fn read_documents(table: &mut &[u8], plain_bytes: usize) -> Option<Vec<Document>> {
    let count = usize::try_from(varint::read(table)?).ok()?;
    // Each takes six bytes of the table or more: a wrong count allocates at most about ten times
    // the table's size.
    let mut docs = Vec::with_capacity(count.min(table.len() / 6 + 1));
    let mut before = 0;
    for _ in 0..count {
        let flags = *table.split_off_first()?;
        let body = read_range(table, &mut before, plain_bytes)?;
        let origin = read_range(table, &mut before, plain_bytes)?;
        let origin = match flags & FLAG_DIFFERENCE {
            0 => Origin::Whole(origin),
            _ => Origin::Difference(origin),
        };
        let identity = match flags & !(FLAG_EVENT_TIME | FLAG_DIFFERENCE) {
            IDENTITY_NONE => None,
            IDENTITY_OBJECT => {
                let uid = read_range(table, &mut before, plain_bytes)?;
                let version = read_range(table, &mut before, plain_bytes)?;
                Some(DocumentIdentity::Object { uid, version })
            }
            IDENTITY_DIGEST => {
                Some(DocumentIdentity::Digest(read_range(table, &mut before, plain_bytes)?))
            }
            _ => return None,
        };
        let index_time = read_signed(table)?;
        let event_time = match flags & FLAG_EVENT_TIME {
            0 => None,
            _ => Some(read_signed(table)?.wrapping_add(index_time)),
        };
        docs.push(Document { body, origin, identity, index_time, event_time });
    }
    Some(docs)
}

/// Ranges mostly begin where the one before ended: the distance is a small number.
fn write_range(range: &Range<usize>, before: &mut usize, out: &mut Vec<u8>) {
    write_signed(range.start as i64 - *before as i64, out);
    varint::write(range.len() as u64, out);
    *before = range.end;
}

fn read_range(table: &mut &[u8], before: &mut usize, plain_bytes: usize) -> Option<Range<usize>> {
    let start = usize::try_from((*before as i64).checked_add(read_signed(table)?)?).ok()?;
    let end = start.checked_add(usize::try_from(varint::read(table)?).ok()?)?;
    *before = end;
    (end <= plain_bytes).then_some(start..end)
}

/// Zigzag: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..., so that small numbers stay small.
fn write_signed(number: i64, out: &mut Vec<u8>) {
    varint::write(((number << 1) ^ (number >> 63)) as u64, out);
}

fn read_signed(table: &mut &[u8]) -> Option<i64> {
    let number = varint::read(table)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
mod tests;
