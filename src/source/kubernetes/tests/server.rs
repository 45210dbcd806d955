//! An API server of the scenarios: it answers what its script says, one answer a request.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::Instant;

use self::Answer::*;
use self::Part::*;

/// One answer.
pub(super) enum Answer {
    /// A page: its version, the next page's token, its items as (name, version).
    Page(&'static str, &'static str, &'static [(&'static str, &'static str)]),
    /// A watch.
    Watch(Vec<Part>),
    /// Another status, with `Retry-After` in seconds.
    Status(u16, Option<u32>, &'static str),
    /// A body as it is.
    Raw(String),
    /// Connecting fails.
    Refuses,
    /// Nothing, for ever.
    Hangs,
}

/// Part of a watch.
pub(super) enum Part {
    Added(&'static str, &'static str),
    Line(String),
    After(Duration),
    Breaks,
    StaysOpen,
}

pub(super) fn expired() -> String {
    let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}"#;
    frame("ERROR", status)
}

pub(super) fn frame(kind: &str, object: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

pub(super) fn members(name: &str, version: &str) -> String {
    format!(
        r#""metadata":{{"name":"{name}","namespace":"ns","uid":"u-{name}","resourceVersion":"{version}"}},"involvedObject":{{"kind":"Pod","namespace":"ns","name":"p"}},"reason":"R","message":"m","type":"Normal""#
    )
}

pub(super) fn event(name: &str, version: &str) -> String {
    format!(r#"{{"kind":"Event","apiVersion":"v1",{}}}"#, members(name, version))
}

pub(super) fn list(version: &str, next: &str, items: &[(&str, &str)]) -> String {
    let items: Vec<String> =
        items.iter().map(|(name, version)| format!("{{{}}}", members(name, version))).collect();
    format!(
        r#"{{"kind":"EventList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{}]}}"#,
        items.join(",")
    )
}

/// The server's side: answers by the script, and writes down when it was asked what.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) script: Arc<Mutex<VecDeque<Answer>>>,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    pub(super) started: Instant,
    /// The next question for its identity is answered with 200, and then with nothing.
    pub(super) identity_stalls: Arc<AtomicBool>,
}

impl Server {
    pub(super) async fn answer(self, uri: http::Uri) -> Response {
        if uri.path() == "/api/v1/namespaces/kube-system" {
            let stalls = self.identity_stalls.swap(false, Ordering::Relaxed);
            // Each scenario begins behind this question: nobody may say which cluster it is.
            return match stalls {
                true => Response::builder().status(200).body(stream_of(vec![StaysOpen])).unwrap(),
                false => Response::builder().status(403).body(Body::empty()).unwrap(),
            };
        }
        let query = uri.query().unwrap_or("").trim_start_matches('&').to_owned();
        // The watch's own timeout is random.
        let query = query
            .split('&')
            .filter(|pair| !pair.starts_with("timeoutSeconds"))
            .collect::<Vec<_>>()
            .join("&");
        let at = self.started.elapsed().as_secs();
        self.asked.lock().unwrap().push(format!("{at:>3} s  {}?{query}", uri.path()));
        let answer = self.script.lock().unwrap().pop_front();
        let respond = |status: u16| Response::builder().status(status);
        match answer.unwrap_or(Hangs) {
            Page(version, next, items) => {
                respond(200).body(Body::from(list(version, next, items))).unwrap()
            }
            Raw(body) => respond(200).body(Body::from(body)).unwrap(),
            Watch(parts) => respond(200).body(stream_of(parts)).unwrap(),
            Status(status, retry_after, message) => {
                let mut response = respond(status);
                if let Some(seconds) = retry_after {
                    response = response.header("retry-after", seconds.to_string());
                }
                response.body(Body::from(message)).unwrap()
            }
            // The nearest to it that a service can do: an answer that breaks at its first byte.
            Refuses => respond(200).body(stream_of(vec![Breaks])).unwrap(),
            Hangs => std::future::pending().await,
        }
    }
}

pub(super) fn stream_of(parts: Vec<Part>) -> Body {
    Body::from_stream(stream::unfold(VecDeque::from(parts), |mut parts| async move {
        loop {
            let bytes = match parts.pop_front()? {
                Added(name, version) => frame("ADDED", &event(name, version)),
                Line(line) => line,
                After(time) => {
                    tokio::time::sleep(time).await;
                    continue;
                }
                Breaks => return Some((Err(std::io::Error::other("connection reset")), parts)),
                StaysOpen => std::future::pending().await,
            };
            return Some((Ok(Bytes::from(bytes)), parts));
        }
    }))
}
