//! Walking over JSON that was checked before: an event after `parse`, a value after `set-json`.
//!
//! Nothing is checked again. On text that is not JSON the answers are wrong, but nothing panics and
//! every walk ends.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use super::json::unescape;
use super::pointer::{Pointer, array_index};

/// The first position from `at` that is no white space.
fn skip_space(json: &[u8], mut at: usize) -> usize {
    while matches!(json.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// The position of the quote that ends the string whose first character is at `at`.
fn string_end(json: &[u8], mut at: usize) -> usize {
    loop {
        let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) else {
            return json.len();
        };
        at += found;
        if json[at] == b'"' {
            return at;
        }
        at += 2;
    }
}

/// The position behind the value that begins at `at`.
fn value_end(json: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = string_end(json, at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            // Of a scalar, or punctuation inside a container: goes on at the next byte.
            _ => {
                at += 1;
                continue;
            }
        }
        at += 1;
        if depth == 0 {
            return at.min(json.len());
        }
    }
    json.len()
}

/// The members of an object, or the elements of an array, as ranges of the text.
pub(super) struct Children<'a> {
    json: &'a [u8],
    at: usize,
    object: bool,
}

impl<'a> Children<'a> {
    /// Of the container that begins at `json[at]`.
    pub(super) fn new(json: &'a [u8], at: usize) -> Children<'a> {
        Children { json, at: at + 1, object: json.get(at) == Some(&b'{') }
    }

    /// How far it has read.
    pub(super) fn position(&self) -> usize {
        self.at
    }
}

impl Iterator for Children<'_> {
    /// The key without its quotes (empty for an element), and the value.
    type Item = (Range<usize>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut at = skip_space(self.json, self.at);
        if self.json.get(at) == Some(&b',') {
            at = skip_space(self.json, at + 1);
        }
        if matches!(self.json.get(at), None | Some(b'}' | b']')) {
            self.at = at;
            return None;
        }
        let mut key = at..at;
        if self.object {
            key = at + 1..string_end(self.json, at + 1).max(at + 1);
            // Behind the quote and the colon.
            at = skip_space(self.json, skip_space(self.json, key.end + 1) + 1);
        }
        let end = value_end(self.json, at).max(at).min(self.json.len());
        // Text that is not JSON must not stop the walk from moving on.
        self.at = end.max(self.at + 1);
        Some((key, at.min(end)..end))
    }
}

/// Where the value at `pointer` lies in `json`, which begins with a value at 0; of a key that
/// appears twice, the last. Adds the bytes that were looked at to `scanned`.
pub(super) fn find<'p>(
    json: &[u8],
    steps: impl Iterator<Item = Cow<'p, str>>,
    scanned: &mut usize,
) -> Option<Range<usize>> {
    let mut range = 0..json.len();
    for step in steps {
        let (found, read) = child(json, range.start, &step);
        *scanned += read;
        range = found?;
    }
    Some(range)
}

/// The child that `step` names of the value at `json[start]`, and how many bytes were read for it.
fn child(json: &[u8], start: usize, step: &str) -> (Option<Range<usize>>, usize) {
    let mut children = Children::new(json, start);
    let found = match json.get(start) {
        Some(b'{') => {
            let mut last = None;
            for (key, value) in &mut children {
                if same_text(&json[key], step) {
                    last = Some(value);
                }
            }
            last
        }
        Some(b'[') => {
            array_index(step).and_then(|index| children.nth(index)).map(|(_, value)| value)
        }
        _ => None,
    };
    (found, children.position() - start)
}

/// As [`find`], for what is not worth counting.
pub(super) fn find_at(json: &[u8], pointer: &str) -> Option<Range<usize>> {
    find(json, Pointer::parse(pointer).ok()?.steps(), &mut 0)
}

/// What stands between the quotes of a JSON string, where `json` is one.
pub(super) fn string_content(json: &[u8]) -> Option<&[u8]> {
    json.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Whether the text between a JSON string's quotes means `text`.
#[inline]
pub(super) fn same_text(content: &[u8], text: &str) -> bool {
    // Decoding never makes text longer, and a first character that is no escape stands for itself.
    let first = (content.first(), text.as_bytes().first());
    if content.len() < text.len() || (first.0 != first.1 && first.0 != Some(&b'\\')) {
        return false;
    }
    means(content, text)
}

#[inline(never)]
fn means(content: &[u8], text: &str) -> bool {
    if memchr::memchr(b'\\', content).is_none() {
        return content == text.as_bytes();
    }
    decode(content) == text
}

/// The text that stands between a JSON string's quotes, decoded; borrowed where it has no escapes.
/// A lone surrogate becomes U+FFFD.
pub(super) fn decode(content: &[u8]) -> Cow<'_, str> {
    let text = utf8(content);
    if memchr::memchr(b'\\', content).is_none() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    unescape(&text, &mut out);
    Cow::Owned(out)
}

/// Checked JSON as text: it is UTF-8, so this only looks.
pub(super) fn utf8(json: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(json) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(json: &str) -> Vec<(&str, &str)> {
        Children::new(json.as_bytes(), 0).map(|(key, value)| (&json[key], &json[value])).collect()
    }

    #[test]
    fn children_are_found_between_any_white_space() {
        assert_eq!(children("{}"), []);
        assert_eq!(children("[ ]"), []);
        assert_eq!(children(r#"{"a":1,"b":"x"}"#), [("a", "1"), ("b", "\"x\"")]);
        assert_eq!(
            children(" { \"a\\\"\" : [1, {\"x\":\"}\"} ] ,\t\"\":null }".trim()),
            [("a\\\"", "[1, {\"x\":\"}\"} ]"), ("", "null")]
        );
        assert_eq!(children("[-1.5e3 , true,[]]"), [("", "-1.5e3"), ("", "true"), ("", "[]")]);
    }

    #[test]
    fn text_is_compared_and_decoded_by_what_it_means() {
        assert_eq!(decode(br"a\n\u00e9"), "a\né");
        assert!(matches!(decode("é".as_bytes()), Cow::Borrowed("é")));
        assert!(same_text(br"k\u0065y", "key") && same_text(b"key", "key"));
        assert!(!same_text(br"k\u0065y", r"k\u0065y"));
    }

    #[test]
    fn of_a_repeated_key_the_last_is_found() {
        let json = br#"{"a":1,"b":[10,{"c":2}],"a":3}"#;
        let at = |pointer| {
            find_at(json, pointer).map(|range| std::str::from_utf8(&json[range]).unwrap())
        };
        assert_eq!(at("/a"), Some("3"));
        assert_eq!(at("/b/1/c"), Some("2"));
        for nothing in ["/x", "/b/2", "/b/-", "/b/00", "/a/x", "/b/1/c/d"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn text_that_is_not_json_ends_every_walk() {
        for json in [
            "",
            "{",
            "[",
            "{\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{:}",
            "[,,,]",
            "{\"a\":\"\\",
            "]}",
            "[}{",
        ] {
            let _ = Children::new(json.as_bytes(), 0).count();
            let _ = find_at(json.as_bytes(), "/a/0");
        }
        for text in [&b"\\"[..], b"\\u", b"\\u12", b"\\uD83D\\u", b"\xff\\n"] {
            let _ = decode(text);
        }
    }
}
