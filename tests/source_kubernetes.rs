//! The Kubernetes source against a real API server and its etcd: what a fake cannot prove. `make
//! test` starts both.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::collections::BTreeMap;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::sync::{RwLock, mpsc};
use weir::event::{Event, Span};
use weir::handoff::{SourceSender, Work};
use weir::health::Health;
use weir::ledger::Ledger;
use weir::metrics::Metrics;
use weir::shutdown::Shutdown;
use weir::source::{Context, KubernetesSettings, SourceError, kubernetes};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts the servers"))
}

async fn client() -> kube::Client {
    client_as(None).await
}

/// A client that acts as another user, who has no rights but those that a test grants.
async fn client_as(user: Option<&str>) -> kube::Client {
    weir::tls::install_crypto_provider();
    let file = Kubeconfig::read_from(setting("WEIR_TEST_KUBECONFIG")).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    config.auth_info.impersonate = user.map(str::to_owned);
    kube::Client::try_from(config).unwrap()
}

/// A namespace that goes away with the test's cluster.
struct Namespace {
    client: kube::Client,
    name: String,
}

impl Namespace {
    async fn new(prefix: &str) -> Namespace {
        let client = client().await;
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": prefix}});
        let made = send(&client, "POST", "/api/v1/namespaces", body).await;
        Namespace { client, name: made["metadata"]["name"].as_str().unwrap().to_owned() }
    }

    /// Creates an event; answers its version.
    async fn create(&self, name: &str) -> String {
        let body = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": self.name},
            "involvedObject": {"kind": "Pod", "namespace": self.name, "name": "p"},
            "reason": "Test", "message": "made by a test", "type": "Normal", "count": 1,
        });
        let made = send(&self.client, "POST", &self.path(""), body).await;
        made["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// Raises an event's count; answers its new version.
    async fn update(&self, name: &str, count: u32) -> String {
        let request = http::Request::patch(self.path(name))
            .header("content-type", "application/merge-patch+json")
            .body(json!({"count": count}).to_string().into_bytes())
            .unwrap();
        let made: Value = self.client.request(request).await.unwrap();
        made["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    async fn create_many(&self, prefix: &str, count: usize) -> Vec<String> {
        let mut versions = Vec::new();
        for batch in (0..count).collect::<Vec<_>>().chunks(32) {
            let names: Vec<String> = batch.iter().map(|n| format!("{prefix}-{n:05}")).collect();
            versions.extend(
                futures_util::future::join_all(names.iter().map(|name| self.create(name))).await,
            );
        }
        versions
    }

    fn path(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/events/{name}", self.name).trim_end_matches('/').to_owned()
    }
}

async fn send(client: &kube::Client, method: &str, path: &str, body: Value) -> Value {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap();
    client.request(request).await.unwrap()
}

/// Held for writing by who compacts: it takes from every watch that is just opening what it begins
/// with, and the versions that were overwritten by the time it has listed again are gone.
static HISTORY: RwLock<()> = RwLock::const_new(());

/// Makes etcd forget every version but the newest.
async fn compact(namespace: &Namespace, etcd: &str) {
    let version = namespace.create("to-see-the-version").await;
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
    async fn of(namespace: &Namespace, chunks: usize) -> Source {
        Source::with(client().await, namespace, chunks)
    }

    fn with(client: kube::Client, namespace: &Namespace, chunks: usize) -> Source {
        let ledger = Ledger::default();
        let metrics = Metrics::new(&ledger).unwrap();
        let (sender, mut workers) = SourceSender::new(ledger, Default::default(), chunks, 1);
        let (health, shutdown) = (Health::default(), Shutdown::default());
        let context = Context {
            sender,
            keeper: weir::position::Keeper::default(),
            metrics: metrics.source.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
        };
        let settings =
            KubernetesSettings { namespaces: vec![namespace.name.clone()], ..Default::default() };
        let task = tokio::spawn(async move { kubernetes::run(&settings, client, context).await });
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
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
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
        tokio::time::timeout(PATIENCE, shown)
            .await
            .unwrap_or_else(|_| panic!("{line}:\n{}", self.metrics.render()));
    }

    /// Ends it, and checks that nothing came twice.
    async fn end(mut self) -> BTreeMap<String, u32> {
        self.shutdown.drain.cancel();
        self.task.await.unwrap().unwrap();
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
    let _kept = HISTORY.read().await;
    let namespace = Namespace::new("pages-").await;
    let mut versions = namespace.create_many("before", 1_200).await;
    // Room for all: while this creates, nobody takes.
    let mut source = Source::of(&namespace, 2_000).await;
    source.until_seen(&versions).await;
    assert!(source.health.readiness().ok);
    source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    versions.extend(namespace.create_many("after", 100).await);
    versions.push(namespace.update("after-00007", 2).await);
    versions.push(namespace.update("after-00007", 3).await);
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
    let _cut = HISTORY.write().await;
    let namespace = Namespace::new("gone-").await;
    let listed = namespace.create_many("listed", 10).await;
    let mut source = Source::of(&namespace, 1).await;
    source.until_seen(&listed).await;
    source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    // Nobody takes the only chunk. What comes at once shares it, so one creation may not be enough.
    let mut versions = Vec::new();
    while !source.shows(r#"weir_source_state{state="full"} 1"#) {
        versions.push(namespace.create(&format!("unread-{:05}", versions.len())).await);
        assert!(versions.len() < 10_000, "the source never found itself without room");
    }
    let overwritten = namespace.create("changed").await;
    versions.push(namespace.update("changed", 2).await);
    compact(&namespace, &etcd).await;
    source.until_seen(&versions).await;
    source.until_metric(r#"weir_source_restarts_total{cause="gone"} 1"#).await;
    let seen = source.end().await;
    assert!(!seen.contains_key(&overwritten), "it was gone from the cluster");
}

#[tokio::test]
async fn a_missing_right_is_named_and_when_it_is_granted_the_source_becomes_ready() {
    let namespace = Namespace::new("rights-").await;
    let listed = namespace.create_many("listed", 3).await;
    let mut source = Source::with(client_as(Some("weir-test")).await, &namespace, 4);
    source.until_metric(r#"weir_source_state{state="backoff"} 1"#).await;
    let report = source.health.readiness();
    assert!(!report.ok);
    let command =
        format!("kubectl auth can-i list events --namespace {} --as weir-test", namespace.name);
    assert!(report.lines[0].contains(&command), "{:?}", report.lines);

    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", namespace.name);
    let role = json!({
        "metadata": {"name": "events"},
        "rules": [{"apiGroups": [""], "resources": ["events"], "verbs": ["get", "list", "watch"]}],
    });
    send(&namespace.client, "POST", &format!("{path}/roles"), role).await;
    let binding = json!({
        "metadata": {"name": "events"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "events"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "weir-test"}],
    });
    send(&namespace.client, "POST", &format!("{path}/rolebindings"), binding).await;
    source.until_seen(&listed).await;
    source.until_metric(r#"weir_source_state{state="watching"} 1"#).await;
    assert!(source.health.readiness().ok);
    source.end().await;
}
