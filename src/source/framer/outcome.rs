//! What becomes of what was framed: an event of the chunk, a rejection, or a search for the next
//! thing after an error.

use std::ops::Range;

use super::recover::{OpenRejection, Recover};
use super::{FrameType, Framer, Rejected, Sides, State, Step, Then};
use crate::event::{
    DEAD_LETTER_HEAD_BYTES, EVENT_BYTES_MAX, Event, Head, ParseError, Parsed, Rejection,
    RejectionKind, ScanError, join_lines, parse, rewrite,
};

impl Framer {
    /// A valid event at `source`.
    pub(super) fn event(
        &mut self,
        sides: &mut Sides<'_>,
        frame: FrameType,
        source: Range<usize>,
        head: Head,
        needs_rewrite: bool,
        has_line_breaks: bool,
    ) {
        if source.len() > EVENT_BYTES_MAX {
            sides.chunk.members.truncate(head.members.start as usize);
            return self.reject(sides, frame, source.clone(), source.start, too_large());
        }
        if has_line_breaks {
            self.lines.count(&sides.chunk.bytes, source.end);
            join_lines(&mut sides.chunk.bytes[source.clone()]);
        }
        if needs_rewrite {
            return self.event_of_other_names(sides, frame, source, head);
        }
        let first_member = head.members.start as usize;
        if sides.visitor.event(frame, &sides.chunk.bytes[source.clone()], &head) {
            sides.chunk.events.push(Event { bytes: source.clone(), source_bytes: source, head });
        } else {
            sides.chunk.members.truncate(first_member);
        }
    }

    /// An event of events.k8s.io/v1: its core/v1 form is kept aside until the chunk is detached.
    fn event_of_other_names(
        &mut self,
        sides: &mut Sides<'_>,
        frame: FrameType,
        source: Range<usize>,
        head: Head,
    ) {
        let chunk = &mut *sides.chunk;
        let first_member = head.members.start as usize;
        let start = self.rewritten.len();
        rewrite(&chunk.bytes[source.clone()], &chunk.members[first_member..], &mut self.rewritten);
        chunk.members.truncate(first_member);
        match parse(&mut self.rewritten[start..], &mut chunk.members) {
            Parsed::Event { len, head, .. }
                if sides.visitor.event(frame, &self.rewritten[start..], &head) =>
            {
                self.rewritten_events.push(chunk.events.len());
                chunk.events.push(Event { bytes: start..start + len, source_bytes: source, head });
                return;
            }
            Parsed::Event { .. } => chunk.members.truncate(first_member),
            Parsed::Malformed(malformed) => {
                let detail = format!("as core/v1 has it: {}", malformed.detail);
                let malformed = ParseError { detail, ..malformed };
                self.reject(sides, frame, source.clone(), source.start, malformed);
            }
            // The rewritten form of a whole object is whole.
            Parsed::Incomplete => {}
        }
        self.rewritten.truncate(start);
    }

    /// Something whole that is no valid event, with its error at `at`.
    pub(super) fn reject(
        &mut self,
        sides: &mut Sides<'_>,
        frame: FrameType,
        range: Range<usize>,
        at: usize,
        malformed: ParseError,
    ) {
        self.lines.count(&sides.chunk.bytes, range.start);
        let location = self.lines.location(&sides.chunk.bytes, at);
        let rejection =
            OpenRejection { frame, kind: malformed.kind, detail: malformed.detail, location };
        let bytes = &sides.chunk.bytes[range];
        tell(rejection, bytes, sides.visitor, &mut sides.chunk.rejections);
    }

    /// An error of syntax at `at`, in the unit that begins at `self.at`: its end is not known, so
    /// it goes on at the next line that begins with `{`. That is looked for from the unit's
    /// start: a line that was torn off may have taken the next one in as a value before
    /// anything was wrong.
    pub(super) fn recover(
        &mut self,
        sides: &mut Sides<'_>,
        frame: FrameType,
        at: usize,
        malformed: ParseError,
    ) -> Step {
        let start = self.at;
        let bytes = &sides.chunk.bytes;
        self.lines.count(bytes, start);
        let location = self.lines.location(bytes, at);
        let rejection =
            OpenRejection { frame, kind: malformed.kind, detail: malformed.detail, location };
        // Going on at the unit's own first byte would fail again, unless the error is right there.
        self.at = if at > start { start + 1 } else { start };
        let is_line_start = if at > start { bytes[start] == b'\n' } else { location.column == 1 };
        let recover = Recover::new(Some(rejection), &bytes[start..self.at], is_line_start);
        self.state = State::Recover(Box::new(recover));
        self.expects_bare = false;
        self.leave_items(frame);
        Step::Done
    }

    /// An error of syntax in an object that was rejected already.
    pub(super) fn recover_silently(&mut self, sides: &mut Sides<'_>, frame: FrameType) {
        self.leave_items(frame);
        let location = self.lines.location(&sides.chunk.bytes, self.at);
        self.state = State::Recover(Box::new(Recover::new(None, &[], location.column == 1)));
    }

    /// After an error in `frame` what comes next is looked for at the top.
    fn leave_items(&mut self, frame: FrameType) {
        self.in_array = false;
        self.is_list_broken |= frame == FrameType::Item;
    }

    /// An unexpected byte at `self.at`.
    pub(super) fn broken(
        &mut self,
        sides: &mut Sides<'_>,
        frame: FrameType,
        what: &'static str,
    ) -> Step {
        self.broken_scan(sides, frame, ScanError::Syntax { at: 0, what })
    }

    /// A scan from `self.at` that stopped.
    pub(super) fn broken_scan(
        &mut self,
        sides: &mut Sides<'_>,
        frame: FrameType,
        error: ScanError,
    ) -> Step {
        match ParseError::of_scan(error) {
            None => Step::NeedsMore,
            Some(malformed) => self.recover(sides, frame, self.at + malformed.at, malformed),
        }
    }

    /// Rejects what was skipped on the way to the next line that begins an object.
    pub(super) fn reject_recovered(&mut self, recover: Recover, sides: &mut Sides<'_>) {
        if let Some(rejection) = recover.rejection.clone() {
            tell(rejection, recover.kept(), sides.visitor, &mut sides.chunk.rejections);
        }
    }

    /// Rejects what the end of the input cut off.
    pub(super) fn truncated(&mut self, sides: &mut Sides<'_>, frame: FrameType, what: &str) {
        let malformed = ParseError {
            at: 0,
            len: None,
            kind: RejectionKind::Truncated,
            detail: what.to_owned(),
        };
        // Between two items, it is no part of anything.
        let at = self.at;
        self.recover(sides, frame, at, malformed);
        if let (State::Recover(recover), Some(&first)) =
            (&mut self.state, sides.chunk.bytes.get(at))
        {
            recover.pass(first);
            self.at += 1;
        }
    }

    /// A unit that does not end before `end`, the largest that is held.
    pub(super) fn too_large(&mut self, sides: &mut Sides<'_>, end: usize) -> Step {
        let (then, frame) = match self.state {
            State::Item { .. } => (Then::BehindItem, FrameType::Item),
            _ => (Then::Top, FrameType::Bare),
        };
        let (mut skim, skimmed) = self.skim.take().unwrap_or_else(|| (self.new_skim(), 0));
        let start = self.at;
        let stop = skim.take(&sides.chunk.bytes[start + skimmed..end]);
        let head = start..end.min(start + DEAD_LETTER_HEAD_BYTES);
        self.reject(sides, frame, head, start, too_large());
        self.at = end;
        self.expects_bare = false;
        match stop {
            None => {
                self.skim = Some((skim, 0));
                self.state = State::Skip { then };
            }
            Some(_) => self.recover_silently(sides, frame),
        }
        Step::Done
    }
}

fn too_large() -> ParseError {
    ParseError {
        at: 0,
        len: None,
        kind: RejectionKind::TooLarge,
        detail: format!("larger than {EVENT_BYTES_MAX} bytes"),
    }
}

fn tell(
    rejection: OpenRejection,
    bytes: &[u8],
    visitor: &mut dyn super::Visitor,
    rejections: &mut Vec<Rejection>,
) {
    let OpenRejection { frame, kind, detail, location } = rejection;
    let rejected = Rejected { frame, bytes, kind, detail: &detail, location };
    if let Some(location) = visitor.reject(&rejected) {
        rejections.push(Rejection::new(bytes, location, kind, detail));
    }
}
