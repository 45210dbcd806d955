//! Dead letters that are replayed into a real OpenSearch, whose mapping was mended meanwhile.

use serde_json::json;

use crate::support::{Ended, Folder, Search};

/// Refused while `count` is a byte, as `o2` is; the stages have added nothing, and its date says
/// which index it belongs to.
const EVENTS: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a","namespace":"shop","uid":"o1","resourceVersion":"11","creationTimestamp":"2025-03-01T10:00:00Z"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"BackOff","type":"Warning","count":1000,"lastTimestamp":"2025-03-01T10:00:00Z"}
{"kind":"Event","apiVersion":"v1","metadata":{"name":"b","namespace":"shop","uid":"o2","resourceVersion":"12","creationTimestamp":"2025-03-01T10:00:00Z"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"BackOff","type":"Warning","count":2000,"lastTimestamp":"2025-03-01T10:00:00Z"}
{"kind":"Event","apiVersion":"v1","metadata":{"name":"c","namespace":"shop","uid":"o3","resourceVersion":"13","creationTimestamp":"2025-03-01T10:00:00Z"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"BackOff","type":"Warning","count":3,"lastTimestamp":"2025-03-01T10:00:00Z"}
"#;

const REPLAY: [&str; 4] = ["dead-letter", "replay", "--config", "p.toml"];

/// Runs `weir dead-letter replay` with these arguments, besides.
fn replay(folder: &Folder, arguments: &[&str]) -> Ended {
    folder.weir(&[&REPLAY, arguments].concat())
}

/// What `weir dead-letter list` says last.
fn listed(folder: &Folder) -> String {
    folder.weir(&["dead-letter", "list", "--config", "p.toml"]).last().to_owned()
}

fn ledger_of(counts: &str) -> String {
    format!("ledger {counts} in_flight=0")
}

/// The ids of what is stored, and their counts.
async fn stored(search: &Search) -> Vec<(String, u64)> {
    let documents = search.documents().await;
    let mut stored: Vec<_> =
        documents.into_iter().map(|(id, source)| (id, source["count"].as_u64().unwrap())).collect();
    stored.sort();
    stored
}

#[tokio::test]
async fn letters_that_a_mapping_refused_are_stored_once_when_it_is_mended_and_leave_the_folder() {
    let search = Search::shared();
    search.create_index(json!({"properties": {"count": {"type": "byte"}}})).await;
    let folder = Folder::new();
    folder.write("in", EVENTS);
    let config = format!(
        "name = \"e2e\"\ncluster = \"e2e-cluster\"\n[source]\nkind = \"file\"\npath = \"in\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n\
         [dead_letter]\npath = \"dead\"\n",
        search.url, search.index
    );
    folder.write("p.toml", config);

    let ended = folder.weir(&["run", "--config", "p.toml"]);
    let ledger =
        ledger_of("received=3 recovered=0 replayed=0 delivered=1 filtered=0 dead_lettered=2");
    assert_eq!(ended.code_and_last(), (Some(0), ledger.as_str()));
    assert_eq!(stored(&search).await, [("o3.13".to_owned(), 3)]);
    assert_eq!(listed(&folder), "2 letters: 2 sink mapping");

    // As long as the mapping is as it was they come back, each once, however often.
    let ledger =
        ledger_of("received=0 recovered=0 replayed=2 delivered=0 filtered=0 dead_lettered=2");
    for arguments in [["--all"].as_slice(), &["--all", "--sink-only"]] {
        let ended = replay(&folder, arguments);
        assert_eq!(ended.code_and_last(), (Some(1), ledger.as_str()));
        assert_eq!(listed(&folder), "2 letters: 2 sink mapping");
    }

    // A person mends it: a new index under the old name. What was stored comes in again from the
    // file.
    search.delete_index().await;
    search.create_index(json!({"properties": {"count": {"type": "integer"}}})).await;
    let ended = replay(&folder, &["--sink-only", "00000003:1"]);
    let ledger =
        ledger_of("received=0 recovered=0 replayed=1 delivered=1 filtered=0 dead_lettered=0");
    assert_eq!(ended.code_and_last(), (Some(0), ledger.as_str()));
    assert_eq!(listed(&folder), "1 letter: 1 sink mapping");
    assert_eq!(stored(&search).await.len(), 1);

    // A copy of the folder, as a crash may leave it: the same letter is replayed twice, and stored
    // once.
    folder.write("copy/00000003.jsonl", folder.read("dead/00000003.jsonl"));
    for arguments in [["--all"].as_slice(), &["--all", "--from", "copy"]] {
        let ended = replay(&folder, arguments);
        assert_eq!(ended.code_and_last(), (Some(0), ledger.as_str()));
    }
    assert_eq!(listed(&folder), "no letters");
    assert_eq!(stored(&search).await, [("o1.11".to_owned(), 1000), ("o2.12".to_owned(), 2000)]);

    // And both are what the pipeline itself would have stored.
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    let ledger =
        ledger_of("received=3 recovered=0 replayed=0 delivered=3 filtered=0 dead_lettered=0");
    assert_eq!(ended.code_and_last(), (Some(0), ledger.as_str()));
    assert_eq!(stored(&search).await.len(), 3);
}

/// More than the share of a minute's documents that the sink believes of a live source: each is a
/// dead letter already.
#[tokio::test]
async fn a_replay_of_letters_that_are_all_refused_again_ends() {
    let search = Search::shared();
    search.create_index(json!({"properties": {"count": {"type": "byte"}}})).await;
    let folder = Folder::new();
    let letters = (0..300).map(|number| {
        let event = EVENTS.lines().next().unwrap().replace("o1", &format!("o{number}"));
        let source = serde_json::Value::from(event);
        format!(
            "{{\"version\":1,\"time\":\"t\",\"where\":\"sink\",\"reason\":\"old\",\
             \"detail\":\"d\",\"source\":{source}}}\n"
        )
    });
    folder.write("dead/00000001.jsonl", letters.collect::<String>());
    let config = format!(
        "name = \"e2e\"\nsource.kind = \"stdin\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n\
         [dead_letter]\npath = \"dead\"\n",
        search.url, search.index
    );
    folder.write("p.toml", config);
    let ended = replay(&folder, &["--all"]);
    let ledger =
        ledger_of("received=0 recovered=0 replayed=300 delivered=0 filtered=0 dead_lettered=300");
    assert_eq!(ended.code_and_last(), (Some(1), ledger.as_str()));
    assert_eq!(listed(&folder), "300 letters: 300 sink mapping");
}
