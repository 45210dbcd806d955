//! One TOML value, checked against the type that its key declares; tables of their own are
//! [`tables`](super::tables)' to read.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::diagnostic::{alternatives, nearest, quoted};
use super::input::Input;
use super::json;
use super::section::Value;
use super::settings::Workers;
use super::table::{Key, Rule, Type};
use super::units::{self, DURATION_FORMS, SIZE_FORMS, show_duration, show_size};
use crate::registry::{Reference, SCHEME};
use crate::secret::Secret;
use crate::stages::ModuleSource;
use crate::words::Word;

/// Reads a value as `key` declares it; `None` when it is wrong, which has then been diagnosed.
pub(super) fn read(
    input: &mut Input<'_>,
    key: &Key,
    value: &Spanned<DeValue<'_>>,
) -> Option<Value> {
    let at = value.span().start;
    if input.holds_variable(at) {
        return None;
    }
    Reader { input, key, at }.read(value.get_ref())
}

/// Reads the value of one key.
struct Reader<'i, 'a, 'k> {
    input: &'i mut Input<'a>,
    key: &'k Key,
    /// Byte offset of the value.
    at: usize,
}

impl Reader<'_, '_, '_> {
    fn read(mut self, value: &DeValue<'_>) -> Option<Value> {
        match (&self.key.kind, value) {
            (Type::Text(rule) | Type::Named(rule), DeValue::String(text)) => self.text(*rule, text),
            (Type::OneOf(words), DeValue::String(text)) => self.word(words, text),
            (Type::Path, DeValue::String(text)) => self.path(text).map(Value::Path),
            (Type::Module, DeValue::String(text)) => self.module(text).map(Value::Module),
            (Type::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Type::Workers { .. }, DeValue::String(text)) if text == "auto" => {
                Some(Value::Workers(Workers::Auto))
            }
            (Type::Workers { max }, DeValue::Integer(number)) => {
                let number = self.integer(number)?;
                let number = self.within(number, 1..=*max, |n| n.to_string())?;
                Some(Value::Workers(Workers::Count(usize::try_from(number).ok()?)))
            }
            (Type::Count { min, max }, DeValue::Integer(number)) => {
                let number = self.integer(number)?;
                self.within(number, *min..=*max, |n| n.to_string()).map(Value::Count)
            }
            (Type::Size { min, max }, DeValue::Integer(number)) => {
                let bytes = self.integer(number)?;
                self.within(bytes, *min..=*max, show_size).map(Value::Size)
            }
            (Type::Size { min, max }, DeValue::String(text)) => {
                let bytes = self.measure(units::size(text), "size", SIZE_FORMS)?;
                self.within(bytes, *min..=*max, show_size).map(Value::Size)
            }
            (Type::Duration { min, max }, DeValue::String(text)) => self.duration(text, *min, *max),
            (Type::Texts { rule, may_be_empty }, DeValue::Array(items)) => {
                self.texts(*rule, *may_be_empty, items)
            }
            (Type::Secret, DeValue::String(text)) if !text.is_empty() => {
                Some(Value::Secret(Secret::Inline(text.to_string())))
            }
            (Type::Secret | Type::Named(_), DeValue::Table(table)) => self.secret(table),
            (Type::Free, DeValue::Table(table)) => self.free(table),
            (kind, found) => {
                let (expected, found) = (expected(kind), described(found));
                self.wrong(format!("must be {expected}, not {found}"))
            }
        }
    }

    /// Notes what is wrong with the value.
    fn wrong<T>(&mut self, what: impl std::fmt::Display) -> Option<T> {
        self.input.error(self.at, format!("`{}` {what}", self.key.name));
        None
    }

    fn text(&mut self, rule: Rule, text: &str) -> Option<Value> {
        match (rule.check)(text) {
            Ok(()) => Some(Value::Text(text.to_owned())),
            Err(what) => self.wrong(what),
        }
    }

    fn word(&mut self, words: &[Word], text: &str) -> Option<Value> {
        if let Some(word) = words.iter().find(|word| word.text == text) {
            return Some(Value::Word(word.text));
        }
        let texts = || words.iter().map(|word| word.text);
        let near = nearest(text, texts()).map(|near| format!("; did you mean `{near}`?"));
        let (name, near) = (self.key.name, near.unwrap_or_default());
        let text = quoted(text);
        let message =
            format!("unknown {name} \"{text}\": it may be {}{near}", alternatives(texts()));
        self.input.error(self.at, message);
        None
    }

    fn module(&mut self, text: &str) -> Option<ModuleSource> {
        if !text.starts_with(SCHEME) {
            return self.path(text).map(ModuleSource::File);
        }
        match Reference::parse(text) {
            Ok(reference) => Some(ModuleSource::Registry(reference)),
            Err(error) => self.wrong(error),
        }
    }

    fn path(&mut self, text: &str) -> Option<PathBuf> {
        match wrong_with_path(text) {
            None => Some(self.input.path(text)),
            Some(what) => self.wrong(what),
        }
    }

    fn duration(&mut self, text: &str, min: Duration, max: Duration) -> Option<Value> {
        let time = self.measure(units::duration(text), "duration", DURATION_FORMS)?;
        self.within(time, min..=max, show_duration).map(Value::Duration)
    }

    fn texts(
        &mut self,
        rule: Rule,
        may_be_empty: bool,
        items: &[Spanned<DeValue<'_>>],
    ) -> Option<Value> {
        if items.is_empty() && !may_be_empty {
            return self.wrong("must not be an empty list");
        }
        let mut texts = Vec::new();
        for item in items {
            if self.input.holds_variable(item.span().start) {
                continue;
            }
            let read = match item.get_ref() {
                DeValue::String(text) => (rule.check)(text).map(|()| texts.push(text.to_string())),
                other => Err(format!("must be a string, not {}", described(other))),
            };
            if let Err(what) = read {
                let name = self.key.name;
                self.input.error(item.span().start, format!("an entry of `{name}` {what}"));
            }
        }
        (texts.len() == items.len()).then_some(Value::Texts(texts))
    }

    fn integer(&mut self, number: &DeInteger<'_>) -> Option<u64> {
        let read = i128::from_str_radix(number.as_str(), number.radix()).ok();
        match read.and_then(|number| u64::try_from(number).ok()) {
            None => self.wrong("must be a positive number"),
            number => number,
        }
    }

    fn measure<T>(&mut self, read: Option<T>, what: &str, forms: &str) -> Option<T> {
        if read.is_none() {
            return self.wrong(format!("must be a {what} such as {forms}"));
        }
        read
    }

    fn within<T: PartialOrd + Copy>(
        &mut self,
        value: T,
        range: RangeInclusive<T>,
        show: fn(T) -> String,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let (min, max) = (show(*range.start()), show(*range.end()));
        self.wrong(format!("must be from {min} to {max}, not {}", show(value)))
    }

    fn free(&mut self, table: &DeTable<'_>) -> Option<Value> {
        let before = self.input.errors();
        let json = json::object(table, &mut |at, text| self.input.error(at, text));
        (self.input.errors() == before).then_some(Value::Free(json))
    }

    fn secret(&mut self, table: &DeTable<'_>) -> Option<Value> {
        let mut found = None;
        for (name, value) in table {
            found = Some(self.secret_from(name, value)?);
        }
        if table.len() != 1 {
            return self.wrong("must have one of `file` and `env`, and nothing else");
        }
        found.map(Value::Secret)
    }

    /// One member of a secret's table: where the secret is.
    fn secret_from(
        &mut self,
        name: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Secret> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        if self.input.holds_variable(value.span().start) {
            return None;
        }
        let (at, what) = match (name.get_ref().as_ref(), text) {
            ("file", Some(path)) => match wrong_with_path(path) {
                None => return Some(Secret::File(self.input.path(path))),
                Some(what) => (value.span().start, format!("`file` {what}")),
            },
            ("env", Some(variable)) if variable.contains(['$', '=', '\0', ' ']) => {
                (value.span().start, "`env` must be a variable's name, without `$`".to_owned())
            }
            ("env", Some(variable)) => return Some(Secret::Env(variable.to_owned())),
            (known @ ("file" | "env"), None) => {
                (value.span().start, format!("`{known}` must be a string that is not empty"))
            }
            (other, _) => {
                let near = nearest(other, ["file", "env"]);
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let (other, key) = (quoted(other), self.key.name);
                (name.span().start, format!("unknown key `{other}` in `{key}`{near}"))
            }
        };
        self.input.error(at, what);
        None
    }
}

/// Why a text is no path on this machine.
fn wrong_with_path(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("must not be empty")
    } else if text.chars().any(char::is_control) {
        Some("must be a path without control characters")
    } else if text.contains("://") {
        Some("must be a path on this machine, not a URL")
    } else if text == "~" || text.starts_with("~/") {
        Some("must be a full path: `~` is not expanded here")
    } else {
        None
    }
}

fn expected(kind: &Type) -> String {
    match kind {
        Type::Text(_) | Type::OneOf(_) => "a string".into(),
        Type::Path => "a path, as a string".into(),
        Type::Module => "a path or an oci:// reference, as a string".into(),
        Type::Flag => "true or false".into(),
        Type::Workers { .. } => "\"auto\" or a number".into(),
        Type::Count { .. } => "a number".into(),
        Type::Size { .. } => format!("a size such as {SIZE_FORMS}"),
        Type::Duration { .. } => format!("a duration such as {DURATION_FORMS}"),
        Type::Texts { .. } => "a list of strings".into(),
        Type::Secret => "{ file = \"…\" }, { env = \"…\" } or a string that is not empty".into(),
        Type::Named(_) => "a string, { file = \"…\" } or { env = \"…\" }".into(),
        Type::Free => "a table".into(),
        Type::Section(table) => format!("one table: {}", table.header),
        Type::Sections(table) => format!("an array of tables: {}", table.header),
        Type::Alternatives(_) => "a table or a list of tables".into(),
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
