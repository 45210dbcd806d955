//! Events that have no outcome yet, in the hands of whoever holds them.
//!
//! Invariant: a [`Held`] is split and merged, and never copied, so that an event is in one of them
//! until it has its outcome.

use std::fmt;
use std::sync::Arc;

use super::{Ledger, Tally};

/// Who wants to know when events have got their outcomes: what remembers how far the source was
/// read.
pub trait Settlement: fmt::Debug + Send + Sync {
    /// This many more of its events have got their outcomes.
    fn settled(&self, count: u64);
}

/// Some events that have no outcome yet, of one chunk. Whoever holds them holds this.
#[derive(Debug)]
pub struct Held {
    count: u64,
    ledger: Ledger,
    ticket: Option<Arc<dyn Settlement>>,
}

impl Held {
    pub(super) fn new(count: u64, ledger: Ledger) -> Held {
        Held { count, ledger, ticket: None }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Takes `count` of them out, to travel on their own.
    ///
    /// # Panics
    ///
    /// When there are fewer.
    pub fn split(&mut self, count: u64) -> Held {
        assert!(count <= self.count, "cannot split {count} of {} held events", self.count);
        self.count -= count;
        Held { count, ledger: self.ledger.clone(), ticket: self.ticket.clone() }
    }

    /// The same events, and `ticket` is told when they are settled.
    pub fn with_ticket(mut self, ticket: Arc<dyn Settlement>) -> Held {
        self.ticket = Some(ticket);
        self
    }

    /// They are safe on this machine's disk: who waits to know that they are done with is told so
    /// now, and nobody when they are settled.
    pub fn hand_over(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.settled(self.count);
        }
    }

    /// Puts others with these.
    ///
    /// # Panics
    ///
    /// When somebody waits for these or for the others: it would not be known which ones are
    /// settled.
    pub fn merge(&mut self, mut others: Held) {
        assert!(
            self.ticket.is_none() && others.ticket.is_none(),
            "events of two chunks in one holder"
        );
        self.count += std::mem::take(&mut others.count);
    }

    /// Gives some of them their outcome.
    ///
    /// # Panics
    ///
    /// When there are fewer than `tally` counts: an event would have two outcomes.
    pub fn settle(&mut self, tally: &Tally) {
        let total = tally.total();
        assert!(total <= self.count, "{total} outcomes for {} held events", self.count);
        Held::settle_all([self.split(total)], tally);
    }

    /// Gives all events of `parts` their outcomes, in one move of the ledger.
    ///
    /// # Panics
    ///
    /// When `tally` counts more or fewer than they are.
    pub fn settle_all(parts: impl IntoIterator<Item = Held>, tally: &Tally) {
        let mut parts: Vec<Held> = parts.into_iter().filter(|part| part.count > 0).collect();
        let (total, held) = (tally.total(), parts.iter().map(|part| part.count).sum::<u64>());
        assert!(total == held, "{total} outcomes for {held} held events");
        let Some(first) = parts.first() else { return };
        first.ledger.lock().settle(tally);
        for part in &mut parts {
            let count = std::mem::take(&mut part.count);
            if let Some(ticket) = &part.ticket {
                ticket.settled(count);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.count > 0 {
            let mut account = self.ledger.lock();
            account.held -= self.count;
            account.dropped += self.count;
        }
    }
}
