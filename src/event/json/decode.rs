//! The text of strings that a scan has passed: their escapes decoded.

use std::borrow::Cow;

use memchr::memchr;

use crate::event::span::Span;

/// The text of a string's span that was checked as a part of `bytes`. Allocates only where it has
/// escapes.
///
/// What is not UTF-8 becomes U+FFFD.
pub(crate) fn decode(bytes: &[u8], span: Span) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(&bytes[span.range()]);
    if !span.has_escapes() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    unescape(&text, &mut out);
    Cow::Owned(out)
}

/// [`decode`] for comparisons: what is not UTF-8 stays as it is, where there are no escapes.
#[inline(always)]
pub(in crate::event) fn decode_bytes(bytes: &[u8], span: Span) -> Cow<'_, [u8]> {
    #[cold]
    fn slow(bytes: &[u8], span: Span) -> Cow<'_, [u8]> {
        Cow::Owned(decode(bytes, span).into_owned().into_bytes())
    }
    if span.has_escapes() { slow(bytes, span) } else { Cow::Borrowed(&bytes[span.range()]) }
}

/// Appends a checked string's text, its escapes decoded, to `out`. Half a surrogate pair becomes
/// U+FFFD.
pub(crate) fn unescape(mut text: &str, out: &mut String) {
    while let Some(at) = memchr(b'\\', text.as_bytes()) {
        out.push_str(&text[..at]);
        let escape = &text[at + 1..];
        let mut chars = escape.chars();
        match chars.next() {
            Some('u') => text = unescape_unicode(&escape[1..], out),
            simple => {
                out.push(match simple {
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(itself) => itself,
                    None => char::REPLACEMENT_CHARACTER,
                });
                text = chars.as_str();
            }
        }
    }
    out.push_str(text);
}

/// Decodes what follows `\u`, and its second half where it is a surrogate; answers the rest.
fn unescape_unicode<'a>(text: &'a str, out: &mut String) -> &'a str {
    let (unit, rest) = hex4(text);
    let low = match unit {
        0xd800..=0xdbff => {
            rest.strip_prefix("\\u").map(hex4).filter(|(low, _)| (0xdc00..=0xdfff).contains(low))
        }
        _ => None,
    };
    let (code, rest) = match low {
        Some((low, rest)) => (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), rest),
        None => (unit, rest),
    };
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}

/// Four hexadecimal digits and the rest. Text that was not checked reads as half a surrogate.
fn hex4(text: &str) -> (u32, &str) {
    match text.split_at_checked(4) {
        Some((digits, rest)) => (u32::from_str_radix(digits, 16).unwrap_or(0xd800), rest),
        None => (0xd800, ""),
    }
}
