//! Workers that look up what events regard, at an API server that is slow, or says nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::*;
use crate::kube::MetadataReader;
use crate::lookup::{Asking, Settings};

/// An API server that has every Pod but those called `gone…`, and never answers about those called
/// `slow…`.
#[derive(Clone, Default)]
struct Server(Arc<AtomicUsize>);

impl Server {
    async fn answer(self, request: http::Request<axum::body::Body>) -> Response {
        self.0.fetch_add(1, Ordering::Relaxed);
        let name = request.uri().path().rsplit('/').next().unwrap().to_owned();
        if name.starts_with("slow") {
            std::future::pending::<()>().await;
        }
        if name.starts_with("gone") {
            return http::StatusCode::NOT_FOUND.into_response();
        }
        let metadata = json!({"name": name, "uid": "u", "labels": {"a.b": name}});
        json!({ "kind": "PartialObjectMetadata", "metadata": metadata }).to_string().into_response()
    }
}

const WAIT: Duration = Duration::from_millis(300);

/// A bench that looks things up there, and the runtime that it takes.
pub(super) struct LookingUp {
    pub(super) bench: Bench,
    server: Server,
    _asking: Asking,
    _runtime: tokio::runtime::Runtime,
}

impl LookingUp {
    pub(super) fn new() -> LookingUp {
        let mut bench = Bench::new();
        let server = Server::default();
        let answer = {
            let server = server.clone();
            move |request| server.clone().answer(request)
        };
        let router = axum::Router::new().fallback(answer);
        let settings =
            Settings { timeout: WAIT, max_per_second: 1000, ..Settings::for_tests(&["pods"]) };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let reader = MetadataReader::new(kube::Client::new(router, "default"));
        let (lookups, asking) = Lookups::start(settings, reader, &bench.metrics.lookup);
        drop(entered);
        bench.lookups = Some(lookups);
        LookingUp { bench, server, _asking: asking, _runtime: runtime }
    }

    pub(super) fn requests(&self) -> usize {
        self.server.0.load(Ordering::Relaxed)
    }

    fn counted(&self, result: &str) -> u64 {
        self.bench.metrics.lookup.results.with_label_values(&[result]).get()
    }
}

/// Event number N, of a type, about the Pod of that name.
pub(super) fn about(number: usize, event_type: &str, pod: &str) -> String {
    event(&format!(
        r#""metadata":{{"name":"e{number}"}},"type":"{event_type}","involvedObject":{{"kind":"Pod","apiVersion":"v1","namespace":"n","name":"{pod}"}}"#
    ))
}

fn names(ran: &Ran) -> Vec<&str> {
    ran.documents.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect()
}

const NO_STAGES: [ModuleSettings; 0] = [];

#[test]
fn a_server_that_does_not_answer_holds_events_up_for_the_timeout_and_no_longer() {
    let looking = LookingUp::new();
    let no_pod = event(r#""metadata":{"name":"e2"},"involvedObject":{"kind":"Node","name":"n"}"#);
    let without = event(r#""metadata":{"name":"e3"}"#);
    let events = vec![
        about(0, "Normal", "slow-1"),
        about(1, "Normal", "quick"),
        no_pod,
        without,
        about(4, "Normal", "slow-1"),
        about(5, "Normal", "gone"),
    ];
    let started = Instant::now();
    let ran = looking.bench.run(&NO_STAGES, &[events]);
    let took = started.elapsed();
    let order = names(&ran);
    assert_eq!(order[..2], ["e2", "e3"], "what is not looked up does not wait");
    assert!(order[2..4].contains(&"e1") && order[2..4].contains(&"e5"), "{order:?}");
    assert_eq!(order[4..], ["e0", "e4"], "the rest waits, in its order");
    assert!(took >= WAIT && took < WAIT * 5, "{took:?}");
    let quick = ran.documents.iter().find(|doc| doc["metadata"]["name"] == "e1").unwrap();
    assert_eq!(quick["involvedObject"]["labels"], json!({"a.b": "quick"}));
    for name in ["e0", "e4", "e5"] {
        let document = ran.documents.iter().find(|doc| doc["metadata"]["name"] == name).unwrap();
        assert_eq!(document["involvedObject"]["labels"], Value::Null);
    }
    let counts = ["found", "cached", "missing", "timeout"].map(|result| looking.counted(result));
    assert_eq!(counts, [1, 0, 1, 2]);
}

#[test]
fn what_waits_keeps_neither_other_chunks_nor_the_rest_of_its_own() {
    let looking = LookingUp::new();
    let chunks: Vec<Vec<String>> = (0..20)
        .map(|chunk| {
            let slow = about(2 * chunk, "Normal", &format!("slow-{chunk}"));
            vec![slow, about(2 * chunk + 1, "Normal", "quick")]
        })
        .collect();
    let started = Instant::now();
    let ran = looking.bench.run(&NO_STAGES, &chunks);
    assert!(started.elapsed() < WAIT * 5, "they wait together, not one behind the other");
    assert_eq!(ran.documents.len(), 40);
    let order = names(&ran);
    let last_quick = order.iter().rposition(|name| *name == "e39").unwrap();
    assert_eq!(last_quick, 19, "{order:?}");
    // All but the first were known, or came while it was asked for.
    assert_eq!(looking.counted("found") + looking.counted("cached"), 20);
}

#[test]
fn what_a_stage_drops_before_is_not_looked_up() {
    let looking = LookingUp::new();
    let stage = looking.bench.stage("drop-normal", modules::DROP_NORMAL);
    let events: Vec<_> =
        (0..9).map(|number| about(number, "Normal", &format!("pod-{number}"))).collect();
    let ran = looking.bench.run(&[stage], &[events, vec![about(9, "Warning", "pod-9")]]);
    assert_eq!(ran.filtered("drop-normal", "normal"), 9);
    assert_eq!(ran.documents[0]["involvedObject"]["labels"], json!({"a.b": "pod-9"}));
    assert_eq!(looking.requests(), 1);
}

/// Drops what was found.
const DROP_FOUND: Guest<'static> = Guest {
    imports: r#"
        (import "weir:pipeline/lookup@0.1.0" "found" (func $found (result i32)))
        (import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))
        (import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))"#,
    items: r#"(data (i32.const 1024) "found")"#,
    configure: "(call $declare (i32.const 1024) (i32.const 5) (i32.const 32))",
    process: "(if (call $found) (then (call $discard (i32.const 0)))) (i32.const 0)",
};

#[test]
fn an_event_is_looked_up_before_the_first_stage_whose_module_asks_for_it() {
    let looking = LookingUp::new();
    let bench = &looking.bench;
    let stages = [
        bench.stage("first", modules::DROP_NORMAL),
        bench.stage("asks", DROP_FOUND),
        bench.stage("last", Guest::default()),
    ];
    let events = vec![
        about(0, "Normal", "pod-0"),
        about(1, "Warning", "pod-1"),
        about(2, "Warning", "gone"),
        about(3, "Warning", "pod-1"),
    ];
    let ran = bench.run(&stages, &[events]);
    assert_eq!((ran.filtered("first", "normal"), ran.filtered("asks", "found")), (1, 2));
    assert_eq!(names(&ran), ["e2"]);
    assert_eq!(looking.requests(), 2);
    assert_eq!(ran.chain.asking_for_lookups(), ["asks"]);
}

#[test]
fn without_lookups_a_module_that_asks_finds_nothing() {
    let bench = Bench::new();
    let stage = bench.stage("asks", DROP_FOUND);
    let ran = bench.run(&[stage], &[vec![about(0, "Normal", "pod-0")]]);
    assert_eq!(ran.documents.len(), 1);
}

/// Sets `/seen`, and fails on Normal events.
const EDITS_OR_FAILS: Guest<'static> = Guest {
    imports: r#"
        (import "weir:pipeline/event@0.1.0" "type" (func $type (result i32)))
        (import "weir:pipeline/edit@0.1.0" "set-bool" (func $set (param i32 i32 i32 i32)))"#,
    items: r#"(data (i32.const 1024) "/seen")"#,
    configure: "",
    process: "(call $set (i32.const 1024) (i32.const 5) (i32.const 1) (i32.const 32))
        (i32.eqz (call $type))",
};

#[test]
fn what_stages_did_to_an_event_is_still_so_when_it_has_waited() {
    let looking = LookingUp::new();
    let stage = looking.bench.stage("edits", EDITS_OR_FAILS);
    let events = vec![about(0, "Normal", "pod-0"), about(1, "Warning", "slow-1")];
    let ran = looking.bench.run(&[stage], &[events]);
    assert_eq!(names(&ran), ["e0", "e1"]);
    assert_eq!(ran.errors(0), ["edits error"]);
    assert_eq!(ran.documents[0]["seen"], Value::Null);
    assert_eq!(ran.documents[0]["involvedObject"]["labels"], json!({"a.b": "pod-0"}));
    assert_eq!(ran.errors(1), [""; 0]);
    assert_eq!(ran.documents[1]["seen"], true);
}

#[test]
fn an_event_that_has_waited_may_still_become_a_dead_letter() {
    let looking = LookingUp::new();
    let failing = Guest {
        imports: r#"(import "weir:pipeline/lookup@0.1.0" "found" (func $found (result i32)))"#,
        process: "(call $found)",
        ..Guest::default()
    };
    let stage = ModuleSettings {
        on_error: OnError::DeadLetter,
        ..looking.bench.stage("fails-on-found", failing)
    };
    let events = vec![about(0, "Normal", "pod-0"), about(1, "Normal", "gone")];
    let ran = looking.bench.run(&[stage], &[events]);
    assert_eq!(ran.dead_lettered("fails-on-found", "error"), 1);
    assert_eq!(names(&ran), ["e1"]);
}
