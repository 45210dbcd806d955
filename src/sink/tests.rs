//! What the sinks' tests share.

use super::*;
use crate::dead_letter::LetterStore;

/// Dead letters that are kept in `store`, and counted if in none.
pub(super) fn dead_letters(process: &Process, store: Option<&LetterStore>) -> DeadLetters {
    DeadLetters::open(store, &process.ledger, &process.health, &process.shutdown).unwrap()
}
