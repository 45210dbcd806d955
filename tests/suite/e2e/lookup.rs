//! What the API server has of the object that an event is about, in documents and for modules.

use serde_json::{Value, json};

use crate::support::{Cluster, Search, Weir, eventually, send, stage, unique};

const LOOKUP: &str = "[lookup]\nresources = [\"pods\", \"replicasets.apps\"]\n\
                      annotations = [\"example.com/team\"]\n";

fn config(cluster: &Cluster, search: &Search, more: &str) -> String {
    format!(
        "[source]\nkind = \"kubernetes\"\nnamespaces = [{:?}]\nfield_selector = \"source=e2e\"\n{more}\
         [sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = {:?}\n",
        cluster.namespace, search.url, search.index
    )
}

/// Creates an object in the test's namespace.
async fn create(cluster: &Cluster, group: &str, resource: &str, object: Value) -> Value {
    let path = format!("/{group}/namespaces/{}/{resource}", cluster.namespace);
    send(&cluster.client, "POST", &path, object).await.unwrap()
}

/// A Pod that nothing schedules.
pub(super) async fn pod(cluster: &Cluster, metadata: Value) -> Value {
    let spec = json!({
        "schedulerName": "none",
        "containers": [{"name": "c", "image": "registry.example/c:1"}],
    });
    create(cluster, "api/v1", "pods", json!({"metadata": metadata, "spec": spec})).await
}

/// Reports an event about an object.
pub(super) async fn report_on(cluster: &Cluster, name: &str, kind: &str, object: &Value) {
    let event = json!({
        "metadata": {"name": name},
        "type": "Warning",
        "reason": "Failed",
        "message": name,
        "involvedObject": {
            "apiVersion": "v1", "kind": kind, "namespace": cluster.namespace,
            "name": object["metadata"]["name"], "uid": object["metadata"]["uid"],
        },
        "lastTimestamp": k8s_openapi::jiff::Timestamp::now().to_string()[..19].to_owned() + "Z",
        "source": {"component": "e2e"},
    });
    create(cluster, "api/v1", "events", event).await;
}

/// The documents of these events, in their order.
async fn documents(search: &Search, names: &[&str]) -> Vec<Value> {
    eventually("all are stored", async || {
        let documents = search.documents().await;
        let named = |name: &&str| {
            let is = |(_, document): &&(String, Value)| document["metadata"]["name"] == **name;
            documents.iter().find(is).map(|(_, document)| document.clone())
        };
        names.iter().map(named).collect::<Option<Vec<_>>>()
    })
    .await
}

/// A Deployment's only Pod.
async fn pod_of_a_deployment(cluster: &Cluster) -> Value {
    let annotations = json!({
        "example.com/team": "shop",
        "example.com/other": "x",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    });
    let template = json!({
        "metadata": {"labels": {"app": "web", "app.kubernetes.io/name": "web"}, "annotations": annotations},
        "spec": {"schedulerName": "none", "containers": [{"name": "c", "image": "registry.example/c:1"}]},
    });
    let deployment = json!({
        "metadata": {"name": "web", "labels": {"of": "the-deployment"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    });
    create(cluster, "apis/apps/v1", "deployments", deployment).await;
    let path = format!("/api/v1/namespaces/{}/pods?labelSelector=app%3Dweb", cluster.namespace);
    eventually("the Deployment has a Pod", async || {
        let pods = send(&cluster.client, "GET", &path, Value::Null).await.unwrap();
        pods["items"].as_array().unwrap().first().cloned()
    })
    .await
}

#[tokio::test]
async fn labels_and_owners_up_to_the_deployment_are_in_the_document() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let pod = pod_of_a_deployment(&cluster).await;
    let weir = Weir::start(&config(&cluster, &search, LOOKUP)).await;
    weir.until_ready().await;
    report_on(&cluster, "of-pod", "Pod", &pod).await;
    documents(&search, &["of-pod"]).await;
    report_on(&cluster, "again", "Pod", &pod).await;
    let mut another = pod.clone();
    another["metadata"]["uid"] = "of-one-before-it".into();
    report_on(&cluster, "of-another", "Pod", &another).await;
    report_on(&cluster, "of-gone", "Pod", &json!({"metadata": {"name": "gone"}})).await;
    report_on(&cluster, "of-other", "ConfigMap", &json!({"metadata": {"name": "x"}})).await;
    let names = ["of-pod", "again", "of-another", "of-gone", "of-other"];
    let found = documents(&search, &names).await;
    for document in &found[..2] {
        let object = &document["involvedObject"];
        assert_eq!(object["labels"], pod["metadata"]["labels"]);
        assert_eq!(object["labels"]["app.kubernetes.io/name"], "web");
        assert_eq!(object["annotations"], json!({"example.com/team": "shop"}));
        let owners = object["ownerReferences"].as_array().unwrap();
        let kinds: Vec<_> = owners.iter().map(|owner| owner["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ReplicaSet", "Deployment"]);
        assert_eq!(owners[0]["uid"], pod["metadata"]["ownerReferences"][0]["uid"]);
        assert_eq!(owners[1]["name"], "web");
    }
    for document in &found[2..] {
        let object = &document["involvedObject"];
        for member in ["labels", "annotations", "ownerReferences"] {
            assert_eq!(object[member], Value::Null, "{document}");
        }
    }
    let metrics = weir.metrics().await;
    let count = |result: &str| metrics[&format!("weir_lookups_total{{result=\"{result}\"}}")];
    assert_eq!(
        ["found", "cached", "missing", "forbidden", "timeout"].map(count),
        [1., 1., 2., 0., 0.]
    );
    let query = json!({"query": {"bool": {"filter": [
        {"term": {"involvedObject.ownerReferences.kind": "Deployment"}},
        {"term": {"involvedObject.labels.app": "web"}},
        {"term": {"involvedObject.labels.app.kubernetes.io/name": "web"}},
    ]}}});
    let path = format!("{}/_count", search.index);
    let counted = search.succeed(reqwest::Method::POST, &path, query).await;
    assert_eq!(counted["count"], 2);
    assert!(!weir.log().contains("look this up") && !weir.log().contains("looked up"));
    weir.stop().await;
}

#[tokio::test]
async fn a_static_pod_is_found_by_the_uid_that_its_kubelet_reports() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let containers = json!([{"name": "c", "image": "registry.example/c:1"}]);
    let annotations = json!({"kubernetes.io/config.mirror": "0123456789abcdef"});
    let mirror = json!({
        "metadata": {"name": "etcd-n1", "labels": {"tier": "control"}, "annotations": annotations},
        "spec": {"nodeName": "n1", "containers": containers},
    });
    create(&cluster, "api/v1", "pods", mirror).await;
    let weir = Weir::start(&config(&cluster, &search, LOOKUP)).await;
    weir.until_ready().await;
    let as_reported = json!({"metadata": {"name": "etcd-n1", "uid": "0123456789abcdef"}});
    report_on(&cluster, "of-static", "Pod", &as_reported).await;
    let found = documents(&search, &["of-static"]).await;
    assert_eq!(found[0]["involvedObject"]["labels"], json!({"tier": "control"}));
    assert_eq!(found[0]["involvedObject"]["annotations"], Value::Null);
    weir.stop().await;
}

#[tokio::test]
async fn a_module_asks_for_what_was_looked_up_and_drops_by_a_label() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let owned = pod_of_a_deployment(&cluster).await;
    let dropped = pod(&cluster, json!({"name": "noise", "labels": {"drop": ""}})).await;
    let weir =
        Weir::start(&config(&cluster, &search, &(LOOKUP.to_owned() + &stage("lookup-guest"))))
            .await;
    weir.until_ready().await;
    report_on(&cluster, "of-noise", "Pod", &dropped).await;
    report_on(&cluster, "of-pod", "Pod", &owned).await;
    report_on(&cluster, "of-gone", "Pod", &json!({"metadata": {"name": "gone"}})).await;
    let found = documents(&search, &["of-pod", "of-gone"]).await;
    let looked_up = &found[0]["looked-up"];
    assert_eq!(looked_up["found"], true);
    assert_eq!((&looked_up["app"], &looked_up["team"]), (&json!("web"), &json!("shop")));
    for text in [&looked_up["labels"], &looked_up["document"]] {
        let labels: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert_eq!(labels, owned["metadata"]["labels"]);
    }
    let controllers = looked_up["controllers"].as_array().unwrap();
    let kinds: Vec<_> = controllers.iter().map(|of| of["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ReplicaSet", "Deployment"]);
    assert_eq!((&controllers[1]["name"], &looked_up["beyond"]), (&json!("web"), &json!("")));
    assert_eq!(found[1]["looked-up"]["found"], false);
    assert_eq!(weir.metric("weir_events_filtered_total").await, 1.0);
    assert_eq!(search.documents().await.len(), 2);
    weir.stop().await;
}

#[tokio::test]
async fn labels_with_hostile_names_are_stored_and_found_and_add_no_fields() {
    let cluster = Cluster::with_namespace().await;
    let mut labels: serde_json::Map<String, Value> =
        (0..100).map(|number| (format!("n{number:02}"), "x".into())).collect();
    for (name, value) in
        [("a", "1"), ("a.b", "2"), ("a..b", "3"), ("a.b.c", "4"), ("a_b", "5"), ("a.b/c.d", "6")]
    {
        labels.insert(name.into(), value.into());
    }
    let pod = pod(
        &cluster,
        json!({"name": "hostile", "labels": labels,
        "annotations": {"a": "1", "a.b": "2", "a..b": "x".repeat(100_000)}}),
    )
    .await;
    let lookup = "[lookup]\nresources = [\"pods\"]\nannotations = [\"a\", \"a.b\", \"a..b\"]\n";
    // With weir's template, and dynamic mapping without dots.
    let mapped = Search::shared();
    let dynamic = mapped.other(&unique("no-template"));
    report_on(&cluster, "of-hostile", "Pod", &pod).await;
    for (search, more) in [(&mapped, ""), (&dynamic, "dedot = true\n")] {
        let mut config = config(&cluster, search, &format!("{lookup}{more}"));
        if !more.is_empty() {
            config += "template = \"skip\"\n";
        }
        let weir = Weir::start(&config).await;
        let document = documents(search, &["of-hostile"]).await.remove(0);
        let stored = document["involvedObject"]["labels"].as_object().unwrap().clone();
        assert_eq!(document["involvedObject"]["annotations"]["a"], "1");
        let (_, mapping) =
            search.ask(reqwest::Method::GET, &format!("{}/_mapping", search.index), None).await;
        let object =
            &mapping[&search.index]["mappings"]["properties"]["involvedObject"]["properties"];
        if more.is_empty() {
            assert_eq!(stored.len(), 64);
            assert_eq!((&stored["a..b"], &stored["a.b/c.d"]), (&json!("3"), &json!("6")));
            assert_eq!(object["labels"], json!({"type": "flat_object"}));
            assert_eq!(object["annotations"], json!({"type": "object", "enabled": false}));
            let long = document["involvedObject"]["annotations"]["a..b"].as_str().unwrap();
            assert_eq!(long.len(), 1024);
        } else {
            assert_eq!((&stored["a_b"], &stored["a__b"]), (&json!("5"), &json!("3")));
            assert!(stored.keys().all(|key| !key.contains('.')), "{stored:?}");
            assert_eq!(object["labels"]["properties"]["a_b_c"]["type"], "text");
        }
        assert!(weir.dead_letters().is_empty());
        weir.stop().await;
    }
    for (name, value) in [("a.b", "2"), ("a..b", "3"), ("a.b/c.d", "6")] {
        let query = json!({"query": {"term": {format!("involvedObject.labels.{name}"): value}}});
        let path = format!("{}/_count", mapped.index);
        let counted = mapped.succeed(reqwest::Method::POST, &path, query).await;
        assert_eq!(counted["count"], 1, "{name}");
    }
}

#[tokio::test]
async fn what_may_not_be_looked_up_goes_on_without_and_the_log_says_so_once() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kubeconfig.path(), cluster.kubeconfig_of_nobody().await).unwrap();
    let user = format!("system:serviceaccount:{}:nobody", cluster.namespace);
    cluster.grant(&user, "", "events", &["get", "list", "watch"]).await;
    let variables = [("KUBECONFIG", kubeconfig.path().to_str().unwrap())];
    let weir = Weir::start_with(&config(&cluster, &search, LOOKUP), &variables).await;
    weir.until_ready().await;
    let names = ["one", "two", "three"];
    for name in names {
        let pod = pod(&cluster, json!({"name": name, "labels": {"a": "b"}})).await;
        report_on(&cluster, name, "Pod", &pod).await;
    }
    for document in documents(&search, &names).await {
        assert_eq!(document["involvedObject"]["labels"], Value::Null);
    }
    let metrics = weir.metrics().await;
    assert_eq!(metrics["weir_lookups_total{result=\"forbidden\"}"], 3.0);
    let rule = r#"{apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"get\"]}"#;
    let log = weir.log();
    assert_eq!(log.matches("may not look this up").count(), 1, "{log}");
    assert!(log.contains(rule) && log.contains(&user), "{log}");
    let (status, _) = weir.readiness().await;
    assert_eq!(status, 200);
    weir.stop().await;
}
