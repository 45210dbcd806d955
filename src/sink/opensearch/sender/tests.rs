//! The sink's machine, answer by answer.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::attempt::Progress;
use super::super::scheduler::{IN_FLIGHT_MAX, MIN_INTERVAL};
use super::super::tests::{Doc, documents};
use super::*;
use crate::handoff::Stored;
use crate::opensearch::{Response, TransportError};
use crate::sink::DateFormat;

/// A sink, and its clock.
struct Bench {
    sender: Sender,
    ledger: Ledger,
    now: Moment,
    /// Of each document that comes.
    body: &'static str,
}

impl Bench {
    /// Into `e`, or into an index a day.
    fn new(date: Option<DateFormat>) -> Bench {
        let ledger = Ledger::default();
        let settings = SenderSettings {
            pattern: IndexPattern { prefix: "e".into(), date, suffix: String::new() },
            writing: Writing {
                mode: Mode::History,
                duplicates: Duplicates::Forbid,
                can_refresh: true,
            },
            is_replay: false,
            clocks_apart: Duration::ZERO,
        };
        let sender = Sender::new(settings, &ledger, Takeover::at(0));
        let now = Moment { instant: Instant::now(), micros: 1_800_001_000_000_000 };
        Bench { sender, ledger, now, body: "{\"n\":1}" }
    }

    fn prepared(mut self, target: WriteTarget) -> Bench {
        self.sender.prepared(Known { target, index: None });
        self
    }

    fn admit(&mut self, uids: &[String]) -> Vec<Dead> {
        let doc = |uid| Doc { body: self.body, ..Doc::object(uid, "1") };
        let docs: Vec<Doc<'_>> = uids.iter().map(|uid| doc(uid)).collect();
        let held = self.ledger.receive(docs.len() as u64);
        let stored = Arc::new(Stored::new(documents(&docs), held, ()));
        self.sender.admit(Item::all_of(stored).collect())
    }

    /// What is sent of `uid`s that come now.
    fn send(&mut self, uids: &[&str]) -> Option<Attempt> {
        let uids: Vec<String> = uids.iter().map(|uid| (*uid).to_owned()).collect();
        assert!(self.admit(&uids).is_empty());
        self.now.instant += MIN_INTERVAL;
        self.sent()
    }

    fn sent(&mut self) -> Option<Attempt> {
        match self.sender.next(self.now, 0) {
            Next::Send(attempt) => Some(attempt),
            _ => None,
        }
    }

    fn answered(&mut self, attempt: Attempt, answer: Value) -> Outcome {
        match answer_to(attempt, answer) {
            Progress::Ended(ended) => self.sender.ended(ended, self.now, 0).unwrap(),
            Progress::Continues(attempt) => panic!("it goes on: {attempt:?}"),
        }
    }

    fn later(&mut self) {
        self.now.instant += Duration::from_secs(10);
    }
}

fn answer_to(attempt: Attempt, answer: Value) -> Progress {
    attempt.answered(
        Ok(Response {
            status: StatusCode::OK,
            body: answer.to_string().into(),
            ..Response::default()
        }),
        "h",
    )
}

fn none_found() -> Value {
    json!({
        "timed_out": false, "_shards": { "failed": 0 },
        "hits": { "total": { "value": 0 }, "hits": [] },
    })
}

/// Until its documents are sent: none of them is found.
fn looked_up(mut attempt: Attempt) -> Attempt {
    while attempt.documents().is_none() {
        match answer_to(attempt, none_found()) {
            Progress::Continues(next) => attempt = next,
            Progress::Ended(ended) => panic!("it has ended: {ended:?}"),
        }
    }
    attempt
}

fn items(count: usize, status: u16) -> Value {
    let kind = if status == 400 { "mapper_parsing_exception" } else { "" };
    let error = (status >= 400).then(|| json!({ "type": kind, "reason": "because" }));
    let item = json!({ "create": { "_index": "e-1", "status": status, "error": error } });
    json!({ "items": vec![item; count] })
}

fn ids(attempt: &mut Attempt) -> String {
    let body = String::from_utf8(attempt.request(0).body.into()).unwrap();
    let actions: Vec<Value> =
        body.lines().step_by(2).map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids = actions.iter().map(|action| action["create"]["_id"].as_str().unwrap());
    ids.collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_document_whose_id_is_on_its_way_waits_and_is_then_looked_up() {
    let mut bench = Bench::new(None).prepared(WriteTarget::Moves { look_up: true });
    let first = looked_up(bench.send(&["a", "b"]).unwrap());
    // From the spool, and read again.
    let mut second = looked_up(bench.send(&["a", "c", "c"]).unwrap());
    assert_eq!(ids(&mut second), "c.1");
    assert!(bench.send(&["b"]).is_none(), "nothing of it may go");
    bench.answered(first, items(2, 201));
    bench.later();
    let mut twins: Vec<String> = Vec::new();
    while let Some(attempt) = bench.sent() {
        assert!(attempt.documents().is_none(), "it may be stored by now");
        twins.push(ids(&mut looked_up(attempt)));
    }
    bench.answered(second, items(1, 201));
    while let Some(attempt) = bench.sent() {
        twins.push(ids(&mut looked_up(attempt)));
    }
    assert_eq!(twins, ["a.1", "b.1", "c.1"], "none is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_document_whose_twin_was_on_its_way_is_looked_up_although_its_event_is_new() {
    let mut bench = Bench::new(None).prepared(WriteTarget::Moves { look_up: true });
    // Ten seconds old, and nobody has taken over for longer.
    bench.body = r#"{"metadata":{"creationTimestamp":"2027-01-15T08:16:30Z"}}"#;
    let first = bench.send(&["a"]).unwrap();
    assert_eq!(first.documents(), Some(1), "nobody can have sent it before");
    assert!(bench.send(&["a"]).is_none());
    bench.answered(first, items(1, 201));
    bench.later();
    assert_eq!(bench.sent().unwrap().documents(), None, "it is stored by now");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_a_lookup_found_does_not_hide_a_mistake() {
    let mut bench = Bench::new(None).prepared(WriteTarget::Moves { look_up: true });
    let uids: Vec<String> = (0..50).map(|number| format!("u{number}")).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut good = 0;
    for _ in 0..3 {
        let Progress::Continues(asking) = answer_to(bench.send(&uids).unwrap(), none_found())
        else {
            panic!("a refresh is no end")
        };
        let one = json!({
            "timed_out": false, "_shards": { "failed": 0 },
            "hits": { "total": { "value": 1 }, "hits": [{ "_id": "u0.1" }] },
        });
        let Progress::Continues(sending) = answer_to(asking, one) else {
            panic!("the others are to be sent")
        };
        assert_eq!(sending.documents(), Some(49));
        good += bench.answered(sending, items(49, 400)).dead.len();
        // So slowly that no minute has enough of them.
        bench.now.instant += Duration::from_secs(180);
    }
    assert_eq!(good, 98, "the hundredth is not believed, nor what came with it");
}

#[tokio::test(start_paused = true)]
async fn as_long_as_nobody_knows_where_writes_go_one_attempt_is_on_its_way() {
    let mut bench = Bench::new(None).prepared(WriteTarget::Unknown);
    let first = looked_up(bench.send(&["a"]).unwrap());
    assert!(bench.send(&["b"]).is_none());
    bench.answered(first, items(1, 201));
    bench.later();
    assert_eq!(ids(&mut looked_up(bench.sent().unwrap())), "b.1");
    assert!(bench.send(&["c"]).is_some(), "now it is known");
}

#[tokio::test(start_paused = true)]
async fn where_the_write_target_stays_nothing_waits_for_its_twin() {
    let mut bench = Bench::new(Some(DateFormat::Day)).prepared(WriteTarget::Fixed);
    assert!(bench.send(&["a"]).is_some() && bench.send(&["a"]).is_some());
    assert_eq!(format!("{:?}", bench.sender.in_flight), format!("{:?}", InFlight::default()));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_was_sent_before_a_mistake_does_not_hide_it() {
    let mut bench = Bench::new(Some(DateFormat::Day)).prepared(WriteTarget::Fixed);
    let uids: Vec<String> = (0..49).map(|number| format!("u{number}")).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let early = ["a", "b", "c"].map(|uid| bench.send(&[uid]).unwrap());
    // Somebody makes a mistake in the template now.
    let mut good = 0;
    for before in early {
        let after = bench.send(&uids).unwrap();
        good += bench.answered(after, items(49, 400)).dead.len();
        bench.answered(before, items(1, 201));
        // So slowly that no minute has enough of them.
        bench.now.instant += Duration::from_secs(180);
    }
    assert_eq!(good, 98, "the hundredth is not believed, nor what came with it");
}

#[tokio::test(start_paused = true)]
async fn an_event_is_settled_when_its_letter_is_durable_and_not_before() {
    let mut bench = Bench::new(Some(DateFormat::Day)).prepared(WriteTarget::Fixed);
    let one = bench.send(&["a"]).unwrap();
    let outcome = bench.answered(one, items(1, 400));
    assert_eq!((outcome.dead.len(), bench.ledger.snapshot().in_flight), (1, 1));
    bench.sender.kept(outcome.dead);
    let unaddressable = bench.admit(&["u".repeat(600)]);
    assert_eq!((unaddressable.len(), bench.ledger.snapshot().in_flight), (1, 1));
    bench.sender.kept(unaddressable);
    let snapshot = bench.ledger.snapshot();
    assert!(snapshot.in_flight == 0 && snapshot.is_balanced(), "{snapshot}");
}

#[tokio::test(start_paused = true)]
async fn before_the_target_is_known_one_batch_is_taken_in_and_sent_then() {
    let mut bench = Bench::new(None);
    let next = bench.sender.next(bench.now, 0);
    assert!(matches!(next, Next::Fetch(..)), "if nothing ever comes, nothing is needed");
    assert!(bench.send(&["a"]).is_none());
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Wait(None)));
    bench.sender.inbox_ended();
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Wait(None)), "it has a document");
    let mut bench = bench.prepared(WriteTarget::Unknown);
    let one = looked_up(bench.sent().unwrap());
    bench.answered(one, items(1, 201));
    assert_eq!(bench.sender.target, Some(WriteTarget::Moves { look_up: true }));
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Done));
    let mut empty = Bench::new(None);
    empty.sender.inbox_ended();
    assert!(matches!(empty.sender.next(empty.now, 0), Next::Done));
}

#[tokio::test(start_paused = true)]
async fn when_its_inbox_has_ended_it_asks_for_no_more() {
    let mut bench = Bench::new(Some(DateFormat::Day)).prepared(WriteTarget::Fixed);
    let one = bench.send(&["a"]).unwrap();
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Fetch(..)));
    bench.sender.inbox_ended();
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Wait(None)));
    bench.answered(one, items(1, 201));
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Done));
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_in_another_index_than_before_is_counted_as_moved() {
    let mut bench = Bench::new(None).prepared(WriteTarget::Moves { look_up: true });
    let one = looked_up(bench.send(&["a"]).unwrap());
    assert_eq!(bench.answered(one, items(1, 201)).counts.moved, 0, "it is the first");
    let other = json!({ "items": [{ "create": { "_index": "e-2", "status": 201 } }] });
    let two = looked_up(bench.send(&["b"]).unwrap());
    let outcome = bench.answered(two, other);
    assert_eq!((outcome.counts.absent, outcome.counts.moved), (1, 1));
    assert_eq!(outcome.notices, [Notice::Moved { documents: 1, index: "e-2".into() }]);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_attempts_are_on_their_way_with_twins_among_them() {
    let mut bench = Bench::new(None).prepared(WriteTarget::Moves { look_up: true });
    let uids = ["a", "b", "a", "c", "b", "d"];
    let mut sent: Vec<Attempt> = uids.iter().filter_map(|uid| bench.send(&[uid])).collect();
    assert_eq!(sent.len(), IN_FLIGHT_MAX);
    // An outage ends them all, and then everything is stored.
    for attempt in sent.drain(..) {
        let host = "h".to_owned();
        let Progress::Ended(ended) = attempt.answered(Err(TransportError::Timeout { host }), "h")
        else {
            panic!("it goes on")
        };
        bench.sender.ended(ended, bench.now, 0).unwrap();
    }
    bench.sender.inbox_ended();
    for _ in 0..100 {
        bench.later();
        while let Some(attempt) = bench.sent() {
            let attempt = looked_up(attempt);
            let count = attempt.documents().unwrap();
            bench.answered(attempt, items(count, 201));
        }
    }
    assert!(matches!(bench.sender.next(bench.now, 0), Next::Done));
    assert_eq!(bench.ledger.snapshot().in_flight, 0);
}
