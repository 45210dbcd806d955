//! The two connections that fail: toxiproxy, told by its HTTP API (<https://github.com/Shopify/toxiproxy#http-api>).

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::eventually;
use crate::plan::{Harm, Step, Way};
use crate::servers::{Servers, repository};

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    ApiServer,
    OpenSearch,
}

impl Link {
    const ALL: [Link; 2] = [Link::ApiServer, Link::OpenSearch];

    fn name(self) -> &'static str {
        match self {
            Link::ApiServer => "api-server",
            Link::OpenSearch => "opensearch",
        }
    }
}

pub(crate) struct Links {
    toxiproxy: Child,
    control: String,
    client: reqwest::Client,
    listens: Vec<(Link, String)>,
    harms: AtomicU64,
}

impl Links {
    pub(crate) async fn start(servers: &Servers) -> Links {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(servers.log("toxiproxy")).unwrap();
        let toxiproxy = Command::new(toxiproxy_server())
            .args(["-host", "127.0.0.1", "-port", &port.to_string()])
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        servers.adopt("toxiproxy", toxiproxy.id());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let control = format!("http://127.0.0.1:{port}");
        let mut links = Links { toxiproxy, control, client, listens: Vec::new(), harms: AtomicU64::new(0) };
        eventually("toxiproxy answers", async || {
            links.client.get(format!("{}/version", links.control)).send().await.ok()
        })
        .await;
        for link in Link::ALL {
            let upstream = match link {
                Link::ApiServer => servers.api_server().trim_start_matches("https://"),
                Link::OpenSearch => servers.opensearch().trim_start_matches("http://"),
            };
            let proxy = json!({"name": link.name(), "listen": "127.0.0.1:0", "upstream": upstream});
            let made = links.post("/proxies", proxy).await;
            links.listens.push((link, made["listen"].as_str().unwrap().to_owned()));
        }
        links
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self, link: Link) -> &str {
        &self.listens.iter().find(|(other, _)| *other == link).unwrap().1
    }

    /// How often anything was done to a link.
    pub(crate) fn harms(&self) -> u64 {
        self.harms.load(Ordering::Relaxed)
    }

    /// Begins what [`heal`](Links::heal) ends.
    pub(crate) async fn harm(&self, link: Link, step: &Step<Harm>) {
        self.harms.fetch_add(1, Ordering::Relaxed);
        let between = |low: u64, high: u64| low + step.dice % (high - low);
        match step.fault {
            Harm::Cut | Harm::CutAndCompact => self.enable(link, false).await,
            // Nothing passes, and when it ends the connection does, too: TCP loses nothing in mid-stream.
            Harm::Stall(way) => self.toxic(link, way, "timeout", json!({"timeout": 0})).await,
            Harm::Slow(way) => self.toxic(link, way, "bandwidth", json!({"rate": between(8, 64)})).await,
            Harm::Truncate(way) => {
                self.toxic(link, way, "limit_data", json!({"bytes": between(0, 40_000)})).await;
            }
            Harm::Reset(way) => {
                self.toxic(link, way, "reset_peer", json!({"timeout": between(0, 400)})).await
            }
            Harm::Slice(way) => {
                let size = between(16, 900);
                let pieces = json!({"average_size": size, "size_variation": size / 2, "delay": 100});
                self.toxic(link, way, "slicer", pieces).await;
            }
        }
    }

    async fn toxic(&self, link: Link, way: Way, kind: &str, attributes: Value) {
        let stream = match way {
            Way::ToServer => "upstream",
            Way::ToClient => "downstream",
        };
        let toxic = json!({"name": "harm", "type": kind, "stream": stream, "attributes": attributes});
        self.post(&format!("/proxies/{}/toxics", link.name()), toxic).await;
    }

    async fn enable(&self, link: Link, enabled: bool) {
        self.post(&format!("/proxies/{}", link.name()), json!({"enabled": enabled})).await;
    }

    pub(crate) async fn heal(&self, link: Link, step: &Step<Harm>) {
        match step.fault {
            Harm::Cut | Harm::CutAndCompact => self.enable(link, true).await,
            _ => {
                let url = format!("{}/proxies/{}/toxics/harm", self.control, link.name());
                let answer = self.client.delete(url).send().await.unwrap();
                assert!(answer.status().is_success(), "toxiproxy: {answer:?}");
            }
        }
    }

    /// Ends every connection: what is stuck on one need not be waited for.
    pub(crate) async fn renew(&self) {
        for link in Link::ALL {
            self.enable(link, false).await;
            self.enable(link, true).await;
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.control);
        let answer = self.client.post(url).body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "toxiproxy: {path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        let _ = self.toxiproxy.kill();
        let _ = self.toxiproxy.wait();
    }
}

/// What `tests/env/setup.sh toxiproxy` has built.
fn toxiproxy_server() -> String {
    let lib = repository().join("tests/env/lib.sh");
    let output =
        Command::new("bash").args(["-c", ". \"$1\" && toxiproxy_server", "-"]).arg(lib).output().unwrap();
    let path = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(std::path::Path::new(&path).exists(), "no {path}: run tests/env/setup.sh toxiproxy");
    path
}
