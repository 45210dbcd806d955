//! The buffer for simulators: the production tiers, memory and log on a simulated disk, with the
//! thread's work done when the simulator says.

use std::sync::Arc;
use std::time::Instant;

use prometheus::IntGauge;

use super::log::{Limits, Log, OpenError, ReadError};
use super::memory::{Found, Memory};
use super::room::Room;
use super::spool::COPY_AFTER;
use super::tiers::{AHEAD_BYTES, Put, Tiers};
use super::{charge, log};
use crate::event::Documents;
use crate::handoff::{BatchLimits, Closed, Item, Stored};
use crate::ledger::{Held, Ledger};
use crate::position::{Positions, Tracker};

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
    tiers: Option<Tiers<SimulatedDisk>>,
    tracker: Tracker,
    gauge: IntGauge,
    sizes: Sizes,
    /// No more comes from the disk.
    is_draining: bool,
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
        let open = |(bytes_max, segment_bytes)| {
            let limits = Limits { bytes_max, segment_bytes };
            Tiers::open(disk.clone(), limits, memory.clone(), tracker.clone(), ledger)
        };
        let (tiers, is_new) = sizes.disk.map(open).transpose()?.unzip();
        let tracker = tracker.clone();
        let buffer = Buffer { memory, tiers, tracker, gauge, sizes, is_draining: false };
        Ok((buffer, is_new.unwrap_or(true)))
    }

    /// Takes documents, or gives them back when there is no room.
    pub(crate) fn put(
        &mut self,
        documents: Documents,
        held: Held,
        now: Instant,
    ) -> Result<Option<(Documents, Held)>, Closed> {
        let Some(tiers) = &mut self.tiers else {
            return match self.memory.try_room(charge(&documents)) {
                None => Ok(Some((documents, held))),
                Some(share) => {
                    self.memory.push(Stored::new(documents, held, share), now).map(|()| None)
                }
            };
        };
        Ok(match tiers.put(documents, held, now)? {
            Put::Memory | Put::Disk => None,
            Put::Nowhere(documents, held) => Some((documents, held)),
        })
    }

    /// The next batch, as the sink's inbox gives it.
    pub(crate) fn take(&mut self, limits: BatchLimits) -> Option<Vec<Item>> {
        match self.memory.find(limits) {
            Found::Batch(batch) => Some(batch),
            Found::Nothing | Found::End => None,
        }
    }

    /// No more is taken from the disk.
    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    /// What the spool's thread does each time. True: there is more for the sink, or it turned out
    /// that there is not.
    pub(crate) fn work(&mut self, now: Instant, durably: bool) -> bool {
        let Some(tiers) = &mut self.tiers else { return false };
        let (had, bytes) = (tiers.has_unread(), self.memory.waiting_bytes());
        tiers.settle(durably);
        let until = if self.is_draining { Some(now) } else { now.checked_sub(COPY_AFTER) };
        if let Some(until) = until {
            tiers.copy_waiting(until);
        }
        tiers.sync();
        if !self.is_draining {
            tiers.fill_memory();
        }
        had != tiers.has_unread() || bytes != self.memory.waiting_bytes()
    }

    /// Whether the sink's asking would have called the thread before its time.
    pub(crate) fn wants_refill(&self) -> bool {
        !self.is_draining
            && self.memory.waiting_bytes() < AHEAD_BYTES / 2
            && self.tiers.as_ref().is_some_and(Tiers::has_unread)
    }

    /// What a run's end does before it gives up the sink.
    pub(crate) fn secure(&mut self, now: Instant) {
        if let Some(tiers) = &mut self.tiers {
            tiers.copy_waiting(now);
            tiers.sync();
        }
    }

    /// Documents without outcome that are on disk.
    pub(crate) fn documents_on_disk(&mut self) -> u64 {
        self.tiers.as_mut().map_or(0, |tiers| {
            tiers.settle(false);
            tiers.documents()
        })
    }

    /// Up to where everything is settled.
    pub(crate) fn settled_marks(&mut self) -> Positions {
        let read = self.tracker.marks();
        match &mut self.tiers {
            None => read,
            Some(tiers) => {
                tiers.settle(false);
                tiers.settled_marks(read)
            }
        }
    }

    /// The source goes on from `marks`.
    pub(crate) fn begin(&mut self, marks: Positions) {
        if let Some(tiers) = &mut self.tiers {
            tiers.begin(marks);
        }
    }

    /// Whether nothing waits here, in memory or on disk, for the sink or to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.memory.waiting_bytes() == 0
            && self.tiers.as_ref().is_none_or(|tiers| !tiers.has_unread() && tiers.documents() == 0)
    }

    /// Whether there is a disk, and nothing is wrong with it.
    pub(crate) fn has_disk_in_order(&self) -> bool {
        self.tiers.as_ref().is_some_and(|tiers| tiers.trouble().is_none())
    }

    /// Whether nothing in memory waits for the sink.
    pub(crate) fn is_memory_empty(&self) -> bool {
        self.memory.waiting_bytes() == 0
    }

    /// What is wrong with a bound, if anything is. Documents that are larger than the memory, and
    /// at most `charge_max`, may be there alone.
    pub(crate) fn broken_bound(&self, charge_max: u64) -> Option<String> {
        let memory = self.gauge.get() as u64;
        if memory > self.sizes.memory.max(charge_max) {
            return Some(format!("{memory} bytes in memory of at most {}", self.sizes.memory));
        }
        let (bytes_max, _) = self.sizes.disk?;
        let bytes = self.tiers.as_ref().map_or(0, Tiers::bytes);
        (bytes > bytes_max).then(|| format!("{bytes} bytes on disk of at most {bytes_max}"))
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
    let mut log = Log::open(disk.clone(), limits)?.log;
    let mut bodies = Vec::new();
    loop {
        match log.read() {
            Ok(Some((_, record))) => {
                let documents = record.documents;
                bodies.extend(
                    documents.docs.iter().map(|document| documents.body(document).to_vec()),
                );
            }
            Err(ReadError::Damaged { .. }) => {}
            Ok(None) | Err(ReadError::Io(_)) => return Ok(bodies),
        }
    }
}
