//! The buffer for simulators: the production spool, memory and reader on a simulated disk, and its
//! work done when the simulator says. It checks what only shows from outside.

use super::spool::Surroundings;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use prometheus::IntGauge;

use super::intake::Intake;
use super::log::{Limits, Log, OpenError, ReadError};
use super::memory::{Found, Memory};
use super::record::Contents;
use super::room::Room;
use super::spool::Spool;
use super::{charge, log};
use crate::event::Documents;
use crate::handoff::{BatchLimits, Closed, Item};
use crate::health::Condition;
use crate::ledger::{Held, Ledger};
use crate::position::{Position, Positions, SettledPositions, Tracker};

pub(crate) use super::spool::{RETRY_INTERVAL, WORK_INTERVAL};
pub(crate) use log::simulated::{Faults, SimulatedDisk};

/// How large a simulated buffer is, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// `buffer.memory`
    pub(crate) memory: u64,
    /// `buffer.disk`, and how large its files are; `None`: no disk.
    pub(crate) disk: Option<(u64, u64)>,
}

/// A buffer of one process.
#[derive(Debug)]
pub(crate) struct Buffer {
    memory: Arc<Memory>,
    spool: Option<Spool<SimulatedDisk>>,
    intake: Intake,
    tracker: Tracker,
    drain: CancellationToken,
    gauge: IntGauge,
    sizes: Sizes,
    /// The reader has called for work.
    is_called: bool,
    /// What was told last.
    condition: Condition,
    settled: Checked,
}

/// Settled marks as they were given, to be held against those before.
#[derive(Debug, Default)]
struct Checked {
    marks: Positions,
    rewinds: u64,
    violation: Option<String>,
}

impl Checked {
    /// They go back only when the source has rewound: otherwise the next leader would read again
    /// what was long settled.
    fn check(&mut self, marks: &Positions, rewinds: u64) {
        let number = |mark: &Position| mark.as_str().parse::<u64>().ok();
        for (scope, before) in self.marks.iter().filter(|_| rewinds == self.rewinds) {
            let now = marks.get(scope);
            if now.and_then(number) < number(before) {
                let what = format!("the settled mark of {scope} goes back: {before} to {now:?}");
                self.violation.get_or_insert(what);
            }
        }
        self.begin(marks, rewinds);
    }

    fn begin(&mut self, marks: &Positions, rewinds: u64) {
        (self.marks, self.rewinds) = (marks.clone(), rewinds);
    }
}

impl Buffer {
    /// Opens it on `disk`. Also answers whether nothing was there yet.
    pub(crate) fn open(
        disk: &SimulatedDisk,
        sizes: Sizes,
        tracker: &Tracker,
        ledger: &Ledger,
    ) -> Result<(Buffer, bool), OpenError> {
        let gauge =
            IntGauge::new("simulated", "simulated").unwrap_or_else(|error| unreachable!("{error}"));
        let room = Arc::new(Room::new(sizes.memory, gauge.clone()));
        let memory = Arc::new(Memory::new(room, sizes.disk.is_some()));
        let (tracker, drain) = (tracker.clone(), CancellationToken::new());
        let open = |(bytes_max, segment_bytes)| {
            let limits = Limits { bytes_max, segment_bytes };
            let (ledger, tracker, drain) = (ledger.clone(), tracker.clone(), drain.clone());
            let surroundings = Surroundings { ledger, tracker, drain };
            Spool::open(disk.clone(), limits, memory.clone(), surroundings)
        };
        let (spool, is_new) = sizes.disk.map(open).transpose()?.unzip();
        let intake =
            spool.as_ref().map_or_else(|| Intake::new(memory.clone(), None), Spool::intake);
        let (is_called, condition, settled) = (false, Condition::Ready, Checked::default());
        let buffer = Buffer {
            memory,
            spool,
            intake,
            tracker,
            drain,
            gauge,
            sizes,
            is_called,
            condition,
            settled,
        };
        Ok((buffer, is_new.unwrap_or(true)))
    }

    /// Takes documents, or gives them back when there is no room.
    pub(crate) fn put(
        &mut self,
        documents: Documents,
        held: Held,
        now: Instant,
    ) -> Result<Option<(Documents, Held)>, Closed> {
        match &mut self.spool {
            None => self.memory.try_put(documents, held, now),
            Some(spool) => spool.put(documents, held, now),
        }
    }

    /// Whether those who found no room wait for the spool's work: others look at the memory.
    pub(crate) fn has_disk(&self) -> bool {
        self.spool.is_some()
    }

    /// The next batch, as the sink's inbox gives it.
    pub(crate) fn take(&mut self, limits: BatchLimits) -> Option<Vec<Item>> {
        let (found, wants_work) = self.intake.look(limits);
        self.is_called |= wants_work;
        match found {
            Found::Batch(batch) => Some(batch),
            Found::Nothing | Found::End => None,
        }
    }

    /// No more is taken from the disk.
    pub(crate) fn drain(&mut self) {
        self.drain.cancel();
    }

    /// What the spool's thread does each time. True: it has called the sink to look again.
    pub(crate) fn work(&mut self, now: Instant) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        spool.work(now, false);
        if let Some(condition) = spool.changed_condition() {
            self.condition = condition;
        }
        self.memory.has_changed()
    }

    /// Whether the sink's asking has called the thread before its time.
    pub(crate) fn is_called(&mut self) -> bool {
        std::mem::take(&mut self.is_called)
    }

    /// What a run's end does before it gives up the sink.
    pub(crate) fn secure(&mut self, now: Instant) {
        if let Some(spool) = &mut self.spool {
            spool.secure(now);
        }
    }

    /// Documents without outcome that are on disk.
    pub(crate) fn documents_on_disk(&mut self) -> u64 {
        self.spool.as_mut().map_or(0, Spool::documents)
    }

    /// Up to where everything is settled.
    pub(crate) fn settled_marks(&mut self) -> SettledPositions {
        let tracker = &self.tracker;
        let marks = match &mut self.spool {
            None => SettledPositions(tracker.marks()),
            Some(spool) => spool.settled_marks(),
        };
        self.settled.check(&marks, tracker.rewinds());
        marks
    }

    /// The source goes on from `marks`.
    pub(crate) fn begin(&mut self, marks: Positions) {
        self.settled.begin(&marks, self.tracker.rewinds());
        if let Some(spool) = &mut self.spool {
            spool.begin(marks);
        }
    }

    /// The end, after the sink's.
    pub(crate) fn close(&mut self, now: Instant) {
        if let Some(spool) = &mut self.spool {
            spool.reader_ended();
            spool.work(now, true);
        }
    }

    /// Whether nothing waits here, in memory or on disk, for the sink or to be written, and the
    /// last that it said is that all is well.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_disk_empty = |spool: &Spool<SimulatedDisk>| {
            !spool.tiers().has_unread() && spool.tiers().documents() == 0
        };
        self.memory.waiting_bytes() == 0
            && self.spool.as_ref().is_none_or(is_disk_empty)
            && self.condition == Condition::Ready
    }

    /// Whether there is a disk, and nothing is wrong with it.
    pub(crate) fn has_disk_in_order(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| *spool.tiers().condition() == Condition::Ready)
    }

    /// Whether nothing in memory waits for the sink.
    pub(crate) fn is_memory_empty(&self) -> bool {
        self.memory.waiting_bytes() == 0
    }

    /// What is wrong, if anything is: with a bound, or with the settled marks. Documents that are
    /// larger than the memory, and at most `charge_max`, may be there alone.
    pub(crate) fn violation(&self, charge_max: u64) -> Option<String> {
        let memory = self.gauge.get() as u64;
        if memory > self.sizes.memory.max(charge_max) {
            return Some(format!("{memory} bytes in memory of at most {}", self.sizes.memory));
        }
        if let Some((bytes_max, _)) = self.sizes.disk {
            let bytes = self.spool.as_ref().map_or(0, |spool| spool.tiers().bytes());
            if bytes > bytes_max {
                return Some(format!("{bytes} bytes on disk of at most {bytes_max}"));
            }
        }
        self.settled.violation.clone()
    }

    /// Bytes in memory now.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.gauge.get() as u64
    }
}

/// What documents are charged with.
pub(crate) fn charge_of(documents: &Documents) -> u64 {
    charge(documents)
}

/// Everything that a process would find on `disk` and send, as bodies of documents; what is damaged
/// is passed over.
pub(crate) fn unsettled_on(disk: &SimulatedDisk) -> Result<Vec<Vec<u8>>, OpenError> {
    let limits = Limits { bytes_max: u64::MAX, segment_bytes: u64::MAX };
    let mut log = Log::<_, Contents>::open(disk.clone(), limits)?.log;
    let mut bodies = Vec::new();
    loop {
        match log.read() {
            Ok(Some((_, documents))) => {
                let body = |document| documents.body(document).to_vec();
                bodies.extend(documents.docs.iter().map(body));
            }
            Err(ReadError::Damaged { .. }) => {}
            Ok(None) | Err(ReadError::Io(_)) => return Ok(bodies),
        }
    }
}
