//! The sink behind gateways that refuse requests as a whole, whatever is in them.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::super::tests::{Doc, documents};
use super::super::*;
use super::Run;
use crate::buffer;
use crate::handoff::Outbox;
use crate::ledger::Snapshot;

/// What the gateway refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// Compressed bodies, for ten minutes.
    Compressed,
    /// Everything, from the second minute to the tenth.
    Everything,
    /// Whole requests that hold one certain document.
    OneDocument,
    /// OpenSearch answers an error that nobody knows to one certain document.
    UnknownErrorOfOne,
}

const CULPRIT: &str = "u7.1";

struct Server {
    scenario: Scenario,
    started: Instant,
    stored: Mutex<BTreeSet<String>>,
    /// How often something was sent that was stored.
    resent: Mutex<usize>,
}

impl Server {
    /// Answers its address, as one of another machine.
    async fn start(scenario: Scenario) -> (Arc<Server>, String) {
        let server = Arc::new(Server {
            scenario,
            started: Instant::now(),
            stored: Mutex::default(),
            resent: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, format!("http://[::ffff:127.0.0.1]:{port}"))
    }

    fn minutes(&self) -> u64 {
        self.started.elapsed().as_secs() / 60
    }

    fn item(&self, id: &str) -> Value {
        if self.scenario == Scenario::UnknownErrorOfOne && id == CULPRIT {
            let error = json!({ "type": "script_exception", "reason": "runtime error",
                "caused_by": { "type": "x", "reason": "outer",
                    "caused_by": { "type": "y", "reason": "field [z] not present" } } });
            return json!({ "create": { "status": 400, "error": error } });
        }
        let is_new = self.stored.lock().unwrap().insert(id.to_owned());
        *self.resent.lock().unwrap() += usize::from(!is_new);
        let error = (!is_new).then(|| json!({ "type": "version_conflict_engine_exception" }));
        json!({ "create": { "status": if is_new { 201 } else { 409 }, "error": error } })
    }
}

async fn answer(
    State(server): State<Arc<Server>>,
    uri: http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.path() != "/_bulk" {
        return "{}".into_response();
    }
    let is_compressed = headers.contains_key(header::CONTENT_ENCODING);
    let mut text = String::new();
    match is_compressed {
        true => flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).map(|_| ()),
        false => {
            std::str::from_utf8(&body).map(|it| text.push_str(it)).map_err(std::io::Error::other)
        }
    }
    .unwrap();
    let minutes = server.minutes();
    let is_refused = match server.scenario {
        Scenario::Compressed => is_compressed && minutes < 10,
        Scenario::Everything => (1..10).contains(&minutes),
        Scenario::OneDocument => text.contains(&format!("\"{CULPRIT}\"")),
        Scenario::UnknownErrorOfOne => false,
    };
    if is_refused {
        return (StatusCode::BAD_REQUEST, "<html><h1>400 Bad Request</h1>").into_response();
    }
    let ids = text.lines().step_by(2).map(|line| {
        let action: Value = serde_json::from_str(line).unwrap();
        action["create"]["_id"].as_str().unwrap().to_owned()
    });
    let items: Vec<Value> = ids.map(|id| server.item(&id)).collect();
    json!({ "items": items }).to_string().into_response()
}

/// Sends documents whose bodies have about so many bytes: the first half at once, the others one a
/// second. Answers what became of them, and whether it was ever not ready.
async fn send(url: String, bytes: impl Fn(usize) -> usize, count: usize) -> (Snapshot, bool) {
    let run = Run::new(url);
    let (writer, reader) = buffer::in_memory(&run.process);
    let put = |writer: &buffer::Writer, numbers: Range<usize>| {
        let uids: Vec<(String, String)> = numbers
            .map(|number| {
                (format!("u{number}"), format!("{{\"n\":\"{}\"}}", "x".repeat(bytes(number))))
            })
            .collect();
        let docs: Vec<Doc<'_>> =
            uids.iter().map(|(uid, body)| Doc { body, ..Doc::object(uid, "1") }).collect();
        writer.put(documents(&docs), run.process.ledger.receive(docs.len() as u64)).unwrap();
    };
    put(&writer, 0..count / 2);
    let mut was_refused = false;
    let write = async {
        for number in count / 2..count {
            tokio::time::sleep(Duration::from_secs(1)).await;
            was_refused |= !run.process.health.readiness().ok;
            put(&writer, number..number + 1);
        }
        drop(writer);
    };
    let sink = run.sink(reader);
    let (ended, ()) = tokio::join!(sink, write);
    ended.unwrap();
    (run.process.ledger.snapshot(), was_refused)
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_refuses_compressed_bodies_makes_no_letter_and_small_documents_pass() {
    let (server, url) = Server::start(Scenario::Compressed).await;
    let large = |number: usize| if number.is_multiple_of(10) { 2000 } else { 100 };
    let (snapshot, was_refused) = send(url, large, 200).await;
    assert_eq!(snapshot.dead_lettered, []);
    assert_eq!(server.stored.lock().unwrap().len(), 200);
    assert!(!was_refused && server.minutes() < 10, "large ones pass uncompressed");
}

#[tokio::test(start_paused = true)]
async fn a_blanket_400_long_after_the_last_success_makes_no_letter() {
    let (server, url) = Server::start(Scenario::Everything).await;
    let (snapshot, was_refused) = send(url, |_| 100, 400).await;
    assert_eq!(snapshot.dead_lettered, []);
    assert_eq!(server.stored.lock().unwrap().len(), 400);
    assert!(was_refused && server.minutes() >= 10);
}

#[tokio::test(start_paused = true)]
async fn the_document_that_spoils_requests_is_found_although_no_other_waits() {
    let (server, url) = Server::start(Scenario::OneDocument).await;
    let (snapshot, was_refused) = send(url, |_| 2000, 8).await;
    assert_eq!(snapshot.dead_lettered, [(("sink".into(), "request".into()), 1)]);
    assert_eq!(server.stored.lock().unwrap().len(), 7);
    assert!(*server.resent.lock().unwrap() > 0, "what was stored lately was sent again");
    assert_eq!(snapshot.delivered.iter().sum::<u64>(), 7, "and settled nothing");
    assert!(!was_refused, "nobody is needed for it");
}

#[tokio::test(start_paused = true)]
async fn what_only_one_document_gets_is_that_documents_after_five_minutes() {
    let (server, url) = Server::start(Scenario::UnknownErrorOfOne).await;
    let (snapshot, _) = send(url, |_| 100, 800).await;
    assert_eq!(snapshot.dead_lettered, [(("sink".into(), "unknown_error".into()), 1)]);
    assert_eq!(server.stored.lock().unwrap().len(), 799);
    assert!(server.minutes() >= 5);
}
