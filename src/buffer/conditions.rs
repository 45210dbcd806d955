//! What to say about the disk: the last result of each kind of work on it. Pure.

use super::log::{AppendError, IoError, Seq};
use crate::health::Condition;

/// One condition for each kind of work. A note passes when the sink takes documents again; what is
/// not ready needs a person. Nothing is lost in either.
#[derive(Debug)]
pub(super) struct Conditions {
    append: Condition,
    copy: Condition,
    sync: Condition,
    read: Condition,
    tidy: Condition,
}

impl Default for Conditions {
    fn default() -> Conditions {
        let [append, copy, sync, read, tidy] = [const { Condition::Ready }; 5];
        Conditions { append, copy, sync, read, tidy }
    }
}

impl Conditions {
    /// Documents found room.
    pub(super) fn appended(&mut self) {
        self.append = Condition::Ready;
    }

    /// They did not.
    pub(super) fn not_appended(&mut self, error: &AppendError) {
        self.append = not_appended(error);
    }

    /// All that waited for long was copied, or some of it was not.
    pub(super) fn copied(&mut self, result: Result<(), AppendError>) {
        self.copy = result.map_or_else(|error| not_appended(&error), |()| Condition::Ready);
    }

    /// Something was settled, so a full disk may have room again.
    pub(super) fn may_have_room(&mut self) {
        for condition in [&mut self.append, &mut self.copy] {
            if matches!(condition, Condition::Note(_)) {
                *condition = Condition::Ready;
            }
        }
    }

    pub(super) fn synced(&mut self, result: Result<Seq, IoError>) {
        self.sync = condition(result);
    }

    pub(super) fn read(&mut self, result: Result<(), IoError>) {
        self.read = condition(result);
    }

    pub(super) fn tidied(&mut self, result: Result<(), IoError>) {
        self.tidy = condition(result);
    }

    /// The one to tell.
    pub(super) fn worst(&self) -> &Condition {
        let Conditions { append, copy, sync, read, tidy } = self;
        let mut all = [sync, read, append, copy, tidy].into_iter();
        all.find(|condition| **condition != Condition::Ready).unwrap_or(&Condition::Ready)
    }
}

fn not_appended(error: &AppendError) -> Condition {
    let text = error.to_string();
    match error {
        AppendError::Full { .. } => Condition::Note(text),
        AppendError::TooLarge { .. } | AppendError::Io(_) => Condition::NotReady(text),
    }
}

fn condition<T>(result: Result<T, IoError>) -> Condition {
    match result {
        Ok(_) => Condition::Ready,
        Err(error) => Condition::NotReady(error.to_string()),
    }
}
