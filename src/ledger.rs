//! The account of every event: `received + recovered + replayed = delivered + filtered +
//! dead_lettered + in_flight`, at any moment.
//!
//! Invariants:
//!
//! - Every event that a source receives enters by [`Ledger::receive`] and is from then on part of exactly
//!   one [`Held`], which travels with it through queues, batches and retries.
//! - `in_flight` is the sum of all `Held` there are; it is never computed as the difference.
//!   A `Held` that is dropped with events in it therefore unbalances the ledger, and shows. When a run is cut
//!   short ([`Ledger::cut_short`]) those have no outcome and count as in flight: the last reading says how many.
//! - Everything moves under one lock, a chunk or a response at a time, and is read in one snapshot.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// How an event reached the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// OpenSearch stored a new document (or a newer version of one).
    Created,
    /// OpenSearch had this very version already.
    Duplicate,
    /// OpenSearch had a newer version already.
    Superseded,
    /// Written to a file or to stdout.
    Written,
}

impl Delivered {
    /// All of them.
    pub const ALL: [Delivered; 4] =
        [Delivered::Created, Delivered::Duplicate, Delivered::Superseded, Delivered::Written];

    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Delivered::Created => "created",
            Delivered::Duplicate => "duplicate",
            Delivered::Superseded => "superseded",
            Delivered::Written => "written",
        }
    }
}

/// A registered pair of labels: `{stage, reason}` of filtered events, `{where, reason}` of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReasonId(u16);

/// What became of some events; given to [`Held::settle`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    delivered: [u64; 4],
    filtered: Vec<u64>,
    dead_lettered: Vec<u64>,
}

impl Tally {
    /// Counts delivered events.
    pub fn delivered(&mut self, how: Delivered, count: u64) {
        self.delivered[how as usize] += count;
    }

    /// Counts filtered events.
    pub fn filtered(&mut self, reason: ReasonId, count: u64) {
        add_at(&mut self.filtered, reason, count);
    }

    /// Counts dead-lettered events.
    pub fn dead_lettered(&mut self, reason: ReasonId, count: u64) {
        add_at(&mut self.dead_lettered, reason, count);
    }

    /// How many outcomes this is.
    pub fn total(&self) -> u64 {
        self.delivered.iter().chain(&self.filtered).chain(&self.dead_lettered).sum()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.delivered = [0; 4];
        self.filtered.fill(0);
        self.dead_lettered.fill(0);
    }
}

fn add_at(counts: &mut Vec<u64>, reason: ReasonId, count: u64) {
    let index = usize::from(reason.0);
    if counts.len() <= index {
        counts.resize(index + 1, 0);
    }
    counts[index] += count;
}

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
    pub fn filter_reason(&self, stage: &str, reason: &str) -> ReasonId {
        register(&mut self.lock().filter_labels, stage, reason)
    }

    /// The id of a pair of labels of `weir_events_dead_lettered_total{where,reason}`; registers it once.
    pub fn dead_letter_reason(&self, place: &str, reason: &str) -> ReasonId {
        register(&mut self.lock().dead_letter_labels, place, reason)
    }

    /// Events that a source has just received.
    pub fn receive(&self, count: u64) -> Held {
        let mut account = self.lock();
        account.received += count;
        account.held += count;
        drop(account);
        Held { count, ledger: self.clone(), ticket: None }
    }

    /// Events that an earlier run left on this machine's disk.
    pub fn recover(&self, count: u64) -> Held {
        let mut account = self.lock();
        account.recovered += count;
        account.held += count;
        drop(account);
        Held { count, ledger: self.clone(), ticket: None }
    }

    /// Events of dead letters that set out again.
    pub fn replay(&self, count: u64) -> Held {
        let mut account = self.lock();
        account.replayed += count;
        account.held += count;
        drop(account);
        Held { count, ledger: self.clone(), ticket: None }
    }

    /// The run ends before all events have an outcome: those whose holders have ended, or end from now on, count as in
    /// flight, so that the last reading says how many they were.
    pub fn cut_short(&self) {
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

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Account {
    fn settle(&mut self, tally: &Tally) {
        self.held -= tally.total();
        for (sum, count) in self.settled.delivered.iter_mut().zip(tally.delivered) {
            *sum += count;
        }
        add_all(&mut self.settled.filtered, &tally.filtered);
        add_all(&mut self.settled.dead_lettered, &tally.dead_lettered);
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

/// Who wants to know when events have got their outcomes: what remembers how far the source was read.
pub trait Settlement: fmt::Debug + Send + Sync {
    /// So many more of its events have got their outcomes.
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

    /// They are safe on this machine's disk: who waits to know that they are done with is told so now, and nobody when they
    /// are settled.
    pub fn hand_over(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.settled(self.count);
        }
    }

    /// Puts others with these.
    ///
    /// # Panics
    ///
    /// When somebody waits for these or for the others: it would not be known which ones are settled.
    pub fn merge(&mut self, mut others: Held) {
        assert!(self.ticket.is_none() && others.ticket.is_none(), "events of two chunks in one holder");
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

fn add_all(sums: &mut Vec<u64>, counts: &[u64]) {
    if sums.len() < counts.len() {
        sums.resize(counts.len(), 0);
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
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

/// The account at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Events that a source received.
    pub received: u64,
    /// Events found in the spool at start.
    pub recovered: u64,
    /// Events replayed from dead letters.
    pub replayed: u64,
    /// By [`Delivered::ALL`].
    pub delivered: [u64; 4],
    /// By stage and reason.
    pub filtered: Vec<((String, String), u64)>,
    /// By place and reason.
    pub dead_lettered: Vec<((String, String), u64)>,
    /// What queues and batches hold.
    pub in_flight: u64,
}

impl Snapshot {
    /// Events that came in.
    pub fn entered(&self) -> u64 {
        self.received + self.recovered + self.replayed
    }

    /// Events with an outcome.
    pub fn settled(&self) -> u64 {
        self.delivered_total() + sum(&self.filtered) + sum(&self.dead_lettered)
    }

    /// Whether the equation holds.
    pub fn is_balanced(&self) -> bool {
        self.entered() == self.settled() + self.in_flight
    }

    fn delivered_total(&self) -> u64 {
        self.delivered.iter().sum()
    }
}

fn sum(counts: &[((String, String), u64)]) -> u64 {
    counts.iter().map(|(_, count)| count).sum()
}

/// The line with which a run ends.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ledger received={} recovered={} replayed={} delivered={} filtered={} dead_lettered={} in_flight={}",
            self.received,
            self.recovered,
            self.replayed,
            self.delivered_total(),
            sum(&self.filtered),
            sum(&self.dead_lettered),
            self.in_flight
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_ends_with_one_line() {
        let ledger = Ledger::default();
        let mut held = ledger.receive(3);
        let mut tally = Tally::default();
        tally.delivered(Delivered::Written, 1);
        tally.filtered(ledger.filter_reason("drop-normal", "normal"), 1);
        held.settle(&tally);
        assert_eq!(
            ledger.snapshot().to_string(),
            "ledger received=3 recovered=0 replayed=0 delivered=1 filtered=1 dead_lettered=0 in_flight=1"
        );
    }

    #[test]
    fn events_that_are_dropped_without_an_outcome_unbalance_it() {
        let ledger = Ledger::default();
        drop(ledger.receive(2));
        assert!(!ledger.snapshot().is_balanced());
    }

    #[test]
    fn events_that_a_run_leaves_behind_stay_in_flight() {
        let ledger = Ledger::default();
        let (before, after) = (ledger.receive(2), ledger.receive(3));
        drop(before);
        ledger.cut_short();
        drop(after);
        assert!(ledger.snapshot().is_balanced());
        assert_eq!(ledger.snapshot().in_flight, 5);
    }

    #[test]
    #[should_panic(expected = "2 outcomes for 1 held")]
    fn an_event_cannot_have_two_outcomes() {
        let mut tally = Tally::default();
        tally.delivered(Delivered::Created, 2);
        Ledger::default().receive(1).settle(&tally);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Receive(u8),
        Split(u8, u8),
        Settle(u8, u8, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            any::<u8>().prop_map(Step::Receive),
            any::<(u8, u8)>().prop_map(|(a, b)| Step::Split(a, b)),
            any::<(u8, u8, u8)>().prop_map(|(a, b, c)| Step::Settle(a, b, c)),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn it_balances_whatever_queues_do_with_what_they_hold(steps in steps()) {
            let ledger = Ledger::default();
            let filtered = ledger.filter_reason("s", "r");
            let dead = ledger.dead_letter_reason("sink", "document");
            let mut held: Vec<Held> = Vec::new();
            for step in steps {
                match step {
                    Step::Receive(n) => held.push(ledger.receive(n.into())),
                    Step::Split(i, n) if !held.is_empty() => {
                        let i = usize::from(i) % held.len();
                        let n = u64::from(n).min(held[i].count());
                        let part = held[i].split(n);
                        held.push(part);
                    }
                    Step::Settle(i, n, how) if !held.is_empty() => {
                        let i = usize::from(i) % held.len();
                        let n = u64::from(n).min(held[i].count());
                        let mut tally = Tally::default();
                        match how % 3 {
                            0 => tally.delivered(Delivered::Created, n),
                            1 => tally.filtered(filtered, n),
                            _ => tally.dead_lettered(dead, n),
                        }
                        held[i].settle(&tally);
                    }
                    _ => {}
                }
                let snapshot = ledger.snapshot();
                prop_assert!(snapshot.is_balanced());
                prop_assert_eq!(snapshot.in_flight, held.iter().map(Held::count).sum::<u64>());
            }
        }
    }
}
