//! What is wrong with a value, and where.

use std::fmt;

use serde_core::de::{Expected, Unexpected};

/// Boxed, so that the results of which modules are full stay small.
#[derive(Debug)]
pub(super) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// `routes[1].to`; empty for the whole.
    path: String,
    text: String,
}

impl Error {
    pub(super) fn new(text: String) -> Self {
        Self(Box::new(Inner { path: String::new(), text }))
    }

    pub(super) fn too_deep() -> Self {
        Self::new(format!("nested deeper than {} levels", super::DEPTH_MAX))
    }

    pub(super) fn in_member(mut self, key: &str) -> Self {
        let path = &mut self.0.path;
        if !path.is_empty() && !path.starts_with('[') {
            path.insert(0, '.');
        }
        path.insert_str(0, key);
        self
    }

    pub(super) fn in_element(mut self, index: usize) -> Self {
        let path = &mut self.0.path;
        if !path.is_empty() && !path.starts_with('[') {
            path.insert(0, '.');
        }
        path.insert(0, ']');
        path.insert_str(0, &(index as u64).to_string());
        path.insert(0, '[');
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "`{}`: ", self.0.path)?;
        }
        f.write_str(&self.0.text)
    }
}

impl std::error::Error for Error {}

/// serde's own texts show floats and escape strings, which would be kilobytes of code. All that
/// reach them are written here.
impl serde_core::de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        wrong("type", found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        wrong("value", found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("variant", variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", field, expected)
    }
}

fn wrong(what: &str, found: Unexpected<'_>, expected: &dyn Expected) -> Error {
    let found = match found {
        Unexpected::Bool(value) => format!("boolean `{value}`"),
        Unexpected::Unsigned(number) => format!("integer `{number}`"),
        Unexpected::Signed(number) => {
            let sign = if number < 0 { "-" } else { "" };
            format!("integer `{sign}{}`", number.unsigned_abs())
        }
        Unexpected::Float(_) => "floating point number".to_owned(),
        Unexpected::Char(char) => format!("string \"{char}\""),
        Unexpected::Str(string) => format!("string \"{string}\""),
        Unexpected::Seq => "sequence".to_owned(),
        Unexpected::Map => "map".to_owned(),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Other(text) => format!("`{text}`"),
        _ => "something else".to_owned(),
    };
    Error::new(format!("invalid {what}: {found}, expected {expected}"))
}

fn unknown(what: &str, name: &str, expected: &[&str]) -> Error {
    let mut text = format!("unknown {what} `{name}`, ");
    match expected {
        [] => text.push_str("there are none"),
        [one] => text.push_str(&format!("expected `{one}`")),
        [one, other] => text.push_str(&format!("expected `{one}` or `{other}`")),
        many => {
            text.push_str("expected one of ");
            for (at, name) in many.iter().enumerate() {
                text.push_str(if at == 0 { "`" } else { ", `" });
                text.push_str(name);
                text.push('`');
            }
        }
    }
    Error::new(text)
}
