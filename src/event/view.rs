//! Reading an event as edited so far: what getters, `get` and `match` answer.

use std::borrow::Cow;

use super::edits::{Edits, Original};
use super::head::EventType;
use super::time::Micros;

/// An event and the edits made to it.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    /// The event.
    pub of: Original<'a>,
    /// Its edits, pending ones included.
    pub edits: &'a Edits,
}

impl<'a> EventView<'a> {
    /// `/type`
    pub fn event_type(&self) -> EventType {
        todo!()
    }

    /// A member of the head as decoded text; `""` when absent, null or no string.
    pub fn text(&self, _field: Field) -> Cow<'a, str> {
        todo!()
    }

    /// `/series/count`, else `/count`, else 1.
    pub fn count(&self) -> u32 {
        todo!()
    }

    /// As `wit/event.wit` defines it.
    pub fn first_seen(&self) -> Option<Micros> {
        todo!()
    }

    /// As `wit/event.wit` defines it.
    pub fn last_seen(&self) -> Option<Micros> {
        todo!()
    }

    /// The JSON text at a pointer, and how many bytes were scanned to find it.
    /// The second number counts also when nothing is found.
    pub fn get(&self, _pointer: &str) -> (Option<Cow<'a, str>>, usize) {
        todo!()
    }
}

/// The string members that getters and `match` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `/type`
    Type,
    /// `/reason`
    Reason,
    /// `/message`
    Message,
    /// `/action`
    Action,
    /// `/metadata/namespace`
    Namespace,
    /// `/metadata/name`
    Name,
    /// `/metadata/uid`
    Uid,
    /// `/source/component`, or `/reportingComponent` where that is empty
    Component,
    /// `/source/host`
    Host,
    /// `/involvedObject/kind`
    RegardingKind,
    /// `/involvedObject/namespace`
    RegardingNamespace,
    /// `/involvedObject/name`
    RegardingName,
    /// `/involvedObject/uid`
    RegardingUid,
    /// `/involvedObject/apiVersion`
    RegardingApiVersion,
    /// `/involvedObject/fieldPath`
    RegardingFieldPath,
}
