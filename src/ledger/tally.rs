//! Outcomes: which there are, and how many events got each.

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

/// A registered pair of labels: `{stage, reason}` of filtered events, `{where, reason}` of dead
/// letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReasonId(pub(super) u16);

/// What became of some events; given to [`Held::settle`](super::Held::settle).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By [`Delivered::ALL`].
    pub(super) delivered: [u64; 4],
    /// By the number of the reason; zero for reasons beyond the end.
    pub(super) filtered: Vec<u64>,
    /// The same.
    pub(super) dead_lettered: Vec<u64>,
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

    pub(super) fn add(&mut self, other: &Tally) {
        for (sum, count) in self.delivered.iter_mut().zip(other.delivered) {
            *sum += count;
        }
        add_all(&mut self.filtered, &other.filtered);
        add_all(&mut self.dead_lettered, &other.dead_lettered);
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

fn add_all(sums: &mut Vec<u64>, counts: &[u64]) {
    if sums.len() < counts.len() {
        sums.resize(counts.len(), 0);
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}
