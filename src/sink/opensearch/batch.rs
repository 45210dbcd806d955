//! Documents that are sent together, or retried together.

use tokio::time::Instant;

use super::suspicion::{Form, Suspicion};
use crate::handoff::Item;

/// One document on its way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) item: Item,
    /// Since when it answers 5xx, or an error that weir does not know.
    pub(super) failing_since: Option<Instant>,
    /// Whether an attempt with it ended without telling whether it was stored.
    pub(super) is_in_doubt: bool,
    /// What is held against it while requests with it are refused as a whole.
    pub(super) suspicion: Option<Box<Suspicion>>,
    /// When a refusal of it that was not believed was counted last.
    pub(super) counted: Option<Instant>,
}

impl Entry {
    pub(super) fn new(item: Item) -> Entry {
        Entry { item, failing_since: None, is_in_doubt: false, suspicion: None, counted: None }
    }
}

/// Documents of one request.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    /// Consecutive attempts that failed.
    pub(super) failures: u32,
    /// Not before this.
    pub(super) due: Option<Instant>,
    /// When it was sent last.
    pub(super) sent: Option<Instant>,
    /// What the target said to these documents while it stored others.
    pub(super) refused: Option<String>,
    /// Sent alone to see whether the target takes documents again.
    pub(super) is_probe: bool,
    /// Stored before, and sent once more to see whether requests of its form pass. Nothing is
    /// settled by it.
    pub(super) is_witness: bool,
    /// The form in which it was sent last, as far as that is known.
    pub(super) form: Option<Form>,
}

impl Batch {
    pub(super) fn new(entries: Vec<Entry>) -> Batch {
        Batch {
            entries,
            failures: 0,
            due: None,
            sent: None,
            refused: None,
            is_probe: false,
            is_witness: false,
            form: None,
        }
    }

    /// Whether it is one document that was refused alone.
    pub(super) fn is_suspect(&self) -> bool {
        match self.entries.as_slice() {
            [entry] => entry.suspicion.as_ref().is_some_and(|suspicion| suspicion.is_alone()),
            _ => false,
        }
    }

    /// Other documents that share its history of attempts.
    pub(super) fn with(&self, entries: Vec<Entry>) -> Batch {
        Batch { refused: self.refused.clone(), failures: self.failures, ..Batch::new(entries) }
    }

    /// Bytes of its documents.
    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.item.body().len()).sum()
    }

    /// Takes the first `count` documents out.
    pub(super) fn split_front(&mut self, count: usize) -> Batch {
        let rest = self.entries.split_off(count.min(self.entries.len()));
        let front = std::mem::replace(&mut self.entries, rest);
        self.with(front)
    }

    /// How many of the first documents have at most `bytes`; at least one.
    pub(super) fn count_within(&self, bytes: usize) -> usize {
        let mut sum = 0;
        let fits = self.entries.iter().take_while(|entry| {
            sum += entry.item.body().len();
            sum <= bytes
        });
        fits.count().max(1)
    }

    /// Puts other documents behind these.
    pub(super) fn append(&mut self, mut other: Batch) {
        self.entries.append(&mut other.entries);
    }
}

impl From<Vec<Item>> for Batch {
    fn from(items: Vec<Item>) -> Batch {
        Batch::new(items.into_iter().map(Entry::new).collect())
    }
}
