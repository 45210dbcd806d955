//! Any sequence of what a buffer may do and of what may happen to it, against a list of records.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::simulated::Faults;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append {
        documents: usize,
        bytes: usize,
        is_copy: bool,
    },
    Sync,
    Read,
    /// Settles this many documents of one of the first that were given out.
    Settle {
        which: usize,
        documents: u64,
    },
    Tidy {
        durably: bool,
    },
    /// The disk has this many bytes left from now on; `None`: enough.
    Room(Option<u64>),
    FailSyncs(u32),
    /// The process dies at its next operation but this many, wherever that is; then the power fails
    /// with it, or does not.
    Die {
        operations: u32,
        seed: Option<u64>,
    },
    Kill,
    Crash {
        seed: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1usize..4, 0usize..700, prop::bool::weighted(0.3))
            .prop_map(|(documents, bytes, is_copy)| Step::Append { documents, bytes, is_copy }),
        3 => Just(Step::Sync),
        6 => Just(Step::Read),
        8 => (0usize..4, 1u64..4).prop_map(|(which, documents)| Step::Settle { which, documents }),
        2 => any::<bool>().prop_map(|durably| Step::Tidy { durably }),
        1 => prop::option::of(0u64..3000).prop_map(Step::Room),
        1 => (1u32..4).prop_map(Step::FailSyncs),
        2 => (0u32..12, prop::option::of(any::<u64>())).prop_map(|(operations, seed)| Step::Die { operations, seed }),
        1 => Just(Step::Kill),
        1 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
    ];
    proptest::collection::vec(step, 1..150)
}

/// A record that was appended.
#[derive(Debug)]
struct Entry {
    sample: Sample,
    number: u64,
    seq: Seq,
    /// It was durable: no crash takes it away.
    is_synced: bool,
    /// It was given out, or is a copy of this process.
    is_given: bool,
    unsettled: u64,
}

/// What must be so.
#[derive(Debug, Default)]
struct Model {
    /// All that this process may have to give, in order; from before the last restart, from the
    /// first that may come again.
    records: VecDeque<Entry>,
    /// How many of the first of them are settled.
    settled: usize,
    /// How many of those a restart may not give again.
    settled_durably: usize,
    /// The same for a process that is killed.
    settled_written: usize,
    next: u64,
    /// The disk failed: what is not durable is in memory only, where a killed process loses it.
    is_in_memory: bool,
    /// When the process dies by itself, the power fails with this seed, or does not.
    death: Option<u64>,
}

struct Run {
    disk: SimulatedDisk,
    log: Log<SimulatedDisk>,
    model: Model,
}

const LIMITS: Limits = Limits { bytes_max: 24 << 10, segment_bytes: 2 << 10 };

impl Run {
    fn new() -> Run {
        let disk = SimulatedDisk::default();
        let log = open(&disk, LIMITS).log;
        Run { disk, log, model: Model::default() }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append { documents, bytes, is_copy } => self.append(*documents, *bytes, *is_copy),
            Step::Sync => {
                let has_failures = self.can_fail();
                match self.log.sync() {
                    Ok(upto) => {
                        for entry in &mut self.model.records {
                            assert!(entry.seq < upto);
                            entry.is_synced = true;
                        }
                        self.model.is_in_memory = false;
                    }
                    Err(error) => {
                        assert!(has_failures, "{error}");
                        self.model.is_in_memory = true;
                    }
                }
            }
            Step::Read => self.read(),
            Step::Settle { which, documents } => self.settle(*which, *documents),
            Step::Tidy { durably } => {
                let faults = self.disk.faults();
                let result = self.log.tidy(*durably);
                if self.disk.is_free() {
                    return self.die();
                }
                self.model.settled_written = self.model.settled;
                match result {
                    Ok(()) if *durably => self.model.settled_durably = self.model.settled,
                    Ok(()) => {}
                    // A full disk is no reason.
                    Err(error) => assert!(faults.syncs > 0, "{error}"),
                }
            }
            Step::Room(room) => {
                let capacity = room.map(|room| self.disk.bytes() + room);
                self.disk.set_faults(Faults { capacity, ..self.disk.faults() });
            }
            Step::FailSyncs(syncs) => {
                self.disk.set_faults(Faults { syncs: *syncs, ..self.disk.faults() })
            }
            Step::Die { operations, seed } => {
                self.disk
                    .set_faults(Faults { operations: Some(*operations), ..self.disk.faults() });
                self.model.death = *seed;
            }
            Step::Kill => self.end(None),
            Step::Crash { seed } => self.end(Some(*seed)),
        }
        if self.disk.is_free() {
            return self.die();
        }
        self.check();
    }

    /// The process died in the middle of something.
    fn die(&mut self) {
        self.disk.set_faults(Faults { operations: None, ..self.disk.faults() });
        self.end(self.model.death);
    }

    /// The process ends, with the power or without it, and another one begins.
    fn end(&mut self, crash: Option<u64>) {
        let mut is_killed = true;
        let mut crash = crash;
        self.disk.set_faults(Faults { syncs: 0, ..self.disk.faults() });
        loop {
            match crash {
                Some(seed) => self.disk.crash(&mut fastrand::Rng::with_seed(seed)),
                None => self.disk.kill(),
            }
            is_killed &= crash.is_none();
            match Log::open(self.disk.clone(), LIMITS) {
                Ok(opened) => break self.compare(opened, is_killed),
                Err(error) => assert!(self.disk.is_free(), "{error}"),
            }
            // It died again while it opened.
            self.disk.set_faults(Faults { operations: None, ..self.disk.faults() });
            crash = self.model.death;
        }
        self.check();
    }

    fn can_fail(&self) -> bool {
        let faults = self.disk.faults();
        faults.syncs > 0 || faults.capacity.is_some() || faults.operations.is_some()
    }

    fn append(&mut self, documents: usize, bytes: usize, is_copy: bool) {
        let number = self.model.next;
        self.model.next += 1;
        let sample = Sample { is_copy, ..Sample::new(number, documents, bytes) };
        let can_fail = self.can_fail();
        let seq = Seq(self.log.tip.next.seq);
        let result = self.log.append(&sample.record());
        if result.is_ok() || self.disk.is_free() {
            // Who died in the middle may have written it.
            let unsettled = sample.count();
            let entry =
                Entry { sample, number, seq, is_synced: false, is_given: is_copy, unsettled };
            self.model.records.push_back(entry);
        }
        match result {
            Ok(is) => assert_eq!(is, seq),
            Err(AppendError::Full { bytes, .. }) => {
                assert!(bytes + 8000 > LIMITS.bytes_max, "{bytes}")
            }
            Err(error) => {
                assert!(can_fail, "{error}");
                self.model.is_in_memory = true;
            }
        }
    }

    fn read(&mut self) {
        let read = match self.log.read() {
            Err(_) if self.disk.is_free() => return,
            read => read.unwrap(),
        };
        let next = self.model.records.iter_mut().find(|entry| !entry.is_given);
        match (read, next) {
            (Some((seq, record)), Some(entry)) => {
                assert_eq!((number_of(&record), seq), (entry.number, entry.seq));
                assert_same(&record, &entry.sample.documents);
                entry.is_given = true;
            }
            (read, next) => assert!(read.is_none() && next.is_none(), "{read:?} {next:?}"),
        }
    }

    fn settle(&mut self, which: usize, documents: u64) {
        let mut given: Vec<&mut Entry> = self
            .model
            .records
            .iter_mut()
            .filter(|entry| entry.is_given && entry.unsettled > 0)
            .collect();
        if given.is_empty() {
            return;
        }
        let which = which.min(given.len() - 1);
        let entry = &mut given[which];
        let documents = documents.min(entry.unsettled);
        self.log.settle(entry.seq, documents);
        entry.unsettled -= documents;
        let settled = self.model.records.iter().take_while(|entry| entry.unsettled == 0).count();
        self.model.settled = settled;
    }

    /// What a new process finds.
    fn compare(&mut self, opened: Opened<SimulatedDisk>, is_killed: bool) {
        self.log = opened.log;
        let model = &mut self.model;
        let last = opened.marks.map(|marks| marks["all"].as_str().parse::<u64>().unwrap());
        // A crash takes an end away: nothing that was durable, and nothing out of the middle.
        let is_gone = |entry: &Entry| last.is_none_or(|last| entry.number > last);
        for entry in model.records.iter().enumerate().filter(|(_, entry)| is_gone(entry)) {
            let (at, entry) = entry;
            let may_go = !entry.is_synced && (!is_killed || model.is_in_memory);
            assert!(at < model.settled || may_go, "lost: record {}", entry.number);
        }
        let kept = model.records.iter().take_while(|entry| !is_gone(entry)).count();
        let recovered = opened.recovered;
        // From the end backwards: the records that hold what was recovered.
        let mut documents = 0;
        let mut first = kept;
        while documents < recovered {
            first -= 1;
            documents += model.records[first].sample.count();
        }
        assert_eq!(documents, recovered);
        let written = if is_killed { model.settled_written } else { model.settled_durably };
        let from = written.min(kept);
        assert!(
            (from..=model.settled.min(kept).max(from)).contains(&first),
            "{from} {first} {} {kept}",
            model.settled
        );
        model.records.truncate(kept);
        model.records.drain(..first);
        for entry in &mut model.records {
            (entry.is_synced, entry.is_given, entry.unsettled) =
                (true, false, entry.sample.count());
        }
        (model.settled, model.settled_durably, model.settled_written) = (0, 0, 0);
        model.is_in_memory = false;
    }

    fn check(&self) {
        let (log, model) = (&self.log, &self.model);
        assert_eq!(log.is_drained(), model.records.iter().all(|entry| entry.is_given));
        assert_eq!(log.documents(), model.records.iter().map(|entry| entry.unsettled).sum::<u64>());
        let settled = model.settled.checked_sub(1).map(|last| model.records[last].number);
        assert_eq!(mark(log), settled);
        assert!(log.bytes() <= LIMITS.bytes_max, "{}", log.bytes());
        assert!(self.disk.bytes() <= log.bytes(), "{} {}", self.disk.bytes(), log.bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_durable_is_lost_nothing_settled_comes_again_and_order_and_bounds_hold(steps in steps()) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        // Whatever is left can be drained on a disk that works.
        run.disk.set_faults(Faults::default());
        run.step(&Step::Crash { seed: 1 });
        for _ in 0..run.model.records.len() {
            run.step(&Step::Read);
        }
        while run.log.documents() > 0 {
            run.settle(0, u64::MAX);
        }
        run.log.tidy(true).unwrap();
        run.check();
    }
}
