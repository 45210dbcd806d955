//! Messages as the kubelet, the scheduler, the autoscaler, device plugins and drivers write them.

mod allocation;
mod devices;
mod names;
mod runtime;
mod scheduling;

use serde_json::json;
use weir_filter::testing::{Harness, Outcome};

use super::{TagGpuFailures, WORDS, writers};

fn filter() -> Harness<TagGpuFailures> {
    Harness::new("{}").unwrap()
}

/// The cause, and the resource where there is one, as `cause resource`; `-` for an untagged event.
fn tagged(reason: &str, message: &str) -> String {
    let event = json!({"type": "Warning", "reason": reason, "message": message}).to_string();
    let outcome = filter().process(&event);
    let Some(cause) = outcome.get("/gpu/cause") else {
        assert_eq!(outcome, Outcome::Kept(event), "an event that is not tagged is not touched");
        return "-".into();
    };
    assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["gpu-failure"]"#));
    let resource =
        outcome.get("/gpu/resource").map(|resource| format!(" {resource}")).unwrap_or_default();
    format!("{cause}{resource}").replace('"', "")
}

#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    for (reason, message, expected) in cases {
        assert_eq!(tagged(reason, message), *expected, "{reason}: {message}");
    }
}

#[test]
fn a_sign_is_found_wherever_it_stands() {
    for blanks in 0..40 {
        let before = " ".repeat(blanks);
        for after in ["", " ", ", and more text than fits into one block of sixteen"] {
            let message = format!("{before}GPU is lost{after}");
            assert_eq!(tagged("Any", &message), "device", "{message:?}");
            let message = format!("{before}1 Insufficient amd.com/gpu{after}");
            assert_eq!(
                tagged("FailedScheduling", &message),
                "unschedulable amd.com/gpu",
                "{message:?}"
            );
            let message = format!("{before}fallen off the bus{after}");
            assert_eq!(tagged("Any", &message), "device", "{message:?}");
        }
    }
}

#[test]
fn an_event_that_is_not_about_gpus_costs_no_call_and_one_that_only_names_one_two() {
    let mut filter = filter();
    for event in [
        r#"{"reason":"BackOff","message":"Back-off restarting failed container app in pod app-0"}"#,
        r#"{"reason":"Failed","message":"exit code 1, maximum exists, bus, BUILD"}"#,
    ] {
        let _ = filter.process(event);
        assert!(filter.calls().is_empty());
    }
    let _ = filter
        .process(r#"{"reason":"Pulling","message":"Pulling image \"nvcr.io/nvidia/cuda:12\""}"#);
    assert_eq!(filter.calls(), ["message", "reason"]);
}

#[test]
fn an_event_is_tagged_once() {
    let message = r#""message":"GPU is lost","tags":["x","gpu-failure"]"#;
    let mut filter = filter();
    let outcome = filter.process(&format!("{{{message}}}"));
    assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["x","gpu-failure"]"#));
    let outcome =
        filter.process(r#"{"message":"GPU is lost","tags":["gpu-failure-x",["gpu-failure"]]}"#);
    assert_eq!(
        outcome.get("/tags").as_deref(),
        Some(r#"["gpu-failure-x",["gpu-failure"],"gpu-failure"]"#)
    );
}

#[test]
fn what_can_be_said_is_said_where_tags_are_something_else() {
    let outcome = filter().process(r#"{"message":"GPU is lost","tags":"x"}"#);
    assert_eq!(outcome.get("/tags").as_deref(), Some("\"x\""));
    assert_eq!(outcome.get("/gpu/cause").as_deref(), Some("\"device\""));
}

#[test]
fn it_has_nothing_to_configure() {
    assert!(Harness::<TagGpuFailures>::new(r#"{"tag":"x"}"#).is_err());
}

#[test]
fn what_a_message_or_reason_must_have_mentions_one_of_the_words() {
    let of_reasons = writers::GPU_PARTS.iter().copied().chain([&b"rocm"[..], b"xid"]);
    let of_messages = writers::SUBJECTS.iter().map(|(_, word, ..)| *word);
    let phrases: [&[u8]; 5] =
        [b"[drm", b"fallen off the bus", b"gpu is lost", b"nvml", b"nvidia-container-cli"];
    let resources: [&[u8]; 4] =
        [b"nvidia.com/gpu", b"amd.com/gpu", b"nvidia.com/mig-", b"gpu.intel.com/"];
    for sign in of_reasons.chain(of_messages).chain(phrases).chain(resources) {
        let sign = String::from_utf8(sign.to_ascii_lowercase()).unwrap();
        assert!(WORDS.iter().any(|word| sign.contains(word)), "{sign}");
    }
}

#[test]
fn no_word_that_a_reason_may_have_is_passed_over_for_want_of_a_pair() {
    for word in writers::GPU_PARTS.iter().copied().chain([&b"ROCm"[..], b"xid"]) {
        let upper = word.to_ascii_uppercase();
        assert!(writers::has_pair(word) && writers::has_pair(&upper), "{upper:?}");
    }
    for usual in ["Pulled", "BackOff", "FailedScheduling", "Unhealthy", "FailedMount"] {
        assert!(!writers::has_pair(usual.as_bytes()), "{usual}");
    }
}
