//! Letters in an index: what weir needs of one, and how letters are written to it and read from it.
//!
//! Constraints: nothing here knows HTTP: whoever does offers an [`Index`]. All of it blocks, as a
//! folder does.
//!
//! Invariants: [`Writer::append`] has written what it has taken off the front of its letters. In a
//! run a letter that is there already stays as it is (`create`); in a replay it is written anew, so
//! that it has another [`Version`] than the one that was read, and the replay, which removes only
//! what it has read, leaves it there.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::entry::{self, Entry, Owner};
use super::letter::{LetterId, LetterLine, ReadError, Version};
use super::{DeadLetterError, Letter};

/// Bytes of one request, unless a letter alone has more.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Letters of one request.
const BATCH_LETTERS_MAX: usize = 500;
/// How old the last look at what the index holds may be when something is written. A search sees
/// what was written with as much delay, so looking more often would tell no more.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Why nothing, or not everything, was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It will pass without help: no connection, a timeout, 429, 5xx.
    Outage(String),
    /// It needs a person: a right, the password, the index itself.
    Refused(String),
}

/// What an index holds of one owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The sum of the letters' `bytes`.
    pub bytes: u64,
    /// The newest letter's time in ms since the epoch.
    pub newest: Option<i64>,
}

/// What becomes of a letter whose id is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// It stays as it is.
    Create,
    /// It is written anew.
    Replace,
}

/// Which letters to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only these.
    pub ids: Option<Vec<LetterId>>,
    /// Only those that are no newer, in ms since the epoch.
    pub until: Option<i64>,
}

/// A letter as it is found, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stub {
    /// Which.
    pub id: LetterId,
    /// Its time, in ms since the epoch: what it is sorted by, before its id.
    pub time: i64,
    /// Its `bytes`.
    pub bytes: u64,
}

/// A letter as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub id: LetterId,
    /// Which of its contents.
    pub version: Version,
    /// Its document.
    pub source: Vec<u8>,
}

/// An index of letters, of one [`Owner`]: what an HTTP client does for this module. Every method is
/// one attempt, and blocks.
pub trait Index: fmt::Debug + Send + Sync {
    /// The index's name.
    fn name(&self) -> &str;

    /// Whose letters it is asked for.
    fn owner(&self) -> &Owner;

    /// What it holds; `None` when there is no such index.
    ///
    /// # Errors
    ///
    /// When that is not to be known, here as below.
    fn usage(&self) -> Result<Option<Usage>, Trouble>;

    /// Makes the index, unless it is there.
    ///
    /// # Errors
    ///
    /// When it could not.
    fn make(&self) -> Result<(), Trouble>;

    /// Writes all of them durably. After an error any of them may have been written.
    ///
    /// # Errors
    ///
    /// When not all are there.
    fn write(&self, entries: &[Entry], writing: Writing) -> Result<(), Trouble>;

    /// A page of those that there are behind the last one; none when there are no more.
    ///
    /// # Errors
    ///
    /// As above.
    fn page(&self, query: &Query, behind: Option<&Stub>) -> Result<Vec<Stub>, Trouble>;

    /// These letters, without those that are gone.
    ///
    /// # Errors
    ///
    /// As above.
    fn read(&self, ids: &[LetterId]) -> Result<Vec<Found>, Trouble>;

    /// Removes letters that are what they were when they were read. After an error any of them may
    /// be gone.
    ///
    /// # Errors
    ///
    /// When some may be there that should not.
    fn remove(&self, letters: &[(LetterId, Version)]) -> Result<(), Trouble>;

    /// How long to wait after so many failures in a row.
    fn wait(&self, failures: u32) -> Duration;
}

/// Writes letters; usable from any thread.
#[derive(Debug)]
pub(super) struct Writer {
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
    pub(super) fn new(index: Arc<dyn Index>, bytes_max: u64) -> Writer {
        Writer { index, bytes_max, replay_until: OnceLock::new(), room: Mutex::default() }
    }

    pub(super) fn index(&self) -> &Arc<dyn Index> {
        &self.index
    }

    /// Answers the time of the newest letter, which is the last to be replayed; `None` when there
    /// is none. What is written from now on replaces, and is newer. It may take as much room
    /// again as the bound is: each letter that comes takes the place of one that then goes.
    pub(super) fn begin_replay(&self) -> Result<Option<i64>, DeadLetterError> {
        let usage = self.index.usage().map_err(|trouble| self.error(trouble))?;
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
    pub(super) fn append(&self, rest: &mut &[Letter<'_>]) -> Result<(), DeadLetterError> {
        while !rest.is_empty() {
            let batch = self.batch(rest);
            let bytes = batch.iter().map(|entry| entry.body.len() as u64).sum();
            self.make_sure_of_room(bytes)?;
            let writing =
                if self.replay_until.get().is_some() { Writing::Replace } else { Writing::Create };
            self.index.write(&batch, writing).map_err(|trouble| self.error(trouble))?;
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
            let usage = self.index.usage().map_err(|trouble| self.error(trouble))?;
            if usage.is_none() {
                self.index.make().map_err(|trouble| self.error(trouble))?;
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

    fn error(&self, trouble: Trouble) -> DeadLetterError {
        write_error(&*self.index, trouble)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(|e| e.into_inner())
    }
}

pub(super) fn write_error(index: &dyn Index, trouble: Trouble) -> DeadLetterError {
    let index = index.name().to_owned();
    match trouble {
        Trouble::Outage(why) => DeadLetterError::IndexOutage { index, why },
        Trouble::Refused(why) => DeadLetterError::IndexRefused { index, why },
    }
}

pub(super) fn read_error(index: &dyn Index, trouble: Trouble) -> ReadError {
    let (why, may_pass) = match trouble {
        Trouble::Outage(why) => (why, true),
        Trouble::Refused(why) => (why, false),
    };
    ReadError::Index { index: index.name().to_owned(), why, may_pass }
}

/// The letters of an index, oldest first. A few are in memory at a time. After an error it may be
/// asked again, and goes on where it was.
#[derive(Debug)]
pub(super) struct Letters {
    index: Arc<dyn Index>,
    query: Query,
    last: Option<Stub>,
    is_last_page: bool,
    stubs: VecDeque<Stub>,
    lines: VecDeque<LetterLine>,
}

impl Letters {
    pub(super) fn new(index: Arc<dyn Index>, query: Query) -> Letters {
        let (stubs, lines) = (VecDeque::new(), VecDeque::new());
        Letters { index, query, last: None, is_last_page: false, stubs, lines }
    }

    fn fill(&mut self) -> Result<(), Trouble> {
        while self.lines.is_empty() {
            if self.stubs.is_empty() {
                if self.is_last_page {
                    return Ok(());
                }
                let page = self.index.page(&self.query, self.last.as_ref())?;
                self.is_last_page = page.is_empty();
                self.last = page.last().copied().or(self.last);
                self.stubs = page.into();
            }
            let ids = self.first_ids();
            if ids.is_empty() {
                continue;
            }
            let mut found = self.index.read(&ids)?;
            // A search answers in an order of its own.
            found.sort_by_key(|found| ids.iter().position(|id| *id == found.id));
            self.stubs.drain(..ids.len());
            self.lines.extend(found.into_iter().map(|found| LetterLine {
                id: found.id,
                text: entry::line(&found.source),
                is_whole: true,
                version: Some(found.version),
            }));
        }
        Ok(())
    }

    /// Of the stubs as many as one request takes.
    fn first_ids(&self) -> Vec<LetterId> {
        let mut bytes = 0;
        let mut ids = Vec::new();
        for stub in &self.stubs {
            bytes += stub.bytes;
            if bytes > BATCH_BYTES_MAX as u64 && !ids.is_empty() {
                break;
            }
            ids.push(stub.id);
        }
        ids
    }
}

impl Iterator for Letters {
    type Item = Result<LetterLine, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(trouble) = self.fill() {
            return Some(Err(read_error(&*self.index, trouble)));
        }
        self.lines.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests;
