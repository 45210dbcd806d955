//! The spool among threads: writers put documents into it on their own threads, and one thread does
//! its work.
//!
//! Constraint: the sink settles and asks for more without waiting for the disk, so the reader only
//! ever leaves a note for the thread.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use prometheus::IntGauge;

use super::intake::Intake;
use super::log::{Folder, IoError, Limits, OpenError};
use super::memory::Memory;
use super::spool::{RETRY_INTERVAL, Spool, WORK_INTERVAL};
use crate::event::Documents;
use crate::folders;
use crate::handoff::Closed;
use crate::health::{Condition, Health, Part};
use crate::ledger::Held;
use crate::position::{Positions, SettledPositions};
use crate::process::Process;

/// Its name in `/readyz` and `/livez`.
const PART: Part = Part::Buffer;

#[derive(Debug)]
pub(super) struct SpoolThread {
    spool: Mutex<Spool<Folder>>,
    /// The thread has worked, or the reader has ended.
    worked: Condvar,
    calls: Mutex<Calls>,
    called: Condvar,
    health: Health,
    gauge: IntGauge,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is called for before its time.
#[derive(Debug, Default)]
struct Calls {
    /// The reader could use more.
    work: bool,
    close: bool,
}

impl SpoolThread {
    /// Also answers whether nothing was on disk yet.
    pub(super) fn start(
        folder: folders::Folder,
        bytes_max: u64,
        memory: Arc<Memory>,
        gauge: IntGauge,
        process: &Process,
    ) -> Result<(Arc<SpoolThread>, Intake, bool), OpenError> {
        let (path, limits) = (folder.path().to_owned(), Limits::new(bytes_max));
        let (spool, is_new) = Spool::open(Folder::new(folder), limits, memory, process.into())?;
        let intake = spool.intake();
        process.health.set(PART, Condition::Ready);
        let spool = Arc::new(SpoolThread {
            spool: Mutex::new(spool),
            worked: Condvar::new(),
            calls: Mutex::default(),
            called: Condvar::new(),
            health: process.health.clone(),
            gauge,
            thread: Mutex::new(None),
        });
        let own = spool.clone();
        let thread =
            std::thread::Builder::new().name(PART.name().to_owned()).spawn(move || own.run());
        let thread = thread.map_err(|error| IoError { path, error })?;
        *spool.thread.lock() = Some(thread);
        Ok((spool, intake, is_new))
    }

    /// Waits, asleep on this thread, while neither memory nor disk takes the documents.
    pub(super) fn put_blocking(&self, documents: Documents, held: Held) -> Result<(), Closed> {
        let mut spool = self.spool.lock();
        let mut rest = (documents, held);
        loop {
            let (documents, held) = rest;
            match spool.put(documents, held, Instant::now())? {
                None => return Ok(()),
                Some(given_back) => rest = given_back,
            }
            self.tell(&mut spool);
            self.worked.wait_for(&mut spool, RETRY_INTERVAL);
        }
    }

    /// Has the thread work before its time. Never waits for the disk.
    pub(super) fn call(&self) {
        self.calls.lock().work = true;
        self.called.notify_one();
    }

    /// See [`Handle::secure`](super::Handle::secure).
    pub(super) fn secure(&self) {
        self.spool.lock().secure(Instant::now());
    }

    /// See [`Handle::documents_on_disk`](super::Handle::documents_on_disk).
    pub(super) fn documents(&self) -> u64 {
        self.spool.lock().documents()
    }

    /// See [`Handle::settled_marks`](super::Handle::settled_marks).
    pub(super) fn settled_marks(&self) -> SettledPositions {
        self.spool.lock().settled_marks()
    }

    /// See [`Handle::begin`](super::Handle::begin).
    pub(super) fn begin(&self, marks: Positions) {
        self.spool.lock().begin(marks);
    }

    pub(super) fn reader_ended(&self) {
        self.spool.lock().reader_ended();
        self.worked.notify_all();
    }

    /// See [`Handle::close`](super::Handle::close).
    pub(super) fn close(&self) {
        self.calls.lock().close = true;
        self.called.notify_one();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// The thread.
    fn run(&self) {
        loop {
            let is_closing = self.wait(WORK_INTERVAL);
            self.health.progress(PART);
            let mut spool = self.spool.lock();
            spool.work(Instant::now(), is_closing);
            self.tell(&mut spool);
            self.gauge.set(spool.document_bytes() as i64);
            drop(spool);
            self.worked.notify_all();
            if is_closing {
                break;
            }
        }
        self.health.finished(PART);
    }

    /// Waits for this long, or until it is called. True: it is the last time.
    fn wait(&self, interval: Duration) -> bool {
        let mut calls = self.calls.lock();
        let begin = Instant::now();
        while !calls.close && !calls.work {
            let left = interval.saturating_sub(begin.elapsed());
            if left.is_zero() {
                break;
            }
            self.called.wait_for(&mut calls, left);
        }
        calls.work = false;
        calls.close
    }

    /// Says what is wrong with the disk, once, and when that is over.
    fn tell(&self, spool: &mut Spool<Folder>) {
        let Some(condition) = spool.changed_condition() else { return };
        match &condition {
            Condition::Ready => tracing::info!("the buffer on disk is in order again"),
            Condition::Note(text) | Condition::NotReady(text) => {
                tracing::warn!("{text}; nothing is lost by it, and it is tried again");
            }
        }
        self.health.set(PART, condition);
    }
}
