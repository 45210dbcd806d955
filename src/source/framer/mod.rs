//! Cuts a stream of bytes into the events of chunks: what a file or stdin holds (bare Events, List
//! objects, arrays of Events, watch envelopes, one a line or pretty-printed, one behind the other),
//! and what the API server sends (the body of a list or of a watch). No I/O.
//!
//! Constraints: input is copied once, into the chunk; an event is parsed once, except one that the
//! end of a chunk cuts in two: its beginning is carried over to the next chunk. A List's items are
//! framed as they come: it may be larger than memory. An object larger than a chunk has the chunk
//! to itself, which grows to [`UNIT_BYTES_MAX`].
//!
//! Invariant: what is found does not depend on how the input was cut into pieces.
//!
//! How to use it:
//!
//! ```text
//! loop {
//!     let push = framer.push(input, &mut chunk, &mut visitor); // input: what was not taken before
//!     if !push.is_full { break }
//!     framer.detach(&mut chunk); send(chunk); chunk = another();
//! }
//! framer.finish(&mut chunk, &mut visitor);                     // at the end of the input
//! framer.detach(&mut chunk); send(chunk);                      // whenever a chunk is to go
//! ```

mod lines;
mod outcome;
mod recover;
mod scan;
mod shape;
mod skim;
mod units;
mod visitor;

pub use visitor::{FrameType, Other, Rejected, Visitor};

use lines::Lines;
use recover::Recover;
use skim::Skim;

use crate::event::{CHUNK_BYTES, CHUNK_EVENTS_MAX, Chunk, EVENT_BYTES_MAX};

/// The largest top-level object that is held whole: an event and the envelope around it.
pub(crate) const UNIT_BYTES_MAX: usize = EVENT_BYTES_MAX + (4 << 10);

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    /// How many bytes of the input were taken.
    pub taken: usize,
    /// The chunk must be detached and sent, and another one pushed into. Else all input was taken.
    pub is_full: bool,
}

/// The machine. See the module's text.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    /// The chunk's bytes are framed up to here.
    at: usize,
    /// Whether a chunk is being filled, and `carry` has gone into it.
    is_attached: bool,
    /// The beginning of what a chunk's end cut in two.
    carry: Vec<u8>,
    /// How far the unit that begins at `at` was looked through, once it was found to be
    /// incomplete.
    skim: Option<(Skim, usize)>,
    /// The last top-level object was a bare event, so the next one is probably one too.
    expects_bare: bool,
    /// The items are those of a top-level array: nothing follows its closing bracket.
    in_array: bool,
    /// A List was broken: the commas and brackets that belonged to it now stand between objects,
    /// and are skipped.
    is_list_broken: bool,
    /// Rewritten events, to go behind the chunk's other bytes, and which of the chunk's events
    /// they are.
    rewritten: Vec<u8>,
    rewritten_events: Vec<usize>,
    lines: Lines,
}

/// Where in the input's structure `at` stands. A *unit* is what is taken whole: a top-level object
/// but a List, an item, or what stands in a List behind its items.
#[derive(Debug, Default)]
enum State {
    /// Before a top-level object.
    #[default]
    Top,
    /// Before an item of a List, or, before the first, its end.
    Item { is_first: bool },
    /// Behind an item.
    BehindItem,
    /// Behind a List's items.
    BehindItems,
    /// Inside a unit that is too large.
    Skip { then: Then },
    /// Behind an error of syntax.
    Recover(Box<Recover>),
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Top,
    BehindItem,
}

/// Whether a step made progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Done,
    NeedsMore,
}

/// A chunk and the owner: what every step works on.
struct Sides<'a> {
    chunk: &'a mut Chunk,
    visitor: &'a mut dyn Visitor,
}

impl Framer {
    /// At the start of an input.
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Takes as much of `input` as the chunk has room for, and frames it. The first push into a
    /// chunk may do so with an empty one.
    pub fn push(&mut self, input: &[u8], chunk: &mut Chunk, visitor: &mut dyn Visitor) -> Push {
        self.attach(chunk);
        let mut taken = 0;
        loop {
            self.scan(&mut Sides { chunk, visitor });
            let room = self.room(chunk);
            if room == 0 || taken == input.len() {
                return Push { taken, is_full: room == 0 };
            }
            let end = input.len().min(taken + room);
            chunk.bytes.extend_from_slice(&input[taken..end]);
            taken = end;
        }
    }

    /// Makes room for the owner to append input to `chunk.bytes` itself, and answers how much; a
    /// `push` of nothing then frames it. 0: the chunk is full.
    pub(crate) fn room(&mut self, chunk: &mut Chunk) -> usize {
        self.attach(chunk);
        if self.is_full_of_events(chunk) {
            return 0;
        }
        let mut limit = CHUNK_BYTES;
        if chunk.received() == 0 && chunk.bytes.len() >= CHUNK_BYTES {
            // It holds nothing but the unit at its end, which may have all of the chunk, and twice
            // as much.
            self.lines.release(&chunk.bytes, self.at);
            chunk.bytes.drain(..self.at);
            self.at = 0;
            limit = (2 * chunk.bytes.len()).clamp(CHUNK_BYTES, UNIT_BYTES_MAX);
        }
        let room = limit.saturating_sub(chunk.bytes.len());
        chunk.bytes.reserve_exact(room);
        room
    }

    /// Makes the chunk ready to be sent: what is not framed yet is carried over to the next one.
    pub fn detach(&mut self, chunk: &mut Chunk) {
        self.attach(chunk);
        self.lines.release(&chunk.bytes, self.at);
        self.carry.extend_from_slice(&chunk.bytes[self.at..]);
        chunk.bytes.truncate(self.at);
        let shift = chunk.bytes.len();
        chunk.bytes.append(&mut self.rewritten);
        for index in self.rewritten_events.drain(..) {
            let bytes = &mut chunk.events[index].bytes;
            *bytes = bytes.start + shift..bytes.end + shift;
        }
        self.at = 0;
        self.is_attached = false;
    }

    /// Whether the input so far ends between two top-level objects: nothing would be lost if it
    /// ended here.
    pub(crate) fn is_between_objects(&self, chunk: &Chunk) -> bool {
        let unframed =
            if self.is_attached { chunk.bytes.len() - self.at } else { self.carry.len() };
        matches!(self.state, State::Top) && unframed == 0
    }

    /// Whether a top-level object comes next, as at the start of an input: reading could resume
    /// from here.
    pub(crate) fn is_at_top(&self) -> bool {
        matches!(self.state, State::Top) && !self.is_list_broken
    }

    /// How many bytes of input would be lost if it ended here: those of an object that is not
    /// whole.
    pub(crate) fn unfinished(&self, chunk: Option<&Chunk>) -> usize {
        match chunk {
            Some(chunk) if self.is_attached => chunk.bytes.len() - self.at,
            _ => self.carry.len(),
        }
    }

    /// What of the last chunk was not whole when it was detached.
    pub(crate) fn carried(&self) -> &[u8] {
        &self.carry
    }

    /// Input that will not come again is given up here: something malformed whose end was
    /// waited for is rejected as it is.
    pub(crate) fn give_up(&mut self, chunk: &mut Chunk, visitor: &mut dyn Visitor) {
        self.attach(chunk);
        if let State::Recover(recover) = &mut self.state {
            let recover = std::mem::take(&mut **recover);
            self.state = State::Top;
            self.reject_recovered(recover, &mut Sides { chunk, visitor });
        }
    }

    /// The end of the input: what is not whole is rejected. Afterwards the framer is at the start
    /// of an input.
    pub fn finish(&mut self, chunk: &mut Chunk, visitor: &mut dyn Visitor) {
        self.attach(chunk);
        let sides = &mut Sides { chunk, visitor };
        loop {
            // The skim has no limit of depth: the parser may reject what the skim still waits for.
            if !matches!(self.state, State::Skip { .. }) {
                self.skim = None;
            }
            while self.step(sides) == Step::Done {}
            let is_all = self.at == sides.chunk.bytes.len();
            match std::mem::take(&mut self.state) {
                State::Top if is_all => break,
                State::Skip { .. } => {}
                State::Recover(recover) => self.reject_recovered(*recover, sides),
                State::Top => {
                    self.truncated(sides, FrameType::Bare, "the input ends inside this object")
                }
                _ => self.truncated(sides, FrameType::Item, "the input ends inside a List"),
            }
        }
        self.skim = None;
        self.expects_bare = false;
        self.in_array = false;
        self.is_list_broken = false;
    }

    fn attach(&mut self, chunk: &mut Chunk) {
        if !self.is_attached {
            debug_assert!(chunk.bytes.is_empty(), "a chunk was changed without `detach`");
            chunk.bytes.reserve_exact(CHUNK_BYTES.max(self.carry.len()));
            chunk.bytes.append(&mut self.carry);
            self.carry.shrink_to(CHUNK_BYTES);
            self.is_attached = true;
        }
    }

    fn is_full_of_events(&self, chunk: &Chunk) -> bool {
        chunk.received() >= CHUNK_EVENTS_MAX as u64
    }
}

#[cfg(test)]
mod tests;
