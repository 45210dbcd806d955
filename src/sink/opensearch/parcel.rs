//! Documents that are sent, or tried again, together.

use tokio::time::Instant;

use crate::handoff::Item;

/// One document on its way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) item: Item,
    /// Since when it alone answers 5xx.
    pub(super) failing_since: Option<Instant>,
    /// Whether a request with it came to an end that does not say whether it was stored.
    pub(super) is_open: bool,
}

impl Entry {
    pub(super) fn new(item: Item) -> Entry {
        Entry { item, failing_since: None, is_open: false }
    }
}

/// Some documents.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) entries: Vec<Entry>,
    /// How often it was tried in vain.
    pub(super) attempt: u32,
    /// Not before this.
    pub(super) due: Option<Instant>,
    /// What the target said to these documents while it stored others.
    pub(super) refused: Option<String>,
    /// Sent alone to see whether the target takes documents again.
    pub(super) is_probe: bool,
}

impl Parcel {
    pub(super) fn new(entries: Vec<Entry>) -> Parcel {
        Parcel { entries, attempt: 0, due: None, refused: None, is_probe: false }
    }

    /// Bytes of its documents.
    pub(super) fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.item.body().len()).sum()
    }

    /// Takes the first `count` documents out.
    pub(super) fn split_front(&mut self, count: usize) -> Parcel {
        let rest = self.entries.split_off(count.min(self.entries.len()));
        let front = std::mem::replace(&mut self.entries, rest);
        Parcel { refused: self.refused.clone(), attempt: self.attempt, ..Parcel::new(front) }
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
    pub(super) fn append(&mut self, mut other: Parcel) {
        self.entries.append(&mut other.entries);
    }
}

impl From<Vec<Item>> for Parcel {
    fn from(items: Vec<Item>) -> Parcel {
        Parcel::new(items.into_iter().map(Entry::new).collect())
    }
}
