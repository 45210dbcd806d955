//! The file that holds the saved position: a rename is whole, and durable when somebody waited for it.

use std::collections::BTreeMap;

use crate::position::{Record, file::Saved};

/// Which life of the API server each scope's position is of: the oracle's business.
pub(super) type Epochs = BTreeMap<String, u32>;

/// What was saved.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) epochs: Epochs,
}

/// The file.
#[derive(Debug, Default)]
pub(super) struct PositionFile {
    /// Oldest first; the last one is what is read.
    versions: Vec<Text>,
    /// Somebody waited for the first one: a power failure leaves that one or a later one.
    is_durable: bool,
}

impl PositionFile {
    pub(super) fn save(&mut self, record: &Record, durably: bool, epochs: Epochs) {
        if durably {
            self.versions.clear();
            self.is_durable = true;
        }
        self.versions.push(Text { text: record.encode(), epochs });
    }

    /// The power fails: one of those since the last durable one is there, or something torn.
    pub(super) fn power_failed(&mut self, random: &mut fastrand::Rng) {
        if self.versions.len() > 1 && random.u8(..8) == 0 {
            self.versions = vec![Text { text: String::new(), epochs: Epochs::new() }];
            return;
        }
        if !self.is_durable && random.bool() {
            self.versions.clear();
        }
        let kept = random.usize(..self.versions.len().max(1));
        self.versions.truncate(kept + 1);
        self.versions.drain(..kept.min(self.versions.len()));
        self.is_durable = !self.versions.is_empty();
    }

    pub(super) fn load(&self) -> (Saved, Epochs) {
        let Some(last) = self.versions.last() else { return (Saved::Nothing, Epochs::new()) };
        match Record::decode(&last.text) {
            Ok(record) => (Saved::Record(record), last.epochs.clone()),
            Err(error) => (Saved::Unusable(error), Epochs::new()),
        }
    }
}
