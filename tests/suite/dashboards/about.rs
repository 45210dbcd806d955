//! What an event is about: each panel's question a second time, in Rust. Pure.

use serde_json::Value;

/// What an event is about.
pub(super) type About = fn(&Value) -> bool;

fn is_of(event: &Value, reasons: &[&str]) -> bool {
    reasons.iter().any(|reason| event["reason"] == *reason)
}

fn says(event: &Value, texts: &[&str]) -> bool {
    texts.iter().any(|text| event["message"].as_str().unwrap().contains(text))
}

pub(super) fn everything(_: &Value) -> bool {
    true
}

pub(super) fn warnings(event: &Value) -> bool {
    event["type"] == "Warning"
}

pub(super) fn image_pulls(event: &Value) -> bool {
    let failures =
        ["Failed to pull image", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"];
    is_of(event, &["Failed"]) && says(event, &failures)
        || is_of(event, &["ErrImageNeverPull"])
        || is_of(event, &["BackOff"]) && says(event, &["Back-off pulling image"])
}

pub(super) fn unschedulable(event: &Value) -> bool {
    is_of(event, &["FailedScheduling", "NotTriggerScaleUp"])
}

pub(super) fn crash_loops(event: &Value) -> bool {
    is_of(event, &["BackOff"]) && says(event, &["Back-off restarting failed container"])
}

pub(super) fn missing_configuration(event: &Value) -> bool {
    is_of(event, &["FailedMount"])
        || is_of(event, &["Failed"])
            && says(event, &["secret \"", "configmap \""])
            && says(event, &["not found"])
}

pub(super) fn probes(event: &Value) -> bool {
    is_of(event, &["Unhealthy"])
}

pub(super) fn not_created(event: &Value) -> bool {
    is_of(event, &["FailedCreate"])
}

pub(super) fn evictions(event: &Value) -> bool {
    is_of(event, &["Evicted", "TaintManagerEviction"])
}

pub(super) fn gpu(event: &Value) -> bool {
    event["tags"] == "gpu-failure"
}

pub(super) fn nodes(event: &Value) -> bool {
    event["involvedObject"]["kind"] == "Node"
}

/// What a number of `weir-failures-by-kind` counts.
pub(super) fn numbered(label: &str) -> About {
    match label {
        "Warnings" => warnings,
        "Image pulls" => image_pulls,
        "Unschedulable" => unschedulable,
        "Crash loops" => crash_loops,
        "Missing secrets, mounts" => missing_configuration,
        "Probes" => probes,
        "Not created" => not_created,
        "Evictions" => evictions,
        "GPU failures" => gpu,
        other => panic!("a number of {other}"),
    }
}
