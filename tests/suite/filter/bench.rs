//! `weir filter bench`: its count is the same each time, and what it is of is told.

use serde_json::Value;

use crate::support::modules::{DROP_NORMAL, Guest};
use crate::support::{Ended, Folder};

const EVENTS: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a"},"involvedObject":{"kind":"Pod"},"type":"Normal"}
{"kind":"Event","apiVersion":"v1","metadata":{"name":"b"},"involvedObject":{"kind":"Pod"},"type":"Warning"}
{"kind":"Event","apiVersion":"v1","metadata":{"name":"c"},"involvedObject":{"kind":"Node"},"type":"Normal"}
"#;

fn folder(guest: &Guest<'_>) -> Folder {
    let folder = Folder::with(&[("events.jsonl", EVENTS)]);
    folder.write("drop.wasm", guest.component());
    folder
}

fn bench(folder: &Folder, arguments: &[&str]) -> Ended {
    folder.weir(&[&["filter", "bench", "drop.wasm"], arguments].concat())
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

#[test]
fn the_same_module_and_events_cost_the_same_twice() {
    let folder = folder(&DROP_NORMAL);
    let run = || {
        let ended = bench(&folder, &["events.jsonl", "--json"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        json(&ended)
    };
    let (first, second) = (run(), run());
    for same in ["cost", "module", "weir", "events", "calls", "failed", "memory_bytes"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    // It asks each event for its type, and drops two; their reason is declared at the start.
    assert_eq!(
        (&first["events"], &first["calls"], &first["failed"]),
        (&3.into(), &3.into(), &0.into())
    );
    let total = &first["cost"]["total"];
    assert_eq!((&total["host_calls"], &total["text_bytes"]), (&5.into(), &0.into()), "{first}");
    assert!(total["fuel"].as_u64().unwrap() > 0, "{first}");
    let start = &first["cost"]["start"];
    assert_eq!((&start["host_calls"], &start["text_bytes"]), (&1.into(), &6.into()), "{first}");
    let each = first["cost"]["per_event"]["fuel"].as_f64().unwrap();
    assert_eq!(each * 3.0, total["fuel"].as_u64().unwrap() as f64);
    // One page of 64 KiB.
    assert!(first["memory_bytes"].as_u64().unwrap() >= 64 << 10, "{first}");
    assert!(first["time"]["passes"].as_u64().unwrap() > 0, "{first}");
    for digest in [&first["module"]["sha256"], &first["weir"]["sha256"]] {
        assert_eq!(digest.as_str().unwrap().len(), 64, "{first}");
    }
}

#[test]
fn another_event_costs_otherwise_and_settings_are_those_of_a_case() {
    let folder = folder(&DROP_NORMAL);
    folder.write("settings.toml", "match.kind = [\"Pod\"]\n");
    let all = json(&bench(&folder, &["events.jsonl", "--json"]));
    let pods = json(&bench(&folder, &["events.jsonl", "--config", "settings.toml", "--json"]));
    assert_eq!((&pods["events"], &pods["calls"]), (&3.into(), &2.into()));
    assert_ne!(all["cost"]["total"], pods["cost"]["total"]);
    assert_eq!(all["cost"]["start"], pods["cost"]["start"]);
}

#[test]
fn without_events_it_runs_those_that_weir_carries_and_says_all_of_it_in_a_few_lines() {
    let ended = bench(&folder(&DROP_NORMAL), &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let begins: Vec<&str> =
        ended.stdout.lines().map(|line| line.get(..8).unwrap_or(line).trim_end()).collect();
    assert_eq!(
        begins,
        ["module", "weir", "events", "time", "memory", "cost", "  total", "  start"]
    );
    assert!(ended.stdout.contains("events   355: 355 calls, 0 failed\n"), "{ended:?}");
}

#[test]
fn what_a_module_fails_on_is_counted_and_its_exit_code_is_1() {
    let ended = bench(
        &folder(&Guest { process: "unreachable", ..Guest::default() }),
        &["events.jsonl", "--json"],
    );
    assert_eq!(json(&ended)["failed"], 3);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = "error: the module failed on 3 of 3 events: the figures are of that, too";
    assert_eq!(ended.last(), last);
}

#[test]
fn a_call_that_does_not_end_is_ended_without_a_clock() {
    let folder = folder(&Guest { process: "(loop (br 0)) (i32.const 0)", ..Guest::default() });
    folder.write("settings.toml", "timeout = \"10ms\"\n");
    let run = || {
        let ended = bench(&folder, &["events.jsonl", "--config", "settings.toml", "--json"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        json(&ended)
    };
    let (first, second) = (run(), run());
    assert_eq!(first["failed"], 3);
    assert_eq!(first["cost"], second["cost"]);
}

#[test]
fn what_cannot_be_measured_is_wrong_use() {
    let folder = folder(&DROP_NORMAL);
    folder.write("empty.jsonl", "\n");
    folder.write("core.wasm", b"\0asm\x01\0\0\0");
    folder.write("wrong.toml", "timout = \"1s\"\n");
    let mut said = String::new();
    for arguments in [
        &["core.wasm"][..],
        &["none.wasm"],
        &["drop.wasm", "none.jsonl"],
        &["drop.wasm", "empty.jsonl"],
        &["drop.wasm", "--config", "none.toml"],
        &["drop.wasm", "--config", "wrong.toml"],
    ] {
        let ended = folder.weir(&[&["filter", "bench"], arguments].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        said += &ended.stderr;
    }
    insta::assert_snapshot!(said, @r"
    error: core.wasm: it is not a WebAssembly component
    error: none.wasm: No such file or directory (os error 2)
    error: none.jsonl: No such file or directory (os error 2)
    error: empty.jsonl: there is no event in it
    none.toml:1:1: error: cannot read it: No such file or directory (os error 2)
    wrong.toml:1:1: error: unknown key `timout` in [[stage]]; did you mean `timeout`?
    ");
}
