//! The Lease by which replicas agree on who works: what is set about it.

use std::time::Duration;

/// `[lease]` of `pipeline.toml`, when it is enabled.
///
/// Leadership bounds duplicate work; that nothing is stored twice rests on documents' ids, not on this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The Lease's namespace; `None`: the pod's.
    pub namespace: Option<String>,
    /// The Lease's name: the pipeline's, if it has none of its own.
    pub name: String,
    /// How long it is held without renewal, in whole seconds: what `spec.leaseDurationSeconds`
    /// [holds](https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/#LeaseSpec).
    pub duration: Duration,
}
