//! Every diagnostic as people see it, and that `config/pipeline.toml` tells the truth.

use super::*;
use crate::{buffer, dead_letter, sink, source};

fn parse_toml(text: &str) -> Result<Settings, String> {
    let environment = Environment { cache: "/home/me/.cache/weir/modules".into() };
    match parse(Path::new("etc/pipeline.toml"), text, &environment) {
        Ok(config) => Ok(config.settings),
        Err(diagnostics) => Err(diagnostics.to_string()),
    }
}

/// All diagnostics of a text that has some.
fn diagnostics(text: &str) -> String {
    parse_toml(text).expect_err("the text is wrong")
}

/// A valid configuration, to which lines are added.
fn valid(lines: &str) -> String {
    format!("name = \"p\"\nsource.kind = \"stdin\"\nsink.kind = \"stdout\"\n{lines}")
}

fn problems_with(lines: &str) -> String {
    diagnostics(&valid(lines))
}

mod diagnostics {
    use super::*;

    #[test]
    fn an_empty_file_misses_what_is_required() {
        insta::assert_snapshot!(diagnostics(""), @r"
        etc/pipeline.toml:1:1: error: missing required key `name` at the top level: Identifies the pipeline: its Lease, its saved position.
        etc/pipeline.toml:1:1: error: missing required section [sink]: Where documents go.
        etc/pipeline.toml:1:1: error: missing required section [source]: Where events come from.
        ");
    }

    #[test]
    fn a_section_misses_what_its_kind_requires() {
        insta::assert_snapshot!(diagnostics("name='p'\n[source]\nkind = 'file'\n[sink]\nkind = 'opensearch'\n[[stage]]"), @r"
        etc/pipeline.toml:2:1: error: missing required key `path` in [source]: The file to read.
        etc/pipeline.toml:4:1: error: missing required key `hosts` in [sink]: Base URLs of nodes of one cluster, http or https.
        etc/pipeline.toml:6:1: error: missing required key `module` in [[stage]]: The component to load; a stage with `drop = true` has none.
        etc/pipeline.toml:6:1: error: missing required key `name` in [[stage]]: Its name, unique in the pipeline: a metric label; neither source nor sink.
        ");
        insta::assert_snapshot!(diagnostics("name='p'\n[source]\nfollow = true\n[sink]\n"), @r"
        etc/pipeline.toml:2:1: error: missing required key `kind` in [source]: What to read.
        etc/pipeline.toml:4:1: error: missing required key `kind` in [sink]: What to write to.
        ");
    }

    #[test]
    fn dead_letters_lie_in_a_folder_or_in_the_index_of_an_opensearch() {
        insta::assert_snapshot!(problems_with("[dead_letter]\nkind = 'index'\npath = 'dead'"), @r#"
        etc/pipeline.toml:5:8: error: `kind = "index"` needs a sink of kind = "opensearch": the index is in its OpenSearch; with another sink, set `path`
        etc/pipeline.toml:6:1: error: `path` is for kind = "disk", and this kind is "index"
        "#);
        insta::assert_snapshot!(problems_with("[dead_letter]\npath = 'dead'\nindex = 'letters'"), @r#"etc/pipeline.toml:6:1: error: `index` is for kind = "index", and this kind is "disk""#);
        insta::assert_snapshot!(problems_with("[dead_letter]\nkind = 'disk'"), @r#"etc/pipeline.toml:5:8: error: `kind = "disk"` needs `path` beside it"#);
        insta::assert_snapshot!(problems_with("[dead_letter]\nkind = 'indexx'"), @r#"etc/pipeline.toml:5:8: error: unknown kind "indexx": it may be "disk" or "index"; did you mean `index`?"#);
        let opensearch = "name='p'\nsource.kind='stdin'\nsink={kind='opensearch',hosts=['http://a'],index='INDEX'}\n[dead_letter]\nkind='index'\n";
        let same = opensearch.replace("INDEX", "weir-{yyyy}");
        insta::assert_snapshot!(diagnostics(&same), @r#"etc/pipeline.toml:5:6: error: "weir-dead-letter" is an index that the sink writes documents to, or that has their index template: give the dead letters one of their own"#);
        insta::assert_snapshot!(diagnostics(&(opensearch.replace("INDEX", "a") + "index = 'a'")), @r#"etc/pipeline.toml:6:9: error: "a" is an index that the sink writes documents to, or that has their index template: give the dead letters one of their own"#);
        insta::assert_snapshot!(diagnostics(&(opensearch.replace("INDEX", "a") + "index = 'b-{yyyy}'")), @r#"etc/pipeline.toml:6:9: error: `index` must be the name of one index, without a date: a letter stays until it is dealt with"#);
        insta::assert_snapshot!(diagnostics(&(opensearch.replace("INDEX", "a") + "index = 'B'")), @r#"etc/pipeline.toml:6:9: error: `index` must not hold 'B': OpenSearch refuses upper case and any of \/*?"<>| ,#: in an index name"#);
        let settings = parse_toml(&opensearch.replace("INDEX", "weird-{yyyy}")).unwrap();
        assert_eq!(
            settings.dead_letter,
            dead_letter::Settings::Index { index: "weir-dead-letter".into() }
        );
    }

    #[test]
    fn a_setup_at_the_start_installs_the_template_too() {
        let with = |more: &str| {
            format!(
                "name='p'\nsource.kind='stdin'\n[sink]\nkind='opensearch'\nhosts=['http://a']\n{more}"
            )
        };
        insta::assert_snapshot!(diagnostics(&with("template='skip'\nsetup='run'")), @r#"etc/pipeline.toml:7:7: error: `setup = "run"` installs the index template, too: leave out `template = "skip"`"#);
        for (more, expected) in [("", sink::Setup::Off), ("setup='run'", sink::Setup::Run)] {
            let settings = parse_toml(&with(more)).unwrap();
            let sink::Settings::OpenSearch(sink) = settings.sink else { panic!("it is one") };
            assert_eq!(sink.setup, expected);
        }
    }

    #[test]
    fn an_unknown_key_gets_the_name_that_was_meant() {
        insta::assert_snapshot!(diagnostics("nmae = 'p'\n[source]\nkind = 'stdin'\n[sink]\nkind = 'stdout'\n[[stage]]\nname = 'a'\nmodule = 'a.wasm'\nmatch = { resaon = ['x'] }\ntimout = '1s'\non-error = 'drop'\n[sinc]\n[dead-letter]\n"), @r"
        etc/pipeline.toml:1:1: error: missing required key `name` at the top level: Identifies the pipeline: its Lease, its saved position.
        etc/pipeline.toml:1:1: error: unknown key `nmae` at the top level; did you mean `name`?
        etc/pipeline.toml:9:11: error: unknown key `resaon` in [stage.match]; did you mean `reason`?
        etc/pipeline.toml:10:1: error: unknown key `timout` in [[stage]]; did you mean `timeout`?
        etc/pipeline.toml:11:1: error: unknown key `on-error` in [[stage]]; did you mean `on_error`?
        etc/pipeline.toml:12:2: error: unknown key `sinc` at the top level; did you mean `sink`?
        etc/pipeline.toml:13:2: error: unknown key `dead-letter` at the top level; did you mean `dead_letter`?
        ");
    }

    #[test]
    fn a_key_of_another_section_is_sent_there() {
        insta::assert_snapshot!(diagnostics("name = 'p'\n[source]\nkind = 'stdin'\nworkers = 2\nhosts = ['http://a']\nxyzzy = 1\n[sink]\nkind = 'stdout'"), @r"
        etc/pipeline.toml:4:1: error: unknown key `workers` in [source]; it belongs at the top level
        etc/pipeline.toml:5:1: error: unknown key `hosts` in [source]; it belongs in [sink]
        etc/pipeline.toml:6:1: error: unknown key `xyzzy` in [source]; there are `kind`, `namespaces`, `exclude_namespaces`, `field_selector`, `start`, `path`, `follow`
        ");
    }

    #[test]
    fn an_unknown_kind_is_answered_with_those_there_are() {
        insta::assert_snapshot!(diagnostics("name='p'\nsource = { kind = 'nats' }\nsink = { kind = 'nats' }"), @r#"
        etc/pipeline.toml:2:19: error: unknown kind "nats": it may be "kubernetes", "file" or "stdin"
        etc/pipeline.toml:3:17: error: unknown kind "nats": it may be "opensearch", "file" or "stdout"
        "#);
        insta::assert_snapshot!(diagnostics("name='p'\nsource = { kind = 'kubernets' }\nsink = { kind = 'Opensearch' }"), @r#"
        etc/pipeline.toml:2:19: error: unknown kind "kubernets": it may be "kubernetes", "file" or "stdin"; did you mean `kubernetes`?
        etc/pipeline.toml:3:17: error: unknown kind "Opensearch": it may be "opensearch", "file" or "stdout"; did you mean `opensearch`?
        "#);
    }

    #[test]
    fn an_unknown_wasi_is_answered_with_those_there_are() {
        insta::assert_snapshot!(diagnostics("name='p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\nmodule = 'a.wasm'\nwasi = 'stubs'\n[[stage]]\nname = 'b'\nmodule = 'b.wasm'\nwasi = true"), @r#"
        etc/pipeline.toml:7:8: error: unknown wasi "stubs": it may be "none" or "stub"; did you mean `stub`?
        etc/pipeline.toml:11:8: error: `wasi` must be a string, not a boolean
        "#);
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        insta::assert_snapshot!(diagnostics("name='p'\n[source]\nkind = 'kubernetes'\nfollow = true\n[sink]\nkind = 'file'\npath = 'x'\nhosts = ['http://a']\nmode = 'latest'"), @r#"
        etc/pipeline.toml:4:1: error: `follow` is for kind = "file", and this kind is "kubernetes"
        etc/pipeline.toml:8:1: error: `hosts` is for kind = "opensearch", and this kind is "file"
        etc/pipeline.toml:9:1: error: `mode` is for kind = "opensearch", and this kind is "file"
        "#);
    }

    #[test]
    fn wrong_types_are_refused_all_at_once() {
        insta::assert_snapshot!(diagnostics(
            "name = 1\ncluster = ['x']\nworkers = true\ncache = 3\nbuffer = 'x'\nadmin = []\n[stage]\nname = 'x'\n\
             [[source]]\nkind = 'stdin'\n[sink]\nkind = 'opensearch'\nhosts = 'http://a'\npassword = 12\nusername = {}\n\
             ca = 2024-01-01\nindex = 1.5\nmode = false"
        ), @r#"
        etc/pipeline.toml:1:8: error: `name` must be a string, not an integer
        etc/pipeline.toml:2:11: error: `cluster` must be a string, not an array
        etc/pipeline.toml:3:11: error: `workers` must be "auto" or a number, not a boolean
        etc/pipeline.toml:4:9: error: `cache` must be a path, as a string, not an integer
        etc/pipeline.toml:5:10: error: `buffer` must be one table: [buffer], not a string
        etc/pipeline.toml:6:9: error: `admin` must be one table: [admin], not an array
        etc/pipeline.toml:7:1: error: `stage` must be an array of tables: [[stage]], not a table
        etc/pipeline.toml:9:1: error: `source` must be one table: [source], not an array
        etc/pipeline.toml:13:9: error: `hosts` must be a list of strings, not a string
        etc/pipeline.toml:14:12: error: `password` must be { file = "…" }, { env = "…" } or a string that is not empty, not an integer
        etc/pipeline.toml:15:12: error: `username` must have one of `file` and `env`, and nothing else
        etc/pipeline.toml:16:6: error: `ca` must be a path, as a string, not a date or time
        etc/pipeline.toml:17:9: error: `index` must be a string, not a float
        etc/pipeline.toml:18:8: error: `mode` must be a string, not a boolean
        "#);
        insta::assert_snapshot!(problems_with("stage = [1, { name = 'a', module = 'm', timeout = 50, memory = 1.5, on_error = 1, config = 'x', match = ['Normal'] }]"), @r#"
        etc/pipeline.toml:4:10: error: must be a table: write [[stage]]
        etc/pipeline.toml:4:51: error: `timeout` must be a duration such as "50ms", "15s", "5m" or "1h", not an integer
        etc/pipeline.toml:4:64: error: `memory` must be a size such as "512KiB", "16MiB", "2GiB" or a number of bytes, not a float
        etc/pipeline.toml:4:80: error: `on_error` must be a string, not an integer
        etc/pipeline.toml:4:92: error: `config` must be a table, not a string
        etc/pipeline.toml:4:105: error: `match` must be one table: [stage.match], not an array
        "#);
    }

    #[test]
    fn impossible_values_are_refused_all_at_once() {
        insta::assert_snapshot!(diagnostics(
            "name = 'My Pipeline'\ncluster = ''\nworkers = 0\ncache = ''\n[source]\nkind = 'kubernetes'\nnamespaces = ['a', 'B', 3]\n\
             [[stage]]\nname = 'Drop!'\nmodule = ''\ntimeout = '0s'\nmemory = '16MB'\non_error = 'explode'\nmatch = { type = [] }\n\
             [buffer]\nmemory = 1\n[lease]\nduration = '1 s'\n[admin]\nlisten = 'localhost:80'\n\
             [sink]\nkind = 'opensearch'\nhosts = ['opensearch:9200', 'https://me:hunter2@opensearch']\nindex = 'Events-{dd}'\nmode = 'newest'\ntemplate = 'no'"
        ), @r#"
        etc/pipeline.toml:1:8: error: `name` must be 1 to 63 of a-z, 0-9 and `-`, and neither begin nor end with `-`
        etc/pipeline.toml:2:11: error: `cluster` must be 1 to 256 bytes of text without control characters
        etc/pipeline.toml:3:11: error: `workers` must be from 1 to 256, not 0
        etc/pipeline.toml:4:9: error: `cache` must not be empty
        etc/pipeline.toml:7:20: error: an entry of `namespaces` must be 1 to 63 of a-z, 0-9 and `-`, and neither begin nor end with `-`
        etc/pipeline.toml:7:25: error: an entry of `namespaces` must be a string, not an integer
        etc/pipeline.toml:9:8: error: `name` must be 1 to 63 of a-z, 0-9 and `-`
        etc/pipeline.toml:10:10: error: `module` must not be empty
        etc/pipeline.toml:11:11: error: `timeout` must be from 1ms to 10s, not 0ms
        etc/pipeline.toml:12:10: error: `memory` must be a size such as "512KiB", "16MiB", "2GiB" or a number of bytes
        etc/pipeline.toml:13:12: error: unknown on_error "explode": it may be "keep", "drop" or "dead-letter"
        etc/pipeline.toml:14:18: error: `type` must not be an empty list
        etc/pipeline.toml:16:10: error: `memory` must be from 4MiB to 64GiB, not 1 B
        etc/pipeline.toml:18:12: error: `duration` must be a duration such as "50ms", "15s", "5m" or "1h"
        etc/pipeline.toml:20:10: error: `listen` must be an IP address and a port, such as "0.0.0.0:9464", "127.0.0.1:0" or "[::]:9464"
        etc/pipeline.toml:23:10: error: an entry of `hosts` must begin with http:// or https://; a host looks like "https://opensearch.example:9200"
        etc/pipeline.toml:23:29: error: an entry of `hosts` must not hold credentials: use the keys `username` and `password`
        etc/pipeline.toml:24:9: error: `index` may hold one date placeholder: {yyyy.MM.dd}, {yyyy.MM}, {yyyy}, {yyyy-MM-dd} or {yyyy-MM}
        etc/pipeline.toml:25:8: error: unknown mode "newest": it may be "history" or "latest"
        etc/pipeline.toml:26:12: error: unknown template "no": it may be "install" or "skip"
        "#);
        insta::assert_snapshot!(problems_with("workers = -1\nstage = [{ name = 'a', module = 'm', timeout = '1m', memory = -5 }]\nbuffer.memory = '99999999GiB'"), @r"
        etc/pipeline.toml:4:11: error: `workers` must be a positive number
        etc/pipeline.toml:5:48: error: `timeout` must be from 1ms to 10s, not 1m
        etc/pipeline.toml:5:63: error: `memory` must be a positive number
        etc/pipeline.toml:6:17: error: `memory` must be from 4MiB to 64GiB, not 99999999GiB
        ");
        insta::assert_snapshot!(problems_with("workers = 'many'\nbuffer.memory = '1TiB'"), @r#"
        etc/pipeline.toml:4:11: error: `workers` must be "auto" or a number, not a string
        etc/pipeline.toml:5:17: error: `memory` must be a size such as "512KiB", "16MiB", "2GiB" or a number of bytes
        "#);
    }

    #[test]
    fn namespaces_and_stage_names_are_unique() {
        insta::assert_snapshot!(diagnostics("name='p'\nsource = { kind = 'kubernetes', namespaces = ['a', 'a'] }\nsink.kind = 'stdout'\n[[stage]]\nname='a'\nmodule='m'\n[[stage]]\nname='a'\nmodule='m'"), @r#"
        etc/pipeline.toml:2:46: error: `namespaces` names a namespace twice
        etc/pipeline.toml:8:6: error: the stage name "a" is taken by the stage in line 5
        "#);
    }

    #[test]
    fn a_stage_that_drops_has_a_match_and_no_key_of_a_module() {
        insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\ndrop = true\nmodule = 'm'\ntimeout = '1s'\nmemory = '1MiB'\non_error = 'drop'\nwasi = 'stub'\n[stage.config]\na = 1"), @r"
        etc/pipeline.toml:6:8: error: `drop = true` needs a `match` that is not empty beside it
        etc/pipeline.toml:7:1: error: `module` may not stand beside `drop = true`: leave one of them out
        etc/pipeline.toml:8:1: error: `timeout` may not stand beside `drop = true`: leave one of them out
        etc/pipeline.toml:9:1: error: `memory` may not stand beside `drop = true`: leave one of them out
        etc/pipeline.toml:10:1: error: `on_error` may not stand beside `drop = true`: leave one of them out
        etc/pipeline.toml:11:1: error: `wasi` may not stand beside `drop = true`: leave one of them out
        etc/pipeline.toml:12:8: error: `config` may not stand beside `drop = true`: leave one of them out
        ");
        insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\ndrop = true\nmatch = {}\n[[stage]]\nname = 'b'\ndrop = 'yes'\n[[stage]]\ndrop = true\nmatch = { type = [] }\n[[stage]]\nname = 'c'\ndrop = false\nmatch.type = ['x']"), @r"
        etc/pipeline.toml:6:8: error: `drop = true` needs a `match` that is not empty beside it
        etc/pipeline.toml:8:1: error: missing required key `module` in [[stage]]: The component to load; a stage with `drop = true` has none.
        etc/pipeline.toml:10:8: error: `drop` must be true or false, not a string
        etc/pipeline.toml:11:1: error: missing required key `name` in [[stage]]: Its name, unique in the pipeline: a metric label; neither source nor sink.
        etc/pipeline.toml:13:18: error: `type` must not be an empty list
        etc/pipeline.toml:14:1: error: missing required key `module` in [[stage]]: The component to load; a stage with `drop = true` has none.
        ");
        insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\ndrop = true\nmatch.type = ['x']\n[[stage]]\nname = 'a'\ndrop = true\nmatch.not.type = ['x']"), @r#"etc/pipeline.toml:9:8: error: the stage name "a" is taken by the stage in line 5"#);
    }

    #[test]
    fn exceptions_are_tables_that_are_not_empty_and_have_none_of_their_own() {
        insta::assert_snapshot!(problems_with("stage = [{ name = 'a', drop = true, match = { not = {} } }, { name = 'b', drop = true, match = { not = [] } }, { name = 'c', drop = true, match = { not = [{}, 'x', { typ = ['x'] }] } }]"), @r"
        etc/pipeline.toml:4:53: error: `not` must not be an empty table: it would except every event
        etc/pipeline.toml:4:104: error: `not` must not be an empty list
        etc/pipeline.toml:4:156: error: `not` must not be an empty table: it would except every event
        etc/pipeline.toml:4:160: error: an entry of `not` must be a table, not a string
        etc/pipeline.toml:4:167: error: unknown key `typ` in [stage.match.not]; did you mean `type`?
        ");
        insta::assert_snapshot!(problems_with("stage = [{ name = 'a', drop = true, match = { not = { not = { type = ['x'] } } } }, { name = 'b', drop = true, match = { not = 'x' } }, { name = 'c', drop = true, match = { not = { type = [], reason = 'x' } } }]"), @r"
        etc/pipeline.toml:4:55: error: unknown key `not` in [stage.match.not]; it belongs in [stage.match]
        etc/pipeline.toml:4:128: error: `not` must be a table or a list of tables, not a string
        etc/pipeline.toml:4:189: error: `type` must not be an empty list
        etc/pipeline.toml:4:202: error: `reason` must be a list of strings, not a string
        ");
    }

    #[test]
    fn what_the_api_server_is_asked_for_is_what_it_can_select() {
        let kubernetes = |keys: &str| {
            diagnostics(&format!(
                "name = 'p'\nsink.kind = 'stdout'\n[source]\nkind = 'kubernetes'\n{keys}"
            ))
        };
        insta::assert_snapshot!(kubernetes("namespaces = ['a']\nexclude_namespaces = ['b']"), @"etc/pipeline.toml:6:22: error: `exclude_namespaces` may not stand beside `namespaces`, which leaves out all others");
        insta::assert_snapshot!(kubernetes("exclude_namespaces = ['b', 'kube-*', 'b']"), @r#"etc/pipeline.toml:5:28: error: an entry of `exclude_namespaces` must be the exact name of a namespace: for a pattern, write a [[stage]] with `drop = true` and `match = { namespace = ["kube-*"] }`"#);
        insta::assert_snapshot!(kubernetes("exclude_namespaces = ['b', 'b']"), @"etc/pipeline.toml:5:22: error: `exclude_namespaces` names a namespace twice");
        insta::assert_snapshot!(kubernetes("field_selector = ''"), @"etc/pipeline.toml:5:18: error: `field_selector` must not be empty: leave it out to select every event");
        insta::assert_snapshot!(kubernetes("field_selector = 'type!=Normal, reason!=Pulled'"), @r#"etc/pipeline.toml:5:18: error: `field_selector` names " reason", and the API server selects events by `type`, `reason`, `source`, `reportingComponent`, `metadata.name`, `metadata.namespace`, `involvedObject.kind`, `involvedObject.namespace`, `involvedObject.name`, `involvedObject.uid`, `involvedObject.apiVersion`, `involvedObject.resourceVersion`, `involvedObject.fieldPath` only; write it without spaces"#);
        insta::assert_snapshot!(kubernetes("field_selector = 'message=x'"), @r#"etc/pipeline.toml:5:18: error: `field_selector` names "message", and the API server selects events by `type`, `reason`, `source`, `reportingComponent`, `metadata.name`, `metadata.namespace`, `involvedObject.kind`, `involvedObject.namespace`, `involvedObject.name`, `involvedObject.uid`, `involvedObject.apiVersion`, `involvedObject.resourceVersion`, `involvedObject.fieldPath` only"#);
        insta::assert_snapshot!(kubernetes("field_selector = 'reasn=x'"), @r#"etc/pipeline.toml:5:18: error: `field_selector` names "reasn", and the API server selects events by `type`, `reason`, `source`, `reportingComponent`, `metadata.name`, `metadata.namespace`, `involvedObject.kind`, `involvedObject.namespace`, `involvedObject.name`, `involvedObject.uid`, `involvedObject.apiVersion`, `involvedObject.resourceVersion`, `involvedObject.fieldPath` only; did you mean `reason`?"#);
        insta::assert_snapshot!(kubernetes("field_selector = 'type in (Normal, Warning)'"), @r#"etc/pipeline.toml:5:18: error: `field_selector` must be FIELD=VALUE or FIELD!=VALUE, several with commas between them that must all hold, and "type in (Normal" is not one"#);
        insta::assert_snapshot!(kubernetes("field_selector = 'reason=a=b'"), @r#"etc/pipeline.toml:5:18: error: `field_selector` has the value "a=b": in a value, write `\=`, `\,` and `\\` for `=`, `,` and `\`, and no other backslash"#);
        insta::assert_snapshot!(kubernetes(&format!("field_selector = 'reason!={}'", "x".repeat(4 << 10))), @"etc/pipeline.toml:5:18: error: `exclude_namespaces` and `field_selector` make a selector of 4104 bytes, and it goes into a URL, which may have 4096 of it: drop some of it in a [[stage]] with `drop = true`");
        insta::assert_snapshot!(problems_with("source.field_selector = 'type!=Normal'\nsource.exclude_namespaces = ['a']"), @r#"
        etc/pipeline.toml:4:8: error: `field_selector` is for kind = "kubernetes", and this kind is "stdin"
        etc/pipeline.toml:5:8: error: `exclude_namespaces` is for kind = "kubernetes", and this kind is "stdin"
        "#);
    }

    pub(super) fn with_opensearch(lines: &str) -> String {
        format!("name='p'\n[source]\nkind = 'stdin'\n[sink]\nkind = 'opensearch'\n{lines}")
    }

    #[test]
    fn credentials_come_in_pairs() {
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'")), @"etc/pipeline.toml:7:12: error: `username` needs `password` beside it");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['https://a']\ncertificate = 'c'")), @"etc/pipeline.toml:7:15: error: `certificate` needs `key` beside it");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\ncertificate = 'c'\nkey = 'k'")), @"etc/pipeline.toml:7:15: error: `certificate` is for https, and all `hosts` are http");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['https://a']\nusername = 'u'\npassword = 'p'\nauthorization = 'ApiKey x'")), @"etc/pipeline.toml:9:17: error: `authorization` is instead of `username` and `password`: keep one of the two");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['https://a']\nproxy = 'socks5://u:hunter2@p'")), @"etc/pipeline.toml:7:9: error: `proxy` names no proxy: only http:// and https:// proxies are supported, not socks5://");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['https://a']\ncompression = 'zstd'")), @r#"etc/pipeline.toml:7:15: error: unknown compression "zstd": it may be "gzip" or "none""#);
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\npassword = 'hunter2'")), @"etc/pipeline.toml:7:12: error: `password` needs `username` beside it");
    }

    #[test]
    fn a_signature_stands_alone_and_is_for_its_host() {
        let aws = |lines: &str| diagnostics(&with_opensearch(lines));
        let es = "aws = { region = 'eu-central-1', service = 'es' }";
        insta::assert_snapshot!(aws("hosts=['https://a']\naws = { region = 'eu-central-1' }"), @"etc/pipeline.toml:7:7: error: missing required key `service` in [sink.aws]: What hosts are.");
        insta::assert_snapshot!(aws("hosts=['https://a']\naws = { region = 'Frankfurt', service = 'es' }"), @r#"etc/pipeline.toml:7:18: error: `region` must be a region of AWS, such as "eu-central-1""#);
        insta::assert_snapshot!(aws("hosts=['https://a']\naws = { region = 'eu-central-1', service = 'opensearch' }"), @r#"etc/pipeline.toml:7:44: error: unknown service "opensearch": it may be "es" or "aoss""#);
        insta::assert_snapshot!(aws(&format!("hosts=['https://a']\nusername = 'u'\npassword = 'p'\n{es}")), @"etc/pipeline.toml:7:12: error: `username` may not stand beside `aws`: a request has one Authorization header, and that is the signature");
        insta::assert_snapshot!(aws(&format!("hosts=['https://a']\nauthorization = 'Bearer x'\n{es}")), @"etc/pipeline.toml:7:17: error: `authorization` may not stand beside `aws`: a request has one Authorization header, and that is the signature");
        insta::assert_snapshot!(aws(&format!("hosts=['https://a', 'http://b', 'http://127.0.0.1:1']\n{es}")), @"etc/pipeline.toml:6:7: error: http://b is reached by plain http, and requests are signed for https alone: whoever reads one on its way could send it again");
        insta::assert_snapshot!(aws(&format!("hosts=['https://search-x.eu-west-1.es.amazonaws.com']\n{es}")), @r#"etc/pipeline.toml:6:7: error: by its name https://search-x.eu-west-1.es.amazonaws.com is in the region "eu-west-1", and `aws` says "eu-central-1""#);
        insta::assert_snapshot!(aws(&format!("hosts=['https://y.aos.eu-central-1.on.aws', 'https://x.aoss.eu-central-1.on.aws']\n{es}")), @r#"etc/pipeline.toml:6:7: error: by its name https://x.aoss.eu-central-1.on.aws is a collection of OpenSearch Serverless: set `service = "aoss"` in `aws`"#);
        insta::assert_snapshot!(aws("hosts=['https://a', 'https://b']\naws = { region = 'eu-central-1', service = 'aoss' }"), @"etc/pipeline.toml:6:7: error: a collection of OpenSearch Serverless has one endpoint: name one host");
        insta::assert_snapshot!(aws("hosts=['https://a']\nsetup = 'run'\naws = { region = 'eu-central-1', service = 'aoss' }"), @r#"etc/pipeline.toml:7:9: error: `setup = "run"` installs an ISM policy, and OpenSearch Serverless has none: leave it out, and weir installs the index template alone"#);
        insta::assert_snapshot!(diagnostics(&format!("name='p'\nsource.kind='stdin'\n[sink]\nkind='stdout'\n{es}")), @r#"etc/pipeline.toml:5:1: error: `aws` is for kind = "opensearch", and this kind is "stdout""#);
    }

    #[test]
    fn what_is_signed_for_is_what_the_file_says() {
        let sink = |lines: &str| match parse_toml(&with_opensearch(lines)).unwrap().sink {
            sink::Settings::OpenSearch(sink) => sink.connection,
            _ => panic!("the sink is OpenSearch"),
        };
        let domain = sink(
            "hosts=['https://search-x.eu-west-1.es.amazonaws.com']\naws = { region = 'eu-west-1', service = 'es' }",
        );
        let aws = domain.aws.as_ref().unwrap();
        let service = crate::opensearch::Service::Domain;
        assert_eq!((aws.region.as_str(), aws.service), ("eu-west-1", service));
        assert_eq!(domain.collection(), None);
        let collection = sink(
            "hosts=['https://abc.eu-west-1.aoss.amazonaws.com']\naws = { region = 'eu-west-1', service = 'aoss' }",
        );
        assert_eq!(collection.collection().unwrap(), "abc.eu-west-1.aoss.amazonaws.com");
        assert_eq!(sink("hosts=['https://abc.eu-west-1.aoss.amazonaws.com']").aws, None);
    }

    #[test]
    fn a_secret_says_where_it_is() {
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'\npassword = { fiel = 'hunter2' }")), @"etc/pipeline.toml:8:14: error: unknown key `fiel` in `password`; did you mean `file`?");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'\npassword = { file = 'a', env = 'B' }")), @"etc/pipeline.toml:8:12: error: `password` must have one of `file` and `env`, and nothing else");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'\npassword = { env = '' }")), @"etc/pipeline.toml:8:20: error: `env` must be a string that is not empty");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'\npassword = {}")), @"etc/pipeline.toml:8:12: error: `password` must have one of `file` and `env`, and nothing else");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'\npassword = ''")), @r#"etc/pipeline.toml:8:12: error: `password` must be { file = "…" }, { env = "…" } or a string that is not empty, not an empty string"#);
    }

    #[test]
    fn settings_that_exclude_each_other_are_refused() {
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a', 'http://b']\nca = 'ca.pem'")), @"etc/pipeline.toml:7:6: error: `ca` is for https, and all `hosts` are http");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nmode = 'latest'")), @r#"etc/pipeline.toml:7:8: error: this mode needs an index without a date, because an event can repeat for days: set `index` to a plain name such as "kube-events""#);
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nmode = 'latest'\nindex = 'x-{yyyy}'")), @r#"etc/pipeline.toml:8:9: error: `mode = "latest"` needs an index without a date, because an event can repeat for days: set `index` to a plain name such as "kube-events""#);
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=[]")), @"etc/pipeline.toml:6:7: error: `hosts` must not be an empty list");
    }

    #[test]
    fn a_module_in_a_registry_is_told_that_it_is_not_in_this_version() {
        insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\nmodule = 'oci://example.org/a:1'"), @r#"etc/pipeline.toml:6:10: error: `module = "oci://…"` is not in this version: name a file"#);
    }

    #[test]
    fn a_path_is_one_on_this_machine() {
        insta::assert_snapshot!(problems_with("cache = '~/cache'\ndead_letter.path = \"a\\u0000b\"\n[[stage]]\nname = 'a'\nmodule = 'https://example.org/a.wasm'"), @r"
        etc/pipeline.toml:4:9: error: `cache` must be a full path: `~` is not expanded here
        etc/pipeline.toml:5:20: error: `path` must be a path without control characters
        etc/pipeline.toml:8:10: error: `module` must be a path on this machine, not a URL
        ");
    }

    #[test]
    fn hosts_are_distinct_whatever_their_spelling() {
        for hosts in
            ["'http://a', 'http://a/'", "'https://a', 'HTTPS://A:443'", "'http://a:80', 'http://a'"]
        {
            insta::allow_duplicates! {
                insta::assert_snapshot!(diagnostics(&with_opensearch(&format!("hosts=[{hosts}]"))), @"etc/pipeline.toml:6:7: error: `hosts` names a host twice");
            }
        }
        assert!(
            parse_toml(&with_opensearch(
                "hosts=['http://a', 'https://a', 'http://a:9200', 'http://a/b']"
            ))
            .is_ok()
        );
    }

    #[test]
    fn credentials_that_cannot_be_meant_are_refused_without_showing_them() {
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'me:hunter2'\npassword = '${HUNTER2}'")), @r#"
        etc/pipeline.toml:7:12: error: `username` must be a name without `:` and control characters: basic auth cannot carry them
        etc/pipeline.toml:8:12: error: `password` holds what looks like a variable, which is not expanded here: write { env = "NAME" }, or { file = "PATH" } if the secret itself has such a text
        "#);
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\nusername = 'u'\npassword = { env = '$HUNTER2' }")), @"etc/pipeline.toml:8:20: error: `env` must be a variable's name, without `$`");
    }

    #[test]
    fn a_table_that_is_there_twice_is_one_mistake() {
        insta::assert_snapshot!(problems_with("[buffer]\nmemory = '8MiB'\n[buffer]\nmemory = '9MiB'\n[admin]\nlisten = ':1'\nlisten = ':2'"), @r"
        etc/pipeline.toml:6:2: error: duplicate key `buffer`: it may be there once
        etc/pipeline.toml:10:1: error: duplicate key `listen`: it may be there once
        ");
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        insta::assert_snapshot!(diagnostics("\u{feff}nmae = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\r\nx = 1\r\n"), @r"
        etc/pipeline.toml:1:1: error: missing required key `name` at the top level: Identifies the pipeline: its Lease, its saved position.
        etc/pipeline.toml:1:1: error: unknown key `nmae` at the top level; did you mean `name`?
        etc/pipeline.toml:4:1: error: unknown key `x` at the top level; there are `name`, `cluster`, `workers`, `cache`, `source`, `stage`, `buffer`, `sink`, `dead_letter`, `lease`, `lookup`, `admin`
        ");
    }

    #[test]
    fn a_sink_does_not_write_to_what_the_source_reads() {
        let of = |from: &str, to: &str| {
            parse_toml(&format!(
                "name = 'p'\nsource = {{ kind = 'file', path = '{from}' }}\n[sink]\nkind = 'file'\npath = '{to}'"
            ))
        };
        insta::assert_snapshot!(of("in", "in").unwrap_err(), @"etc/pipeline.toml:5:8: error: the sink would write to the file that the source reads, and read it again without end: give the sink a file of its own");
        for (from, to) in
            [("in", "./in"), ("a/../in", "in"), ("../etc/in", "in"), ("/a/in", "/../a//./in")]
        {
            assert!(of(from, to).is_err(), "{from} {to}");
        }
        for (from, to) in [("in", "out"), ("../in", "in"), ("../../in", "../in")] {
            assert!(of(from, to).is_ok(), "{from} {to}");
        }
    }

    #[test]
    fn what_is_not_toml_is_told_alone_and_all_at_once() {
        insta::assert_snapshot!(diagnostics("name = \nb = 'x\nc = 1\nc = 2\n[source\nkidn = 1\npassword = hunter2"), @r"
        etc/pipeline.toml:1:8: error: string values must be quoted, expected literal string
        etc/pipeline.toml:2:7: error: invalid literal string, expected `'`
        etc/pipeline.toml:4:1: error: duplicate key `c`: it may be there once
        etc/pipeline.toml:5:8: error: unclosed table, expected `]`
        ");
    }

    #[test]
    fn numbers_without_json_are_refused_in_a_modules_settings() {
        insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\nmodule = 'm'\n[stage.config]\na = nan\nb = [99999999999999999999]"), @r"
        etc/pipeline.toml:8:5: error: a number must be finite: JSON has no nan and no inf
        etc/pipeline.toml:9:6: error: an integer must fit in 64 bits
        ");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_diagnostic() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let invalid = load(&folder.path().join(name), &Environment::default()).unwrap_err();
            invalid.diagnostics.to_string().replace(&folder.path().display().to_string(), "DIR")
        };
        std::fs::write(folder.path().join("latin.toml"), b"name = 'p'\ncluster = 'M\xfcnchen'")
            .unwrap();
        std::fs::write(folder.path().join("wide.toml"), b"\xff\xfen\0").unwrap();
        insta::assert_snapshot!(of("wide.toml"), @"DIR/wide.toml:1:1: error: cannot read the configuration: it is UTF-16: save it as UTF-8");
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe.toml"), 0o600.into())
            .unwrap();
        insta::assert_snapshot!(of("pipe.toml"), @"DIR/pipe.toml:1:1: error: cannot read the configuration: it is a pipe or a device, and it must be a file that can be read again");
        insta::assert_snapshot!(of("none.toml"), @"DIR/none.toml:1:1: error: cannot read the configuration: No such file or directory (os error 2); `weir example` prints one to begin with");
        insta::assert_snapshot!(of("latin.toml"), @"DIR/latin.toml:2:13: error: the file is not UTF-8 text from here on");
    }
}

/// The spool, the start and the Lease.
mod durable {
    use super::*;
    use crate::buffer::SpoolSettings;
    use crate::kube::LeaseSettings;
    use crate::lookup;
    use crate::source::{KubernetesSettings, Start};
    use std::time::Duration;

    fn read(lines: &str) -> (Option<Settings>, String) {
        let text = format!("name = 'p'\nsink.kind = 'stdout'\n{lines}");
        let (file, environment) = (Path::new("etc/pipeline.toml"), Environment::default());
        let mut input = input::Input::new(file, &text);
        let root = DeTable::parse(&text).unwrap();
        let (settings, _) = assemble(&mut input, root.get_ref(), &environment);
        let diagnostics = input.into_diagnostics();
        (settings, diagnostics.map(|diagnostics| diagnostics.to_string()).unwrap_or_default())
    }

    const KUBERNETES: &str = "source = { kind = 'kubernetes', start = 'now' }\n";

    #[test]
    fn every_part_gets_what_is_set_for_it() {
        let (settings, diagnostics) = read(&format!(
            "{KUBERNETES}[buffer]\npath = 'spool'\n[lease]\nenabled = true\nnamespace = 'weir'\nduration = '30s'"
        ));
        assert_eq!(diagnostics, "");
        let settings = settings.unwrap();
        let source = KubernetesSettings { start: Start::Now, ..KubernetesSettings::default() };
        assert_eq!(settings.source, source::Settings::Kubernetes(source));
        let spool = SpoolSettings { path: "etc/spool".into(), disk: 2 << 30 };
        assert_eq!(settings.buffer, buffer::Settings { memory: 16 << 20, spool: Some(spool) });
        let lease = LeaseSettings {
            namespace: Some("weir".into()),
            name: "p".into(),
            duration: Duration::from_secs(30),
        };
        assert_eq!(settings.lease, Some(lease));
    }

    #[test]
    fn the_buffer_and_the_dead_letters_have_a_folder_each() {
        let text = format!("{KUBERNETES}buffer.path = 'a'\ndead_letter.path = 'b/../a'");
        insta::assert_snapshot!(read(&text).1, @"etc/pipeline.toml:5:20: error: `path` is `buffer.path`, too: give the dead letters a folder of their own");
    }

    #[test]
    fn what_is_looked_up_is_what_is_listed_and_nothing_without_the_section() {
        assert_eq!(read(KUBERNETES).0.unwrap().lookup, None);
        let lookup =
            read(&format!("{KUBERNETES}lookup.resources = ['pods', 'replicasets.apps']")).0;
        let defaults = lookup::Settings::for_tests(&["pods", "replicasets.apps"]);
        assert_eq!(lookup.unwrap().lookup, Some(defaults));
        let all = "[lookup]\nresources = ['nodes']\nlabels = false\nannotations = ['a/b']\nowners = false\ndedot = true\ntimeout = '500ms'\nmax_per_second = 5";
        let expected = lookup::Settings {
            labels: false,
            annotations: vec!["a/b".into()],
            owners: false,
            dedot: true,
            timeout: Duration::from_millis(500),
            max_per_second: 5,
            ..lookup::Settings::for_tests(&["nodes"])
        };
        assert_eq!(read(&format!("{KUBERNETES}{all}")).0.unwrap().lookup, Some(expected));
    }

    #[test]
    fn what_cannot_be_looked_up_is_refused() {
        let wrong = |lines: &str| read(&format!("{KUBERNETES}{lines}")).1;
        insta::assert_snapshot!(wrong("[lookup]"), @"etc/pipeline.toml:4:1: error: missing required key `resources` in [lookup]: What may be looked up, by RBAC's names, such as pods and replicasets.apps: weir needs the right to get it.");
        insta::assert_snapshot!(wrong("[lookup]\nresources = []"), @"etc/pipeline.toml:5:13: error: `resources` must not be an empty list");
        insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods', 'pods', 'secrets', 'replicasets', '*']"), @r#"
        etc/pipeline.toml:5:30: error: an entry of `resources` must not be "secrets": RBAC has no right to an object's labels alone, so weir would have the right to read every Secret
        etc/pipeline.toml:5:41: error: an entry of `resources` is "replicasets", and RBAC calls that "replicasets.apps": write it so
        etc/pipeline.toml:5:56: error: an entry of `resources` must be a resource as RBAC names it: its plural, and its group behind a dot, such as "pods" or "replicasets.apps"; without patterns and subresources
        "#);
        insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods', 'pods']"), @"etc/pipeline.toml:5:13: error: `resources` names one twice");
        insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\nannotations = ['kubectl.kubernetes.io/last-applied-configuration', 'a*']"), @r#"
        etc/pipeline.toml:6:16: error: an entry of `annotations` must not be "kubectl.kubernetes.io/last-applied-configuration": it holds the whole object, with what its author may want nobody to see
        etc/pipeline.toml:6:68: error: an entry of `annotations` must be the whole name of an annotation, such as "example.com/team", without patterns
        "#);
        insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\nlabels = false\nowners = false"), @"etc/pipeline.toml:6:10: error: nothing is to be had: with `labels = false` and `owners = false`, `annotations` must name some; or leave [lookup] out");
        insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\ntimeout = '1m'\nmax_per_second = 0"), @r#"
        etc/pipeline.toml:6:11: error: `timeout` must be from 50ms to 10s, not 1m
        etc/pipeline.toml:7:18: error: `max_per_second` must be from 1 to 1000, not 0
        "#);
        insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\nmax_per_second = '20'"), @"etc/pipeline.toml:6:18: error: `max_per_second` must be a number, not a string");
        insta::assert_snapshot!(read("source = { kind = 'stdin' }\n[lookup]\nresources = ['pods']").1, @"etc/pipeline.toml:4:1: error: [lookup] is for a kubernetes source: of any other it is not known which cluster's objects its events are about");
    }

    #[test]
    fn a_lease_that_is_not_enabled_is_none_and_one_may_have_a_name() {
        assert_eq!(read(&format!("{KUBERNETES}lease.name = 'l'")).0.unwrap().lease, None);
        let named =
            read(&format!("{KUBERNETES}lease = {{ enabled = true, name = 'l' }}")).0.unwrap();
        assert_eq!(named.lease.unwrap().name, "l");
    }

    #[test]
    fn a_disk_holds_at_least_the_memory_and_needs_a_path() {
        insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer = {{ path = 'x', disk = '64MiB', memory = '65MiB' }}")).1, @"etc/pipeline.toml:4:31: error: `disk`, 64MiB, must be at least `memory`, 65MiB: all that waits in memory must fit");
        insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer = {{ path = 'x', memory = '3GiB' }}")).1, @"etc/pipeline.toml:4:33: error: `disk`, 2GiB, must be at least `memory`, 3GiB: all that waits in memory must fit");
        insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer.disk = '4GiB'")).1, @"etc/pipeline.toml:4:15: error: `disk` needs `path` beside it");
        insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer = {{ path = 'x', disk = '63MiB' }}")).1, @"etc/pipeline.toml:4:31: error: `disk` must be from 64MiB to 65536GiB, not 63MiB");
        assert_eq!(
            read(&format!(
                "{KUBERNETES}buffer = {{ path = 'x', disk = '64MiB', memory = '64MiB' }}"
            ))
            .1,
            ""
        );
    }

    #[test]
    fn a_lease_is_held_for_whole_seconds_by_replicas_that_watch() {
        insta::assert_snapshot!(read(&format!("{KUBERNETES}lease = {{ enabled = true, duration = '5500ms' }}")).1, @"etc/pipeline.toml:4:38: error: `duration` must be whole seconds: a Lease holds no fractions");
        insta::assert_snapshot!(read(&format!("{KUBERNETES}lease = {{ enabled = true, duration = '4s' }}")).1, @"etc/pipeline.toml:4:38: error: `duration` must be from 5s to 5m, not 4s");
        insta::assert_snapshot!(read("source = { kind = 'stdin' }\nlease = { enabled = true }").1, @"etc/pipeline.toml:4:21: error: `enabled = true` is for a kubernetes source: replicas cannot share any other");
    }
}

mod settings {
    use super::diagnostics::with_opensearch;
    use super::*;
    use crate::opensearch::Username;
    use crate::secret::Secret;
    use crate::stages::{Keys, Match, MatchKey, ModuleSettings, OnError, StageSettings, Wasi};
    use std::time::Duration;

    #[test]
    fn a_small_file_has_its_defaults() {
        let settings = parse_toml("name = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\nmodule = 'm.wasm'").unwrap();
        let stage = ModuleSettings {
            name: "a".into(),
            module: "etc/m.wasm".into(),
            matches: Match::default(),
            timeout: Duration::from_millis(50),
            memory: 16 << 20,
            on_error: OnError::Keep,
            wasi: Wasi::None,
            config: "{}".into(),
        };
        let expected = Settings {
            name: "p".into(),
            cluster: None,
            workers: Workers::Auto,
            cache: "/home/me/.cache/weir/modules".into(),
            source: source::Settings::Stdin,
            stages: vec![stage.into()],
            buffer: buffer::Settings::default(),
            sink: sink::Settings::Stdout,
            dead_letter: dead_letter::Settings::None,
            lease: None,
            lookup: None,
            admin: None,
            folder: "etc".into(),
        };
        assert_eq!(settings, expected);
    }

    fn keys(keys: &[(MatchKey, &[&str])]) -> Keys {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        keys.iter().map(|(key, list)| (*key, texts(list))).collect()
    }

    #[test]
    fn what_a_stage_says_is_what_it_gets() {
        let settings = parse_toml("name = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\nmodule = 'm.wasm'\nmatch = { reason = ['x'] }\ntimeout = '1s'\nmemory = 65536\non_error = 'dead-letter'\nwasi = 'stub'\nconfig = { a = 1 }").unwrap();
        let stage = ModuleSettings {
            name: "a".into(),
            module: "etc/m.wasm".into(),
            matches: Match { keys: keys(&[(MatchKey::Reason, &["x"])]), not: Vec::new() },
            timeout: Duration::from_secs(1),
            memory: 64 << 10,
            on_error: OnError::DeadLetter,
            wasi: Wasi::Stub,
            config: r#"{"a":1}"#.into(),
        };
        assert_eq!(settings.stages, [stage.into()]);
    }

    #[test]
    fn a_stage_that_drops_is_what_it_matches_and_what_it_does_not() {
        let settings = parse_toml(&valid("[[stage]]\nname = 'a'\ndrop = true\nmatch = { message = ['*x*'], namespace = ['kube-*', 'b'], not = { name = ['c'], type = ['d'] } }\n[[stage]]\nname = 'b'\ndrop = true\n[[stage.match.not]]\nkind = ['e']\n[[stage.match.not]]\ncomponent = ['f']")).unwrap();
        let matches = Match {
            keys: keys(&[(MatchKey::Message, &["*x*"]), (MatchKey::Namespace, &["kube-*", "b"])]),
            not: vec![keys(&[(MatchKey::Type, &["d"]), (MatchKey::Name, &["c"])])],
        };
        let others = Match {
            keys: Keys::default(),
            not: vec![keys(&[(MatchKey::Kind, &["e"])]), keys(&[(MatchKey::Component, &["f"])])],
        };
        let drop = |name: &str, matches| StageSettings::Drop { name: name.into(), matches };
        assert_eq!(settings.stages, [drop("a", matches), drop("b", others)]);
    }

    #[test]
    fn what_is_asked_for_is_one_selector_and_the_saved_position_does_not_name_it() {
        let of = |keys: &str| {
            let text =
                format!("name = 'p'\nsink.kind = 'stdout'\n[source]\nkind = 'kubernetes'\n{keys}");
            parse_toml(&text).unwrap().source
        };
        let selector = |source: &source::Settings| match source {
            source::Settings::Kubernetes(kubernetes) => kubernetes.selector(),
            other => panic!("{other:?}"),
        };
        let both = of("exclude_namespaces = ['a', 'b']\nfield_selector = 'type!=Normal,reason!=x'");
        let joined = "metadata.namespace!=a,metadata.namespace!=b,type!=Normal,reason!=x";
        assert_eq!(selector(&both).as_deref(), Some(joined));
        let one =
            of("namespaces = ['a']\nexclude_namespaces = []\nfield_selector = 'type!=Normal'");
        assert_eq!(selector(&one).as_deref(), Some("type!=Normal"));
        assert_eq!(
            selector(&of("namespaces = []\nexclude_namespaces = ['a']")).as_deref(),
            Some("metadata.namespace!=a")
        );
        assert_eq!(selector(&of("")), None);
        assert_eq!(both.identity(), of("").identity());
    }

    #[test]
    fn every_key_of_match_is_declared_and_no_other() {
        let all: String = MatchKey::ALL.map(|key| format!("{} = ['x'], ", key.word())).concat();
        let stage = "stage = [{ name = 'a', drop = true, match";
        let settings = parse_toml(&valid(&format!("{stage} = {{ {all} not = {{ {all} }} }} }}]")));
        let every: Keys =
            MatchKey::ALL.map(|key| (key, vec!["x".to_owned()])).into_iter().collect();
        let matches = Match { keys: every.clone(), not: vec![every] };
        assert_eq!(settings.unwrap().stages, [StageSettings::Drop { name: "a".into(), matches }]);
        insta::assert_snapshot!(problems_with(&format!("{stage} = {{ uid = ['x'] }} }}]")), @"etc/pipeline.toml:4:47: error: unknown key `uid` in [stage.match]; there are `type`, `reason`, `message`, `namespace`, `kind`, `name`, `component`, `not`");
    }

    #[test]
    fn only_a_kubernetes_source_listens_unasked() {
        let of = |kind: &str, lines: &str| {
            parse_toml(&format!(
                "name = 'p'\nsource.kind = '{kind}'\nsink.kind = 'stdout'\n{lines}"
            ))
            .unwrap()
            .admin
        };
        assert_eq!(of("kubernetes", ""), "0.0.0.0:9464".parse().ok());
        assert_eq!(of("kubernetes", "[admin]"), "0.0.0.0:9464".parse().ok());
        assert_eq!(of("stdin", "[admin]"), None);
        assert_eq!(of("stdin", "admin.listen = '127.0.0.1:0'"), "127.0.0.1:0".parse().ok());
    }

    #[test]
    fn a_secret_is_never_shown() {
        for password in ["'hunter2'", "{ env = 'hunter2' }", "{ file = 'hunter2' }"] {
            let settings = parse_toml(&format!(
                "name = 'p'\nsource.kind = 'stdin'\n[sink]\nkind = 'opensearch'\nhosts = ['https://a']\nusername = 'u'\npassword = {password}"
            ));
            let shown = format!("{settings:?}");
            assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_users_name_may_stand_beside_the_password() {
        let of = |username: &str| {
            let settings = parse_toml(&format!(
                "name = 'p'\nsource.kind = 'stdin'\n[sink]\nkind = 'opensearch'\nhosts = ['https://a']\nusername = {username}\npassword = 'p'"
            ));
            match settings.unwrap().sink {
                sink::Settings::OpenSearch(sink) => sink.connection.username.unwrap(),
                _ => panic!("the sink is OpenSearch"),
            }
        };
        assert_eq!(of("'u'"), Username::Is("u".into()));
        let file = Username::From(Secret::File("etc/username".into()));
        assert_eq!(of("{ file = 'username' }"), file);
        assert_eq!(file.to_string(), "of etc/username");
        assert_eq!(of("{ env = 'U' }"), Username::From(Secret::Env("U".into())));
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\npassword = 'p'\nusername = { fiel = 'u' }")), @"etc/pipeline.toml:8:14: error: unknown key `fiel` in `username`; did you mean `file`?");
        insta::assert_snapshot!(diagnostics(&with_opensearch("hosts=['http://a']\npassword = 'p'\nusername = 7")), @r#"etc/pipeline.toml:8:12: error: `username` must be a string, { file = "…" } or { env = "…" }, not an integer"#);
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let settings = parse_toml(
            "name = 'p'\ncache = 'cache'\nsource = { kind = 'file', path = '../in' }\ndead_letter.path = 'dead'\n\
             [sink]\nkind = 'opensearch'\nhosts = ['https://a']\nca = 'ca.pem'\nusername = 'u'\npassword = { file = '/abs' }",
        )
        .unwrap();
        assert_eq!(settings.cache, Path::new("etc/cache"));
        assert_eq!(
            settings.source,
            source::Settings::File { path: "etc/../in".into(), follow: false }
        );
        assert_eq!(settings.dead_letter, dead_letter::Settings::Disk { path: "etc/dead".into() });
        let sink::Settings::OpenSearch(sink) = settings.sink else {
            panic!("the sink is OpenSearch")
        };
        assert_eq!(sink.connection.ca, Some("etc/ca.pem".into()));
        assert_eq!(sink.connection.password, Some(Secret::File("/abs".into())));
    }

    #[test]
    fn auto_is_at_least_one_worker_and_at_most_four() {
        assert!((1..=4).contains(&Workers::Auto.count()));
        assert_eq!(Workers::Count(9).count(), 9);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(lines in proptest::collection::vec(
            "(name|source|sink|kind|path|\\[\\[stage\\]\\]|\\[source\\]|\\[sink\\]|match|x)( = ('p'|'file'|'stdin'|'opensearch'|\\{\\}|\\[\\]|1|\\{ kind = 'file' \\}))?", 0..12)) {
            let _ = parse_toml(&lines.join("\n"));
        }
    }
}

mod example {
    use super::*;
    use crate::config::table::{Key, Presence, Table, Type};
    use std::collections::BTreeSet;

    const DEMO: &str = include_str!("../../config/demo.toml");

    /// `text` with every commented default uncommented.
    fn with_defaults(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(|l| line(l) + "\n").collect()
    }

    /// Each `# [section]` block: the header and its lines, uncommented.
    fn alternatives() -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut lines = EXAMPLE.lines();
        while let Some(line) = lines.next() {
            if let Some(header) = line.strip_prefix("# ").filter(|text| text.starts_with('[')) {
                let body = lines
                    .by_ref()
                    .map_while(|line| line.strip_prefix("# ").or((line == "#").then_some("")));
                found.push((header.to_owned(), body.map(|line| line.to_owned() + "\n").collect()));
            }
        }
        found
    }

    /// The example with one section replaced; without `[lookup]` where it is the source that the
    /// lookups would be for.
    fn with_section(header: &str, body: &str) -> String {
        let (before, after) = around(EXAMPLE, header);
        let replaced = format!("{before}\n{header}\n{body}\n[{after}");
        if header != "[source]" {
            return replaced;
        }
        let (before, after) = around(&replaced, "[lookup]");
        format!("{before}\n[{after}")
    }

    /// What stands before a section, and what is behind it.
    fn around<'t>(text: &'t str, header: &str) -> (&'t str, &'t str) {
        let (before, rest) = text.split_once(&format!("\n{header}\n")).unwrap();
        (before, rest.split_once("\n[").unwrap().1)
    }

    #[test]
    fn its_commented_defaults_are_the_defaults() {
        let uncommented = with_defaults(EXAMPLE);
        assert_ne!(uncommented, EXAMPLE);
        assert_eq!(parse_toml(&uncommented), parse_toml(EXAMPLE));
        parse_toml(EXAMPLE).unwrap();
    }

    #[test]
    fn its_other_kinds_are_valid_and_their_commented_defaults_are_the_defaults() {
        let alternatives = alternatives();
        let headers: Vec<&str> = alternatives.iter().map(|(header, _)| header.as_str()).collect();
        assert_eq!(headers, ["[source]", "[source]", "[sink]", "[sink]", "[dead_letter]"]);
        for (header, body) in &alternatives {
            let plain = parse_toml(&with_section(header, body)).unwrap();
            assert_eq!(plain, parse_toml(&with_section(header, &with_defaults(body))).unwrap());
        }
    }

    #[test]
    fn every_key_with_a_default_shows_it_and_every_other_key_appears() {
        let mut missing = BTreeSet::new();
        let lines: Vec<&str> = EXAMPLE.lines().collect();
        each_key(&keys::ROOT, &mut |key| {
            let shown = |prefix: &str, value: &str| {
                let start = format!("{prefix}{} = {value}", key.name);
                lines.iter().any(|line| line.starts_with(&start))
            };
            let is_there = match (&key.presence, &key.kind) {
                (_, Type::Section(_) | Type::Sections(_) | Type::Free) => {
                    EXAMPLE.contains(&format!(".{}]", key.name))
                        || EXAMPLE.contains(&format!("[{}]", key.name))
                        || shown("", "")
                        || shown("# ", "{")
                }
                (Presence::Default(value), _) => shown("#", value) || shown("# #", value),
                _ => {
                    shown("", "") || shown("# ", "") || EXAMPLE.contains(&format!("`{}`", key.name))
                }
            };
            if !is_there {
                missing.insert(key.name);
            }
        });
        assert_eq!(missing, BTreeSet::new());
    }

    fn each_key(table: &Table, visit: &mut dyn FnMut(&Key)) {
        for key in table.keys {
            visit(key);
            if let Type::Section(inner) | Type::Sections(inner) = &key.kind {
                each_key(inner, visit);
            }
        }
    }

    #[test]
    fn the_demo_is_valid() {
        let settings = parse_toml(DEMO).unwrap();
        let names: Vec<&str> = settings.stages.iter().map(|stage| stage.name()).collect();
        assert_eq!(names, ["drop-normal", "tag-gpu-failures"]);
    }
}
