#![allow(clippy::unwrap_used)] // Every function here is a test's.

use std::collections::HashMap;

use serde_json::json;
use weir_filter::testing::{Harness, Outcome};

use super::{Throttle, time};

const MINUTE: i64 = 60;

/// An event of a Pod, so many seconds after 2026-01-01.
fn event(pod: &str, reason: &str, second: i64) -> String {
    let at = time::rfc3339((1_767_225_600 + second) * 1_000_000);
    json!({"reason": reason, "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": pod}})
    .to_string()
}

fn throttle(config: &str) -> Harness<Throttle> {
    Harness::new(config).unwrap()
}

fn held_back() -> Outcome {
    Outcome::Dropped("repeated".into())
}

#[test]
fn repeats_are_held_back_and_the_next_event_that_goes_on_tells_of_them() {
    let mut throttle = throttle(r#"{"window":"10m"}"#);
    let first = throttle.process(&event("a", "BackOff", 0));
    assert_eq!(first.get("/throttle"), None);
    assert!(matches!(first, Outcome::Kept(_)));
    assert_eq!(throttle.process(&event("a", "BackOff", MINUTE)), held_back());
    assert_eq!(throttle.process(&event("a", "BackOff", 10 * MINUTE - 1)), held_back());
    let next = throttle.process(&event("a", "BackOff", 10 * MINUTE));
    assert_eq!(next.get("/throttle").unwrap(), r#"{"heldBack":2,"since":"2026-01-01T00:01:00Z"}"#);
    assert_eq!(throttle.process(&event("a", "BackOff", 11 * MINUTE)), held_back());
    assert_eq!(throttle.counter("held_back"), Some(3));
    let next = throttle.process(&event("a", "BackOff", 30 * MINUTE));
    assert_eq!(next.get("/throttle/heldBack").as_deref(), Some("1"));
}

#[test]
fn other_objects_and_other_reasons_are_no_repeats() {
    let mut throttle = throttle(r#"{"window":"10m"}"#);
    for (pod, reason) in [("a", "BackOff"), ("b", "BackOff"), ("a", "Unhealthy")] {
        assert!(matches!(throttle.process(&event(pod, reason, 0)), Outcome::Kept(_)));
    }
    assert_eq!(throttle.process(&event("b", "BackOff", 1)), held_back());
}

#[test]
fn only_the_configured_reasons_are_held_back() {
    let mut throttle = throttle(r#"{"window":"1h","reasons":["Unhealthy"]}"#);
    for _ in 0..2 {
        assert!(matches!(throttle.process(&event("a", "BackOff", 0)), Outcome::Kept(_)));
        assert_eq!(throttle.calls(), ["reason"]);
    }
    assert!(matches!(throttle.process(&event("a", "Unhealthy", 0)), Outcome::Kept(_)));
    assert_eq!(throttle.process(&event("a", "Unhealthy", 1)), held_back());
}

#[test]
fn an_event_without_a_time_goes_on() {
    let mut throttle = throttle(r#"{"window":"1h"}"#);
    for _ in 0..2 {
        assert!(matches!(throttle.process(r#"{"reason":"BackOff"}"#), Outcome::Kept(_)));
    }
}

#[test]
fn an_older_event_of_a_relist_is_held_back_within_the_window_and_goes_on_beyond_it() {
    let mut throttle = throttle(r#"{"window":"10m"}"#);
    assert!(matches!(throttle.process(&event("a", "BackOff", 60 * MINUTE)), Outcome::Kept(_)));
    assert_eq!(throttle.process(&event("a", "BackOff", 55 * MINUTE)), held_back());
    let older = throttle.process(&event("a", "BackOff", 10 * MINUTE));
    assert_eq!(older.get("/throttle/since").as_deref(), Some("\"2026-01-01T00:55:00Z\""));
    assert_eq!(throttle.process(&event("a", "BackOff", 11 * MINUTE)), held_back());
    assert!(matches!(throttle.process(&event("a", "BackOff", 61 * MINUTE)), Outcome::Kept(_)));
}

#[test]
fn what_cannot_be_told_on_one_event_is_told_on_the_next() {
    let mut throttle = throttle(r#"{"window":"1m"}"#);
    let _ = throttle.process(&event("a", "BackOff", 0));
    assert_eq!(throttle.process(&event("a", "BackOff", 1)), held_back());
    let taken = event("a", "BackOff", 90).replacen('{', r#"{"throttle":"mine","#, 1);
    assert_eq!(throttle.process(&taken).get("/throttle").as_deref(), Some("\"mine\""));
    let next = throttle.process(&event("a", "BackOff", 180));
    assert_eq!(next.get("/throttle/heldBack").as_deref(), Some("1"));
}

/// Whatever comes, held-back events are told of, forgotten for want of room, or still to be told.
#[test]
fn every_event_that_is_held_back_is_accounted_for() {
    for objects_max in [1, 64] {
        let mut throttle = throttle(&format!(r#"{{"window":"5m","objects_max":{objects_max}}}"#));
        let mut number = 11_u64;
        let mut random = |below: u64| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            (number >> 33) % below
        };
        let (mut told, mut untold) = (0, HashMap::<u64, u64>::new());
        for step in 0..4_000_i64 {
            let (pod, back) = (random(24), random(400));
            let second = step * 10 - back as i64;
            match throttle.process(&event(&pod.to_string(), "BackOff", second)) {
                Outcome::Dropped(_) => *untold.entry(pod).or_default() += 1,
                outcome => {
                    let says = outcome.get("/throttle/heldBack").map_or(0, |n| n.parse().unwrap());
                    let held = untold.remove(&pod).unwrap_or_default();
                    assert!(says == held || objects_max == 1 && says == 0, "{says} of {held}");
                    told += says;
                }
            }
        }
        let held_back = throttle.counter("held_back").unwrap();
        let forgotten = throttle.counter("forgotten").unwrap();
        let still = untold.values().sum::<u64>();
        assert!(told > 0 && told + forgotten <= held_back, "{told} + {forgotten} of {held_back}");
        assert!(told + forgotten + still >= held_back, "{told} + {forgotten} + {still}");
        assert_eq!(forgotten > 0, objects_max == 1);
    }
}

#[test]
fn times_are_written_as_kubernetes_writes_them() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_709_209_815_999_999, "2024-02-29T12:30:15Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ] {
        assert_eq!(time::rfc3339(micros), text);
    }
    assert!(!time::rfc3339(i64::MAX).is_empty() && !time::rfc3339(i64::MIN).is_empty());
}

#[test]
fn a_wrong_configuration_is_refused_by_name() {
    let error = |config: &str| Harness::<Throttle>::new(config).err().unwrap_or_default();
    assert_eq!(error("{}"), "missing field `window`");
    for window in ["", "10", "m", "+1m", "0s", "25h", "1d", "1.5h", "99999999999999999999h", "ü"] {
        let config = json!({"window": window}).to_string();
        let error = error(&config);
        assert!(error.starts_with("`window`: "), "{window}: {error}");
    }
    assert!(error(r#"{"window":"1m","objects_max":0}"#).starts_with("`objects_max`: "));
}
