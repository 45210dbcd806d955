//! What the API server lets weir do with the chart's roles, asked with the ServiceAccount's own
//! token: all that weir needs, and nothing else. In each of the three shapes.

use kube::Client;
use serde_json::{Value, json};

use super::server::kubectl;
use super::{chart, objects, read, template_in};
use crate::support::{Cluster, eventually, send};

/// The code that a request is answered with.
async fn code(client: &Client, method: &str, path: &str, body: Value) -> u16 {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type(method))
        .body(if body.is_null() { Vec::new() } else { body.to_string().into_bytes() })
        .unwrap();
    match client.request_text(request).await {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{method} {path}: {error}"),
    }
}

fn content_type(method: &str) -> &'static str {
    if method == "PATCH" { "application/merge-patch+json" } else { "application/json" }
}

/// That each of these is let through, once the API server has learned of the rights. What is not
/// there is 404, which says that it may be read.
async fn may(client: &Client, requests: &[(&str, &str, Value)]) {
    for (method, path, body) in requests {
        eventually(&format!("{method} {path} is let through"), async || {
            let code = code(client, method, path, body.clone()).await;
            matches!(code, 200 | 404).then_some(())
        })
        .await;
    }
}

async fn may_not(client: &Client, requests: &[(&str, &str, Value)]) {
    for (method, path, body) in requests {
        let code = code(client, method, path, body.clone()).await;
        assert_eq!(code, 403, "{method} {path}");
    }
}

/// Installs accounts, roles and bindings of a rendering.
struct Granted<'c> {
    cluster: &'c Cluster,
    yaml: String,
}

impl Granted<'_> {
    fn of<'c>(cluster: &'c Cluster, arguments: &[&str]) -> Granted<'c> {
        let base = ["--set=opensearch.hosts[0]=http://a"];
        let all =
            objects(&template_in(&cluster.namespace, &[&base[..], arguments].concat()).unwrap());
        let is_right = |object: &&Value| {
            let kind = object["kind"].as_str().unwrap();
            kind == "ServiceAccount" || kind.contains("Role")
        };
        let rights: Vec<_> = all.iter().filter(is_right).map(Value::to_string).collect();
        let yaml = rights.join("\n---\n");
        kubectl(&["apply", "--filename=-"], &yaml).unwrap();
        Granted { cluster, yaml }
    }

    async fn weir(&self) -> Client {
        self.cluster.client_of("demo-weir").await
    }

    /// What belongs to no namespace of the test's does not go with it.
    fn remove(self) {
        kubectl(&["delete", "--ignore-not-found", "--filename=-"], &self.yaml).unwrap();
    }
}

/// It makes its Lease and renews it.
async fn leads(client: &Client, leases: &str, name: &str) {
    eventually("it makes its Lease", async || send(client, "POST", leases, lease(name)).await.ok())
        .await;
    let path = format!("{leases}/{name}");
    let mut held = send(client, "GET", &path, Value::Null).await.unwrap();
    held["spec"]["holderIdentity"] = "another".into();
    send(client, "PUT", &path, held).await.unwrap();
}

fn lease(name: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": {"holderIdentity": "x"}})
}

#[tokio::test]
async fn cluster_wide_it_reads_events_its_lease_and_what_it_looks_up_and_nothing_else() {
    let cluster = Cluster::with_namespace().await;
    let namespace = &cluster.namespace;
    cluster.report("seen", "Warning", "Failed", "no such image", 1).await;
    let granted = Granted::of(
        &cluster,
        &["--set=lease.enabled=true", "--set=lookup.resources={pods,replicasets.apps}"],
    );
    let weir = granted.weir().await;
    let core = format!("/api/v1/namespaces/{namespace}");
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    let at = |path: &str| format!("{core}{path}");
    let null = Value::Null;

    may(
        &weir,
        &[
            ("GET", "/api/v1/events?limit=5", null.clone()),
            ("GET", "/api/v1/events?watch=true&timeoutSeconds=1", null.clone()),
            ("GET", &at("/events/seen"), null.clone()),
            ("GET", "/api/v1/namespaces/kube-system", null.clone()),
            ("GET", &at("/pods/any"), null.clone()),
            ("GET", &format!("/apis/apps/v1/namespaces/{namespace}/replicasets/any"), null.clone()),
        ],
    )
    .await;
    leads(&weir, &leases, "demo-weir").await;

    let event = json!({"metadata": {"name": "made"}, "involvedObject": {"namespace": namespace}});
    may_not(
        &weir,
        &[
            ("GET", "/api/v1/secrets", null.clone()),
            ("GET", &at("/secrets"), null.clone()),
            ("GET", &at("/secrets/any"), null.clone()),
            ("GET", &at("/configmaps/any"), null.clone()),
            ("GET", "/api/v1/pods", null.clone()),
            ("GET", &at("/pods"), null.clone()),
            ("GET", &at("/pods?watch=true&timeoutSeconds=1"), null.clone()),
            ("GET", &at("/pods/any/log"), null.clone()),
            ("POST", &at("/pods/any/exec?command=sh"), null.clone()),
            ("POST", &at("/pods"), json!({"metadata": {"name": "p"}, "spec": {"containers": []}})),
            ("DELETE", &at("/pods/any"), null.clone()),
            ("GET", "/api/v1/nodes/any", null.clone()),
            ("GET", "/api/v1/namespaces", null.clone()),
            ("GET", &core, null.clone()),
            ("POST", &at("/events"), event.clone()),
            ("PUT", &at("/events/seen"), event),
            ("PATCH", &at("/events/seen"), json!({"count": 2})),
            ("DELETE", &at("/events/seen"), null.clone()),
            ("GET", &format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"), null.clone()),
            ("GET", &leases, null.clone()),
            ("GET", &format!("{leases}/another"), null.clone()),
            ("PUT", &format!("{leases}/another"), lease("another")),
            ("PATCH", &format!("{leases}/demo-weir"), json!({})),
            ("DELETE", &format!("{leases}/demo-weir"), null.clone()),
            (
                "GET",
                "/apis/coordination.k8s.io/v1/namespaces/default/leases/demo-weir",
                null.clone(),
            ),
            ("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease("demo-weir")),
            ("GET", &format!("/apis/apps/v1/namespaces/{namespace}/deployments/any"), null.clone()),
            ("POST", &at("/serviceaccounts/demo-weir/token"), json!({"spec": {}})),
            ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", null.clone()),
        ],
    )
    .await;
    granted.remove();
}

#[tokio::test]
async fn with_roles_alone_it_reads_the_namespaces_that_are_listed() {
    let cluster = Cluster::with_namespace().await;
    let namespace = &cluster.namespace;
    let list = format!("--set=source.namespaces={{{namespace}}}");
    let rendered = template_in(namespace, &["--set=opensearch.hosts[0]=http://a", &list]).unwrap();
    assert!(!rendered.contains("kind: ClusterRole"), "{rendered}");
    let granted = Granted::of(&cluster, &[&list, "--set=lookup.resources={pods}"]);
    let weir = granted.weir().await;
    let core = format!("/api/v1/namespaces/{namespace}");
    let null = Value::Null;
    may(
        &weir,
        &[
            ("GET", &format!("{core}/events"), null.clone()),
            ("GET", &format!("{core}/events?watch=true&timeoutSeconds=1"), null.clone()),
            ("GET", &format!("{core}/pods/any"), null.clone()),
            ("GET", "/api/v1/namespaces/kube-system", null.clone()),
        ],
    )
    .await;
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    may_not(
        &weir,
        &[
            ("GET", "/api/v1/events", null.clone()),
            ("GET", "/api/v1/namespaces/default/events", null.clone()),
            ("GET", "/api/v1/namespaces/kube-system/events", null.clone()),
            ("GET", "/api/v1/namespaces/default/pods/any", null.clone()),
            ("GET", "/api/v1/namespaces/default", null.clone()),
            ("GET", &format!("{core}/secrets/any"), null.clone()),
            ("GET", &format!("{core}/pods"), null.clone()),
            // The Lease is off.
            ("POST", &leases, lease("demo-weir")),
            ("GET", &format!("{leases}/demo-weir"), null.clone()),
        ],
    )
    .await;
    granted.remove();

    let without = Granted::of(&cluster, &[&list, "--set=rbac.kubeSystem=false"]);
    let weir = without.weir().await;
    may(&weir, &[("GET", &format!("{core}/events"), null.clone())]).await;
    may_not(&weir, &[("GET", "/api/v1/namespaces/kube-system", null)]).await;
    without.remove();
}

#[tokio::test]
async fn with_an_account_of_the_users_it_has_the_rights_that_the_readme_grants() {
    let cluster = Cluster::with_namespace().await;
    let namespace = &cluster.namespace;
    let none = [
        "--set=serviceAccount.create=false",
        "--set=serviceAccount.name=weir",
        "--set=rbac.create=false",
    ];
    let rendered =
        template_in(namespace, &[&["--set=opensearch.hosts[0]=http://a"][..], &none].concat())
            .unwrap();
    assert!(!rendered.contains("rbac.authorization") && !rendered.contains("kind: ServiceAccount"));
    assert!(rendered.contains("serviceAccountName: weir\n"), "{rendered}");

    let readme = read(chart().join("README.md"));
    let (_, rights) = readme.split_once("```yaml\napiVersion: v1\nkind: ServiceAccount\n").unwrap();
    let rights = rights.split_once("```").unwrap().0;
    let rights = format!("apiVersion: v1\nkind: ServiceAccount\n{rights}")
        .replace("namespace: weir\n", &format!("namespace: {namespace}\n"))
        .replace("name: weir-events\n", &format!("name: {namespace}-events\n"));
    kubectl(&["apply", "--filename=-"], &rights).unwrap();
    let weir = cluster.client_of("weir").await;
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    let null = Value::Null;
    may(
        &weir,
        &[
            ("GET", "/api/v1/events", null.clone()),
            ("GET", "/api/v1/events?watch=true&timeoutSeconds=1", null.clone()),
            ("GET", "/api/v1/namespaces/kube-system", null.clone()),
        ],
    )
    .await;
    leads(&weir, &leases, "weir").await;
    may_not(
        &weir,
        &[
            ("GET", "/api/v1/secrets", null.clone()),
            ("GET", "/api/v1/pods", null.clone()),
            ("GET", &format!("{leases}/another"), null.clone()),
            ("DELETE", &format!("{leases}/weir"), null),
        ],
    )
    .await;
    kubectl(&["delete", "--filename=-"], &rights).unwrap();
}
