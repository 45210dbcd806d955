//! The framer.
//!
//! - The same is found however the input is cut, and wherever a chunk ends.
//! - Each event's source stands in the input, one behind the other: nothing is found twice.
//! - Whatever stands before it, an event on a line of its own is found.

use weir::internals::event::{Chunk, Head};
use weir::internals::source::{FrameType, Framer, Other, Rejected, Visitor};

use crate::bytes::dice;
use crate::heap;

/// A chunk's own memory, and what is carried from one to the next.
const HEAP_BYTES: usize = 2 << 20;
/// An item of a List can be two bytes long (`7,`), and is a rejection with a reason and a place.
const HEAP_PER_BYTE: usize = 1 << 10;

pub(crate) fn run(input: &[u8]) {
    let whole = frame(input, |rest| (rest.len(), false));
    let mut dice = dice(input);
    let pieces = frame(input, |rest| {
        let length_max = rest.len().min(1 << dice.u8(..10));
        (dice.usize(1..=length_max), dice.u8(..4) == 0)
    });
    assert_eq!(whole, pieces);
    assert_in_order(input, &whole.sources);

    let followed = [input, b"\n", EVENT.as_bytes(), b"\n"].concat();
    let found = frame(&followed, |rest| (rest.len(), false));
    assert!(found.events.iter().any(|event| event == EVENT.as_bytes()), "{found:?}");
}

/// The name is one that no input has by chance.
const EVENT: &str =
    r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"behind.18ea7a048de29147"}}"#;

/// Everything that a framer told, and what it put into chunks.
#[derive(Debug, Default, PartialEq)]
struct Found {
    frames: Vec<String>,
    events: Vec<Vec<u8>>,
    sources: Vec<Vec<u8>>,
    rejections: Vec<(String, Vec<u8>)>,
}

impl Visitor for Found {
    fn event(&mut self, frame: FrameType, bytes: &[u8], _head: &Head) -> bool {
        self.frames.push(format!("{frame:?}"));
        // Some are not wanted.
        bytes.len() % 8 != 7
    }

    fn other(&mut self, other: Other<'_>) {
        self.frames.push(format!("{other:?}"));
    }

    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String> {
        let Rejected { frame, kind, detail, location, bytes } = rejected;
        self.frames.push(format!("{frame:?} {kind:?} {location} {detail} {}", bytes.len()));
        Some(location.to_string())
    }
}

impl Found {
    fn collect(&mut self, chunk: &Chunk) {
        for event in &chunk.events {
            self.events.push(chunk.event_bytes(event).to_vec());
            self.sources.push(chunk.bytes[event.source_bytes.clone()].to_vec());
            let members = &event.head.members;
            let members = &chunk.members[members.start as usize..members.end as usize];
            for member in members {
                assert_eq!(chunk.event_bytes(event)[member.key.range().start - 1], b'"');
            }
        }
        for rejection in &chunk.rejections {
            let what = format!("{} {:?} {}", rejection.location, rejection.kind, rejection.detail);
            self.rejections.push((what, rejection.bytes.clone()));
        }
    }
}

/// Frames pieces of an input; `next` says how long the next one is, and whether its chunk ends.
fn frame(input: &[u8], mut next: impl FnMut(&[u8]) -> (usize, bool)) -> Found {
    let mut found = Found::default();
    let (mut framer, mut chunk) = (Framer::new(), Chunk::default());
    let mut rest = input;
    while !rest.is_empty() {
        let (length, ends_chunk) = next(rest);
        let taken = heap::at_most(HEAP_BYTES + HEAP_PER_BYTE * input.len(), || {
            framer.push(&rest[..length], &mut chunk, &mut found)
        });
        rest = &rest[taken.taken..];
        if taken.is_full || ends_chunk {
            framer.detach(&mut chunk);
            found.collect(&chunk);
            chunk = Chunk::default();
        }
    }
    framer.finish(&mut chunk, &mut found);
    framer.detach(&mut chunk);
    found.collect(&chunk);
    found
}

/// That the sources stand in the input in this order. (Line breaks in them have become spaces.)
fn assert_in_order(input: &[u8], sources: &[Vec<u8>]) {
    let joined = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    let input: Vec<u8> = input.iter().map(joined).collect();
    let mut at = 0;
    for source in sources {
        let found = memchr::memmem::find(&input[at..], source);
        at += found.expect("a source that is not in the input, or not there") + source.len();
    }
}
