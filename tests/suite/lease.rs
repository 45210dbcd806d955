//! The Lease against a real API server: what a fake cannot prove. `make test` starts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir::internals::health::Health;
use weir::internals::kube::LeaseSettings;
use weir::internals::kube::{Leadership, Lease, MARK_ANNOTATION, Term};
use weir::internals::ledger::Ledger;
use weir::internals::process::Process;
use weir::internals::shutdown::Shutdown;

use crate::support::{Cluster, DEADLINE, client_as, send};

/// The shortest that can be configured.
const DURATION: Duration = Duration::from_secs(5);

fn path(cluster: &Cluster) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/events", cluster.namespace)
}

async fn lease(cluster: &Cluster) -> Value {
    send(&cluster.client, "GET", &path(cluster), Value::Null).await.unwrap()
}

struct Candidate {
    lease: Lease,
    /// What its pipeline has settled in this term; 0: nothing.
    settled: Arc<AtomicU64>,
    health: Health,
}

impl Candidate {
    async fn new(cluster: &Cluster, identity: &str) -> Candidate {
        Candidate::with(client_as(None).await, cluster, identity)
    }

    fn with(client: kube::Client, cluster: &Cluster, identity: &str) -> Candidate {
        let process = Process::new(Ledger::default(), Shutdown::default()).unwrap();
        let settings = LeaseSettings {
            namespace: Some(cluster.namespace.clone()),
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
            lease: Lease::start(&settings, identity.into(), client, &process, mark),
            settled,
            health: process.health,
        }
    }

    async fn until(&self, wanted: impl FnMut(&Leadership) -> bool) -> Leadership {
        let mut leadership = self.lease.leadership();
        tokio::time::timeout(DEADLINE, leadership.wait_for(wanted)).await.unwrap().unwrap().clone()
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

async fn until_mark(cluster: &Cluster, mark: &str) {
    let written = async {
        while lease(cluster).await["metadata"]["annotations"][MARK_ANNOTATION] != mark {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, written).await.unwrap();
}

fn leading(mark: Option<&str>) -> Leadership {
    Leadership::Leading { term: Term(1), mark: mark.map(str::to_owned) }
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_leads_in_time_and_has_its_mark() {
    let cluster = Cluster::alone().await;
    let first = Candidate::new(&cluster, "first").await;
    assert_eq!(first.leads().await, leading(None));
    let second = Candidate::new(&cluster, "second").await;
    second.follows("first").await;
    first.settled.store(41, Ordering::Relaxed);
    until_mark(&cluster, "41").await;
    // As late after a renewal as can be: nothing tells the other one.
    drop(first.lease);
    let killed = Instant::now();
    assert_eq!(second.leads().await, leading(Some("41")));
    let gap = killed.elapsed();
    assert!(gap <= DURATION + Duration::from_secs(2), "{gap:?}");
    assert_eq!(second.health.readiness().lines, ["lease: ok (leading, as second)"]);
    let found = lease(&cluster).await;
    assert_eq!(found["spec"]["holderIdentity"], "second");
    assert_eq!(found["spec"]["leaseTransitions"], 1);
    assert_eq!(found["metadata"]["annotations"][MARK_ANNOTATION], "41");
}

#[tokio::test]
async fn when_the_leader_gives_the_lease_up_the_other_leads_at_once_and_has_its_last_mark() {
    let cluster = Cluster::alone().await;
    let first = Candidate::new(&cluster, "first").await;
    first.leads().await;
    let second = Candidate::new(&cluster, "second").await;
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
    let cluster = Cluster::with_namespace().await;
    let first = Candidate::new(&cluster, "first").await;
    first.leads().await;
    first.settled.store(43, Ordering::Relaxed);
    until_mark(&cluster, "43").await;
    send(&cluster.client, "DELETE", &path(&cluster), Value::Null).await.unwrap();
    let again = async {
        while send(&cluster.client, "GET", &path(&cluster), Value::Null).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
    assert_eq!(*first.lease.leadership().borrow(), leading(None), "it is the same term");
    let mut found = lease(&cluster).await;
    assert_eq!(found["metadata"]["annotations"][MARK_ANNOTATION], "43");

    found["spec"]["holderIdentity"] = json!("third");
    send(&cluster.client, "PUT", &path(&cluster), found).await.unwrap();
    first.follows("third").await;
    assert_eq!(lease(&cluster).await["spec"]["holderIdentity"], "third");
}

#[tokio::test]
async fn a_missing_right_is_named_and_when_it_is_granted_the_candidate_leads() {
    let cluster = Cluster::with_namespace().await;
    let candidate = Candidate::with(client_as(Some("weir-lease-test")).await, &cluster, "first");
    let denied = async {
        while !candidate.health.readiness().lines[0].contains("auth can-i") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, denied).await.unwrap();
    let report = candidate.health.readiness();
    assert!(!report.ok);
    let command = format!(
        "`kubectl auth can-i get leases.coordination.k8s.io/events --namespace {} --as weir-lease-test`",
        cluster.namespace
    );
    assert!(report.lines[0].contains(&command), "{:?}", report.lines);

    let verbs = ["get", "create", "update"];
    cluster.grant("weir-lease-test", "coordination.k8s.io", "leases", &verbs).await;
    candidate.leads().await;
    assert!(candidate.health.readiness().ok, "those three rights are enough");
    candidate.lease.release().await;
    assert_eq!(lease(&cluster).await["spec"]["holderIdentity"], "");
}
