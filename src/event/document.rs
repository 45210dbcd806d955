//! What a worker hands to the buffer: finished documents, encoded once.

use std::borrow::Cow;
use std::ops::Range;

use super::origin::{Origin, rebuild, write_whole};

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
    /// What was kept of the source's own bytes, for a dead letter; see [`Documents::source`].
    pub origin: Origin,
    /// Who it is; `None` when the sink does not address documents.
    pub identity: Option<DocumentIdentity>,
    /// The time that chooses its index (docs/delivery.md#ids-and-indices), in µs since the epoch.
    pub index_time: i64,
    /// `@timestamp` in µs since the epoch; `None` where the event had no time, or none that the
    /// server's own times bear out.
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

    /// Gives the last document another body, and `source` whole for its dead letter. Its addresses
    /// stay.
    pub(crate) fn replace(&mut self, body: &[u8], source: &[u8]) {
        let Some(last) = self.docs.last_mut() else { return };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        last.body = start..self.bytes.len();
        self.bytes.push(b'\n');
        last.origin = write_whole(source, &mut self.bytes);
    }

    /// The source's own bytes of the event that a document was made of: for a dead letter, since
    /// they may have to be put together first. Empty where the encoder was not to keep them.
    pub fn source(&self, doc: &Document) -> Cow<'_, [u8]> {
        match &doc.origin {
            Origin::Whole(source) => Cow::Borrowed(&self.bytes[source.clone()]),
            Origin::Difference(difference) => {
                match rebuild(self.body(doc), &self.bytes[difference.clone()]) {
                    Some(source) => Cow::Owned(source),
                    // A spool that a weir with a bug wrote. The document is what is left of it.
                    None => Cow::Borrowed(self.body(doc)),
                }
            }
        }
    }
}
