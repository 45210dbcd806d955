//! A page of a list, and a watch, through the machine that decides what follows.
//!
//! - The same is handed on, and the same asked next, however the answer is cut.
//! - A list is complete only when its JSON is, and each of its items is an event or a rejection.
//! - A server that gives the same page again and again is not followed.
//! - On a watch the cursor only moves on.

use serde::de::IgnoredAny;
use serde_json::Value;
use weir::internals::fuzz::{Handed, Listing};

use super::json;
use crate::bytes::dice;
use crate::heap;

/// Two chunks of 256 KiB each, and what is made of them.
const HEAP_BYTES: usize = 4 << 20;
/// See [`super::framer`].
const HEAP_PER_BYTE: usize = 1 << 10;

/// Pages that a server may repeat: it is noticed at the second one, and empty ones are counted.
const PAGES_MAX: usize = 2;

pub(crate) fn run(input: &[u8]) {
    let whole = list(&[input]);
    assert_eq!(whole, list(&cut(input)));
    let (handed, asks) = whole;
    if handed.lists > 0 {
        assert!(is_json(input), "a list that is broken was taken for a whole one");
    }
    if let Some((items, token)) = as_list(input) {
        assert_eq!(handed.events.len() + handed.rejections.len(), items);
        let goes_on = asks.as_ref().is_some_and(|uri| uri.contains("continue="));
        assert_eq!(goes_on, token, "{asks:?} {:?}", handed.failures);
        assert_repeats(input);
    }
    assert_eq!(watch(&[input]), watch(&cut(input)));
}

fn list(pieces: &[&[u8]]) -> (Handed, Option<String>) {
    let mut listing = Listing::begin();
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    heap::at_most(HEAP_BYTES + HEAP_PER_BYTE * length, || listing.answer(pieces.iter().copied()));
    let asks = listing.asks();
    (listing.into_handed(), asks)
}

/// A watch from version 5 on.
fn watch(pieces: &[&[u8]]) -> (Handed, Option<u64>) {
    const EMPTY: &[u8] = br#"{"kind":"EventList","metadata":{"resourceVersion":"5"},"items":[]}"#;
    let mut listing = Listing::begin();
    listing.answer([EMPTY]);
    assert!(listing.asks().is_some_and(|uri| uri.contains("watch=true")));
    listing.answer(pieces.iter().copied());
    let cursor = listing.cursor();
    assert!(listing.cursors_ascend(), "the cursor moved back");
    (listing.into_handed(), cursor)
}

fn cut(input: &[u8]) -> Vec<&[u8]> {
    let mut dice = dice(input);
    let (mut pieces, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let length_max = rest.len().min(1 << dice.u8(..10));
        let (piece, behind) = rest.split_at(dice.usize(1..=length_max));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

fn is_json(input: &[u8]) -> bool {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    serde_json::Deserializer::from_slice(input).into_iter::<IgnoredAny>().all(|it| it.is_ok())
}

/// How many items a list has, and whether it says that there are more. `None`: it is none, or there
/// is something about it by which it may be taken for something else.
fn as_list(input: &[u8]) -> Option<(usize, bool)> {
    let members = json::members(input)?;
    // A value that serde_json does not understand, such as one that is too deep.
    let value: Value = serde_json::from_slice(input).ok()?;
    let has_one = |key: &str| members.iter().filter(|(other, _)| other == key).count() == 1;
    let version = value.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    let is_list = version.is_some_and(|version| !version.is_empty())
        && value.get("kind")?.as_str()?.ends_with("List")
        && value.as_object()?.len() == members.len()
        && has_one("items")
        && has_one("metadata")
        && !has_one("object");
    let metadata = value.get("metadata")?.as_object()?;
    // Without a version it is refused.
    metadata.get("resourceVersion")?.as_str().filter(|version| !version.is_empty())?;
    let token = metadata.get("continue").and_then(Value::as_str).unwrap_or_default();
    is_list.then_some((value.get("items")?.as_array()?.len(), !token.is_empty()))
}

fn assert_repeats(page: &[u8]) {
    let mut listing = Listing::begin();
    for _ in 0..PAGES_MAX {
        listing.answer([page]);
        if !listing.asks().is_some_and(|uri| uri.contains("continue=")) {
            return;
        }
    }
    panic!("the same page is asked for again and again");
}
