//! A real Prometheus: it checks and tests the rules, scrapes a real weir, and answers every query
//! of Grafana's dashboard and of the rules. `make test` gets it, or says that it cannot be had
//! (`tests/env/setup.sh prometheus`), and sets `WEIR_TEST_PROMETHEUS` and `WEIR_TEST_PROMTOOL`.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::metrics::{RULES, alerts, panels};
use crate::support::{
    Cluster, Folder, Search, Weir, both_stages, eventually, repository, until_stored, variable,
};

fn promtool(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(variable("WEIR_TEST_PROMTOOL"))
        .args(arguments)
        .current_dir(repository().join("deploy/prometheus"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules() {
    let (is_well, said) = promtool(&["check", "rules", "weir.rules.yaml"]);
    assert!(is_well && said.contains(&format!("{} rules found", alerts().len())), "{said}");
}

#[test]
fn every_alert_fires_and_is_silent_as_its_test_says() {
    let (is_well, said) = promtool(&["test", "rules", "weir.test.yaml"]);
    assert!(is_well, "{said}");
}

/// A server that scrapes one weir each second; killed when dropped.
struct Prometheus {
    child: Child,
    url: String,
    _folder: Folder,
}

impl Prometheus {
    async fn scraping(weir: &Weir) -> Prometheus {
        weir::internals::tls::install_crypto_provider();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{:?}]\n\
             scrape_configs:\n  - job_name: weir\n    static_configs:\n      - targets: [{:?}]\n        \
             labels: {{cluster: test, namespace: weir, pod: weir-0}}\n",
            repository().join(RULES),
            weir.admin(),
        );
        let folder = Folder::with(&[("prometheus.yml", &config)]);
        let child = Command::new(variable("WEIR_TEST_PROMETHEUS"))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}/api/v1");
        let prometheus = Prometheus { child, url, _folder: folder };
        // Two scrapes: a rate needs two.
        eventually("Prometheus has scraped weir twice", async || {
            let samples = prometheus.value("count_over_time(weir_build_info[1m])").await?;
            (samples >= 2.0).then_some(())
        })
        .await;
        prometheus
    }

    /// What a path answers, if it is there yet.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let mut url = reqwest::Url::parse(&format!("{}/{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        let answer = reqwest::get(url).await.ok()?.text().await.ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// The samples of an expression now.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.get("query", &[("query", expression)]).await.unwrap_or_default();
        if answer["status"] != "success" {
            assert!(answer.is_null(), "{expression}: {answer}");
            return Vec::new();
        }
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The only sample of an expression.
    async fn value(&self, expression: &str) -> Option<f64> {
        let result = self.query(expression).await;
        result.first()?["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What only shows when something goes wrong, or in other configurations: these panels may be
/// empty when all is well.
const MAY_BE_EMPTY: [&str; 4] = [
    "Dead letters, by where and why",
    "Modules' own counters",
    "Objects looked up, by result",
    "Lookups, by result",
];

#[tokio::test]
async fn prometheus_scrapes_weir_and_answers_every_query_of_the_dashboard_and_the_rules() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    // In the last one's shadow is the same module: it does the same.
    let candidate = repository().join("filters/dist/tag-gpu-failures.wasm");
    let stages = both_stages() + &format!("shadow = {{ module = {candidate:?} }}\n");
    let config = format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{0:?}]\n[buffer]\npath = \"spool\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{1:?}]\nindex = {2:?}\n\
         [lease]\nenabled = true\nnamespace = {0:?}\n{3}",
        cluster.namespace, search.url, search.index, stages,
    );
    let weir = Weir::start(&config).await;
    weir.until_ready().await;
    let prometheus = Prometheus::scraping(&weir).await;
    for number in 0..5 {
        // One that the module in whose shadow there is one is about.
        cluster.report(&format!("e{number}"), "Warning", "Failed", "no such image: gpu", 1).await;
        cluster.report(&format!("n{number}"), "Normal", "Pulled", "it is there", 1).await;
    }
    until_stored(&search, 5).await;
    eventually("Prometheus has seen what was delivered", async || {
        let seen = prometheus.value("sum(weir_events_delivered_total)").await?;
        (seen >= 5.0).then_some(())
    })
    .await;
    assert_eq!(prometheus.value("up").await, Some(1.0));
    assert_eq!(prometheus.value("sum(weir_events_filtered_total)").await, Some(5.0));
    eventually("the shadow has seen what was not filtered", async || {
        let seen = prometheus.value("sum(weir_shadow_events_total{result='same'})").await?;
        (seen == 5.0).then_some(())
    })
    .await;

    let mut empty = BTreeSet::new();
    for (panel, expression) in panels() {
        let found = prometheus.query(&expression).await;
        if found.is_empty() {
            empty.insert(panel);
        }
    }
    for panel in MAY_BE_EMPTY {
        empty.remove(panel);
    }
    assert!(empty.is_empty(), "panels without data: {empty:?}");

    // Each rule is evaluated, none fails, and nothing is wrong.
    let rules = eventually("every rule has been evaluated", async || {
        let answer = prometheus.get("rules", &[]).await?;
        let rules = answer["data"]["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    })
    .await;
    assert_eq!(rules.len(), alerts().len());
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_eq!(rule["state"], "inactive", "{rule}");
    }
    weir.stop().await;
}

/// From a real refusal to a firing alert: a file that is no JSON becomes a dead letter.
#[tokio::test]
async fn a_dead_letter_of_a_real_run_fires_its_alert() {
    let config = "[source]\nkind = \"file\"\npath = \"events.jsonl\"\nfollow = true\n\
                  [sink]\nkind = \"file\"\npath = \"out.ndjson\"\n";
    let events = b"{\"kind\":\"Event\",\"metadata\":{\"uid\":7}}\n".to_vec();
    let weir = Weir::start_in(config, &[("events.jsonl", events)]).await;
    let prometheus = Prometheus::scraping(&weir).await;
    let alert = eventually("the alert fires", async || {
        let answer = prometheus.get("alerts", &[]).await?;
        let alerts = answer["data"]["alerts"].as_array()?.clone();
        alerts.into_iter().find(|alert| alert["labels"]["alertname"] == "WeirDeadLetters")
    })
    .await;
    assert_eq!(alert["state"], "firing", "{alert}");
    assert_eq!(alert["labels"]["where"], "source", "{alert}");
    assert_eq!(alert["labels"]["namespace"], "weir", "{alert}");
    drop(prometheus);
    weir.stop().await;
}
