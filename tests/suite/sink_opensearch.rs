//! The OpenSearch sink against a real node: `make test` starts one and sets
//! `WEIR_TEST_OPENSEARCH_URL`. Each test has an index of its own.

use serde_json::{Value, json};
use weir::internals::buffer::{self, Writer};
use weir::internals::dead_letter::{self, DeadLetters};
use weir::internals::event::{Document, DocumentIdentity, Documents, Origin};
use weir::internals::handoff::Outbox;
use weir::internals::ledger::{Ledger, Snapshot};
use weir::internals::opensearch;
use weir::internals::position::Keeper;
use weir::internals::process::Process;
use weir::internals::shutdown::Shutdown;
use weir::internals::sink::{
    self, DateFormat, Duplicates, IndexPattern, LastTimestamp, Mode, OpenSearchSettings, Settings,
    Setup, SinkError, Template,
};

use crate::support::{DEADLINE, Search, unique};

/// One test's index, pipeline's end and dead letters.
struct Bench {
    /// The index, or what the names of the indices begin with.
    search: Search,
    settings: OpenSearchSettings,
    folder: tempfile::TempDir,
    process: Process,
    dead_letters: DeadLetters,
}

/// A buffer without a disk.
fn in_memory(process: &Process) -> (Writer, buffer::Reader) {
    let (writer, reader, _) = buffer::open(&buffer::Settings::default(), process).unwrap();
    (writer, reader)
}

impl Bench {
    fn new(name: &str, date: Option<DateFormat>, mode: Mode) -> Bench {
        let dash = if date.is_some() { "-" } else { "" };
        let prefix = format!("{}{dash}", unique(&format!("weir-test-{name}")));
        let search = Search::shared().other(&prefix);
        let settings = OpenSearchSettings {
            connection: opensearch::Settings {
                hosts: vec![search.url.clone()],
                ..Default::default()
            },
            index: IndexPattern { prefix, date, suffix: String::new() },
            mode,
            template: Template::Install,
            duplicates: Duplicates::Forbid,
            setup: Setup::Off,
            last_timestamp: LastTimestamp::AsIs,
        };
        let folder = tempfile::tempdir().unwrap();
        let letters = dead_letter::LetterStore::Folder(folder.path().to_owned());
        let process = Process::new(Ledger::default(), Shutdown::default()).unwrap();
        let Process { ledger, health, shutdown, .. } = &process;
        let dead_letters = DeadLetters::open(Some(&letters), ledger, health, shutdown).unwrap();
        Bench { search, settings, folder, process, dead_letters }
    }

    /// Sends these to their end: uid, version and document.
    async fn store(&self, docs: &[(&str, &str, Value)]) -> Snapshot {
        let (writer, reader) = in_memory(&self.process);
        self.put(&writer, docs);
        drop(writer);
        let settings = Settings::OpenSearch(self.settings.clone());
        let run = self.sink(&settings, reader);
        tokio::time::timeout(DEADLINE, run).await.expect("the sink ends").unwrap();
        let snapshot = self.process.ledger.snapshot();
        assert!(snapshot.is_balanced() && snapshot.in_flight == 0, "{snapshot:?}");
        snapshot
    }

    async fn sink(&self, settings: &Settings, inbox: buffer::Reader) -> Result<(), SinkError> {
        let (dead_letters, process) = (self.dead_letters.clone(), self.process.clone());
        sink::run(settings, inbox, dead_letters, Keeper::default(), process).await
    }

    fn put(&self, writer: &Writer, docs: &[(&str, &str, Value)]) {
        let mut documents = Documents::default();
        for (uid, version, body) in docs {
            let mut put = |text: &str| {
                let start = documents.bytes.len();
                documents.bytes.extend_from_slice(text.as_bytes());
                start..start + text.len()
            };
            let body = put(&body.to_string());
            let identity = DocumentIdentity::Object { uid: put(uid), version: put(version) };
            let origin = Origin::Whole(body.clone());
            documents.docs.push(Document {
                body,
                origin,
                identity: Some(identity),
                index_time: 1_760_000_000_000_000,
                event_time: Some(1_760_000_000_000_000),
            });
        }
        writer.put(documents, self.process.ledger.receive(docs.len() as u64)).unwrap();
    }

    async fn ask(&self, method: http::Method, path: &str, body: Value) -> Value {
        self.search.ask(method, path, Some(body)).await.1
    }

    /// How many documents of the test's indices match.
    async fn count(&self, query: Value) -> u64 {
        let index = format!("{}*", self.settings.index.prefix);
        self.ask(http::Method::POST, &format!("{index}/_refresh"), json!({})).await;
        let query = json!({ "query": query });
        let answer = self.ask(http::Method::POST, &format!("{index}/_count"), query).await;
        answer["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// How many documents are in all indices behind the data stream or alias.
    async fn count_behind_name(&self) -> u64 {
        let name = &self.settings.index.prefix;
        self.ask(http::Method::POST, &format!("{name}/_refresh"), json!({})).await;
        let answer = self.ask(http::Method::POST, &format!("{name}/_count"), json!({})).await;
        answer["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    fn dead_letters(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("00000001.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn event(reason: &str) -> Value {
    json!({
        "@timestamp": "2025-10-09T08:53:20.123456Z",
        "clusterName": "test-eu-1",
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": "web-0.17f", "namespace": "shop-front", "uid": "u", "resourceVersion": "1",
            "creationTimestamp": "2025-10-09T08:53:20Z",
            "labels": { "app.kubernetes.io/name": "web", "app": "web", "app.kubernetes.io": "x" },
            "annotations": { "big": "x".repeat(40_000), "a..b": "", "": "1" },
        },
        "involvedObject": { "kind": "Pod", "namespace": "shop-front", "name": "web-0", "labels": { "app": "web" } },
        "type": "Warning",
        "reason": reason,
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        "firstTimestamp": null,
        "lastTimestamp": null,
        "eventTime": "2025-10-09T08:53:20.123456Z",
        "count": 3,
        "source": {},
        "gpu": { "cause": "unschedulable" },
        "tags": ["gpu-failure"],
    })
}

/// One that needs no template of weir's: its labels would not fit together in a dynamic mapping.
fn plain(reason: &str) -> Value {
    let mut event = event(reason);
    event["metadata"] = json!({ "name": "web-0.17f", "creationTimestamp": "2025-10-09T08:53:20Z" });
    event
}

#[tokio::test]
async fn a_version_is_stored_once_however_often_it_is_sent() {
    let bench = Bench::new("once", Some(DateFormat::Day), Mode::History);
    let docs =
        [("a", "1", event("Killing")), ("a", "2", event("Killing")), ("b", "1", event("Failed"))];
    assert_eq!(bench.store(&docs).await.delivered, [3, 0, 0, 0]);
    assert_eq!(bench.store(&docs).await.delivered, [3, 3, 0, 0]);
    assert_eq!(bench.count(json!({ "match_all": {} })).await, 3);
    assert!(bench.process.health.readiness().ok);
}

#[tokio::test]
async fn latest_keeps_the_newest_version_in_whatever_order_they_come() {
    let bench = Bench::new("latest", None, Mode::Latest);
    bench.store(&[("a", "5", event("First"))]).await;
    let snapshot = bench.store(&[("a", "7", event("Newest")), ("b", "9", event("Other"))]).await;
    assert_eq!(snapshot.delivered, [3, 0, 0, 0]);
    assert_eq!(
        bench.store(&[("a", "6", event("Late")), ("a", "7", event("Newest"))]).await.delivered[2],
        2
    );
    assert_eq!(bench.count(json!({ "term": { "reason.keyword": "Newest" } })).await, 1);
    assert_eq!(bench.count(json!({ "match_all": {} })).await, 2);
}

#[tokio::test]
async fn one_refused_document_is_dead_lettered_alone() {
    let bench = Bench::new("refused", Some(DateFormat::Day), Mode::History);
    let mut bad = event("Bad");
    bad["involvedObject"] = json!("an object by the template");
    let snapshot = bench
        .store(&[("a", "1", event("Good")), ("b", "1", bad.clone()), ("c", "1", event("Good"))])
        .await;
    assert_eq!(snapshot.delivered, [2, 0, 0, 0]);
    assert_eq!(snapshot.dead_lettered, [(("sink".to_owned(), "mapping".to_owned()), 1)]);
    let letters = bench.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["document"], bad);
    let detail = letters[0]["detail"].as_str().unwrap();
    assert!(detail.contains("object mapping for [involvedObject] tried to parse"), "{detail}");
}

#[tokio::test]
async fn dashboards_made_for_dynamic_mapping_work_on_the_template() {
    let bench = Bench::new("template", Some(DateFormat::Month), Mode::History);
    let mut odd = event("FailedScheduling");
    odd["count"] = json!("many");
    odd["lastTimestamp"] = json!("yesterday");
    odd["series"] = json!({ "count": 2, "lastObservedTime": "2025-10-09T08:53:20.123456Z" });
    let snapshot = bench.store(&[("a", "1", event("FailedScheduling")), ("b", "1", odd)]).await;
    assert_eq!(
        snapshot.delivered[0], 2,
        "a value that does not parse is no reason to refuse a document"
    );
    let both = [
        json!({ "term": { "reason.keyword": "FailedScheduling" } }),
        json!({ "term": { "metadata.namespace.keyword": "shop-front" } }),
        json!({ "match_phrase": { "message": "nodes are available" } }),
        json!({ "match_phrase": { "type": "warning" } }),
        json!({ "term": { "clusterName": "test-eu-1" } }),
        json!({ "term": { "clusterName.keyword": "test-eu-1" } }),
        json!({ "term": { "gpu.cause": "unschedulable" } }),
        json!({ "term": { "gpu.cause.keyword": "unschedulable" } }),
        json!({ "term": { "tags.keyword": "gpu-failure" } }),
        json!({ "term": { "metadata.labels.app.kubernetes.io/name": "web" } }),
        json!({ "term": { "involvedObject.labels.app": "web" } }),
        json!({ "query_string": { "query": "involvedObject.name:web AND reason:FailedScheduling" } }),
        json!({ "range": { "@timestamp": { "gte": "2025-10-09T08:53:20.123Z", "lt": "2025-10-09T08:53:20.124Z" } } }),
    ];
    for query in both {
        assert_eq!(bench.count(query.clone()).await, 2, "{query}");
    }
    assert_eq!(bench.count(json!({ "range": { "count": { "gte": 3 } } })).await, 1);
    assert_eq!(bench.count(json!({ "term": { "series.count": 2 } })).await, 1);
    let index = format!("{}2025.10", bench.settings.index.prefix);
    let aggregation = json!({ "size": 0, "aggs": { "by": { "terms": { "field": "involvedObject.kind.keyword" } } } });
    let answer = bench.ask(http::Method::POST, &format!("{index}/_search"), aggregation).await;
    assert_eq!(answer["aggregations"]["by"]["buckets"][0], json!({ "key": "Pod", "doc_count": 2 }));
}

#[tokio::test]
async fn an_alias_is_refused_because_its_writes_move() {
    let bench = Bench::new("alias", None, Mode::Latest);
    let alias = &bench.settings.index.prefix;
    bench
        .ask(http::Method::PUT, &format!("{alias}-000001"), json!({ "aliases": { alias: {} } }))
        .await;
    let (_writer, reader) = in_memory(&bench.process);
    let settings = Settings::OpenSearch(bench.settings.clone());
    let error = bench.sink(&settings, reader).await.unwrap_err().to_string();
    assert!(error.contains("is an alias: its writes move from index to index"), "{error}");
}

#[tokio::test]
async fn latest_is_refused_for_a_data_stream() {
    let bench = Bench::new("stream", None, Mode::Latest);
    bench.search.make_stream().await;
    let (_writer, reader) = in_memory(&bench.process);
    let settings = Settings::OpenSearch(bench.settings.clone());
    let error = bench.sink(&settings, reader).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "is a data stream: its writes move from index to index, and mode = \"latest\" would store"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_data_stream_and_an_alias_hold_a_version_once_whatever_rolls_over_between() {
    let stream = Bench::new("stream", None, Mode::History);
    stream.search.make_stream().await;
    let alias = Bench::new("alias", None, Mode::History);
    alias.search.make_alias().await;
    let docs =
        [("a", "1", plain("Killing")), ("a", "2", plain("Killing")), ("b", "1", plain("Failed"))];
    for bench in [stream, alias] {
        assert_eq!(bench.store(&docs).await.delivered, [3, 0, 0, 0]);
        for round in 1..=2 {
            bench.search.roll_over().await;
            assert_eq!(bench.store(&docs).await.delivered, [3, 3 * round, 0, 0]);
        }
        assert_eq!(bench.store(&[("c", "1", plain("New"))]).await.delivered, [4, 6, 0, 0]);
        assert_eq!(bench.count_behind_name().await, 4);
        let lookups = &bench.process.metrics.sink.lookups;
        assert_eq!(
            ["stored", "absent", "moved"].map(|result| lookups.with_label_values(&[result]).get()),
            [6, 4, 0]
        );
    }
}

#[tokio::test]
async fn a_closed_index_behind_a_data_stream_is_passed_over() {
    let bench = Bench::new("closed", None, Mode::History);
    bench.search.make_stream().await;
    let docs = [("a", "1", plain("Killing"))];
    bench.store(&docs).await;
    for _ in 0..2 {
        bench.search.roll_over().await;
    }
    let second = format!(".ds-{}-000002/_close", bench.settings.index.prefix);
    bench.ask(http::Method::POST, &second, json!({})).await;
    assert_eq!(bench.store(&docs).await.delivered, [1, 1, 0, 0]);
}

#[tokio::test]
async fn with_duplicates_allowed_a_data_stream_holds_twice_what_is_sent_again_after_a_rollover() {
    let mut bench = Bench::new("twice", None, Mode::History);
    bench.settings.duplicates = Duplicates::Allow;
    bench.search.make_stream().await;
    let docs = [("a", "1", plain("Killing"))];
    bench.store(&docs).await;
    bench.search.roll_over().await;
    assert_eq!(bench.store(&docs).await.delivered, [2, 0, 0, 0]);
    assert_eq!(bench.count_behind_name().await, 2);
}

#[tokio::test]
async fn a_data_stream_that_a_template_makes_is_made_by_the_first_document() {
    let bench = Bench::new("made", None, Mode::History);
    // Below weir's own, which would stand in its way.
    bench.search.make_stream_template(10).await;
    let docs = [("a", "1", plain("Killing"))];
    bench.store(&docs).await;
    bench.search.roll_over().await;
    assert_eq!(bench.store(&docs).await.delivered, [1, 1, 0, 0]);
    assert_eq!(bench.count_behind_name().await, 1);
    let own = format!("_index_template/weir-{}", bench.settings.index.prefix);
    assert_eq!(bench.ask(http::Method::GET, &own, json!(null)).await["status"], 404);
}

#[tokio::test]
async fn documents_wait_for_an_index_that_is_read_only_and_readiness_says_so() {
    let bench = Bench::new("blocked", Some(DateFormat::Year), Mode::History);
    bench.store(&[("a", "1", event("Before"))]).await;
    let settings = format!("{}2025/_settings", bench.settings.index.prefix);
    bench.ask(http::Method::PUT, &settings, json!({ "index.blocks.write": true })).await;
    let docs = [("b", "1", event("During")), ("c", "1", event("During"))];
    let unblock = async {
        while bench.process.health.readiness().ok {
            tokio::task::yield_now().await;
        }
        let why = bench.process.health.readiness().lines.join(" ");
        assert!(why.contains("403 cluster_block_exception"), "{why}");
        bench.ask(http::Method::PUT, &settings, json!({ "index.blocks.write": false })).await;
    };
    let (snapshot, ()) = tokio::join!(bench.store(&docs), unblock);
    assert_eq!(snapshot.delivered, [3, 0, 0, 0]);
    assert_eq!(snapshot.dead_lettered, []);
    assert!(bench.process.health.readiness().ok);
}

#[tokio::test]
async fn an_index_out_of_fields_holds_its_documents_until_it_gets_more() {
    let bench = Bench::new("fields", Some(DateFormat::Year), Mode::History);
    let index = format!("{}2025", bench.settings.index.prefix);
    let limit = |fields: u32| json!({ "index.mapping.total_fields.limit": fields });
    bench.store(&[("a", "1", event("Before"))]).await;
    bench.ask(http::Method::PUT, &format!("{index}/_settings"), limit(1)).await;
    let mut wide = event("Wide");
    wide["new-field"] = json!({ "from": "a module" });
    let docs = [("b", "1", wide)];
    let raise = async {
        while bench.process.health.readiness().ok {
            tokio::task::yield_now().await;
        }
        bench.ask(http::Method::PUT, &format!("{index}/_settings"), limit(1000)).await;
    };
    let (snapshot, ()) = tokio::join!(bench.store(&docs), raise);
    assert_eq!(snapshot.delivered, [2, 0, 0, 0]);
}
