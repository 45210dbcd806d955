#![allow(clippy::unwrap_used)] // Every function here is a test's.

use serde_json::json;
use weir_filter::testing::{Harness, Outcome};

use super::{Explain, table};

fn explained(reason: &str, message: &str) -> (Option<String>, Option<String>) {
    let mut explain = Harness::<Explain>::new("{}").unwrap();
    let outcome = explain.process(&json!({"reason": reason, "message": message}).to_string());
    let read = |pointer| outcome.get(pointer).map(|text| serde_json::from_str(&text).unwrap());
    (read("/explain/text"), read("/explain/docs"))
}

/// As kubelets, the scheduler and controllers of Kubernetes write them.
#[test]
fn common_failures_are_explained_with_their_page() {
    for (reason, message, docs) in [
        (
            "Failed",
            "Failed to pull image \"x\": pull access denied, repository does not exist or may require authorization",
            "pull-image-private-registry",
        ),
        (
            "Failed",
            "Failed to pull image \"x:9\": rpc error: code = NotFound desc = x:9: not found",
            "containers/images",
        ),
        ("Failed", "Error: ImagePullBackOff", "containers/images"),
        (
            "Failed",
            "Failed to pull image \"r.example/x\": dial tcp: lookup r.example: no such host",
            "dns-debugging-resolution",
        ),
        ("Failed", "Error: secret \"db\" not found", "configuration/secret"),
        ("Failed", "Error: couldn't find key password in Secret shop/db", "configuration/secret"),
        ("Failed", "Error: configmap \"app\" not found", "configuration/configmap"),
        ("BackOff", "Back-off restarting failed container web in pod web-1_shop(1)", "debug-pods"),
        ("BackOff", "Back-off pulling image \"x\"", "containers/images"),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient cpu.",
            "manage-resources-containers",
        ),
        (
            "FailedScheduling",
            "0/1 nodes are available: 1 node(s) had untolerated taint {a: b}.",
            "taint-and-toleration",
        ),
        (
            "FailedScheduling",
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "persistent-volumes",
        ),
        ("FailedScheduling", "no nodes available to schedule pods", "kube-scheduler"),
        ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "probes"),
        ("Evicted", "The node was low on resource: memory.", "node-pressure-eviction"),
        (
            "FailedCreate",
            "Error creating: pods \"a\" is forbidden: exceeded quota: q, requested: pods=1",
            "resource-quotas",
        ),
        (
            "SystemOOM",
            "System OOM encountered, victim process: java, pid: 7",
            "manage-resources-containers",
        ),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : secret \"tls\" not found",
            "configuration/secret",
        ),
        ("FailedAttachVolume", "Multi-Attach error for volume \"pvc-1\"", "persistent-volumes"),
    ] {
        let (text, page) = explained(reason, message);
        assert!(text.is_some_and(|text| text.ends_with('.')), "{reason}: {message}");
        assert!(page.as_ref().is_some_and(|page| page.contains(docs)), "{message}: {page:?}");
    }
}

#[test]
fn what_is_not_recognised_is_not_explained() {
    for (reason, message) in [
        ("Pulled", "Successfully pulled image \"x\""),
        ("Failed", "something else"),
        ("BackOff", "Job has reached something"),
        ("", ""),
    ] {
        assert_eq!(explained(reason, message), (None, None), "{reason}: {message}");
    }
}

#[test]
fn an_event_with_another_reason_costs_no_call_and_at_most_one() {
    let mut explain = Harness::<Explain>::new("{}").unwrap();
    let _ = explain.process(r#"{"reason":"Pulled","message":"x"}"#);
    assert!(explain.calls().is_empty());
    let _ = explain.process(r#"{"reason":"Pulled","message":"x failed"}"#);
    assert_eq!(explain.calls(), ["reason"]);
}

#[test]
fn an_event_that_has_something_else_there_goes_on_as_it_was() {
    let mut explain = Harness::<Explain>::new("{}").unwrap();
    let event = r#"{"reason":"SystemOOM","explain":"mine"}"#;
    assert_eq!(explain.process(event), Outcome::Kept(event.into()));
    assert_eq!(explain.refused().len(), 2);
}

/// A row that an earlier one always hides would never be seen; and every page is Kubernetes'.
#[test]
fn every_row_of_the_table_can_be_reached() {
    for (reason, word, row) in table::all() {
        assert!(table::is_known(reason));
        assert!(std::ptr::eq(table::find(reason, word).unwrap(), row), "{reason}: {word}");
        assert!(row.docs.starts_with("https://kubernetes.io/docs/") && row.docs.ends_with('/'));
    }
}
