//! The values of edits, written as JSON text once, as they arrive.

use super::node::Text;
use super::tree::Tree;
use crate::event::json::{ScanError, Scanner};

/// A value as the module gave it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'v> {
    String(&'v str),
    Bool(bool),
    Integer(i64),
    Float(f64),
    Json(&'v str),
    /// Of a removal.
    Nothing,
}

impl Payload<'_> {
    /// Bytes that it counts for.
    pub(super) fn len(self) -> usize {
        match self {
            Payload::String(text) | Payload::Json(text) => text.len(),
            Payload::Bool(_) => 1,
            Payload::Integer(_) | Payload::Float(_) => 8,
            Payload::Nothing => 0,
        }
    }
}

impl Tree {
    /// Appends a value's JSON to the own text; answers it and how many containers it nests. The
    /// error says what is wrong with the value.
    pub(super) fn store(&mut self, payload: Payload<'_>) -> Result<(Text, usize), String> {
        let text = match payload {
            Payload::String(value) => self.store_string(value),
            Payload::Bool(value) => self.store_text(if value { "true" } else { "false" }),
            Payload::Integer(value) => self.store_number(value),
            Payload::Float(value) if value.is_finite() => self.store_number(value),
            Payload::Float(_) => return Err("JSON has no NaN and no infinities".to_owned()),
            Payload::Json(json) => return self.store_json(json),
            Payload::Nothing => Text::default(),
        };
        Ok((text, 0))
    }

    /// Appends a string with its quotes.
    pub(super) fn store_string(&mut self, value: &str) -> Text {
        let start = self.text.len();
        write_string(value, &mut self.text);
        Text::own(start, self.text.len() - start)
    }

    fn store_text(&mut self, value: &str) -> Text {
        let start = self.text.len();
        self.text.extend_from_slice(value.as_bytes());
        Text::own(start, value.len())
    }

    fn store_number(&mut self, value: impl serde::Serialize) -> Text {
        let start = self.text.len();
        serde_json::to_writer(&mut self.text, &value)
            .expect("a Vec takes every byte, and a number has no keys");
        Text::own(start, self.text.len() - start)
    }

    fn store_json(&mut self, json: &str) -> Result<(Text, usize), String> {
        check(json)?;
        let start = self.text.len();
        let depth = compact(json.as_bytes(), &mut self.text)?;
        Ok((Text::own(start, self.text.len() - start), depth))
    }
}

/// Which bytes do not stand for themselves in a JSON string (RFC 8259, section 7).
static IS_ESCAPED: [bool; 256] = {
    let mut is_escaped = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        is_escaped[byte] = true;
        byte += 1;
    }
    is_escaped[b'"' as usize] = true;
    is_escaped[b'\\' as usize] = true;
    is_escaped
};

/// Appends a JSON string with its quotes.
pub(in crate::event) fn write_string(value: &str, out: &mut Vec<u8>) {
    // Nearly every text stands for itself.
    if !value.bytes().any(|byte| IS_ESCAPED[usize::from(byte)]) {
        out.reserve(value.len() + 2);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        return out.push(b'"');
    }
    serde_json::to_writer(out, value).expect("a Vec takes every byte, and a string is no map");
}

/// Whether this is exactly one JSON value.
fn check(json: &str) -> Result<(), String> {
    let mut scanner = Scanner::new(json.as_bytes(), 0);
    match scanner.value() {
        Ok(_) => {}
        Err(ScanError::End) => return Err("it ends before its JSON value does".to_owned()),
        Err(ScanError::Syntax { at, what }) => {
            return Err(format!("not JSON at byte {at}: {what}"));
        }
        Err(ScanError::Depth { at }) => return Err(format!("nested too deeply at byte {at}")),
    }
    let end = scanner.position();
    match scanner.peek() {
        Err(ScanError::End) => Ok(()),
        _ => Err(format!("more than one JSON value: the first ends at byte {end}")),
    }
}

/// Copies checked JSON without the white space between its tokens; answers how many containers it
/// nests.
///
/// Half a surrogate pair is an error: the grammar takes it, but it is no text.
fn compact(json: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
    let (mut depth, mut deepest) = (0usize, 0);
    // What is not yet copied begins here.
    let mut from = 0;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.extend_from_slice(&json[from..at - 1]);
                from = at;
            }
            b'"' => at = string_end(json, at)?,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    out.extend_from_slice(&json[from..]);
    Ok(deepest)
}

/// The position behind the closing quote of the checked string whose first character is at `at`.
fn string_end(json: &[u8], mut at: usize) -> Result<usize, String> {
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            return Ok(at + 1);
        }
        let surrogate =
            |at: usize| unicode_escape(json, at).filter(|unit| (0xD800..0xE000).contains(unit));
        match (surrogate(at), surrogate(at + 6)) {
            (None, _) => at += 2,
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => at += 12,
            _ => return Err(format!("half a surrogate pair at byte {at}")),
        }
    }
    Ok(json.len())
}

/// The number of the `\uXXXX` at `at`, where one is.
fn unicode_escape(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
