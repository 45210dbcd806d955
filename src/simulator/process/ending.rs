//! How one process ends when it is told to, in the steps that production takes.

use super::super::clock::{SECOND, Time};
use super::super::oracle::{Violation, ids_on};
use super::super::shared::Shared;
use super::{Process, Worker};
use crate::pipeline::ending::{STEPS, Step};
use crate::shutdown::DRAIN_TIMEOUT;

/// How long a drain may take.
const DRAIN_MAX: Time = DRAIN_TIMEOUT.as_micros() as Time;

/// A drain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// When it is given up: its time is over, or a second signal comes.
    gives_up_at: Time,
    /// How many steps are done.
    done: usize,
    /// Events that are nowhere but in memory when the sink has ended.
    left: u64,
}

impl Process {
    /// SIGTERM.
    pub(in super::super) fn drain(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        // What is given up early is still on its way when the Lease goes.
        let (signals, soon) = if self.lease.is_some() { (2, SECOND / 2) } else { (1, 3 * SECOND) };
        let has_second_signal = self.dice.u8(..4) < signals;
        let patience = if has_second_signal { self.dice.u64(..soon) } else { DRAIN_MAX };
        self.ending = Some(Ending { gives_up_at: shared.now + patience, done: 0, left: 0 });
        self.stop_sources(shared)?;
        self.buffer.drain();
        Ok(())
    }

    /// Goes on to end, if it was told to. Answers, when it has ended, whether nothing is left
    /// behind but what is on disk.
    pub(in super::super) fn end(&mut self, shared: &mut Shared) -> Result<Option<bool>, Violation> {
        if shared.now < self.paused_until {
            return Ok(None);
        }
        while let Some(Ending { gives_up_at, done, left }) = self.ending {
            let Some(step) = STEPS.get(done) else {
                self.check_ended(shared)?;
                return Ok(Some(left == 0));
            };
            let is_done = match step {
                Step::AwaitParts => self.has_ended(shared.now) || shared.now >= gives_up_at,
                Step::CutShort => {
                    self.ledger.cut_short();
                    true
                }
                Step::Secure => {
                    self.buffer.secure(shared.clock.at(shared.now));
                    true
                }
                Step::Abort => {
                    self.is_aborted = true;
                    self.account()?;
                    true
                }
                Step::Release => self.release(shared)?,
                Step::CloseBuffer => {
                    self.buffer.close(shared.clock.at(shared.now));
                    true
                }
                Step::SavePosition => {
                    self.save(true, shared)?;
                    self.check_last_mark(shared)?;
                    true
                }
            };
            match &mut self.ending {
                Some(ending) if is_done => ending.done += 1,
                _ => break,
            }
        }
        Ok(None)
    }

    /// Whether all parts have ended, one after the other.
    fn has_ended(&mut self, now: Time) -> bool {
        if self.feeds.is_empty() && self.is_worked() && self.buffer.is_memory_empty() {
            self.end_inbox(now);
        }
        self.sending.is_done
    }

    /// What must be true of one that has ended: it has given up its Lease, or tried to, and has
    /// written down how far it had come.
    fn check_ended(&mut self, shared: &Shared) -> Result<(), Violation> {
        if !self.gave_up_lease() {
            return Err("it ended, and left the Lease to run out".to_owned());
        }
        let marks = self.tracker.marks();
        if !marks.is_empty() && !self.home.file.holds_durably(&marks) {
            return Err(format!("it ended, and did not save {marks:?}"));
        }
        if self.buffer.has_disk_in_order() && !shared.oracle.was_damaged(self.home.number) {
            let durable = ids_on(&self.home.disk.durable_copy()).len() as u64;
            let known = self.buffer.documents_on_disk();
            // More may come back: what was settled, and not yet written down durably.
            if durable < known {
                return Err(format!(
                    "it ended with {known} documents on its disk, and after a power failure there \
                     are {durable}"
                ));
            }
        }
        Ok(())
    }

    fn is_worked(&self) -> bool {
        self.workers.iter().all(Worker::is_idle)
    }

    /// What has no outcome must be on disk, if there is one that works.
    fn account(&mut self) -> Result<(), Violation> {
        let on_disk = self.buffer.documents_on_disk();
        let left = self.ledger.snapshot().in_flight.saturating_sub(on_disk);
        if left > 0 && self.is_worked() && self.buffer.has_disk_in_order() {
            return Err(format!("a drain left {left} events in memory alone, and the disk works"));
        }
        if left > 0 && self.sending.is_done {
            return Err(format!("the sink had nothing left to do, and {left} events were left"));
        }
        if let Some(ending) = &mut self.ending {
            ending.left = left;
        }
        Ok(())
    }
}
