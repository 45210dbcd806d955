//! What OpenSearch holds, all of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::reference::Digest;

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) count: i64,
    pub(crate) message: Digest,
}

/// `INDEX*` of a run.
pub(crate) const INDEX_PREFIX: &str = "kube-events-chaos";

/// Every document, or why OpenSearch cannot say.
pub(crate) async fn documents(opensearch: &str) -> Result<Vec<Stored>, String> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let ask = async |path: &str, body: Value| -> Result<Value, String> {
        let request =
            client.post(format!("{opensearch}/{path}")).header("content-type", "application/json");
        let answer = request
            .body(body.to_string())
            .send()
            .await
            .map_err(|error| format!("{path}: {error:?}"))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| format!("{path}: {error:?}"))?;
        match serde_json::from_str(&text) {
            Ok(value) if status.is_success() => Ok(value),
            _ => Err(format!("{path}: {status}: {:.300}", text)),
        }
    };
    ask(&format!("{INDEX_PREFIX}*/_refresh"), json!({})).await?;
    let query = json!({"size": 1_000, "sort": ["_doc"], "_source": ["count", "message"]});
    let mut page = ask(&format!("{INDEX_PREFIX}*/_search?scroll=1m"), query).await?;
    let mut all = Vec::new();
    loop {
        if page["_shards"]["failed"] != json!(0) {
            return Err(format!("shards failed: {}", page["_shards"]));
        }
        let hits = page["hits"]["hits"].as_array().ok_or("no hits")?;
        if hits.is_empty() {
            return Ok(all);
        }
        all.extend(hits.iter().map(stored));
        page =
            ask("_search/scroll", json!({"scroll": "1m", "scroll_id": page["_scroll_id"]})).await?;
    }
}

fn stored(hit: &Value) -> Stored {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Stored {
        index: text(&hit["_index"]),
        id: text(&hit["_id"]),
        count: hit["_source"]["count"].as_i64().unwrap_or_default(),
        message: Digest::of(hit["_source"]["message"].as_str().unwrap_or_default()),
    }
}
