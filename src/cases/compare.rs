//! How what happened differs from what was expected. Pure.
//!
//! The rule: what is left out is not compared, in an expectation and in the objects of a document
//! that it has. Arrays, and everything else, are compared whole.

use serde_json::{Map, Value};

use super::read::{Case, Expectation};
use super::report::Difference;
use super::run::Happened;

/// How events came out otherwise than their lines say.
pub(super) fn events(case: &Case, outcomes: &[Happened]) -> Vec<Difference> {
    let mut all = Vec::new();
    for (number, outcome) in outcomes.iter().enumerate() {
        let mut difference = |line, path: &str, expected, got| {
            let file = case.expected_path.clone();
            all.push(Difference { file, line, path: path.to_owned(), expected, got });
        };
        match case.expected.get(number) {
            Some(expected) => event(&expected.of, outcome, &mut |path, wanted, got| {
                difference(expected.line.number, path, wanted, got);
            }),
            None => {
                let end = case.expected.last().map_or(0, |last| last.line.number);
                let line = end + 1 + number - case.expected.len();
                difference(line, "", "nothing: it has no line".into(), told(outcome));
            }
        }
    }
    for extra in case.expected.iter().skip(outcomes.len()) {
        all.push(Difference {
            file: case.expected_path.clone(),
            line: extra.line.number,
            path: String::new(),
            expected: "one more event".to_owned(),
            got: format!("{} events in all", outcomes.len()),
        });
    }
    all
}

/// What is expected of the whole case: counters, and what no document may have.
pub(super) fn whole(
    case: &Case,
    outcomes: &[Happened],
    counter: impl Fn(&str, &str) -> Option<u64>,
) -> Vec<Difference> {
    let mut all = Vec::new();
    for expected in &case.settings.counters {
        let got = counter(&expected.stage, &expected.name);
        if got != Some(expected.value) {
            all.push(Difference {
                file: expected.location.file.clone(),
                line: expected.location.line,
                path: format!("counter {} of {}", expected.name, expected.stage),
                expected: expected.value.to_string(),
                got: got.map_or("no counter of this name is declared".into(), |n| n.to_string()),
            });
        }
    }
    for (pointer, location) in &case.settings.absent {
        let has = outcomes.iter().find_map(|outcome| {
            let value = outcome.json()?.pointer(pointer)?.clone();
            Some((outcome.line, value))
        });
        if let Some((line, value)) = has {
            all.push(Difference {
                file: location.file.clone(),
                line: location.line,
                path: pointer.clone(),
                expected: "nothing".to_owned(),
                got: format!("{value} in the document of events line {line}"),
            });
        }
    }
    all
}

/// Whether an event came out as expected.
pub(super) fn holds(expected: &Expectation, got: &Happened) -> bool {
    let mut holds = true;
    event(expected, got, &mut |_, _, _| holds = false);
    holds
}

/// What is to be told of a difference: its path, what was expected, and what there is.
type Tell<'t> = dyn FnMut(&str, String, String) + 't;

fn event(expected: &Expectation, got: &Happened, tell: &mut Tell<'_>) {
    if let Some(outcome) = expected.outcome
        && outcome != got.outcome
    {
        // What else is different follows from this.
        return tell("outcome", outcome.word().to_owned(), told(got));
    }
    for (path, wanted, got) in
        [("stage", &expected.stage, &got.stage), ("reason", &expected.reason, &got.reason)]
    {
        if let Some(wanted) = wanted
            && Some(wanted) != got.as_ref()
        {
            tell(path, quoted(wanted), got.as_deref().map_or("none".into(), quoted));
        }
    }
    if let Some(wanted) = &expected.document {
        match got.json() {
            Some(document) => value(wanted, &document, "/document", tell),
            None => tell("document", "one".to_owned(), told(got)),
        }
    }
}

/// Compares what `expected` has of a value at `path`.
fn value(expected: &Value, got: &Value, path: &str, tell: &mut Tell<'_>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => members(expected, got, path, tell),
        _ if expected == got => {}
        _ => tell(path, expected.to_string(), got.to_string()),
    }
}

fn members(
    expected: &Map<String, Value>,
    got: &Map<String, Value>,
    path: &str,
    tell: &mut Tell<'_>,
) {
    for (name, expected) in expected {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match got.get(name) {
            Some(got) => value(expected, got, &path, tell),
            None => tell(&path, expected.to_string(), "no such member".to_owned()),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// What became of an event, for people.
fn told(got: &Happened) -> String {
    let mut told = got.outcome.word().to_owned();
    if let (Some(stage), Some(reason)) = (&got.stage, &got.reason) {
        told += &format!(" by {stage} for the reason {reason}");
    }
    if let Some(detail) = &got.detail {
        told += &format!(": {detail}");
    }
    told
}
