//! One replay of letters: which are on their way, and which have arrived and are removed from where
//! they were kept.
//!
//! Constraint: every letter's event gets an outcome as any other does, and one that fails again is
//! a letter again before its event is settled: in a file that the replay does not read, or in the
//! index with another version. So once the events of a letter are settled, whatever their outcome,
//! the version of it that was read is no longer needed.
//!
//! Invariant: a letter is removed after all its events are settled. A crash before that leaves it
//! there, to be replayed twice; none is ever lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::error::DeadLetterError;
use super::folder;
use super::index::{self, Index, Query};
use super::kept::{LetterId, LetterLine, ReadError, Version};
use super::letter_store::Letters;
use super::rewrite;
use super::selection::Selection;
use crate::folders::Folder;
use crate::ledger::Settlement;

/// Of an index, the letters of one request.
const REMOVE_MAX: usize = 500;
/// How often an index that does not answer is asked again at the end of a replay: for half a minute
/// or so.
const FAILURES_MAX: u32 = 8;
/// The only part of an index.
const WHOLE: u64 = 0;

/// A replay of what lies somewhere; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    from: From,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug)]
enum From {
    /// The folder, which this process owns, and the numbers of the files that there were before,
    /// ascending: what fails again goes into others.
    Folder(Folder, Arc<[u64]>),
    /// The index, and the time of the newest letter that there was before, if there was one: what
    /// fails again is newer.
    Index(Arc<dyn Index>, Option<i64>),
}

/// By part.
type State = BTreeMap<u64, Progress>;

#[derive(Debug, Default)]
struct Progress {
    /// Letters that are on their way.
    open: u64,
    /// Those that have arrived.
    done: BTreeMap<LetterId, Option<Version>>,
    /// No more letters of it will set out.
    is_read: bool,
}

impl Replay {
    pub(super) fn of_folder(folder: Folder, files: Vec<u64>) -> Replay {
        Replay { from: From::Folder(folder, files.into()), state: Arc::default() }
    }

    pub(super) fn of_index(index: Arc<dyn Index>, until: Option<i64>) -> Replay {
        Replay { from: From::Index(index, until), state: Arc::default() }
    }

    /// The parts that are read one after the other, of those that may hold what is asked for: a
    /// folder's files.
    pub(crate) fn parts(&self, selection: &Selection) -> Vec<u64> {
        let all = match &self.from {
            From::Folder(_, files) => files.to_vec(),
            From::Index(_, Some(_)) => vec![WHOLE],
            From::Index(_, None) => Vec::new(),
        };
        let may_hold = |part: &u64| match selection {
            Selection::Ids(ids) => ids.iter().any(|id| part_of(*id) == *part),
            Selection::All(_) => true,
        };
        all.into_iter().filter(may_hold).collect()
    }

    /// The letters of a part, and perhaps more than those that are asked for.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(crate) fn letters(&self, part: u64, selection: &Selection) -> Result<Letters, ReadError> {
        match &self.from {
            From::Folder(folder, _) => Ok(Box::new(folder::lines(folder, part)?)),
            From::Index(index, until) => {
                let ids = match selection {
                    Selection::Ids(ids) => Some(ids.iter().copied().collect()),
                    Selection::All(_) => None,
                };
                Ok(Box::new(index::Letters::new(index.clone(), Query { ids, until: *until })))
            }
        }
    }

    /// A letter sets out.
    pub(crate) fn begin(&self, letter: &LetterLine) -> Sending {
        self.lock().entry(part_of(letter.id)).or_default().open += 1;
        let (id, version) = (letter.id, letter.version);
        Sending {
            way: Arc::new(Way { id, version, open: AtomicU64::new(1), state: self.state.clone() }),
            events: 0,
        }
    }

    /// All letters of the part that are to set out have done so. Removes what can be by now.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// When something cannot be removed; that is tried again.
    pub(crate) fn part_is_read(&self, part: u64) -> Result<(), DeadLetterError> {
        self.lock().entry(part).or_default().is_read = true;
        // Not those that have letters on their way: each rewriting copies the file.
        self.remove_where(|progress| progress.is_read && progress.open == 0)
    }

    /// Removes what has arrived where that is one request for many: from an index, while it is
    /// read. Blocks.
    ///
    /// # Errors
    ///
    /// When something cannot be removed; that is tried again.
    pub(crate) fn remove_some(&self) -> Result<(), DeadLetterError> {
        match self.from {
            From::Folder(..) => Ok(()),
            From::Index(..) => self.remove_where(|progress| progress.done.len() >= REMOVE_MAX),
        }
    }

    /// Removes all letters that have arrived. Blocks.
    ///
    /// # Errors
    ///
    /// When some cannot be removed: they are still there.
    pub(crate) fn remove_arrived(&self) -> Result<(), DeadLetterError> {
        let mut failures = 0;
        loop {
            match (self.remove_where(|_| true), &self.from) {
                (Err(DeadLetterError::IndexOutage { why, .. }), From::Index(index, _))
                    if failures < FAILURES_MAX =>
                {
                    tracing::warn!(
                        "cannot remove the letters that were replayed: {why}; trying again"
                    );
                    std::thread::park_timeout(index.wait(failures));
                    failures += 1;
                }
                (removed, _) => return removed,
            }
        }
    }

    fn remove_where(&self, is_due: impl Fn(&Progress) -> bool) -> Result<(), DeadLetterError> {
        let of = |state: &State| -> Vec<(u64, BTreeMap<LetterId, Option<Version>>)> {
            let due =
                state.iter().filter(|(_, progress)| !progress.done.is_empty() && is_due(progress));
            due.map(|(part, progress)| (*part, progress.done.clone())).collect()
        };
        // Not under the lock: those who settle must not wait for the disk.
        let due = of(&self.lock());
        for (part, done) in due {
            self.remove(part, &done)?;
            if let Some(progress) = self.lock().get_mut(&part) {
                progress.done.retain(|id, _| !done.contains_key(id));
            }
        }
        Ok(())
    }

    fn remove(
        &self,
        part: u64,
        done: &BTreeMap<LetterId, Option<Version>>,
    ) -> Result<(), DeadLetterError> {
        match &self.from {
            From::Folder(folder, _) => {
                let lines = done.keys().filter_map(|id| match id {
                    LetterId::Line { line, .. } => Some(*line),
                    LetterId::Document(_) => None,
                });
                rewrite::remove(folder, part, &lines.collect()).map_err(|error| {
                    DeadLetterError::Io { path: folder.path_of(&folder::file_name(part)), error }
                })
            }
            From::Index(index, _) => {
                let letters: Vec<_> =
                    done.iter().filter_map(|(id, version)| Some((*id, (*version)?))).collect();
                let error = |why| index::write_error(&**index, why);
                letters.chunks(REMOVE_MAX).try_for_each(|some| index.remove(some).map_err(error))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

fn part_of(id: LetterId) -> u64 {
    match id {
        LetterId::Line { file, .. } => file,
        LetterId::Document(_) => WHOLE,
    }
}

/// A letter whose events are being sent. One that is dropped before [`Sending::sent`] stays where
/// it is.
#[derive(Debug)]
pub(crate) struct Sending {
    way: Arc<Way>,
    events: u64,
}

impl Sending {
    /// Some of its events are about to be sent; the answer is told when they are settled.
    pub(crate) fn ticket(&mut self, events: u64) -> Arc<dyn Settlement> {
        self.events += events;
        self.way.open.fetch_add(events, Ordering::AcqRel);
        self.way.clone()
    }

    /// All its events were sent: how many. A letter without one stays where it is.
    pub(crate) fn sent(self) -> u64 {
        if self.events == 0 {
            self.way.end(false);
        } else {
            self.way.settled(1);
        }
        self.events
    }
}

/// A letter on its way.
#[derive(Debug)]
struct Way {
    id: LetterId,
    /// What of it was read.
    version: Option<Version>,
    /// Its events that are not settled, and one while it may still be given more.
    open: AtomicU64,
    state: Arc<Mutex<State>>,
}

impl Way {
    fn end(&self, has_arrived: bool) {
        let mut state = self.state.lock();
        let progress = state.entry(part_of(self.id)).or_default();
        progress.open -= 1;
        if has_arrived {
            progress.done.insert(self.id, self.version);
        }
    }
}

impl Settlement for Way {
    fn settled(&self, count: u64) {
        let open = self.open.fetch_sub(count, Ordering::AcqRel);
        assert!(count <= open, "an event of letter {} was settled twice", self.id);
        if count == open {
            self.end(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A folder with one file of this many letters.
    fn of(letters: u64) -> (tempfile::TempDir, Replay) {
        let temp = tempfile::tempdir().unwrap();
        let text: String = (1..=letters).map(|number| format!("{number}\n")).collect();
        std::fs::write(temp.path().join(folder::file_name(1)), text).unwrap();
        let replay = Replay::of_folder(Folder::open(temp.path()).unwrap(), vec![1]);
        (temp, replay)
    }

    fn left(replay: &Replay) -> Vec<u64> {
        let From::Folder(folder, _) = &replay.from else { panic!("a folder") };
        let line = |id| match id {
            LetterId::Line { line, .. } => line,
            LetterId::Document(_) => panic!("a line"),
        };
        folder::lines(folder, 1).unwrap().map(|letter| line(letter.unwrap().id)).collect()
    }

    fn id(line: u64) -> LetterLine {
        let id = LetterId::Line { file: 1, line };
        LetterLine { id, text: Vec::new(), is_whole: true, version: None }
    }

    #[test]
    fn a_letter_of_several_chunks_goes_when_all_of_them_are_settled() {
        let (_temp, replay) = of(2);
        let mut sending = replay.begin(&id(1));
        let (first, second) = (sending.ticket(2), sending.ticket(1));
        first.settled(2);
        replay.remove_arrived().unwrap();
        assert_eq!(left(&replay), [1, 2], "more of it may come");
        assert_eq!(sending.sent(), 3);
        replay.remove_arrived().unwrap();
        assert_eq!(left(&replay), [1, 2]);
        second.settled(1);
        replay.remove_arrived().unwrap();
        assert_eq!(left(&replay), [2]);
    }

    #[test]
    fn a_file_is_not_rewritten_for_each_letter_but_when_all_that_set_out_have_arrived() {
        let (_temp, replay) = of(3);
        let mut sendings: Vec<Sending> = (1..=2).map(|line| replay.begin(&id(line))).collect();
        let tickets: Vec<_> = sendings.iter_mut().map(|sending| sending.ticket(1)).collect();
        sendings.into_iter().for_each(|sending| assert_eq!(sending.sent(), 1));
        tickets[0].settled(1);
        replay.part_is_read(1).unwrap();
        assert_eq!(left(&replay), [1, 2, 3]);
        tickets[1].settled(1);
        replay.part_is_read(1).unwrap();
        assert_eq!(left(&replay), [3]);
    }

    #[test]
    fn a_letter_without_an_event_or_not_sent_whole_stays() {
        let (_temp, replay) = of(2);
        assert_eq!(replay.begin(&id(1)).sent(), 0);
        let mut sending = replay.begin(&id(2));
        sending.ticket(1).settled(1);
        drop(sending);
        replay.remove_arrived().unwrap();
        assert_eq!(left(&replay), [1, 2]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Begin,
        /// The letter of this number gets this many events.
        Send(usize, u64),
        Sent(usize),
        /// One event of the ticket of this number.
        Settle(usize),
        Remove,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => Just(Step::Begin),
            3 => (any::<usize>(), 1u64..4).prop_map(|(which, events)| Step::Send(which, events)),
            2 => any::<usize>().prop_map(Step::Sent),
            6 => any::<usize>().prop_map(Step::Settle),
            1 => Just(Step::Remove),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// A letter of the model.
    #[derive(Default)]
    struct Model {
        sending: Option<Sending>,
        /// Events not settled, by ticket.
        tickets: Vec<(Arc<dyn Settlement>, u64)>,
    }

    proptest! {
        #[test]
        fn a_letter_is_gone_only_when_it_was_sent_whole_and_all_its_events_are_settled(steps in steps()) {
            let (_temp, replay) = of(12);
            let mut letters: Vec<Model> = Vec::new();
            for step in steps {
                match step {
                    Step::Begin if letters.len() < 12 => {
                        let sending = Some(replay.begin(&id(letters.len() as u64 + 1)));
                        letters.push(Model { sending, ..Model::default() });
                    }
                    Step::Send(which, events) if !letters.is_empty() => {
                        let index = which % letters.len();
                        let letter = &mut letters[index];
                        if let Some(sending) = &mut letter.sending {
                            letter.tickets.push((sending.ticket(events), events));
                        }
                    }
                    Step::Sent(which) if !letters.is_empty() => {
                        let index = which % letters.len();
                        if let Some(sending) = letters[index].sending.take() {
                            sending.sent();
                        }
                    }
                    Step::Settle(which) => {
                        let mut open: Vec<_> = letters
                            .iter_mut()
                            .flat_map(|letter| &mut letter.tickets)
                            .filter(|(_, events)| *events > 0)
                            .collect();
                        if !open.is_empty() {
                            let index = which % open.len();
                            let (ticket, events) = &mut open[index];
                            ticket.settled(1);
                            *events -= 1;
                        }
                    }
                    Step::Remove => replay.remove_arrived().unwrap(),
                    _ => {}
                }
            }
            replay.remove_arrived().unwrap();
            let is_gone = |letter: &Model| {
                letter.sending.is_none()
                    && !letter.tickets.is_empty()
                    && letter.tickets.iter().all(|(_, events)| *events == 0)
            };
            let stays = |line: &u64| letters.get(*line as usize - 1).is_none_or(|letter| !is_gone(letter));
            let expected: Vec<u64> = (1..=12).filter(stays).collect();
            prop_assert_eq!(left(&replay), expected);
        }
    }
}
