//! A record's payload: a table of marks and ranges, then the documents' bytes, compressed. Pure.
//!
//! Constraints: what is decoded is byte for byte what was encoded, places in the buffer included
//! (the file sink writes neighbours with one copy). The payload's checksum was right when it is
//! decoded, yet no payload makes this panic or allocate more than it says: a newer weir with a bug
//! may have written it.
//!
//! The documents' bytes are compressed where they lie and decompressed to where they will lie,
//! without another copy; the table takes about 20 bytes a document as it is.

use std::fmt;
use std::ops::Range;

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};

use super::Record;
use super::frame::u32_at;
use crate::event::{Document, DocumentIdentity, Documents, Origin, varint};
use crate::position::Positions;

/// Bytes in front of the table: its length, and the length of the documents' bytes before
/// compression.
const PREFIX_BYTES: usize = 8;

const IDENTITY_NONE: u8 = 0;
const IDENTITY_OBJECT: u8 = 1;
const IDENTITY_DIGEST: u8 = 2;
const FLAG_EVENT_TIME: u8 = 4;
/// The range of the source's bytes is that of a difference. Records of before there were
/// differences have it never.
const FLAG_DIFFERENCE: u8 = 8;

/// Encodes payloads; keeps the compressor's memory.
pub(super) struct Encoder {
    table: CompressTable,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder { table: CompressTable::large() }
    }

    /// Appends the payload of `record` to `out`. Its documents have less than 4 GiB.
    pub(super) fn encode(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let plain = &record.documents.bytes;
        out.extend_from_slice(&[0; PREFIX_BYTES]);
        write_marks(record.marks, out);
        write_documents(&record.documents.docs, out);
        let table = out.len() - start - PREFIX_BYTES;
        let at = out.len();
        out.resize(at + get_maximum_output_size(plain.len()), 0);
        let length = match compress_into_with_table(plain, &mut out[at..], &mut self.table) {
            Ok(length) => length,
            // It needs no more than it asked for.
            Err(error) => unreachable!("{error}"),
        };
        out.truncate(at + length);
        out[start..start + 4].copy_from_slice(&(table as u32).to_le_bytes());
        out[start + 4..start + PREFIX_BYTES].copy_from_slice(&(plain.len() as u32).to_le_bytes());
    }
}

/// What a payload holds; `None` where it is none that this weir understands.
pub(super) fn decode(payload: &[u8]) -> Option<(Documents, Positions)> {
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
pub(super) fn decode_marks(payload: &[u8]) -> Option<Positions> {
    read_marks(&mut split(payload)?.0)
}

fn split(payload: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    let (prefix, rest) = payload.split_at_checked(PREFIX_BYTES)?;
    let (table, packed) = rest.split_at_checked(u32_at(prefix, 0) as usize)?;
    Some((table, u32_at(prefix, 4) as usize, packed))
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
    // Each takes six bytes of the table or more, so a wrong count allocates no more than the table
    // is large, times ten.
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

/// Ranges mostly begin where the one before ended: the difference is a small number.
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

/// Small numbers of either sign become small ones without: 0, -1, 1, -2, ...
fn write_signed(number: i64, out: &mut Vec<u8>) {
    varint::write(((number << 1) ^ (number >> 63)) as u64, out);
}

fn read_signed(table: &mut &[u8]) -> Option<i64> {
    let number = varint::read(table)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}
