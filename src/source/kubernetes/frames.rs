//! What the framer finds in an answer, judged by the machine and counted.
//!
//! Invariant: nothing behind what ends the reading is believed, although it may have come with it:
//! were it, the cursor would pass what was not understood, and that depended on how the bytes came.

use std::time::Instant;

use prometheus::IntCounter;

use super::super::framer::{FrameType, Other, Rejected, Visitor};
use super::machine::Machine;
use super::scope::Scope;
use super::step::Input;
use crate::event::{Head, RejectionKind, decode};
use crate::metrics::SourceMetrics;
use crate::text::{self, REASON_BYTES_MAX};

/// The counters of `weir_source_frames_total{type}`, looked up once.
#[derive(Clone, Debug)]
pub(super) struct FrameCounts {
    added: IntCounter,
    modified: IntCounter,
    deleted: IntCounter,
    bookmark: IntCounter,
    error: IntCounter,
    malformed: IntCounter,
    /// An accepted item of a list.
    item: IntCounter,
    /// An item of a list that was accepted before.
    item_seen: IntCounter,
}

impl FrameCounts {
    pub(super) fn new(metrics: &SourceMetrics) -> FrameCounts {
        let count = |frame: &str| metrics.frames.with_label_values(&[frame]);
        FrameCounts {
            added: count(FrameType::Added.label()),
            modified: count(FrameType::Modified.label()),
            deleted: count("deleted"),
            bookmark: count("bookmark"),
            error: count("error"),
            malformed: count("malformed"),
            item: count(FrameType::Item.label()),
            item_seen: count("item_seen"),
        }
    }
}

/// The framer's visitor for some bytes that came together.
pub(super) struct Frames<'a> {
    machine: &'a mut Machine,
    counts: &'a FrameCounts,
    scope: &'a Scope,
    now: Instant,
    seen: Seen,
}

/// What was met, besides events.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The end of the list.
    pub(super) list_end: bool,
    /// What ends the reading: an `ERROR` line, or what no API server sends.
    pub(super) over: Option<Input>,
}

impl<'a> Frames<'a> {
    /// For bytes that came `now`.
    pub(super) fn new(
        machine: &'a mut Machine,
        counts: &'a FrameCounts,
        scope: &'a Scope,
        now: Instant,
    ) -> Frames<'a> {
        Frames { machine, counts, scope, now, seen: Seen::default() }
    }

    /// What was met.
    pub(super) fn seen(self) -> Seen {
        self.seen
    }

    fn is_over(&self) -> bool {
        self.seen.over.is_some()
    }

    fn bare(&mut self) {
        let why = "the answer holds something that is neither a watch's frame nor a list's item";
        self.seen.over.get_or_insert(Input::Nonsense(why));
    }
}

impl Visitor for Frames<'_> {
    fn event(&mut self, frame: FrameType, bytes: &[u8], head: &Head) -> bool {
        if self.is_over() {
            return false;
        }
        let version = decode(bytes, head.resource_version);
        let count = match frame {
            FrameType::Item => {
                let (namespace, name) = (decode(bytes, head.namespace), decode(bytes, head.name));
                let wanted = self.machine.listed(&namespace, &name, &version);
                (if wanted { &self.counts.item } else { &self.counts.item_seen }).inc();
                return wanted;
            }
            FrameType::Added => &self.counts.added,
            FrameType::Modified => &self.counts.modified,
            FrameType::Bare => {
                self.bare();
                return false;
            }
        };
        count.inc();
        self.machine.watched(self.now, &version);
        true
    }

    fn other(&mut self, other: Other<'_>) {
        if self.is_over() {
            return;
        }
        match other {
            Other::Deleted { resource_version } => {
                self.counts.deleted.inc();
                self.machine.watched(self.now, resource_version);
            }
            Other::Bookmark { resource_version } => {
                self.counts.bookmark.inc();
                self.machine.watched(self.now, resource_version);
            }
            Other::Error { code, reason, message } => {
                self.counts.error.inc();
                let message = match (reason, message) {
                    ("", message) => message.to_owned(),
                    (reason, message) if reason == message => message.to_owned(),
                    (reason, message) => format!("{reason}: {message}"),
                };
                let message = text::words(&message, REASON_BYTES_MAX);
                self.seen.over.get_or_insert(Input::Refused {
                    status: code,
                    retry_after: None,
                    message,
                });
            }
            Other::ListMeta { resource_version, continue_token, .. } => {
                self.machine.list_metadata(resource_version, continue_token);
            }
            Other::ListEnd => self.seen.list_end = true,
        }
    }

    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String> {
        if self.is_over() {
            return None;
        }
        let location = self.machine.location(&self.scope.to_string());
        let version = rejected.resource_version().unwrap_or_default();
        match rejected.frame {
            FrameType::Item if !self.machine.listed_malformed(&version, rejected.bytes) => {
                self.counts.item_seen.inc();
                return None;
            }
            FrameType::Item => {}
            FrameType::Added | FrameType::Modified => self.machine.watched(self.now, &version),
            // A watch's frame that is too large is never held whole, so nobody knows what it is.
            FrameType::Bare
                if rejected.kind == RejectionKind::TooLarge && self.machine.is_watching() =>
            {
                self.machine.watched(self.now, "");
                if rejected.bytes.starts_with(br#"{"type":"DELETED""#) {
                    self.counts.deleted.inc();
                    return None;
                }
            }
            FrameType::Bare => {
                self.bare();
                return None;
            }
        }
        self.counts.malformed.inc();
        Some(location)
    }
}
