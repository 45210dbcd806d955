//! One pass over a text, from secret to secret.

use std::ops::Range;

use crate::{
    forms,
    names::{Names, is_of_a_name},
    words::{before, run},
};

const REPLACEMENT: &str = "***";

/// The text with its secrets replaced, and how many there are; `None` where there is none.
pub(crate) fn redacted(text: &str, names: &Names) -> Option<(String, u64)> {
    let mut redacted = String::new();
    let (mut from, mut count) = (0, 0);
    while let Some(secret) = next(text, from, names) {
        redacted.push_str(text.get(from..secret.start)?);
        redacted.push_str(REPLACEMENT);
        (from, count) = (secret.end, count + 1);
    }
    if count == 0 {
        return None;
    }
    redacted.push_str(text.get(from..)?);
    Some((redacted, count))
}

/// The first secret at or behind `from`.
fn next(text: &str, from: usize, names: &Names) -> Option<Range<usize>> {
    (from..text.len()).find_map(|at| {
        let secret = forms::at(text, at).or_else(|| named(text, at, from, names))?;
        let is_new = text.get(secret.clone()) != Some(REPLACEMENT);
        (secret.start >= from && is_new).then_some(secret)
    })
}

/// The value of a name, where `at` is the sign between them: `name=value`, `name: value`,
/// `"name": "value"`, `name="value"`, `--name value` has none.
fn named(text: &str, at: usize, from: usize, names: &Names) -> Option<Range<usize>> {
    let sign = *text.as_bytes().get(at)?;
    if !matches!(sign, b'=' | b':') || text.as_bytes().get(at + 1) == Some(&b'=') {
        return None;
    }
    let name = name_before(text, at, from)?;
    let begin = at + 1 + if sign == b':' { run(text, at + 1, |byte| byte == b' ') } else { 0 };
    let value = value(text, begin, sign)?;
    (!value.is_empty() && names.has(name)).then_some(value)
}

/// `name`, `"name"`, `\"name\"` before the sign.
fn name_before(text: &str, at: usize, from: usize) -> Option<&str> {
    let is_quote = |byte: u8| matches!(byte, b'"' | b'\'' | b'\\');
    let mut end = at;
    while end > from && before(text, end).is_some_and(is_quote) {
        end -= 1;
    }
    let mut begin = end;
    while begin > from && before(text, begin).is_some_and(is_of_a_name) {
        begin -= 1;
    }
    text.get(begin..end).filter(|name| !name.is_empty())
}

/// A value in quotes ends at the same quotes, another at whitespace or a sign that ends it.
///
/// Behind a colon and without quotes, prose is more usual than a secret (`secret: not found`,
/// `token: the server has …`): there a value must have a digit, a capital letter or a sign besides
/// small letters, be the last word of its line, and not be a name of Kubernetes'.
fn value(text: &str, begin: usize, sign: u8) -> Option<Range<usize>> {
    let escapes = run(text, begin, |byte| byte == b'\\');
    let quote = text.as_bytes().get(begin + escapes).copied().filter(|byte| b"\"'".contains(byte));
    if let Some(quote) = quote {
        let begin = begin + escapes + 1;
        return Some(begin..quoted_end(text, begin, quote, escapes));
    }
    let ends = |byte: u8| byte <= b' ' || b"\"'`,;&)]}<>\\".contains(&byte);
    let end = begin + run(text, begin, |byte| !ends(byte));
    let value = text.get(begin..end)?;
    if is_scheme(value) {
        return None;
    }
    if sign == b'=' {
        return Some(begin..end);
    }
    let is_last =
        matches!(text.as_bytes().get(end), None | Some(b'\n' | b'"' | b',' | b';' | b'}'));
    let is_mixed = value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    (is_last && is_mixed && value.len() >= 8 && !is_a_name(value)).then_some(begin..end)
}

/// `Authorization: Bearer …`: what follows the scheme is found by its own form.
fn is_scheme(value: &str) -> bool {
    ["bearer", "basic"].iter().any(|scheme| scheme.eq_ignore_ascii_case(value))
}

/// What Kubernetes calls an object, with or without its namespace: small letters, digits, dashes.
fn is_a_name(value: &str) -> bool {
    value.bytes().all(|byte| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'-' | b'.' | b'/' | b':')
    })
}

/// Where the quote that closes stands, with as many backslashes before it as the one that opens; or
/// the end of a text that was cut.
fn quoted_end(text: &str, begin: usize, quote: u8, escapes: usize) -> usize {
    let bytes = text.as_bytes();
    let mut backslashes = 0;
    for (at, byte) in bytes.iter().enumerate().skip(begin) {
        match *byte {
            b'\\' => backslashes += 1,
            byte if byte == quote && backslashes <= escapes => return at - backslashes,
            _ => backslashes = 0,
        }
    }
    text.len()
}
