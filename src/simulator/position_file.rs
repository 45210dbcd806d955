//! The file that holds the saved position: a rename is whole, and durable when somebody waited for
//! it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::position::file::{FileError, Saved, Store};
use crate::position::{Positions, Record};

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
pub(super) struct PositionFile(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// Oldest first; the last one is what is read.
    versions: Vec<Text>,
    /// Somebody waited for the first one: a power failure leaves that one or a later one.
    is_durable: bool,
    /// Of what is saved next.
    epochs: Epochs,
    fails: bool,
}

impl Store for PositionFile {
    fn save(&self, record: &Record, durably: bool) -> Result<(), FileError> {
        let mut contents = self.lock();
        if contents.fails {
            let error = io::Error::other("simulated");
            return Err(FileError { path: "position.json".into(), error });
        }
        if durably {
            contents.versions.clear();
            contents.is_durable = true;
        }
        let epochs = contents.epochs.clone();
        contents.versions.push(Text { text: record.encode(), epochs });
        Ok(())
    }
}

impl PositionFile {
    /// Of which lives the positions are that are saved from now on.
    pub(super) fn epochs_are(&self, epochs: Epochs) {
        self.lock().epochs = epochs;
    }

    /// Whether saving fails from now on.
    pub(super) fn fail(&self, fails: bool) {
        self.lock().fails = fails;
    }

    /// Whether these marks were saved last.
    pub(super) fn holds(&self, marks: &Positions) -> bool {
        matches!(self.load(), (Saved::Record(record), _) if record.positions == *marks)
    }

    /// Whether a power failure would leave these marks.
    pub(super) fn holds_durably(&self, marks: &Positions) -> bool {
        let is_durable = {
            let contents = self.lock();
            contents.is_durable && contents.versions.len() == 1
        };
        is_durable && self.holds(marks)
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock()
    }

    /// The power fails: one of those since the last durable one is there, or something torn.
    pub(super) fn power_failed(&self, random: &mut fastrand::Rng) {
        self.lock().power_failed(random);
    }

    pub(super) fn load(&self) -> (Saved, Epochs) {
        let contents = self.lock();
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
