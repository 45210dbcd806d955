//! Writes events at a steady rate, straight to the API server, and remembers the writes that were
//! acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Namespace};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::servers::Servers;

pub(crate) const NAMESPACES: [&str; 3] = ["chaos-a", "chaos-b", "chaos-c"];
/// Created before anything fails: a list then has more than one page.
const FIRST_EVENTS: usize = 250;
/// How many of the newest events are updated: few, so that versions are overwritten soon.
const HOT_EVENTS: usize = 12;
/// While it restarts, the API server takes connections and does not answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A write that the API server has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) uid: String,
    pub(crate) version: u64,
}

pub(crate) async fn make_namespaces(servers: &Servers) {
    let namespaces: Api<Namespace> = Api::all(servers.client().await);
    for name in NAMESPACES {
        let object = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        namespaces.create(&PostParams::default(), &object).await.unwrap();
    }
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<Written>>>,
}

impl Load {
    /// One writer a namespace, so that no two write to one event.
    pub(crate) async fn begin(servers: &Servers, writes_per_second: u32) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let pause = Duration::from_secs(NAMESPACES.len() as u64) / writes_per_second;
        let client = servers.client().await;
        let mut writers = Vec::new();
        for namespace in NAMESPACES {
            let (client, stop) = (client.clone(), stop.clone());
            let mut writer = Writer::new(client, namespace);
            writer.begin().await;
            writers.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let next = tokio::time::Instant::now() + pause;
                    writer.write().await;
                    tokio::time::sleep_until(next).await;
                }
                writer.written
            }));
        }
        Load { stop, writers }
    }

    /// Everything that was acknowledged.
    pub(crate) async fn end(self) -> Vec<Written> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for writer in self.writers {
            all.extend(writer.await.unwrap());
        }
        all
    }
}

struct Writer {
    events: Api<Event>,
    namespace: &'static str,
    /// Names of the newest ones.
    hot: VecDeque<String>,
    number: u64,
    written: Vec<Written>,
}

impl Writer {
    fn new(client: Client, namespace: &'static str) -> Writer {
        let events = Api::namespaced(client, namespace);
        Writer { events, namespace, hot: VecDeque::new(), number: 0, written: Vec::new() }
    }

    async fn begin(&mut self) {
        for _ in 0..FIRST_EVENTS {
            self.create().await;
        }
    }

    async fn write(&mut self) {
        match fastrand::u32(0..100) {
            0..35 => self.create().await,
            35..92 => self.update().await,
            _ => self.delete().await,
        }
    }

    async fn create(&mut self) {
        self.number += 1;
        let name = format!("event-{}", self.number);
        let event: Event = serde_json::from_value(self.body(&name)).unwrap();
        let parameters = PostParams::default();
        let answer =
            tokio::time::timeout(REQUEST_TIMEOUT, self.events.create(&parameters, &event)).await;
        self.hot.push_back(name);
        if self.hot.len() > HOT_EVENTS {
            self.hot.pop_front();
        }
        self.note(answer).await;
    }

    async fn update(&mut self) {
        let Some(name) = self.any() else { return self.create().await };
        self.number += 1;
        let patch = Patch::Merge(json!({
            "count": self.number, "message": message(self.namespace, self.number), "lastTimestamp": some_time(),
        }));
        let parameters = PatchParams::default();
        let answer =
            tokio::time::timeout(REQUEST_TIMEOUT, self.events.patch(&name, &parameters, &patch))
                .await;
        self.note(answer).await;
    }

    async fn delete(&mut self) {
        let Some(name) = self.any() else { return };
        self.hot.retain(|other| *other != name);
        // Whether it was answered does not matter: the reference sees it.
        let parameters = DeleteParams::default();
        let _ = tokio::time::timeout(REQUEST_TIMEOUT, self.events.delete(&name, &parameters)).await;
    }

    fn any(&self) -> Option<String> {
        fastrand::choice(&self.hot).cloned()
    }

    /// A write without an answer may be there or not: the reference knows.
    async fn note(&mut self, answer: Result<kube::Result<Event>, tokio::time::error::Elapsed>) {
        match answer {
            Ok(Ok(event)) => self.written.push(Written {
                uid: event.metadata.uid.unwrap(),
                version: event.metadata.resource_version.unwrap().parse().unwrap(),
            }),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {}
            // The API server is away: the rate is not what matters then.
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }

    /// A third is Normal and filtered, but for those that `keep_reasons` keeps; some have a GPU's
    /// words.
    fn body(&self, name: &str) -> Value {
        let (kind, reason) = match self.number % 6 {
            0 => ("Normal", "Pulled"),
            1 => ("Normal", "Killing"),
            2 => ("Warning", "FailedScheduling"),
            _ => ("Warning", "BackOff"),
        };
        json!({
            "metadata": {"name": name},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": self.namespace,
                "name": format!("pod-{}", self.number % 40), "uid": format!("uid-{}", self.number % 40)},
            "type": kind, "reason": reason, "message": message(self.namespace, self.number),
            "count": self.number, "firstTimestamp": some_time(), "lastTimestamp": some_time(),
            "source": {"component": "kubelet", "host": "node-1"},
        })
    }
}

/// Different each time. Some are large, so that batches and records are of many sizes, and an
/// outage fills weir's memory.
fn message(namespace: &str, number: u64) -> String {
    let filler = match fastrand::u32(0..10) {
        0 => fastrand::usize(40_000..100_000),
        1..8 => fastrand::usize(0..600),
        _ => 0,
    };
    let filler = "x".repeat(filler);
    format!(
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. ({namespace} {number}) {filler}"
    )
}

/// Within the last 23 hours, so that the documents of one event are in several indices.
fn some_time() -> String {
    let back = jiff::SignedDuration::from_secs(fastrand::i64(0..23 * 3600));
    jiff::Timestamp::now().checked_sub(back).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
