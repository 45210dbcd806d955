//! What is decoded of an event, once, at the source.

use std::borrow::Cow;
use std::ops::Range;

use super::span::Span;
use super::trusted::decode;

/// A member of an event's root object.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The key, without its quotes.
    pub key: Span,
    /// The value's JSON text.
    pub value: Span,
}

/// `type`, as far as Kubernetes defines it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventType {
    /// `Normal`
    Normal,
    /// `Warning`
    Warning,
    /// Anything else, or absent.
    #[default]
    Other,
}

/// The members that sharding, matching, getters, ids and dates need.
///
/// String spans are absent for a member that is absent, null or `""`.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// `/type`
    pub event_type: EventType,
    /// `/type`, as text
    pub type_text: Span,
    /// `/reason`
    pub reason: Span,
    /// `/message`
    pub message: Span,
    /// `/action`
    pub action: Span,
    /// `/metadata/name`
    pub name: Span,
    /// `/metadata/namespace`
    pub namespace: Span,
    /// `/metadata/uid`
    pub uid: Span,
    /// `/metadata/resourceVersion`
    pub resource_version: Span,
    /// `/source/component`
    pub component: Span,
    /// `/reportingComponent`
    pub reporting_component: Span,
    /// `/source/host`
    pub host: Span,
    /// `/involvedObject/kind`
    pub regarding_kind: Span,
    /// `/involvedObject/namespace`
    pub regarding_namespace: Span,
    /// `/involvedObject/name`
    pub regarding_name: Span,
    /// `/involvedObject/uid`
    pub regarding_uid: Span,
    /// `/involvedObject/apiVersion`
    pub regarding_api_version: Span,
    /// `/involvedObject/fieldPath`
    pub regarding_field_path: Span,
    /// `/metadata/creationTimestamp`
    pub creation_timestamp: Span,
    /// `/firstTimestamp`
    pub first_timestamp: Span,
    /// `/lastTimestamp`
    pub last_timestamp: Span,
    /// `/eventTime`
    pub event_time: Span,
    /// `/series/lastObservedTime`
    pub series_last_observed: Span,
    /// `/count`
    pub count: Option<u32>,
    /// `/series/count`
    pub series_count: Option<u32>,
    /// The member `managedFields` inside `metadata`, with the one comma that goes with it: cut
    /// this out and the rest is still JSON.
    pub managed_fields: Span,
    /// Which of the chunk's `members` are this event's root members, in the order of the text.
    pub members: Range<u32>,
    /// Hash of the regarded object (kind, namespace, name; decoded text): which worker gets the
    /// event.
    pub shard: u32,
}

/// A parsed event, before any edit.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The event's bytes.
    pub bytes: &'a [u8],
    /// Its head.
    pub head: &'a Head,
    /// Its root members.
    pub members: &'a [Member],
}

impl<'a> Original<'a> {
    /// `metadata.uid` and `metadata.resourceVersion`, decoded, where the event has both: what tells
    /// it from every other.
    pub(crate) fn identity(&self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let (uid, version) = (self.head.uid, self.head.resource_version);
        let text = |span: Span| decode(&self.bytes[span.range()]);
        (!uid.is_empty() && !version.is_empty()).then(|| (text(uid), text(version)))
    }
}
