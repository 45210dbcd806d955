//! Incidents replayed against a scripted API server, through kube's client and the whole runner, on
//! a clock that only moves when everybody waits.

use crate::process::Process;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Leadership, Lease, LeaseSettings, MARK_ANNOTATION, Term};

const DURATION: Duration = Duration::from_secs(15);

/// One answer of the API server.
#[derive(Debug)]
enum Answer {
    /// As the API server would: 200, 404, 409.
    True,
    /// The same, after a second.
    Slow,
    /// The write is done, and no answer comes.
    DoneInSilence,
    /// This status, with this message.
    Status(u16, &'static str),
    /// The write is done, and the answer says that this one holds the Lease.
    OfAnother(&'static str),
    /// Not JSON.
    Raw(&'static str),
    /// Nothing, for ever.
    Hangs,
}

use Answer::{DoneInSilence, Hangs, OfAnother, Raw, Slow, Status, True};

const FORBIDDEN: &str = r#"leases.coordination.k8s.io "events" is forbidden: User "me" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "team""#;

/// An API server that holds one Lease. What is not scripted is answered truly.
#[derive(Clone)]
struct Server {
    lease: Arc<Mutex<Option<Value>>>,
    script: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
    started: Instant,
}

impl Server {
    async fn answer(self, request: http::Request<Body>) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let at = self.started.elapsed().as_millis();
        let answer = self.script.lock().unwrap().pop_front().unwrap_or(True);
        self.asked.lock().unwrap().push(format!("{at:>6} ms  {} {answer:?}", head.method));
        match answer {
            True => {
                let (status, body) = self.truly(&head, &body);
                respond(status, body.to_string())
            }
            Slow => {
                let (status, body) = self.truly(&head, &body);
                tokio::time::sleep(Duration::from_secs(1)).await;
                respond(status, body.to_string())
            }
            DoneInSilence => {
                self.truly(&head, &body);
                std::future::pending().await
            }
            OfAnother(holder) => {
                let (status, mut body) = self.truly(&head, &body);
                body["spec"]["holderIdentity"] = json!(holder);
                respond(status, body.to_string())
            }
            Status(code, message) => respond(code, status(code, message).to_string()),
            Raw(text) => respond(200, text.to_owned()),
            Hangs => std::future::pending().await,
        }
    }

    fn truly(&self, head: &http::request::Parts, body: &[u8]) -> (u16, Value) {
        let mut lease = self.lease.lock().unwrap();
        let sent = || serde_json::from_slice::<Value>(body).unwrap();
        match (head.method.as_str(), lease.as_ref()) {
            ("GET", Some(lease)) => (200, lease.clone()),
            ("GET", None) => (404, status(404, "leases.coordination.k8s.io \"events\" not found")),
            ("POST", None) => (201, stored(&mut lease, 1, sent())),
            ("PUT", Some(old)) if version(old) == version(&sent()) => {
                let next = version(old).parse::<u64>().unwrap() + 1;
                (200, stored(&mut lease, next, sent()))
            }
            _ => (409, status(409, "the object has been modified")),
        }
    }

    /// Somebody writes the Lease.
    fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut lease = self.lease.lock().unwrap();
        let mut object = lease.clone().unwrap();
        edit(&mut object);
        let next = version(&object).parse::<u64>().unwrap() + 1;
        stored(&mut lease, next, object);
    }

    fn read(&self, path: &str) -> Value {
        self.lease
            .lock()
            .unwrap()
            .as_ref()
            .and_then(|lease| lease.pointer(path))
            .cloned()
            .unwrap_or_default()
    }

    fn asked(&self) -> String {
        self.asked.lock().unwrap().join("\n")
    }
}

fn respond(status: u16, body: String) -> Response {
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

fn status(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

fn stored(lease: &mut Option<Value>, version: u64, mut object: Value) -> Value {
    object["metadata"]["resourceVersion"] = json!(version.to_string());
    *lease = Some(object.clone());
    object
}

fn lease_of(holder: &str, mark: Option<&str>) -> Value {
    let annotations = mark.map_or(json!({}), |mark| json!({ MARK_ANNOTATION: mark }));
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": "events", "namespace": "team", "uid": "u", "resourceVersion": "7",
            "labels": {"team": "a"}, "annotations": annotations,
        },
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 4,
            "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z",
            "strategy": "OldestEmulationVersion",
        },
    })
}

struct Run {
    server: Server,
    lease: Lease,
    /// What the pipeline has settled; 0: nothing.
    settled: Arc<AtomicU64>,
    process: Process,
}

/// A candidate called `me`.
fn start(lease: Option<Value>, script: Vec<Answer>) -> Run {
    let server = Server {
        lease: Arc::new(Mutex::new(lease)),
        script: Arc::new(Mutex::new(script.into())),
        asked: Arc::default(),
        started: Instant::now(),
    };
    let answering = server.clone();
    let router = axum::Router::new().fallback(move |request| answering.answer(request));
    let client = kube::Client::new(router, "team");
    let process = Process::default();
    let settled = Arc::new(AtomicU64::new(0));
    let mark = {
        let settled = settled.clone();
        move |_| match settled.load(Ordering::Relaxed) {
            0 => None,
            mark => Some(mark.to_string()),
        }
    };
    let settings = LeaseSettings { namespace: None, name: "events".into(), duration: DURATION };
    let lease = Lease::start(&settings, "me".into(), client, &process, mark);
    Run { server, lease, settled, process }
}

impl Run {
    async fn after(&self, seconds: u64) -> Leadership {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.lease.leadership().borrow().clone()
    }

    /// How long after the start it leads.
    async fn leads(&self) -> Duration {
        let mut leadership = self.lease.leadership();
        leadership.wait_for(is_leading).await.unwrap();
        self.server.started.elapsed()
    }

    fn readiness(&self) -> String {
        self.process.health.readiness().lines.join("\n")
    }

    fn counts(&self, line: &str) -> bool {
        self.process.metrics.render().lines().any(|have| have == line)
    }
}

fn is_leading(leadership: &Leadership) -> bool {
    matches!(leadership, Leadership::Leading { .. })
}

fn leading(term: u64, mark: Option<&str>) -> Leadership {
    Leadership::Leading { term: Term(term), mark: mark.map(str::to_owned) }
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_it_is_made_and_renewed_every_third_of_its_duration_with_the_mark() {
    let run = start(None, vec![]);
    assert_eq!(run.after(1).await, leading(1, None));
    insta::assert_snapshot!(run.readiness(), @"lease: ok (leading, as me)");
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "" }));
    run.settled.store(42, Ordering::Relaxed);
    run.after(60).await;
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "42" }));
    let puts = run.server.asked().matches("PUT").count();
    assert!((12..=15).contains(&puts), "{puts} renewals in 61 s:\n{}", run.server.asked());
    assert!(run.counts("weir_lease_leader 1"));
    assert!(run.counts(&format!(r#"weir_lease_renewals_total{{result="ok"}} {}"#, puts + 1)));
    assert_eq!(run.server.read("/spec/leaseTransitions"), json!(0));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_before_its_time_writes_the_mark_of_then_and_waits_for_a_request_on_its_way() {
    let run = start(None, vec![True, True, True, Slow]);
    run.settled.store(42, Ordering::Relaxed);
    // Following, there is nothing to renew; leading, the first one has waited for that.
    run.lease.renewal().now();
    assert_eq!(run.after(1).await, leading(1, None));
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "42" }));
    run.settled.store(7, Ordering::Relaxed);
    run.lease.renewal().now();
    tokio::time::sleep(Duration::from_millis(100)).await;
    run.settled.store(8, Ordering::Relaxed);
    run.lease.renewal().now();
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "7" }));
    run.after(1).await;
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "8" }));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_after_its_duration_with_its_mark_and_all_else_in_it() {
    let run = start(Some(lease_of("other", Some("41"))), vec![]);
    assert_eq!(run.after(14).await, Leadership::Following { holder: Some("other".into()) });
    insta::assert_snapshot!(run.readiness(), @"lease: ok (following other)");
    assert!(run.counts("weir_lease_leader 0"));
    // A mark of this process' own must not be written before it has begun from the one that was
    // found.
    let led = run.leads().await;
    assert!((15..16).contains(&led.as_secs()), "{led:?}");
    assert_eq!(run.lease.leadership().borrow().clone(), leading(1, Some("41")));
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "41" }));
    assert_eq!(run.server.read("/metadata/labels"), json!({"team": "a"}));
    assert_eq!(run.server.read("/spec/strategy"), json!("OldestEmulationVersion"));
    assert_eq!(run.server.read("/spec/leaseTransitions"), json!(5));
    assert_eq!(run.server.read("/spec/acquireTime"), run.server.read("/spec/renewTime"));
    assert!(run.counts("weir_lease_transitions_total 1"));
}

#[tokio::test(start_paused = true)]
async fn the_holders_own_duration_is_waited_for() {
    let mut lease = lease_of("other", Some("41"));
    lease["spec"]["leaseDurationSeconds"] = json!(40);
    let run = start(Some(lease), vec![]);
    let led = run.leads().await;
    assert!((40..41).contains(&led.as_secs()), "{led:?}");
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_clock_is_wrong_is_followed_as_long_as_it_renews() {
    let run = start(Some(lease_of("other", Some("41"))), vec![]);
    for years in [1970, 2100, 1999, 2026, 2027, 2025] {
        run.server.edit(|lease| {
            lease["spec"]["renewTime"] = json!(format!("{years}-01-01T00:00:00.000000Z"))
        });
        assert!(!is_leading(&run.after(14).await));
    }
    // What others change shows nobody alive.
    for n in 0..20 {
        run.server.edit(|lease| lease["metadata"]["labels"]["n"] = json!(n.to_string()));
        run.after(1).await;
    }
    assert!(is_leading(&run.after(0).await));
}

#[tokio::test(start_paused = true)]
async fn an_emptied_lease_and_one_of_the_same_identity_are_taken_at_once() {
    for holder in ["", "me"] {
        let run = start(Some(lease_of(holder, Some("41"))), vec![]);
        assert!(run.leads().await < Duration::from_secs(1));
        assert_eq!(run.lease.leadership().borrow().clone(), leading(1, Some("41")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_has_another_holder_makes_nobody_lead() {
    let script = (0..40).map(|n| if n % 2 == 0 { True } else { OfAnother("other") });
    let run = start(None, script.collect());
    assert!(!is_leading(&run.after(5).await), "{}", run.server.asked());
    assert!(run.readiness().contains("another holder than was written"), "{}", run.readiness());
    assert!(is_leading(&run.after(60).await), "{}", run.server.asked());
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named() {
    let run = start(None, vec![Status(403, FORBIDDEN)]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    insta::assert_snapshot!(run.readiness(), @r#"lease: not ok: weir may not get the Lease team/events (status 403: leases.coordination.k8s.io "events" is forbidden: User "me" cannot get resource "leases" in API group "coordination.k8s.io" in the namespace "team"): grant `get`, `create` and `update` on `leases` of coordination.k8s.io, and see whether `kubectl auth can-i get leases.coordination.k8s.io/events --namespace team --as me` says yes"#);
    assert!(is_leading(&run.after(3).await));
    assert!(run.process.health.readiness().ok);

    let denied = r#"leases.coordination.k8s.io is forbidden: User "system:serviceaccount:team:weir" cannot create resource "leases""#;
    let run = start(None, vec![True, Status(403, denied)]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    insta::assert_snapshot!(run.readiness(), @r#"lease: not ok: weir may not create the Lease team/events (status 403: leases.coordination.k8s.io is forbidden: User "system:serviceaccount:team:weir" cannot create resource "leases"): grant `get`, `create` and `update` on `leases` of coordination.k8s.io, and see whether `kubectl auth can-i create leases.coordination.k8s.io --namespace team --as system:serviceaccount:team:weir` says yes"#);
    assert!(run.counts(r#"weir_lease_renewals_total{result="refused"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_may_not_update_any_more_is_not_ready_and_stops_leading_in_time() {
    let script = (0..100).map(|n| if n % 2 == 0 { True } else { Status(403, "no") });
    let mut script: Vec<Answer> = script.collect();
    script.splice(0..2, [True, True, Status(403, "no")]);
    let run = start(None, script);
    assert!(is_leading(&run.after(9).await));
    assert!(!run.process.health.readiness().ok, "{}", run.readiness());
    assert!(!is_leading(&run.after(2).await), "{}", run.server.asked());
    assert!(!run.process.health.readiness().ok);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_read_again_and_who_has_the_lease_then_is_followed() {
    let run = start(None, vec![]);
    assert_eq!(run.after(1).await, leading(1, None));
    run.server.edit(|lease| lease["spec"]["holderIdentity"] = json!("other"));
    assert_eq!(run.after(5).await, Leadership::Following { holder: Some("other".into()) });
    assert!(run.counts(r#"weir_lease_renewals_total{result="conflict"} 1"#));
    assert!(run.counts("weir_lease_leader 0"));
    assert_eq!(run.server.read("/spec/holderIdentity"), json!("other"));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_with_somebody_who_only_set_a_label_does_not_end_the_term() {
    let run = start(None, vec![]);
    run.after(1).await;
    run.server.edit(|lease| lease["metadata"]["labels"] = json!({"a": "b"}));
    assert_eq!(run.after(20).await, leading(1, None));
    assert_eq!(run.server.read("/metadata/labels"), json!({"a": "b"}));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_is_lost_does_not_end_the_term() {
    let run = start(None, vec![True, True, DoneInSilence, True, True, True, DoneInSilence]);
    assert_eq!(run.after(30).await, leading(1, None), "{}", run.server.asked());
    assert!(run.counts(r#"weir_lease_renewals_total{result="error"} 2"#), "{}", run.server.asked());
}

#[tokio::test(start_paused = true)]
async fn a_taking_whose_answer_is_lost_is_seen_when_the_lease_is_read_again() {
    let run = start(Some(lease_of("", Some("41"))), vec![True, DoneInSilence]);
    let led = run.leads().await;
    assert!(led < Duration::from_secs(5), "{led:?}");
    assert_eq!(run.lease.leadership().borrow().clone(), leading(1, Some("41")));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_a_note_and_the_leader_stops_after_two_thirds_and_leads_again_when_it_is_over()
{
    let mut script: Vec<Answer> = vec![True, True, Hangs, Status(429, "too many requests")];
    script.extend((0..20).map(|_| Status(500, "etcdserver: request timed out")));
    let run = start(None, script);
    assert!(is_leading(&run.after(9).await));
    assert!(!is_leading(&run.after(2).await), "{}", run.server.asked());
    assert!(run.process.health.readiness().ok);
    insta::assert_snapshot!(run.readiness(), @"lease: ok (nobody leads; the API server reports an internal error (status 500: etcdserver: request timed out))");
    run.after(60).await;
    // Nobody has taken it meanwhile: another term, at once.
    assert_eq!(run.lease.leadership().borrow().clone(), leading(2, None), "{}", run.server.asked());
    assert_eq!(run.server.read("/spec/leaseTransitions"), json!(0), "it has not changed hands");
    insta::assert_snapshot!(run.readiness(), @"lease: ok (leading, as me)");
}

#[tokio::test(start_paused = true)]
async fn an_outage_at_the_start_is_not_ready() {
    let run = start(None, vec![Hangs, Hangs]);
    insta::assert_snapshot!(run.readiness(), @"lease: not ok: the Lease team/events has not been read yet");
    run.after(3).await;
    insta::assert_snapshot!(run.readiness(), @"lease: not ok: no answer from the API server about the Lease team/events (no answer in time)");
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_another_tool_is_left_alone_and_named() {
    let mut lease = lease_of("kube-scheduler", None);
    lease["metadata"]["annotations"] = Value::Null;
    let run = start(Some(lease.clone()), vec![]);
    run.after(100).await;
    assert_eq!(*run.server.lease.lock().unwrap(), Some(lease));
    insta::assert_snapshot!(run.readiness(), @"lease: not ok: the Lease team/events is not weir's: kube-scheduler holds it, and it has no annotation weir/settled: set lease.name to a name that is free, or if that holder is gone, delete the Lease");
    // An empty one, that somebody has prepared, is taken.
    let run = start(Some(lease_of("", None)), vec![]);
    assert!(run.leads().await < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_makes_a_deleted_lease_again_with_its_mark() {
    let run = start(None, vec![]);
    run.settled.store(42, Ordering::Relaxed);
    run.after(1).await;
    *run.server.lease.lock().unwrap() = None;
    assert_eq!(run.after(5).await, leading(1, None));
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "42" }));
}

#[tokio::test(start_paused = true)]
async fn a_follower_leaves_a_deleted_lease_to_its_holder_and_then_makes_it_with_the_mark_that_it_saw()
 {
    let run = start(Some(lease_of("other", Some("41"))), vec![]);
    run.after(1).await;
    *run.server.lease.lock().unwrap() = None;
    let led = run.leads().await;
    assert!((15..16).contains(&led.as_secs()), "{led:?}");
    assert_eq!(run.lease.leadership().borrow().clone(), leading(1, Some("41")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_lease_is_shown_and_asked_for_again() {
    let endless = format!("{{\"spec\":\"{}\"}}", "x".repeat(2 << 20));
    let cases = [
        ("<html><title>Sign in</title>", "the answer is an HTML page (`Sign in`)"),
        (r#"{"kind":"Lease"}"#, "is not a Lease"),
        (r#"{"metadata":{"resourceVersion":"1"},"spec":3}"#, "is not a Lease"),
        (&*endless.leak(), "the answer has more than 1048576 bytes"),
    ];
    for (text, why) in cases {
        let run = start(None, vec![Raw(text)]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(run.readiness().contains("is not one that weir can use"), "{}", run.readiness());
        assert!(run.readiness().contains(why), "{}", run.readiness());
        assert!(run.leads().await < Duration::from_secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn giving_it_up_writes_the_last_mark_and_no_holder() {
    let run = start(None, vec![]);
    run.after(1).await;
    run.settled.store(43, Ordering::Relaxed);
    let before = Instant::now();
    run.lease.release().await;
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(run.server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "43" }));
    assert_eq!(run.server.read("/spec/holderIdentity"), json!(""));
    assert_eq!(run.server.read("/spec/leaseDurationSeconds"), json!(1));
    assert_eq!(run.server.asked().matches("PUT").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn giving_it_up_is_tried_again_and_seen_to_be_done_when_the_answer_is_lost() {
    let run = start(None, vec![True, True, DoneInSilence]);
    run.settled.store(43, Ordering::Relaxed);
    run.after(1).await;
    let server = run.server.clone();
    run.lease.release().await;
    assert_eq!(server.read("/spec/holderIdentity"), json!(""), "{}", server.asked());
    assert_eq!(server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "43" }));
    assert!(
        server.asked().ends_with("GET True"),
        "what was done is not done again:\n{}",
        server.asked()
    );

    let run = start(None, vec![True, True, Status(500, "")]);
    run.after(1).await;
    let server = run.server.clone();
    run.lease.release().await;
    assert_eq!(server.read("/spec/holderIdentity"), json!(""), "{}", server.asked());
}

#[tokio::test(start_paused = true)]
async fn what_is_being_taken_when_the_process_is_to_end_is_given_up_too() {
    let run = start(Some(lease_of("", Some("41"))), vec![True, Slow]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let server = run.server.clone();
    assert_eq!(server.read("/spec/holderIdentity"), json!("me"));
    run.lease.release().await;
    assert_eq!(server.read("/spec/holderIdentity"), json!(""));
    assert_eq!(server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "41" }));
}

#[tokio::test(start_paused = true)]
async fn giving_it_up_ends_in_a_few_seconds_whatever_the_api_server_does() {
    let run = start(None, vec![True, True, Hangs, Hangs, Hangs, Hangs, Hangs, Hangs]);
    run.after(1).await;
    let before = Instant::now();
    run.lease.release().await;
    let took = before.elapsed();
    assert!(took <= super::super::timing::RELEASE_MAX, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_ends_writes_nothing() {
    let lease = lease_of("other", Some("41"));
    let run = start(Some(lease.clone()), vec![]);
    run.after(1).await;
    run.lease.release().await;
    assert_eq!(*run.server.lease.lock().unwrap(), Some(lease));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_no_annotation_can_hold_is_not_written_and_the_lease_is_renewed_all_the_same() {
    let server = Server {
        lease: Arc::new(Mutex::new(Some(lease_of("", Some("41"))))),
        script: Arc::default(),
        asked: Arc::default(),
        started: Instant::now(),
    };
    let answering = server.clone();
    let router = axum::Router::new().fallback(move |request| answering.answer(request));
    let settings =
        LeaseSettings { namespace: Some("team".into()), name: "events".into(), duration: DURATION };
    let client = kube::Client::new(router, "default");
    let long = || Some("m".repeat(super::super::machine::MARK_BYTES_MAX + 1));
    let lease = Lease::start(&settings, "me".into(), client, &Process::default(), move |_| long());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(is_leading(&lease.leadership().borrow()));
    assert_eq!(server.read("/metadata/annotations"), json!({ MARK_ANNOTATION: "41" }));
}

#[test]
fn no_two_processes_have_one_identity() {
    let identity = super::super::identity();
    assert!(identity.len() > 9 && !identity.contains(char::is_whitespace), "{identity}");
    assert_ne!(identity, super::super::identity());
}
