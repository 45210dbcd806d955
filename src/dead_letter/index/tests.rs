//! An index in memory that fails as it is told, and what letters come to in it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::entry::Entry;
use super::interface::{Found, Stub, Usage, Writing};
use super::*;
use crate::dead_letter::kept::{LetterId, LetterLine, ReadError, Version};
use crate::dead_letter::letter::Letter;
use crate::dead_letter::{DeadLetters, Filter, Kept, Record, Replay, Selection, Where};
use crate::health::Health;
use crate::ledger::Ledger;
use crate::opensearch::Unavailable;
use crate::shutdown::Shutdown;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing of it is done.
    Away,
    /// This many of its letters are written, and no answer comes.
    LostAnswer(usize),
    Forbidden,
}

#[derive(Debug, Default)]
struct State {
    exists: bool,
    /// Document and `_seq_no`, by id.
    letters: BTreeMap<LetterId, (serde_json::Value, u64)>,
    seq_no: u64,
    faults: VecDeque<Fault>,
    /// Behind those, every one.
    lasting: Option<Fault>,
}

#[derive(Debug)]
struct Fake {
    owner: Owner,
    page_max: usize,
    writes: AtomicUsize,
    /// It knows no `search_after`: each page is the first one.
    repeats_pages: AtomicBool,
    /// It answers each letter so often.
    copies: AtomicUsize,
    state: Mutex<State>,
}

impl Fake {
    fn new(faults: &[Fault]) -> Arc<Fake> {
        let state = State { faults: faults.iter().copied().collect(), ..State::default() };
        let owner = Owner { pipeline: "p".into(), cluster: None };
        Arc::new(Fake {
            owner,
            page_max: 3,
            writes: AtomicUsize::new(0),
            repeats_pages: AtomicBool::new(false),
            copies: AtomicUsize::new(1),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn fault(&self) -> Option<Fault> {
        {
            let mut state = self.state();
            state.faults.pop_front().or(state.lasting)
        }
    }

    /// For a request that has either all its effect or none.
    fn whole(&self) -> Result<(), Unavailable> {
        match self.fault() {
            None => Ok(()),
            Some(Fault::Forbidden) => Err(Unavailable::Refused("status 403: no right".into())),
            Some(_) => Err(Unavailable::Outage("it is away".into())),
        }
    }

    fn reasons(&self) -> Vec<String> {
        let text =
            |(body, _): &(serde_json::Value, u64)| body["reason"].as_str().unwrap().to_owned();
        self.state().letters.values().map(text).collect()
    }
}

fn stub((id, (body, _)): (&LetterId, &(serde_json::Value, u64))) -> Stub {
    let time: jiff::Timestamp = body["@timestamp"].as_str().unwrap().parse().unwrap();
    Stub { id: *id, time: time.as_millisecond(), bytes: body["bytes"].as_u64().unwrap() }
}

impl Index for Fake {
    fn name(&self) -> &str {
        "letters"
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn usage(&self) -> Result<Option<Usage>, Unavailable> {
        self.whole()?;
        let state = self.state();
        let stubs: Vec<Stub> = state.letters.iter().map(stub).collect();
        let usage = Usage {
            bytes: stubs.iter().map(|stub| stub.bytes).sum(),
            newest: stubs.iter().map(|stub| stub.time).max(),
        };
        Ok(state.exists.then_some(usage))
    }

    fn make(&self) -> Result<(), Unavailable> {
        self.whole()?;
        self.state().exists = true;
        Ok(())
    }

    fn write(&self, entries: &[Entry], writing: Writing) -> Result<(), Unavailable> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault();
        let done = match fault {
            None => entries.len(),
            Some(Fault::LostAnswer(count)) => count.min(entries.len()),
            Some(_) => 0,
        };
        let mut state = self.state();
        assert!(state.exists, "an index that was made by writing to it has another mapping");
        for entry in &entries[..done] {
            if writing == Writing::Replace || !state.letters.contains_key(&entry.id) {
                state.seq_no += 1;
                let version = state.seq_no;
                state
                    .letters
                    .insert(entry.id, (serde_json::from_slice(&entry.body).unwrap(), version));
            }
        }
        match fault {
            None => Ok(()),
            Some(Fault::Forbidden) => Err(Unavailable::Refused("status 403: no right".into())),
            Some(_) => Err(Unavailable::Outage("it is away".into())),
        }
    }

    fn page(&self, query: &Query, behind: Option<&Stub>) -> Result<Vec<Stub>, Unavailable> {
        self.whole()?;
        let behind = behind.filter(|_| !self.repeats_pages.load(Ordering::Relaxed));
        let state = self.state();
        let mut stubs: Vec<Stub> = state.letters.iter().map(stub).collect();
        stubs.sort_by_key(|stub| (stub.time, stub.id));
        stubs.retain(|stub| {
            query.until.is_none_or(|until| stub.time <= until)
                && query.ids.as_ref().is_none_or(|ids| ids.contains(&stub.id))
                && behind.is_none_or(|last| (stub.time, stub.id) > (last.time, last.id))
        });
        stubs.truncate(self.page_max);
        Ok(stubs)
    }

    fn read(&self, ids: &[LetterId]) -> Result<Vec<Found>, Unavailable> {
        self.whole()?;
        let state = self.state();
        let found = |id: &LetterId| {
            let (body, seq_no) = state.letters.get(id)?;
            let version = Version { seq_no: *seq_no, primary_term: 1 };
            Some(Found { id: *id, version, source: body.to_string().into_bytes() })
        };
        let copies = self.copies.load(Ordering::Relaxed);
        Ok((0..copies).flat_map(|_| ids.iter().rev().filter_map(found)).collect())
    }

    fn remove(&self, letters: &[(LetterId, Version)]) -> Result<(), Unavailable> {
        self.whole()?;
        let mut state = self.state();
        for (id, version) in letters {
            if state.letters.get(id).is_some_and(|(_, seq_no)| *seq_no == version.seq_no) {
                state.letters.remove(id);
            }
        }
        Ok(())
    }

    fn wait(&self, _failures: u32) -> Duration {
        Duration::ZERO
    }
}

fn open(fake: &Arc<Fake>, bytes_max: u64) -> (DeadLetters, Health, Shutdown) {
    let (health, shutdown) = (Health::default(), Shutdown::default());
    let kept = Kept::Index(Writer::new(fake.clone(), bytes_max));
    (DeadLetters::of(Some(kept), &Ledger::default(), &health, &shutdown), health, shutdown)
}

fn letter<'a>(source: &'a [u8], reason: &'a str) -> Letter<'a> {
    Letter { part: Where::Sink, reason, detail: "d", source, document: None, identity: None }
}

fn all(fake: &Arc<Fake>) -> Vec<Record> {
    let letters = Letters::new(fake.clone(), Query::default());
    letters.map(|line| line.unwrap().record().unwrap()).collect()
}

fn until(is: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never came to that");
        std::thread::yield_now();
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        Just(Fault::Away),
        (0usize..6).prop_map(Fault::LostAnswer),
        Just(Fault::Forbidden)
    ];
    proptest::collection::vec(fault, 0..12)
}

fn sources() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_fails_each_event_is_one_letter_when_its_writing_has_returned(
        sources in sources(), faults in faults(),
    ) {
        let fake = Fake::new(&faults);
        let letters: Vec<Letter<'_>> = sources.iter().map(|source| letter(source, "r")).collect();
        let (dead_letters, health, _) = open(&fake, 1 << 20);
        dead_letters.write_all("task", &letters).unwrap();
        prop_assert!(health.readiness().lines == ["dead letters: ok"]);
        // A crash before their events were settled: all again.
        fake.state().faults = faults.into();
        open(&fake, 1 << 20).0.write_all("task", &letters).unwrap();
        fake.state().faults.clear();
        let mut kept: Vec<Vec<u8>> = all(&fake).into_iter().map(|record| record.source).collect();
        let mut expected = sources;
        expected.sort();
        expected.dedup();
        kept.sort();
        prop_assert_eq!(kept, expected);
    }

    #[test]
    fn letters_are_read_once_each_and_in_order_whatever_fails_in_between(sources in sources(), faults in faults()) {
        let fake = Fake::new(&[]);
        for source in &sources {
            open(&fake, 1 << 20).0.write_all("task", &[letter(source, "r")]).unwrap();
        }
        let before: Vec<LetterId> = Letters::new(fake.clone(), Query::default()).map(|line| line.unwrap().id).collect();
        prop_assert_eq!(before.len(), fake.state().letters.len());
        fake.state().faults = faults.clone().into();
        let failures = faults.len();
        let read: Vec<_> = Letters::new(fake.clone(), Query::default()).collect();
        prop_assert!(read.iter().filter(|line| line.is_err()).count() <= failures);
        let ids: Vec<LetterId> = read.into_iter().filter_map(Result::ok).map(|line| line.id).collect();
        prop_assert_eq!(ids, before);
    }

    /// Of each letter that is replayed: whether its event is delivered or fails again, and whether
    /// a crash comes before the removal.
    #[test]
    fn a_replay_removes_what_was_delivered_and_leaves_what_failed_again_once(
        sources in sources(), fates in proptest::collection::vec((any::<bool>(), any::<bool>()), 12), is_killed in any::<bool>(),
    ) {
        let fake = Fake::new(&[]);
        let letters: Vec<Letter<'_>> = sources.iter().map(|source| letter(source, "old")).collect();
        open(&fake, 1 << 20).0.write_all("task", &letters).unwrap();
        let before = all(&fake).len();

        let (mut dead_letters, ..) = open(&fake, 1 << 20);
        let replay = dead_letters.begin_replay().unwrap();
        let (mut failed, mut sent) = (0, 0);
        for ((line, record), (is_delivered, is_settled)) in lines(&replay).zip(fates) {
            let mut sending = replay.begin(&line);
            let ticket = sending.ticket(1);
            sending.sent();
            sent += 1;
            if !is_delivered {
                dead_letters.write_all("task", &[letter(&record.source, "new")]).unwrap();
                failed += 1;
            }
            if is_settled || !is_delivered {
                ticket.settled(1);
            } else {
                failed += 1; // Stays as it is: it has no outcome.
            }
        }
        prop_assert_eq!(sent, before, "each once, those that failed again not again");
        if is_killed {
            prop_assert_eq!(fake.state().letters.len(), before);
        } else {
            replay.remove_arrived().unwrap();
            prop_assert_eq!(fake.state().letters.len(), failed);
        }
    }
}

fn lines(replay: &Replay) -> impl Iterator<Item = (LetterLine, Record)> {
    let selection = Selection::All(Filter::default());
    let parts = replay.parts(&selection).into_iter();
    let letters = parts.flat_map({
        let replay = replay.clone();
        move |part| replay.letters(part, &selection).unwrap()
    });
    letters.map(|line| line.unwrap()).map(|line| (line.clone(), line.record().unwrap()))
}

#[test]
fn a_letter_that_fails_again_in_a_replay_has_the_new_reason_and_one_that_is_written_again_in_a_run_has_the_old()
 {
    let fake = Fake::new(&[]);
    open(&fake, 1 << 20).0.write_all("task", &[letter(b"x", "first")]).unwrap();
    open(&fake, 1 << 20).0.write_all("task", &[letter(b"x", "second")]).unwrap();
    assert_eq!(fake.reasons(), ["first"]);
    let (mut dead_letters, ..) = open(&fake, 1 << 20);
    dead_letters.begin_replay().unwrap();
    dead_letters.write_all("task", &[letter(b"x", "third")]).unwrap();
    assert_eq!(fake.reasons(), ["third"]);
}

#[test]
fn an_outage_is_a_note_a_refusal_fails_readiness_and_what_is_refused_is_held_until_it_is_mended() {
    let fake = Fake::new(&[]);
    fake.state().lasting = Some(Fault::Away);
    let (dead_letters, health, _shutdown) = open(&fake, 1 << 20);
    let writer = std::thread::spawn(move || dead_letters.write_all("task", &[letter(b"x", "r")]));
    let said = || health.readiness().lines.join("\n");
    until(|| said().contains("away"));
    insta::assert_snapshot!(said(), @"dead letters: ok (the dead letters cannot be written to the index letters for now: it is away; events are held, and it is tried again)");
    assert!(health.readiness().ok);
    fake.state().lasting = Some(Fault::Forbidden);
    until(|| !health.readiness().ok);
    insta::assert_snapshot!(said(), @"dead letters: not ok: the dead letters cannot be written to the index letters: status 403: no right");
    assert_eq!(health.liveness(Instant::now()).lines, ["task: ok"]);
    assert!(!writer.is_finished());
    fake.state().lasting = None;
    writer.join().unwrap().unwrap();
    assert_eq!((health.readiness().ok, fake.state().letters.len()), (true, 1));
}

#[test]
fn a_full_index_pauses_who_writes_until_somebody_makes_room() {
    let fake = Fake::new(&[]);
    let one = entry::entry(&letter(b"x", "r"), &fake.owner, jiff::Timestamp::UNIX_EPOCH).body.len()
        as u64;
    let (dead_letters, health, _shutdown) = open(&fake, one + 10);
    dead_letters.write_all("task", &[letter(b"x", "r")]).unwrap();
    let writer = std::thread::spawn(move || dead_letters.write_all("task", &[letter(b"y", "r")]));
    until(|| !health.readiness().ok);
    insta::assert_snapshot!(health.readiness().lines.join("\n"), @"dead letters: not ok: the dead letters in the index letters are full (165 bytes of at most 187), and none is ever thrown away: find out why so many events fail, and replay them (`weir dead-letter replay`) or delete those that were dealt with");
    assert_eq!(fake.state().letters.len(), 1, "none is thrown away for another");
    fake.state().letters.clear();
    writer.join().unwrap().unwrap();
    assert_eq!((health.readiness().ok, fake.state().letters.len()), (true, 1));
}

#[test]
fn the_end_of_the_run_ends_the_wait_for_an_index() {
    let fake = Fake::new(&[]);
    fake.state().lasting = Some(Fault::Away);
    let (dead_letters, health, shutdown) = open(&fake, 1 << 20);
    let writer = std::thread::spawn(move || dead_letters.write_all("task", &[letter(b"x", "r")]));
    until(|| health.readiness().lines.join("").contains("away"));
    shutdown.abort.cancel();
    let error = writer.join().unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"the dead letters cannot be written to the index letters for now: it is away");
}

#[test]
fn what_is_written_is_sent_in_requests_of_a_bounded_size() {
    let fake = Fake::new(&[]);
    let sources: Vec<Vec<u8>> = (0..5u8).map(|number| vec![b'a' + number; 2 << 20]).collect();
    let letters: Vec<Letter<'_>> = sources.iter().map(|source| letter(source, "r")).collect();
    let (dead_letters, ..) = open(&fake, 1 << 30);
    dead_letters.write_all("task", &letters).unwrap();
    // One for each, as two are more than 4 MiB.
    assert_eq!(fake.writes.load(Ordering::Relaxed), 5);
    let read = all(&fake)
        .into_iter()
        .map(|record| record.source)
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(read, sources.into_iter().collect());
}

#[test]
fn a_page_that_comes_again_is_an_outage_and_no_letter_is_read_twice() {
    let fake = Fake::new(&[]);
    let (letters, ..) = open(&fake, 1 << 20);
    let sources: Vec<String> = (0..5).map(|number| format!("{{\"n\":{number}}}")).collect();
    let some: Vec<Letter<'_>> = sources.iter().map(|it| letter(it.as_bytes(), "r")).collect();
    letters.write_all("sink", &some).unwrap();
    fake.copies.store(4, Ordering::Relaxed);
    assert_eq!(all(&fake).len(), 5, "each of them once");
    fake.repeats_pages.store(true, Ordering::Relaxed);
    let mut reading = Letters::new(fake.clone(), Query::default());
    assert_eq!(reading.by_ref().take(3).filter(Result::is_ok).count(), 3, "the first page");
    for _ in 0..3 {
        let error = reading.next().unwrap().unwrap_err();
        let ReadError::Index { why, may_pass: true, .. } = error else { panic!("{error}") };
        assert!(why.ends_with("comes again, or out of its order"), "{why}");
    }
    fake.repeats_pages.store(false, Ordering::Relaxed);
    assert_eq!(reading.count(), 2, "it goes on where it was");
}
