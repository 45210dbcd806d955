//! What the tests of OpenSearch's sink share.

use std::sync::Arc;

use super::batch::Entry;
use crate::event::{Document, DocumentIdentity, Documents, Origin};
use crate::handoff::{Item, Stored};
use crate::ledger::Ledger;

/// A document of a test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doc<'a> {
    /// uid and version; or a digest alone.
    pub(super) uid: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) body: &'a str,
    /// In µs since the epoch.
    pub(super) time: i64,
}

impl<'a> Doc<'a> {
    pub(super) fn object(uid: &'a str, version: &'a str) -> Doc<'a> {
        Doc { uid, version: Some(version), body: "{\"n\":1}", time: 0 }
    }

    pub(super) fn digest(hex: &'a str) -> Doc<'a> {
        Doc { uid: hex, version: None, body: "{\"n\":1}", time: 0 }
    }
}

/// As the encoder lays them out: what a sink needs lies beside each body.
pub(super) fn documents(docs: &[Doc<'_>]) -> Documents {
    let mut documents = Documents::default();
    for doc in docs {
        let mut put = |text: &str| {
            let start = documents.bytes.len();
            documents.bytes.extend_from_slice(text.as_bytes());
            start..start + text.len()
        };
        let body = put(doc.body);
        put("\n");
        let source = put(doc.body);
        let uid = put(doc.uid);
        let identity = match doc.version {
            Some(version) => DocumentIdentity::Object { uid, version: put(version) },
            None => DocumentIdentity::Digest(uid),
        };
        documents.docs.push(Document {
            body,
            origin: Origin::Whole(source),
            identity: Some(identity),
            index_time: doc.time,
            event_time: Some(doc.time),
        });
    }
    documents
}

pub(super) fn entries(ledger: &Ledger, docs: &[Doc<'_>]) -> Vec<Entry> {
    let stored = Arc::new(Stored::new(documents(docs), ledger.receive(docs.len() as u64), ()));
    Item::all_of(stored).map(Entry::new).collect()
}
