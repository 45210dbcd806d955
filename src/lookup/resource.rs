//! What is looked up, by the names that RBAC has for it: `pods`, `replicasets.apps`.
//!
//! An event names a *kind*, and a request a *resource*. For what Kubernetes itself has, the table
//! here knows which belong together; of anything else the resource is guessed from the kind, as
//! kubectl does it without asking the API server.

/// A resource that may be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `replicasets`
    plural: String,
    /// `apps`; empty: core.
    group: String,
    known: Option<&'static Known>,
}

/// A resource of Kubernetes' own.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    plural: &'static str,
    group: &'static str,
    kind: &'static str,
    is_namespaced: bool,
}

/// All of these are served in the version v1.
const VERSION: &str = "v1";
/// A DNS label in front of a DNS subdomain.
const NAME_BYTES_MAX: usize = 63 + 1 + 253;

const fn namespaced(plural: &'static str, group: &'static str, kind: &'static str) -> Known {
    Known { plural, group, kind, is_namespaced: true }
}

const fn of_the_cluster(plural: &'static str, group: &'static str, kind: &'static str) -> Known {
    Known { plural, group, kind, is_namespaced: false }
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/>
static KNOWN: [Known; 29] = [
    namespaced("pods", "", "Pod"),
    of_the_cluster("nodes", "", "Node"),
    of_the_cluster("namespaces", "", "Namespace"),
    namespaced("services", "", "Service"),
    namespaced("endpoints", "", "Endpoints"),
    namespaced("configmaps", "", "ConfigMap"),
    of_the_cluster("persistentvolumes", "", "PersistentVolume"),
    namespaced("persistentvolumeclaims", "", "PersistentVolumeClaim"),
    namespaced("replicationcontrollers", "", "ReplicationController"),
    namespaced("resourcequotas", "", "ResourceQuota"),
    namespaced("limitranges", "", "LimitRange"),
    namespaced("serviceaccounts", "", "ServiceAccount"),
    namespaced("deployments", "apps", "Deployment"),
    namespaced("replicasets", "apps", "ReplicaSet"),
    namespaced("statefulsets", "apps", "StatefulSet"),
    namespaced("daemonsets", "apps", "DaemonSet"),
    namespaced("jobs", "batch", "Job"),
    namespaced("cronjobs", "batch", "CronJob"),
    namespaced("horizontalpodautoscalers", "autoscaling", "HorizontalPodAutoscaler"),
    namespaced("ingresses", "networking.k8s.io", "Ingress"),
    of_the_cluster("ingressclasses", "networking.k8s.io", "IngressClass"),
    namespaced("networkpolicies", "networking.k8s.io", "NetworkPolicy"),
    namespaced("poddisruptionbudgets", "policy", "PodDisruptionBudget"),
    of_the_cluster("storageclasses", "storage.k8s.io", "StorageClass"),
    of_the_cluster("volumeattachments", "storage.k8s.io", "VolumeAttachment"),
    of_the_cluster("csinodes", "storage.k8s.io", "CSINode"),
    namespaced("leases", "coordination.k8s.io", "Lease"),
    namespaced("endpointslices", "discovery.k8s.io", "EndpointSlice"),
    of_the_cluster(
        "certificatesigningrequests",
        "certificates.k8s.io",
        "CertificateSigningRequest",
    ),
];

impl Resource {
    /// All that Kubernetes itself has.
    pub(super) fn of_kubernetes() -> Vec<Resource> {
        let resource = |known: &'static Known| Resource {
            plural: known.plural.to_owned(),
            group: known.group.to_owned(),
            known: Some(known),
        };
        KNOWN.iter().map(resource).collect()
    }

    /// A resource by RBAC's name.
    ///
    /// # Errors
    ///
    /// What is wrong with the name, and what would be right.
    pub fn parse(text: &str) -> Result<Resource, String> {
        let last = text.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(last.trim_end_matches('.'), "secret" | "secrets") {
            return Err(
                "must not be \"secrets\": RBAC has no right to an object's labels alone, so \
                        weir would have the right to read every Secret"
                    .into(),
            );
        }
        if let Some((plural, group)) = misspelt(text) {
            let dot = if group.is_empty() { "" } else { "." };
            return Err(format!(
                "is \"{text}\", and RBAC calls that \"{plural}{dot}{group}\": write it so"
            ));
        }
        let (plural, group) = text.split_once('.').unwrap_or((text, ""));
        let is_word = |word: &str| {
            let first = word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            first && word.bytes().all(plain)
        };
        let is_group = group.is_empty() || group.split('.').all(is_word);
        if text.len() > NAME_BYTES_MAX || !is_word(plural) || !is_group || text.ends_with('.') {
            return Err("must be a resource as RBAC names it: its plural, and its group behind a \
                        dot, such as \"pods\" or \"replicasets.apps\"; without \
                        patterns and subresources"
                .into());
        }
        let known = KNOWN.iter().find(|known| known.plural == plural && known.group == group);
        Ok(Resource { plural: plural.into(), group: group.into(), known })
    }

    /// Whether it is what objects of this kind are.
    pub(super) fn is_of(&self, group: Option<&str>, kind: &str) -> bool {
        if group.is_some_and(|group| group != self.group) {
            return false;
        }
        match self.known {
            Some(known) => known.kind == kind,
            // Without a group there is no version to ask in.
            None => group.is_some() && is_guessed(kind, &self.plural),
        }
    }

    /// The version to ask in where a reference names none.
    pub(super) fn version(&self) -> &'static str {
        VERSION
    }

    /// Whether its objects are in namespaces; `None`: not known.
    pub(crate) fn is_namespaced(&self) -> Option<bool> {
        self.known.map(|known| known.is_namespaced)
    }

    /// Whether it is Node: the kubelet writes a Node's name where its uid should be.
    pub(super) fn is_nodes(&self) -> bool {
        self.plural == "nodes" && self.group.is_empty()
    }

    /// `apps`; empty: core.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// `replicasets`
    pub(crate) fn plural(&self) -> &str {
        &self.plural
    }

    /// The URL of one of its objects, whose parts were checked before.
    pub(super) fn path(&self, version: &str, namespace: &str, name: &str) -> String {
        let root = match self.group.as_str() {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        };
        let within = match namespace {
            "" => String::new(),
            namespace => format!("/namespaces/{namespace}"),
        };
        format!("{root}{within}/{}/{name}", self.plural)
    }

    /// The rule of a Role that grants what is needed, as one line of YAML.
    pub(super) fn rule(&self) -> String {
        let Resource { plural, group, .. } = self;
        format!("{{apiGroups: [{group:?}], resources: [{plural:?}], verbs: [\"get\"]}}")
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plural)?;
        match self.group.as_str() {
            "" => Ok(()),
            group => write!(f, ".{group}"),
        }
    }
}

/// What was meant by the kind, the singular, the plural without its group, or `GROUP/PLURAL`.
fn misspelt(text: &str) -> Option<(&'static str, &'static str)> {
    let (group, word) = match text.rsplit_once('/') {
        Some((group, word)) => (Some(group.split('/').next().unwrap_or_default()), word),
        None => (None, text),
    };
    let word = word.to_ascii_lowercase();
    let is_meant = |known: &&Known| {
        (word == known.plural || word == known.kind.to_ascii_lowercase())
            && group.is_none_or(|group| {
                group == known.group || (group == "v1" && known.group.is_empty())
            })
    };
    let known = KNOWN.iter().find(is_meant)?;
    let is_right = known.group.is_empty() && text == known.plural;
    (!is_right).then_some((known.plural, known.group))
}

/// Whether a kind's resource is called so: `Gateway`, `gateways`.
fn is_guessed(kind: &str, plural: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    match kind.as_bytes().last() {
        Some(b'y') => plural == format!("{}ies", &kind[..kind.len() - 1]) || plural == kind + "s",
        Some(b's') => plural == kind || plural == kind + "es",
        // English has `boxes` and `meshes`, and `graphs`; kubectl guesses `boxs`.
        Some(b'x' | b'h') => [&*kind, &format!("{kind}es"), &format!("{kind}s")].contains(&plural),
        _ => plural == kind + "s",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Resource {
        Resource::parse(text).unwrap()
    }

    #[test]
    fn resources_are_written_as_rbac_names_them() {
        for text in
            ["pods", "replicasets.apps", "rollouts.argoproj.io", "ingresses.networking.k8s.io"]
        {
            assert_eq!(resource(text).to_string(), text);
        }
        let wrong = |text| Resource::parse(text).unwrap_err();
        insta::assert_snapshot!(wrong("secrets"), @r#"must not be "secrets": RBAC has no right to an object's labels alone, so weir would have the right to read every Secret"#);
        insta::assert_snapshot!(wrong("replicasets"), @r#"is "replicasets", and RBAC calls that "replicasets.apps": write it so"#);
        insta::assert_snapshot!(wrong("apps/v1/ReplicaSet"), @r#"is "apps/v1/ReplicaSet", and RBAC calls that "replicasets.apps": write it so"#);
        insta::assert_snapshot!(wrong("Pod"), @r#"is "Pod", and RBAC calls that "pods": write it so"#);
        for text in
            ["*", "", "pods/log", "pods.", ".apps", "po ds", "*.apps", "a..b", "a.B", "../x"]
        {
            assert!(wrong(text).starts_with("must be a resource as RBAC names it"), "{text}");
        }
    }

    #[test]
    fn a_kind_is_found_under_its_resource() {
        assert!(resource("replicasets.apps").is_of(Some("apps"), "ReplicaSet"));
        assert!(!resource("replicasets.apps").is_of(Some("extensions"), "ReplicaSet"));
        assert!(resource("pods").is_of(None, "Pod"), "some reporters leave apiVersion out");
        assert!(resource("rollouts.argoproj.io").is_of(Some("argoproj.io"), "Rollout"));
        assert!(!resource("rollouts.argoproj.io").is_of(None, "Rollout"));
        assert!(resource("gateways.x.io").is_of(Some("x.io"), "Gateway"));
        assert!(resource("policies.x.io").is_of(Some("x.io"), "Policy"));
        assert!(resource("meshes.x.io").is_of(Some("x.io"), "Mesh"));
        assert!(resource("graphs.x.io").is_of(Some("x.io"), "Graph"));
        assert!(resource("boxs.x.io").is_of(Some("x.io"), "Box"));
        assert!(!resource("pods").is_of(Some(""), "pod"));
    }

    #[test]
    fn a_url_has_the_group_and_the_namespace_where_there_are_some() {
        assert_eq!(resource("pods").path("v1", "a", "b"), "/api/v1/namespaces/a/pods/b");
        assert_eq!(resource("nodes").path("v1", "", "b"), "/api/v1/nodes/b");
        let path = resource("replicasets.apps").path("v1", "a", "b");
        assert_eq!(path, "/apis/apps/v1/namespaces/a/replicasets/b");
    }
}
