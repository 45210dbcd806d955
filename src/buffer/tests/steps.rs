//! The spool's steps on a simulated disk, at times that the test says.

use std::time::Instant;

use super::*;
use crate::buffer::log::simulated::{Faults, SimulatedDisk};
use crate::buffer::spool::{COPY_AFTER, DURABLY_INTERVAL, Spool};
use crate::health::Condition;
use crate::ledger::{Delivered, Tally};

const LIMITS_ON_DISK: Limits = Limits { bytes_max: 1 << 20, segment_bytes: 64 << 10 };

pub(super) struct Run {
    pub(super) disk: SimulatedDisk,
    pub(super) process: Process,
    pub(super) spool: Spool<SimulatedDisk>,
    pub(super) begin: Instant,
}

impl Run {
    pub(super) fn start(bytes: u64) -> Run {
        let (disk, process) = (SimulatedDisk::default(), Process::default());
        let settings = Settings { memory: bytes, spool: None };
        let memory = memory(&settings, &process.metrics, true);
        let opened = Spool::open(disk.clone(), LIMITS_ON_DISK, memory, (&process).into());
        Run { disk, process, spool: opened.unwrap().0, begin: Instant::now() }
    }

    fn put(&mut self, size: usize, after: Duration) {
        let held = self.process.ledger.receive(1);
        let left = self.spool.put(documents(&[size]), held, self.begin + after).unwrap();
        assert!(left.is_none(), "there is room");
    }

    pub(super) fn work(&mut self, after: Duration) {
        self.spool.work(self.begin + after, false);
    }

    fn deliver_all(&mut self) -> usize {
        let mut count = 0;
        while let (Found::Batch(items), _) = self.spool.intake().look(LIMITS) {
            count += items.len();
            let mut tally = Tally::default();
            tally.delivered(Delivered::Created, items.len() as u64);
            Item::settle_all(items, &tally);
        }
        count
    }
}

#[test]
fn what_waits_in_memory_is_copied_when_its_time_has_come_and_not_before() {
    let mut run = Run::start(1 << 20);
    run.put(100, Duration::ZERO);
    run.work(COPY_AFTER - Duration::from_millis(1));
    assert_eq!(run.spool.documents(), 0);
    run.work(COPY_AFTER);
    assert_eq!(run.spool.documents(), 1);
}

#[test]
fn a_copy_that_failed_is_made_later_and_then_all_is_well_though_nothing_new_comes() {
    let mut run = Run::start(1 << 20);
    run.put(100, Duration::ZERO);
    run.work(COPY_AFTER);
    run.disk.set_faults(Faults { capacity: Some(run.disk.bytes()), ..Faults::default() });
    run.put(100, Duration::ZERO);
    run.work(COPY_AFTER);
    let condition = run.spool.changed_condition();
    assert!(matches!(condition, Some(Condition::NotReady(_))), "{condition:?}");
    run.work(COPY_AFTER);
    assert_eq!(run.spool.changed_condition(), None, "it is told once");
    run.disk.set_faults(Faults::default());
    run.work(COPY_AFTER);
    assert_eq!(run.spool.changed_condition(), Some(Condition::Ready));
    assert_eq!(run.spool.documents(), 2);
}

#[test]
fn a_power_failure_brings_back_only_what_was_settled_since_it_was_last_written_down_durably() {
    let mut run = Run::start(1);
    for _ in 0..3 {
        run.put(100, Duration::ZERO);
    }
    run.work(Duration::ZERO);
    assert_eq!(run.deliver_all(), 1, "the memory holds one at a time");
    let after_power_failure = |run: &Run| {
        let process = Process::default();
        let memory = memory(&Settings::default(), &process.metrics, true);
        let disk = run.disk.durable_copy();
        let opened = Spool::open(disk, LIMITS_ON_DISK, memory, (&process).into());
        opened.unwrap().0.documents()
    };
    run.work(DURABLY_INTERVAL - Duration::from_millis(1));
    assert_eq!(run.deliver_all(), 1);
    assert_eq!(after_power_failure(&run), 2, "the first was never on disk");
    run.work(DURABLY_INTERVAL);
    assert_eq!(after_power_failure(&run), 1);
}

#[test]
fn the_reader_calls_for_work_while_the_disk_has_more_and_in_a_drain_no_more() {
    let mut run = Run::start(1);
    let intake = run.spool.intake();
    assert!(matches!(intake.look(LIMITS), (Found::Nothing, false)));
    run.put(100, Duration::ZERO);
    run.put(200, Duration::ZERO);
    assert!(matches!(intake.look(LIMITS), (Found::Batch(_), true)));
    run.process.shutdown.drain.cancel();
    assert!(matches!(intake.look(LIMITS), (Found::Nothing, false)));
}
