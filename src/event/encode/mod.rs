//! The document: the event's bytes, spliced with weir's own members and the edits.
//! docs/delivery.md#the-document and docs/delivery.md#ids-and-indices.
//!
//! Constraints: an event that nobody edited costs its header and as many copies as there are gaps
//! in it (one for `kind` and `apiVersion` at its front, one for `metadata.managedFields`). Nothing
//! is allocated but the room in the output.
//!
//! Invariants:
//!
//! - One line, equal as JSON to the event with its edits, without `metadata.managedFields`, with
//!   what weir writes in the place of members of the same name. What was not edited stays byte for
//!   byte.
//! - From the document and what is kept beside it, the source's own bytes can be made again
//!   ([`origin`]).
//! - A pure function of the event, its edits and failures, and the settings: list and watch, retry
//!   and restart give the same bytes, because they give the same id. (What is looked up of the
//!   regarded object is an edit, and may be another at another time.)
//! - The document of a document is that document, as long as the same stages fail and no time in
//!   `metadata.managedFields`, which a document lacks, was needed to judge `@timestamp`.
//!
//! What weir says about an event stands in `/weir`, which is there only when there is something to
//! say:
//!
//! | member | meaning |
//! |---|---|
//! | `/weir/timestamp` = `"absent"` | the event has no time: `@timestamp` is the epoch's start |
//! | `/weir/timestamp` = `"implausible"` | see below |
//! | `/weir/errors` = `[{stage, kind}]` | stages that failed, with `on_error = "keep"` |
//!
//! A timestamp is implausible if it is more than 24 h away from every time that the server set;
//! then the latest of those chose the index.

mod splice;
mod times;

#[cfg(test)]
mod tests;

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::document::{Document, DocumentIdentity, Documents};
use super::edits::write_string;
use super::head::Original;
use super::origin::{self, Origin, Pieces};
use super::span::Span;
use super::trusted;
use super::view::EventView;
use splice::Own;
use times::{Mark, Times};

/// What every document gets, and what the sink needs of each.
#[derive(Clone, Debug, Default)]
pub struct EncodeSettings {
    /// `clusterName`; without one an event keeps a `clusterName` that it brings.
    pub cluster: Option<String>,
    /// Whether `lastTimestamp` is `@timestamp` where the event has no time there.
    pub fill_last_timestamp: bool,
    /// Whether the sink addresses documents (`DocumentIdentity`); else none is made.
    pub identity: bool,
    /// Whether the sink may refuse a document: then what makes its source again is kept beside it.
    pub keep_source: bool,
}

/// A stage that failed on an event with `on_error = "keep"`: becomes a member of `/weir/errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageError<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// The kind of failure, as the metric's label has it.
    pub kind: &'static str,
}

/// Room for what weir writes into a document, beside the event: a guess, so that the output grows
/// once.
const HEADER_BYTES: usize = 256;

/// Appends the document of `event` to `out`, and a line break behind its body: bodies that follow
/// each other, with neither identity nor source kept, are NDJSON. `source` are the source's own
/// bytes: where nothing was rewritten, the event's.
///
/// Members in this order: `@timestamp`, `clusterName`, `weir` where there is something to mark,
/// `apiVersion`, `kind`, `lastTimestamp` where it is filled, then the event's own in their order,
/// then new ones.
pub fn encode(
    event: EventView<'_>,
    source: &[u8],
    errors: &[StageError<'_>],
    settings: &EncodeSettings,
    out: &mut Documents,
) {
    let times = Times::of(event.of);
    let bytes = &mut out.bytes;
    bytes.reserve(event.of.bytes.len() + HEADER_BYTES);
    let start = bytes.len();
    write_header(&times, errors, settings, bytes);
    let own = Own {
        cluster: settings.cluster.is_some(),
        last_timestamp: settings.fill_last_timestamp && !times.has_last,
    };
    if own.last_timestamp {
        bytes.extend_from_slice(b",\"lastTimestamp\":\"");
        times.write(bytes);
        bytes.push(b'"');
    }
    let mut pieces = (settings.identity || settings.keep_source).then(Pieces::default);
    splice::write_members(event, own, start, pieces.as_mut(), bytes);
    bytes.push(b'}');
    let body = start..bytes.len();
    bytes.push(b'\n');
    let origin = match &pieces {
        Some(pieces) if settings.keep_source => write_origin(event.of, source, pieces, bytes),
        _ => Origin::default(),
    };
    let identity = match &pieces {
        Some(pieces) if settings.identity => {
            Some(write_identity(event.of, source, pieces, start, bytes))
        }
        _ => None,
    };
    out.docs.push(Document {
        body,
        origin,
        identity,
        index_time: times.index,
        event_time: times.plausible,
    });
}

/// Everything in front of the event's own members, without a comma behind it.
fn write_header(
    times: &Times<'_>,
    errors: &[StageError<'_>],
    settings: &EncodeSettings,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"@timestamp\":\"");
    times.write(out);
    out.push(b'"');
    if let Some(cluster) = &settings.cluster {
        out.extend_from_slice(b",\"clusterName\":");
        write_string(cluster, out);
    }
    if times.mark != Mark::None || !errors.is_empty() {
        write_marks(times.mark, errors, out);
    }
    out.extend_from_slice(b",\"apiVersion\":\"v1\",\"kind\":\"Event\"");
}

fn write_marks(mark: Mark, errors: &[StageError<'_>], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"weir\":{");
    out.extend_from_slice(match mark {
        Mark::None => b"".as_slice(),
        Mark::Absent => b"\"timestamp\":\"absent\"",
        Mark::Implausible => b"\"timestamp\":\"implausible\"",
    });
    if !errors.is_empty() {
        if mark != Mark::None {
            out.push(b',');
        }
        out.extend_from_slice(b"\"errors\":[");
        for (at, error) in errors.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"{\"stage\":" } else { b",{\"stage\":" });
            write_string(error.stage, out);
            out.extend_from_slice(b",\"kind\":");
            write_string(error.kind, out);
            out.push(b'}');
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn write_origin(of: Original<'_>, source: &[u8], pieces: &Pieces, out: &mut Vec<u8>) -> Origin {
    if std::ptr::eq(of.bytes, source) {
        origin::write(pieces, source, out)
    } else {
        // The event is a rewritten form of its source: its pieces are not the source's.
        origin::write_whole(source, out)
    }
}

/// `start` is where the document begins that has these `pieces` of the event.
fn write_identity(
    of: Original<'_>,
    source: &[u8],
    pieces: &Pieces,
    start: usize,
    out: &mut Vec<u8>,
) -> DocumentIdentity {
    let (uid, version) = (of.head.uid, of.head.resource_version);
    if uid.is_empty() || version.is_empty() {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(Sha256::digest(source)) {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        return DocumentIdentity::Digest(append(out, &hex));
    }
    // The document has them already, but for escapes, and unless `metadata` was edited.
    let mut text = |span: Span| match pieces.find(span.range()) {
        Some(part) if !span.has_escapes() => start + part.start..start + part.end,
        _ => append(out, trusted::decode(&of.bytes[span.range()]).as_bytes()),
    };
    DocumentIdentity::Object { uid: text(uid), version: text(version) }
}

fn append(out: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = out.len();
    out.extend_from_slice(bytes);
    start..out.len()
}
