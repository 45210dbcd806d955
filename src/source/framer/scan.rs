//! Step by step through what a chunk holds: white space and brackets between units, and which kind
//! of unit comes next.

use super::skim::Skim;
use super::{FrameType, Framer, Sides, State, Step, UNIT_BYTES_MAX};
use crate::form::BYTE_ORDER_MARK;

impl Framer {
    /// Frames what the chunk holds, as far as it is whole.
    pub(super) fn scan(&mut self, sides: &mut Sides<'_>) {
        while !self.is_full_of_events(sides.chunk) && self.step(sides) == Step::Done {}
    }

    /// Frames what comes next, where it is whole, or finds that more input is needed.
    pub(super) fn step(&mut self, sides: &mut Sides<'_>) -> Step {
        let bytes = &sides.chunk.bytes;
        match &mut self.state {
            State::Skip { then } => {
                let then = *then;
                self.skip(then, sides)
            }
            State::Recover(recover) => {
                let (passed, is_found) = recover.take(&bytes[self.at..]);
                self.at += passed;
                if !is_found {
                    return Step::NeedsMore;
                }
                if let State::Recover(recover) = std::mem::take(&mut self.state) {
                    self.reject_recovered(*recover, sides);
                }
                Step::Done
            }
            State::BehindItems => self.unit(sides),
            State::Top | State::Item { .. } | State::BehindItem => self.token(sides),
        }
    }

    /// At the first byte of something.
    fn token(&mut self, sides: &mut Sides<'_>) -> Step {
        let bytes = &sides.chunk.bytes;
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += bytes[self.at..].iter().take_while(is_space).count();
        // Files that were joined have marks in the middle.
        while matches!(self.state, State::Top) && bytes.get(self.at) == Some(&BYTE_ORDER_MARK[0]) {
            match &bytes[self.at..] {
                begun if begun.starts_with(BYTE_ORDER_MARK) => self.at += BYTE_ORDER_MARK.len(),
                begun if BYTE_ORDER_MARK.starts_with(begun) => return Step::NeedsMore,
                _ => break,
            }
            self.at += bytes[self.at..].iter().take_while(is_space).count();
        }
        let Some(&first) = bytes.get(self.at) else { return Step::NeedsMore };
        match (&self.state, first) {
            (State::Top, b'{') => self.unit(sides),
            (State::Top, b',' | b']' | b'}') if self.is_list_broken => {
                self.at += 1;
                Step::Done
            }
            (State::Top, b'[') => self.array(sides),
            (State::Top, _) => {
                self.broken(sides, FrameType::Bare, "expected an object, which begins with `{`")
            }
            (State::Item { is_first: true } | State::BehindItem, b']') => {
                self.at += 1;
                self.state = if std::mem::take(&mut self.in_array) {
                    State::Top
                } else {
                    State::BehindItems
                };
                Step::Done
            }
            (State::BehindItem, b',') => {
                self.at += 1;
                self.state = State::Item { is_first: false };
                Step::Done
            }
            (State::BehindItem, _) => {
                self.broken(sides, FrameType::Item, "expected `,` or `]` behind an item of a List")
            }
            _ => self.unit(sides),
        }
    }

    /// At a bracket where an object might begin: the array that `jq -s` makes of events, or noise.
    fn array(&mut self, sides: &mut Sides<'_>) -> Step {
        let behind = &sides.chunk.bytes[self.at + 1..];
        match behind.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            Some(b'{' | b']') => {
                self.at += 1;
                self.enter_items();
                self.in_array = true;
                Step::Done
            }
            None if behind.len() + 1 < UNIT_BYTES_MAX => Step::NeedsMore,
            _ => self.broken(
                sides,
                FrameType::Bare,
                "expected an array of objects, as it begins with `[`",
            ),
        }
    }

    /// Before the first item of a List or an array.
    pub(super) fn enter_items(&mut self) {
        self.state = State::Item { is_first: true };
        self.expects_bare = false;
        self.is_list_broken = false;
    }

    /// At the first byte of a unit. Frames it if it is whole.
    fn unit(&mut self, sides: &mut Sides<'_>) -> Step {
        let is_top = matches!(self.state, State::Top);
        let start = self.at;
        let end = sides.chunk.bytes.len().min(start + UNIT_BYTES_MAX);
        let is_at_limit = end - start == UNIT_BYTES_MAX;
        if let Some((skim, skimmed)) = &mut self.skim {
            skim.met_root_array = false;
            let has_stopped = skim.take(&sides.chunk.bytes[start + *skimmed..end]).is_some();
            *skimmed = end - start;
            // An array in the root may be a List's items, which are framed one by one: do not wait
            // for its end.
            let may_be_list = is_top && skim.met_root_array;
            if !(has_stopped || may_be_list || is_at_limit) {
                return Step::NeedsMore;
            }
        }
        let step = match &self.state {
            State::Top => self.object(sides, end),
            State::Item { .. } => self.item(sides, end),
            _ => self.list_end(sides, end),
        };
        if step == Step::Done {
            self.skim = None;
            return Step::Done;
        }
        if is_at_limit {
            return self.too_large(sides, end);
        }
        if self.skim.is_none() {
            let mut skim = self.new_skim();
            // It cannot stop where the parser saw no end. If it did, the parser would be asked
            // again at each read.
            if skim.take(&sides.chunk.bytes[start..end]).is_none() {
                self.skim = Some((skim, end - start));
            }
        }
        Step::NeedsMore
    }

    /// For the unit at `self.at`.
    pub(super) fn new_skim(&self) -> Skim {
        if matches!(self.state, State::BehindItems) { Skim::in_object() } else { Skim::at_value() }
    }
}
