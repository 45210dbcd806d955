//! What a framer finds, and whom it tells.

use super::lines::Location;
use crate::event::{Head, RejectionKind};

/// What an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// An item of a List, or of an array at the top.
    Item,
    /// A watch's `ADDED`.
    Added,
    /// A watch's `MODIFIED`.
    Modified,
    /// An event on its own, or an object that is unknown.
    Bare,
}

impl FrameType {
    /// The `type` label of `weir_source_frames_total`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            FrameType::Item => "item",
            FrameType::Added => "added",
            FrameType::Modified => "modified",
            FrameType::Bare => "bare",
        }
    }
}

/// A frame that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other<'a> {
    /// A watch's `DELETED`: an event expired, which nobody needs to know.
    Deleted {
        /// The version of the deletion; empty where it could not be read.
        resource_version: &'a str,
    },
    /// A watch's `BOOKMARK`.
    Bookmark {
        /// Everything up to it was sent.
        resource_version: &'a str,
    },
    /// A watch's `ERROR`: a Status.
    Error {
        /// As an HTTP status; 0 where there is none.
        code: u16,
        /// `Expired`, for one.
        reason: &'a str,
        /// For people.
        message: &'a str,
    },
    /// The `metadata` of a List, before its items or behind them.
    ListMeta {
        /// The list's version.
        resource_version: &'a str,
        /// Where the next page begins; empty on the last one.
        continue_token: &'a str,
    },
    /// A List has ended, whole.
    ListEnd,
}

/// Something that is no valid event.
#[derive(Debug)]
pub struct Rejected<'a> {
    /// What it came in.
    pub frame: FrameType,
    /// Its bytes; of one that is too large its beginning, of a broken List the rest of the List.
    pub bytes: &'a [u8],
    /// What kind it is.
    pub kind: RejectionKind,
    /// What is wrong, for people.
    pub detail: &'a str,
    /// Where the error is in the input.
    pub location: Location,
}

/// The owner of a framer: it is told what is met, and decides.
pub trait Visitor {
    /// A valid event. `false`: not wanted (seen before); it does not become one of the chunk's.
    fn event(&mut self, frame: FrameType, bytes: &[u8], head: &Head) -> bool;

    /// A frame that is no event.
    fn other(&mut self, other: Other<'_>);

    /// Something that was to be an event. Answers its location for people, or `None`: not wanted
    /// (seen before).
    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String>;
}
