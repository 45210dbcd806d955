//! Amazon OpenSearch: the real binary, whose requests a stub of Amazon verifies, rewrites as a load
//! balancer does, and passes on to the real OpenSearch. No test of these has seen Amazon's own.

mod amazon;
mod http;
mod verify;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use self::amazon::{Amazon, COLLECTION, DOMAIN, Key, POD_TOKEN, REGION};
use crate::support::{Folder, Search, Weir, eventually, until_stored};

/// One test's stub, index and events.
struct Bench {
    amazon: Amazon,
    search: Search,
    folder: tempfile::TempDir,
    events: usize,
}

impl Bench {
    fn new() -> Bench {
        let search = Search::shared();
        let amazon = Amazon::before(&search.url);
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench { amazon, search, folder, events: 0 };
        std::fs::write(bench.path("events.json"), "").unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    fn config(&self, host: &str, service: &str) -> String {
        format!(
            "source = {{ kind = \"file\", path = {:?}, follow = true }}\n\
             [buffer]\npath = {:?}\n\
             [sink]\nkind = \"opensearch\"\nhosts = [\"https://{host}\"]\nindex = {:?}\n\
             ca = {:?}\nproxy = \"http://{}\"\n\
             aws = {{ region = \"{REGION}\", service = \"{service}\" }}\n",
            self.path("events.json"),
            self.path("buffer"),
            self.search.index,
            self.amazon.ca(),
            self.amazon.address,
        )
    }

    /// Runs it with these variables, and no credentials but what they name.
    async fn run(&self, config: &str, variables: &[(&str, &str)]) -> Weir {
        let empty = self.write("empty", "");
        let mut all = vec![
            ("AWS_CONFIG_FILE", empty.as_str()),
            ("AWS_SHARED_CREDENTIALS_FILE", &empty),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        all.extend(variables);
        Weir::start_with(config, &all).await
    }

    /// One more event, large enough to be compressed.
    fn report(&mut self) {
        let number = self.events;
        self.events += 1;
        let now = jiff::Timestamp::now().to_string();
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "Failed",
            "metadata": {
                "name": format!("e{number}"), "namespace": "aws", "uid": format!("uid-{number}"),
                "resourceVersion": format!("{}", number + 1), "creationTimestamp": now,
            },
            "involvedObject": { "kind": "Pod", "namespace": "aws", "name": "p" },
            "message": "no such image ".repeat(100), "lastTimestamp": now, "count": 1,
        });
        let mut file = OpenOptions::new().append(true).open(self.path("events.json")).unwrap();
        file.write_all(format!("{event}\n").as_bytes()).unwrap();
    }

    async fn until_all_are_stored(&self) {
        until_stored(&self.search, self.events).await;
    }
}

#[tokio::test]
async fn a_domain_takes_compressed_requests_that_are_signed_with_a_profiles_keys() {
    let mut bench = Bench::new();
    let token = Some("a/token+==".to_owned());
    let key = Key { id: "AKIDPROFILE".into(), secret: "s3cret/+".into(), token, expires: None };
    bench.amazon.world().keys.push(key);
    let credentials = bench.write(
        "credentials",
        "[other]\naws_access_key_id = NO\naws_secret_access_key = no\n[weir]\n\
         aws_access_key_id = AKIDPROFILE\naws_secret_access_key = s3cret/+\n\
         aws_session_token = a/token+==\n",
    );
    bench.report();
    let variables =
        [("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str()), ("AWS_PROFILE", "weir")];
    let weir = bench.run(&bench.config(DOMAIN, "es"), &variables).await;
    bench.until_all_are_stored().await;
    weir.until_ready().await;
    {
        let world = bench.amazon.world();
        assert_eq!(world.refused, Vec::<String>::new());
        let is_packed = |request: &http::Request| {
            request.header("content-encoding") == Some("gzip")
                && request.body.starts_with(&[0x1f, 0x8b])
        };
        assert!(world.passed.iter().any(is_packed), "{:?}", world.passed);
        assert!(world.passed.iter().any(|request| request.target == "/"));
    }
    let log = weir.log();
    assert!(!log.contains("s3cret") && !log.contains("a/token"), "{log}");
}

#[tokio::test]
async fn keys_are_replaced_before_they_expire_and_once_they_are_refused() {
    let mut bench = Bench::new();
    bench.amazon.world().lifetime = 12;
    // As EKS Pod Identity does it.
    let endpoint = format!("http://{}/v1/credentials", bench.amazon.address);
    let token = bench.write("token", POD_TOKEN);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token),
    ];
    let weir = bench.run(&bench.config(DOMAIN, "es"), &variables).await;
    eventually("three keys were used", async || {
        bench.report();
        bench.until_all_are_stored().await;
        (bench.amazon.world().used() >= 3).then_some(())
    })
    .await;
    assert_eq!(bench.amazon.world().refused, Vec::<String>::new(), "none was used too long");

    // One that expires before its time.
    bench.amazon.world().lifetime = 3600;
    eventually("a key that lives long is used", async || {
        bench.report();
        bench.until_all_are_stored().await;
        let world = bench.amazon.world();
        let last = world.keys.last().unwrap().clone();
        let is_last = world.passed.last().unwrap().header("authorization");
        let is_last = is_last.is_some_and(|text| text.contains(&last.id));
        (is_last && last.expires.unwrap() > world.now() + 600).then_some(())
    })
    .await;
    {
        let mut world = bench.amazon.world();
        let now = world.now();
        world.keys.iter_mut().for_each(|key| key.expires = Some(now));
    }
    bench.report();
    bench.until_all_are_stored().await;
    let refused = bench.amazon.world().refused.clone();
    assert!(refused.iter().all(|why| why.ends_with("is expired")) && !refused.is_empty());
    assert_eq!(weir.dead_letters(), Vec::<Value>::new());
    assert_eq!(weir.metric("weir_events_delivered_total").await, bench.events as f64);
}

#[tokio::test]
async fn a_pods_web_identity_is_exchanged_through_the_proxy_of_the_environment() {
    let mut bench = Bench::new();
    let token = bench.write("web-identity", "a-web-identity");
    let proxy = format!("http://{}", bench.amazon.address);
    let ca = bench.amazon.ca().display().to_string();
    bench.report();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/weir"),
        ("HTTPS_PROXY", &proxy),
        // Whom the system trusts.
        ("SSL_CERT_FILE", &ca),
    ];
    let weir = bench.run(&bench.config(DOMAIN, "es"), &variables).await;
    bench.until_all_are_stored().await;
    let world = bench.amazon.world();
    assert!(world.asked.iter().any(|form| form.contains("role%2Fweir")), "{:?}", world.asked);
    assert_eq!(world.refused, Vec::<String>::new());
    assert!(!weir.log().contains("a-web-identity"));
}

#[tokio::test]
async fn a_collection_is_known_by_its_host_and_not_asked_for_what_it_does_not_have() {
    let mut bench = Bench::new();
    let endpoint = format!("http://{}", bench.amazon.address);
    bench.report();
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
        // It is for another machine's endpoint.
        ("http_proxy", "http://127.0.0.1:1"),
    ];
    let weir = bench.run(&bench.config(COLLECTION, "aoss"), &variables).await;
    bench.until_all_are_stored().await;
    {
        let world = bench.amazon.world();
        assert_eq!(world.refused, Vec::<String>::new());
        let asked: Vec<&str> =
            world.passed.iter().map(|request| request.path_and_query().0).collect();
        let has_not = |path: &&str| *path == "/" || path.ends_with("_refresh");
        assert!(!asked.iter().any(has_not), "{asked:?}");
        assert!(asked.iter().any(|path| path.starts_with("/_resolve/index/")), "{asked:?}");
    }
    let position = eventually("the position is saved", async || {
        std::fs::read_to_string(bench.path("buffer").join("position.json")).ok()
    })
    .await;
    let position: Value = serde_json::from_str(&position).unwrap();
    assert_eq!(position["target"]["cluster"], COLLECTION, "{position}");
    drop(weir);
}

#[tokio::test]
async fn a_doctor_asks_a_collection_for_what_it_has() {
    let bench = Bench::new();
    let endpoint = format!("http://{}/v1/credentials", bench.amazon.address);
    let folder = Folder::new();
    folder.write("p.toml", format!("name = \"doctor\"\n{}", bench.config(COLLECTION, "aoss")));
    let ended = tokio::task::spawn_blocking(move || {
        let mut command = folder.command(&["doctor", "--config", "p.toml"]);
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint);
        command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", POD_TOKEN);
        command.output().unwrap()
    });
    let said = String::from_utf8(ended.await.unwrap().stdout).unwrap();
    let answers = format!("ok opensearch: https://{COLLECTION} answers, a collection");
    assert!(said.contains(&answers), "{said}");
    assert!(said.contains("ok rights: storing documents"), "{said}");
    assert!(said.contains("ok template: weir-") && !said.contains("policy"), "{said}");
    let world = bench.amazon.world();
    assert_eq!(world.refused, Vec::<String>::new());
    let asked: Vec<&str> = world.passed.iter().map(|request| request.path_and_query().0).collect();
    assert!(!asked.contains(&"/") && !asked.iter().any(|path| path.contains("_ism")), "{asked:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_with_what_to_do_and_nothing_is_lost() {
    let mut bench = Bench::new();
    bench.amazon.world().ahead = 1200;
    let endpoint = format!("http://{}/v1/credentials", bench.amazon.address);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", POD_TOKEN),
    ];
    bench.report();
    let weir = bench.run(&bench.config(DOMAIN, "es"), &variables).await;
    let said = eventually("readiness says why", async || {
        let (status, text) = weir.readiness().await;
        (status != 200 && text.contains("clock")).then_some(text)
    })
    .await;
    assert!(said.contains("s behind the server's") && said.contains("set the clock"), "{said}");
    bench.amazon.world().ahead = 0;
    bench.until_all_are_stored().await;
    weir.until_ready().await;
}

#[tokio::test]
async fn without_credentials_weir_waits_and_says_where_it_looked() {
    let mut bench = Bench::new();
    bench.report();
    let weir = bench.run(&bench.config(DOMAIN, "es"), &[]).await;
    let said = eventually("readiness says why", async || {
        let (status, text) = weir.readiness().await;
        (status != 200 && text.contains("AWS_WEB_IDENTITY_TOKEN_FILE")).then_some(text)
    })
    .await;
    assert!(said.contains("there are no AWS credentials"), "{said}");
    assert!(bench.amazon.world().passed.is_empty());
    assert!(weir.metrics().await["weir_sink_requests_total{status=\"credentials\"}"] >= 1.0);
}
