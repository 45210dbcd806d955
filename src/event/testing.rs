//! For tests: JSON trees that keep duplicate keys, generated ones, and every way to write them
//! down.

use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value that keeps its members' order and duplicates. Numbers keep their text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// A string.
    pub(crate) fn text(text: &str) -> Json {
        Json::String(text.to_owned())
    }

    /// The text as serde_json has it compactly.
    pub(crate) fn compact(&self) -> String {
        self.write(&mut Style { seed: 0, spaces: false, escapes: false })
    }

    /// Writes it down in the way that `style` rolls.
    pub(crate) fn write(&self, style: &mut Style) -> String {
        let mut out = String::new();
        self.write_to(style, &mut out);
        out
    }

    fn write_to(&self, style: &mut Style, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::String(text) => style.string(text, out),
            Json::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    style.space(out);
                    item.write_to(style, out);
                    style.space(out);
                }
                style.space(out);
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    style.space(out);
                    style.string(key, out);
                    style.space(out);
                    out.push(':');
                    style.space(out);
                    value.write_to(style, out);
                    style.space(out);
                }
                style.space(out);
                out.push('}');
            }
        }
    }
}

/// How to write JSON down; a small generator of its own, so that one seed is one text.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) seed: u64,
    pub(crate) spaces: bool,
    pub(crate) escapes: bool,
}

impl Style {
    fn roll(&mut self, sides: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % sides
    }

    fn space(&mut self, out: &mut String) {
        while self.spaces && self.roll(3) == 0 {
            out.push([' ', '\n', '\r', '\t'][self.roll(4) as usize]);
        }
    }

    fn string(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            if self.escapes && self.roll(6) == 0 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                match c {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\u{0}'..='\u{1f}' => out.push_str(&format!("\\u{:04X}", c as u32)),
                    c => out.push(c),
                }
            }
        }
        out.push('"');
    }
}

/// Any style.
pub(crate) fn styles() -> impl Strategy<Value = Style> {
    any::<(u64, bool, bool)>().prop_map(|(seed, spaces, escapes)| Style { seed, spaces, escapes })
}

/// Any small JSON value.
pub(crate) fn values() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        numbers().prop_map(Json::Number),
        "\\PC{0,12}".prop_map(Json::String),
        any::<String>().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::vec(("[a-d]{0,2}", inner), 0..5).prop_map(Json::Object),
        ]
    })
}

/// Text of a JSON number that an f64 can hold: serde_json, which many tests compare with, refuses
/// others.
pub(crate) fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,3})",
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
    ]
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        struct Tree;
        impl<'de> Visitor<'de> for Tree {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Number(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut out = Vec::new();
                while let Some(item) = items.next_element()? {
                    out.push(item);
                }
                Ok(Json::Array(out))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
                let mut out = Vec::new();
                while let Some(member) = members.next_entry()? {
                    out.push(member);
                }
                Ok(Json::Object(out))
            }
        }
        deserializer.deserialize_any(Tree)
    }
}

/// One way to spoil a text.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    at: prop::sample::Index,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Replace(u8),
    Insert(u8),
    Remove,
    Cut,
}

/// Any damage, most often one that JSON's grammar notices.
pub(crate) fn damaged() -> impl Strategy<Value = Damage> {
    let byte =
        prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\u0019-+.eE tfn\n\x00".to_vec())];
    let how = prop_oneof![
        byte.clone().prop_map(How::Replace),
        byte.prop_map(How::Insert),
        Just(How::Remove),
        Just(How::Cut)
    ];
    (any::<prop::sample::Index>(), how).prop_map(|(at, how)| Damage { at, how })
}

impl Damage {
    /// Spoils `bytes`.
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.at.index(bytes.len());
        match self.how {
            How::Replace(byte) => bytes[at] = byte,
            How::Insert(byte) => bytes.insert(at, byte),
            How::Remove => {
                bytes.remove(at);
            }
            How::Cut => bytes.truncate(at),
        }
    }
}
