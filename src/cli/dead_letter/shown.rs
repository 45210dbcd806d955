//! How letters are shown to people. Pure.
//!
//! Constraint: nothing that an event held may steer a terminal or forge a line: what is no text of
//! weir's goes through [`text`].

use std::fmt::{Display, Write};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::dead_letter::{Part, Record};
use crate::text::{self, LINE_BYTES_MAX};

/// Bytes that are shown of a source that is not text.
const HEX_BYTES_MAX: usize = 256;

/// The regarded object and the reason of an event, as far as its source can be read.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Summary {
    #[serde(alias = "regarding", rename = "involvedObject")]
    pub(super) object: Option<Object>,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) name: String,
}

/// What the source says, in whatever envelope; `None` where it is not to be read, or says neither.
pub(super) fn summary(source: &[u8]) -> Option<Summary> {
    #[derive(Deserialize)]
    struct Envelope {
        object: Summary,
    }
    let said = |summary: &Summary| summary.object.is_some();
    let bare = serde_json::from_slice::<Summary>(source).ok().filter(said);
    bare.or_else(|| {
        serde_json::from_slice::<Envelope>(source).ok().map(|envelope| envelope.object).filter(said)
    })
}

/// `Pod shop/web-0 BackOff`, or how many bytes there are.
pub(super) fn event(source: &[u8]) -> String {
    let Some(Summary { object, reason }) = summary(source) else {
        return format!("{} bytes", source.len());
    };
    let Object { kind, namespace, name } = object.unwrap_or_default();
    let slash = if namespace.is_empty() { "" } else { "/" };
    let text = format!("{kind} {namespace}{slash}{name} {}", reason.unwrap_or_default());
    text::words(&text, LINE_BYTES_MAX)
}

/// `source`, `stage:NAME`, `sink`.
pub(super) fn part(record: &Record) -> String {
    match (&record.stage, record.part) {
        (Some(stage), Part::Stage) => line(format_args!("stage:{stage}")),
        (_, part) => part.label().to_owned(),
    }
}

/// What a line has of one member of a letter.
pub(super) fn line(text: impl Display) -> String {
    text::one_line(text, LINE_BYTES_MAX)
}

/// Cuts a line to as many characters, with an ellipsis.
pub(super) fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Bytes as people can read them: JSON spread over lines, other text as it is, anything else in
/// hexadecimal.
pub(super) fn pretty(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => pretty_json(text),
        // All of it: whoever asks for one letter is to see what it is.
        Ok(text) => {
            let lines = text.lines().map(|line| text::one_line(line, usize::MAX));
            lines.collect::<Vec<_>>().join("\n")
        }
        Err(_) => hex(bytes),
    }
}

/// A record as it lies in its file; of what is no JSON, what can be shown.
pub(super) fn raw(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(json) if serde_json::from_str::<IgnoredAny>(json).is_ok() => {
            text::json(json).into_owned()
        }
        _ => text::one_line(String::from_utf8_lossy(line), usize::MAX),
    }
}

/// Valid JSON with line breaks and indentation; every token stays as it was, numbers and the order
/// of keys included.
fn pretty_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0usize;
    let mut rest = json.chars().peekable();
    let (mut in_string, mut is_escaped) = (false, false);
    while let Some(c) = rest.next() {
        if in_string {
            in_string = c != '"' || is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            show_json(c, &mut out);
            continue;
        }
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => {
                out.push(c);
                while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match rest.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        break_line(depth, &mut out);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(depth, &mut out);
                out.push(c);
            }
            ',' => {
                out.push(c);
                break_line(depth, &mut out);
            }
            ':' => out.push_str(": "),
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// Inside a JSON string, where any character may be an escape.
fn show_json(c: char, out: &mut String) {
    if text::is_harmful(c) { text::json_escape(c, out) } else { out.push(c) }
}

fn break_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (number, row) in bytes[..bytes.len().min(HEX_BYTES_MAX)].chunks(16).enumerate() {
        let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = row
            .iter()
            .map(|byte| if byte.is_ascii_graphic() { *byte as char } else { '.' })
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:06x}  {:<47}  {text}", number * 16, digits.join(" "));
    }
    if bytes.len() > HEX_BYTES_MAX {
        let _ = writeln!(out, "... and {} bytes more", bytes.len() - HEX_BYTES_MAX);
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_is_named_by_what_it_regards_whatever_its_envelope_and_names() {
        let event = |json: &str| super::event(json.as_bytes());
        assert_eq!(
            event(
                r#"{"involvedObject":{"kind":"Pod","namespace":"shop","name":"web-0"},"reason":"BackOff"}"#
            ),
            "Pod shop/web-0 BackOff"
        );
        assert_eq!(
            event(r#"{"regarding":{"kind":"Node","name":"n1"},"reason":"Rebooted"}"#),
            "Node n1 Rebooted"
        );
        assert_eq!(
            event(r#"{"type":"ADDED","object":{"involvedObject":{"kind":"Pod","name":"p"}}}"#),
            "Pod p"
        );
        assert_eq!(event(r#"{"involvedObject":{"kind":"Po\u001b[31md"}}"#), r"Po\u{1b}[31md");
        assert_eq!(event(r#"{"involvedObject":"#), "18 bytes");
        assert_eq!(event(r#"{"involvedObject":7}"#), "20 bytes");
        assert_eq!(event("{}"), "2 bytes");
    }

    #[test]
    fn json_is_spread_over_lines_and_its_tokens_stay() {
        insta::assert_snapshot!(pretty(b"{\"b\":1.50,\"a\":[ ],\"c\":{\"d\":[true,\"x: {,\\\"y\"]},\"e\":\"\xc2\x9b\"}"), @r#"
        {
          "b": 1.50,
          "a": [],
          "c": {
            "d": [
              true,
              "x: {,\"y"
            ]
          },
          "e": "\u009b"
        }
        "#);
    }

    #[test]
    fn what_is_not_json_is_shown_as_text_and_what_is_no_text_in_hexadecimal() {
        assert_eq!(pretty(b"{\"a\" 1}\n\x1b[2J\ttab"), "{\"a\" 1}\n\\u{1b}[2J\\ttab");
        insta::assert_snapshot!(pretty(&[b"{\"a\":\"".as_slice(), &[0xff; 300]].concat()[..20]), @r#"
        000000  7b 22 61 22 3a 22 ff ff ff ff ff ff ff ff ff ff  {"a":"..........
        000010  ff ff ff ff                                      ....
        "#);
        assert!(pretty(&[0xff; 300]).ends_with("... and 44 bytes more"));
    }

    #[test]
    fn a_line_is_cut_by_characters() {
        assert_eq!(cut("ünïcode", 7), "ünïcode");
        assert_eq!(cut("ünïcode", 4), "ünï…");
        assert_eq!(cut("x", 0), "…");
    }

    proptest! {
        #[test]
        fn pretty_json_is_the_same_json(value in "\\PC{0,20}", key in any::<String>(), number in any::<f64>()) {
            let json = serde_json::json!({ key: [value, number, {}, [], null, {"n": [[]]}] }).to_string();
            let pretty = pretty_json(&json);
            prop_assert_eq!(
                serde_json::from_str::<serde_json::Value>(&pretty).unwrap(),
                serde_json::from_str::<serde_json::Value>(&json).unwrap()
            );
            prop_assert!(!pretty.chars().any(|c| text::is_harmful(c) && c != '\n'));
        }

        #[test]
        fn a_record_as_it_is_keeps_its_meaning_and_steers_no_terminal(
            value in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let record = serde_json::json!({ "source": value });
            let shown = raw(record.to_string().as_bytes());
            prop_assert!(!shown.contains(text::is_harmful) && !raw(&bytes).contains(text::is_harmful));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), record);
        }

        #[test]
        fn nothing_shown_steers_a_terminal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!pretty(&bytes).chars().any(|c| text::is_harmful(c) && c != '\n'));
            prop_assert!(!event(&bytes).contains(text::is_harmful));
        }
    }
}
