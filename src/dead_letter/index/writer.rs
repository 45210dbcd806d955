//! Writes letters to an index.
//!
//! Invariants: [`Writer::append`] has written every letter that it took off the front. In a run a
//! letter that is there already stays as it is (`create`); in a replay it is written anew, so that
//! it has another [`Version`](super::super::kept::Version) than the one that was read, and the
//! replay, which removes only what it has read, leaves it there.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::entry::{self, Entry};
use super::interface::{Index, Writing};
use super::reader::BATCH_BYTES_MAX;
use crate::dead_letter::error::DeadLetterError;
use crate::dead_letter::letter::Letter;
use crate::opensearch::Unavailable;

/// Letters of one request.
const BATCH_LETTERS_MAX: usize = 500;
/// How old the last look at what the index holds may be when something is written. A search sees
/// what was written with as much delay, so looking more often would tell no more.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Writes letters; usable from any thread.
#[derive(Debug)]
pub(in crate::dead_letter) struct Writer {
    index: Arc<dyn Index>,
    bytes_max: u64,
    /// In a replay: the time of the newest letter that it reads. Those that it writes are newer.
    replay_until: OnceLock<i64>,
    room: Mutex<Room>,
}

/// What is known of what the index holds.
#[derive(Debug, Default)]
struct Room {
    looked: Option<Instant>,
    bytes: u64,
}

impl Writer {
    pub(in crate::dead_letter) fn new(index: Arc<dyn Index>, bytes_max: u64) -> Writer {
        Writer { index, bytes_max, replay_until: OnceLock::new(), room: Mutex::default() }
    }

    pub(in crate::dead_letter) fn index(&self) -> &Arc<dyn Index> {
        &self.index
    }

    /// Answers the time of the newest letter, which is the last to be replayed; `None` when there
    /// is none. What is written from now on replaces, and is newer. It may take as much room
    /// again as the bound is: each letter that comes takes the place of one that then goes.
    pub(in crate::dead_letter) fn begin_replay(&self) -> Result<Option<i64>, DeadLetterError> {
        let usage = self.index.usage().map_err(|why| self.error(why))?;
        let until = usage.and_then(|usage| usage.newest);
        // There is one replay in a process.
        let _ = self.replay_until.set(until.unwrap_or(0));
        Ok(until)
    }

    fn bytes_max(&self) -> u64 {
        if self.replay_until.get().is_some() {
            self.bytes_max.saturating_mul(2)
        } else {
            self.bytes_max
        }
    }

    /// Writes as many of `rest` as it can, and leaves the others in it.
    pub(in crate::dead_letter) fn append(
        &self,
        rest: &mut &[Letter<'_>],
    ) -> Result<(), DeadLetterError> {
        while !rest.is_empty() {
            let batch = self.batch(rest);
            let bytes = batch.iter().map(|entry| entry.body.len() as u64).sum();
            self.make_sure_of_room(bytes)?;
            let writing =
                if self.replay_until.get().is_some() { Writing::Replace } else { Writing::Create };
            self.index.write(&batch, writing).map_err(|why| self.error(why))?;
            self.lock().bytes += bytes;
            *rest = &rest[batch.len()..];
        }
        Ok(())
    }

    /// The first of the letters, as many as one request takes.
    fn batch(&self, letters: &[Letter<'_>]) -> Vec<Entry> {
        let now = self.now();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for letter in letters.iter().take(BATCH_LETTERS_MAX) {
            let entry = entry::entry(letter, self.index.owner(), now);
            bytes += entry.body.len();
            if bytes > BATCH_BYTES_MAX && !batch.is_empty() {
                break;
            }
            batch.push(entry);
        }
        batch
    }

    fn now(&self) -> jiff::Timestamp {
        let now = jiff::Timestamp::now();
        let after = self
            .replay_until
            .get()
            .and_then(|until| jiff::Timestamp::from_millisecond(until + 1).ok());
        after.map_or(now, |after| now.max(after))
    }

    fn make_sure_of_room(&self, bytes: u64) -> Result<(), DeadLetterError> {
        let bytes_max = self.bytes_max();
        // Under the lock: one look serves all.
        let mut room = self.lock();
        if room.looked.is_none_or(|at| at.elapsed() >= LOOK_INTERVAL)
            || room.bytes + bytes > bytes_max
        {
            let usage = self.index.usage().map_err(|why| self.error(why))?;
            if usage.is_none() {
                self.index.make().map_err(|why| self.error(why))?;
            }
            *room = Room { looked: Some(Instant::now()), bytes: usage.unwrap_or_default().bytes };
        }
        if room.bytes + bytes <= bytes_max {
            return Ok(());
        }
        Err(DeadLetterError::IndexFull {
            index: self.index.name().to_owned(),
            bytes: room.bytes,
            bytes_max,
        })
    }

    fn error(&self, why: Unavailable) -> DeadLetterError {
        write_error(&*self.index, why)
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Room> {
        self.room.lock()
    }
}

pub(in crate::dead_letter) fn write_error(index: &dyn Index, why: Unavailable) -> DeadLetterError {
    let index = index.name().to_owned();
    match why {
        Unavailable::Outage(why) => DeadLetterError::IndexOutage { index, why },
        Unavailable::Refused(why) => DeadLetterError::IndexRefused { index, why },
    }
}
