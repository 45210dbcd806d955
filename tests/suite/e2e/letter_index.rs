//! Dead letters in an index of a real OpenSearch: what it refused once, it takes as a letter.

use serde_json::{Value, json};

use crate::support::{Folder, Search, Weir, eventually, unique, variable};

/// What the index of `of_bytes` stores, and what it refuses: a count that is no byte, and a term
/// that is too long for any index.
fn events() -> Vec<u8> {
    let event = |uid: &str, count: u32, action: &str| {
        format!(
            "{{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"a\",\"namespace\":\"shop\",\"uid\":\"{uid}\",\"resourceVersion\":\"1\",\"creationTimestamp\":\"2025-03-01T10:00:00Z\"}},\"involvedObject\":{{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"p\"}},\"reason\":\"BackOff\",\"type\":\"Warning\",\"count\":{count},\"action\":\"{action}\",\"lastTimestamp\":\"2025-03-01T10:00:00Z\"}}\n"
        )
    };
    let mut all = event("stored", 3, "a").into_bytes();
    all.extend(event("too-often", 1000, "a").into_bytes());
    all.extend(event("too-long", 1, &"é".repeat(40_000)).into_bytes());
    // No event, and no UTF-8.
    all.extend(b"{\"kind\":\"Event\",\"message\":\"\xff\xfe\"}\n");
    all
}

async fn of_bytes(search: &Search, count: &str) {
    let mappings = json!({"properties": {"count": {"type": count}, "action": {"type": "keyword"}}});
    search.create_index(mappings).await;
}

/// Everything but name and admin; the letters' index is `search`'s with `-letters` behind.
fn pipeline(search: &Search) -> String {
    format!(
        "[source]\nkind = \"file\"\npath = \"in\"\n[sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n\
         [dead_letter]\nkind = \"index\"\nindex = \"{}-letters\"\n",
        search.url, search.index, search.index
    )
}

fn letters_of(search: &Search) -> Search {
    search.other(&format!("{}-letters", search.index))
}

/// A folder with the pipeline and what it reads.
fn folder_of(search: &Search) -> Folder {
    let folder = Folder::new();
    folder.write("in", events());
    let config = format!("name = \"e2e\"\ncluster = \"e2e-cluster\"\n{}", pipeline(search));
    folder.write("p.toml", config);
    folder
}

fn ledger_of(counts: &str) -> String {
    format!("ledger {counts} in_flight=0")
}

/// What `weir dead-letter list` says last.
fn listed(folder: &Folder) -> String {
    folder.weir(&["dead-letter", "list", "--config", "p.toml"]).last().to_owned()
}

async fn uids(search: &Search) -> Vec<String> {
    let documents = search.documents().await;
    let uid = |document: &Value| document["metadata"]["uid"].as_str().unwrap().to_owned();
    let mut uids: Vec<String> = documents.iter().map(|(_, document)| uid(document)).collect();
    uids.sort();
    uids
}

#[tokio::test]
async fn what_opensearch_refused_is_a_letter_in_its_index_until_it_is_replayed() {
    let search = Search::shared();
    of_bytes(&search, "byte").await;
    let letters = letters_of(&search);
    let folder = folder_of(&search);
    assert_eq!(listed(&folder), "no letters", "there is not even an index");

    let ended = folder.weir(&["run", "--config", "p.toml"]);
    let counts = "received=4 recovered=0 replayed=0 delivered=1 filtered=0 dead_lettered=3";
    assert_eq!(ended.code_and_last(), (Some(0), ledger_of(counts).as_str()));
    assert_eq!(uids(&search).await, ["stored"]);
    assert_eq!(listed(&folder), "3 letters: 1 sink limit, 1 sink mapping, 1 source utf8");
    let found = letters.documents().await;
    let of = |field: &str, value: &str| {
        found.iter().find(|(_, letter)| letter[field] == value).unwrap().clone()
    };
    let (id, letter) = of("uid", "too-often");
    assert_eq!(
        (letter["where"].as_str(), letter["pipeline"].as_str()),
        (Some("sink"), Some("e2e"))
    );
    assert!(letter["document"].as_str().unwrap().contains("\"clusterName\":\"e2e-cluster\""));
    assert!(of("uid", "too-long").1["source"].as_str().unwrap().len() > 80_000);
    let malformed = of("where", "source").1;
    assert!(malformed["source"].is_null() && malformed["source_base64"].is_string(), "{malformed}");

    // Shown as a folder's would be.
    let ended = folder.weir(&["dead-letter", "show", "--config", "p.toml", &id]);
    assert_eq!(ended.code, Some(0));
    let shown = ended.stdout;
    assert!(
        shown.starts_with(&format!("letter    {id}\n")) && shown.contains("Pod shop/p BackOff"),
        "{shown}"
    );
    let ended = folder.weir(&["dead-letter", "show", "--json", "--config", "p.toml", &id]);
    let record: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(record["document"]["count"], 1000);
    let nobody = "0".repeat(32);
    let ended = folder.weir(&["dead-letter", "show", "--config", "p.toml", &nobody]);
    assert_eq!(ended.code, Some(1));

    // As long as the mapping is as it was they come back, each once and in the same place, however
    // often.
    let replay = ["dead-letter", "replay", "--config", "p.toml"];
    for _ in 0..2 {
        let ended = folder.weir(&[&replay[..], &["--all"]].concat());
        let counts = "received=0 recovered=0 replayed=3 delivered=0 filtered=0 dead_lettered=3";
        assert_eq!(ended.code_and_last(), (Some(1), ledger_of(counts).as_str()));
        assert_eq!(listed(&folder), "3 letters: 1 sink limit, 1 sink mapping, 1 source utf8");
    }
    let ids = |found: Vec<(String, Value)>| {
        found.into_iter().map(|(id, _)| id).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(letters.documents().await), ids(found));

    // A person mends it.
    search.delete_index().await;
    of_bytes(&search, "integer").await;
    let ended = folder.weir(&[&replay[..], &["--sink-only", &id]].concat());
    let counts = "received=0 recovered=0 replayed=1 delivered=1 filtered=0 dead_lettered=0";
    assert_eq!(ended.code_and_last(), (Some(0), ledger_of(counts).as_str()));
    assert_eq!(uids(&search).await, ["too-often"]);
    search.delete_index().await;
    search
        .create_index(json!({"properties": {"action": {"type": "keyword", "ignore_above": 10}}}))
        .await;
    let ended = folder.weir(&[&replay[..], &["--all", "--where", "sink"]].concat());
    assert_eq!(ended.code_and_last(), (Some(0), ledger_of(counts).as_str()));
    assert_eq!(listed(&folder), "1 letter: 1 source utf8");
    assert_eq!(uids(&search).await, ["too-long"]);
    letters.delete_index().await;
}

#[tokio::test]
async fn a_kill_between_a_letter_and_its_settling_leaves_one_letter() {
    let search = Search::shared();
    of_bytes(&search, "byte").await;
    let letters = letters_of(&search);
    // It goes on reading, and so is running when it is killed; without a spool nothing says how far
    // it was.
    let config = pipeline(&search).replace("path = \"in\"", "path = \"in\"\nfollow = true");
    let weir = Weir::start_in(&config, &[("in", events())]).await;
    eventually("a letter is written", async || {
        (!letters.documents().await.is_empty()).then_some(())
    })
    .await;
    let folder = weir.kill();
    let weir = Weir::start_again(folder).await;
    eventually("all have their outcome again", async || {
        (weir.metric("weir_events_dead_lettered_total").await == 3.0).then_some(())
    })
    .await;
    assert_eq!(letters.documents().await.len(), 3);
    weir.stop().await;
    letters.delete_index().await;
}

#[tokio::test]
async fn a_full_index_of_letters_pauses_the_pipeline_until_there_is_room() {
    let search = Search::shared();
    of_bytes(&search, "byte").await;
    let letters = letters_of(&search);
    // Makes the index; then one letter takes all the room.
    let folder = folder_of(&search);
    assert_eq!(folder.weir(&["run", "--config", "p.toml"]).code, Some(0));
    for (id, _) in letters.documents().await {
        letters.delete(&id).await;
    }
    let large = json!({"pipeline": "e2e", "cluster": "e2e-cluster", "bytes": 1u64 << 30, "@timestamp": "2025-01-01T00:00:00Z", "id": "0".repeat(32)});
    letters.put("large", large).await;

    let weir = Weir::start_in(&pipeline(&search), &[("in", events())]).await;
    let said = eventually("readiness fails for the dead letters", async || {
        let (status, text) = weir.readiness().await;
        (status == 503 && text.contains("dead letters: not ok")).then_some(text)
    })
    .await;
    assert!(said.contains("are full (1073741824 bytes of at most 1073741824)"), "{said}");
    assert_eq!(letters.documents().await.len(), 1, "none is thrown away, and none written");
    letters.delete("large").await;
    eventually("the letters are written", async || {
        (letters.documents().await.len() == 3).then_some(())
    })
    .await;
    letters.delete_index().await;
}

#[tokio::test]
async fn without_the_right_to_the_index_of_letters_readiness_names_it_and_nothing_is_lost() {
    let search = Search::secure();
    let letters = search.other(&unique("weir-dead-letter"));
    // It may write documents, and no letters.
    let user = unique("poor");
    let documents =
        json!({"index_patterns": ["kube-events*"], "allowed_actions": ["create_index", "index"]});
    let role = |index_permissions: Value| json!({"cluster_permissions": ["cluster_monitor", "indices:data/write/bulk"], "index_permissions": index_permissions});
    search.administer(&format!("roles/{user}"), role(json!([documents]))).await;
    search
        .administer(&format!("internalusers/{user}"), json!({"password": search.password()}))
        .await;
    search.administer(&format!("rolesmapping/{user}"), json!({"users": [user]})).await;
    let config = format!(
        "[source]\nkind = \"file\"\npath = \"in\"\nfollow = true\n[sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nca = {:?}\n\
         username = {user:?}\npassword = {:?}\nindex = {:?}\n[dead_letter]\nkind = \"index\"\nindex = {:?}\n",
        search.url,
        variable("WEIR_TEST_OPENSEARCH_SECURE_CA"),
        search.password(),
        search.index,
        letters.index,
    );
    let weir = Weir::start_in(&config, &[("in", b"{\"kind\":\"Pod\"}\n".to_vec())]).await;
    let said = async |right: &str| {
        eventually("readiness fails for the dead letters", async || {
            let (status, text) = weir.readiness().await;
            (status == 503 && text.contains("dead letters: not ok") && text.contains(right))
                .then_some(())
        })
        .await;
    };
    said("indices:data/read/search").await;
    assert_eq!(weir.metric("weir_events_in_flight").await, 1.0);
    assert_eq!(weir.metric("weir_events_dead_lettered_total").await, 0.0);
    // One right after the other, as it names them.
    let grant = async |actions: &[&str]| {
        let own = json!({"index_patterns": [letters.index], "allowed_actions": actions});
        search.administer(&format!("roles/{user}"), role(json!([documents, own]))).await;
    };
    grant(&["indices:data/read/search"]).await;
    said("indices:admin/create").await;
    let search_and_create = ["indices:data/read/search", "indices:admin/create"];
    grant(&search_and_create).await;
    said("the right to write to it").await;
    grant(
        &[&search_and_create[..], &["indices:data/write/bulk*", "indices:data/write/index"]]
            .concat(),
    )
    .await;
    eventually("the letter is written", async || {
        (weir.metric("weir_events_dead_lettered_total").await == 1.0).then_some(())
    })
    .await;
    weir.until_ready().await;
    assert_eq!(letters.documents().await.len(), 1);
    weir.stop().await;
    letters.delete_index().await;
}
