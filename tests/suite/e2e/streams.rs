//! Data streams and aliases, whose writes move from index to index: nothing is stored twice
//! although an id protects only inside one.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Cluster, Ism, Search, Weir, eventually, report, until_stored, variable};

fn into_name(cluster: &Cluster, search: &Search, buffer: &str) -> String {
    format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n{buffer}\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n",
        cluster.namespace, search.url, search.index
    )
}

const SPOOL: &str = "[buffer]\npath = \"spool\"\ndisk = \"64MiB\"\n";

/// The documents in all indices behind the name, each there once.
async fn stored_once(search: &Search) -> usize {
    let documents = search.documents().await;
    let ids: BTreeSet<&String> = documents.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), documents.len(), "an id is in two indices");
    ids.len()
}

/// Kills weir in the middle of a burst of events, moves the writes on, and starts it again, some
/// times.
async fn kill_and_roll_over(search: &Search, cluster: &Cluster, config: &str) {
    const ROUND: usize = 250;
    const ROUNDS: usize = 4;
    let mut weir = Weir::start(config).await;
    for round in 0..ROUNDS {
        let report = async {
            for number in 0..ROUND {
                cluster
                    .report(&format!("e{round}-{number}"), "Warning", "Failed", "no such image", 1)
                    .await;
            }
        };
        let kill = async {
            // In mid-stream: some of these events are stored, some are on their way.
            let enough = round * ROUND + ROUND / 4;
            eventually("some are stored", async || {
                (stored_once(search).await > enough).then_some(())
            })
            .await;
            let folder = weir.kill();
            search.roll_over().await;
            Weir::start_again(folder).await
        };
        ((), weir) = tokio::join!(report, kill);
        let all = (round + 1) * ROUND;
        eventually("all are stored", async || (stored_once(search).await == all).then_some(()))
            .await;
    }
    cluster.report("last", "Warning", "Failed", "no such image", 1).await;
    let all = ROUND * ROUNDS + 1;
    eventually("the last one is stored", async || (stored_once(search).await == all).then_some(()))
        .await;
    // It may have been sending what is there already.
    eventually("everything is settled", async || {
        (weir.metric("weir_events_in_flight").await == 0.0).then_some(())
    })
    .await;
    assert_eq!(stored_once(search).await, all);
    assert!(weir.metrics().await["weir_sink_lookups_total{result=\"absent\"}"] >= 1.0);
    weir.stop().await;
}

#[tokio::test]
async fn killed_while_a_data_stream_rolls_over_it_stores_nothing_twice() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    search.make_stream().await;
    kill_and_roll_over(&search, &cluster, &into_name(&cluster, &search, SPOOL)).await;
}

#[tokio::test]
async fn without_a_saved_position_everything_is_read_again_and_nothing_stored_twice_behind_an_alias()
 {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    search.make_alias().await;
    kill_and_roll_over(&search, &cluster, &into_name(&cluster, &search, "")).await;
}

#[tokio::test]
async fn what_was_stored_and_never_answered_is_stored_once_across_a_rollover() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    search.make_stream().await;
    let between = Ism::before(&search);
    let config = into_name(&cluster, &search.behind(&between.url), "");
    let weir = Weir::start(&config).await;
    report(&cluster, 0..3).await;
    until_stored(&search, 3).await;
    between.keep_answers(true);
    report(&cluster, 3..6).await;
    until_stored(&search, 6).await;
    eventually("an answer is kept", async || (between.kept_answers() > 0).then_some(())).await;
    search.roll_over().await;
    between.keep_answers(false);
    eventually("all have an outcome", async || {
        (weir.metric("weir_events_delivered_total").await == 6.0).then_some(())
    })
    .await;
    assert_eq!(stored_once(&search).await, 6);
    let found = weir.metrics().await["weir_sink_lookups_total{result=\"stored\"}"];
    assert!(found >= 3.0, "{found} were looked up and found");
    weir.stop().await;
}

#[tokio::test]
async fn a_user_who_may_not_search_a_data_stream_is_told_which_rights_are_missing() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::secure());
    search.make_stream().await;
    cluster.report("waits", "Warning", "Failed", "no such image", 1).await;
    let login = |user: &str| {
        format!(
            "ca = {:?}\nusername = {user:?}\npassword = {:?}\n",
            variable("WEIR_TEST_OPENSEARCH_SECURE_CA"),
            variable("WEIR_TEST_OPENSEARCH_SECURE_PASSWORD")
        )
    };
    let config = into_name(&cluster, &search, "");
    // It may write, and nothing else: not even ask whether this is a data stream.
    let mut refused = Weir::start(&(config.clone() + &login("shipper"))).await;
    let (code, log) = refused.until_it_ends().await;
    assert_eq!(code, Some(1), "{log}");
    for text in [
        "`indices:admin/refresh*`",
        "`indices:data/read/search*`",
        "an alias or a data stream",
        "sink.duplicates",
    ] {
        assert!(log.contains(text), "{text} is not in {log}");
    }
    assert_eq!(search.documents().await.len(), 0);

    let allowed =
        Weir::start(&(config.clone() + &login("shipper") + "duplicates = \"allow\"\n")).await;
    eventually("it is stored", async || (search.documents().await.len() == 1).then_some(())).await;
    allowed.stop().await;

    let user = search
        .user_with(&[
            "create_index",
            "index",
            "indices:admin/refresh*",
            "indices:data/read/search*",
        ])
        .await;
    search.roll_over().await;
    let weir = Weir::start(&(config + &login(&user))).await;
    eventually("it is found", async || {
        (weir.metric("weir_events_delivered_total").await == 1.0).then_some(())
    })
    .await;
    assert_eq!(weir.metrics().await["weir_sink_lookups_total{result=\"stored\"}"], 1.0);
    assert_eq!(stored_once(&search).await, 1);
    weir.stop().await;
}

impl Search {
    /// A user of the test's own, with the shipper's password, who may do this with the test's
    /// indices.
    async fn user_with(&self, actions: &[&str]) -> String {
        let user = self.index.replace("kube-events-e2e", "shipper");
        let role = json!({
            "cluster_permissions": ["cluster_monitor", "indices:data/write/bulk"],
            "index_permissions": [{"index_patterns": [self.index], "allowed_actions": actions}],
        });
        self.administer(&format!("roles/{user}"), role).await;
        let internal = json!({"password": self.password(), "backend_roles": [user]});
        self.administer(&format!("internalusers/{user}"), internal).await;
        self.administer(&format!("rolesmapping/{user}"), json!({"backend_roles": [user]})).await;
        user
    }
}
