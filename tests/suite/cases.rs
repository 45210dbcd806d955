//! `weir test` and `weir filter test`: recorded events, and what is expected of them. The modules
//! are those of `make filters`.

use crate::support::{Ended, Folder, repository};

/// Three events: one that `noise` drops, one that goes on, and one that is none.
const EVENTS: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a"},"involvedObject":{"kind":"Pod","apiVersion":"v1","namespace":"shop","name":"web"},"type":"Normal","reason":"Pulled"}

{"type":"ADDED","object":{"kind":"Event","apiVersion":"v1","metadata":{"name":"b","labels":{"x/y":"1"}},"involvedObject":{"kind":"Pod","apiVersion":"v1","namespace":"shop","name":"web"},"type":"Warning","reason":"Failed","message":"no such image"}}
{"kind":"Event","apiVersion":"v1","metadata":[]}
"#;

const PIPELINE: &str = r#"
name = "p"
cluster = "blue"
source = { kind = "kubernetes" }
sink = { kind = "opensearch", hosts = ["https://opensearch:9200"], index = "e", username = "u", password = { file = "/not/here" } }
dead_letter = { path = "/not/here/either" }

[[stage]]
name = "noise"
drop = true
match = { type = ["Normal"] }
"#;

fn pipeline(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::with(&[("p.toml", PIPELINE), ("cases/one.events.jsonl", EVENTS)]);
    for (name, text) in files {
        folder.write(name, text);
    }
    folder
}

fn test(folder: &Folder) -> Ended {
    folder.weir(&["test", "p.toml"])
}

#[test]
fn what_is_left_out_is_not_compared_and_nothing_is_contacted_or_read() {
    let expected = r#"{"outcome":"filtered","stage":"noise","reason":"matched"}
{"document":{"clusterName":"blue","metadata":{"labels":{"x/y":"1"}}}}
{"outcome":"dead_lettered","stage":"source","reason":"wrong_type"}
"#;
    let folder = pipeline(&[("cases/one.expected.jsonl", expected)]);
    let ended = test(&folder);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
    ok       one (3 events)
    1 passed, 0 failed
    ");
}

#[test]
fn each_difference_has_its_line_its_path_and_both_sides() {
    let expected = r#"{"outcome":"delivered"}
{"document":{"clusterName":"green","metadata":{"labels":{"x/y":"2"}},"other":null}}
{"outcome":"dead_lettered","reason":"syntax"}
{"outcome":"delivered"}
"#;
    let settings = "absent = [\"/message\", \"/metadata/managedFields\"]\n\
                    counters.noise.seen = 1\n";
    let folder = pipeline(&[("cases/one.expected.jsonl", expected), ("cases/one.toml", settings)]);
    let ended = test(&folder);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stdout, @r#"
    FAILED   one (3 events)
      cases/one.expected.jsonl:1: outcome
        expected  delivered
        got       filtered by noise for the reason matched
      cases/one.expected.jsonl:2: /document/clusterName
        expected  "green"
        got       "blue"
      cases/one.expected.jsonl:2: /document/metadata/labels/x~1y
        expected  "2"
        got       "1"
      cases/one.expected.jsonl:2: /document/other
        expected  null
        got       no such member
      cases/one.expected.jsonl:3: reason
        expected  "syntax"
        got       "wrong_type"
      cases/one.expected.jsonl:4: the whole line
        expected  one more event
        got       3 events in all
      cases/one.toml:2: counter seen of noise
        expected  1
        got       no counter of this name is declared
      cases/one.toml:1: /message
        expected  nothing
        got       "no such image" in the document of events line 3
    0 passed, 1 failed
    "#);
    insta::assert_snapshot!(ended.stderr, @"error: 1 of 1 cases did not come out as expected");

    let ended = folder.weir(&["test", "p.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &json["failed"]), (Some(1), &serde_json::json!(1)));
    let path = &json["cases"][0]["differences"][1]["path"];
    assert_eq!(path, "/document/clusterName");
}

#[test]
fn update_records_what_does_not_hold_and_leaves_what_does() {
    let folder = pipeline(&[("cases/one.expected.jsonl", "{\"outcome\":\"filtered\"}\n")]);
    let ended = folder.weir(&["test", "p.toml", "--update"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    insta::assert_snapshot!(ended.stdout, @r"
    recorded one (3 events)
    1 passed, 0 failed
    ");
    insta::assert_snapshot!(folder.read("cases/one.expected.jsonl"), @r#"
    {"outcome":"filtered"}
    {"outcome":"delivered","document":{"@timestamp":"1970-01-01T00:00:00Z","clusterName":"blue","weir":{"timestamp":"absent"},"apiVersion":"v1","kind":"Event","metadata":{"name":"b","labels":{"x/y":"1"}},"involvedObject":{"kind":"Pod","apiVersion":"v1","namespace":"shop","name":"web"},"type":"Warning","reason":"Failed","message":"no such image"}}
    {"outcome":"dead_lettered","stage":"source","reason":"wrong_type"}
    "#);
    assert_eq!(test(&folder).stdout, "ok       one (3 events)\n1 passed, 0 failed\n");
    assert_eq!(folder.weir(&["test", "p.toml", "--update"]).code, Some(0));
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line_and_exits_2() {
    let two = "{\"outcome\":\"filtered\"}\n\n";
    let wrong: [(&str, &str, &str); 6] = [
        ("cases/one.expected.jsonl", &format!("{two}{{\"outcome\":\"kept\"}}"), "an outcome"),
        ("cases/one.expected.jsonl", &format!("{two}{{\"verdict\":1}}"), "a member"),
        ("cases/one.toml", "absent = [\"message\"]", "a pointer"),
        ("cases/one.toml", "config = { a = 1 }", "the pipeline's"),
        ("cases/one.toml", "counters.seen = 1", "whose"),
        ("cases/two.expected.jsonl", "{}", "no events"),
    ];
    let mut said = String::new();
    for (name, text, what) in wrong {
        let ended = test(&pipeline(&[(name, text)]));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{what}");
        said += &ended.stderr;
    }
    insta::assert_snapshot!(said, @r#"
    cases/one.expected.jsonl:3:17: error: unknown variant `kept`, expected one of `delivered`, `filtered`, `dead_lettered`
    cases/one.expected.jsonl:3:10: error: unknown field `verdict`, expected one of `outcome`, `stage`, `reason`, `document`
    cases/one.toml:1:11: error: must be a JSON pointer, such as "/metadata/managedFields"
    cases/one.toml:1:1: error: unknown key `config`: the stages are the pipeline's, and a case has `counters`, `absent` and `objects`
    cases/one.toml:1:17: error: whose counter is it? write [counters.STAGE] in front of it
    error: cases/two.expected.jsonl: there is no two.events.jsonl beside it
    "#);
    let ended = Folder::with(&[("p.toml", PIPELINE)]).weir(&["test", "p.toml"]);
    insta::assert_snapshot!(ended.stderr, @"error: cases: there is no case: write one to NAME.events.jsonl, an event a line");
    assert_eq!(ended.code, Some(2));
}

fn module(name: &str) -> String {
    let path = repository().join("filters/dist").join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is missing: run `make filters`", path.display());
    path.display().to_string()
}

#[test]
fn a_module_is_tested_with_the_settings_of_each_case() {
    let folder = Folder::with(&[
        ("cases/kept.events.jsonl", EVENTS),
        ("cases/kept.expected.jsonl", "{\"outcome\":\"delivered\"}\n{}\n{}\n"),
        ("cases/kept.toml", "config.keep_reasons = [\"Pulled\"]"),
        ("cases/plain.events.jsonl", EVENTS),
        (
            "cases/plain.expected.jsonl",
            "{\"stage\":\"drop-normal\",\"reason\":\"normal\"}\n{}\n{}\n",
        ),
    ]);
    let module = module("drop-normal");
    let test = || folder.weir(&["filter", "test", "--module", &module]);
    let ended = test();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    insta::assert_snapshot!(ended.stdout, @r"
    ok       kept (3 events)
    ok       plain (3 events)
    2 passed, 0 failed
    ");

    folder.write("cases/kept.toml", "config.keep = [\"Pulled\"]");
    let ended = test();
    assert_eq!(ended.code, Some(2));
    insta::assert_snapshot!(ended.stderr.replace(&module, "MODULE"), @"error: case kept: stage `drop-normal`: MODULE: it refused [stage.config]: unknown field `keep`, expected `keep_reasons`");
    folder.write("cases/kept.toml", "memory = \"1KiB\"\nname = \"other\"");
    insta::assert_snapshot!(test().stderr, @r"
    cases/kept.toml:1:10: error: `memory` must be from 64KiB to 4GiB, not 1KiB
    cases/kept.toml:2:1: error: `name` is not the case's to say: its module is given
    ");
}

#[test]
fn what_is_looked_up_is_what_the_case_has() {
    let objects = r#"
[[objects]]
apiVersion = "v1"
kind = "Pod"
metadata = { name = "web", namespace = "shop", labels = { "app.kubernetes.io/name" = "web" } }
"#;
    let other = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"c"},"involvedObject":{"kind":"Pod","apiVersion":"v1","namespace":"shop","name":"other"},"type":"Normal"}"#;
    let folder = Folder::with(&[
        ("cases/a.events.jsonl", &format!("{EVENTS}{other}\n")),
        (
            "cases/a.expected.jsonl",
            "{\"document\":{\"looked-up\":{\"found\":true,\"app\":\"web\"}}}\n{}\n{}\n\
             {\"document\":{\"looked-up\":{\"found\":false}}}\n",
        ),
        ("cases/a.toml", objects),
    ]);
    let ended = folder.weir(&["filter", "test", "--module", &module("lookup-guest")]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "ok       a (4 events)\n1 passed, 0 failed\n"),
        "{ended:?}"
    );
}
