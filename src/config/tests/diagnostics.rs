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
    etc/pipeline.toml:6:1: error: missing required key `module` in [[stage]]: The component to load: a file, or oci://REGISTRY/NAME:TAG@sha256:… in a registry; a stage with `drop = true` has none.
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
    etc/pipeline.toml:8:1: error: missing required key `module` in [[stage]]: The component to load: a file, or oci://REGISTRY/NAME:TAG@sha256:… in a registry; a stage with `drop = true` has none.
    etc/pipeline.toml:10:8: error: `drop` must be true or false, not a string
    etc/pipeline.toml:11:1: error: missing required key `name` in [[stage]]: Its name, unique in the pipeline: a metric label; neither source nor sink.
    etc/pipeline.toml:13:18: error: `type` must not be an empty list
    etc/pipeline.toml:14:1: error: missing required key `module` in [[stage]]: The component to load: a file, or oci://REGISTRY/NAME:TAG@sha256:… in a registry; a stage with `drop = true` has none.
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
fn a_module_in_a_registry_is_named_by_its_digest_unless_tags_are_allowed() {
    insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\nmodule = 'oci://example.org/a:1'"), @"etc/pipeline.toml:6:10: error: `module` names oci://example.org/a:1 by a tag alone, and whoever can move the tag decides what runs: add the digest that `weir filter inspect oci://example.org/a:1` prints, or set `allow_tags = true` in [registry]");
    insta::assert_snapshot!(problems_with("[[stage]]\nname = 'a'\nmodule = 'oci://noise:1'\n[registry]\nallow_tags = true"), @"etc/pipeline.toml:6:10: error: `module` must name its registry first: a host with a dot or a port in it, such as oci://registry.example/filters/noise:1, or localhost");
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let by_digest = format!("[[stage]]\nname = 'a'\nmodule = 'oci://example.org/a:1@{digest}'");
    let by_tag =
        "[[stage]]\nname = 'a'\nmodule = 'oci://example.org/a:1'\n[registry]\nallow_tags = true";
    for text in [&by_digest[..], by_tag] {
        assert!(parse_toml(&valid(text)).is_ok(), "{text}");
    }
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
    etc/pipeline.toml:4:1: error: unknown key `x` at the top level; there are `name`, `cluster`, `workers`, `cache`, `reload`, `source`, `stage`, `registry`, `buffer`, `sink`, `dead_letter`, `lease`, `lookup`, `admin`
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
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe.toml"), 0o600.into()).unwrap();
    insta::assert_snapshot!(of("pipe.toml"), @"DIR/pipe.toml:1:1: error: cannot read the configuration: it is a pipe or a device, and it must be a file that can be read again");
    insta::assert_snapshot!(of("none.toml"), @"DIR/none.toml:1:1: error: cannot read the configuration: No such file or directory (os error 2); `weir example` prints one to begin with");
    insta::assert_snapshot!(of("latin.toml"), @"DIR/latin.toml:2:13: error: the file is not UTF-8 text from here on");
}
