//! `weir filter try`: what it shows, that it touches nothing, and that what it records passes.

use serde_json::Value;

use crate::support::modules::{DROP_NORMAL, Guest};
use crate::support::{Ended, Folder};

const EVENTS: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a","namespace":"shop"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web"},"type":"Normal","reason":"Pulled","message":"ok"}
{"kind":"Event","apiVersion":"v1","metadata":{"name":"b","namespace":"shop"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"web"},"type":"Warning","reason":"Failed","message":"no such\u001b[31m image"}
"#;

/// Sets `/metadata/labels/team` to "shop" and changes `/reason` to "shop".
const TAG: Guest<'_> = Guest {
    imports: r#"(import "weir:pipeline/edit@0.1.0" "set-string"
        (func $set (param i32 i32 i32 i32 i32)))"#,
    items: r#"(data (i32.const 1024) "/metadata/labels/team/reasonshop")"#,
    process: "
        (call $set (i32.const 1024) (i32.const 21) (i32.const 1052) (i32.const 4) (i32.const 48))
        (call $set (i32.const 1045) (i32.const 7) (i32.const 1052) (i32.const 4) (i32.const 48))
        (i32.const 0)",
    configure: "",
};

fn folder(guest: &Guest<'_>) -> Folder {
    let folder = Folder::with(&[("events.jsonl", EVENTS)]);
    folder.write("it.wasm", guest.component());
    folder
}

fn of_file(folder: &Folder, arguments: &[&str]) -> Ended {
    let command = ["filter", "try", "it.wasm", "--from", "events.jsonl"];
    folder.weir(&[&command[..], arguments].concat())
}

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_event_is_a_line_of_json_where_there_is_no_terminal() {
    let ended = of_file(&folder(&DROP_NORMAL), &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    insta::assert_snapshot!(ended.stdout, @r#"
    {"verdict":"dropped","reason":"normal","event":{"namespace":"shop","name":"a","type":"Normal","reason":"Pulled","message":"ok","kind":"Pod","object":"web"},"edits":[]}
    {"verdict":"kept","event":{"namespace":"shop","name":"b","type":"Warning","reason":"Failed","message":"no such\u001b[31m image","kind":"Pod","object":"web"},"edits":[]}
    "#);
}

#[test]
fn what_is_no_event_is_rejected() {
    let folder = folder(&DROP_NORMAL);
    folder.write("events.jsonl", "{\"kind\":\"Event\",\"metadata\":7}\n");
    let ended = of_file(&folder, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = &lines(&ended)[0];
    assert_eq!((&line["verdict"], &line["reason"]), (&"rejected".into(), &"wrong_type".into()));
}

#[test]
fn edits_are_told_by_their_pointers_and_events_of_stdin_are_the_same() {
    let folder = folder(&TAG);
    let ended = of_file(&folder, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let edits: Vec<String> = lines(&ended).iter().map(|line| line["edits"].to_string()).collect();
    insta::assert_snapshot!(edits.join("\n"), @r#"
    [{"path":"/metadata/labels","value":{"team":"shop"}},{"path":"/reason","value":"shop","was":"Pulled"}]
    [{"path":"/metadata/labels","value":{"team":"shop"}},{"path":"/reason","value":"shop","was":"Failed"}]
    "#);
    let mut command = folder.command(&["filter", "try", "it.wasm", "--from", "-"]);
    let input = std::fs::File::open(folder.path().join("events.jsonl")).unwrap();
    let of_stdin = folder.end_of(command.stdin(input));
    assert_eq!(of_stdin, ended);
}

#[test]
fn what_a_module_fails_on_is_shown_whatever_becomes_of_it_and_exits_1() {
    let folder = folder(&Guest { process: "unreachable", ..Guest::default() });
    for (on_error, reason) in [("keep", "trap"), ("drop", "error"), ("dead-letter", "trap")] {
        folder.write("it.toml", format!("on_error = \"{on_error}\"\n"));
        let ended = of_file(&folder, &["--config", "it.toml", "--count", "1"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let line = &lines(&ended)[0];
        assert_eq!((&line["verdict"], &line["reason"]), (&"failed".into(), &reason.into()));
        assert_eq!(ended.last(), "error: the module failed on 1 of 1 events");
    }
}

#[test]
fn what_is_recorded_is_a_case_that_passes_at_once() {
    let folder = folder(&TAG);
    folder.write("it.toml", "match.reason = [\"Failed\"]\n");
    let record = ["--record", "cases/seen", "--config", "it.toml"];
    let ended = of_file(&folder, &record);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "recorded 2 events as the case cases/seen\n");
    let tested = folder.weir(&["filter", "test", "--module", "it.wasm"]);
    assert_eq!(tested.stdout, "ok       seen (2 events)\n1 passed, 0 failed\n", "{tested:?}");
    assert_eq!(folder.read("cases/seen.events.jsonl"), EVENTS);
    assert_eq!(folder.read("cases/seen.toml"), "match.reason = [\"Failed\"]\n");
    // Another module does not pass it: it holds to something.
    folder.write("it.wasm", Guest::default().component());
    assert_eq!(folder.weir(&["filter", "test", "--module", "it.wasm"]).code, Some(1));

    let again = of_file(&folder, &record);
    assert_eq!(again.code, Some(2));
    insta::assert_snapshot!(again.stderr, @"error: cases/seen: there is a case of this name: choose another one");
}

#[test]
fn nothing_is_written_but_the_compile_cache() {
    let folder = folder(&DROP_NORMAL);
    of_file(&folder, &[]);
    assert_eq!(folder.names(), ["cache", "events.jsonl", "it.wasm"]);
}

#[test]
fn what_cannot_be_tried_is_wrong_use() {
    let folder = folder(&DROP_NORMAL);
    folder.write("expects.toml", "counters.seen = 1\n");
    folder.write(
        "objects.toml",
        "[[objects]]\napiVersion = \"v1\"\nkind = \"Pod\"\nmetadata = { name = \"a\" }\n",
    );
    let mut said = String::new();
    for arguments in [
        &["--from", "none.jsonl"][..],
        &["--from", "events.jsonl", "--config", "none.toml"],
        &["--from", "events.jsonl", "--config", "expects.toml", "--record", "cases/a"],
        &["--from", "kubernetes", "--config", "objects.toml"],
        &["--from", "events.jsonl", "--annotation", "team"],
        &["--from", "kubernetes", "--annotation", "team"],
        &["--from", "kubernetes", "--annotation", "team*"],
        &["--from", "events.jsonl", "--record", "cache"],
    ] {
        let ended = folder.weir(&[&["filter", "try", "it.wasm"], arguments].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        said += &ended.stderr;
    }
    insta::assert_snapshot!(said, @r#"
    error: none.jsonl: No such file or directory (os error 2)
    none.toml:1:1: error: cannot read it: No such file or directory (os error 2)
    error: expects.toml: leave `counters` and `absent` away: what is recorded may not come out so
    error: objects.toml: leave [[objects]] away: with `--from kubernetes` they are looked up in the cluster
    error: --annotation is for `--from kubernetes`: elsewhere objects come from [[objects]] of --config, with their annotations
    error: leave --annotation away: the module does not look anything up (it does not import weir:pipeline/lookup)
    error: invalid value 'team*' for '--annotation <KEY>': must be the whole name of an annotation, such as "example.com/team", without patterns

    For more information, try '--help'.
    error: cache: it is a folder: give the case's name, too, as DIR/NAME
    "#);
}
