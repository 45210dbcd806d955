//! One TOML value, checked against the type that its key declares.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::diagnostic::nearest;
use super::section::Section;
use super::table::{Key, Rule, Type};
use super::units::{self, DURATION_FORMS, SIZE_FORMS, show_duration, show_size};
use super::walk::{Walk, is_later_scheme};
use super::{Workers, json};
use crate::secret::Secret;

/// A value of the type that its key declares.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Path(PathBuf),
    Flag(bool),
    Workers(Workers),
    Size(u64),
    Duration(Duration),
    Texts(Vec<String>),
    Secret(Secret),
    /// JSON text.
    Free(String),
    Section(Section),
    Sections(Vec<Section>),
}

impl Walk<'_> {
    /// Reads a value as `key` declares it; `None` when that has been diagnosed as wrong.
    pub(super) fn value(
        &mut self,
        key: &'static Key,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        let at = value.span().start;
        match (&key.kind, value.get_ref()) {
            (Type::Text(rule), DeValue::String(text)) => self.text(key, *rule, text, at),
            (Type::OneOf(choices), DeValue::String(text)) => self.choice(key, choices, text, at),
            (Type::Path, DeValue::String(text)) => {
                self.local(key.name, text, at, is_later_scheme(key, text)).map(Value::Path)
            }
            (Type::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Type::Workers { .. }, DeValue::String(text)) if text == "auto" => {
                Some(Value::Workers(Workers::Auto))
            }
            (Type::Workers { max }, DeValue::Integer(number)) => {
                let number = self.integer(key, number, at)?;
                let number = self.within(key, number, 1..=*max, |n| n.to_string(), at)?;
                Some(Value::Workers(Workers::Count(usize::try_from(number).ok()?)))
            }
            (Type::Size { min, max }, DeValue::Integer(number)) => {
                let bytes = self.integer(key, number, at)?;
                self.within(key, bytes, *min..=*max, show_size, at).map(Value::Size)
            }
            (Type::Size { min, max }, DeValue::String(text)) => {
                let bytes = self.measure(key, units::size(text), "size", SIZE_FORMS, at)?;
                self.within(key, bytes, *min..=*max, show_size, at).map(Value::Size)
            }
            (Type::Duration { min, max }, DeValue::String(text)) => {
                let time =
                    self.measure(key, units::duration(text), "duration", DURATION_FORMS, at)?;
                self.within(key, time, *min..=*max, show_duration, at).map(Value::Duration)
            }
            (Type::Texts { rule, may_be_empty }, DeValue::Array(items)) => {
                self.texts(key, *rule, *may_be_empty, items, at)
            }
            (Type::Secret, DeValue::String(text)) if !text.is_empty() => self.inline(key, text, at),
            (Type::Secret, DeValue::Table(table)) => self.secret(key, table, at),
            (Type::Free, DeValue::Table(table)) => {
                let before = self.diagnostics.len();
                let json = json::object(table, &mut |at, text| self.error(at, text));
                (self.diagnostics.len() == before).then_some(Value::Free(json))
            }
            (Type::Section(spec), DeValue::Table(table)) => {
                Some(Value::Section(self.table(spec, table, at)))
            }
            (Type::Sections(spec), DeValue::Array(items)) => {
                self.tables(spec, items).map(Value::Sections)
            }
            (kind, found) => {
                let (expected, found) = (expected(kind), described(found));
                self.error(at, format!("`{}` must be {expected}, not {found}", key.name));
                None
            }
        }
    }

    /// A path on this machine; `may_be_url`: what is wrong with a URL is told by who knows why.
    fn local(&mut self, name: &str, text: &str, at: usize, may_be_url: bool) -> Option<PathBuf> {
        let wrong = if text.is_empty() {
            "must not be empty"
        } else if text.chars().any(char::is_control) {
            "must be a path without control characters"
        } else if text.contains("://") && !may_be_url {
            "must be a path on this machine, not a URL"
        } else if text == "~" || text.starts_with("~/") {
            "must be a whole path: `~` stands for nothing here"
        } else {
            return Some(self.path(text));
        };
        self.error(at, format!("`{name}` {wrong}"));
        None
    }

    fn inline(&mut self, key: &Key, text: &str, at: usize) -> Option<Value> {
        if text.starts_with("${") && text.ends_with('}') {
            let text = "looks like a variable of a shell, and nothing is put in its place: write { env = \"NAME\" }";
            self.error(at, format!("`{}` {text}", key.name));
            return None;
        }
        Some(Value::Secret(Secret::Inline(text.to_owned())))
    }

    fn text(&mut self, key: &Key, rule: Rule, text: &str, at: usize) -> Option<Value> {
        match (rule.check)(text) {
            Ok(()) => Some(Value::Text(text.to_owned())),
            Err(what) => {
                self.error(at, format!("`{}` {what}", key.name));
                None
            }
        }
    }

    fn texts(
        &mut self,
        key: &Key,
        rule: Rule,
        may_be_empty: bool,
        items: &[Spanned<DeValue<'_>>],
        at: usize,
    ) -> Option<Value> {
        if items.is_empty() && !may_be_empty {
            self.error(at, format!("`{}` must not be an empty list", key.name));
            return None;
        }
        let mut texts = Vec::new();
        for item in items {
            let wrong = match item.get_ref() {
                DeValue::String(text) => (rule.check)(text).map(|()| texts.push(text.to_string())),
                other => Err(format!("must be a string, not {}", described(other))),
            };
            if let Err(what) = wrong {
                self.error(item.span().start, format!("an entry of `{}` {what}", key.name));
            }
        }
        (texts.len() == items.len()).then_some(Value::Texts(texts))
    }

    fn integer(&mut self, key: &Key, number: &DeInteger<'_>, at: usize) -> Option<u64> {
        let read = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let read = read.and_then(|number| u64::try_from(number).ok());
        if read.is_none() {
            self.error(at, format!("`{}` must be a positive number", key.name));
        }
        read
    }

    fn measure<T>(
        &mut self,
        key: &Key,
        read: Option<T>,
        what: &str,
        forms: &str,
        at: usize,
    ) -> Option<T> {
        if read.is_none() {
            self.error(at, format!("`{}` must be a {what} such as {forms}", key.name));
        }
        read
    }

    fn within<T: PartialOrd + Copy>(
        &mut self,
        key: &Key,
        value: T,
        range: RangeInclusive<T>,
        show: fn(T) -> String,
        at: usize,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let (min, max) = (show(*range.start()), show(*range.end()));
        self.error(at, format!("`{}` must be from {min} to {max}, not {}", key.name, show(value)));
        None
    }

    fn secret(&mut self, key: &Key, table: &DeTable<'_>, at: usize) -> Option<Value> {
        let mut found = None;
        for (name, value) in table {
            let text = value.get_ref().as_str().filter(|text| !text.is_empty());
            let at = value.span().start;
            let secret = match (name.get_ref().as_ref(), text) {
                ("file", Some(path)) => Secret::File(self.local("file", path, at, false)?),
                ("env", Some(variable)) if variable.contains(['$', '=', '\0', ' ']) => {
                    self.error(at, "`env` must be a variable's name, without `$`");
                    return None;
                }
                ("env", Some(variable)) => Secret::Env(variable.to_owned()),
                ("file" | "env", None) => {
                    self.error(
                        at,
                        format!("`{}` must be a string that is not empty", name.get_ref()),
                    );
                    return None;
                }
                (other, _) => {
                    let near = nearest(other, ["file", "env"]);
                    let near =
                        near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    let text =
                        format!("unknown key `{}` in `{}`{near}", other.escape_debug(), key.name);
                    self.error(name.span().start, text);
                    return None;
                }
            };
            found = Some(secret);
        }
        if table.len() != 1 {
            let text =
                format!("`{}` must have one of `file` and `env`, and nothing else", key.name);
            self.error(at, text);
            return None;
        }
        found.map(Value::Secret)
    }
}

fn expected(kind: &Type) -> String {
    match kind {
        Type::Text(_) | Type::OneOf(_) => "a string".into(),
        Type::Path => "a path, as a string".into(),
        Type::Flag => "true or false".into(),
        Type::Workers { .. } => "\"auto\" or a number".into(),
        Type::Size { .. } => format!("a size such as {SIZE_FORMS}"),
        Type::Duration { .. } => format!("a duration such as {DURATION_FORMS}"),
        Type::Texts { .. } => "a list of strings".into(),
        Type::Secret => "{ file = \"…\" }, { env = \"…\" } or a string that is not empty".into(),
        Type::Free => "a table".into(),
        Type::Section(table) => format!("one table: {}", table.header),
        Type::Sections(table) => format!("an array of tables: {}", table.header),
    }
}

/// What a value is; never the value itself.
pub(super) fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(text) if text.is_empty() => "an empty string",
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
