//! The Kubernetes source against a real API server and its etcd: what a fake cannot prove. `make
//! test` starts both.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{self as k8s, Namespace};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::mpsc;
use weir::internals::config;
use weir::internals::event::{Event, Span};
use weir::internals::handoff::{SourceSender, Work};
use weir::internals::health::Health;
use weir::internals::ledger::Ledger;
use weir::internals::metrics::Metrics;
use weir::internals::position::Keeper;
use weir::internals::process::Process;
use weir::internals::shutdown::Shutdown;
use weir::internals::source::{KubernetesSettings, SourceError, kubernetes};

use crate::support::{Cluster, DEADLINE, client_as, unique, version_of};

/// Creates an event; answers its version.
async fn create(cluster: &Cluster, name: &str) -> String {
    version_of(&cluster.report(name, "Normal", "Test", "made by a test", 1).await)
}

/// Raises an event's count; answers its new version.
async fn update(cluster: &Cluster, name: &str, count: i32) -> String {
    version_of(&cluster.repeat(name, count).await)
}

async fn create_many(cluster: &Cluster, prefix: &str, count: usize) -> Vec<String> {
    let mut versions = Vec::new();
    for some in (0..count).collect::<Vec<_>>().chunks(32) {
        let names: Vec<String> = some.iter().map(|n| format!("{prefix}-{n:05}")).collect();
        let created = names.iter().map(|name| create(cluster, name));
        versions.extend(futures_util::future::join_all(created).await);
    }
    versions
}

/// Makes etcd forget every version but the newest.
async fn compact(cluster: &Cluster, etcd: &str) {
    let version = create(cluster, "to-see-the-version").await;
    let body = json!({"revision": version, "physical": true}).to_string();
    let url = format!("{etcd}/v3/kv/compaction");
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
}

/// A source under test.
struct Source {
    work: mpsc::Receiver<Work>,
    metrics: Metrics,
    health: Health,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<Result<(), SourceError>>,
    /// How often each version has come.
    seen: BTreeMap<String, u32>,
}

impl Source {
    async fn of(cluster: &Cluster, chunks: usize) -> Source {
        Source::with(client_as(None).await, cluster, chunks)
    }

    fn with(client: kube::Client, cluster: &Cluster, chunks: usize) -> Source {
        let namespaces = vec![cluster.namespace.clone()];
        Source::run(client, KubernetesSettings { namespaces, ..Default::default() }, chunks)
    }

    fn run(client: kube::Client, settings: KubernetesSettings, chunks: usize) -> Source {
        let process = Process::new(Ledger::default(), Shutdown::default()).unwrap();
        let Process { ledger, tracker, metrics, health, shutdown, .. } = process.clone();
        let (sender, mut workers) = SourceSender::new(ledger, tracker, chunks, 1);
        let task = tokio::spawn(async move {
            kubernetes::run(&settings, client, sender, Keeper::default(), process).await
        });
        Source { work: workers.remove(0), metrics, health, shutdown, task, seen: BTreeMap::new() }
    }

    fn take(&mut self, work: &Work) {
        for event in &work.chunk.events {
            *self.seen.entry(version(work, event)).or_default() += 1;
        }
    }

    /// Takes events until all `versions` have come.
    async fn until_seen(&mut self, versions: &[String]) {
        let all = async {
            while !versions.iter().all(|version| self.seen.contains_key(version)) {
                let work = self.work.recv().await.expect("the source runs");
                self.take(&work);
            }
        };
        if tokio::time::timeout(DEADLINE, all).await.is_err() {
            let missing: Vec<_> =
                versions.iter().filter(|version| !self.seen.contains_key(*version)).collect();
            let metrics = self.metrics.render();
            let source: Vec<_> =
                metrics.lines().filter(|line| line.starts_with("weir_source_")).collect();
            panic!(
                "of {} versions did not come: {missing:?}\n{}",
                versions.len(),
                source.join("\n")
            );
        }
    }

    fn shows(&self, line: &str) -> bool {
        self.metrics.render().lines().any(|have| have == line)
    }

    async fn until_metric(&self, line: &str) {
        let shown = async {
            while !self.shows(line) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, shown)
            .await
            .unwrap_or_else(|_| panic!("{line}:\n{}", self.metrics.render()));
    }

    /// Ends it, and checks that nothing came twice.
    async fn end(mut self) -> BTreeMap<String, u32> {
        self.shutdown.drain.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
        while let Some(work) = self.work.recv().await {
            for event in &work.chunk.events {
                *self.seen.entry(version(&work, event)).or_default() += 1;
            }
        }
        assert_eq!(
            self.seen.iter().find(|(_, times)| **times > 1),
            None,
            "accepted more than once"
        );
        self.seen
    }
}

fn version(work: &Work, event: &Event) -> String {
    let text = |span: Span| {
        String::from_utf8_lossy(&work.chunk.event_bytes(event)[span.range()]).into_owned()
    };
    text(event.head.resource_version)
}

#[tokio::test]
async fn the_pages_of_a_list_and_then_the_watch_give_every_version_once() {
    let cluster = Cluster::with_namespace().await;
    let mut versions = create_many(&cluster, "before", 1_200).await;
    // Room for all: while this creates, nobody takes.
    let mut source = Source::of(&cluster, 2_000).await;
    source.until_seen(&versions).await;
    assert!(source.health.readiness().ok);
    source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    versions.extend(create_many(&cluster, "after", 100).await);
    versions.push(update(&cluster, "after-00007", 2).await);
    versions.push(update(&cluster, "after-00007", 3).await);
    source.until_seen(&versions).await;
    assert_eq!(source.end().await.len(), versions.len());
}

#[tokio::test]
async fn a_watch_that_was_closed_for_want_of_room_and_compacted_is_listed_again_and_nothing_comes_twice()
 {
    let Ok(etcd) = std::env::var("WEIR_TEST_ETCD") else {
        // A cluster that somebody has given us: its etcd is not ours to compact.
        eprintln!(
            "left out: WEIR_TEST_ETCD is not set; `make test` without WEIR_TEST_KUBECONFIG runs this"
        );
        return;
    };
    let cluster = Cluster::alone().await;
    let listed = create_many(&cluster, "listed", 10).await;
    let mut source = Source::of(&cluster, 1).await;
    source.until_seen(&listed).await;
    source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    // Nobody takes the only chunk. What comes at once shares it, so one creation may not be enough.
    let mut versions = Vec::new();
    while !source.shows(r#"weir_source_state{state="full"} 1"#) {
        versions.push(create(&cluster, &format!("unread-{:05}", versions.len())).await);
        assert!(versions.len() < 10_000, "the source never found itself without room");
    }
    let overwritten = create(&cluster, "changed").await;
    versions.push(update(&cluster, "changed", 2).await);
    compact(&cluster, &etcd).await;
    source.until_seen(&versions).await;
    source.until_metric(r#"weir_source_restarts_total{cause="gone"} 1"#).await;
    let seen = source.end().await;
    assert!(!seen.contains_key(&overwritten), "it was gone from the cluster");
}

#[tokio::test]
async fn a_missing_right_is_named_and_when_it_is_granted_the_source_becomes_ready() {
    let cluster = Cluster::with_namespace().await;
    let listed = create_many(&cluster, "listed", 3).await;
    let mut source = Source::with(client_as(Some("weir-test")).await, &cluster, 4);
    source.until_metric(r#"weir_source_state{state="backoff"} 1"#).await;
    let report = source.health.readiness();
    assert!(!report.ok);
    let command =
        format!("kubectl auth can-i list events --namespace {} --as weir-test", cluster.namespace);
    assert!(report.lines[0].contains(&command), "{:?}", report.lines);

    cluster.grant("weir-test", "", "events", &["get", "list", "watch"]).await;
    source.until_seen(&listed).await;
    source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    assert!(source.health.readiness().ok);
    source.end().await;
}

/// A namespace beside the test's own.
async fn another_namespace(cluster: &Cluster) -> String {
    let name = unique("weir-test-other");
    let object = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.create(&PostParams::default(), &object).await.unwrap();
    name
}

/// Creates an event in a namespace; answers its version.
async fn create_in(
    cluster: &Cluster,
    namespace: &str,
    (name, event_type, reason): (&str, &str, &str),
) -> String {
    let events: Api<k8s::Event> = Api::namespaced(cluster.client.clone(), namespace);
    let event = json!({
        "metadata": {"name": name}, "type": event_type, "reason": reason,
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": "web"},
    });
    let event = serde_json::from_value(event).unwrap();
    version_of(&events.create(&PostParams::default(), &event).await.unwrap())
}

#[tokio::test]
async fn what_a_selector_and_excluded_namespaces_leave_out_is_neither_listed_nor_watched() {
    let cluster = Cluster::with_namespace().await;
    let (ours, other) = (cluster.namespace.clone(), another_namespace(&cluster).await);
    // Of all that the cluster holds, only this test's: and what must be escaped.
    let reason = format!("{}, 50% & + = #\u{e9}", unique("reason"));
    let escaped = reason.replace(',', "\\,").replace('=', "\\=");
    let settings = KubernetesSettings {
        exclude_namespaces: vec![other.clone(), "kube-system".to_owned()],
        field_selector: Some(format!("type!=Normal,reason={escaped}")),
        ..Default::default()
    };
    let client = client_as(None).await;
    let mut wanted = Vec::new();
    let mut source = None;
    for when in ["before", "after"] {
        for (namespace, event_type, reason) in [
            (&other, "Warning", reason.as_str()),
            (&ours, "Normal", &reason),
            (&ours, "Warning", "another reason"),
        ] {
            let name = unique(when);
            create_in(&cluster, namespace, (&name, event_type, reason)).await;
        }
        wanted.push(create_in(&cluster, &ours, (when, "Warning", &reason)).await);
        let run = || Source::run(client.clone(), settings.clone(), 4);
        let source = source.get_or_insert_with(run);
        source.until_seen(&wanted).await;
        source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    }
    // One that begins to be selected is an event of the watch; one that ceases to be, a deletion.
    let becomes = async |name: &str, event_type: &str| {
        let patch = Patch::Merge(json!({"type": event_type}));
        cluster.events().patch(name, &PatchParams::default(), &patch).await.unwrap()
    };
    becomes("after", "Normal").await;
    wanted.push(version_of(&becomes("after", "Warning").await));
    let mut source = source.unwrap();
    source.until_seen(&wanted).await;
    let seen: Vec<String> = source.end().await.into_keys().collect();
    wanted.sort();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn weir_takes_the_fields_that_an_api_server_selects_by_and_no_others() {
    let cluster = Cluster::with_namespace().await;
    let object = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
    let object = object.map(|field| format!("involvedObject.{field}"));
    let others = "type reason source reportingComponent metadata.name metadata.namespace message \
                  count action metadata.uid reportingInstance reportingController source.component \
                  source.host related.name regarding.kind Type";
    for field in others.split(' ').map(str::to_owned).chain(object) {
        for term in [format!("{field}=x"), format!("{field}!=x"), format!("{field}==")] {
            let text = format!(
                "name = 'p'\nsink.kind = 'stdout'\n\
                 source = {{ kind = 'kubernetes', field_selector = '{term}' }}"
            );
            let taken = config::parse(Path::new("p.toml"), &text, &Default::default());
            let listed = cluster.events().list(&ListParams::default().fields(&term).limit(1)).await;
            assert_eq!(taken.is_ok(), listed.is_ok(), "{term}: {taken:?} {listed:?}");
        }
    }
}
