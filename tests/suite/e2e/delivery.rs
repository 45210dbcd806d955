//! Events of the real cluster become documents of the real OpenSearch.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::support::{Cluster, Search, Weir, both_stages, eventually, id_of, stage};

fn kubernetes_to_opensearch(cluster: &Cluster, search: &Search, mode: &str) -> String {
    format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\n\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\nmode = {mode:?}\n",
        cluster.namespace, search.url, search.index
    )
}

#[tokio::test]
async fn events_before_and_after_the_start_appear_as_documents_once() {
    let cluster = Cluster::with_namespace().await;
    let search = Search::shared();
    let before = cluster.report("before", "Warning", "Failed", "Error: ImagePullBackOff", 1).await;
    cluster.report("normal", "Normal", "Pulled", "image present", 1).await;
    let config = kubernetes_to_opensearch(&cluster, &search, "history") + &stage("drop-normal");
    let weir = Weir::start(&config).await;
    weir.until_ready().await;
    let after = cluster.report("after", "Warning", "BackOff", "Back-off pulling image", 1).await;

    let documents = eventually("both warnings are stored", async || {
        let documents = search.documents().await;
        (documents.len() == 2).then_some(documents)
    })
    .await;
    let ids: Vec<&str> = documents.iter().map(|(id, _)| id.as_str()).collect();
    assert!(
        ids.contains(&id_of(&before).as_str()) && ids.contains(&id_of(&after).as_str()),
        "{ids:?}"
    );
    for (_, document) in &documents {
        assert_eq!(document["clusterName"], "e2e-cluster");
        assert_eq!(document["kind"], "Event");
        assert_eq!(document["apiVersion"], "v1");
        assert_eq!(document["@timestamp"], document["lastTimestamp"]);
        assert_eq!(document["metadata"]["managedFields"], json!(null));
    }
    assert_eq!(weir.metric("weir_events_filtered_total").await, 1.0);
    weir.stop().await;
}

#[tokio::test]
async fn a_deployment_that_wants_a_gpu_is_tagged() {
    let cluster = Cluster::with_namespace().await;
    let search = Search::shared();
    let weir =
        Weir::start(&(kubernetes_to_opensearch(&cluster, &search, "history") + &both_stages()))
            .await;
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "train"},
        "spec": {
            "selector": {"matchLabels": {"app": "train"}},
            "template": {
                "metadata": {"labels": {"app": "train"}},
                "spec": {"containers": [{"name": "c", "image": "registry.example/train:1",
                    "resources": {"limits": {"nvidia.com/gpu": "8"}}}]}
            }
        }
    }))
    .unwrap();
    // A node that could run it, but for the GPU.
    ensure_node_without_gpu(&cluster).await;
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    deployments.create(&PostParams::default(), &deployment).await.unwrap();

    let document = eventually("the scheduler's event is stored", async || {
        let documents = search.documents().await;
        documents.into_iter().map(|(_, d)| d).find(|d| d["reason"] == "FailedScheduling")
    })
    .await;
    assert_eq!(document["tags"], json!(["gpu-failure"]), "{document}");
    assert_eq!(document["gpu"], json!({"cause": "unschedulable", "resource": "nvidia.com/gpu"}));
    // The scheduler leaves lastTimestamp null: the time is eventTime's.
    assert_eq!(document["lastTimestamp"], json!(null));
    assert_eq!(document["@timestamp"], document["eventTime"]);
    assert!(document["@timestamp"].is_string());
    weir.stop().await;
}

async fn ensure_node_without_gpu(cluster: &Cluster) {
    use k8s_openapi::api::core::v1::Node;
    use kube::api::{Patch, PatchParams};
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let node: Node = serde_json::from_value(json!({"metadata": {"name": "e2e-node"}})).unwrap();
    match nodes.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => {
            other.unwrap();
        }
    }
    let capacity = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    let status = json!({"status": {"capacity": capacity, "allocatable": capacity,
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}});
    nodes.patch_status("e2e-node", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    // The node controller taints a new node until it has seen that it is ready.
    eventually("the node is free of taints", async || {
        let node = nodes.get("e2e-node").await.unwrap();
        node.spec.unwrap_or_default().taints.unwrap_or_default().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn history_keeps_every_count_of_an_event() {
    let cluster = Cluster::with_namespace().await;
    let search = Search::shared();
    let weir = Weir::start(&kubernetes_to_opensearch(&cluster, &search, "history")).await;
    weir.until_ready().await;
    cluster.report("again", "Warning", "Unhealthy", "probe failed", 1).await;
    for count in 2..=5 {
        cluster.repeat("again", count).await;
    }
    let documents = eventually("five documents", async || {
        let documents = search.documents().await;
        (documents.len() == 5).then_some(documents)
    })
    .await;
    let mut counts: Vec<i64> =
        documents.iter().map(|(_, d)| d["count"].as_i64().unwrap()).collect();
    counts.sort();
    assert_eq!(counts, [1, 2, 3, 4, 5]);
    weir.stop().await;
}

#[tokio::test]
async fn latest_keeps_one_document_an_event_with_its_last_count() {
    let cluster = Cluster::with_namespace().await;
    let search = Search::shared();
    let weir = Weir::start(&kubernetes_to_opensearch(&cluster, &search, "latest")).await;
    weir.until_ready().await;
    let event = cluster.report("again", "Warning", "Unhealthy", "probe failed", 1).await;
    for count in 2..=5 {
        cluster.repeat("again", count).await;
    }
    let (id, _) = eventually("the last count is stored", async || {
        let documents = search.documents().await;
        documents.into_iter().find(|(_, d)| d["count"] == 5)
    })
    .await;
    assert_eq!(id, event.metadata.uid.unwrap());
    assert_eq!(search.documents().await.len(), 1);
    weir.stop().await;
}

#[tokio::test]
async fn a_restart_stores_nothing_twice() {
    let cluster = Cluster::with_namespace().await;
    let search = Search::shared();
    for number in 0..20 {
        cluster.report(&format!("e{number}"), "Warning", "Failed", "no such image", 1).await;
    }
    let config = kubernetes_to_opensearch(&cluster, &search, "history");
    for _ in 0..2 {
        let weir = Weir::start(&config).await;
        eventually("all are delivered", async || {
            (weir.metric("weir_events_delivered_total").await == 20.0).then_some(())
        })
        .await;
        weir.stop().await;
    }
    assert_eq!(search.documents().await.len(), 20);
}
