//! Reads a TOML table as its declaration says: every value in its type, defaults where keys are
//! absent, and a diagnostic for everything that is wrong.
//!
//! Invariant: a key that is required or has a default, and yet is missing in the [`Section`] that
//! comes out, has been diagnosed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Place, alternatives, nearest};
use super::keys::ROOT;
use super::section::{At, Section};
use super::table::{Key, Later, Presence, Table, Type};
use super::value::Value;

/// One file being read.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What is not in this version.
    later: Vec<Diagnostic>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Walk<'a> {
        Walk { file, text, diagnostics: Vec::new(), later: Vec::new() }
    }

    /// Everything that is wrong. About a value that is not in this version nothing else is told.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.retain(|other| self.later.iter().all(|later| later.place != other.place));
        self.diagnostics.append(&mut self.later);
        self.diagnostics
    }
}

impl Walk<'_> {
    /// Notes what is wrong at a byte offset.
    pub(super) fn error(&mut self, at: usize, text: impl std::fmt::Display) {
        self.diagnostics.push(self.place(at).error(text));
    }

    /// Whether something wrong at a byte offset has been noted.
    pub(super) fn is_wrong(&self, at: usize) -> bool {
        let place = self.place(at);
        self.diagnostics.iter().chain(&self.later).any(|diagnostic| diagnostic.place == place)
    }

    /// The place of a byte offset.
    pub(super) fn place(&self, at: usize) -> Place {
        Place::new(self.file, self.text, at)
    }

    /// A path, relative to the configuration's folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(text)
    }

    /// Reads a table whose header is at byte offset `at`.
    pub(super) fn table(
        &mut self,
        spec: &'static Table,
        table: &DeTable<'_>,
        at: usize,
    ) -> Section {
        let mut section = Section { at, values: BTreeMap::new(), in_file: BTreeSet::new() };
        let kind = kind_of(spec, table);
        for (name, value) in table {
            let Some(key) = spec.key(name.get_ref()) else {
                self.unknown(spec, name.get_ref(), name.span().start);
                continue;
            };
            if let Some(kind) = kind.filter(|kind| !applies(key, kind)) {
                let only = key.only.join("\" or \"");
                let text =
                    format!("`{}` is for kind = \"{only}\", and this kind is \"{kind}\"", key.name);
                self.error(name.span().start, text);
                continue;
            }
            section.in_file.insert(key.name);
            let at = value.span().start;
            let scheme = value.get_ref().as_str().is_some_and(|text| is_later_scheme(key, text));
            if let Some(value) = self.value(key, value) {
                self.not_yet(key, &value, scheme, at);
                section.values.insert(key.name, At { value, at, given: true });
            }
        }
        for key in spec.keys.iter().filter(|key| !table.contains_key(key.name)) {
            if let Some(value) = self.absent(spec, key, kind, at) {
                section.values.insert(key.name, At { value, at, given: false });
            }
        }
        section
    }

    fn absent(
        &mut self,
        spec: &'static Table,
        key: &'static Key,
        kind: Option<&str>,
        at: usize,
    ) -> Option<Value> {
        match (&key.presence, &key.kind) {
            (Presence::Default(toml), _) => {
                let default = DeValue::parse(toml);
                debug_assert!(default.is_ok(), "the default of {} is TOML", key.name);
                self.value(key, &default.ok()?)
            }
            (Presence::Required, Type::Section(section)) => {
                self.error(
                    at,
                    format!("missing required section {}: {}", section.header, section.doc),
                );
                None
            }
            (Presence::Required, _) => {
                // Whether a key of only some kinds is missed cannot be said without a kind.
                let is_missed = key.only.is_empty() || kind.is_some_and(|kind| applies(key, kind));
                if is_missed {
                    let text = format!(
                        "missing required key `{}` {}: {}",
                        key.name,
                        spec.place(),
                        key.doc
                    );
                    self.error(at, text);
                }
                None
            }
            // A section that is left out has its keys' defaults.
            (Presence::Optional, Type::Section(section)) => {
                Some(Value::Section(self.table(section, &DeTable::new(), at)))
            }
            (Presence::Optional, _) => None,
        }
    }

    fn unknown(&mut self, spec: &Table, name: &str, at: usize) {
        let mut text = format!("unknown key `{}` {}", name.escape_debug(), spec.place());
        if let Some(near) = nearest(name, spec.keys.iter().map(|key| key.name)) {
            text += &format!("; did you mean `{near}`?");
        } else if let Some(owner) = owner(&ROOT, name) {
            text += &format!("; it belongs {}", owner.place());
        } else {
            let known: Vec<String> =
                spec.keys.iter().map(|key| format!("`{}`", key.name)).collect();
            text += &format!("; there are {}", known.join(", "));
        }
        self.error(at, text);
    }

    fn not_yet(&mut self, key: &Key, value: &Value, is_later_scheme: bool, at: usize) {
        let text = match (&key.later, value) {
            (Later::Text(later), Value::Text(text)) if text == later => {
                format!("`{} = \"{later}\"` is not in this version: leave it out", key.name)
            }
            (Later::Scheme(scheme), _) if is_later_scheme => {
                format!("`{} = \"{scheme}…\"` is not in this version: name a file", key.name)
            }
            _ => return,
        };
        self.later.push(self.place(at).error(text));
    }

    /// One of a closed set of words.
    pub(super) fn choice(
        &mut self,
        key: &Key,
        choices: &[(&str, &str)],
        text: &str,
        at: usize,
    ) -> Option<Value> {
        let words = || choices.iter().map(|(word, _)| *word);
        if words().any(|word| word == text) {
            return Some(Value::Text(text.to_owned()));
        }
        if matches!(key.later, Later::Text(later) if later == text) {
            let text = format!(
                "{} {text:?} is not in this version: it may be {}",
                key.name,
                alternatives(words())
            );
            self.error(at, text);
            return None;
        }
        let mut message =
            format!("unknown {} {text:?}: it may be {}", key.name, alternatives(words()));
        if let Some(near) = nearest(text, words()) {
            message += &format!("; did you mean `{near}`?");
        }
        self.error(at, message);
        None
    }

    /// The tables of an array of tables.
    pub(super) fn tables(
        &mut self,
        spec: &'static Table,
        items: &[Spanned<DeValue<'_>>],
    ) -> Option<Vec<Section>> {
        let mut sections = Vec::new();
        let mut all = true;
        for item in items {
            let at = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => sections.push(self.table(spec, table, at)),
                None => {
                    all = false;
                    self.error(at, format!("must be a table: write {}", spec.header));
                }
            }
        }
        all.then_some(sections)
    }
}

/// The table's `kind`, given or default, where it is one that there is.
fn kind_of<'t>(spec: &Table, table: &'t DeTable<'_>) -> Option<&'t str> {
    let key = spec.key("kind")?;
    let Type::OneOf(kinds) = &key.kind else { return None };
    let kind = match table.get("kind") {
        Some(kind) => kind.get_ref().as_str()?,
        None => key.default_word()?,
    };
    kinds.iter().any(|(known, _)| *known == kind).then_some(kind)
}

/// Whether a text is what a later version will know.
pub(super) fn is_later_scheme(key: &Key, text: &str) -> bool {
    matches!(key.later, Later::Scheme(scheme) if text.starts_with(scheme))
}

fn applies(key: &Key, kind: &str) -> bool {
    key.only.is_empty() || key.only.contains(&kind)
}

/// The only table that has a key of that name.
fn owner(spec: &'static Table, name: &str) -> Option<&'static Table> {
    let mut owners = Vec::new();
    let mut left = vec![spec];
    while let Some(table) = left.pop() {
        owners.extend(table.key(name).map(|_| table));
        left.extend(table.keys.iter().filter_map(|key| match key.kind {
            Type::Section(inner) | Type::Sections(inner) => Some(inner),
            _ => None,
        }));
    }
    match owners[..] {
        [one] => Some(one),
        _ => None,
    }
}
