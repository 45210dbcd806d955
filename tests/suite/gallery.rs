//! `filters/gallery.md`: each of its stages passes `weir check`, and does with an event what its
//! heading says. Its modules are those of `make filters`.

use serde_json::{Value, json};

use crate::support::{Folder, repository};

const MODULES: [&str; 3] = ["throttle", "redact", "route"];

/// An event, as few members as the gallery asks for.
fn event(namespace: &str, kind: &str, event_type: &str, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": "e", "namespace": namespace},
        "involvedObject": {"kind": kind, "namespace": namespace, "name": "web"},
        "type": event_type, "reason": reason, "message": message,
        "lastTimestamp": "2026-01-02T03:04:05Z",
    })
}

/// By a heading's number: events, and what becomes of each.
fn cases(number: &str) -> Vec<(Value, Value)> {
    let pod = |event_type, reason, message| event("shop", "Pod", event_type, reason, message);
    let of = |namespace| event(namespace, "Pod", "Warning", "Failed", "");
    let kept = json!({"outcome": "delivered"});
    let dropped = json!({"outcome": "filtered", "reason": "matched"});
    match number {
        "1" => vec![(pod("Normal", "Pulled", ""), dropped), (pod("Warning", "Failed", ""), kept)],
        "2" => vec![
            (pod("Normal", "Pulled", ""), dropped),
            (pod("Normal", "Killing", ""), kept.clone()),
            (pod("Warning", "Failed", ""), kept),
        ],
        "3" => vec![(of("kube-system"), dropped), (of("shop"), kept)],
        "4" => vec![(of("kube-system"), dropped), (of("shop-eu"), kept)],
        "5" => vec![(pod("Normal", "Started", ""), dropped), (pod("Normal", "Killing", ""), kept)],
        "6" => vec![
            (pod("Warning", "Unhealthy", "Readiness probe failed: HTTP 503"), dropped),
            (pod("Warning", "Unhealthy", "Liveness probe failed: HTTP 503"), kept),
        ],
        "7" => vec![
            (event("shop", "CronJob", "Normal", "SawCompletedJob", ""), dropped),
            (event("shop", "Job", "Warning", "BackoffLimitExceeded", ""), kept),
        ],
        "8" => {
            let again = pod("Warning", "BackOff", "");
            vec![
                (again.clone(), kept.clone()),
                (again, json!({"outcome": "filtered", "reason": "repeated"})),
                (pod("Warning", "Failed", ""), kept),
            ]
        }
        "9" => vec![(
            pod("Warning", "Failed", "pull from https://bob:hunter2@example.com failed"),
            json!({"document": {"message": "pull from https://bob:***@example.com failed"}}),
        )],
        "10" => vec![
            (of("shop-eu"), json!({"document": {"team": "shop"}})),
            (of("kube-system"), json!({"document": {"team": "platform"}})),
        ],
        other => panic!("the gallery has number {other}, which no test knows"),
    }
}

#[test]
fn each_filter_passes_check_and_does_what_its_heading_says() {
    let gallery = std::fs::read_to_string(repository().join("filters/gallery.md")).unwrap();
    let mut numbers = Vec::new();
    for section in gallery.split("\n## ").skip(1) {
        let number = section.split('.').next().unwrap();
        let stage = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let folder = Folder::new();
        for module in MODULES.iter().filter(|module| stage.contains(*module)) {
            let path = repository().join(format!("filters/dist/{module}.wasm"));
            assert!(path.exists(), "{} is missing: run `make filters`", path.display());
            folder.write(&format!("{module}.wasm"), std::fs::read(path).unwrap());
        }
        let pipeline =
            format!("name = \"p\"\nsource.kind = \"stdin\"\nsink.kind = \"stdout\"\n{stage}");
        let dead_letter =
            if stage.contains("dead-letter") { "[dead_letter]\npath = \"dead\"\n" } else { "" };
        folder.write("pipeline.toml", pipeline + dead_letter);
        let lines = |texts: Vec<String>| texts.join("\n") + "\n";
        let (events, expected): (Vec<_>, Vec<_>) = cases(number)
            .into_iter()
            .map(|(event, expected)| (event.to_string(), expected.to_string()))
            .unzip();
        folder.write("cases/it.events.jsonl", lines(events));
        folder.write("cases/it.expected.jsonl", lines(expected));
        for command in ["check", "test"] {
            let ended = folder.weir(&[command, "pipeline.toml"]);
            assert_eq!(ended.code, Some(0), "{number}: {ended:?}");
        }
        numbers.push(number.to_owned());
    }
    assert_eq!(numbers, (1..=10).map(|number| number.to_string()).collect::<Vec<_>>());
}
