//! What a worker hands to the buffer: finished documents, encoded once.

use std::ops::Range;

/// The documents that one worker made of one chunk, in one buffer.
#[derive(Debug, Default)]
pub struct Documents {
    /// Everything that the documents' ranges point into.
    pub bytes: Vec<u8>,
    /// The documents, in order.
    pub docs: Vec<Document>,
}

/// One finished document and what a sink must know to address it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document: one line of JSON, without its line break, in `Documents::bytes`.
    pub body: Range<usize>,
    /// The source's own bytes, for a dead letter; empty when the sink never refuses.
    pub source: Range<usize>,
    /// Who it is; `None` when the sink does not address documents.
    pub identity: Option<DocumentIdentity>,
    /// The time that chooses its index (docs/delivery.md#ids-and-indices), in µs since the epoch.
    pub index_time: i64,
    /// `@timestamp` in µs since the epoch; `None` where the event had no time.
    pub event_time: Option<i64>,
}

/// From what `_id` is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentIdentity {
    /// `metadata.uid` and `metadata.resourceVersion`, as ranges of `Documents::bytes`, decoded.
    Object {
        /// `metadata.uid`
        uid: Range<usize>,
        /// `metadata.resourceVersion`
        version: Range<usize>,
    },
    /// An event without uid or version: the SHA-256 of the source's bytes, lower-case hex, as a
    /// range of `Documents::bytes`.
    Digest(Range<usize>),
}

impl Documents {
    /// The JSON of one document.
    pub fn body(&self, doc: &Document) -> &[u8] {
        &self.bytes[doc.body.clone()]
    }

    /// The source's bytes of one document.
    pub fn source(&self, doc: &Document) -> &[u8] {
        &self.bytes[doc.source.clone()]
    }
}
