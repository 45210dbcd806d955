//! What is told of a migration, a line each.

use std::fmt::Display;

use crate::text::{self, LINE_BYTES_MAX};

/// Everything that there is to tell.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Note>);

#[derive(Debug)]
struct Note {
    kind: Kind,
    /// The exporter's key.
    at: String,
    text: String,
}

/// What there is to tell of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It did something in the exporter, and does nothing in weir.
    NotMapped,
    /// It did nothing in the exporter either.
    Ignored,
    /// It does something else in weir, or is to be looked at.
    Note,
}

impl Notes {
    pub(super) fn not_mapped(&mut self, at: &str, text: impl Display) {
        self.add(Kind::NotMapped, at, text);
    }

    pub(super) fn ignored(&mut self, at: &str, text: impl Display) {
        self.add(Kind::Ignored, at, text);
    }

    pub(super) fn note(&mut self, at: &str, text: impl Display) {
        self.add(Kind::Note, at, text);
    }

    fn add(&mut self, kind: Kind, at: &str, text: impl Display) {
        self.0.push(Note { kind, at: at.to_owned(), text: text.to_string() });
    }

    /// How many keys are not mapped.
    pub(super) fn unmapped(&self) -> usize {
        self.0.iter().filter(|note| note.kind == Kind::NotMapped).count()
    }

    /// Each on a line of its own, whatever the file holds.
    pub(super) fn lines(&self, file: &str) -> Vec<String> {
        let line = |note: &Note| {
            let kind = match note.kind {
                Kind::NotMapped => "not mapped",
                Kind::Ignored => "ignored by the exporter",
                Kind::Note => "note",
            };
            text::one_line(format!("{file}: {kind}: {}: {}", note.at, note.text), LINE_BYTES_MAX)
        };
        self.0.iter().map(line).collect()
    }
}
