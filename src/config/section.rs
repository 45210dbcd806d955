//! What was read from a table: its values by key, each with its offset, and each taken out by its
//! type.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::settings::Workers;
use crate::secret::Secret;
use crate::stages::ModuleSource;
use crate::words::Words;

/// A value of the type that its key declares.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// One of the words that the key declares.
    Word(&'static str),
    Path(PathBuf),
    Module(ModuleSource),
    Flag(bool),
    Workers(Workers),
    Count(u64),
    Size(u64),
    Duration(Duration),
    Texts(Vec<String>),
    Secret(Secret),
    /// JSON text.
    Free(String),
    Section(Section),
    Sections(Vec<Section>),
}

/// What has been read of a table.
#[derive(Debug)]
pub(super) struct Section {
    /// Byte offset of its header.
    pub(super) at: usize,
    pub(super) values: BTreeMap<&'static str, At>,
    /// Keys that stand in the file, with valid values or not.
    pub(super) in_file: BTreeSet<&'static str>,
}

#[derive(Debug)]
pub(super) struct At {
    pub(super) value: Value,
    /// Byte offset of the value; of the header for a default.
    pub(super) at: usize,
    /// Whether it stands in the file.
    pub(super) given: bool,
}

impl Section {
    /// The value of a key, given or default.
    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(|found| &found.value)
    }

    /// Whether the key stands in the file with a valid value.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|found| found.given)
    }

    /// Whether the key stands in the file, with a valid value or not.
    pub(super) fn is_in_file(&self, name: &str) -> bool {
        self.in_file.contains(name)
    }

    /// Byte offset of the key's value, or of the header when there is none.
    pub(super) fn at(&self, name: &str) -> usize {
        self.values.get(name).map_or(self.at, |found| found.at)
    }
}

/// Values by type. The declaration in `keys` gives each key the type under which it is asked for
/// here; the test that loads `config/pipeline.toml` would fail otherwise.
impl Section {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The variant whose word stands there.
    pub(super) fn word<W: Words>(&self, name: &str) -> Option<W> {
        match self.get(name)? {
            Value::Word(word) => W::from_word(word),
            _ => None,
        }
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        match self.get(name)? {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    pub(super) fn module(&self, name: &str) -> Option<ModuleSource> {
        match self.get(name)? {
            Value::Module(source) => Some(source.clone()),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn workers(&self, name: &str) -> Option<Workers> {
        match self.get(name)? {
            Value::Workers(workers) => Some(*workers),
            _ => None,
        }
    }

    pub(super) fn count(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Count(count) => Some(*count),
            _ => None,
        }
    }

    pub(super) fn size(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Size(bytes) => Some(*bytes),
            _ => None,
        }
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        match self.get(name)? {
            Value::Duration(duration) => Some(*duration),
            _ => None,
        }
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.get(name)? {
            Value::Texts(texts) => Some(texts.clone()),
            _ => None,
        }
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        match self.get(name)? {
            Value::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }

    pub(super) fn free(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::Free(json) => Some(json.clone()),
            _ => None,
        }
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        match self.get(name)? {
            Value::Section(section) => Some(section),
            _ => None,
        }
    }

    pub(super) fn sections(&self, name: &str) -> &[Section] {
        match self.get(name) {
            Some(Value::Sections(sections)) => sections,
            _ => &[],
        }
    }
}
