//! Whole configurations, as people have them.

use super::*;

/// What comes out, and the notes; weir takes what comes out.
fn migrated(yaml: &str) -> (String, String) {
    let config = parse(yaml).unwrap();
    let (toml, notes) = migrate(&config);
    assert_eq!(written::refusal(&toml), None, "{toml}");
    (toml, notes.lines("config.yaml").join("\n"))
}

#[test]
fn what_a_tutorial_shows_becomes_a_pipeline() {
    let (toml, notes) = migrated(
        r#"
logLevel: error
logFormat: json
clusterName: prod
maxEventAgeSeconds: 10
kubeQPS: 60
route:
  routes:
    - match:
        - receiver: "dump"
      drop:
        - namespace: "*test*"
        - type: "Normal"
          reason: "Pulled|Created"
receivers:
  - name: "dump"
    opensearch:
      hosts:
        - https://search.example:9200
      username: admin
      password: ${OPENSEARCH_PASSWORD}
      indexFormat: "kube-events-{2006-01-02}"
      useEventId: true
      deDot: true
      tls:
        insecureSkipVerify: true
"#,
    );
    insta::assert_snapshot!(toml, @r#"
    # Made by `weir migrate kee`, whose notes say what could not be mapped.
    name = "events"
    cluster = "prod"

    [source]
    kind = "kubernetes"

    [[stage]]
    name = "route-1"
    drop = true
    match = { reason = ["*Pulled*", "*Created*"], type = ["*Normal*"] }

    [sink]
    kind = "opensearch"
    hosts = ["https://search.example:9200"]
    username = "admin"
    password = { env = "OPENSEARCH_PASSWORD" }
    index = "kube-events-{yyyy-MM-dd}"
    last_timestamp = "filled"

    [dead_letter]
    kind = "index"

    [lookup]
    resources = ["pods", "replicasets.apps"]
    dedot = true
    max_per_second = 60
    "#);
    insta::assert_snapshot!(notes, @r#"
    config.yaml: ignored by the exporter: receivers[0].opensearch.useEventId: it has no such key; `useEventID` was probably meant
    config.yaml: ignored by the exporter: route.routes[0].drop[0].namespace: "*test*" is no regular expression, so this rule never matched anything; it is left out
    config.yaml: not mapped: receivers[0].opensearch.tls.insecureSkipVerify: weir always verifies: name the authority's certificate in `ca`
    config.yaml: note: omitLookup: the exporter looks up whatever an event is about, with all annotations; weir what [lookup] lists: `resources` that it may get, and `annotations` by their names
    config.yaml: note: deDot: the names of an event's own labels and annotations keep their dots, which weir's index template allows
    config.yaml: not mapped: maxEventAgeSeconds: weir keeps every event that the cluster still holds, however old it is; `start = "now"` in [source] leaves out what was there before
    config.yaml: note: logLevel: set the environment variable WEIR_LOG=error
    config.yaml: note: logFormat: the option --log-format of weir run; json is for no terminal
    "#);
}

#[test]
fn several_receivers_become_one_sink_and_the_rest_is_told() {
    let (toml, notes) = migrated(
        r##"
omitLookup: true
namespace: shop
leaderElection: { enabled: true, leaderElectionID: exporter }
route:
  drop: [{ kind: "^Lease$" }]
  routes:
    - match: [{ receiver: slack, labels: { team: shop } }]
    - match:
        - { receiver: store, type: Warning }
        - { receiver: stor, kind: Pod }
receivers:
  - name: slack
    slack: { token: x, channel: "#events" }
  - name: file
    file: { path: /var/log/events, maxsize: 10 }
  - name: store
    elasticsearch:
      hosts: ["http://localhost:9200"]
      apiKey: secret
      index: events
      useEventID: true
      layout: { message: "{{ .Message }}" }
      type: kube-event
  - name: nothing
"##,
    );
    insta::assert_snapshot!(toml, @r#"
    # Made by `weir migrate kee`, whose notes say what could not be mapped.
    name = "events"

    [source]
    kind = "kubernetes"
    namespaces = ["shop"]

    [[stage]]
    name = "route-1"
    drop = true
    match = { kind = ["Lease"] }

    [[stage]]
    name = "route-2"
    drop = true
    match = { not = { type = ["*Warning*"] } }

    [sink]
    kind = "opensearch"
    hosts = ["http://localhost:9200"]
    authorization = "ApiKey secret"
    index = "events"
    mode = "latest"
    last_timestamp = "filled"

    [dead_letter]
    kind = "index"

    [lease]
    enabled = true
    name = "exporter"
    "#);
    insta::assert_snapshot!(notes, @r#"
    config.yaml: not mapped: receivers[0]: weir has no sink slack, for "slack"
    config.yaml: not mapped: receivers[1]: weir has one sink: run another one for "file" (file)
    config.yaml: ignored by the exporter: receivers[3]: "nothing" is no receiver of any kind
    config.yaml: ignored by the exporter: route.routes[1].match[1].receiver: there is no receiver "stor"
    config.yaml: not mapped: receivers[2].elasticsearch.layout: weir stores the whole event; a module can rearrange it
    config.yaml: note: receivers[2].elasticsearch: weir writes to OpenSearch; Elasticsearch is not tested
    config.yaml: note: receivers[2].elasticsearch.type: weir writes no type of document: OpenSearch has none since 2.0
    config.yaml: note: leaderElection.leaderElectionID: weir leaves a Lease alone that the exporter holds: stop that one first, and delete its Lease, or take another name
    "#);
}

#[test]
fn without_a_receiver_that_weir_has_documents_go_to_stdout() {
    let (toml, notes) = migrated("route: {}\nreceivers: [{ name: a, webhook: { endpoint: x } }]");
    assert!(toml.contains("kind = \"stdout\""), "{toml}");
    assert!(notes.contains("not mapped: receivers[0]: weir has no sink webhook"), "{notes}");
    let (toml, notes) =
        migrated("receivers: [{ name: a, opensearch: { hosts: ['${HOST}'], index: 'A*' } }]");
    assert!(toml.contains(r#"hosts = ["https://opensearch.example:9200"]"#), "{toml}");
    assert!(notes.contains("not mapped: receivers[0].opensearch.hosts"), "{notes}");
    assert!(notes.contains("not mapped: receivers[0].opensearch.index"), "{notes}");
}

#[test]
fn numbers_are_texts_where_the_exporter_takes_them_for_such() {
    let (toml, notes) = migrated(
        "clusterName: 42\nreceivers: [{ name: 1, opensearch: { index: 2024, username: a, \
         password: 12345678 } }]\nroute: { match: [{ receiver: 1, reason: 7 }] }",
    );
    for line in
        ["cluster = \"42\"", "index = \"2024\"", "password = \"12345678\"", "reason = [\"*7*\"]"]
    {
        assert!(toml.contains(line), "{line}: {toml}\n{notes}");
    }
}

#[test]
fn the_receiver_that_gets_events_is_chosen_before_one_that_gets_none() {
    let receivers = "receivers: [{ name: a, opensearch: { index: a } }, { name: b, opensearch: { \
                     index: b } }, { name: c, stdout: {} }, { name: f, stdout: {}, opensearch: { \
                     index: f } }]";
    let chosen = |receiver: &str| {
        migrated(&format!("{receivers}\nroute: {{ match: [{{ receiver: {receiver} }}] }}"))
    };
    assert!(chosen("a").0.contains("index = \"a\""));
    assert!(chosen("b").0.contains("index = \"b\""));
    assert!(chosen("c").0.contains("kind = \"stdout\""));
    let (toml, notes) = chosen("nobody");
    assert!(toml.contains("index = \"a\""), "{toml}");
    assert!(notes.contains("it got no event; here it gets all"), "{notes}");
    let (toml, notes) = chosen("f");
    assert!(toml.contains("kind = \"stdout\""), "as the exporter has it: {toml}");
    let ignored = "ignored by the exporter: receivers[3].opensearch: a receiver has one kind";
    assert!(notes.contains(ignored), "{notes}");
}

#[test]
fn what_is_not_mapped_is_counted_for_strict() {
    let unmapped = |yaml: &str| migrate(&parse(yaml).unwrap()).1.unmapped();
    let of_rule = |rule: &str| {
        let receivers = "receivers: [{ name: os, opensearch: { index: a } }]";
        unmapped(&format!("route: {{ drop: [{rule}], match: [{{ receiver: os }}] }}\n{receivers}"))
    };
    assert_eq!(of_rule("{ type: Normal, namespace: '*test*' }"), 0, "the exporter ignored that");
    for rule in [
        "{ namespace: '^${TEAM}$' }",
        "{ type: Normal, minCount: 1 }",
        "{ component: scheduler }",
        "{ message: '^a.*b$' }",
        "{ message: 'a {b}' }",
        "{ host: node-1 }",
        "{ labels: { a: b } }",
    ] {
        assert_eq!(of_rule(rule), 1, "{rule}");
    }
    let receiver = |settings: &str| {
        let route = "route: { match: [{ receiver: a }] }";
        unmapped(&format!("{route}\nreceivers: [{{ name: a, opensearch: {{ {settings} }} }}]"))
    };
    assert_eq!(receiver("index: a, type: event"), 0);
    for settings in [
        "index: a, headers: { a: b }",
        "index: 'a-{Jan}'",
        "index: a, layout: { a: b }",
        "index: a, username: a, password: 'b$C'",
        "index: a, tls: { insecureSkipVerify: true }",
    ] {
        assert!(receiver(settings) > 0, "{settings}");
    }
}

#[test]
fn what_is_no_configuration_of_the_exporter_is_an_error() {
    assert!(parse("a: [").unwrap_err().starts_with("it is not YAML"));
    assert!(parse("apiVersion: v1\nkind: ConfigMap\ndata: {}").unwrap_err().contains("ConfigMap"));
    assert!(parse("name = 'x'").unwrap_err().contains("neither"));
    assert!(parse("").unwrap_err().contains("neither"));
}

proptest::proptest! {
    #[test]
    fn whatever_stands_in_it_what_comes_out_is_a_configuration(
        texts in proptest::collection::vec(
            r#"(\$\{A\}|\$A|"|'|[a-z*.?^|\\-]|\{2006\}|\n|é| ){0,8}"#, 9),
    ) {
        let quoted: Vec<String> =
            texts.iter().map(|text| serde_json::Value::from(text.as_str()).to_string()).collect();
        let yaml = format!(
            "clusterName: {}\nnamespace: {}\nleaderElection: {{enabled: true, leaderElectionID: {}}}\nroute: {{drop: [{{kind: {}}}], match: [{{receiver: a, reason: {}}}]}}\nreceivers: [{{name: a, opensearch: {{hosts: [{}], username: {}, password: {}, indexFormat: {}}}}}]",
            quoted[0], quoted[1], quoted[2], quoted[3], quoted[4], quoted[5], quoted[6], quoted[7], quoted[8]
        );
        migrated(&yaml);
    }
}
