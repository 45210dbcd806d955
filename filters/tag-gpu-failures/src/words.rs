//! Where words begin and end in a message.
//!
//! Names of Pods, images, secrets and volumes are made of letters, digits, `-`, `.`, `_` and `/`: a
//! word that touches one of these is a part of a name, and a name says nothing about a failure.
//! What else is a name is in [`names`](crate::names).

/// Whether a word may begin at `at`. In a quoted error, an escaped line break stands before it.
pub(crate) fn begins(text: &str, at: usize) -> bool {
    match text.as_bytes()[..at] {
        [] => true,
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., before] => !in_name(before),
    }
}

/// Whether a word may end at `at`; a full stop ends it when nothing follows that.
pub(crate) fn ends(text: &str, at: usize) -> bool {
    match text.as_bytes()[at..] {
        [] | [b'.'] => true,
        [b'.', after, ..] => !in_name(after),
        [after, ..] => !in_name(after),
    }
}

/// Whether `text` has `phrase` at `at`, as whole words.
pub(crate) fn phrase_at(text: &str, at: usize, phrase: &str) -> bool {
    has_at(text, at, phrase) && begins(text, at) && ends(text, at + phrase.len())
}

/// Whether `text` has exactly `part` at `at`.
pub(crate) fn has_at(text: &str, at: usize, part: &str) -> bool {
    text.as_bytes()[at..].starts_with(part.as_bytes())
}

/// As [`phrase_at`], in any case.
pub(crate) fn phrase_at_in_any_case(text: &str, at: usize, phrase: &str) -> bool {
    let found = text.as_bytes().get(at..at + phrase.len());
    found.is_some_and(|found| found.eq_ignore_ascii_case(phrase.as_bytes()))
        && begins(text, at)
        && ends(text, at + phrase.len())
}

/// The last word of `text`: letters and digits, behind them nothing but `gap`.
pub(crate) fn last<'a>(text: &'a str, gap: &[char]) -> &'a str {
    let text = text.trim_end_matches(gap);
    text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
}

/// What is said before `end`, without what other clauses say.
pub(crate) fn clause_before(text: &str, end: usize) -> &str {
    let text = sentence_before(text, end);
    &text[text.rfind(": ").map_or(0, |colon| colon + 2)..]
}

/// As [`clause_before`], with what a colon introduces.
pub(crate) fn sentence_before(text: &str, end: usize) -> &str {
    let text = &text[text.ceil_char_boundary(end.saturating_sub(CLAUSE_BYTES_MAX))..end];
    let begin = (0..text.len()).rev().find_map(|at| Some(at + clause_end_at(text, at)?));
    &text[begin.unwrap_or_default()..]
}

/// What is said in `text`, up to where the next clause begins. A colon begins one, but for a colon
/// that belongs to what spoke: `NVML: Unknown Error`, `nvidia-container-cli error: …`.
pub(crate) fn clause_after(text: &str) -> &str {
    let text = &text[..text.floor_char_boundary(CLAUSE_BYTES_MAX)];
    let end = (0..text.len()).find(|at| clause_end_at(text, *at).is_some());
    let clause = &text[..end.unwrap_or(text.len())];
    match clause.find(": ") {
        Some(colon) if clause[..colon].split_ascii_whitespace().count() > 1 => &clause[..colon],
        _ => clause,
    }
}

/// No clause is longer, so that a message full of signs does not cost its length for each of them.
const CLAUSE_BYTES_MAX: usize = 512;

/// How many bytes at `at` stand between two clauses; `\\n` is a line break in a quoted error.
fn clause_end_at(text: &str, at: usize) -> Option<usize> {
    match text.as_bytes()[at..] {
        [b',' | b';' | b'\n', ..] => Some(1),
        [b'.', b' ', ..] | [b'\\', b'n', ..] => Some(2),
        _ => None,
    }
}

/// Whether `part`, in lower case, is anywhere in `text`, in any case.
pub(crate) fn mentions(text: &str, part: &str) -> bool {
    let part = part.as_bytes();
    // The first letter decides nearly always, and costs far less than comparing all of them.
    text.as_bytes()
        .windows(part.len())
        .any(|found| found[0] | 0x20 == part[0] | 0x20 && found.eq_ignore_ascii_case(part))
}

/// Whether `text` says that something went wrong. The later ones are how NVML says it:
/// <https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html>
pub(crate) fn tells_of_failure(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "error",
        "fail",
        "unable",
        "could not",
        "couldn't",
        "cannot",
        "can't",
        "mismatch",
        "not found",
        "timed out",
        "timeout",
        "not loaded",
        "not supported",
        "not available",
        "unavailable",
        "uninitialized",
        "insufficient",
        "invalid",
        "corrupt",
        "blocked",
        "unsatisfied",
    ];
    WORDS.iter().any(|word| mentions(text, word))
}

pub(crate) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/')
}
