//! The failures that are known. The order matters: of a reason the first row counts of whose words
//! the message has one.

/// A failure, and how it is recognised.
pub(crate) struct Row {
    reasons: &'static [&'static str],
    /// Any of them stands in the message, in small letters; none are asked for where it is empty.
    words: &'static [&'static str],
    pub(crate) text: &'static str,
    pub(crate) docs: &'static str,
}

const IMAGES: &str = "https://kubernetes.io/docs/concepts/containers/images/";
const PULL_SECRET: &str =
    "https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/";
const SECRETS: &str = "https://kubernetes.io/docs/concepts/configuration/secret/";
const CONFIG_MAPS: &str = "https://kubernetes.io/docs/concepts/configuration/configmap/";
const DEBUG_PODS: &str = "https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/";
const RESOURCES: &str =
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/";
const AFFINITY: &str = "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/";
const TAINTS: &str =
    "https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/";
const VOLUMES: &str = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/";
const PROBES: &str = concat!(
    "https://kubernetes.io/docs/tasks/configure-pod-container/",
    "configure-liveness-readiness-startup-probes/"
);
const EVICTION: &str =
    "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/";
const PREEMPTION: &str =
    "https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/";
const QUOTAS: &str = "https://kubernetes.io/docs/concepts/policy/resource-quotas/";
const NODES: &str = "https://kubernetes.io/docs/concepts/architecture/nodes/";
const NETWORK: &str = concat!(
    "https://kubernetes.io/docs/concepts/extend-kubernetes/",
    "compute-storage-net/network-plugins/"
);
const DNS: &str = "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/";
const JOBS: &str = "https://kubernetes.io/docs/concepts/workloads/controllers/job/";
const AUTOSCALING: &str =
    "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/";

const fn row(
    reasons: &'static [&'static str],
    words: &'static [&'static str],
    text: &'static str,
    docs: &'static str,
) -> Row {
    Row { reasons, words, text, docs }
}

#[rustfmt::skip] // A row is a failure.
const TABLE: &[Row] = &[
    // The kubelet reports most that fails of a container as `Failed`.
    row(&["Failed"], &["secret \"", "in secret "],
        "A Secret that a container needs, or a key of it, does not exist in the Pod's namespace.",
        SECRETS),
    row(&["Failed"], &["configmap \"", "in configmap "],
        "A ConfigMap that a container needs, or a key of it, does not exist in the Pod's \
         namespace.", CONFIG_MAPS),
    row(&["Failed"], &["unauthorized", "authentication required", "no basic auth", "access denied",
        "authorization failed", "403 forbidden", "401 unauthorized"],
        "The registry refuses to give the image: the Pod's imagePullSecrets are missing or \
         wrong, or the image does not exist.", PULL_SECRET),
    row(&["Failed"], &["manifest unknown", ": not found", "not found: "],
        "The image or its tag does not exist in the registry.", IMAGES),
    row(&["Failed"], &["toomanyrequests", "too many requests", "rate limit"],
        "The registry limits how often images are pulled. Pull with an account, or from a \
         mirror.", IMAGES),
    row(&["Failed", "FailedCreatePodSandBox", "FailedMount"], &["no such host",
        "server misbehaving"],
        "A name could not be resolved: the node's DNS does not know it, or does not answer.", DNS),
    row(&["Failed"], &["x509:", "tls:"],
        "The registry's certificate is not trusted by the node.", IMAGES),
    row(&["Failed", "ErrImageNeverPull"], &["imagepullpolicy", "errimageneverpull",
        "is not present with pull policy"],
        "The image is not on the node, and the Pod's imagePullPolicy is Never.", IMAGES),
    row(&["Failed", "InspectFailed"], &["invalidimagename", "couldn't parse image",
        "invalid reference format"],
        "The image's name is not a valid one.", IMAGES),
    row(&["Failed"], &["imagepullbackoff", "errimagepull", "failed to pull image"],
        "The image could not be pulled; the message has the registry's reason.", IMAGES),
    row(&["Failed"], &["executable file not found", "no such file or directory",
        "permission denied", "exec format error"],
        "The container's command cannot be started: it is not in the image, not executable, or \
         for another processor.", DEBUG_PODS),
    row(&["Failed"], &["runasnonroot", "run as root"],
        "The Pod must not run as root, and its image would. Set runAsUser, or another image.",
        "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"),
    row(&["BackOff"], &["pulling image"],
        "The image could not be pulled several times; an event before this one says why.", IMAGES),
    row(&["BackOff"], &["restarting failed container"],
        "The container ends again and again soon after it starts (CrashLoopBackOff). Its log of \
         the run before says why: kubectl logs --previous.", DEBUG_PODS),
    row(&["OOMKilling", "OOMKilled", "SystemOOM"], &[],
        "A process was killed because memory ran out: the container's limit is too low, or the \
         node has too little.", RESOURCES),
    row(&["FailedScheduling"], &["unbound immediate persistentvolumeclaims",
        "persistentvolumeclaim \"", "volume node affinity conflict",
        "didn't find available persistent volumes"],
        "No node can be chosen because a volume is missing, not bound, or in another zone.",
        VOLUMES),
    row(&["FailedScheduling"], &["insufficient ", "too many pods"],
        "No node has enough left of what the Pod requests. Request less, free some, or add \
         nodes.", RESOURCES),
    row(&["FailedScheduling"], &["untolerated taint", "had taint", "were unschedulable"],
        "The nodes that would do have taints that the Pod does not tolerate, or are cordoned.",
        TAINTS),
    row(&["FailedScheduling"], &["node affinity", "node selector", "node(s) didn't match",
        "pod affinity", "anti-affinity", "topology spread"],
        "No node matches the Pod's nodeSelector, affinity or spread constraints.", AFFINITY),
    row(&["FailedScheduling"], &[],
        "The scheduler found no node for the Pod; the message counts the nodes by what they lack.",
        "https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/"),
    row(&["Preempted"], &[],
        "The Pod was ended to make room for one of a higher priority.", PREEMPTION),
    row(&["Unhealthy"], &["liveness"],
        "The liveness probe fails; after failureThreshold failures the container is restarted.",
        PROBES),
    row(&["Unhealthy"], &["readiness"],
        "The readiness probe fails: the Pod gets no traffic from Services until it succeeds.",
        PROBES),
    row(&["Unhealthy"], &["startup"],
        "The startup probe fails; the container is restarted when it has failed failureThreshold \
         times.", PROBES),
    row(&["Evicted"], &["ephemeral", "emptydir", "disk"],
        "The Pod was evicted because it, or its node, used too much disk.", EVICTION),
    row(&["Evicted", "EvictionThresholdMet"], &[],
        "The node ran short of a resource and evicts Pods, those that use more than they request \
         first.", EVICTION),
    row(&["FailedMount"], &["secret \""],
        "A Secret that is mounted does not exist in the Pod's namespace.", SECRETS),
    row(&["FailedMount"], &["configmap \""],
        "A ConfigMap that is mounted does not exist in the Pod's namespace.", CONFIG_MAPS),
    row(&["FailedAttachVolume"], &["multi-attach"],
        "The volume is still attached to another node, and only one may have it at a time.",
        VOLUMES),
    row(&["FailedMount", "FailedAttachVolume", "FailedMapVolume"], &[],
        "A volume could not be attached or mounted; the Pod waits for it.",
        "https://kubernetes.io/docs/concepts/storage/volumes/"),
    row(&["ProvisioningFailed", "FailedBinding"], &[],
        "A PersistentVolumeClaim gets no volume: its StorageClass is missing, or its provisioner \
         fails.",
        "https://kubernetes.io/docs/concepts/storage/dynamic-provisioning/"),
    row(&["FailedCreate"], &["exceeded quota", "must specify limits", "must specify requests"],
        "The namespace's ResourceQuota does not allow another Pod, or wants requests and limits \
         set.", QUOTAS),
    row(&["FailedCreate"], &["violates podsecurity"],
        "The namespace's Pod Security Standard forbids what the Pod asks for.",
        "https://kubernetes.io/docs/concepts/security/pod-security-admission/"),
    row(&["FailedCreate"], &["error looking up service account", "serviceaccount \""],
        "The Pod's ServiceAccount does not exist in its namespace.",
        "https://kubernetes.io/docs/concepts/security/service-accounts/"),
    row(&["FailedCreatePodSandBox"], &[],
        "The Pod's network or sandbox could not be made: see the node's network plugin and \
         runtime.",
        NETWORK),
    row(&["DNSConfigForming"], &[],
        "The Pod's or the node's list of DNS servers or search domains is too long; some are \
         left out.",
        "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/"),
    row(&["NodeNotReady", "NodeHasDiskPressure", "NodeHasInsufficientMemory",
        "NodeHasMemoryPressure"], &[],
        "The node is not ready, or short of memory or disk: no Pods are placed on it, and its \
         own may be evicted.", NODES),
    row(&["BackoffLimitExceeded", "DeadlineExceeded"], &[],
        "The Job failed: its Pods failed too often (backoffLimit), or it took too long \
         (activeDeadlineSeconds).", JOBS),
    row(&["FailedGetResourceMetric", "FailedComputeMetricsReplicas"], &[],
        "The autoscaler gets no metrics: metrics-server is missing, or the containers request \
         nothing.", AUTOSCALING),
];

/// The reasons of all events that may be explained.
pub(crate) fn reasons() -> Vec<&'static str> {
    let mut reasons = Vec::new();
    for reason in TABLE.iter().flat_map(|row| row.reasons) {
        if !reasons.contains(reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// Whether events with this reason may be explained.
pub(crate) fn is_known(reason: &str) -> bool {
    TABLE.iter().any(|row| row.reasons.contains(&reason))
}

/// What an event with this reason and message means.
pub(crate) fn find(reason: &str, message: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        row.reasons.contains(&reason)
            && (row.words.is_empty() || row.words.iter().any(|word| says(message, word)))
    })
}

/// Whether the message has the word, in any case.
fn says(message: &str, word: &str) -> bool {
    let windows = message.as_bytes().windows(word.len());
    windows.into_iter().any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static Row)> {
    TABLE.iter().flat_map(|row| {
        let word = row.words.first().copied().unwrap_or_default();
        row.reasons.iter().map(move |reason| (*reason, word, row))
    })
}
