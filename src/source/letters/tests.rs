//! Letters on their way, with workers and a sink that only take notes.

use std::path::Path;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::dead_letter::{DeadLetters, Filter, Letter, LetterStore, Where};
use crate::event::DocumentIdentity;
use crate::handoff::{Closed, SourceSender};
use crate::health::Health;
use crate::ledger::{Delivered, Held, Ledger, Snapshot, Tally};
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

const EVENT: &str =
    r#"{"metadata":{"name":"a","uid":"u","resourceVersion":"1"},"involvedObject":{"kind":"Pod"}}"#;

fn letter<'a>(source: &'a [u8], document: Option<&'a [u8]>) -> Letter<'a> {
    Letter { part: Where::Sink, reason: "mapping", detail: "d", source, document, identity: None }
}

/// A sink that keeps what it is given, and settles it at once.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Documents>>>);

impl Outbox for Notes {
    fn put(&self, documents: Documents, mut held: Held) -> Result<(), Closed> {
        settle(&mut held);
        self.0.lock().push(documents);
        Ok(())
    }
}

fn settle(held: &mut Held) {
    let mut tally = Tally::default();
    tally.delivered(Delivered::Created, held.count());
    held.settle(&tally);
}

/// How a replay of some letters ended.
struct Ended {
    /// What the workers got: the names of the events, and the details of what is malformed.
    events: Vec<String>,
    rejections: Vec<String>,
    documents: Vec<Documents>,
    counts: Counts,
    ledger: Snapshot,
    /// The lines that are left of the first file.
    left: Vec<u64>,
}

fn line_of(id: LetterId) -> u64 {
    match id {
        LetterId::Line { line, .. } => line,
        LetterId::Document(_) => panic!("a line"),
    }
}

/// Replays all of a folder; a drain has begun before, if so said.
fn replay_of(folder: &Path, sink_only: bool, encode: EncodeSettings, is_draining: bool) -> Ended {
    let process = Process::default();
    let Process { ledger, health, shutdown, .. } = &process;
    if is_draining {
        shutdown.drain.cancel();
    }
    let settings = LetterStore::Folder(folder.to_owned());
    let mut letters = DeadLetters::open(Some(&settings), ledger, health, shutdown).unwrap();
    let replay = letters.begin_replay().unwrap();
    let (sender, mut workers) = SourceSender::new(ledger.clone(), Default::default(), 2, 1);
    let (notes, account) = (Notes::default(), Account::default());
    let selection = Selection::All(Filter::default());
    let letters = Letters { selection, sink_only, account: account.clone() };
    let replayer = Replayer {
        letters,
        replay: replay.clone(),
        sender,
        process: process.clone(),
        encode,
        outbox: notes.clone(),
        on_read: |_| {},
    };
    let source = thread::spawn(move || replayer.run());
    let (mut events, mut rejections) = (Vec::new(), Vec::new());
    while let Some(mut work) = workers[0].blocking_recv() {
        for event in &work.chunk.events {
            let name = event.head.name.range();
            events.push(String::from_utf8_lossy(&work.chunk.event_bytes(event)[name]).into_owned());
        }
        rejections.extend(
            work.chunk
                .rejections
                .iter()
                .map(|rejection| format!("{}: {}", rejection.location, rejection.detail)),
        );
        settle(&mut work.held);
    }
    source.join().unwrap().unwrap();
    replay.remove_arrived().unwrap();
    let left = settings.look(true).unwrap().letters(None);
    let left = left.map(|line| line_of(line.unwrap().id)).collect();
    let documents = std::mem::take(&mut *notes.0.lock());
    Ended {
        events,
        rejections,
        documents,
        counts: account.counts(),
        ledger: ledger.snapshot(),
        left,
    }
}

/// A folder with these letters.
fn folder_of(letters: &[Letter<'_>]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings = LetterStore::Folder(folder.path().to_owned());
    let (ledger, shutdown) = (Ledger::default(), Shutdown::default());
    let store = DeadLetters::open(Some(&settings), &ledger, &Health::default(), &shutdown).unwrap();
    store.write_all("test", letters).unwrap();
    folder
}

fn replayed(letters: &[Letter<'_>], sink_only: bool) -> Ended {
    replay_of(folder_of(letters).path(), sink_only, EncodeSettings::default(), false)
}

#[test]
fn letters_are_framed_and_judged_each_on_its_own() {
    let list = format!(r#"{{"kind":"List","items":[{EVENT},{EVENT}]}}"#);
    let ended = replayed(
        &[
            letter(br#"{"kind":"Event","broken"#, None),
            letter(EVENT.as_bytes(), None),
            letter(list.as_bytes(), None),
            letter(br#"{"kind":"Pod"}"#, None),
        ],
        false,
    );
    assert_eq!(ended.events, ["a", "a", "a"]);
    insta::assert_snapshot!(ended.rejections.join("\n"), @r"
    line 1, column 1: the input ends inside this object
    line 1, column 1: not an Event of v1 or events.k8s.io/v1: its kind is `Pod`, its apiVersion absent
    ");
    assert_eq!(ended.counts, Counts { sent: 4, is_complete: true, ..Counts::default() });
    assert_eq!((ended.ledger.replayed, ended.ledger.received), (5, 0));
    assert!(ended.ledger.is_balanced());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn a_letter_with_more_events_than_a_chunk_takes_goes_out_whole() {
    let many = EVENT.repeat(3000);
    let ended = replayed(&[letter(many.as_bytes(), None)], false);
    assert_eq!((ended.events.len(), ended.counts.sent, ended.left.len()), (3000, 1, 0));
}

#[test]
fn what_cannot_be_replayed_stays() {
    let cut = vec![b'x'; 64 << 10];
    let cut = Letter { part: Where::Source, reason: "too_large", ..letter(&cut, None) };
    let deleted = format!(r#"{{"type":"DELETED","object":{EVENT}}}"#);
    let letters =
        [cut, letter(b"", None), letter(EVENT.as_bytes(), None), letter(deleted.as_bytes(), None)];
    let ended = replayed(&letters, false);
    assert_eq!(ended.counts.kept, BTreeMap::from([(Kept::Cut, 1), (Kept::NoEvent, 2)]));
    assert_eq!(ended.left, [1, 2, 4]);
    let two = EVENT.repeat(2);
    let letters = [cut, letter(EVENT.as_bytes(), Some(b"{}")), letter(two.as_bytes(), Some(b"{}"))];
    let ended = replayed(&letters, true);
    assert_eq!(ended.counts.kept, BTreeMap::from([(Kept::NoDocument, 1), (Kept::NoEvent, 1)]));
    assert_eq!((ended.documents.len(), ended.left), (1, vec![1, 3]));
}

#[test]
fn a_line_that_is_no_letter_stays_and_does_not_stop_the_rest() {
    let folder = folder_of(&[letter(EVENT.as_bytes(), None)]);
    let path = folder.path().join("00000001.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{{}}\n{text}{{\"version\":2}}\n{text}")).unwrap();
    let ended = replay_of(folder.path(), false, EncodeSettings::default(), false);
    assert_eq!(
        ended.counts,
        Counts { sent: 2, kept: [(Kept::Unreadable, 2)].into(), is_complete: true }
    );
    assert_eq!(ended.left, [1, 3]);
}

#[test]
fn in_a_drain_nothing_sets_out() {
    let folder = folder_of(&[letter(EVENT.as_bytes(), None)]);
    let ended = replay_of(folder.path(), false, EncodeSettings::default(), true);
    assert_eq!(ended.counts, Counts::default());
    assert_eq!(ended.left, [1]);
}

/// The id's parts, and both times.
fn address(documents: &Documents) -> (Vec<&[u8]>, i64, Option<i64>) {
    let [doc] = documents.docs.as_slice() else { panic!("one document") };
    let of = |range: &std::ops::Range<usize>| &documents.bytes[range.clone()];
    let id = match doc.identity.as_ref().unwrap() {
        DocumentIdentity::Object { uid, version } => vec![of(uid), of(version)],
        DocumentIdentity::Digest(hex) => vec![of(hex)],
    };
    (id, doc.index_time, doc.event_time)
}

fn any_event() -> impl Strategy<Value = serde_json::Value> {
    let time = || proptest::option::of("20[0-4][0-9]-0[1-9]-1[0-9]T0[0-9]:00:00Z");
    let version = proptest::option::of("[0-9]{0,3}");
    (time(), time(), time(), proptest::option::of("[a-z\"é]{0,4}"), version).prop_map(
        |(last, created, managed, uid, version)| {
            serde_json::json!({
                "metadata": {
                    "uid": uid, "resourceVersion": version, "creationTimestamp": created,
                    "managedFields": [{ "time": managed }],
                },
                "involvedObject": { "kind": "Pod" },
                "lastTimestamp": last,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_document_goes_to_the_id_and_the_index_that_its_event_has(event in any_event(), body in any::<u32>()) {
        let source = event.to_string();
        let document = format!(r#"{{"@timestamp":"1999-01-01T00:00:00Z","edited":{body}}}"#);
        let settings = EncodeSettings {
            identity: true,
            keep_source: true,
            cluster: Some("c".into()),
            ..EncodeSettings::default()
        };
        let folder = folder_of(&[letter(source.as_bytes(), Some(document.as_bytes()))]);
        let ended = replay_of(folder.path(), true, settings.clone(), false);
        let replayed = ended.documents.into_iter().next().unwrap();

        // As the run that it died in had addressed it.
        let (mut chunk, mut expected) = (Chunk::default(), Documents::default());
        let mut frames = Frames::new("f".into(), Metrics::new(&Ledger::default()).unwrap().source);
        let mut framer = Framer::new();
        framer.push(source.as_bytes(), &mut chunk, &mut frames);
        framer.detach(&mut chunk);
        let event = &chunk.events[0];
        let of = Original { bytes: chunk.event_bytes(event), head: &event.head, members: chunk.event_members(event) };
        encode(EventView { of, edits: &Edits::default() }, source.as_bytes(), &[], &settings, &mut expected);

        prop_assert_eq!(address(&replayed), address(&expected));
        prop_assert_eq!(replayed.body(&replayed.docs[0]), document.as_bytes());
        prop_assert_eq!(replayed.source(&replayed.docs[0]), source.as_bytes());
        prop_assert_eq!(ended.left, Vec::<u64>::new());
    }
}
