//! What a key of `pipeline.toml` may be: the vocabulary in which [`keys`](super::keys) declares
//! them all. Validation, diagnostics and the JSON Schema are three readings of one declaration.

use std::time::Duration;

use crate::words::{Word, Words};

/// A TOML table and the keys that it may hold.
#[derive(Debug)]
pub(super) struct Table {
    /// How it is written: `[source]`, `[[stage]]`; empty for the top level.
    pub(super) header: &'static str,
    /// What it is for.
    pub(super) doc: &'static str,
    /// Its keys, in the order in which people are told of them.
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    /// What it means, in one or two sentences.
    pub(super) doc: &'static str,
    pub(super) presence: Presence,
    /// For which values of the table's `kind` it may stand; empty: for all.
    pub(super) only: &'static [&'static str],
    /// The flag of its table beside which, when that is true, it neither stands nor is missed.
    pub(super) unless: Option<&'static str>,
    /// Whether `${…}` and `$(…)` in its texts are what they are: elsewhere they are a mistake.
    pub(super) is_literal: bool,
    /// Of a flag: the table that must stand beside it when it is true, and not be empty.
    pub(super) needs: Option<&'static str>,
}

/// What happens when a key is absent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is missed (where `only` allows it).
    Required,
    /// The part does without; of a section, its keys' defaults stand.
    Optional,
    /// A section that is not there, nor are its keys' defaults: what it configures is off.
    Off,
    /// This TOML value stands for it.
    Default(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub(super) enum Type {
    /// Text that keeps a rule.
    Text(Rule),
    /// One of a closed set of words: see [`one_of`].
    OneOf(&'static [Word]),
    /// A path, relative to the folder of the configuration file.
    Path,
    /// The path of a component, or what names one in a registry.
    Module,
    /// `true` or `false`.
    Flag,
    /// `"auto"` or a number of threads.
    Workers {
        /// The most there may be.
        max: u64,
    },
    /// A number of something.
    Count {
        /// The least that means anything.
        min: u64,
        /// The most.
        max: u64,
    },
    /// Bytes.
    Size {
        /// The least that can work.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A time.
    Duration {
        /// The shortest that can work.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// A list of texts.
    Texts {
        /// What each must keep.
        rule: Rule,
        /// Whether a list of none means anything.
        may_be_empty: bool,
    },
    /// Text, `{ file = "…" }` or `{ env = "…" }`.
    Secret,
    /// The same for what is no secret, and may stand beside one: the text is shown.
    Named(Rule),
    /// Anything: becomes one JSON object.
    Free,
    /// A table of its own.
    Section(&'static Table),
    /// An array of tables.
    Sections(&'static Table),
    /// A table or a list of tables, none of them empty.
    Alternatives(&'static Table),
}

/// What a text must keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// `Err` says what is wrong and what would be right; it never repeats what could be a secret.
    pub(super) check: fn(&str) -> Result<(), String>,
    /// The same as far as a regular expression goes, for the schema.
    pub(super) pattern: Option<&'static str>,
}

impl Table {
    /// How diagnostics say that something is in it.
    pub(super) fn place(&self) -> String {
        if self.header.is_empty() {
            "at the top level".into()
        } else {
            format!("in {}", self.header)
        }
    }

    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// The words of an enum that [`words!`](crate::words) declares. [`Section::word`] reads the key as
/// that enum again.
///
/// [`Section::word`]: super::section::Section::word
pub(super) const fn one_of<W: Words>() -> Type {
    Type::OneOf(W::ALL)
}

/// An optional key of every `kind`; methods say otherwise.
pub(super) const fn key(name: &'static str, kind: Type, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        doc,
        presence: Presence::Optional,
        only: &[],
        unless: None,
        is_literal: false,
        needs: None,
    }
}

impl Key {
    pub(super) const fn required(self) -> Key {
        Key { presence: Presence::Required, ..self }
    }

    pub(super) const fn off(self) -> Key {
        Key { presence: Presence::Off, ..self }
    }

    pub(super) const fn default(self, toml: &'static str) -> Key {
        Key { presence: Presence::Default(toml), ..self }
    }

    pub(super) const fn only(self, kinds: &'static [&'static str]) -> Key {
        Key { only: kinds, ..self }
    }

    pub(super) const fn unless(self, flag: &'static str) -> Key {
        Key { unless: Some(flag), ..self }
    }

    pub(super) const fn literal(self) -> Key {
        Key { is_literal: true, ..self }
    }

    pub(super) const fn needs(self, table: &'static str) -> Key {
        Key { needs: Some(table), ..self }
    }

    /// The word that stands for it when it is absent, if it is a key of words that has one.
    pub(super) fn default_word(&self) -> Option<&'static str> {
        match self.presence {
            Presence::Default(toml) => toml.strip_prefix('"')?.strip_suffix('"'),
            Presence::Required | Presence::Optional | Presence::Off => None,
        }
    }
}
