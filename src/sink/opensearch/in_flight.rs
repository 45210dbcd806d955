//! Which documents are on their way, where the write target moves: a document whose id is on its
//! way in one request must not go out in another. Both would be looked up and not found, and stored
//! twice if the writes moved on between them. (Two lives may have spooled a document, or it was
//! read again.) Pure.
//!
//! Where the write target stays, ids keep duplicates out, and nothing is noted here.

use std::collections::HashSet;

use super::batch::{Batch, Entry};

/// The ids of documents that were sent, and whose attempt has not ended.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    ids: HashSet<String>,
}

impl InFlight {
    /// Sets out with `batch`. Answers what must wait: documents whose ids are on their way.
    pub(super) fn depart(
        &mut self,
        batch: &mut Batch,
        id: impl Fn(&Entry) -> String,
    ) -> Vec<Entry> {
        let waits = |entry: &mut Entry| !self.ids.insert(id(entry));
        batch.entries.extract_if(.., waits).collect()
    }

    /// The attempt with `batch` has ended.
    pub(super) fn arrive(&mut self, batch: &Batch, id: impl Fn(&Entry) -> String) {
        for entry in &batch.entries {
            self.ids.remove(&id(entry));
        }
    }
}
