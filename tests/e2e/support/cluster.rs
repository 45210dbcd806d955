//! A namespace of a test's own in the real cluster.

use k8s_openapi::api::core::v1::{Event, EventSource, Namespace, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;

use super::{unique, variable};

pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Cluster {
    /// Connects, and makes a namespace.
    pub(crate) async fn with_namespace() -> Cluster {
        let kubeconfig = Kubeconfig::read_from(variable("WEIR_TEST_KUBECONFIG")).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .unwrap();
        let client = Client::try_from(config).unwrap();
        let namespace = unique("e2e");
        let object: Namespace =
            serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
        Cluster { client, namespace }
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
        let mark: serde_json::Value = serde_json::from_str(&annotations["weir/settled"]).ok()?;
        mark["positions"][&self.namespace].as_str()?.parse().ok()
    }

    /// A kubeconfig for the same server with the token of a ServiceAccount that has no rights at
    /// all.
    pub(crate) async fn kubeconfig_of_nobody(&self) -> String {
        use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
        use k8s_openapi::api::core::v1::ServiceAccount;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"name": "nobody"}})).unwrap();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let request =
            TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
        let answer = accounts
            .create_token_request("nobody", &PostParams::default(), &request)
            .await
            .unwrap();
        let token = answer.status.unwrap().token;

        let mut kubeconfig: serde_json::Value = {
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
}

/// `{uid}.{resourceVersion}`, the id of a version's document.
pub(crate) fn id_of(event: &Event) -> String {
    format!(
        "{}.{}",
        event.metadata.uid.as_deref().unwrap(),
        event.metadata.resource_version.as_deref().unwrap()
    )
}
