//! The one value that flows: an event's bytes as they arrived, a small head decoded once,
//! and the edits that stages made. No I/O, no Kubernetes, HTTP or TOML type.
//!
//! Invariants:
//!
//! - An [`Event`] is a range of its [`Chunk`]'s bytes that holds exactly one JSON object, checked
//!   once (syntax, UTF-8, depth, duplicate keys, kinds) by [`parse()`]. Nothing parses it again.
//! - The bytes are never changed after that; edits are an overlay ([`Edits`]), and [`encode()`]
//!   splices the two: what nobody edited is copied, not re-encoded.
//! - Nothing here allocates for an event that is dropped.

mod chunk;
mod document;
mod edits;
mod encode;
mod head;
mod json;
mod keys;
#[cfg(test)]
pub(crate) mod model;
mod origin;
mod parse;
mod pointer;
mod rewrite;
mod shard;
mod span;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod trusted;
pub(crate) mod varint;
mod view;
mod words;
mod written;

pub use chunk::{Chunk, Event};
pub(crate) use chunk::{ChunkPool, Rejection, RejectionKind};
pub use document::{Document, DocumentIdentity, Documents};
pub(crate) use edits::EditError;
pub use edits::Edits;
pub(crate) use encode::StageError;
pub use encode::{EncodeSettings, encode};
pub(crate) use head::EventType;
pub use head::{Head, Member, Original};
pub use json::Scanner;
pub(crate) use json::{ScanError, decode};
pub use origin::Origin;
pub(crate) use parse::ParseError;
pub use parse::{Parsed, parse};
pub(crate) use parse::{join_lines, parse_unchanged};
pub(crate) use rewrite::rewrite;
pub use span::Span;
pub(crate) use time::Micros;
#[cfg(test)]
pub(crate) use time::parse_event_time;
pub use time::parse_rfc3339;
pub use view::{EventView, Field};
pub(crate) use words::{Search, Words};
pub(crate) use written::written_at;

/// An event larger than this is not read into memory whole: it is skipped to its end and
/// dead-lettered with its first [`DEAD_LETTER_HEAD_BYTES`]. The API server's own limit for one
/// object is 1.5 MiB (etcd's `--max-request-bytes`).
pub(crate) const EVENT_BYTES_MAX: usize = 2 << 20;
/// What is kept of an event larger than [`EVENT_BYTES_MAX`].
pub(crate) const DEAD_LETTER_HEAD_BYTES: usize = 64 << 10;
/// The size of a pooled chunk.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// A chunk with this many events is full: `{"involvedObject":{}}` is an event, and its head is
/// larger than its text. A chunk of ordinary events holds about 240.
pub(crate) const CHUNK_EVENTS_MAX: usize = 1024;
/// JSON nested deeper than this is malformed.
pub(crate) const DEPTH_MAX: usize = 128;
