//! The sink against a server that does what servers have done to others. What a real node does is
//! tested against a real node (`tests/suite/sink_opensearch.rs`).
//!
//! The clock is paused, so waits take no time. A request may then time out although the server
//! answers: what is asserted must hold all the same.

mod gateways;
mod writes_move;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};

use super::tests::{Doc, documents};
use super::*;
use crate::buffer;
use crate::dead_letter::{self, DeadLetters};
use crate::handoff::Outbox;
use crate::ledger::Snapshot;
use crate::opensearch;
use crate::position::{Keeper, Positions, SettledPositions};
use crate::secret::Secret;
use crate::sink::{IndexPattern, Mode, Template};

/// What the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// It stores everything.
    Works,
    /// One document contradicts the mapping.
    BulkRefusesOneItem,
    /// The queue of the write pool is full at first.
    AllItems429,
    /// As above, for some.
    SomeItems429,
    /// The request breaker is at its limit at first.
    WholeRequest429,
    /// 503 at first, with the page of a load balancer.
    Unavailable,
    /// It stores everything, and the connection breaks in the middle of the answer, at first.
    ConnectionResetMidBody,
    /// It stores everything, and does not answer, at first.
    TimeoutAfterApplied,
    /// A proxy's page with status 200, at first.
    NotJson,
    /// An answer without the last item, at first.
    TooFewItems,
    /// A proxy sends to its login page, at first.
    Redirect,
    /// It wants another password than at the start.
    PasswordRotated,
    /// Requests of more than 200 bytes are refused with 413.
    SmallRequestsOnly,
    /// Whole requests that hold one certain document are refused with 400.
    WholeRequest400,
    /// The template may not be read.
    TemplateForbidden,
    /// The index is read-only at first.
    IndexReadOnly,
    /// A mapping mistake refuses every document at first.
    EverythingIsRefused,
    /// Its cluster has no identity at first.
    StillForming,
}

/// How many `_bulk` requests "at first" is; of a cluster that is still forming, how many that ask
/// who it is.
const AT_FIRST: usize = 3;
const CULPRIT: &str = "u7.1";
const PASSWORD: &str = "new-password";
const CLUSTER: &str = "o1";

struct Server {
    scenario: Scenario,
    bulks: AtomicUsize,
    /// Requests that ask who it is.
    roots: AtomicUsize,
    stored: Mutex<BTreeMap<String, u32>>,
}

impl Server {
    /// Starts it; answers its address.
    async fn start(scenario: Scenario) -> (Arc<Server>, String) {
        let (bulks, roots) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let server = Arc::new(Server { scenario, bulks, roots, stored: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, url)
    }

    fn stored(&self) -> Vec<String> {
        self.stored.lock().unwrap().keys().cloned().collect()
    }

    fn is_at_first(&self) -> bool {
        self.bulks.load(Ordering::Relaxed) <= AT_FIRST
    }

    /// One item's answer, stored if it says so.
    fn item(&self, number: usize, id: &str) -> serde_json::Value {
        let (status, kind) = match self.scenario {
            Scenario::BulkRefusesOneItem if id == CULPRIT => (400, "mapper_parsing_exception"),
            Scenario::AllItems429 if self.is_at_first() => (429, "rejected_execution_exception"),
            Scenario::SomeItems429 if self.is_at_first() && number.is_multiple_of(2) => {
                (429, "rejected_execution_exception")
            }
            Scenario::IndexReadOnly if self.is_at_first() => (403, "cluster_block_exception"),
            Scenario::EverythingIsRefused if self.is_at_first() => {
                (400, "mapper_parsing_exception")
            }
            _ => {
                let mut stored = self.stored.lock().unwrap();
                let times = stored.entry(id.to_owned()).or_default();
                *times += 1;
                if *times == 1 { (201, "") } else { (409, "version_conflict_engine_exception") }
            }
        };
        let error =
            (status >= 400).then(|| serde_json::json!({ "type": kind, "reason": "because" }));
        serde_json::json!({ "create": { "status": status, "error": error } })
    }

    fn bulk(&self, body: &str) -> serde_json::Value {
        let ids = body.lines().step_by(2).map(|line| {
            let action: serde_json::Value = serde_json::from_str(line).unwrap();
            action["create"]["_id"].as_str().unwrap().to_owned()
        });
        let mut items: Vec<_> =
            ids.enumerate().map(|(number, id)| self.item(number, &id)).collect();
        if self.scenario == Scenario::TooFewItems && self.is_at_first() {
            items.pop();
        }
        serde_json::json!({ "items": items })
    }
}

async fn answer(
    State(server): State<Arc<Server>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let plain = |status: u16, text: &'static str| {
        (StatusCode::from_u16(status).unwrap(), text).into_response()
    };
    if server.scenario == Scenario::PasswordRotated {
        let expected = reqwest::Client::new().get("http://x").basic_auth("weir", Some(PASSWORD));
        let expected = expected.build().unwrap();
        if headers.get(header::AUTHORIZATION) != expected.headers().get(header::AUTHORIZATION) {
            return plain(401, "Unauthorized");
        }
    }
    if uri.path() == "/" && server.scenario == Scenario::StillForming {
        let is_at_first = server.roots.fetch_add(1, Ordering::Relaxed) < AT_FIRST;
        let uuid = if is_at_first { "_na_" } else { CLUSTER };
        return serde_json::json!({ "cluster_uuid": uuid }).to_string().into_response();
    }
    if uri.path() != "/_bulk" {
        return match server.scenario {
            Scenario::TemplateForbidden => plain(
                403,
                "{\"error\":{\"type\":\"security_exception\",\"reason\":\"no permissions\"}}",
            ),
            _ => plain(200, "{}"),
        };
    }
    server.bulks.fetch_add(1, Ordering::Relaxed);
    let text = std::str::from_utf8(&body).unwrap();
    let first = server.is_at_first();
    match server.scenario {
        Scenario::WholeRequest429 if first => {
            plain(429, "{\"error\":{\"type\":\"circuit_breaking_exception\"}}")
        }
        Scenario::Unavailable if first => plain(503, "<html>no backend</html>"),
        Scenario::NotJson if first => plain(200, "<html>hello</html>"),
        Scenario::Redirect if first => {
            (StatusCode::FOUND, [(header::LOCATION, "/login")]).into_response()
        }
        Scenario::SmallRequestsOnly if body.len() > 200 => plain(413, ""),
        Scenario::WholeRequest400 if text.contains(CULPRIT) => plain(400, "bad"),
        Scenario::TimeoutAfterApplied if first => {
            server.bulk(text);
            std::future::pending().await
        }
        Scenario::ConnectionResetMidBody if first => {
            let whole = server.bulk(text).to_string();
            let half = Bytes::copy_from_slice(&whole.as_bytes()[..whole.len() / 2]);
            let broken =
                futures_util::stream::iter([Ok(half), Err(std::io::Error::other("reset"))]);
            Body::from_stream(broken).into_response()
        }
        _ => server.bulk(text).to_string().into_response(),
    }
}

/// A run of the sink over some events.
struct Run {
    process: Process,
    dead_letters: DeadLetters,
    keeper: Keeper,
    settings: OpenSearchSettings,
    folder: tempfile::TempDir,
}

impl Run {
    fn new(url: String) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let (process, keeper) = (Process::default(), Keeper::default());
        let letters = dead_letter::LetterStore::Folder(folder.path().join("dead-letter"));
        let dead_letters = super::super::tests::dead_letters(&process, Some(&letters));
        let settings = OpenSearchSettings {
            connection: opensearch::Settings { hosts: vec![url], ..Default::default() },
            index: IndexPattern {
                prefix: "e-".into(),
                date: Some(crate::sink::DateFormat::Day),
                suffix: String::new(),
            },
            mode: Mode::History,
            template: Template::Install,
            duplicates: crate::sink::Duplicates::Forbid,
            setup: crate::sink::Setup::Off,
            last_timestamp: crate::sink::LastTimestamp::AsIs,
        };
        Run { process, dead_letters, keeper, settings, folder }
    }

    async fn sink(&self, inbox: buffer::Reader) -> Result<(), SinkError> {
        let (dead_letters, keeper) = (self.dead_letters.clone(), self.keeper.clone());
        run(&self.settings, inbox, dead_letters, keeper, self.process.clone()).await
    }

    /// Sends this many documents, to the end.
    async fn send(&self, count: usize) -> Snapshot {
        let (writer, reader) = buffer::in_memory(&self.process);
        let uids: Vec<String> = (0..count).map(|number| format!("u{number}")).collect();
        let docs: Vec<Doc<'_>> = uids.iter().map(|uid| Doc::object(uid, "1")).collect();
        writer.put(documents(&docs), self.process.ledger.receive(count as u64)).unwrap();
        drop(writer);
        self.sink(reader).await.unwrap();
        let snapshot = self.process.ledger.snapshot();
        assert!(snapshot.is_balanced() && snapshot.in_flight == 0, "{snapshot:?}");
        assert!(self.process.health.readiness().ok);
        snapshot
    }

    fn dead_letters(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("dead-letter/00000001.jsonl")).unwrap()
    }
}

fn delivered(snapshot: &Snapshot) -> u64 {
    snapshot.delivered.iter().sum()
}

#[tokio::test(start_paused = true)]
async fn everything_is_stored_once_whatever_goes_wrong_at_first() {
    for scenario in [
        Scenario::Works,
        Scenario::AllItems429,
        Scenario::SomeItems429,
        Scenario::WholeRequest429,
        Scenario::Unavailable,
        Scenario::ConnectionResetMidBody,
        Scenario::TimeoutAfterApplied,
        Scenario::NotJson,
        Scenario::TooFewItems,
        Scenario::Redirect,
        Scenario::TemplateForbidden,
        Scenario::IndexReadOnly,
    ] {
        let (server, url) = Server::start(scenario).await;
        let run = Run::new(url);
        let snapshot = run.send(20).await;
        assert_eq!(delivered(&snapshot), 20, "{scenario:?}");
        assert_eq!(snapshot.dead_lettered, [], "{scenario:?}");
        assert_eq!(server.stored().len(), 20, "{scenario:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mistake_that_refuses_every_document_makes_no_dead_letter() {
    let (server, url) = Server::start(Scenario::EverythingIsRefused).await;
    let snapshot = Run::new(url).send(150).await;
    assert_eq!((delivered(&snapshot), server.stored().len()), (150, 150));
}

#[tokio::test(start_paused = true)]
async fn one_refused_document_is_dead_lettered_alone_with_its_source_and_reason() {
    let (server, url) = Server::start(Scenario::BulkRefusesOneItem).await;
    let run = Run::new(url);
    let snapshot = run.send(20).await;
    assert_eq!((delivered(&snapshot), server.stored().len()), (19, 19));
    assert_eq!(snapshot.dead_lettered, [(("sink".into(), "mapping".into()), 1)]);
    let letter = run.dead_letters();
    let (_, letter) = letter.split_once(r#""where""#).unwrap();
    insta::assert_snapshot!(letter.trim_end(), @r#":"sink","reason":"mapping","detail":"mapper_parsing_exception: because","source":"{\"n\":1}","document":{"n":1}}"#);
}

#[tokio::test(start_paused = true)]
async fn requests_shrink_until_they_pass_and_one_that_never_does_is_dead_lettered() {
    let (server, url) = Server::start(Scenario::SmallRequestsOnly).await;
    let run = Run::new(url);
    assert_eq!(delivered(&run.send(20).await), 20);
    assert_eq!(server.stored().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_spoils_whole_requests_is_found_and_dead_lettered() {
    let (server, url) = Server::start(Scenario::WholeRequest400).await;
    let snapshot = Run::new(url).send(20).await;
    assert_eq!((delivered(&snapshot), server.stored().len()), (19, 19));
    assert_eq!(snapshot.dead_lettered, [(("sink".into(), "request".into()), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_changed_is_read_again() {
    let (server, url) = Server::start(Scenario::PasswordRotated).await;
    let mut run = Run::new(url);
    let path = run.folder.path().join("password");
    std::fs::write(&path, "old-password\n").unwrap();
    run.settings.connection.username = Some("weir".into());
    run.settings.connection.password = Some(Secret::File(path.clone()));
    let rotate = async {
        while run.process.health.readiness().ok {
            tokio::task::yield_now().await;
        }
        std::fs::write(&path, format!("{PASSWORD}\n")).unwrap();
        run.process.health.readiness().lines.join("\n")
    };
    let (snapshot, line) = tokio::join!(run.send(20), rotate);
    assert_eq!((delivered(&snapshot), server.stored().len()), (20, 20));
    let expected = "answers 401: Unauthorized: check sink.username and sink.password, or \
                    sink.authorization; \
                    events are held, and it is tried again";
    assert!(line.ends_with(expected), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_still_forming_is_asked_again_until_it_is_known_whose_position_is_saved()
{
    let (server, url) = Server::start(Scenario::StillForming).await;
    let run = Run::new(url);
    let saved_for = |keeper: &Keeper| {
        let record =
            keeper.record(SettledPositions(Positions::from([("*".into(), "1".into())]))).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        record["target"]["cluster"].clone()
    };
    let keeper = &run.keeper;
    let told = async {
        let is_forming = |line: &String| line.contains("the cluster is still forming");
        while !run.process.health.readiness().lines.iter().any(is_forming) {
            tokio::task::yield_now().await;
        }
        (saved_for(keeper), server.bulks.load(Ordering::Relaxed))
    };
    let sent = run.send(20);
    tokio::pin!(sent);
    let told = tokio::select! {
        told = told => told,
        _ = &mut sent => panic!("the documents were sent to a cluster that nobody knows"),
    };
    let snapshot = sent.await;
    assert_eq!(
        told,
        (serde_json::Value::Null, 0),
        "nothing is sent to a cluster that nobody knows"
    );
    assert_eq!(saved_for(keeper), CLUSTER);
    assert_eq!((delivered(&snapshot), server.stored().len()), (20, 20));
    assert!(server.roots.load(Ordering::Relaxed) > AT_FIRST);
}

#[tokio::test(start_paused = true)]
async fn when_a_host_is_gone_the_next_one_is_asked() {
    let (server, url) = Server::start(Scenario::Works).await;
    // Reserved, so nobody listens there: connections to port 1 are refused.
    let mut run = Run::new("http://127.0.0.1:1".into());
    run.settings.connection.hosts.push(url);
    assert_eq!(delivered(&run.send(20).await), 20);
    assert_eq!(server.stored().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn abort_ends_an_outage_and_what_was_not_stored_stays_in_flight() {
    let run = Run::new("http://127.0.0.1:1".into());
    let (writer, reader) = buffer::in_memory(&run.process);
    writer.put(documents(&[Doc::object("u", "1")]), run.process.ledger.receive(1)).unwrap();
    let shutdown = run.process.shutdown.clone();
    let health = run.process.health.clone();
    let abort = async {
        while !health.readiness().lines.iter().any(|line| line.contains("cannot be reached")) {
            tokio::task::yield_now().await;
        }
        shutdown.abort.cancel();
    };
    let (ended, ()) = tokio::join!(run.sink(reader), abort);
    ended.unwrap();
    assert!(
        run.process.metrics.sink.requests.with_label_values(&["connect"]).get() > 0,
        "it is counted"
    );
    assert!(health.readiness().ok, "an outage needs no person");
    assert_eq!(run.process.ledger.snapshot().delivered, [0; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_source_without_events_ends_the_run_although_opensearch_is_down() {
    let run = Run::new("http://127.0.0.1:1".into());
    let (writer, reader) = buffer::in_memory(&run.process);
    let end = async {
        while !run
            .process
            .health
            .readiness()
            .lines
            .iter()
            .any(|line| line.contains("cannot be reached"))
        {
            tokio::task::yield_now().await;
        }
        drop(writer);
    };
    let sink = run.sink(reader);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(3600), async {
        tokio::join!(sink, end).0
    });
    ended.await.expect("it ends").unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_dead_letters_a_refused_document_stops_the_run_unsettled() {
    let (_server, url) = Server::start(Scenario::BulkRefusesOneItem).await;
    let mut run = Run::new(url);
    run.dead_letters = super::super::tests::dead_letters(&run.process, None);
    let (writer, reader) = buffer::in_memory(&run.process);
    writer
        .put(
            documents(&[Doc::object("u7", "1"), Doc::object("u8", "1")]),
            run.process.ledger.receive(2),
        )
        .unwrap();
    drop(writer);
    let error = run.sink(reader).await.unwrap_err();
    assert!(matches!(error, SinkError::DeadLetter(_)), "{error}");
    assert_eq!(run.process.ledger.snapshot().delivered, [1, 0, 0, 0]);
}
