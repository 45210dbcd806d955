//! The file that holds the saved position: a rename is whole, and durable when somebody waited for
//! it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::position::{Record, file::Saved};

/// Which life of the API server each scope's position is of: the oracle's business.
pub(super) type Epochs = BTreeMap<String, u32>;

/// What was saved.
#[derive(Clone, Debug)]
struct Text {
    text: String,
    epochs: Epochs,
}

/// The file; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct PositionFile(Rc<RefCell<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// Oldest first; the last one is what is read.
    versions: Vec<Text>,
    /// Somebody waited for the first one: a power failure leaves that one or a later one.
    is_durable: bool,
}

impl PositionFile {
    pub(super) fn save(&self, record: &Record, durably: bool, epochs: Epochs) {
        let mut contents = self.0.borrow_mut();
        if durably {
            contents.versions.clear();
            contents.is_durable = true;
        }
        contents.versions.push(Text { text: record.encode(), epochs });
    }

    /// The power fails: one of those since the last durable one is there, or something torn.
    pub(super) fn power_failed(&self, random: &mut fastrand::Rng) {
        self.0.borrow_mut().power_failed(random);
    }

    pub(super) fn load(&self) -> (Saved, Epochs) {
        let contents = self.0.borrow();
        let Some(last) = contents.versions.last() else { return (Saved::Nothing, Epochs::new()) };
        match Record::decode(&last.text) {
            Ok(record) => (Saved::Record(record), last.epochs.clone()),
            Err(error) => (Saved::Unusable(error), Epochs::new()),
        }
    }
}

impl Contents {
    fn power_failed(&mut self, random: &mut fastrand::Rng) {
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
}
