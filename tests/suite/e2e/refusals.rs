//! What a real server refuses: one document, a right, a password.

use serde_json::json;

use crate::support::{Cluster, Search, Weir, eventually, id_of, variable};

#[tokio::test]
async fn a_document_that_opensearch_refuses_is_dead_lettered_alone() {
    let cluster = Cluster::with_namespace().await;
    let search = Search::shared();
    search.create_index(json!({"properties": {"count": {"type": "byte"}}})).await;
    for number in 0..10 {
        cluster
            .report(&format!("e{number}"), "Warning", "Failed", "no such image", number + 1)
            .await;
    }
    let refused =
        cluster.report("refused", "Warning", "Failed", "too often for a byte", 1000).await;
    let weir = Weir::start(&format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n",
        cluster.namespace, search.url, search.index
    ))
    .await;
    eventually("the others are stored", async || {
        (search.documents().await.len() == 10).then_some(())
    })
    .await;
    let letter = eventually("the refused one is kept", async || weir.dead_letters().pop()).await;
    assert_eq!(letter["where"], "sink");
    assert!(letter.to_string().contains(refused.metadata.uid.as_deref().unwrap()), "{letter}");
    assert!(!search.documents().await.iter().any(|(id, _)| *id == id_of(&refused)));
    assert_eq!(weir.metric("weir_events_dead_lettered_total").await, 1.0);
    weir.stop().await;
}

#[tokio::test]
async fn without_the_right_to_watch_readiness_names_it() {
    let cluster = Cluster::with_namespace().await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, cluster.kubeconfig_of_nobody().await).unwrap();
    let weir = Weir::start_with(
        &format!(
            "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n[sink]\nkind = \"file\"\npath = \"out.ndjson\"\n",
            cluster.namespace
        ),
        &[("KUBECONFIG", kubeconfig.to_str().unwrap())],
    )
    .await;
    let report = eventually("readiness fails for the source", async || {
        let (status, text) = weir.readiness().await;
        (status == 503 && text.contains("403")).then_some(text)
    })
    .await;
    assert!(
        report.contains("source: not ok") && report.contains("list") && report.contains("events"),
        "{report}"
    );
}

#[tokio::test]
async fn a_wrong_password_fails_readiness_and_is_not_shown() {
    let (url, ca) =
        (variable("WEIR_TEST_OPENSEARCH_SECURE"), variable("WEIR_TEST_OPENSEARCH_SECURE_CA"));
    let cluster = Cluster::with_namespace().await;
    cluster.report("waits", "Warning", "Failed", "no such image", 1).await;
    let sink = |password: &str| {
        format!(
            "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n\
             [sink]\nkind = \"opensearch\"\nhosts = [{url:?}]\nca = {ca:?}\nusername = {:?}\n\
             password = {{ file = {password:?} }}\nindex = {:?}\n",
            cluster.namespace,
            variable("WEIR_TEST_OPENSEARCH_SECURE_USERNAME"),
            crate::support::unique("kube-events-e2e"),
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "wrong-and-secret\n").unwrap();
    let weir = Weir::start(&sink(password.to_str().unwrap())).await;
    let report = eventually("readiness fails for the sink", async || {
        let (status, text) = weir.readiness().await;
        (status == 503 && text.contains("401")).then_some(text)
    })
    .await;
    assert!(report.contains("password"), "{report}");
    assert!(!weir.log().contains("wrong-and-secret"));
    // The file is read again: rotation needs no restart.
    std::fs::write(&password, variable("WEIR_TEST_OPENSEARCH_SECURE_PASSWORD")).unwrap();
    eventually("the event is delivered with the right password", async || {
        (weir.metric("weir_events_delivered_total").await == 1.0).then_some(())
    })
    .await;
    weir.until_ready().await;
    weir.stop().await;
}
