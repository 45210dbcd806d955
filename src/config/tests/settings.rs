use super::diagnostics::with_opensearch;
use super::*;
use crate::opensearch::Username;
use crate::secret::Secret;
use crate::stages::{
    Keys, Match, MatchKey, ModuleSettings, OnError, ShadowSettings, StageSettings, Wasi,
};
use std::time::Duration;

#[test]
fn a_small_file_has_its_defaults() {
    let settings = parse_toml("name = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\nmodule = 'm.wasm'").unwrap();
    let stage = ModuleSettings {
        name: "a".into(),
        module: std::path::PathBuf::from("etc/m.wasm").into(),
        matches: Match::default(),
        timeout: Duration::from_millis(50),
        memory: 16 << 20,
        on_error: OnError::Keep,
        wasi: Wasi::None,
        config: "{}".into(),
        shadow: None,
    };
    let expected = Settings {
        name: "p".into(),
        cluster: None,
        workers: Workers::Auto,
        reload: ReloadOn::Change,
        cache: "/home/me/.cache/weir/modules".into(),
        source: source::Settings::Stdin,
        stages: vec![stage.into()],
        registry: Default::default(),
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
    let settings = parse_toml("name = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\nmodule = 'm.wasm'\nmatch = { reason = ['x'] }\ntimeout = '1s'\nmemory = 65536\non_error = 'dead-letter'\nwasi = 'stub'\nconfig = { a = 1 }\nshadow = { module = 'n.wasm', config = { b = 2 } }").unwrap();
    let stage = ModuleSettings {
        name: "a".into(),
        module: std::path::PathBuf::from("etc/m.wasm").into(),
        matches: Match { keys: keys(&[(MatchKey::Reason, &["x"])]), not: Vec::new() },
        timeout: Duration::from_secs(1),
        memory: 64 << 10,
        on_error: OnError::DeadLetter,
        wasi: Wasi::Stub,
        config: r#"{"a":1}"#.into(),
        shadow: Some(Box::new(ShadowSettings {
            module: std::path::PathBuf::from("etc/n.wasm").into(),
            config: r#"{"b":2}"#.into(),
        })),
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
    let one = of("namespaces = ['a']\nexclude_namespaces = []\nfield_selector = 'type!=Normal'");
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
    let every: Keys = MatchKey::ALL.map(|key| (key, vec!["x".to_owned()])).into_iter().collect();
    let matches = Match { keys: every.clone(), not: vec![every] };
    assert_eq!(settings.unwrap().stages, [StageSettings::Drop { name: "a".into(), matches }]);
    insta::assert_snapshot!(problems_with(&format!("{stage} = {{ uid = ['x'] }} }}]")), @"etc/pipeline.toml:4:47: error: unknown key `uid` in [stage.match]; there are `type`, `reason`, `message`, `namespace`, `kind`, `name`, `component`, `not`");
}

#[test]
fn only_a_kubernetes_source_listens_unasked() {
    let of = |kind: &str, lines: &str| {
        parse_toml(&format!("name = 'p'\nsource.kind = '{kind}'\nsink.kind = 'stdout'\n{lines}"))
            .unwrap()
            .admin
            .map(|admin| admin.listen)
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
    assert_eq!(settings.source, source::Settings::File { path: "etc/../in".into(), follow: false });
    assert_eq!(settings.dead_letter, dead_letter::Settings::Disk { path: "etc/dead".into() });
    let sink::Settings::OpenSearch(sink) = settings.sink else { panic!("the sink is OpenSearch") };
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
