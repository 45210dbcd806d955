//! The sink against servers behind whose name the writes move, or that take no ids. What a real
//! data stream does is tested against a real node (`tests/suite/sink_opensearch.rs`,
//! `tests/suite/e2e/streams.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::super::tests::{Doc, documents};
use super::super::*;
use crate::buffer;
use crate::event::Micros;
use crate::handoff::{Outbox, Takeover};
use crate::ledger::Snapshot;
use crate::opensearch;
use crate::sink::{Duplicates, IndexPattern, LastTimestamp, Mode, Setup, Template};

/// What the server is, and does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// A data stream that rolls over after each request.
    Stream,
    /// The same, and the first three requests are carried out and break off without an answer.
    StreamBreaksOff,
    /// The same, and some documents answer 503 at first although they are stored.
    StreamShardsTimeOut,
    /// The same, where nothing may be looked up.
    StreamWithoutRights,
    /// The same, and `_resolve` is forbidden.
    StreamWithoutResolve,
    /// The same, made by the first document: before, there is nothing.
    StreamToBe,
    /// The same, and what the requests before it have done is seen too late by each lookup.
    StreamSeenTooLate,
    /// A collection that takes no ids, and knows little of OpenSearch's API.
    NoIds,
}

#[derive(Default)]
struct Deeds {
    /// In which indices each id is.
    stored: BTreeMap<String, Vec<usize>>,
    /// What searches find.
    visible: BTreeSet<String>,
    /// Ids that were looked up.
    looked_up: Vec<String>,
    bulks: usize,
    paths: Vec<String>,
}

struct Server {
    scenario: Scenario,
    deeds: Mutex<Deeds>,
}

fn error(status: u16, kind: &str, reason: &str) -> Response {
    let body = json!({ "error": { "type": kind, "reason": reason }, "status": status });
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

async fn answer(State(server): State<Arc<Server>>, uri: Uri, body: Bytes) -> Response {
    use Scenario::{NoIds, StreamToBe, StreamWithoutResolve, StreamWithoutRights};
    let text = std::str::from_utf8(&body).unwrap();
    let scenario = server.scenario;
    let mut deeds = server.deeds.lock().unwrap();
    deeds.paths.push(uri.path().to_owned());
    match uri.path() {
        "/_bulk" => server.bulk(&mut deeds, text),
        _ if scenario == NoIds => error(404, "not_found", "unknown route"),
        "/_resolve/index/e" if scenario == StreamWithoutResolve => {
            error(403, "security_exception", "no permissions for [indices:admin/resolve/index]")
        }
        "/_resolve/index/e" if scenario == StreamToBe => {
            json!({ "indices": [] }).to_string().into_response()
        }
        "/_resolve/index/e" => {
            json!({ "data_streams": [{ "name": "e" }] }).to_string().into_response()
        }
        "/e/_refresh" | "/e/_search" if scenario == StreamWithoutRights => {
            error(403, "security_exception", &format!("no permissions for {}", uri.path()))
        }
        "/e/_refresh" => {
            if scenario != Scenario::StreamSeenTooLate {
                deeds.visible = deeds.stored.keys().cloned().collect();
            }
            json!({ "_shards": { "failed": 0 } }).to_string().into_response()
        }
        "/e/_search" => search(&mut deeds, text),
        _ => "{}".into_response(),
    }
}

fn search(deeds: &mut Deeds, text: &str) -> Response {
    let query: Value = serde_json::from_str(text).unwrap();
    let ids = query["query"]["ids"]["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned());
    let ids: Vec<String> = ids.filter(|id| id != "weir-probe").collect();
    let found: Vec<Value> = ids
        .iter()
        .filter(|id| deeds.visible.contains(*id))
        .map(|id| json!({ "_id": id }))
        .collect();
    deeds.looked_up.extend(ids);
    let hits = json!({ "total": { "value": found.len() }, "hits": found });
    json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": hits })
        .to_string()
        .into_response()
}

impl Server {
    async fn start(scenario: Scenario) -> (Arc<Server>, String) {
        let server = Arc::new(Server { scenario, deeds: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, url)
    }

    fn bulk(&self, deeds: &mut Deeds, text: &str) -> Response {
        let lines: Vec<&str> = text.lines().collect();
        let generation = deeds.bulks;
        let index = format!(".ds-e-{generation}");
        let mut items = Vec::new();
        for (number, pair) in lines.chunks(2).enumerate() {
            let action: Value = serde_json::from_str(pair[0]).unwrap();
            let id = action["create"]["_id"]
                .as_str()
                .or(action["index"]["_id"].as_str())
                .unwrap()
                .to_owned();
            let (status, kind, reason) = match self.scenario {
                Scenario::NoIds => (
                    400,
                    "illegal_argument_exception",
                    "Document ID is not supported in create/index operation request",
                ),
                _ if pair[1] == "{" => (400, "mapper_parsing_exception", "failed to parse"),
                _ => {
                    let times_out =
                        self.scenario == Scenario::StreamShardsTimeOut && generation == 0;
                    deeds.stored.entry(id).or_default().push(generation);
                    if times_out && number % 2 == 0 {
                        (503, "unavailable_shards_exception", "")
                    } else {
                        (201, "", "")
                    }
                }
            };
            let error = (status >= 400).then(|| json!({ "type": kind, "reason": reason }));
            items.push(json!({ "create": { "_index": index, "status": status, "error": error } }));
        }
        deeds.bulks += 1;
        if self.scenario == Scenario::StreamBreaksOff && generation < 3 {
            return error(502, "bad_gateway", "the node is gone");
        }
        json!({ "items": items }).to_string().into_response()
    }

    fn stored_once(&self) -> usize {
        let deeds = self.deeds.lock().unwrap();
        for (id, indices) in &deeds.stored {
            assert_eq!(indices.len(), 1, "{:?}: {id} is in {indices:?}", self.scenario);
        }
        deeds.stored.len()
    }

    fn looked_up(&self) -> usize {
        self.deeds.lock().unwrap().looked_up.len()
    }
}

/// One life of a sink into `e`.
struct Life {
    process: Process,
    settings: OpenSearchSettings,
}

impl Life {
    /// One that took over this many seconds ago.
    fn new(url: &str, seconds_ago: i64) -> Life {
        let takeover = Takeover::at(now_micros() - seconds_ago * 1_000_000);
        let process = Process { takeover, ..Process::default() };
        let settings = OpenSearchSettings {
            connection: opensearch::Settings { hosts: vec![url.to_owned()], ..Default::default() },
            index: IndexPattern { prefix: "e".into(), date: None, suffix: String::new() },
            mode: Mode::History,
            template: Template::Install,
            duplicates: Duplicates::Forbid,
            setup: Setup::Off,
            last_timestamp: LastTimestamp::AsIs,
        };
        Life { process, settings }
    }

    async fn sink(&self, inbox: buffer::Reader) -> Result<(), SinkError> {
        let dead_letters = super::super::super::tests::dead_letters(&self.process, None);
        run(&self.settings, inbox, dead_letters, Keeper::default(), self.process.clone()).await
    }

    /// Sends 20 documents that the API server wrote at this time.
    async fn send(&self, written: Micros) -> Result<Snapshot, SinkError> {
        let (writer, reader) = buffer::in_memory(&self.process);
        let at = jiff::Timestamp::from_microsecond(written).unwrap();
        let body = json!({ "metadata": { "creationTimestamp": at.to_string() } }).to_string();
        let uids: Vec<String> = (0..20).map(|number| format!("u{number}")).collect();
        let docs: Vec<Doc<'_>> =
            uids.iter().map(|uid| Doc { body: &body, ..Doc::object(uid, "1") }).collect();
        writer.put(documents(&docs), self.process.ledger.receive(20)).unwrap();
        drop(writer);
        self.sink(reader).await?;
        Ok(self.process.ledger.snapshot())
    }

    fn lookups(&self, result: &str) -> u64 {
        self.process.metrics.sink.lookups.with_label_values(&[result]).get()
    }
}

#[tokio::test(start_paused = true)]
async fn new_events_are_sent_to_a_data_stream_without_a_lookup() {
    let (server, url) = Server::start(Scenario::Stream).await;
    let life = Life::new(&url, 3600);
    assert_eq!(life.send(now_micros()).await.unwrap().delivered, [20, 0, 0, 0]);
    assert_eq!((server.stored_once(), server.looked_up()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_life_may_have_sent_is_looked_up_and_not_stored_again() {
    let (server, url) = Server::start(Scenario::Stream).await;
    let written = now_micros() - 60_000_000;
    Life::new(&url, 3600).send(written).await.unwrap();
    let next = Life::new(&url, 30);
    assert_eq!(next.send(written).await.unwrap().delivered, [0, 20, 0, 0]);
    assert_eq!((server.stored_once(), server.looked_up()), (20, 20));
    assert_eq!((next.lookups("stored"), next.lookups("absent")), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_request_left_open_is_looked_up_although_the_events_are_new() {
    for scenario in [Scenario::StreamBreaksOff, Scenario::StreamShardsTimeOut] {
        let (server, url) = Server::start(scenario).await;
        let life = Life::new(&url, 3600);
        let delivered = life.send(now_micros()).await.unwrap().delivered;
        assert_eq!(delivered.iter().sum::<u64>(), 20, "{scenario:?}");
        assert_eq!(server.stored_once(), 20);
        assert!(life.lookups("stored") > 0 && server.looked_up() > 0, "{scenario:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_rights_to_look_up_a_data_stream_is_refused_and_they_are_named() {
    let (server, url) = Server::start(Scenario::StreamWithoutRights).await;
    let error = Life::new(&url, 30).send(now_micros()).await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"sink.index: `e` is a data stream: its writes move from index to index, so what may have been sent before must be looked up before it is sent again, and that is refused. Grant the user `indices:admin/refresh*` and `indices:data/read/search*` on `e` and the indices behind it; or set sink.duplicates = "allow", and some documents will be there twice; or use an index with a date, such as `e-{yyyy.MM.dd}`, which needs no lookup (security_exception: no permissions for /e/_refresh; security_exception: no permissions for /e/_search)"#);
    assert_eq!(server.stored_once(), 0);
}

#[tokio::test(start_paused = true)]
async fn with_duplicates_allowed_nothing_is_looked_up() {
    let (server, url) = Server::start(Scenario::StreamWithoutRights).await;
    let mut life = Life::new(&url, 30);
    life.settings.duplicates = Duplicates::Allow;
    assert_eq!(life.send(now_micros()).await.unwrap().delivered, [20, 0, 0, 0]);
    assert_eq!((server.stored_once(), server.looked_up()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn a_data_stream_is_found_out_where_nobody_says_what_the_index_is() {
    for scenario in [Scenario::StreamWithoutResolve, Scenario::StreamToBe] {
        let (server, url) = Server::start(scenario).await;
        let written = now_micros() - 60_000_000;
        for _ in 0..2 {
            Life::new(&url, 30).send(written).await.unwrap();
            // The second life finds a data stream there.
        }
        let stored = server.deeds.lock().unwrap().stored.len();
        assert_eq!(stored, 20, "{scenario:?}");
        if scenario == Scenario::StreamWithoutResolve {
            server.stored_once();
        }
        let mut latest = Life::new(&url, 30);
        latest.settings.mode = Mode::Latest;
        let error = latest.send(written).await.unwrap_err().to_string();
        assert!(error.contains("mode = \"latest\" would store documents twice"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_on_its_way_while_its_index_moves_is_counted() {
    let (_server, url) = Server::start(Scenario::StreamSeenTooLate).await;
    let written = now_micros();
    let life = Life::new(&url, 3600);
    life.send(written).await.unwrap();
    assert_eq!(life.lookups("moved"), 0, "these are new");
    // Now they are in doubt, not to be seen, and go to another index than those before them, which
    // the sink knows.
    let next = Life::new(&url, 30);
    let (writer, reader) = buffer::in_memory(&next.process);
    let sink = next.sink(reader);
    let put = async {
        for uid in ["u0", "u1", "u2"] {
            writer
                .put(documents(&[Doc::object(uid, "1")]), next.process.ledger.receive(1))
                .unwrap();
            while next.process.ledger.snapshot().in_flight > 0 {
                // The clock is paused.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        drop(writer);
    };
    let (ended, ()) = tokio::join!(sink, put);
    ended.unwrap();
    assert_eq!((next.lookups("absent"), next.lookups("moved")), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn weirs_template_stays_away_from_a_data_stream() {
    let (server, url) = Server::start(Scenario::Stream).await;
    Life::new(&url, 3600).send(now_micros()).await.unwrap();
    let deeds = server.deeds.lock().unwrap();
    assert!(!deeds.paths.iter().any(|path| path.contains("_index_template")), "{:?}", deeds.paths);
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_takes_no_ids_is_refused_with_one_document_and_says_why() {
    let (server, url) = Server::start(Scenario::NoIds).await;
    let life = Life::new(&url, 30);
    let error = life.send(now_micros()).await.unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"sink.index: `e` takes no documents with ids, as time-series collections of OpenSearch Serverless do not: without ids weir would store an event again with each retry and restart. Use a collection of the type "search", or a cluster"#);
    assert_eq!(server.deeds.lock().unwrap().bulks, 1, "the probe");
    // An index with a date is not looked at before: its first documents tell.
    let mut dated = Life::new(&url, 30);
    dated.settings.index.date = Some(crate::sink::DateFormat::Day);
    let error = dated.send(now_micros()).await.unwrap_err().to_string();
    assert!(error.contains("takes no documents with ids"), "{error}");
    let snapshot = dated.process.ledger.snapshot();
    assert_eq!(
        (snapshot.delivered, snapshot.dead_lettered),
        ([0; 4], vec![]),
        "none has an outcome"
    );
}
