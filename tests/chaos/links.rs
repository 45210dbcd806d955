//! The connections that fail: through toxiproxy, controlled by its HTTP API
//! (<https://github.com/Shopify/toxiproxy#http-api>).

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::eventually;
use crate::plan::{Cut, Harm, Step, Way};
use crate::servers::{Servers, repository};

/// A link to one of the two servers: shared by all replicas, or one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    ApiServer,
    OpenSearch,
}

struct Proxy {
    link: Link,
    name: String,
    /// `127.0.0.1:PORT`
    listen: String,
    /// How many faults keep it closed right now.
    closed_by: tokio::sync::Mutex<u32>,
}

/// The toxic of a [`Harm`].
const HARM: &str = "harm";

pub(crate) struct Links {
    toxiproxy: Child,
    control: String,
    client: reqwest::Client,
    /// First those to the API server, by replica.
    proxies: Vec<Proxy>,
    harms: AtomicU64,
    cuts: AtomicU64,
}

impl Links {
    pub(crate) async fn start(servers: &Servers, replicas: usize) -> Links {
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
        let (harms, cuts) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut links = Links { toxiproxy, control, client, proxies: Vec::new(), harms, cuts };
        eventually("toxiproxy answers", async || {
            links.client.get(format!("{}/version", links.control)).send().await.ok()
        })
        .await;
        let to_api_server = servers.api_server().trim_start_matches("https://");
        for replica in 0..replicas {
            links.add(Link::ApiServer, format!("api-server-{replica}"), to_api_server).await;
        }
        let to_opensearch = servers.opensearch().trim_start_matches("http://");
        links.add(Link::OpenSearch, "opensearch".to_owned(), to_opensearch).await;
        links
    }

    async fn add(&mut self, link: Link, name: String, upstream: &str) {
        let proxy = json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream});
        let made = self.post("/proxies", proxy).await;
        let listen = made["listen"].as_str().unwrap().to_owned();
        self.proxies.push(Proxy { link, name, listen, closed_by: tokio::sync::Mutex::new(0) });
    }

    fn of(&self, link: Link) -> impl Iterator<Item = &Proxy> {
        self.proxies.iter().filter(move |proxy| proxy.link == link)
    }

    /// `127.0.0.1:PORT` of the API server, for this replica.
    pub(crate) fn api_server(&self, replica: usize) -> &str {
        &self.proxies[replica].listen
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn opensearch(&self) -> &str {
        &self.of(Link::OpenSearch).next().unwrap().listen
    }

    /// How many faults were injected into links.
    pub(crate) fn harms(&self) -> u64 {
        self.harms.load(Ordering::Relaxed)
    }

    /// How often a single replica was cut off from the API server.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Cuts a replica off from the API server, until [`mend`](Links::mend).
    pub(crate) async fn cut(&self, replica: usize, cut: Cut) {
        self.cuts.fetch_add(1, Ordering::Relaxed);
        let proxy = &self.proxies[replica];
        match cut {
            Cut::Refused => self.close(proxy).await,
            Cut::Silent => {
                for way in [Way::ToServer, Way::ToClient] {
                    self.toxic(proxy, &cut_name(way), way, "timeout", json!({"timeout": 0})).await;
                }
            }
        }
    }

    pub(crate) async fn mend(&self, replica: usize, cut: Cut) {
        let proxy = &self.proxies[replica];
        match cut {
            Cut::Refused => self.open(proxy).await,
            Cut::Silent => {
                for way in [Way::ToServer, Way::ToClient] {
                    self.remove(proxy, &cut_name(way)).await;
                }
            }
        }
    }

    /// Harms a link, until [`heal`](Links::heal).
    pub(crate) async fn harm(&self, link: Link, step: &Step<Harm>) {
        self.harms.fetch_add(1, Ordering::Relaxed);
        for proxy in self.of(link) {
            self.harm_one(proxy, step).await;
        }
    }

    async fn harm_one(&self, proxy: &Proxy, step: &Step<Harm>) {
        let between = |low: u64, high: u64| low + step.dice % (high - low);
        match step.fault {
            Harm::Cut | Harm::CutAndCompact => self.close(proxy).await,
            // Nothing gets through, and the connection is closed at the end: TCP does not lose
            // bytes in mid-stream.
            Harm::Stall(way) => {
                self.toxic(proxy, HARM, way, "timeout", json!({"timeout": 0})).await
            }
            Harm::Slow(way) => {
                self.toxic(proxy, HARM, way, "bandwidth", json!({"rate": between(8, 64)})).await
            }
            Harm::Truncate(way) => {
                self.toxic(proxy, HARM, way, "limit_data", json!({"bytes": between(0, 40_000)}))
                    .await;
            }
            Harm::Reset(way) => {
                self.toxic(proxy, HARM, way, "reset_peer", json!({"timeout": between(0, 400)}))
                    .await
            }
            Harm::Slice(way) => {
                let size = between(16, 900);
                let pieces =
                    json!({"average_size": size, "size_variation": size / 2, "delay": 100});
                self.toxic(proxy, HARM, way, "slicer", pieces).await;
            }
        }
    }

    async fn toxic(&self, proxy: &Proxy, name: &str, way: Way, kind: &str, attributes: Value) {
        let stream = match way {
            Way::ToServer => "upstream",
            Way::ToClient => "downstream",
        };
        let toxic = json!({"name": name, "type": kind, "stream": stream, "attributes": attributes});
        self.post(&format!("/proxies/{}/toxics", proxy.name), toxic).await;
    }

    async fn remove(&self, proxy: &Proxy, name: &str) {
        let url = format!("{}/proxies/{}/toxics/{name}", self.control, proxy.name);
        let answer = self.client.delete(url).send().await.unwrap();
        assert!(answer.status().is_success(), "toxiproxy: {answer:?}");
    }

    /// Two faults may overlap: it stays closed until both are over.
    async fn close(&self, proxy: &Proxy) {
        let mut closed_by = proxy.closed_by.lock().await;
        *closed_by += 1;
        if *closed_by == 1 {
            self.enable(proxy, false).await;
        }
    }

    async fn open(&self, proxy: &Proxy) {
        let mut closed_by = proxy.closed_by.lock().await;
        *closed_by -= 1;
        if *closed_by == 0 {
            self.enable(proxy, true).await;
        }
    }

    async fn enable(&self, proxy: &Proxy, enabled: bool) {
        self.post(&format!("/proxies/{}", proxy.name), json!({"enabled": enabled})).await;
    }

    pub(crate) async fn heal(&self, link: Link, step: &Step<Harm>) {
        for proxy in self.of(link) {
            match step.fault {
                Harm::Cut | Harm::CutAndCompact => self.open(proxy).await,
                _ => self.remove(proxy, HARM).await,
            }
        }
    }

    /// Closes every connection, so that nothing stays stuck on one.
    pub(crate) async fn renew(&self) {
        for proxy in &self.proxies {
            self.enable(proxy, false).await;
            self.enable(proxy, true).await;
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

fn cut_name(way: Way) -> String {
    format!("cut-{way:?}")
}

/// What `tests/env/setup.sh toxiproxy` has built.
fn toxiproxy_server() -> String {
    let lib = repository().join("tests/env/lib.sh");
    let output = Command::new("bash")
        .args(["-c", ". \"$1\" && toxiproxy_server", "-"])
        .arg(lib)
        .output()
        .unwrap();
    let path = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(std::path::Path::new(&path).exists(), "no {path}: run tests/env/setup.sh toxiproxy");
    path
}
