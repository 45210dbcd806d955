//! The modules of `filters/` in the host. `make filters` builds them, and `make test` calls it
//! first.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use weir::internals::dead_letter::DeadLetters;
use weir::internals::event::{Documents, EncodeSettings};
use weir::internals::handoff::{Closed, Outbox, SourceSender};
use weir::internals::health::Health;
use weir::internals::ledger::{Held, Ledger};
use weir::internals::lookup::{Lookups, Resource, Settings};
use weir::internals::metrics::Metrics;
use weir::internals::shutdown::Shutdown;
use weir::internals::stages::{Compiler, LoadContext, Match, ModuleSettings, OnError, Wasi, load};

use crate::support::{modules, repository};

fn stage(module: &str, config: &str) -> ModuleSettings {
    let path = repository().join("filters/dist").join(format!("{module}.wasm"));
    assert!(path.exists(), "{} is missing: run `make filters`", path.display());
    ModuleSettings {
        name: module.to_owned(),
        module: path.into(),
        matches: Match::default(),
        timeout: Duration::from_secs(5),
        memory: 16 << 20,
        on_error: OnError::Keep,
        wasi: Wasi::None,
        config: config.to_owned(),
        shadow: None,
    }
}

/// Keeps the documents as text.
#[derive(Default)]
struct Collect(Mutex<Vec<String>>);

impl Outbox for Collect {
    fn put(&self, documents: Documents, _held: Held) -> Result<(), Closed> {
        let texts = documents
            .docs
            .iter()
            .map(|doc| String::from_utf8(documents.body(doc).to_vec()).unwrap());
        self.0.lock().unwrap().extend(texts);
        Ok(())
    }
}

/// How many events were dropped, by stage and reason.
type Filtered = Vec<((String, String), u64)>;

/// The documents that come out, and how many events the stages dropped, by stage and reason.
fn run(stages: &[ModuleSettings], events: &[String]) -> (Vec<String>, Filtered) {
    run_looking_up(stages, events, |_| None)
}

/// The same, with what the API server has.
fn run_looking_up(
    stages: &[ModuleSettings],
    events: &[String],
    lookups: impl FnOnce(&Metrics) -> Option<Lookups>,
) -> (Vec<String>, Filtered) {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).unwrap();
    let lookups = lookups(&metrics);
    let metrics = metrics.stage;
    // One cache for all tests: each module is compiled once.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let context = LoadContext {
        pulled: Default::default(),
        instances: 1,
        keeps: true,
        cache,
        compiler: Compiler::InProcess,
        ledger: ledger.clone(),
        metrics,
    };
    let stages: Vec<_> = stages.iter().cloned().map(Into::into).collect();
    let chain = load(&stages, context).unwrap_or_else(|errors| panic!("{errors:?}"));
    let (sender, mut works) = SourceSender::new(ledger.clone(), Default::default(), 1, 1);
    sender.send(modules::chunk(events)).unwrap();
    drop(sender);
    let outbox = Collect::default();
    let (encode, health) = (EncodeSettings::default(), Health::default());
    let dead_letters = DeadLetters::open(None, &ledger, &health, &Shutdown::default()).unwrap();
    let worker = chain.worker(0, 1).with_lookups(lookups.as_ref());
    worker.run(works.remove(0), &outbox, &dead_letters, &encode, &health).unwrap();
    let mut filtered = ledger.snapshot().filtered;
    filtered.retain(|(_, count)| *count > 0);
    (outbox.0.into_inner().unwrap(), filtered)
}

fn pointer<'a>(document: &'a str, pointer: &str) -> Option<&'a str> {
    let mut value = document;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = match step.parse::<usize>() {
            Ok(index) if value.starts_with('[') => serde_json::from_str::<Vec<&RawValue>>(value)
                .unwrap()
                .get(index)
                .map(|v| v.get())?,
            _ => {
                let members: Vec<(String, &RawValue)> = members(value)?;
                members.into_iter().rev().find(|(key, _)| *key == step).map(|(_, v)| v.get())?
            }
        };
    }
    Some(value)
}

fn members(object: &str) -> Option<Vec<(String, &RawValue)>> {
    let map: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    Some(map.into_iter().collect())
}

/// The case's own event or the file's, as raw text: untouched text must come out byte for byte.
fn conformance_cases() -> Vec<(Value, String)> {
    let text = std::fs::read_to_string(repository().join("tests/conformance/edits.json")).unwrap();
    let raw_cases: Vec<&RawValue> =
        serde_json::from_str(pointer(&text, "/cases").unwrap()).unwrap();
    let common = pointer(&text, "/event").unwrap();
    let case = |raw: &&RawValue| {
        let event = pointer(raw.get(), "/event").unwrap_or(common);
        (serde_json::from_str(raw.get()).unwrap(), event.replace('\n', " "))
    };
    raw_cases.iter().map(case).collect()
}

#[test]
fn a_guest_reads_and_edits_as_the_conformance_file_says() {
    let mut faults = Vec::new();
    for (case, event) in conformance_cases() {
        let name = case["name"].as_str().unwrap();
        let config =
            json!({ "steps": case["steps"], "end": case.get("end").unwrap_or(&json!("keep")) });
        let (documents, filtered) = run(
            &[stage("conformance-guest", &config.to_string())],
            &[event.clone(), event.clone()],
        );
        let discarded = case["end"] == "discard";
        assert_eq!(
            filtered.iter().map(|(_, count)| count).sum::<u64>(),
            u64::from(discarded),
            "{name}"
        );
        if !discarded {
            check_document(&case, &documents[0], &mut faults);
        }
        let answers = pointer(documents.last().unwrap(), "/results").unwrap_or("[]");
        let answers: Vec<Value> = serde_json::from_str(answers).unwrap();
        check_answers(&case, &answers, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn check_document(case: &Value, document: &str, faults: &mut Vec<String>) {
    for expected in case["document"].as_array().into_iter().flatten() {
        let path = expected["pointer"].as_str().unwrap();
        let found = pointer(document, path);
        let fits = match (expected.get("text"), expected.get("json")) {
            (Some(text), _) => found == text.as_str(),
            (None, Some(value)) => {
                found.is_some_and(|found| same(&serde_json::from_str(found).unwrap(), value))
            }
            (None, None) => found.is_none(),
        };
        if !fits {
            faults.push(format!("{}: {expected}, but found {found:?}", case["name"]));
        }
    }
}

fn check_answers(case: &Value, answers: &[Value], faults: &mut Vec<String>) {
    let steps = case["steps"].as_array().unwrap();
    assert_eq!(steps.len(), answers.len(), "{}", case["name"]);
    for (step, answer) in steps.iter().zip(answers) {
        let fits = match (step.get("expect"), step.get("expect-json")) {
            (Some(expected), _) => same(answer, expected),
            (None, Some(expected)) => answer
                .as_str()
                .is_some_and(|text| same(&serde_json::from_str(text).unwrap(), expected)),
            (None, None) => true,
        };
        if !fits {
            faults.push(format!("{}: {step}, but it answered {answer}", case["name"]));
        }
    }
}

/// Equal as JSON, numbers by value.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[test]
fn a_guest_asks_what_the_object_of_its_event_is() {
    let metadata = |name: &str, labels: Value, owner: Option<&str>| {
        let owners: Vec<_> = owner
            .map(|kind| json!({"apiVersion": "apps/v1", "kind": kind, "name": kind, "uid": kind, "controller": true}))
            .into_iter()
            .collect();
        json!({"name": name, "uid": name, "labels": labels, "ownerReferences": owners,
            "annotations": {"example.com/team": "shop", "other": "x"}})
        .to_string()
    };
    let lookups = |metrics: &Metrics| {
        let settings = Settings {
            resources: ["pods", "replicasets.apps"].map(|of| Resource::parse(of).unwrap()).into(),
            labels: true,
            annotations: vec!["example.com/team".into()],
            owners: true,
            dedot: true,
            timeout: Duration::from_secs(2),
            max_per_second: 20,
        };
        let lookups = Lookups::offline(settings, metrics);
        let labels = json!({"app.kubernetes.io/name": "web"});
        lookups.remember("v1", "Pod", "n", &metadata("web", labels, Some("ReplicaSet")));
        lookups.remember("v1", "Pod", "n", &metadata("noise", json!({"drop": ""}), None));
        let set = metadata("ReplicaSet", json!({}), Some("Deployment"));
        lookups.remember("apps/v1", "ReplicaSet", "n", &set);
        Some(lookups)
    };
    let about = |kind: &str, name: &str| {
        let regarded = json!({"apiVersion": "v1", "kind": kind, "namespace": "n", "name": name});
        json!({"apiVersion": "v1", "kind": "Event", "involvedObject": regarded}).to_string()
    };
    let events = [about("Pod", "web"), about("Pod", "noise"), about("Secret", "web")];
    let (documents, filtered) = run_looking_up(&[stage("lookup-guest", "{}")], &events, lookups);
    assert_eq!(filtered, [(("lookup-guest".into(), "labelled".into()), 1)]);
    let looked_up = |document: &str| -> Value {
        serde_json::from_str(pointer(document, "/looked-up").unwrap()).unwrap()
    };
    let controller =
        |kind: &str| json!({"apiVersion": "apps/v1", "kind": kind, "name": kind, "uid": kind});
    assert_eq!(
        looked_up(&documents[0]),
        json!({
            "found": true, "app": "web", "labels": r#"{"app.kubernetes.io/name":"web"}"#,
            "team": "shop", "controllers": [controller("ReplicaSet"), controller("Deployment")],
            "beyond": "", "document": r#"{"app_kubernetes_io/name":"web"}"#,
        })
    );
    assert_eq!(pointer(&documents[0], "/involvedObject/annotations/other"), None);
    assert_eq!(
        looked_up(&documents[1]),
        json!({"found": false, "app": null, "labels": "{}", "team": null, "controllers": [],
            "beyond": "", "document": "null"})
    );
    assert_eq!(pointer(&documents[1], "/involvedObject/labels"), None);
}

#[test]
fn drop_normal_and_tag_gpu_failures_run_as_a_chain() {
    let stages =
        [stage("drop-normal", r#"{"keep_reasons":["Killing"]}"#), stage("tag-gpu-failures", "{}")];
    let unschedulable = modules::event(3, "Warning", "FailedScheduling")
        .replace("Pulling image", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.");
    let events = [
        modules::event(1, "Normal", "Pulled"),
        modules::event(2, "Normal", "Killing"),
        unschedulable,
        modules::event(4, "Warning", "BackOff"),
    ];
    let (documents, filtered) = run(&stages, &events);
    assert_eq!(filtered, [(("drop-normal".to_owned(), "normal".to_owned()), 1)]);
    let documents: Vec<Value> =
        documents.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[0]["reason"], "Killing");
    assert_eq!(documents[1]["tags"], json!(["gpu-failure"]));
    assert_eq!(
        documents[1]["gpu"],
        json!({ "cause": "unschedulable", "resource": "nvidia.com/gpu" })
    );
    assert_eq!(documents[2].get("tags"), None);
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The documents of these events, and what is logged meanwhile.
fn run_logged(stages: &[ModuleSettings], events: &[String]) -> (Vec<Value>, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    let (documents, _) = tracing::subscriber::with_default(subscriber, || run(stages, events));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (documents.iter().map(|text| serde_json::from_str(text).unwrap()).collect(), log)
}

#[test]
fn a_module_of_rusts_standard_library_for_wasip2_gets_nothing_from_wasi_but_a_log_and_the_events_time()
 {
    if !repository().join("filters/dist/wasi-guest.wasm").exists() {
        eprintln!(
            "skipped: `make filters` could not build wasi-guest: it needs `rustup target add wasm32-wasip2`"
        );
        return;
    }
    let stage = ModuleSettings { wasi: Wasi::Stub, ..stage("wasi-guest", "{}") };
    let event = |reason| modules::event(1, "Warning", reason);
    let stages = std::slice::from_ref(&stage);
    let (documents, log) = run_logged(stages, &[event("BackOff")]);
    let mut answers = documents[0]["wasi"].clone();
    let random = answers.as_object_mut().unwrap().remove("random").unwrap();
    let expected = json!({
        "environment": 0, "arguments": 0, "stdin": { "Ok": 0 },
        "read": true, "write": true, "folder": true, "resolve": true, "tcp": true, "udp": true,
        "now": 1_767_323_045_000_000_u64, "slept": 0,
    });
    assert_eq!(answers, expected);
    insta::assert_snapshot!(log, @r#"
    INFO configured stage="wasi-guest"
    INFO with an end stage="wasi-guest"
    WARN without stage="wasi-guest"
    "#);

    let (again, _) = run_logged(stages, &[event("BackOff")]);
    assert_eq!(again[0]["wasi"]["random"], random);

    for (reason, said) in
        [("Panics", "lib.rs:29:25: so it does"), ("Exits", "the module called `exit")]
    {
        let (documents, log) = run_logged(stages, &[event(reason), event("BackOff")]);
        assert_eq!(documents[0]["weir"]["errors"][0]["kind"], "trap");
        assert_eq!(documents[1]["wasi"]["now"], expected["now"]);
        assert!(log.contains(said), "{log}");
    }
}
