//! The monitors of OpenSearch Alerting: the real node answers their queries. Alerting itself, and
//! the language of its conditions, cannot be had here: the one condition that they have is put in
//! Rust.

use serde_json::Value;

use super::about::{About, crash_loops, gpu, image_pulls, unschedulable};
use super::documents::{DEMO, loaded};
use super::expected::about;
use super::objects::text;
use super::request::Time;
use crate::support::repository;

const MINUTE: u64 = 60_000;

/// Each monitor, what it is about, and how many versions of such events are in the demo.
const MONITORS: [(&str, About, usize); 4] = [
    ("crash-loop", crash_loops, 4),
    ("gpu", gpu, 21),
    ("image-pull", image_pulls, 30),
    ("unschedulable", unschedulable, 14),
];

fn monitor(name: &str) -> Value {
    serde_json::from_str(&text(&format!("deploy/opensearch/monitors/{name}.json"))).unwrap()
}

/// The query of a monitor at a moment, as Alerting fills it in.
fn query_at(monitor: &Value, end: u64) -> Value {
    let query = &monitor["inputs"][0]["search"]["query"];
    serde_json::from_str(&query.to_string().replace("{{period_end}}", &end.to_string())).unwrap()
}

/// Whether the trigger's condition holds of an answer.
fn triggers(monitor: &Value, answer: &Value) -> bool {
    let condition = &monitor["triggers"][0]["query_level_trigger"]["condition"]["script"];
    assert_eq!(condition["lang"], "painless");
    assert_eq!(condition["source"], "ctx.results[0].hits.total.value > 0");
    answer["hits"]["total"]["value"].as_u64().unwrap() > 0
}

#[test]
fn there_is_an_expectation_for_every_monitor() {
    let folder = std::fs::read_dir(repository().join("deploy/opensearch/monitors")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, MONITORS.map(|(name, _, _)| format!("{name}.json")));
}

#[tokio::test]
async fn a_monitor_finds_what_it_is_about_and_is_silent_at_another_time() {
    for (name, is_about, versions) in MONITORS {
        let monitor = monitor(name);
        let answer = loaded().ask(query_at(&monitor, DEMO.to)).await;
        let window = Time { from: DEMO.to - 15 * MINUTE, to: DEMO.to };
        let expected = about(&loaded().events, is_about, window);
        assert_eq!(expected.len(), versions, "{name}: the demo has changed");
        assert_eq!(answer["hits"]["total"]["value"], expected.len(), "{name}: {answer}");
        assert!(triggers(&monitor, &answer), "{name}");
        let newest = &answer["hits"]["hits"][0]["_source"];
        for field in ["/metadata/namespace", "/involvedObject/name", "/reason", "/message"] {
            assert!(newest.pointer(field).is_some(), "{name}: no {field} for a notification");
        }
        let before = loaded().ask(query_at(&monitor, DEMO.from - 60 * MINUTE)).await;
        assert!(!triggers(&monitor, &before), "{name} has an alert without a cause");
    }
}

/// What arrives late is seen by the next look: a window is longer than what is between two looks.
#[test]
fn a_look_reaches_further_back_than_the_last_one() {
    for (name, ..) in MONITORS {
        let monitor = monitor(name);
        let every = monitor["schedule"]["period"]["interval"].as_u64().unwrap();
        assert_eq!(monitor["schedule"]["period"]["unit"], "MINUTES");
        let range = &monitor["inputs"][0]["search"]["query"]["query"]["bool"]["filter"][0];
        let from = range["range"]["@timestamp"]["gte"].as_str().unwrap();
        let window = from.strip_prefix("{{period_end}}||-").and_then(|w| w.strip_suffix('m'));
        assert!(window.unwrap().parse::<u64>().unwrap() >= 2 * every, "{name}: {from}");
    }
}
