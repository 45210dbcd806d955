//! The visitor for files and stdin: takes every event, counts frames, and logs what is malformed.

use super::framer::{FrameType, Other, Rejected, Visitor};
use crate::event::Head;
use crate::metrics::SourceMetrics;

/// Labels of `weir_source_frames_total{type}` of frames that are no events.
const DELETED: &str = "deleted";
const BOOKMARK: &str = "bookmark";
const ERROR: &str = "error";

const LABELS: [&str; 7] = [
    FrameType::Item.label(),
    FrameType::Added.label(),
    FrameType::Modified.label(),
    FrameType::Bare.label(),
    DELETED,
    BOOKMARK,
    ERROR,
];

/// Counts frames, and moves the counts to the metrics a chunk at a time: a metric's lock and a
/// look-up of its label would be a tenth of what an event costs.
#[derive(Debug)]
pub(super) struct Frames {
    /// What is read, for the log.
    name: String,
    counts: [u64; LABELS.len()],
    metrics: SourceMetrics,
}

impl Frames {
    pub(super) fn new(name: String, metrics: SourceMetrics) -> Frames {
        Frames { name, counts: [0; LABELS.len()], metrics }
    }

    /// Moves the counts to the metrics.
    pub(super) fn flush(&mut self) {
        for (label, count) in LABELS.iter().zip(&mut self.counts) {
            if *count > 0 {
                self.metrics.frames.with_label_values(&[*label]).inc_by(std::mem::take(count));
            }
        }
    }

    fn count(&mut self, label: &'static str) {
        if let Some(at) = LABELS.iter().position(|known| *known == label) {
            self.counts[at] += 1;
        }
    }
}

impl Visitor for Frames {
    fn event(&mut self, frame: FrameType, _: &[u8], _: &Head) -> bool {
        self.counts[frame as usize] += 1;
        true
    }

    fn other(&mut self, other: Other<'_>) {
        match other {
            Other::Deleted { .. } => self.count(DELETED),
            Other::Bookmark { .. } => self.count(BOOKMARK),
            Other::Error { code, reason, message } => {
                self.count(ERROR);
                tracing::warn!(
                    input = self.name,
                    code,
                    reason,
                    message,
                    "the input holds a watch's error"
                );
            }
            Other::ListMeta { continue_token, .. } if !continue_token.is_empty() => {
                tracing::warn!(
                    input = self.name,
                    "a List in the input is one page of several: more pages followed it"
                );
            }
            Other::ListMeta { .. } | Other::ListEnd => {}
        }
    }

    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String> {
        self.counts[rejected.frame as usize] += 1;
        let location = rejected.location.to_string();
        tracing::warn!(
            input = self.name,
            place = location,
            kind = rejected.kind.label(),
            detail = rejected.detail,
            "malformed event"
        );
        Some(location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_frames_are_counted_under_their_own_label() {
        for frame in [FrameType::Item, FrameType::Added, FrameType::Modified, FrameType::Bare] {
            assert_eq!(LABELS[frame as usize], frame.label());
        }
    }
}
