//! Replicas with a Lease: one reads, another goes on when it is gone.

use crate::support::{Cluster, Search, Weir, eventually, report, until_stored};

fn with_lease(cluster: &Cluster, search: &Search) -> String {
    format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{0:?}]\n[buffer]\npath = \"spool\"\ndisk = \"64MiB\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{1:?}]\nindex = {2:?}\n\
         [lease]\nenabled = true\nnamespace = {0:?}\nduration = \"5s\"\n",
        cluster.namespace, search.url, search.index
    )
}

async fn leads(weir: &Weir) -> bool {
    weir.metric("weir_lease_leader").await == 1.0
}

async fn until_leading(weir: &Weir) {
    eventually("it leads", async || leads(weir).await.then_some(())).await;
}

/// What it settled is in the Lease: the next one has nothing to read again.
async fn until_in_lease(cluster: &Cluster, name: &str) {
    let version = cluster.version_of(name).await;
    eventually("the Lease holds the mark", async || {
        (cluster.settled_mark("e2e").await? >= version).then_some(())
    })
    .await;
}

#[tokio::test]
async fn when_the_leader_is_killed_the_other_one_goes_on_from_the_lease() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let config = with_lease(&cluster, &search);
    let first = Weir::start(&config).await;
    until_leading(&first).await;
    let second = Weir::start(&config).await;
    second.until_ready().await;
    report(&cluster, 0..10).await;
    until_stored(&search, 10).await;
    until_in_lease(&cluster, "e9").await;
    assert!(!leads(&second).await);
    assert_eq!(second.metric("weir_events_received_total").await, 0.0, "a follower reads nothing");
    drop(first.kill());
    report(&cluster, 10..20).await;
    until_stored(&search, 20).await;
    assert!(leads(&second).await);
    assert_eq!(
        second.metric("weir_events_received_total").await,
        10.0,
        "it goes on where the first one was"
    );
    second.stop().await;
}

#[tokio::test]
async fn a_rolling_restart_hands_the_lease_over_at_once_with_its_mark() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let config = with_lease(&cluster, &search);
    let mut old = Weir::start(&config).await;
    until_leading(&old).await;
    for round in 0..3 {
        let new = Weir::start(&config).await;
        new.until_ready().await;
        report(&cluster, round * 5..round * 5 + 5).await;
        until_stored(&search, round * 5 + 5).await;
        old.stop().await;
        until_leading(&new).await;
        old = new;
    }
    report(&cluster, 15..16).await;
    until_stored(&search, 16).await;
    assert_eq!(
        old.metric("weir_events_received_total").await,
        1.0,
        "the last mark was written when it was given up"
    );
    old.stop().await;
}

/// `weir position COMMAND` with the configuration of a run that has ended.
fn position(folder: &tempfile::TempDir, command: &str) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["position", command, "--config"])
        .arg(folder.path().join("pipeline.toml"))
        .env("KUBECONFIG", crate::support::variable("WEIR_TEST_KUBECONFIG"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_in_the_lease_is_shown_and_forgotten_and_not_under_a_leader() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let weir = Weir::start(&with_lease(&cluster, &search)).await;
    until_leading(&weir).await;
    report(&cluster, 0..3).await;
    until_stored(&search, 3).await;
    until_in_lease(&cluster, "e2").await;
    let (_, folder) = {
        let other = Weir::start(&with_lease(&cluster, &search)).await;
        other.until_ready().await;
        (other.metrics().await, other.kill())
    };
    let (code, text) = position(&folder, "reset");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("holds the Lease") && text.contains("stop the replicas first"), "{text}");
    let (_, folder) = weir.end().await;
    let (code, text) = position(&folder, "show");
    let version = cluster.version_of("e2").await.to_string();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("held by nobody") && text.contains(&version), "{text}");
    assert_eq!(position(&folder, "reset").0, Some(0));
    assert_eq!(cluster.settled_mark("e2e").await, None);
    let weir = Weir::start_again(folder).await;
    eventually("everything is read again", async || {
        (weir.metric("weir_events_received_total").await == 3.0).then_some(())
    })
    .await;
    until_stored(&search, 3).await;
    weir.stop().await;
}
