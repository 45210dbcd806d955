//! Two recorded clusters, brought into an index by weir itself, once for all the tests here.
//!
//! - `demo`: `config/demo-events.jsonl`, through both modules as `config/demo.toml` has them.
//! - `recorded`: `events.jsonl` beside this file: what a Kubernetes 1.35 API server sent of a node
//!   with pods that fail in the usual ways, through `tag-gpu-failures` alone, so with Normal
//!   events.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::objects::text;
use super::request::Time;
use crate::support::{Folder, Search, repository, stage, unique};

/// The day of the recordings, 22 November 2026, in milliseconds since the epoch.
const DAY: u64 = 1_795_305_600_000;
/// All of it, as a dashboard shows it that looks back for a day: bars of half an hour.
pub(super) const ALL: Time = Time { from: DAY, to: DAY + 24 * 60 * MINUTE };
/// The ten minutes of the demo, in bars of ten seconds.
pub(super) const DEMO: Time =
    Time { from: DAY + 21 * 60 * MINUTE, to: DAY + (21 * 60 + 10) * MINUTE };
const MINUTE: u64 = 60_000;

/// What is in the index.
pub(super) struct Loaded {
    /// What the names of the indices begin with.
    pub(super) prefix: String,
    /// Each event as weir read it, with what weir and modules have to add.
    pub(super) events: Vec<Value>,
}

/// With weir's own index template.
pub(super) fn loaded() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| load("template = \"install\""))
}

/// With no template at all: OpenSearch maps each field as it first sees it.
pub(super) fn mapped_dynamically() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| load("template = \"skip\""))
}

/// With a `lastTimestamp` in every document.
pub(super) fn filled() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| load("last_timestamp = \"filled\""))
}

fn load(sink: &str) -> Loaded {
    let prefix = unique("weir-dashboards");
    let tag = stage("tag-gpu-failures");
    let demo = stage("drop-normal") + "[stage.config]\nkeep_reasons = [\"Killing\"]\n" + &tag;
    let store = |cluster: &str, path: &str, stages: &str| {
        run(&prefix, sink, cluster, path, stages);
        events(path, cluster)
    };
    let mut events = store("demo", "config/demo-events.jsonl", &demo);
    events.retain(|event| event["type"] == "Warning" || event["reason"] == "Killing");
    events.extend(store("recorded", "tests/suite/dashboards/events.jsonl", &tag));
    Loaded { prefix, events }
}

impl Loaded {
    /// Asks all indices; everything that was written can be found.
    pub(super) async fn ask(&self, body: Value) -> Value {
        let search = Search::shared();
        let indices = format!("{}-*", self.prefix);
        search.succeed(reqwest::Method::POST, &format!("{indices}/_refresh"), json!({})).await;
        search.succeed(reqwest::Method::POST, &format!("{indices}/_search"), body).await
    }

    /// What `path` of the indices answers.
    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, answer) = Search::shared()
            .ask(reqwest::Method::GET, &format!("{}-*/{path}", self.prefix), None)
            .await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }
}

/// Runs weir over a file to its end.
fn run(prefix: &str, sink: &str, cluster: &str, path: &str, stages: &str) {
    let (url, path) = (Search::shared().url, repository().join(path));
    let config = format!(
        "name = {cluster:?}\ncluster = {cluster:?}\n\
         [source]\nkind = \"file\"\npath = {path:?}\n{stages}\
         [sink]\nkind = \"opensearch\"\nhosts = [{url:?}]\n{sink}\n\
         index = \"{prefix}-{{yyyy.MM.dd}}\"\n\
         [dead_letter]\npath = \"dead\"\n[admin]\nlisten = \"127.0.0.1:0\"\n"
    );
    let folder = Folder::with(&[("pipeline.toml", &config)]);
    let ended = folder.weir(&["run", "--config", "pipeline.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.last().contains(" dead_lettered=0 in_flight=0"), "{}", ended.last());
}

/// The versions of events in a file, each once.
fn events(path: &str, cluster: &str) -> Vec<Value> {
    let lines = text(path);
    let frames = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let versions = frames.filter(|frame| frame["type"] != "BOOKMARK").map(|mut frame| {
        let event = frame["object"].take();
        let id = format!("{}.{}", event["metadata"]["uid"], event["metadata"]["resourceVersion"]);
        (id, with_what_weir_adds(event, cluster))
    });
    versions.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn with_what_weir_adds(mut event: Value, cluster: &str) -> Value {
    let observed = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"];
    let observed = observed.iter().find_map(|at| event.pointer(at)?.as_str()).unwrap().to_owned();
    event["@timestamp"] = json!(observed);
    event["clusterName"] = json!(cluster);
    if let Some((cause, resource)) = gpu_failure(&event) {
        event["tags"] = json!("gpu-failure");
        event["gpu"] = json!({ "cause": cause, "resource": resource });
    }
    event
}

/// Which events of the recordings tell of a GPU failure, by what was done there: the stories of
/// `tests/env/demo.yaml` and `tests/env/demo-reports.sh`.
fn gpu_failure(event: &Value) -> Option<(&'static str, Option<&'static str>)> {
    let message = event["message"].as_str().unwrap();
    let gpu = "nvidia.com/gpu";
    match event["reason"].as_str().unwrap() {
        "XidError" => Some(("device", None)),
        "Failed" if message.contains("gpu is lost") => Some(("device", None)),
        "Failed" if message.contains("driver/library version") => Some(("runtime", None)),
        "UnexpectedAdmissionError" if message.contains(gpu) => Some(("admission", Some(gpu))),
        "UnexpectedAdmissionError" => Some(("admission", Some("nvidia.com/mig-1g.5gb"))),
        "FailedScheduling" | "NotTriggerScaleUp" if message.contains(gpu) => {
            Some(("unschedulable", Some(gpu)))
        }
        _ => None,
    }
}
