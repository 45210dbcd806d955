//! `make bench-bulk`: how near weir comes to what OpenSearch takes at all.
//!
//! In each round the same N documents go twice into an empty index of the same mapping, each first
//! in every other round: once by weir, from a file and without stages (reading, parsing, encoding,
//! compressing and starting included), and once by a client that only sends: its requests are built
//! and compressed beforehand, of weir's size, as many at once as weir has. The answer is the
//! ratio of the two rates, in one run.
//!
//! Usage: `WEIR_TEST_OPENSEARCH_URL=… cargo bench --bench bulk -- [--events N] [--rounds N]`

mod common;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// The size of one request, and how many are sent at once: as the sink does it
/// (`src/sink/opensearch/scheduler/mod.rs`).
const REQUEST_BYTES_MAX: usize = 1 << 20;
const IN_FLIGHT_MAX: usize = 4;
/// The events' year makes the index's name, so that weir's template is for this index and for no
/// other.
const PATTERN: &str = "weir-bench-bulk-{yyyy}";
const INDEX: &str = "weir-bench-bulk-2026";

#[tokio::main]
async fn main() {
    weir::internals::tls::install_crypto_provider();
    let url =
        std::env::var("WEIR_TEST_OPENSEARCH_URL").expect("WEIR_TEST_OPENSEARCH_URL names a server");
    let (events, rounds) = options();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let input = folder.path().join("events.jsonl");
    common::write_events(&input, events);
    let target = Target { http: reqwest::Client::new(), url };

    target.delete_index().await;
    // Not counted: it installs the template, and warms the server up.
    by_weir(folder.path(), &input, &target, events).await;
    let bodies = ready_made(&documents(folder.path(), &input));
    let requests = bodies.len();
    ready(&bodies, &target, events).await;

    println!("{events} documents, {requests} ready-made requests; documents a second\n");
    println!(
        "{:>8}{:>12}{:>12}{:>10}{:>22}",
        "round", "weir", "ready-made", "ratio", "weir, CPU µs each"
    );
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        // Who is the second finds the server warmer.
        let mut ready_made = None;
        if round % 2 == 0 {
            ready_made = Some(ready(&bodies, &target, events).await);
        }
        let before = common::cpu_of_children();
        let weir = by_weir(folder.path(), &input, &target, events).await;
        let cpu = common::cpu_of_children() - before;
        let ready = match ready_made {
            Some(time) => time,
            None => ready(&bodies, &target, events).await,
        };
        let rate = |time: Duration| events as f64 / time.as_secs_f64();
        ratios.push(rate(weir) / rate(ready));
        println!(
            "{round:>8}{:>12.0}{:>12.0}{:>10.3}{:>22.1}",
            rate(weir),
            rate(ready),
            rate(weir) / rate(ready),
            cpu.as_secs_f64() * 1e6 / events as f64
        );
    }
    target.delete_index().await;
    ratios.sort_by(f64::total_cmp);
    println!("\nmedian of the ratios: {:.3} (to reach: 0.95)", ratios[ratios.len() / 2]);
}

fn options() -> (usize, usize) {
    let (mut events, mut rounds) = (300_000, 7);
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    for pair in args.chunks(2) {
        let value = pair.get(1).and_then(|v| v.parse().ok()).expect("each option takes a number");
        match pair[0].as_str() {
            "--events" => events = value,
            "--rounds" => rounds = value,
            other => panic!("unknown option {other}: --events N and --rounds N are known"),
        }
    }
    (events, rounds)
}

struct Target {
    http: reqwest::Client,
    url: String,
}

impl Target {
    async fn delete_index(&self) {
        let url = format!("{}/{INDEX}?ignore_unavailable=true", self.url);
        let answer = self.http.delete(url).send().await.expect("OpenSearch answers");
        assert!(answer.status().is_success(), "the index can be deleted: {}", answer.status());
    }

    async fn bulk(&self, body: Vec<u8>) {
        let request = self.http.post(format!("{}/_bulk?filter_path=items.*.status", self.url));
        let request = request
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "gzip");
        let answer = request.body(body).send().await.expect("OpenSearch answers");
        assert!(answer.status().is_success(), "OpenSearch takes the request: {}", answer.status());
        let _ = answer.bytes().await.expect("the answer is whole");
    }

    /// All must be there, or the rate is of something else.
    async fn assert_stored(&self, events: usize) {
        let refresh = format!("{}/{INDEX}/_refresh", self.url);
        self.http.post(refresh).send().await.expect("OpenSearch answers");
        let count = self.http.get(format!("{}/{INDEX}/_count", self.url)).send().await;
        let text = count.expect("OpenSearch answers").text().await.expect("the answer is whole");
        let count: Value = serde_json::from_str(&text).expect("the answer is JSON");
        assert_eq!(count["count"], events, "{text}");
    }
}

/// weir's time for all of them, from the start of the process to its end.
async fn by_weir(folder: &Path, input: &Path, target: &Target, events: usize) -> Duration {
    target.delete_index().await;
    let sink =
        format!("kind = \"opensearch\"\nhosts = [{:?}]\nindex = \"{PATTERN}\"\n", target.url);
    let time = weir(folder, input, &sink);
    target.assert_stored(events).await;
    time
}

fn weir(folder: &Path, input: &Path, sink: &str) -> Duration {
    let config = folder.join("pipeline.toml");
    let text =
        format!("name = \"bench\"\n[source]\nkind = \"file\"\npath = {input:?}\n[sink]\n{sink}");
    std::fs::write(&config, text).expect("the configuration can be written");
    let begin = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    let status = command.args(["run", "--config"]).arg(&config).stderr(Stdio::null()).status();
    assert!(
        status.expect("weir can be started").success(),
        "weir failed: run it by hand with\n{sink}"
    );
    begin.elapsed()
}

/// The documents as weir makes them.
fn documents(folder: &Path, input: &Path) -> String {
    let output = folder.join("documents.ndjson");
    weir(folder, input, &format!("kind = \"file\"\npath = {output:?}\n"));
    std::fs::read_to_string(output).expect("weir has written its documents")
}

fn ready_made(documents: &str) -> Vec<Vec<u8>> {
    let (mut bodies, mut body, mut bytes) = (Vec::new(), Vec::new(), 0);
    for document in documents.lines() {
        if bytes + document.len() > REQUEST_BYTES_MAX {
            bodies.push(compressed(&std::mem::take(&mut body)));
            bytes = 0;
        }
        bytes += document.len();
        let object: Value = serde_json::from_str(document).expect("a document is JSON");
        let id = |member: &str| {
            object["metadata"][member].as_str().expect("the events have both").to_owned()
        };
        let (uid, version) = (id("uid"), id("resourceVersion"));
        let action =
            format!("{{\"create\":{{\"_index\":\"{INDEX}\",\"_id\":\"{uid}.{version}\"}}}}\n");
        body.extend([action.as_bytes(), document.as_bytes(), b"\n"].concat());
    }
    bodies.push(compressed(&body));
    bodies
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(body).and_then(|()| out.finish()).expect("memory can be written to")
}

/// The time to send all of them and read the answers.
async fn ready(bodies: &[Vec<u8>], target: &Target, events: usize) -> Duration {
    target.delete_index().await;
    let waiting = Arc::new(Mutex::new(bodies.to_vec()));
    let begin = Instant::now();
    let send = || async {
        loop {
            let next = waiting.lock().unwrap_or_else(|e| e.into_inner()).pop();
            let Some(body) = next else { return };
            target.bulk(body).await;
        }
    };
    futures_util::future::join_all((0..IN_FLIGHT_MAX).map(|_| send())).await;
    let time = begin.elapsed();
    target.assert_stored(events).await;
    time
}
