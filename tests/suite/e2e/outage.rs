//! OpenSearch goes away in mid-stream and comes back.

use crate::support::{Cluster, OwnNode, Search, Weir, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opensearch_stopped_and_started_in_mid_stream_loses_nothing() {
    let cluster = Cluster::with_namespace().await;
    let node = tokio::task::spawn_blocking(OwnNode::start).await.unwrap();
    let search = Search::at(node.url());
    let weir = Weir::start(&format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n",
        cluster.namespace, search.url, search.index
    ))
    .await;
    weir.until_ready().await;
    let report = async |from: usize, to: usize| {
        for number in from..to {
            cluster.report(&format!("e{number}"), "Warning", "Failed", "no such image", 1).await;
        }
    };
    report(0, 50).await;
    let node = tokio::task::spawn_blocking(move || {
        node.kill();
        node
    })
    .await
    .unwrap();
    report(50, 250).await;
    eventually("weir notices the outage, and stays ready", async || {
        let (status, text) = weir.readiness().await;
        (status == 200 && text.contains("sink: ok (")).then_some(())
    })
    .await;
    let node = tokio::task::spawn_blocking(move || {
        node.start_again();
        node
    })
    .await
    .unwrap();
    report(250, 300).await;
    eventually("all 300 are stored, once each", async || {
        (search.documents().await.len() == 300).then_some(())
    })
    .await;
    weir.stop().await;
    drop(node);
}
