//! What a seed decides before its run: how large everything is, how fast the cluster changes, and
//! how often what goes wrong.

use super::clock::{MILLISECOND, SECOND, Time};
use crate::buffer::simulated::Sizes;
use crate::pipeline::saving::SAVE_INTERVAL;
use crate::sink::{DateFormat, IndexPattern, Mode};
use crate::source::Start;

/// How often production saved positions once. Half of the histories keep to it: more often is
/// another order of things.
pub(super) const SAVED_ONCE_EVERY: Time = 200 * MILLISECOND;

/// The shape of one run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Faults happen until then; afterwards the world settles.
    pub(super) chaos: Time,
    pub(super) mode: Mode,
    pub(super) workers: usize,
    pub(super) chunks: usize,
    /// The watched namespaces; none: all, in one scope.
    pub(super) namespaces: Vec<&'static str>,
    pub(super) start: Start,
    pub(super) sizes: Sizes,
    /// Items a page of a list has at most.
    pub(super) page: usize,
    pub(super) objects: usize,
    /// The mean time between two writes of events.
    pub(super) write_every: Time,
    /// The mean time between two compactions.
    pub(super) compact_every: Time,
    /// The mean time between two ends of the process; `None`: it lives.
    pub(super) end_every: Option<Time>,
    /// The mean time between two backups being restored.
    pub(super) restore_every: Option<Time>,
    /// Of a thousand answers of the API server, how many go wrong.
    pub(super) api_faults: u32,
    /// Of a thousand answers of OpenSearch, how many go wrong.
    pub(super) sink_faults: u32,
    /// Of a thousand documents, how many answer 429 or 5xx.
    pub(super) item_faults: u32,
    /// The mean time between outages, of the API server, of OpenSearch and of the disk.
    pub(super) outage_every: Time,
    /// An outage's longest time.
    pub(super) outage_longest: Time,
    /// OpenSearch's outages are of the kind that refuses every document for its content.
    pub(super) has_bad_template: bool,
    /// Of a thousand writes: documents that OpenSearch can never store, and events that are none.
    pub(super) poison: u32,
    /// The largest text in an event, in bytes.
    pub(super) text: usize,
    /// Each process is a candidate for a Lease of this duration; on how many machines, and the
    /// mean time between two faults of one machine: a cut link, a pause, another leader.
    pub(super) lease: Option<Time>,
    pub(super) machines: usize,
    pub(super) fault_every: Option<Time>,
    /// The mean time between two flipped bytes on a disk.
    pub(super) damage_every: Option<Time>,
    /// Documents go into a data stream; the mean time between two rollovers.
    pub(super) roll_every: Option<Time>,
    /// What stands before OpenSearch refuses requests as a whole.
    pub(super) gateway: Option<Gateway>,
    /// How it is told that a document can never be stored.
    pub(super) poisoning: Poisoning,
    /// Of a thousand pages of a list that are asked for with a token, how many give that again.
    pub(super) repeated_tokens: u32,
    /// For what of these is drawn during the run.
    pub(super) odd_seed: u64,
    /// How often positions are saved.
    pub(super) save_every: Time,
    /// The mean time between two changes of the stages, which processes take up while they run.
    pub(super) swap_every: Option<Time>,
}

/// Which requests a gateway refuses with 400, whatever is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gateway {
    /// Those that are compressed.
    Compressed,
    /// All of them, every other time of this length.
    AtTimes(Time),
    /// Of a thousand, so many.
    Some(u32),
}

/// What is answered to a document that can never be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poisoning {
    /// A listed error, to it alone.
    Listed,
    /// An error that weir does not know, to it alone.
    Unlisted,
    /// 400 to each request with it.
    Request,
}

impl Plan {
    pub(super) fn new(random: &mut fastrand::Rng) -> Plan {
        let often =
            |random: &mut fastrand::Rng, choices: &[u32]| choices[random.usize(..choices.len())];
        let is_small = random.u8(..4) > 0;
        let memory = if is_small { random.u64(2_000..20_000) } else { 1 << 20 };
        let disk_bytes = memory * 2 + random.u64(20_000..200_000);
        // Enough documents must meet it.
        let has_bad_template = random.u8(..16) == 0;
        let has_disk = random.u8(..5) > 0;
        let namespaces = match random.u8(..4) {
            0 => vec!["a", "a-b"],
            1 => vec!["b"],
            _ => Vec::new(),
        };
        let mut plan = Plan {
            chaos: random.u64(5..40) * SECOND,
            mode: if random.u8(..5) == 0 { Mode::Latest } else { Mode::History },
            workers: random.usize(1..=2),
            chunks: random.usize(2..=6),
            namespaces,
            start: if random.u8(..6) == 0 { Start::Now } else { Start::All },
            sizes: Sizes { memory, disk: has_disk.then_some((disk_bytes, disk_bytes / 8)) },
            page: random.usize(2..12),
            objects: random.usize(3..30),
            write_every: random.u64(if has_bad_template { 5..60 } else { 20..600 }) * MILLISECOND,
            compact_every: random.u64(1..30) * SECOND,
            end_every: (random.u8(..4) > 0).then(|| random.u64(2..20) * SECOND),
            restore_every: (random.u8(..5) == 0).then(|| random.u64(5..30) * SECOND),
            api_faults: often(random, &[0, 50, 200, 500]),
            sink_faults: often(random, &[0, 50, 200, 500]),
            item_faults: often(random, &[0, 20, 200]),
            outage_every: random.u64(2..40) * SECOND,
            outage_longest: random.u64(1..20) * SECOND,
            has_bad_template,
            poison: often(random, &[0, 20, 100]),
            text: [40_000, 2_000, 600, 100, 100, 50, 50, 20]
                [random.usize(..8).max(random.usize(..8))],
            lease: None,
            machines: 1,
            fault_every: None,
            damage_every: None,
            roll_every: None,
            gateway: None,
            poisoning: Poisoning::Listed,
            repeated_tokens: 0,
            odd_seed: 0,
            save_every: SAVE_INTERVAL.as_micros() as Time,
            swap_every: None,
        };
        // Of its own: the other seeds stay the histories that they were before there were data
        // streams.
        let mut random = random.clone();
        if plan.mode == Mode::History && random.u8(..3) == 0 {
            plan.roll_every = Some(random.u64(200..10_000) * MILLISECOND);
            // A mass rejection ends with a document that is stored, and at the end of a run
            // there may be none to come.
            plan.poison = 0;
        }
        if plan.roll_every.is_none() && random.u8(..3) == 0 {
            plan.elect(&mut random);
        }
        if random.u8(..8) == 0 {
            plan.damage_every = Some(random.u64(1..10) * SECOND);
        }
        if plan.roll_every.is_some() && random.u8(..3) == 0 {
            plan.elect(&mut random);
        }
        // Of its own again, for the same reason.
        let seed = random.u64(..);
        plan.answer_oddly(seed, &mut fastrand::Rng::with_seed(seed));
        // And again.
        let mut random = fastrand::Rng::with_seed(!seed);
        if random.u8(..4) == 0 {
            plan.swap_every = Some(random.u64(100..5_000) * MILLISECOND);
        }
        if random.bool() {
            plan.save_every = SAVED_ONCE_EVERY;
        }
        plan
    }

    /// Servers, and what stands before them, answer what they should not.
    fn answer_oddly(&mut self, seed: u64, random: &mut fastrand::Rng) {
        self.odd_seed = seed;
        if self.has_bad_template {
            // One mistake at a time shows whether it is taken for what it is.
            return;
        }
        if random.u8(..6) == 0 {
            self.gateway = Some(match random.u8(..3) {
                0 => Gateway::Compressed,
                1 => Gateway::AtTimes(random.u64(500..10_000) * MILLISECOND),
                _ => Gateway::Some([100, 500, 900][random.usize(..3)]),
            });
        }
        if random.u8(..6) == 0 && self.poison > 0 {
            self.poisoning = if random.bool() { Poisoning::Unlisted } else { Poisoning::Request };
            // Until they are known, such documents keep their room, and others must come.
            self.sizes.memory = 1 << 20;
            self.sizes.disk = self.sizes.disk.map(|_| (2 << 20, 256 << 10));
        }
        if random.u8(..6) == 0 {
            self.repeated_tokens = [50, 500][random.usize(..2)];
        }
    }

    /// Whether it takes others that are stored to know that a document never can be.
    pub(super) fn needs_company(&self) -> bool {
        self.poisoning != Poisoning::Listed
    }

    /// Replicas agree by a Lease on which of them reads.
    fn elect(&mut self, random: &mut fastrand::Rng) {
        self.lease = Some(random.u64(3..=9) * SECOND);
        self.machines = if random.u8(..5) == 0 { 1 } else { 2 };
        self.fault_every = (random.u8(..5) > 0).then(|| random.u64(2..15) * SECOND);
        // Long enough for some terms.
        self.chaos += random.u64(..30) * SECOND;
    }

    /// Where documents go.
    pub(super) fn pattern(&self) -> IndexPattern {
        let is_dated = self.mode == Mode::History && self.roll_every.is_none();
        let date = is_dated.then_some(DateFormat::Day);
        IndexPattern { prefix: "events-".into(), date, suffix: "x".into() }
    }
}

/// A random time with this mean, never nothing.
pub(super) fn around(mean: Time, random: &mut fastrand::Rng) -> Time {
    let spread = -(1.0 - random.f64()).ln();
    1 + (mean as f64 * spread.min(8.0)) as Time
}

/// Whether one of a thousand cases happens.
pub(super) fn happens(of_a_thousand: u32, random: &mut fastrand::Rng) -> bool {
    random.u32(..1_000) < of_a_thousand
}
