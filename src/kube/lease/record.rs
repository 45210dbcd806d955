//! The Lease as an object: what the protocol reads of it, and the objects that it writes.
//!
//! Invariant: everything else in the object (labels, others' annotations, owners, fields that this
//! version does not know) stays as it was read, because an update replaces the whole object. An
//! object to be written over one that was read carries that one's `resourceVersion` and `uid`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::MARK_ANNOTATION;
use super::step::LeaseName;

/// A Lease as it was read: an object whose `metadata`, `metadata.annotations` and `spec` are
/// objects or not there, so that indexing to write cannot fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record(Value);

impl Record {
    /// `None` for what is no Lease, or has no version.
    pub(crate) fn parse(object: Value) -> Option<Record> {
        let version = object.pointer("/metadata/resourceVersion")?.as_str()?;
        let is_absent_or_object =
            |path: &str| object.pointer(path).is_none_or(|v| v.is_object() || v.is_null());
        let is_lease = !version.is_empty()
            && ["/spec", "/metadata/annotations"].into_iter().all(is_absent_or_object);
        is_lease.then_some(Record(object))
    }

    /// Who holds it; empty: nobody.
    pub(crate) fn holder(&self) -> &str {
        self.spec("holderIdentity").and_then(Value::as_str).unwrap_or_default()
    }

    /// How long its holder has said that it is to be waited for.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let seconds = self.spec("leaseDurationSeconds")?.as_u64()?;
        // A Lease's seconds are an int32; more would be no time that can be added to a clock.
        (1..=i32::MAX as u64).contains(&seconds).then(|| Duration::from_secs(seconds))
    }

    /// When its holder says that it was renewed last.
    pub(crate) fn renewed_at(&self) -> Option<Timestamp> {
        self.spec("renewTime")?.as_str()?.parse().ok()
    }

    /// The same Lease with this mark.
    pub(crate) fn marked(&self, mark: &str) -> Value {
        let mut object = self.0.clone();
        object["metadata"]["annotations"][MARK_ANNOTATION] = json!(mark);
        object
    }

    /// The settled mark, if there is one yet.
    pub(crate) fn mark(&self) -> Option<&str> {
        self.annotation().filter(|mark| !mark.is_empty())
    }

    /// Whether nobody but weir uses it.
    pub(crate) fn is_weirs(&self) -> bool {
        self.annotation().is_some() || self.holder().is_empty()
    }

    /// Whether its holder has done something since `earlier`. Others may change labels without its
    /// being alive.
    pub(crate) fn is_renewal_of(&self, earlier: &Record) -> bool {
        self.0.get("spec") != earlier.0.get("spec")
    }

    /// The object that takes it for `identity`, from this moment on; the mark stays.
    pub(crate) fn taken(&self, identity: &str, duration: Duration, wall: Timestamp) -> Value {
        let again = self.holder() == identity;
        let transitions = self.spec("leaseTransitions").and_then(Value::as_i64).unwrap_or(0);
        let mut object = self.renewed(identity, duration, wall, None);
        if !again {
            object["spec"]["acquireTime"] = micro_time(wall);
            object["spec"]["leaseTransitions"] =
                json!(transitions.saturating_add(1).clamp(0, i64::from(i32::MAX)));
        }
        object
    }

    /// The object that renews it, with the mark if it has moved.
    pub(crate) fn renewed(
        &self,
        identity: &str,
        duration: Duration,
        wall: Timestamp,
        mark: Option<&str>,
    ) -> Value {
        let mut object = self.0.clone();
        object["spec"]["holderIdentity"] = json!(identity);
        object["spec"]["leaseDurationSeconds"] = seconds(duration);
        object["spec"]["renewTime"] = micro_time(wall);
        let mark = mark.or(self.mark()).unwrap_or_default();
        object["metadata"]["annotations"][MARK_ANNOTATION] = json!(mark);
        object
    }

    /// The object that gives it up: no holder, and a duration of one second, as client-go does it.
    pub(crate) fn released(&self, wall: Timestamp, mark: Option<&str>) -> Value {
        let mut object = self.renewed("", Duration::from_secs(1), wall, mark);
        object["spec"]["acquireTime"] = micro_time(wall);
        object
    }

    fn spec(&self, key: &str) -> Option<&Value> {
        self.0.get("spec")?.get(key)
    }

    fn annotation(&self) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(MARK_ANNOTATION)?.as_str()
    }
}

/// A new Lease, held by `identity`.
pub(crate) fn new(
    lease: &LeaseName,
    identity: &str,
    duration: Duration,
    wall: Timestamp,
    mark: Option<&str>,
) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": lease.name,
            "namespace": lease.namespace,
            "annotations": { MARK_ANNOTATION: mark.unwrap_or_default() },
        },
        "spec": {
            "holderIdentity": identity,
            "leaseDurationSeconds": seconds(duration),
            "acquireTime": micro_time(wall),
            "renewTime": micro_time(wall),
            "leaseTransitions": 0,
        },
    })
}

/// A Lease holds whole seconds, and at least one.
fn seconds(duration: Duration) -> Value {
    json!(duration.as_secs().clamp(1, i32::MAX as u64))
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/#LeaseSpec>: RFC 3339 with microseconds.
fn micro_time(wall: Timestamp) -> Value {
    wall.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into()
}
