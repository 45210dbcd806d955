//! The account of every event: `received + recovered + replayed = delivered + filtered +
//! dead_lettered + in_flight`, at any moment.
//!
//! Invariants:
//!
//! - Every event that a source receives enters by [`Ledger::receive`] and is from then on part of
//!   exactly one [`Held`], which travels with it through queues, batches and retries.
//! - `in_flight` is the sum of all `Held` there are; it is never computed as the difference. A
//!   `Held` that is dropped with events in it therefore unbalances the ledger, and shows. When a
//!   run is cut short ([`Ledger::cut_short`]) those have no outcome and count as in flight: the
//!   last reading says how many.
//! - Everything moves under one lock, a chunk or a response at a time, and is read in one snapshot.
//!
//! How: `held` is what is in flight, `tally` what became of it, `snapshot` what both look like at
//! one moment.

mod held;
mod snapshot;
mod tally;

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

pub use self::held::Held;
pub(crate) use self::held::Settlement;
pub use self::snapshot::Snapshot;
pub(crate) use self::tally::{Delivered, ReasonId, Tally};

/// The account; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Account>>);

#[derive(Debug, Default)]
struct Account {
    received: u64,
    recovered: u64,
    replayed: u64,
    settled: Tally,
    held: u64,
    /// Events of `Held`s that were dropped with events in them.
    dropped: u64,
    is_cut_short: bool,
    filter_labels: Vec<(String, String)>,
    dead_letter_labels: Vec<(String, String)>,
}

impl Ledger {
    /// The id of a pair of labels of `weir_events_filtered_total{stage,reason}`; registers it once.
    pub(crate) fn filter_reason(&self, stage: &str, reason: &str) -> ReasonId {
        register(&mut self.lock().filter_labels, stage, reason)
    }

    /// The id of a pair of labels of `weir_events_dead_lettered_total{where,reason}`; registers it
    /// once.
    pub(crate) fn dead_letter_reason(&self, part: &str, reason: &str) -> ReasonId {
        register(&mut self.lock().dead_letter_labels, part, reason)
    }

    /// Events that a source has just received.
    pub fn receive(&self, count: u64) -> Held {
        self.enter(count, |account| &mut account.received)
    }

    /// Events that an earlier run left on this machine's disk.
    pub(crate) fn recover(&self, count: u64) -> Held {
        self.enter(count, |account| &mut account.recovered)
    }

    /// Events of dead letters that set out again.
    pub(crate) fn replay(&self, count: u64) -> Held {
        self.enter(count, |account| &mut account.replayed)
    }

    /// The run ends before all events have an outcome: those whose holders have ended, or end from
    /// now on, count as in flight, so that the last reading says how many they were.
    pub(crate) fn cut_short(&self) {
        self.lock().is_cut_short = true;
    }

    /// All counts at one moment.
    pub fn snapshot(&self) -> Snapshot {
        let account = self.lock();
        let labelled = |labels: &[(String, String)], counts: &[u64]| {
            let counts = counts.iter().copied().chain(std::iter::repeat(0));
            labels.iter().cloned().zip(counts).collect()
        };
        Snapshot {
            received: account.received,
            recovered: account.recovered,
            replayed: account.replayed,
            delivered: account.settled.delivered,
            filtered: labelled(&account.filter_labels, &account.settled.filtered),
            dead_lettered: labelled(&account.dead_letter_labels, &account.settled.dead_lettered),
            in_flight: account.held + if account.is_cut_short { account.dropped } else { 0 },
        }
    }

    fn enter(&self, count: u64, by: impl FnOnce(&mut Account) -> &mut u64) -> Held {
        let mut account = self.lock();
        *by(&mut account) += count;
        account.held += count;
        drop(account);
        Held::new(count, self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock()
    }
}

impl Account {
    fn settle(&mut self, tally: &Tally) {
        self.held -= tally.total();
        self.settled.add(tally);
        let entered = self.received + self.recovered + self.replayed;
        debug_assert_eq!(entered, self.settled.total() + self.held + self.dropped, "{self:?}");
    }
}

fn register(labels: &mut Vec<(String, String)>, first: &str, second: &str) -> ReasonId {
    let found = labels.iter().position(|(a, b)| a == first && b == second);
    let index = found.unwrap_or_else(|| {
        labels.push((first.to_owned(), second.to_owned()));
        labels.len() - 1
    });
    // At most 32 declared reasons a stage, and a handful of our own: far below 2^16.
    ReasonId(index as u16)
}

#[cfg(test)]
mod tests;
