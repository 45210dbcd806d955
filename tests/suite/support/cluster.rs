//! A namespace of a test's own in the real cluster.

use k8s_openapi::api::core::v1::{Event, EventSource, Namespace, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{unique, variable};

/// Who uses the cluster: many tests, or one alone.
static CLUSTER: RwLock<()> = RwLock::const_new(());

/// The test's part of [`CLUSTER`], until it ends.
#[expect(dead_code, reason = "they are held, not looked at")]
enum Part {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    _part: Part,
}

impl Cluster {
    /// Connects, and makes a namespace. One a test: a second one could wait for ever for a test
    /// that waits to be [`alone`](Cluster::alone).
    pub(crate) async fn with_namespace() -> Cluster {
        Cluster::with(Part::Shared(CLUSTER.read().await)).await
    }

    /// The same, when no other test uses the cluster, and none does as long as this one lives.
    ///
    /// For a test that compacts etcd, which takes versions that were overwritten from every watch
    /// that begins or begins again; and for one that measures how soon something happens.
    pub(crate) async fn alone() -> Cluster {
        Cluster::with(Part::Alone(CLUSTER.write().await)).await
    }

    async fn with(part: Part) -> Cluster {
        let client = Client::try_from(administrator().await).unwrap();
        let namespace = unique("weir-test");
        let object: Namespace =
            serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Cluster { client, namespace, _part: part }
    }

    pub(crate) fn events(&self) -> Api<Event> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates an event as the kubelet would write it.
    pub(crate) async fn report(
        &self,
        name: &str,
        event_type: &str,
        reason: &str,
        message: &str,
        count: i32,
    ) -> Event {
        let now = Time(k8s_openapi::jiff::Timestamp::now());
        let event = Event {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            involved_object: ObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                namespace: Some(self.namespace.clone()),
                name: Some(format!("pod-of-{name}")),
                ..ObjectReference::default()
            },
            type_: Some(event_type.into()),
            reason: Some(reason.into()),
            message: Some(message.into()),
            count: Some(count),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            source: Some(EventSource {
                component: Some("e2e".into()),
                host: Some("node-e2e".into()),
            }),
            ..Event::default()
        };
        self.events().create(&PostParams::default(), &event).await.unwrap()
    }

    /// The `resourceVersion` that an event has now.
    pub(crate) async fn version_of(&self, name: &str) -> u64 {
        let event = self.events().get(name).await.unwrap();
        event.metadata.resource_version.unwrap().parse().unwrap()
    }

    /// The version up to which a Lease says that everything of this namespace is settled.
    pub(crate) async fn settled_mark(&self, lease: &str) -> Option<u64> {
        use k8s_openapi::api::coordination::v1::Lease;
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let annotations = leases.get(lease).await.ok()?.metadata.annotations?;
        let mark: Value = serde_json::from_str(&annotations["weir/settled"]).ok()?;
        mark["positions"][&self.namespace].as_str()?.parse().ok()
    }

    /// A token of a ServiceAccount of the namespace.
    async fn token_of(&self, account: &str) -> String {
        use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
        use k8s_openapi::api::core::v1::ServiceAccount;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let request =
            TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
        let answer =
            accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
        answer.status.unwrap().token.unwrap()
    }

    /// A client with the token of a ServiceAccount of the namespace, and nothing else.
    pub(crate) async fn client_of(&self, account: &str) -> Client {
        let mut config = administrator().await;
        config.default_retry = false;
        config.auth_info =
            AuthInfo { token: Some(self.token_of(account).await.into()), ..AuthInfo::default() };
        Client::try_from(config).unwrap()
    }

    /// A kubeconfig for the same server with the token of a ServiceAccount that has no rights at
    /// all.
    pub(crate) async fn kubeconfig_of_nobody(&self) -> String {
        use k8s_openapi::api::core::v1::ServiceAccount;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"name": "nobody"}})).unwrap();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let token = self.token_of("nobody").await;

        let mut kubeconfig: Value = {
            let text = std::fs::read_to_string(variable("WEIR_TEST_KUBECONFIG")).unwrap();
            let parsed = Kubeconfig::from_yaml(&text).unwrap();
            serde_json::to_value(parsed).unwrap()
        };
        for user in kubeconfig["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": token});
        }
        kubeconfig.to_string() // JSON is YAML
    }

    /// Raises an event's count, as a reporter does when it happens again.
    pub(crate) async fn repeat(&self, name: &str, count: i32) -> Event {
        let patch = Patch::Merge(json!({"count": count}));
        self.events().patch(name, &PatchParams::default(), &patch).await.unwrap()
    }

    /// Gives a user these rights in the namespace.
    pub(crate) async fn grant(&self, user: &str, group: &str, resource: &str, verbs: &[&str]) {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", self.namespace);
        let role = json!({
            "metadata": {"name": resource},
            "rules": [{"apiGroups": [group], "resources": [resource], "verbs": verbs}],
        });
        send(&self.client, "POST", &format!("{path}/roles"), role).await.unwrap();
        let group = "rbac.authorization.k8s.io";
        let binding = json!({
            "metadata": {"name": resource},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": resource},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        });
        send(&self.client, "POST", &format!("{path}/rolebindings"), binding).await.unwrap();
    }
}

async fn administrator() -> Config {
    weir::internals::tls::install_crypto_provider();
    let file = Kubeconfig::read_from(variable("WEIR_TEST_KUBECONFIG")).unwrap();
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
}

/// A client that does not repeat what failed, as weir's own: the administrator's, or of a user who
/// has no rights but those that a test [grants](Cluster::grant).
pub(crate) async fn client_as(user: Option<&str>) -> Client {
    let mut config = administrator().await;
    config.default_retry = false;
    config.auth_info.impersonate = user.map(str::to_owned);
    Client::try_from(config).unwrap()
}

/// What the API server answers; `body` may be null.
pub(crate) async fn send(
    client: &Client,
    method: &str,
    path: &str,
    body: Value,
) -> Result<Value, kube::Error> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(if body.is_null() { Vec::new() } else { body.to_string().into_bytes() })
        .unwrap();
    client.request(request).await
}

/// An event's `resourceVersion`.
pub(crate) fn version_of(event: &Event) -> String {
    event.metadata.resource_version.clone().unwrap()
}

/// `{uid}.{resourceVersion}`, the id of a version's document.
pub(crate) fn id_of(event: &Event) -> String {
    format!("{}.{}", event.metadata.uid.as_deref().unwrap(), version_of(event))
}
