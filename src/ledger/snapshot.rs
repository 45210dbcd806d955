//! The account at one moment, as people and tests read it.

use std::fmt;

/// The account at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Events that a source received.
    pub received: u64,
    /// Events found in the spool at start.
    pub recovered: u64,
    /// Events replayed from dead letters.
    pub replayed: u64,
    /// By [`Delivered::ALL`](super::Delivered::ALL).
    pub delivered: [u64; 4],
    /// By stage and reason.
    pub filtered: Vec<((String, String), u64)>,
    /// By part and reason.
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
            "ledger received={} recovered={} replayed={} \
             delivered={} filtered={} dead_lettered={} in_flight={}",
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
