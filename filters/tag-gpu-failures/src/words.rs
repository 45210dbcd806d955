//! Where words begin and end in a message, and which are there.
//!
//! Names of Pods, images, secrets and volumes are made of letters, digits, `-`, `.`, `_` and `/`: a
//! word that touches one of these is a part of a name, and a name says nothing about a failure.
//! What else is a name is in [`names`](crate::names).
//!
//! A message is looked at as bytes: every sign is ASCII, and searching strings, with what it takes
//! to panic inside of a character, is half of a module this small.

use std::slice::SliceIndex;

use crate::kinds::{self, Kind};
use crate::vector;

/// Words, or phrases.
pub(crate) type Words = &'static [&'static [u8]];

/// A part of `text`; nothing where it has no such part. No message can make this panic.
pub(crate) fn part(text: &[u8], range: impl SliceIndex<[u8], Output = [u8]>) -> &[u8] {
    text.get(range).unwrap_or_default()
}

/// Whether a word may begin at `at`. In a quoted error, an escaped line break stands before it.
pub(crate) fn begins(text: &[u8], at: usize) -> bool {
    match part(text, ..at) {
        [] => true,
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., before] => !kinds::NAME.has(*before),
    }
}

/// Whether a word may end at `at`; a full stop ends it when nothing follows that.
pub(crate) fn ends(text: &[u8], at: usize) -> bool {
    match part(text, at..) {
        [] | [b'.'] => true,
        [b'.', after, ..] => !kinds::NAME.has(*after),
        [after, ..] => !kinds::NAME.has(*after),
    }
}

/// Whether `text` has exactly `part` at `at`.
pub(crate) fn has_at(text: &[u8], at: usize, part: &[u8]) -> bool {
    text.get(at..at + part.len()) == Some(part)
}

/// The same in any case.
pub(crate) fn has_at_in_any_case(text: &[u8], at: usize, part: &[u8]) -> bool {
    text.get(at..at + part.len()).is_some_and(|found| same_in_any_case(found, part))
}

/// Whether two texts of one length are the same in any case.
#[inline(never)]
fn same_in_any_case(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| {
        one == other || one ^ other == 0x20 && (one | 0x20).is_ascii_lowercase()
    })
}

/// Whether `text` has `phrase` at `at`, as whole words, in any case.
pub(crate) fn phrase_at_in_any_case(text: &[u8], at: usize, phrase: &[u8]) -> bool {
    has_at_in_any_case(text, at, phrase) && begins(text, at) && ends(text, at + phrase.len())
}

/// What is behind `prefix`, in any case.
pub(crate) fn strip_in_any_case<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = text.split_at_checked(prefix.len())?;
    same_in_any_case(found, prefix).then_some(rest)
}

/// `text` without what stands at its end of `gap`.
#[inline(never)]
pub(crate) fn trim_end(mut text: &[u8], gap: Kind) -> &[u8] {
    while let [before @ .., last] = text
        && gap.has(*last)
    {
        text = before;
    }
    text
}

/// `text` without what stands at its beginning of `gap`.
#[inline(never)]
pub(crate) fn trim_start(mut text: &[u8], gap: Kind) -> &[u8] {
    while let [first, after @ ..] = text
        && gap.has(*first)
    {
        text = after;
    }
    text
}

/// How many digits `text` begins with.
pub(crate) fn digits(text: &[u8]) -> usize {
    text.len() - trim_start(text, kinds::DIGIT).len()
}

/// The last word of `text`: letters and digits, behind them nothing but `gap`.
pub(crate) fn last(text: &[u8], gap: Kind) -> &[u8] {
    let text = trim_end(text, gap);
    part(text, trim_end(text, kinds::ALPHANUMERIC).len()..)
}

/// Whether `word` is one of `words`, in any case.
pub(crate) fn is_one_of(word: &[u8], words: Words) -> bool {
    words.iter().any(|known| known.len() == word.len() && same_in_any_case(known, word))
}

/// What is said before `end`, without what other clauses say.
pub(crate) fn clause_before(text: &[u8], end: usize) -> &[u8] {
    let text = sentence_before(text, end);
    let colon = text.windows(2).rposition(|pair| pair == b": ");
    part(text, colon.map_or(0, |colon| colon + 2)..)
}

/// As [`clause_before`], with what a colon introduces.
pub(crate) fn sentence_before(text: &[u8], end: usize) -> &[u8] {
    let text = part(text, end.saturating_sub(CLAUSE_BYTES_MAX)..end);
    let begin = (0..text.len()).rev().find_map(|at| Some(at + clause_end_at(text, at)?));
    part(text, begin.unwrap_or_default()..)
}

/// What is said in `text`, up to where the next clause begins. A colon begins one, but for a colon
/// that belongs to what spoke: `NVML: Unknown Error`, `nvidia-container-cli error: …`.
pub(crate) fn clause_after(text: &[u8]) -> &[u8] {
    let text = part(text, ..text.len().min(CLAUSE_BYTES_MAX));
    let end = (0..text.len()).find(|at| clause_end_at(text, *at).is_some());
    let clause = part(text, ..end.unwrap_or(text.len()));
    let Some(colon) = clause.windows(2).position(|pair| pair == b": ") else { return clause };
    let words =
        part(clause, ..colon).split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if words.count() > 1 { part(clause, ..colon) } else { clause }
}

/// No clause is longer, so that a message full of signs does not cost its length for each of them.
const CLAUSE_BYTES_MAX: usize = 512;

/// How many bytes at `at` stand between two clauses; `\\n` is a line break in a quoted error.
fn clause_end_at(text: &[u8], at: usize) -> Option<usize> {
    if !kinds::STOP.has(*text.get(at)?) {
        return None;
    }
    match part(text, at..) {
        [b',' | b';' | b'\n', ..] => Some(1),
        [b'.', b' ', ..] | [b'\\', b'n', ..] => Some(2),
        _ => None,
    }
}

/// Whether `part` is anywhere in `text`.
pub(crate) fn has(text: &[u8], part: &[u8]) -> bool {
    anywhere(text, part, |at| has_at(text, at, part))
}

/// Whether `part` is anywhere in `text`, in any case.
pub(crate) fn mentions(text: &[u8], part: &[u8]) -> bool {
    anywhere(text, part, |at| has_at_in_any_case(text, at, part))
}

/// Whether `is_there` holds at a place where the first two letters of `part` stand, in any case.
fn anywhere(text: &[u8], part: &[u8], is_there: impl Fn(usize) -> bool) -> bool {
    let Some(pair) = part.first_chunk() else { return false };
    let mut from = 0;
    while let Some(at) = vector::find(text, from, *pair) {
        if is_there(at) {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Whether `text` mentions one of `parts`.
#[inline(never)]
pub(crate) fn mentions_one(text: &[u8], parts: Words) -> bool {
    parts.iter().any(|part| mentions(text, part))
}

/// Whether `text` says that something went wrong. The later ones are how NVML says it:
/// <https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html>
pub(crate) fn tells_of_failure(text: &[u8]) -> bool {
    // By their first letter, so that a text is gone through once.
    let words = |first| -> Words {
        match first {
            b'b' => &[b"blocked"],
            b'c' => &[b"could not", b"couldn't", b"cannot", b"can't", b"corrupt"],
            b'e' => &[b"error"],
            b'f' => &[b"fail"],
            b'i' => &[b"insufficient", b"invalid"],
            b'm' => &[b"mismatch"],
            b'n' => &[b"not found", b"not loaded", b"not supported", b"not available"],
            b't' => &[b"timed out", b"timeout"],
            b'u' => &[b"unable", b"unavailable", b"uninitialized", b"unsatisfied"],
            _ => &[],
        }
    };
    let mut bytes = text.iter().enumerate();
    bytes.any(|(at, byte)| words(byte | 0x20).iter().any(|word| has_at_in_any_case(text, at, word)))
}
