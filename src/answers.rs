//! What an answer is that should have been JSON and is not, for people: a proxy's or a login page
//! stands in front of a server more often than the server is at fault. And why there is none.

use std::error::Error;

use crate::text;

/// How much of a page is looked at.
const LOOKED_AT_BYTES: usize = 4 << 10;
/// Of a title, or of a text that is no page.
const SHOWN_BYTES_MAX: usize = 100;

/// The last of the causes of an HTTP client's error: the others only say that something failed.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// What such an answer is.
pub(crate) fn not_json(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT_BYTES)]);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return "an empty answer".to_owned();
    }
    if !text.starts_with('<') {
        return format!("no JSON (`{}`)", shown(text));
    }
    match title(text) {
        Some(title) => format!("an HTML page (`{title}`)"),
        None => "an HTML page".to_owned(),
    }
}

/// The same where it is a page; `None` for everything else.
pub(crate) fn html_page(body: &[u8]) -> Option<String> {
    is_html_page(body).then(|| not_json(body))
}

/// Whether it begins as a page does.
pub(crate) fn is_html_page(body: &[u8]) -> bool {
    first_sign(body) == Some(b'<')
}

/// The first byte that is neither space nor of a byte-order mark. `None`: what it is shows later.
pub(crate) fn first_sign(body: &[u8]) -> Option<u8> {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
    body.iter().copied().find(|byte| !is_space(byte))
}

/// What a page calls itself: its title, or its first heading.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let inside = |tag: &str| {
        let start = lower.find(&format!("<{tag}"))?;
        let start = start + lower[start..].find('>')? + 1;
        let end = start + lower[start..].find("</")?;
        Some(shown(&page[start..end])).filter(|text| !text.is_empty())
    };
    inside("title").or_else(|| inside("h1"))
}

fn shown(text: &str) -> String {
    text::words(text, SHOWN_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_called_a_page_with_its_title() {
        let nginx =
            b"\xef\xbb\xbf\r\n<html>\n<head><TITLE>502 Bad\n Gateway</TITLE></head>\n<body>";
        assert_eq!(not_json(nginx), "an HTML page (`502 Bad Gateway`)");
        assert_eq!(
            not_json(b"<!DOCTYPE html><html><body><h1 class=x>Sign in</h1>"),
            "an HTML page (`Sign in`)"
        );
        assert_eq!(not_json(b"<html>"), "an HTML page");
        assert_eq!(html_page(b" <html>").as_deref(), Some("an HTML page"));
        assert_eq!(first_sign(b"\xef\xbb\xbf \r\n"), None);
        assert_eq!(html_page(b"{\"a\":\"<html>\"}"), None);
    }

    #[test]
    fn what_is_no_page_is_shown_on_one_line_and_cut() {
        assert_eq!(not_json(b" \n"), "an empty answer");
        assert_eq!(
            not_json(b"upstream\n connect\x1b error"),
            "no JSON (`upstream connect\\u{1b} error`)"
        );
        assert!(not_json(&[b'x'; 10_000]).chars().count() < 130);
        assert!(not_json(&[b'<'; 10_000]).chars().count() < 130);
    }
}
