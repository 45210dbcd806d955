//! One replay of a folder's letters: which are on their way, and which have arrived and go out of the folder.
//!
//! Constraint: every letter's event gets an outcome as any other does, and one that fails again becomes a new letter, in a
//! file that the replay does not read, before its event is settled. So a letter whose events are settled, however, has
//! nothing more to do in the folder.
//!
//! Invariant: a letter leaves the folder after all its events are settled. A crash before that leaves it there, to be
//! replayed twice; none is ever lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::folder::LetterId;
use super::{DeadLetterError, rewrite};
use crate::ledger::Settlement;

/// A replay of one folder, which this process owns; cheap to clone.
#[derive(Clone, Debug)]
pub struct Replay {
    folder: PathBuf,
    files: Arc<[u64]>,
    state: Arc<Mutex<State>>,
}

/// By the file's number.
type State = BTreeMap<u64, Progress>;

#[derive(Debug, Default)]
struct Progress {
    /// Letters that are on their way.
    open: u64,
    /// Lines of those that have arrived.
    done: BTreeSet<u64>,
    /// No more letters of it will set out.
    is_read: bool,
}

impl Replay {
    pub(super) fn new(folder: PathBuf, files: Vec<u64>) -> Replay {
        Replay { folder, files: files.into(), state: Arc::default() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The numbers of the files that there were before, ascending: what fails again goes into others.
    pub fn files(&self) -> &[u64] {
        &self.files
    }

    /// A letter sets out.
    pub fn begin(&self, id: LetterId) -> Sending {
        self.lock().entry(id.file).or_default().open += 1;
        let open = AtomicU64::new(1);
        Sending { way: Arc::new(Way { id, open, state: self.state.clone() }), events: 0 }
    }

    /// All letters of the file that are to set out have done so. Takes out of the folder what can be by now. Blocks on the
    /// disk.
    ///
    /// # Errors
    ///
    /// When a file cannot be rewritten; what is in it is tried again.
    pub fn file_is_read(&self, number: u64) -> Result<(), DeadLetterError> {
        self.lock().entry(number).or_default().is_read = true;
        // Not those that have letters on their way: each rewriting copies the file.
        self.remove_where(|progress| progress.is_read && progress.open == 0)
    }

    /// Takes all letters that have arrived out of the folder. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// When a file cannot be rewritten: its letters are still there.
    pub fn remove_arrived(&self) -> Result<(), DeadLetterError> {
        self.remove_where(|_| true)
    }

    fn remove_where(&self, is_due: impl Fn(&Progress) -> bool) -> Result<(), DeadLetterError> {
        let of = |state: &State| -> Vec<(u64, BTreeSet<u64>)> {
            let due = state.iter().filter(|(_, progress)| !progress.done.is_empty() && is_due(progress));
            due.map(|(number, progress)| (*number, progress.done.clone())).collect()
        };
        // Not under the lock: those who settle must not wait for the disk.
        let due = of(&self.lock());
        for (number, done) in due {
            rewrite::remove(&self.folder, number, &done).map_err(|error| DeadLetterError::Io {
                path: super::folder::path(&self.folder, number),
                error,
            })?;
            if let Some(progress) = self.lock().get_mut(&number) {
                progress.done.retain(|line| !done.contains(line));
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|e| e.into_inner())
}

/// A letter whose events are being sent. One that is dropped before [`Sending::sent`] stays in the folder.
#[derive(Debug)]
pub struct Sending {
    way: Arc<Way>,
    events: u64,
}

impl Sending {
    /// Some of its events are about to be sent; the answer is told when they are settled.
    pub fn ticket(&mut self, events: u64) -> Arc<dyn Settlement> {
        self.events += events;
        self.way.open.fetch_add(events, Ordering::AcqRel);
        self.way.clone()
    }

    /// All its events were sent: how many. A letter without one stays in the folder.
    pub fn sent(self) -> u64 {
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
    /// Its events that are not settled, and one while it may still be given more.
    open: AtomicU64,
    state: Arc<Mutex<State>>,
}

impl Way {
    fn end(&self, has_arrived: bool) {
        let mut state = lock(&self.state);
        let progress = state.entry(self.id.file).or_default();
        progress.open -= 1;
        if has_arrived {
            progress.done.insert(self.id.line);
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
    use crate::dead_letter::folder;

    /// A folder with one file of so many letters.
    fn of(letters: u64) -> (tempfile::TempDir, Replay) {
        let temp = tempfile::tempdir().unwrap();
        let text: String = (1..=letters).map(|number| format!("{number}\n")).collect();
        std::fs::write(folder::path(temp.path(), 1), text).unwrap();
        let replay = Replay::new(temp.path().to_owned(), vec![1]);
        (temp, replay)
    }

    fn left(replay: &Replay) -> Vec<u64> {
        folder::lines(replay.folder(), 1).unwrap().map(|line| line.unwrap().id.line).collect()
    }

    fn id(line: u64) -> LetterId {
        LetterId { file: 1, line }
    }

    #[test]
    fn a_letter_of_several_chunks_goes_when_all_of_them_are_settled() {
        let (_temp, replay) = of(2);
        let mut sending = replay.begin(id(1));
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
        let mut sendings: Vec<Sending> = (1..=2).map(|line| replay.begin(id(line))).collect();
        let tickets: Vec<_> = sendings.iter_mut().map(|sending| sending.ticket(1)).collect();
        sendings.into_iter().for_each(|sending| assert_eq!(sending.sent(), 1));
        tickets[0].settled(1);
        replay.file_is_read(1).unwrap();
        assert_eq!(left(&replay), [1, 2, 3]);
        tickets[1].settled(1);
        replay.file_is_read(1).unwrap();
        assert_eq!(left(&replay), [3]);
    }

    #[test]
    fn a_letter_without_an_event_or_not_sent_whole_stays() {
        let (_temp, replay) = of(2);
        assert_eq!(replay.begin(id(1)).sent(), 0);
        let mut sending = replay.begin(id(2));
        sending.ticket(1).settled(1);
        drop(sending);
        replay.remove_arrived().unwrap();
        assert_eq!(left(&replay), [1, 2]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Begin,
        /// Of the letters the so-manieth gets so many events.
        Send(usize, u64),
        Sent(usize),
        /// Of the tickets the so-manieth: one event.
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
                        let sending = Some(replay.begin(id(letters.len() as u64 + 1)));
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
