//! Where words begin and end in a message.
//!
//! Names of Pods, images, secrets and volumes are made of letters, digits, `-`, `.`, `_` and `/`: a
//! word that touches one of these is a part of a name, and a name says nothing about a failure.

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

/// The word that ends before `at`, with one blank between.
pub(crate) fn before(text: &str, at: usize) -> &str {
    let Some(text) = text.get(..at).and_then(|text| text.strip_suffix(' ')) else {
        return "";
    };
    text.rsplit([' ', '(', '"', '\'', '\n']).next().unwrap_or_default()
}

/// Whether `part`, in lower case, is anywhere in `text`, in any case.
pub(crate) fn mentions(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// Whether `text` says that something went wrong.
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
    ];
    WORDS.iter().any(|word| mentions(text, word))
}

pub(crate) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/')
}
