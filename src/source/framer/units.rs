//! What is taken whole: a top-level object, an item, what follows a List's items.
//!
//! Each function here either takes its unit, which begins at `self.at` and ends before `end` if it
//! is whole, and answers `Done`; or finds that it is not whole, changes nothing, and answers
//! `NeedsMore`.

use super::shape::{self, EnvelopeType, Shape};
use super::skim::{Skim, Stop};
use super::{FrameType, Framer, Other, Sides, State, Step, Then};
use crate::event::{Member, ParseError, Parsed, RejectionKind, Scanner, decode, parse_unchanged};

/// An object that was parsed, with where it begins in the chunk.
pub(super) struct Object {
    pub(super) frame: FrameType,
    pub(super) start: usize,
    pub(super) parsed: Parsed,
    pub(super) has_line_breaks: bool,
}

impl Framer {
    /// A top-level object.
    pub(super) fn object(&mut self, sides: &mut Sides<'_>, end: usize) -> Step {
        let mut parsed = None;
        if self.expects_bare {
            let object = parse_object(sides, FrameType::Bare, self.at, end);
            if is_plainly_bare(&object, sides) {
                return self.take_object(object, None, sides);
            }
            forget_members(&object, sides);
            parsed = Some(object);
        }
        let window = &sides.chunk.bytes[self.at..end];
        match shape::shape(window) {
            Err(_) => Step::NeedsMore,
            Ok(Shape::Bare) => {
                self.expects_bare = true;
                let object = match parsed {
                    Some(object) if !matches!(object.parsed, Parsed::Event { .. }) => object,
                    _ => parse_object(sides, FrameType::Bare, self.at, end),
                };
                self.take_object(object, None, sides)
            }
            Ok(Shape::List { items, metadata }) => {
                if let Some(metadata) = metadata {
                    shape::tell_list(&window[metadata.range()], |other| sides.visitor.other(other));
                }
                self.at += items;
                self.enter_items();
                Step::Done
            }
            Ok(Shape::EmptyList { len, metadata }) => {
                if let Some(metadata) = metadata {
                    shape::tell_list(&window[metadata.range()], |other| sides.visitor.other(other));
                }
                sides.visitor.other(Other::ListEnd);
                self.enter_items();
                self.behind_list(self.at + len);
                Step::Done
            }
            Ok(Shape::Envelope { object, kind }) => {
                self.expects_bare = false;
                self.envelope(sides, end, self.at + object, kind)
            }
        }
    }

    /// A watch envelope whose object begins at `start`.
    fn envelope(
        &mut self,
        sides: &mut Sides<'_>,
        end: usize,
        start: usize,
        kind: Option<EnvelopeType>,
    ) -> Step {
        match kind {
            Some(EnvelopeType::Added) => {
                return self.enveloped(sides, end, start, FrameType::Added);
            }
            Some(EnvelopeType::Modified) => {
                return self.enveloped(sides, end, start, FrameType::Modified);
            }
            _ => {}
        }
        let object_at = start - self.at;
        let window = &sides.chunk.bytes[self.at..end];
        let mut scan = Scanner::new(window, object_at);
        let found = scan.value().and_then(|object| {
            let (envelope_end, late) = shape::rest_of_envelope(window, object.range().end)?;
            Ok((object, envelope_end, kind.or(late)))
        });
        let (object, envelope_end, kind) = match found {
            Ok(found) => found,
            Err(error) => return self.broken_scan(sides, FrameType::Bare, error),
        };
        match kind {
            Some(EnvelopeType::Added) => self.enveloped(sides, end, start, FrameType::Added),
            Some(EnvelopeType::Modified) => self.enveloped(sides, end, start, FrameType::Modified),
            Some(kind) => {
                shape::tell(kind, &window[object.range()], |other| sides.visitor.other(other));
                self.at += envelope_end;
                Step::Done
            }
            // Without a watch's type it is no envelope, but perhaps an Event with a member of that
            // name.
            None => {
                let bare = parse_object(sides, FrameType::Bare, self.at, end);
                self.take_object(bare, None, sides)
            }
        }
    }

    /// An envelope with an event in it.
    fn enveloped(
        &mut self,
        sides: &mut Sides<'_>,
        end: usize,
        start: usize,
        frame: FrameType,
    ) -> Step {
        let object = parse_object(sides, frame, start, end);
        let object_len = match &object.parsed {
            Parsed::Event { len, .. } => *len,
            Parsed::Malformed(ParseError { len: Some(len), .. }) => *len,
            // Broken inside the object: so is the envelope.
            _ => return self.take_object(object, None, sides),
        };
        let window = &sides.chunk.bytes[self.at..end];
        match shape::rest_of_envelope(window, start - self.at + object_len) {
            Ok((len, _)) => self.take_object(object, Some(self.at + len), sides),
            Err(error) => {
                forget_members(&object, sides);
                self.broken_scan(sides, frame, error)
            }
        }
    }

    /// An item of a List.
    pub(super) fn item(&mut self, sides: &mut Sides<'_>, end: usize) -> Step {
        if sides.chunk.bytes[self.at] == b'{' {
            let object = parse_object(sides, FrameType::Item, self.at, end);
            return self.take_object(object, None, sides);
        }
        let window = &sides.chunk.bytes[self.at..end];
        let mut scan = Scanner::new(window, 0);
        let found = scan.value().and_then(|value| {
            // Only what follows shows where a number ends.
            scan.peek().map(|_| value)
        });
        match found {
            Ok(value) => {
                let malformed = ParseError {
                    at: 0,
                    len: Some(value.len()),
                    kind: RejectionKind::NotAnEvent,
                    detail: "an item of a List that is no object".to_owned(),
                };
                let range = self.at..self.at + value.len();
                self.reject(sides, FrameType::Item, range.clone(), self.at, malformed);
                self.behind_unit(range.end);
                Step::Done
            }
            Err(error) => self.broken_scan(sides, FrameType::Item, error),
        }
    }

    /// The members of a List behind its items, and its end.
    pub(super) fn list_end(&mut self, sides: &mut Sides<'_>, end: usize) -> Step {
        let window = &sides.chunk.bytes[self.at..end];
        match shape::rest_of_list(window) {
            Ok((len, metadata)) => {
                if let Some(metadata) = metadata {
                    shape::tell_list(&window[metadata.range()], |other| sides.visitor.other(other));
                }
                sides.visitor.other(Other::ListEnd);
                self.behind_list(self.at + len);
                Step::Done
            }
            Err(error) => self.broken_scan(sides, FrameType::Item, error),
        }
    }

    /// Takes an object that was parsed, and what is around it up to `unit_end` (`None`: nothing
    /// is).
    fn take_object(
        &mut self,
        object: Object,
        unit_end: Option<usize>,
        sides: &mut Sides<'_>,
    ) -> Step {
        let Object { frame, start, parsed, has_line_breaks } = object;
        match parsed {
            Parsed::Incomplete => return Step::NeedsMore,
            Parsed::Event { len, head, needs_rewrite } => {
                let range = start..start + len;
                self.event(sides, frame, range.clone(), head, needs_rewrite, has_line_breaks);
                self.behind_unit(unit_end.unwrap_or(range.end));
            }
            Parsed::Malformed(malformed) => {
                let at = start + malformed.at;
                match malformed.len {
                    None => return self.recover(sides, frame, at, malformed),
                    Some(len) => {
                        self.reject(sides, frame, start..start + len, at, malformed);
                        self.behind_unit(unit_end.unwrap_or(start + len));
                    }
                }
            }
        }
        Step::Done
    }

    fn behind_list(&mut self, end: usize) {
        self.at = end;
        self.state = State::Top;
    }

    /// Goes on behind a unit that was taken.
    pub(super) fn behind_unit(&mut self, end: usize) {
        self.at = end;
        self.state = match self.state {
            State::Item { .. } => State::BehindItem,
            _ => State::Top,
        };
    }

    /// The rest of a unit that is too large.
    pub(super) fn skip(&mut self, then: Then, sides: &mut Sides<'_>) -> Step {
        let bytes = &sides.chunk.bytes[self.at..];
        let (skim, _) = self.skim.get_or_insert_with(|| (Skim::at_value(), 0));
        match skim.take(bytes) {
            None => {
                self.at += bytes.len();
                return Step::NeedsMore;
            }
            Some(Stop::End(len)) => {
                self.at += len;
                self.state = match then {
                    Then::Top => State::Top,
                    Then::BehindItem => State::BehindItem,
                };
            }
            Some(Stop::Error(len)) => {
                self.at += len;
                let frame = match then {
                    Then::Top => FrameType::Bare,
                    Then::BehindItem => FrameType::Item,
                };
                self.recover_silently(sides, frame);
            }
        }
        self.skim = None;
        Step::Done
    }
}

fn parse_object(sides: &mut Sides<'_>, frame: FrameType, start: usize, end: usize) -> Object {
    let chunk = &mut *sides.chunk;
    let (parsed, has_line_breaks) = parse_unchanged(&chunk.bytes[start..end], &mut chunk.members);
    Object { frame, start, parsed, has_line_breaks }
}

/// Removes the members of an event that is not kept, or that will be parsed again.
fn forget_members(object: &Object, sides: &mut Sides<'_>) {
    if let Parsed::Event { head, .. } = &object.parsed {
        sides.chunk.members.truncate(head.members.start as usize);
    }
}

/// Whether a valid event is one by the rule of [`shape::shape`], too: no member before its kind may
/// make it something else.
fn is_plainly_bare(object: &Object, sides: &Sides<'_>) -> bool {
    let Parsed::Event { head, .. } = &object.parsed else { return false };
    let event = &sides.chunk.bytes[object.start..];
    let key_of = |member: &Member| decode(event, member.key);
    for member in &sides.chunk.members[head.members.start as usize..] {
        let plain = &event[member.key.range()];
        match plain {
            b"kind" => return true,
            b"items" | b"object" => return false,
            _ if member.key.has_escapes() && matches!(&*key_of(member), "items" | "object") => {
                return false;
            }
            _ => {}
        }
    }
    true
}
