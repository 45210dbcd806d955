//! Asking OpenSearch, and starting a node of a test's own.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::{repository, unique, variable};

pub(crate) struct Search {
    pub(crate) url: String,
    pub(crate) index: String,
    client: reqwest::Client,
    is_secure: bool,
}

impl Search {
    /// The shared node, and an index name of the test's own.
    pub(crate) fn shared() -> Search {
        Search::at(variable("WEIR_TEST_OPENSEARCH_URL"))
    }

    pub(crate) fn at(url: String) -> Search {
        weir::internals::tls::install_crypto_provider();
        Search {
            url,
            index: unique("kube-events-e2e"),
            client: reqwest::Client::new(),
            is_secure: false,
        }
    }

    /// The secure node, as its administrator.
    pub(crate) fn secure() -> Search {
        let search = Search::at(variable("WEIR_TEST_OPENSEARCH_SECURE"));
        let ca = std::fs::read(variable("WEIR_TEST_OPENSEARCH_SECURE_CA")).unwrap();
        let ca = reqwest::Certificate::from_pem(&ca).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
        Search { client, is_secure: true, ..search }
    }

    /// Of all its users.
    pub(crate) fn password(&self) -> String {
        variable("WEIR_TEST_OPENSEARCH_SECURE_PASSWORD")
    }

    /// Makes or changes a user, a role or who has it.
    pub(crate) async fn administer(&self, what: &str, body: Value) {
        let path = format!("_plugins/_security/api/{what}");
        let (status, answer) = self.ask(reqwest::Method::PUT, &path, Some(body)).await;
        assert!(matches!(status, 200 | 201), "{what}: {answer}");
    }

    /// Another index of the same node.
    pub(crate) fn other(&self, index: &str) -> Search {
        let (url, client) = (self.url.clone(), self.client.clone());
        Search { url, index: index.to_owned(), client, is_secure: self.is_secure }
    }

    /// The same index, behind another address.
    pub(crate) fn behind(&self, url: &str) -> Search {
        Search { url: url.to_owned(), ..self.other(&self.index) }
    }

    /// Puts a document there by hand.
    pub(crate) async fn put(&self, id: &str, document: Value) {
        let path = format!("{}/_doc/{id}?refresh=true", self.index);
        let (status, answer) = self.ask(reqwest::Method::PUT, &path, Some(document)).await;
        assert!(matches!(status, 200 | 201), "{answer}");
    }

    /// Removes one by hand.
    pub(crate) async fn delete(&self, id: &str) {
        let path = format!("{}/_doc/{id}?refresh=true", self.index);
        let (status, answer) = self.ask(reqwest::Method::DELETE, &path, None).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The status and the JSON that it answers; 0 and null when it does not.
    pub(crate) async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}/{path}", self.url));
        if self.is_secure {
            let username = variable("WEIR_TEST_OPENSEARCH_SECURE_USERNAME");
            request = request.basic_auth(username, Some(self.password()));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let Ok(response) = request.send().await else { return (0, Value::Null) };
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Makes the index by hand, with these mappings.
    pub(crate) async fn create_index(&self, mappings: Value) {
        let body = json!({"settings": {"number_of_replicas": 0}, "mappings": mappings});
        let (status, answer) = self.ask(reqwest::Method::PUT, &self.index, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// What `method` at `path` answers; it must succeed.
    pub(crate) async fn succeed(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// A template that makes a data stream of the index.
    pub(crate) async fn make_stream_template(&self, priority: u32) {
        let template =
            json!({"index_patterns": [self.index], "priority": priority, "data_stream": {}});
        let path = format!("_index_template/{}", self.index);
        self.succeed(reqwest::Method::PUT, &path, template).await;
    }

    /// Makes the index a data stream.
    pub(crate) async fn make_stream(&self) {
        self.make_stream_template(200).await;
        let path = format!("_data_stream/{}", self.index);
        self.succeed(reqwest::Method::PUT, &path, json!({})).await;
    }

    /// Makes the index an alias that can be rolled over.
    pub(crate) async fn make_alias(&self) {
        let first = format!("{}-000001", self.index);
        let body = json!({"aliases": {&self.index: {"is_write_index": true}}});
        self.succeed(reqwest::Method::PUT, &first, body).await;
    }

    /// Writes go to a new index from now on.
    pub(crate) async fn roll_over(&self) {
        let path = format!("{}/_rollover", self.index);
        let answer = self.succeed(reqwest::Method::POST, &path, json!({})).await;
        assert_eq!(answer["rolled_over"], true, "{answer}");
    }

    /// Removes the index, with everything in it.
    pub(crate) async fn delete_index(&self) {
        let (status, answer) = self.ask(reqwest::Method::DELETE, &self.index, None).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Every document, by id.
    pub(crate) async fn documents(&self) -> Vec<(String, Value)> {
        self.ask(reqwest::Method::POST, &format!("{}/_refresh", self.index), None).await;
        let query = json!({"size": 10_000, "query": {"match_all": {}}});
        let (status, answer) =
            self.ask(reqwest::Method::POST, &format!("{}/_search", self.index), Some(query)).await;
        if status != 200 {
            return Vec::new();
        }
        let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
        hits.into_iter()
            .map(|hit| (hit["_id"].as_str().unwrap().to_owned(), hit["_source"].clone()))
            .collect()
    }
}

/// A node that the test may stop and start; stopped for good when dropped.
pub(crate) struct OwnNode {
    port: u16,
    folder: PathBuf,
}

impl OwnNode {
    pub(crate) fn start() -> OwnNode {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Not a temporary folder of this user's: OpenSearch runs as another one.
        let folder = PathBuf::from("/tmp").join(unique("weir-e2e-opensearch"));
        let node = OwnNode { port, folder };
        node.start_again();
        node
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn start_again(&self) {
        self.script("up.sh", &[&self.port.to_string(), &self.folder.display().to_string()], &[]);
    }

    /// SIGKILL; the data stays.
    pub(crate) fn kill(&self) {
        self.script(
            "down.sh",
            &[&self.folder.display().to_string()],
            &[("KEEP", "1"), ("HARD", "1")],
        );
    }

    fn script(&self, name: &str, args: &[&str], variables: &[(&str, &str)]) {
        let script = repository().join("tests/env/opensearch").join(name);
        let output = Command::new(script)
            .args(args)
            .env("OS_HEAP", "256m")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for OwnNode {
    fn drop(&mut self) {
        self.script("down.sh", &[&self.folder.display().to_string()], &[("HARD", "1")]);
    }
}
