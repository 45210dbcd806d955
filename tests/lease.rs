//! The Lease against a real API server: what a fake cannot prove. `make test` starts it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use weir::health::Health;
use weir::kube::LeaseSettings;
use weir::kube::lease::{Context, Leadership, Lease, MARK_ANNOTATION, Term};
use weir::ledger::Ledger;
use weir::metrics::Metrics;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// The shortest that can be configured.
const DURATION: Duration = Duration::from_secs(5);

/// A client that acts as `user`, who has no rights but those that a test grants, or as the
/// administrator.
async fn client_as(user: Option<&str>) -> kube::Client {
    weir::tls::install_crypto_provider();
    let file = std::env::var("WEIR_TEST_KUBECONFIG")
        .expect("WEIR_TEST_KUBECONFIG is not set: run `make test`, which starts the servers");
    let file = Kubeconfig::read_from(file).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    config.auth_info.impersonate = user.map(str::to_owned);
    kube::Client::try_from(config).unwrap()
}

async fn send(
    client: &kube::Client,
    method: &str,
    path: &str,
    body: Value,
) -> Result<Value, kube::Error> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(if body.is_null() { Vec::new() } else { body.to_string().into_bytes() })
        .unwrap();
    client.request(request).await
}

/// A namespace that goes away with the test's cluster.
struct Namespace {
    client: kube::Client,
    name: String,
}

impl Namespace {
    async fn new(prefix: &str) -> Namespace {
        let client = client_as(None).await;
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": prefix}});
        let made = send(&client, "POST", "/api/v1/namespaces", body).await.unwrap();
        Namespace { client, name: made["metadata"]["name"].as_str().unwrap().to_owned() }
    }

    fn path(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/events", self.name)
    }

    async fn lease(&self) -> Value {
        send(&self.client, "GET", &self.path(), Value::Null).await.unwrap()
    }
}

struct Candidate {
    lease: Lease,
    /// What its pipeline has settled in this term; 0: nothing.
    settled: Arc<AtomicU64>,
    health: Health,
}

impl Candidate {
    async fn new(namespace: &Namespace, identity: &str) -> Candidate {
        Candidate::with(client_as(None).await, namespace, identity)
    }

    fn with(client: kube::Client, namespace: &Namespace, identity: &str) -> Candidate {
        let metrics = Metrics::new(&Ledger::default()).unwrap();
        let health = Health::default();
        let context = Context { metrics: metrics.lease, health: health.clone() };
        let settings = LeaseSettings {
            namespace: Some(namespace.name.clone()),
            name: "events".into(),
            duration: DURATION,
        };
        let settled = Arc::new(AtomicU64::new(0));
        let mark = {
            let settled = settled.clone();
            move |_: Term| match settled.load(Ordering::Relaxed) {
                0 => None,
                mark => Some(mark.to_string()),
            }
        };
        Candidate {
            lease: Lease::start(&settings, identity.into(), client, context, mark),
            settled,
            health,
        }
    }

    async fn until(&self, wanted: impl FnMut(&Leadership) -> bool) -> Leadership {
        let mut leadership = self.lease.leadership();
        tokio::time::timeout(PATIENCE, leadership.wait_for(wanted)).await.unwrap().unwrap().clone()
    }

    async fn leads(&self) -> Leadership {
        self.until(|leadership| matches!(leadership, Leadership::Leading { .. })).await
    }

    async fn follows(&self, leader: &str) -> Leadership {
        self.until(|leadership| {
            *leadership == Leadership::Following { holder: Some(leader.into()) }
        })
        .await
    }
}

async fn until_mark(namespace: &Namespace, mark: &str) {
    let written = async {
        while namespace.lease().await["metadata"]["annotations"][MARK_ANNOTATION] != mark {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
}

fn leading(mark: Option<&str>) -> Leadership {
    Leadership::Leading { term: Term(1), mark: mark.map(str::to_owned) }
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_leads_in_time_and_has_its_mark() {
    let namespace = Namespace::new("killed-").await;
    let first = Candidate::new(&namespace, "first").await;
    assert_eq!(first.leads().await, leading(None));
    let second = Candidate::new(&namespace, "second").await;
    second.follows("first").await;
    first.settled.store(41, Ordering::Relaxed);
    until_mark(&namespace, "41").await;
    // As late after a renewal as can be: nothing tells the other one.
    drop(first.lease);
    let killed = Instant::now();
    assert_eq!(second.leads().await, leading(Some("41")));
    let gap = killed.elapsed();
    assert!(gap <= DURATION + Duration::from_secs(2), "{gap:?}");
    assert_eq!(second.health.readiness().lines, ["lease: ok (leading, as second)"]);
    let lease = namespace.lease().await;
    assert_eq!(lease["spec"]["holderIdentity"], "second");
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    assert_eq!(lease["metadata"]["annotations"][MARK_ANNOTATION], "41");
}

#[tokio::test]
async fn when_the_leader_gives_the_lease_up_the_other_leads_at_once_and_has_its_last_mark() {
    let namespace = Namespace::new("released-").await;
    let first = Candidate::new(&namespace, "first").await;
    first.leads().await;
    let second = Candidate::new(&namespace, "second").await;
    second.follows("first").await;
    first.settled.store(42, Ordering::Relaxed);
    first.lease.release().await;
    let released = Instant::now();
    assert_eq!(second.leads().await, leading(Some("42")));
    let gap = released.elapsed();
    assert!(gap <= Duration::from_secs(1), "{gap:?}");
}

#[tokio::test]
async fn a_lease_that_is_deleted_under_its_leader_is_made_again_and_another_write_of_it_is_noticed()
{
    let namespace = Namespace::new("deleted-").await;
    let first = Candidate::new(&namespace, "first").await;
    first.leads().await;
    first.settled.store(43, Ordering::Relaxed);
    until_mark(&namespace, "43").await;
    send(&namespace.client, "DELETE", &namespace.path(), Value::Null).await.unwrap();
    let again = async {
        while send(&namespace.client, "GET", &namespace.path(), Value::Null).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    assert_eq!(*first.lease.leadership().borrow(), leading(None), "it is the same term");
    let mut lease = namespace.lease().await;
    assert_eq!(lease["metadata"]["annotations"][MARK_ANNOTATION], "43");

    lease["spec"]["holderIdentity"] = json!("third");
    send(&namespace.client, "PUT", &namespace.path(), lease).await.unwrap();
    first.follows("third").await;
    assert_eq!(namespace.lease().await["spec"]["holderIdentity"], "third");
}

#[tokio::test]
async fn a_missing_right_is_named_and_when_it_is_granted_the_candidate_leads() {
    let namespace = Namespace::new("rights-").await;
    let candidate = Candidate::with(client_as(Some("weir-lease-test")).await, &namespace, "first");
    let denied = async {
        while !candidate.health.readiness().lines[0].contains("auth can-i") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, denied).await.unwrap();
    let report = candidate.health.readiness();
    assert!(!report.ok);
    let command = format!(
        "`kubectl auth can-i get leases.coordination.k8s.io/events --namespace {} --as weir-lease-test`",
        namespace.name
    );
    assert!(report.lines[0].contains(&command), "{:?}", report.lines);

    let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", namespace.name);
    let verbs = ["get", "create", "update"];
    let role = json!({
        "metadata": {"name": "lease"},
        "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}],
    });
    send(&namespace.client, "POST", &format!("{path}/roles"), role).await.unwrap();
    let binding = json!({
        "metadata": {"name": "lease"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lease"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "weir-lease-test"}],
    });
    send(&namespace.client, "POST", &format!("{path}/rolebindings"), binding).await.unwrap();
    candidate.leads().await;
    assert!(candidate.health.readiness().ok, "those three rights are enough");
    candidate.lease.release().await;
    assert_eq!(namespace.lease().await["spec"]["holderIdentity"], "");
}
