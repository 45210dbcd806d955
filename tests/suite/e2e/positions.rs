//! A run goes on where the one before was: after a stop, after SIGKILL, with what it had not sent
//! on disk.

use serde_json::Value;

use crate::support::{Cluster, OwnNode, Search, Weir, eventually, report, until_stored};

fn with_spool(cluster: &Cluster, search: &Search) -> String {
    format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n[buffer]\npath = \"spool\"\ndisk = \"64MiB\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n",
        cluster.namespace, search.url, search.index
    )
}

/// The saved position is behind the event with this name.
async fn until_saved(weir: &Weir, cluster: &Cluster, name: &str) {
    let version = cluster.version_of(name).await;
    let position = weir.folder().join("spool/position.json");
    eventually("the position is saved", async || {
        let record: Value = serde_json::from_str(&std::fs::read_to_string(&position).ok()?).ok()?;
        let saved = record["positions"][&cluster.namespace].as_str()?.parse::<u64>().unwrap();
        (saved >= version).then_some(())
    })
    .await;
}

#[tokio::test]
async fn after_a_kill_only_what_is_new_is_read_and_sent() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let weir = Weir::start(&with_spool(&cluster, &search)).await;
    report(&cluster, 0..20).await;
    until_stored(&search, 20).await;
    until_saved(&weir, &cluster, "e19").await;
    let folder = weir.kill();
    report(&cluster, 20..25).await;
    let weir = Weir::start_again(folder).await;
    until_stored(&search, 25).await;
    weir.until_ready().await;
    assert_eq!(weir.metric("weir_events_received_total").await, 5.0);
    assert_eq!(weir.metric("weir_events_recovered_total").await, 0.0);
    let (ledger, folder) = weir.end().await;
    assert!(ledger.contains("delivered=5 "), "{ledger}");
    let weir = Weir::start_again(folder).await;
    report(&cluster, 25..26).await;
    until_stored(&search, 26).await;
    assert_eq!(
        weir.metric("weir_events_received_total").await,
        1.0,
        "a stop saves the position, too"
    );
    weir.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_stopped_while_opensearch_is_away_nothing_is_lost_or_read_again() {
    let cluster = Cluster::with_namespace().await;
    let node = tokio::task::spawn_blocking(OwnNode::start).await.unwrap();
    let search = Search::at(node.url());
    let weir = Weir::start(&with_spool(&cluster, &search)).await;
    report(&cluster, 0..5).await;
    until_stored(&search, 5).await;
    let node = tokio::task::spawn_blocking(move || {
        node.kill();
        node
    })
    .await
    .unwrap();
    report(&cluster, 5..40).await;
    // It passes them when they are on disk.
    until_saved(&weir, &cluster, "e39").await;
    let weir = Weir::start_again(weir.kill()).await;
    eventually("all 35 are recovered", async || {
        (weir.metric("weir_events_recovered_total").await == 35.0).then_some(())
    })
    .await;
    report(&cluster, 40..45).await;
    eventually("the new ones are read", async || {
        (weir.metric("weir_events_received_total").await == 5.0).then_some(())
    })
    .await;
    let (ledger, folder) = weir.end().await;
    assert!(!ledger.ends_with("in_flight=0"), "{ledger}");
    let node = tokio::task::spawn_blocking(move || {
        node.start_again();
        node
    })
    .await
    .unwrap();
    let weir = Weir::start_again(folder).await;
    until_stored(&search, 45).await;
    assert_eq!(weir.metric("weir_events_received_total").await, 0.0);
    weir.stop().await;
    drop(node);
}

#[tokio::test]
async fn what_is_damaged_on_disk_is_read_again_from_the_cluster() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let weir =
        Weir::start(&with_spool(&cluster, &search).replace(&search.url, "http://127.0.0.1:9"))
            .await;
    report(&cluster, 0..20).await;
    until_saved(&weir, &cluster, "e19").await;
    let folder = weir.kill();
    let path = folder.path().join("pipeline.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("http://127.0.0.1:9", &search.url);
    std::fs::write(path, text).unwrap();
    let files =
        std::fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().path());
    for segment in files.filter(|path| path.extension().is_some_and(|is| is == "segment")) {
        let mut bytes = std::fs::read(&segment).unwrap();
        // In the payload of the first record: behind the file's head and the record's.
        bytes[100] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
    }
    let weir = Weir::start_again(folder).await;
    until_stored(&search, 20).await;
    let metrics = weir.metrics().await;
    assert_eq!(metrics["weir_source_restarts_total{cause=\"lost\"}"], 1.0, "{metrics:?}");
    assert!(weir.metric("weir_events_dead_lettered_total").await > 0.0, "they are counted");
    let log = weir.log();
    assert!(
        log.contains("is damaged at byte")
            && log.contains("lost on disk: reading again everything"),
        "{log}"
    );
    weir.stop().await;
}

#[tokio::test]
async fn start_now_leaves_out_what_was_there_and_nothing_afterwards() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    report(&cluster, 0..3).await;
    let config =
        with_spool(&cluster, &search).replacen("namespaces", "start = \"now\"\nnamespaces", 1);
    let weir = Weir::start(&config).await;
    weir.until_ready().await;
    report(&cluster, 3..5).await;
    until_stored(&search, 2).await;
    until_saved(&weir, &cluster, "e4").await;
    let folder = weir.kill();
    report(&cluster, 5..7).await;
    let weir = Weir::start_again(folder).await;
    until_stored(&search, 4).await;
    weir.stop().await;
}
