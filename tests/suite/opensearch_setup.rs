//! `weir opensearch setup` against a real node, with Index State Management before it
//! (`support/ism.rs`).

use serde_json::{Value, json};

use crate::support::{Ended, Folder, Ism, Search, variable};

/// A test's own index, ISM and configuration.
struct Bench {
    search: Search,
    ism: Ism,
    folder: Folder,
}

impl Bench {
    /// A data stream, unless `date` makes it indices with a date.
    fn new(date: &str) -> Bench {
        Bench::with(date, "")
    }

    fn with(date: &str, more: &str) -> Bench {
        let search = Search::shared();
        let ism = Ism::before(&search);
        let folder = Folder::new();
        let config = format!(
            "name = \"setup\"\n[source]\nkind = \"file\"\npath = \"in\"\n\
             [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = \"{}{date}\"\n{more}\n\
             [dead_letter]\npath = \"dead\"\n",
            ism.url, search.index
        );
        folder.write("p.toml", config);
        Bench { search, ism, folder }
    }

    fn setup(&self, more: &[&str]) -> Ended {
        let setup = ["opensearch", "setup", "--config", "p.toml"];
        let Ended { code, stdout, stderr } = self.folder.weir(&[&setup, more].concat());
        // Names and hosts that are not the same in each run.
        let plain =
            |text: String| text.replace(&self.search.index, "NAME").replace(&self.ism.url, "HOST");
        Ended { code, stdout: plain(stdout), stderr: plain(stderr) }
    }

    /// The policy's and the template's name.
    fn name(&self) -> String {
        format!("weir-{}", self.search.index)
    }

    async fn template(&self) -> Value {
        let path = format!("_index_template/{}", self.name());
        let (_, answer) = self.search.ask(reqwest::Method::GET, &path, None).await;
        answer["index_templates"][0]["index_template"].clone()
    }

    /// The indices of the stream.
    async fn indices(&self) -> Vec<String> {
        let path = format!("_data_stream/{}", self.search.index);
        let (_, answer) = self.search.ask(reqwest::Method::GET, &path, None).await;
        let indices = answer["data_streams"][0]["indices"].as_array().cloned().unwrap_or_default();
        indices.iter().map(|index| index["index_name"].as_str().unwrap().to_owned()).collect()
    }

    /// Events into the pipeline, which is run to its end.
    fn run(&self, uids: &[&str]) -> Ended {
        let event = |uid: &&str| {
            format!(
                "{{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"a\",\"namespace\":\"shop\",\"uid\":\"{uid}\",\"resourceVersion\":\"1\",\"creationTimestamp\":\"2026-03-01T10:00:00Z\"}},\"involvedObject\":{{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"p\"}},\"reason\":\"BackOff\",\"type\":\"Warning\",\"lastTimestamp\":\"2026-03-01T10:00:00Z\"}}\n"
            )
        };
        self.folder.write("in", uids.iter().map(event).collect::<String>());
        self.folder.weir(&["run", "--config", "p.toml"])
    }
}

#[tokio::test]
async fn a_stream_is_set_up_in_the_right_order_and_everything_a_rollover_makes_is_managed() {
    let bench = Bench::new("");
    let dry = bench.setup(&["--dry-run"]);
    insta::assert_snapshot!(dry.stdout, @r"
    policy    weir-NAME: missing: documents are kept for at least 30d: the stream is rolled over every 3d or at 30gb, and an index is deleted 30d after that
    template  weir-NAME: missing: it maps weir's documents
    stream    NAME: missing: what weir writes goes there
    ");
    insta::assert_snapshot!(dry.stderr, @"error: OpenSearch is not as it should be (see above): without --dry-run it is set up; what somebody edited stays, unless --force is given");
    assert_eq!(dry.code, Some(1));
    assert_eq!(bench.ism.writes(), Vec::<String>::new());

    let done = bench.setup(&[]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let edition = bench.ism.edition(&bench.name());
    let stdout = done.stdout.replace(&format!("revision {edition}"), "revision N");
    insta::assert_snapshot!(stdout, @r"
    policy    weir-NAME: installed: documents are kept for at least 30d: the stream is rolled over every 3d or at 30gb, and an index is deleted 30d after that
    template  weir-NAME: installed: it maps weir's documents
    stream    NAME: installed: what weir writes goes there
    managed   .ds-NAME-000001: the policy manages it, at revision N from ISM's first look at it on (within minutes)
    ");
    let index = &bench.search.index;
    let expected = [
        format!("PUT /_plugins/_ism/policies/weir-{index}"),
        format!("PUT /_index_template/weir-{index}"),
        format!("PUT /_data_stream/{index}"),
    ];
    assert_eq!(bench.ism.writes(), expected);

    // What a rollover makes is managed without weir's doing anything.
    assert_eq!(bench.run(&["a", "b"]).code, Some(0));
    bench.search.roll_over().await;
    bench.ism.look();
    let again = bench.setup(&["--dry-run"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "{}", again.stdout);
    assert!(
        again.stdout.contains(".ds-NAME-000002: the policy manages it, at revision "),
        "{}",
        again.stdout
    );
    assert_eq!(bench.ism.managed(&bench.indices().await[1]).unwrap().0, bench.name());
    // And nothing is stored twice across it: these are sent again.
    let ended = bench.run(&["a", "b", "c"]);
    assert!(ended.last().contains("delivered=3"), "{}", ended.stderr);
    assert_eq!(bench.search.documents().await.len(), 3);
    assert_eq!(bench.setup(&[]).code, Some(0));
    assert_eq!(bench.ism.writes(), Vec::<String>::new(), "it was set up already");
}

#[tokio::test]
async fn what_a_person_edited_stays_unless_force_is_given() {
    let bench = Bench::new("");
    bench.setup(&[]);
    let name = bench.name();
    bench.ism.edit(&name, |policy| {
        policy["states"][0]["transitions"][0]["conditions"]["min_rollover_age"] = json!("365d");
    });
    let mut template = bench.template().await;
    template["template"]["settings"]["index"]["number_of_replicas"] = json!(3);
    let path = format!("_index_template/{name}");
    bench.search.succeed(reqwest::Method::PUT, &path, template.clone()).await;
    bench.ism.writes();

    for more in [&["--dry-run"][..], &[]] {
        let ended = bench.setup(more);
        assert_eq!(ended.code, Some(i32::from(!more.is_empty())), "{}", ended.stdout);
        let edited: Vec<&str> = ended.stdout.lines().take(4).collect();
        assert_eq!(
            edited,
            [
                "policy    weir-NAME: edited by somebody, and stays without --force:",
                "          states[0].transitions[0].conditions.min_rollover_age: 365d instead of 30d",
                "template  weir-NAME: edited by somebody, and stays without --force:",
                "          template.settings.index.number_of_replicas: 3, and none is wanted",
            ]
        );
        assert_eq!(bench.ism.writes(), Vec::<String>::new());
    }
    let stays = bench.template().await;
    assert_eq!(stays["template"]["settings"]["index"]["number_of_replicas"], "3");

    let dry = bench.setup(&["--dry-run", "--force"]);
    assert_eq!((dry.code, bench.ism.writes().len()), (Some(1), 0));
    let forced = bench.setup(&["--force"]);
    assert_eq!(forced.code, Some(0), "{}{}", forced.stdout, forced.stderr);
    assert!(forced.stdout.contains("changed; there was before:"), "{}", forced.stdout);
    let conditions = bench.ism.policy(&name)["states"][0]["transitions"][0]["conditions"].clone();
    assert_eq!(conditions, json!({ "min_rollover_age": "30d" }));
    assert_eq!(
        bench.template().await["template"]["settings"]["index"]["number_of_replicas"],
        Value::Null
    );
    // An index goes on with the edition that it knows until it is told.
    let index = &bench.indices().await[0];
    assert_eq!(bench.ism.managed(index), Some((name.clone(), bench.ism.edition(&name))));
}

#[tokio::test]
async fn an_overlay_is_merged_and_kept_until_another_is_named() {
    let bench = Bench::new("");
    let overlay = json!({
        "settings": {"number_of_shards": 2, "index": {"refresh_interval": "7s"}},
        "mappings": {"properties": {"team": {"type": "keyword"}}},
    });
    bench.folder.write("overlay.json", overlay.to_string());
    let ended = bench.setup(&["--overlay", "overlay.json"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let first = bench.indices().await[0].clone();
    let path = format!("{first}/_settings");
    let (_, settings) = bench.search.ask(reqwest::Method::GET, &path, None).await;
    let settings = &settings[&first]["settings"]["index"];
    assert_eq!(
        (&settings["number_of_shards"], &settings["refresh_interval"]),
        (&json!("2"), &json!("7s"))
    );
    let (_, mappings) =
        bench.search.ask(reqwest::Method::GET, &format!("{first}/_mapping"), None).await;
    let properties = &mappings[&first]["mappings"]["properties"];
    assert_eq!(properties["team"], json!({"type": "keyword"}));
    assert_eq!(properties["reason"]["fields"]["keyword"]["type"], "keyword");

    // Without one it stays; another one takes its place.
    bench.ism.writes();
    for more in [&["--dry-run"][..], &[]] {
        let ended = bench.setup(more);
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
        assert!(ended.stdout.contains("with the overlay"), "{}", ended.stdout);
    }
    assert_eq!(bench.ism.writes(), Vec::<String>::new());
    bench.folder.write("overlay.json", "{}");
    let ended = bench.setup(&["--overlay", "overlay.json", "--dry-run"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("number_of_shards: 2, and none is wanted"), "{}", ended.stdout);
    assert_eq!(bench.setup(&["--overlay", "overlay.json"]).code, Some(0));
    assert_eq!(
        bench.template().await["template"]["settings"]["index"]["number_of_shards"],
        Value::Null
    );
}

#[tokio::test]
async fn a_retention_is_kept_and_another_one_reaches_the_indices_that_are_there() {
    let bench = Bench::new("");
    bench.setup(&["--retention", "90d"]);
    bench.search.roll_over().await;
    // So that it is taken in, and looked at.
    bench.setup(&["--dry-run"]);
    bench.ism.look();
    let name = bench.name();
    let age = || {
        bench.ism.policy(&name)["states"][0]["transitions"][0]["conditions"]["min_rollover_age"]
            .clone()
    };
    assert_eq!(age(), "90d");
    assert_eq!(
        bench.setup(&["--dry-run"]).code,
        Some(0),
        "30d is not wanted where 90d was asked for"
    );
    assert_eq!(bench.setup(&[]).code, Some(0));
    assert_eq!(age(), "90d");

    let dry = bench.setup(&["--retention", "7d", "--dry-run"]);
    insta::assert_snapshot!(dry.stdout.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    policy    weir-NAME: differs, as an earlier setup left it:
              states[0].actions[0].rollover.min_index_age: 7d instead of 16h
              states[0].transitions[0].conditions.min_rollover_age: 90d instead of 7d
    ");
    let changed = bench.setup(&["--retention", "7d"]);
    assert_eq!((changed.code, age()), (Some(0), json!("7d")), "{}", changed.stdout);
    assert!(changed.stdout.contains("1 older indices: changed: "), "{}", changed.stdout);
    let edition = bench.ism.edition(&name);
    for index in bench.indices().await {
        assert_eq!(bench.ism.managed(&index), Some((name.clone(), edition)), "{index}");
    }
}

#[tokio::test]
async fn a_policy_that_the_ism_api_did_not_write_is_written_again() {
    let bench = Bench::new("");
    bench.setup(&[]);
    let name = bench.name();
    let mut planted = bench.ism.policy(&name);
    planted["ism_template"][0].as_object_mut().unwrap().remove("last_updated_time");
    bench.ism.plant(&name, planted);
    let dry = bench.setup(&["--dry-run"]);
    assert_eq!(dry.code, Some(1));
    assert!(dry.stdout.contains("is applied to no index that is made"), "{}", dry.stdout);
    assert_eq!(bench.setup(&[]).code, Some(0));
    assert!(bench.ism.policy(&name)["ism_template"][0]["last_updated_time"].is_i64());
}

#[tokio::test]
async fn of_dated_indices_that_were_there_only_todays_is_put_under_the_policy() {
    let bench = Bench::new("-{yyyy.MM.dd}");
    let today = k8s_openapi::jiff::Timestamp::now().strftime("%Y.%m.%d").to_string();
    let index = &bench.search.index;
    for name in
        [format!("{index}-2020.01.01"), format!("{index}-{today}"), format!("{index}-audit")]
    {
        bench.search.succeed(reqwest::Method::PUT, &name, json!({})).await;
    }
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let edition = bench.ism.edition(&bench.name());
    let stdout =
        ended.stdout.replace(&today, "TODAY").replace(&format!("revision {edition}"), "revision N");
    insta::assert_snapshot!(stdout, @r#"
    policy    weir-NAME: installed: documents are kept for at least 30d: an index is deleted 31d after it was made
    template  weir-NAME: installed: it maps weir's documents
    managed   NAME-TODAY: the policy manages it, at revision N from ISM's first look at it on (within minutes)
    managed   1 older indices: no policy manages them, because they were there before it: `POST _plugins/_ism/add/INDEX` with {"policy_id":"weir-NAME"} puts one under it, which deletes it as soon as it is old enough
    "#);
    assert_eq!(bench.ism.managed(&format!("{index}-2020.01.01")), None);
    // What comes after it is taken in, and nothing that only begins so.
    for name in ["2020.01.02", "other", "2020.01.02-keep", "2020.01.02-v2", "2020-archive"] {
        bench.search.succeed(reqwest::Method::PUT, &format!("{index}-{name}"), json!({})).await;
    }
    bench.setup(&["--dry-run"]);
    assert!(bench.ism.managed(&format!("{index}-2020.01.02")).is_some());
    for name in ["other", "2020.01.02-keep", "2020.01.02-v2", "2020-archive"] {
        assert_eq!(bench.ism.managed(&format!("{index}-{name}")), None, "{name}");
    }
}

#[tokio::test]
async fn what_another_policy_manages_is_left_to_it() {
    let bench = Bench::new("");
    bench.setup(&[]);
    let index = bench.indices().await[0].clone();
    bench.ism.manage(&index, "mine");
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("another policy manages it, `mine`"), "{}", ended.stdout);
    assert!(ended.stdout.contains("`weir-NAME` is for what is made from now on"));
    assert_eq!(bench.ism.managed(&index), Some(("mine".to_owned(), 1)));
}

/// What was written to ISM since the last time.
fn policies(bench: &Bench) -> Vec<String> {
    let writes = bench.ism.writes();
    writes.into_iter().filter(|write| write.contains("/_plugins/_ism/")).collect()
}

#[tokio::test]
async fn a_policy_of_somebody_elses_is_not_taken_over_at_the_next_rollover() {
    let bench = Bench::with("", "setup = \"run\"");
    let index = bench.search.index.clone();
    bench.ism.write("mine", &format!("{index}*"), 100);
    bench.search.make_stream().await;
    for more in [&["--dry-run"][..], &[]] {
        let ended = bench.setup(more);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(
            ended.stdout.lines().next().unwrap(),
            "policy    weir-NAME: left alone: another policy, `mine`, is for what is written to, \
             and is left to it; this one would take over what is made from now on, and --force \
             installs it"
        );
    }
    assert_eq!(bench.run(&["a"]).code, Some(0));
    assert_eq!(policies(&bench), Vec::<String>::new());
    bench.search.roll_over().await;
    bench.setup(&["--dry-run"]);
    let second = bench.indices().await[1].clone();
    assert_eq!(bench.ism.managed(&second).unwrap().0, "mine");

    assert_eq!(bench.setup(&["--force"]).code, Some(1), "the stream's template is above weir's");
    bench.search.roll_over().await;
    bench.setup(&["--dry-run"]);
    let third = bench.indices().await[2].clone();
    assert_eq!(bench.ism.managed(&third).unwrap().0, bench.name());
}

#[tokio::test]
async fn a_policy_that_has_the_write_index_is_found_although_it_is_for_no_names() {
    let bench = Bench::new("-{yyyy.MM.dd}");
    let today = k8s_openapi::jiff::Timestamp::now().strftime("%Y.%m.%d").to_string();
    let index = format!("{}-{today}", bench.search.index);
    bench.search.succeed(reqwest::Method::PUT, &index, json!({})).await;
    bench.ism.manage(&index, "mine");
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("left alone: another policy, `mine`"), "{}", ended.stdout);
    assert_eq!(policies(&bench), Vec::<String>::new());

    // Where nobody says, none is installed either.
    let other = Bench::new("");
    other.ism.forbid("GET /_plugins/_ism/policies");
    let ended = other.setup(&[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let right = "lacks the right cluster:admin/opendistro/ism/policy/search";
    assert!(ended.stdout.contains(right), "{}", ended.stdout);
    assert_eq!(policies(&other), Vec::<String>::new());
    assert_eq!(other.setup(&["--force"]).code, Some(0));
}

#[tokio::test]
async fn a_policy_and_a_template_of_another_index_of_the_same_name_are_not_rewritten() {
    let bench = Bench::new("-{yyyy.MM.dd}");
    let daily = bench.folder.read("p.toml");
    assert_eq!(bench.setup(&[]).code, Some(0));
    let (policy, template) = (bench.ism.policy(&bench.name()), bench.template().await);
    bench.ism.writes();
    bench.folder.write("p.toml", daily.replace("-{yyyy.MM.dd}", "-{yyyy}"));
    for more in [&["--dry-run"][..], &[]] {
        let ended = bench.setup(more);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert_eq!(
            ended.stdout.lines().next().unwrap(),
            "policy    weir-NAME: failed: it belongs to another sink.index, which makes the same \
             name here, and is left to it (it is for NAME-20*.*.01 and 30 more): give one of the \
             two indices another name; --force writes this one over it"
        );
    }
    // One without a date has a template of its own, too.
    bench.folder.write("p.toml", daily.replace("-{yyyy.MM.dd}", ""));
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("it belongs to another sink.index").count(), 2);
    let ended = bench.run(&["a"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("but for another sink.index"), "{}", ended.stderr);
    assert_eq!(policies(&bench), Vec::<String>::new());
    assert_eq!((bench.ism.policy(&bench.name()), bench.template().await), (policy, template));

    bench.folder.write("p.toml", daily.replace("-{yyyy.MM.dd}", "-{yyyy}"));
    assert_eq!(bench.setup(&["--force"]).code, Some(0));
    let forced = bench.ism.policy(&bench.name())["ism_template"][0]["index_patterns"].clone();
    assert_eq!(forced[0], format!("{}-2020", bench.search.index));
}

#[tokio::test]
async fn a_template_of_the_streams_own_is_left_alone() {
    for is_there in [true, false] {
        let bench = Bench::new("");
        let index = &bench.search.index;
        let mine = json!({
            "index_patterns": [index], "priority": 100, "data_stream": {},
            "template": { "settings": { "number_of_replicas": 2 } },
        });
        let path = format!("_index_template/mine-{index}");
        bench.search.succeed(reqwest::Method::PUT, &path, mine).await;
        if is_there {
            let path = format!("_data_stream/{index}");
            bench.search.succeed(reqwest::Method::PUT, &path, json!({})).await;
        }
        let ended = bench.setup(&[]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(
            ended.stdout.lines().nth(1).unwrap(),
            "template  weir-NAME: left alone: the data stream has a template of its own, \
             `mine-NAME`, which is left to it; --force installs this one, for what is made from \
             now on"
        );
        bench.search.roll_over().await;
        let second = bench.indices().await[1].clone();
        let path = format!("{second}/_settings");
        let (_, settings) = bench.search.ask(reqwest::Method::GET, &path, None).await;
        assert_eq!(settings[&second]["settings"]["index"]["number_of_replicas"], "2");
        assert_eq!(bench.template().await, Value::Null);
        assert_eq!(bench.setup(&["--force"]).code, Some(0));
        assert_eq!(bench.template().await["priority"], 150);
    }
}

#[tokio::test]
async fn an_index_that_its_policy_failed_on_is_told_whichever_it_is() {
    let bench = Bench::new("");
    bench.setup(&[]);
    bench.search.roll_over().await;
    bench.setup(&["--dry-run"]);
    bench.ism.look();
    let indices = bench.indices().await;
    bench.ism.fail(&indices[0]);
    for more in [&["--dry-run"][..], &[]] {
        let ended = bench.setup(more);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert_eq!(
            ended.stdout.lines().nth(3).unwrap(),
            "managed   .ds-NAME-000001: failed: the policy `weir-NAME` manages it, and has \
             failed: no permissions for [indices:admin/delete]: mend that, and then `POST \
             _plugins/_ism/retry/…` has it tried again"
        );
    }
    // One that has failed is told of no newer edition: nothing would come of it.
    bench.ism.fail(&indices[1]);
    let ended = bench.setup(&["--retention", "7d"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("has failed: no permissions for").count(), 2);
    assert!(!ended.stdout.contains("goes on to revision"), "{}", ended.stdout);
}

#[tokio::test]
async fn all_indices_are_told_of_a_newer_policy_although_some_are_refused() {
    let bench = Bench::new("-{yyyy.MM.dd}");
    bench.setup(&[]);
    let index = |day: u32| format!("{}-2020.01.{day:02}", bench.search.index);
    for day in 1..=14 {
        let one_shard = json!({ "settings": { "number_of_shards": 1, "number_of_replicas": 0 } });
        bench.search.succeed(reqwest::Method::PUT, &index(day), one_shard).await;
    }
    bench.setup(&["--dry-run"]);
    bench.ism.look();
    let refused = format!("POST /_plugins/_ism/change_policy/{}*", index(1));
    bench.ism.refuse(&refused, 400, json!({ "error": { "type": "a", "reason": "not now" } }));
    let ended = bench.setup(&["--retention", "7d"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("not all go on to revision"), "{}", ended.stdout);
    let edition = bench.ism.edition(&bench.name());
    assert_eq!(bench.ism.managed(&index(14)), Some((bench.name(), edition)));
    assert_ne!(bench.ism.managed(&index(1)), Some((bench.name(), edition)));
}

#[tokio::test]
async fn a_right_that_is_missing_on_an_index_is_told_as_such() {
    let bench = Bench::new("");
    bench.setup(&[]);
    bench.ism.hide(&bench.indices().await[0]);
    for more in [&["--dry-run"][..], &[]] {
        let ended = bench.setup(more);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(ended.stdout.contains("lacks the right indices:admin/opensearch/ism/managedindex"));
        assert!(!ended.stdout.contains("no policy manages it"), "{}", ended.stdout);
    }

    let bench = Bench::new("");
    bench.search.make_stream().await;
    let none = json!({ "updated_indices": 0, "failures": false, "failed_indices": [] });
    bench.ism.refuse("POST /_plugins/_ism/add/*", 200, none);
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("ISM has done it to 0 of 1"), "{}", ended.stdout);
}

#[tokio::test]
async fn an_answer_that_is_none_of_isms_is_no_success() {
    let is_told = |asked: &'static str, answer: Value| async move {
        let bench = Bench::new("");
        bench.search.make_stream().await;
        bench.ism.refuse(asked, 200, answer);
        let ended = bench.setup(&[]);
        assert_eq!(ended.code, Some(1), "{asked}: {}", ended.stdout);
        let failed = ended.stdout.lines().filter(|line| line.contains(": failed: ")).count();
        assert_eq!(failed, 1, "{asked}: {}", ended.stdout);
    };
    is_told("PUT /_plugins/_ism/policies/*", json!({ "_id": "a" })).await;
    is_told("POST /_plugins/_ism/add/*", json!({})).await;
    is_told("GET /_data_stream/*", json!([])).await;
    is_told("GET /_plugins/_ism/policies", json!({ "policies": "none" })).await;
}

#[tokio::test]
async fn what_is_refused_for_another_reason_than_a_right_says_which() {
    let told = |refuse: &dyn Fn(&Ism)| {
        let bench = Bench::new("");
        refuse(&bench.ism);
        let ended = bench.setup(&[]);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        ended.stdout.lines().next().unwrap().to_owned()
    };
    let put = "PUT /_plugins/_ism/policies/*";
    let blocked = json!({ "error": { "type": "cluster_block_exception", "reason": "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];" } });
    insta::assert_snapshot!(told(&|ism| ism.refuse(put, 403, blocked.clone())), @"policy    weir-NAME: failed: HOST answers 403: cluster_block_exception: blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];");
    insta::assert_snapshot!(told(&|ism| ism.forbid(put)), @"policy    weir-NAME: failed: the user lacks the right cluster:admin/opendistro/ism/policy/write (security_exception: no permissions for it)");
}

#[tokio::test]
async fn what_was_done_before_opensearch_went_away_is_told() {
    let bench = Bench::new("");
    bench.ism.refuse("GET /_plugins/_ism/explain/*", 503, json!({}));
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(1));
    let told = ended.stdout.lines().map(|line| line.split(' ').next().unwrap());
    assert_eq!(told.collect::<Vec<_>>(), ["policy", "template", "stream"], "{}", ended.stdout);
    assert!(ended.stderr.contains("OpenSearch cannot be set up: "), "{}", ended.stderr);
}

#[tokio::test]
async fn an_option_that_is_not_carried_out_is_a_failure() {
    let bench = Bench::new("");
    bench.setup(&[]);
    bench.ism.edit(&bench.name(), |policy| {
        policy["states"][0]["transitions"][0]["conditions"]["min_rollover_age"] = json!("365d");
    });
    let ended = bench.setup(&["--retention", "7d"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    insta::assert_snapshot!(ended.stderr, @"error: --retention changed nothing, because what it would change is not weir's own any more, and stays (see above): --force overwrites it");
    let mut template = bench.template().await;
    template["template"]["settings"]["index"]["number_of_replicas"] = json!(3);
    let path = format!("_index_template/{}", bench.name());
    bench.search.succeed(reqwest::Method::PUT, &path, template).await;
    bench.folder.write("overlay.json", "{\"settings\":{\"refresh_interval\":\"7s\"}}");
    let ended = bench.setup(&["--overlay", "overlay.json"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("--overlay changed nothing"));
    assert_eq!(bench.setup(&[]).code, Some(0), "nothing was asked for by name");
}

#[tokio::test]
async fn an_ism_that_does_not_answer_holds_no_document_up() {
    let bench = Bench::with("", "setup = \"run\"");
    bench.ism.refuse("* /_plugins/_ism/*", 503, json!({ "error": "no shard of it is there" }));
    let ended = bench.run(&["a", "b"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.search.documents().await.len(), 2);
    assert!(ended.stderr.contains("not set up: "), "{}", ended.stderr);
    assert_eq!(bench.indices().await.len(), 1, "the rest was set up");
}

#[tokio::test]
async fn a_run_that_cannot_tell_what_the_name_is_installs_the_template_all_the_same() {
    let bench = Bench::with("", "setup = \"run\"");
    bench.ism.forbid("GET /_resolve/index/*");
    let ended = bench.run(&["a"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.template().await["priority"], 150, "{}", ended.stderr);
}

#[tokio::test]
async fn a_run_sets_up_what_is_missing_at_its_start_where_that_is_asked_for() {
    let bench = Bench::with("", "setup = \"run\"");
    let ended = bench.run(&["a", "b"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.indices().await, [format!(".ds-{}-000001", bench.search.index)]);
    assert_eq!(bench.search.documents().await.len(), 2);
    for what in ["policy", "template", "stream"] {
        assert!(ended.stderr.contains(&format!("\"what\":\"{what}\"")), "{}", ended.stderr);
    }
    assert_eq!(bench.setup(&["--dry-run"]).code, Some(0));
    // The next run leaves what the command was told.
    bench.setup(&["--retention", "90d"]);
    assert_eq!(bench.run(&["c"]).code, Some(0));
    let policy = bench.ism.policy(&bench.name());
    assert_eq!(policy["states"][0]["transitions"][0]["conditions"]["min_rollover_age"], "90d");
}

#[tokio::test]
async fn replicas_that_set_up_at_the_same_time_do_not_stand_in_each_others_way() {
    let bench = Bench::new("");
    let ends: Vec<Ended> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.setup(&[]))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for ended in ends {
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
    assert_eq!(bench.setup(&["--dry-run"]).code, Some(0));
}

#[tokio::test]
async fn without_ism_the_rest_is_set_up_and_it_is_said_what_is_missing() {
    let bench = Bench::new("");
    let config = bench.folder.read("p.toml").replace(&bench.ism.url, &bench.search.url);
    bench.folder.write("p.toml", config);
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("this OpenSearch has no Index State Management"),
        "{}",
        ended.stdout
    );
    assert_eq!(bench.indices().await.len(), 1);
    insta::assert_snapshot!(ended.stderr, @"error: OpenSearch could not be set up as it should be: see what failed above");
}

#[tokio::test]
async fn an_index_or_an_alias_of_the_name_is_left_alone() {
    let (index, alias) = (Bench::new(""), Bench::new(""));
    index.search.create_index(json!({})).await;
    alias.search.make_alias().await;
    let ended = index.setup(&[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("it is one index, which is never rolled over"),
        "{}",
        ended.stdout
    );
    assert_eq!(index.ism.writes(), [format!("PUT /_index_template/{}", index.name())]);
    let ended = alias.setup(&[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("it is an alias"), "{}", ended.stdout);
    assert_eq!(alias.ism.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_template_that_stands_above_weirs_is_named() {
    let bench = Bench::new("-{yyyy.MM.dd}");
    let above = json!({"index_patterns": [format!("{}*", bench.search.index)], "priority": 500});
    let name = format!("above-{}", bench.search.index);
    bench.search.succeed(reqwest::Method::PUT, &format!("_index_template/{name}"), above).await;
    let ended = bench.setup(&[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("`above-NAME` is used in its place"), "{}", ended.stdout);
}

#[tokio::test]
async fn whoever_lacks_rights_is_told_which() {
    let search = Search::secure();
    let folder = Folder::new();
    let config = format!(
        "name = \"setup\"\n[source]\nkind = \"stdin\"\n[sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = \"{}-{{yyyy}}\"\n\
         username = \"shipper\"\npassword = {:?}\nca = {:?}\n",
        search.url,
        search.index,
        search.password(),
        variable("WEIR_TEST_OPENSEARCH_SECURE_CA")
    );
    folder.write("p.toml", config);
    let ended = folder.weir(&["opensearch", "setup", "--config", "p.toml"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("failed: the user lacks the right indices:admin/index_template/get"),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_cannot_be_set_up_is_an_error_of_usage() {
    let folder = Folder::with(&[
        ("file.toml", "name = 'a'\nsource = { kind = 'stdin' }\nsink = { kind = 'stdout' }\n"),
        (
            "latest.toml",
            "name = 'a'\nsource = { kind = 'stdin' }\nsink = { kind = 'opensearch', hosts = ['http://127.0.0.1:1'], index = 'e', mode = 'latest' }\n",
        ),
        ("bad.json", "{\"aliases\":{}}"),
    ]);
    let told = |arguments: &[&str]| {
        let ended = folder.weir(&[&["opensearch", "setup", "--config"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        ended.stderr
    };
    insta::assert_snapshot!(told(&["file.toml"]), @r#"error: file.toml has a sink of another kind: only kind = "opensearch" is set up"#);
    insta::assert_snapshot!(told(&["latest.toml", "--retention", "1d"]), @r#"error: --retention: with mode = "latest" there is one index, from which nothing is deleted"#);
    insta::assert_snapshot!(told(&["latest.toml", "--overlay", "bad.json"]), @"error: --overlay bad.json: it may hold `settings` and `mappings`, as the `template` of an index template has them, and it holds `aliases`");
    insta::assert_snapshot!(told(&["latest.toml", "--overlay", "none"]), @"error: --overlay none: No such file or directory (os error 2)");
    insta::assert_snapshot!(told(&["latest.toml", "--retention", "30"]), @r#"
    error: invalid value '30' for '--retention <AGE>': it must be a whole number of days or hours, such as "30d" or "12h", at least "1h"

    For more information, try '--help'.
    "#);
}
