//! The tiers among threads: writers put documents into them on their own threads, and one thread
//! syncs what was appended, fills the memory from the disk, copies what has waited for
//! [`COPY_AFTER`], and counts what was settled.
//!
//! Constraint: the sink settles and asks for more without waiting for the disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;

use super::log::{Folder, IoError, Limits, OpenError};
use super::memory::Memory;
use super::tiers::{AHEAD_BYTES, Put, Tiers, Trouble};
use super::{Context, SpoolSettings};
use crate::event::Documents;
use crate::handoff::Closed;
use crate::health::{Condition, Health, Part};
use crate::ledger::Held;
use crate::position::{Positions, Tracker};

/// What has waited in memory for so long is copied to disk: well below the five minutes after which
/// an API server may have compacted what would have to be read again, and long enough that nothing
/// is copied while the sink keeps up.
pub(super) const COPY_AFTER: Duration = Duration::from_secs(5);
/// How often the thread works while there is work: what was appended is synced together, and what
/// was settled is written down.
const WORK_INTERVAL: Duration = Duration::from_millis(100);
/// How often it writes down durably what was settled: that much is sent again after a power
/// failure.
const DURABLY_INTERVAL: Duration = Duration::from_secs(1);
/// How long a writer that finds no room on disk waits before it looks again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Its name in `/readyz` and `/livez`.
const PART: Part = Part::Buffer;

#[derive(Debug)]
pub(super) struct Spool {
    disk: Mutex<Disk>,
    /// The thread has worked.
    worked: Condvar,
    calls: Mutex<Calls>,
    called: Condvar,
    /// As the thread last saw it.
    has_unread: AtomicBool,
    memory: Arc<Memory>,
    tracker: Tracker,
    health: Health,
    drain: CancellationToken,
    gauge: IntGauge,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Disk {
    tiers: Tiers<Folder>,
    reader_ended: bool,
    /// What was told last.
    told: Option<Trouble>,
}

/// What the thread is called for before its time.
#[derive(Debug, Default)]
struct Calls {
    /// The reader could use more.
    refill: bool,
    close: bool,
}

impl Spool {
    pub(super) fn open(
        settings: &SpoolSettings,
        memory: Arc<Memory>,
        gauge: IntGauge,
        context: &Context,
    ) -> Result<(Arc<Spool>, bool), OpenError> {
        let (folder, limits) = (Folder::new(&settings.path), Limits::new(settings.disk));
        let (tiers, is_new) =
            Tiers::open(folder, limits, memory.clone(), context.tracker.clone(), &context.ledger)?;
        context.health.set(PART, Condition::Ready);
        let spool = Arc::new(Spool {
            has_unread: AtomicBool::new(tiers.has_unread()),
            disk: Mutex::new(Disk { tiers, reader_ended: false, told: None }),
            worked: Condvar::new(),
            calls: Mutex::default(),
            called: Condvar::new(),
            memory,
            tracker: context.tracker.clone(),
            health: context.health.clone(),
            drain: context.shutdown.drain.clone(),
            gauge,
            thread: Mutex::new(None),
        });
        let own = spool.clone();
        let thread =
            std::thread::Builder::new().name(PART.name().to_owned()).spawn(move || own.run());
        let thread = thread.map_err(|error| IoError { path: settings.path.clone(), error })?;
        *spool.thread.lock().unwrap_or_else(|e| e.into_inner()) = Some(thread);
        Ok((spool, is_new))
    }

    /// Waits, asleep on this thread, while neither memory nor disk takes the documents.
    pub(super) fn put_blocking(
        &self,
        mut documents: Documents,
        mut held: Held,
    ) -> Result<(), Closed> {
        let mut disk = self.disk();
        loop {
            if disk.reader_ended {
                return Err(Closed);
            }
            match disk.tiers.put(documents, held, Instant::now())? {
                Put::Memory => return Ok(()),
                Put::Disk => {
                    self.has_unread.store(true, Ordering::Release);
                    return Ok(());
                }
                Put::Nowhere(same, as_before) => (documents, held) = (same, as_before),
            }
            self.tell(&mut disk);
            disk = match self.worked.wait_timeout(disk, RETRY_INTERVAL) {
                Ok((disk, _)) => disk,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// The reader has looked. False: no more will come from the disk.
    pub(super) fn refill(&self) -> bool {
        if !self.has_unread.load(Ordering::Acquire) || self.drain.is_cancelled() {
            return false;
        }
        if self.memory.waiting_bytes() < AHEAD_BYTES / 2 {
            self.calls().refill = true;
            self.called.notify_one();
        }
        true
    }

    /// See [`Guard::secure`](super::Guard::secure).
    pub(super) fn secure(&self) {
        let tiers = &mut self.disk().tiers;
        tiers.copy_waiting(Instant::now());
        tiers.sync();
    }

    /// See [`Guard::documents_on_disk`](super::Guard::documents_on_disk).
    pub(super) fn documents(&self) -> u64 {
        let tiers = &mut self.disk().tiers;
        tiers.settle(false);
        tiers.documents()
    }

    /// See [`Guard::settled_marks`](super::Guard::settled_marks).
    pub(super) fn settled_marks(&self) -> Positions {
        loop {
            let rewinds = self.tracker.rewinds();
            let read = self.tracker.marks();
            let tiers = &mut self.disk().tiers;
            // Else something was lost, or was rewound, while the disk was waited for.
            if self.tracker.rewinds() == rewinds {
                tiers.settle(false);
                return tiers.settled_marks(read);
            }
        }
    }

    /// See [`Guard::begin`](super::Guard::begin).
    pub(super) fn begin(&self, marks: Positions) {
        self.disk().tiers.begin(marks);
    }

    pub(super) fn reader_ended(&self) {
        self.disk().reader_ended = true;
        self.worked.notify_all();
    }

    pub(super) fn close(&self) {
        self.calls().close = true;
        self.called.notify_one();
        let thread = self.thread.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(thread) = thread
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// The thread.
    fn run(&self) {
        let mut durably_at = Instant::now();
        loop {
            let is_closing = self.wait();
            self.health.progress(PART);
            let now = Instant::now();
            let durably = is_closing || now >= durably_at;
            if durably {
                durably_at = now + DURABLY_INTERVAL;
            }
            self.work(now, durably, is_closing);
            self.worked.notify_all();
            if is_closing {
                break;
            }
        }
        self.health.finished(PART);
    }

    fn work(&self, now: Instant, durably: bool, is_closing: bool) {
        let mut disk = self.disk();
        disk.tiers.settle(durably);
        // In a drain everything is copied, for the next run.
        let is_draining = self.drain.is_cancelled();
        if let Some(until) = if is_draining { Some(now) } else { now.checked_sub(COPY_AFTER) } {
            disk.tiers.copy_waiting(until);
        }
        disk.tiers.sync();
        if !is_closing && !is_draining {
            disk.tiers.fill_memory();
        }
        self.tell(&mut disk);
        self.gauge.set(disk.tiers.document_bytes() as i64);
        let has_unread = disk.tiers.has_unread();
        if self.has_unread.swap(has_unread, Ordering::AcqRel) && !has_unread {
            // The reader may wait for what turned out not to be there. Only then: it would call
            // this thread again, which would not rest as long as there is no room, or
            // the disk fails.
            self.memory.look_again();
        }
    }

    /// Waits until the next time to work, or until it is called. True: the end is near.
    fn wait(&self) -> bool {
        let mut calls = self.calls();
        let begin = Instant::now();
        while !calls.close && !calls.refill {
            let left = WORK_INTERVAL.saturating_sub(begin.elapsed());
            if left.is_zero() {
                break;
            }
            calls = match self.called.wait_timeout(calls, left) {
                Ok((calls, _)) => calls,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        calls.refill = false;
        calls.close
    }

    /// Says what is wrong, once, and when it is over.
    fn tell(&self, disk: &mut Disk) {
        let trouble = disk.tiers.trouble().cloned();
        if trouble == disk.told {
            return;
        }
        let condition = match &trouble {
            None => Condition::Ready,
            Some(Trouble::Full(text)) => Condition::Note(text.clone()),
            Some(Trouble::Fails(text)) => Condition::NotReady(text.clone()),
        };
        self.health.set(PART, condition);
        match &trouble {
            None => tracing::info!("the buffer on disk is in order again"),
            Some(Trouble::Full(text) | Trouble::Fails(text)) => {
                tracing::warn!("{text}; nothing is lost by it, and it is tried again");
            }
        }
        disk.told = trouble;
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(|e| e.into_inner())
    }
}
