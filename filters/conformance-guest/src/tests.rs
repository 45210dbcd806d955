//! Runs the shared cases over the SDK's in-memory event.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use weir_filter::testing::{Harness, Outcome};

use super::Conformance;

#[derive(Deserialize)]
struct Cases {
    event: Box<RawValue>,
    cases: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    name: String,
    event: Option<Box<RawValue>>,
    steps: Vec<Value>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    document: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    pointer: String,
    text: Option<String>,
    json: Option<Value>,
    absent: Option<bool>,
}

#[test]
fn the_in_memory_event_conforms() {
    let cases: Cases =
        serde_json::from_str(include_str!("../../../tests/conformance/edits.json")).unwrap();
    for case in &cases.cases {
        let event = case.event.as_ref().unwrap_or(&cases.event).get();
        let config =
            serde_json::json!({"steps": case.steps, "end": case.end.as_deref().unwrap_or("keep")});
        let mut guest = Harness::<Conformance>::new(&config.to_string()).unwrap();

        let outcome = guest.process(event);
        check_end(case, event, &outcome);
        for member in &case.document {
            check_member(&case.name, member, &outcome);
        }

        let results: Vec<Value> =
            serde_json::from_str(&guest.process(event).get("/results").unwrap()).unwrap();
        assert_eq!(results.len(), case.steps.len(), "{}", case.name);
        for (step, result) in case.steps.iter().zip(&results) {
            check_step(&case.name, step, result);
        }
    }
}

fn check_end(case: &Expected, event: &str, outcome: &Outcome) {
    match (case.end.as_deref(), outcome) {
        (None, Outcome::Kept(_))
        | (Some("discard"), Outcome::Dropped(_))
        | (Some("error"), Outcome::Failed(_)) => {}
        _ => panic!("{}: {event} became {outcome:?}", case.name),
    }
}

fn check_member(case: &str, member: &Member, outcome: &Outcome) {
    let found = outcome.get(&member.pointer);
    let place = format!("{case}: {}", member.pointer);
    if member.absent == Some(true) {
        assert_eq!(found, None, "{place}");
        return;
    }
    let found = found.unwrap_or_else(|| panic!("{place} is absent"));
    match (&member.text, &member.json) {
        (Some(text), None) => assert_eq!(&found, text, "{place}"),
        (None, Some(json)) => {
            assert_eq!(&serde_json::from_str::<Value>(&found).unwrap(), json, "{place}")
        }
        _ => panic!("{place}: one of text, json, absent is needed"),
    }
}

fn check_step(case: &str, step: &Value, result: &Value) {
    match step.get("expect-json") {
        Some(expected) => {
            let found: Value = serde_json::from_str(result.as_str().unwrap()).unwrap();
            assert_eq!(&found, expected, "{case}: {step}");
        }
        None => assert_eq!(result, &step["expect"], "{case}: {step}"),
    }
}
