//! Where letters lie: a folder or an index, looked at in the same way.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::folder::{self, Files};
use super::index::{self, Index, Query};
use super::letter::{LetterId, LetterLine, ReadError};

/// Where letters lie.
#[derive(Clone, Debug)]
pub enum Place {
    /// In files of a folder.
    Folder(PathBuf),
    /// In an index.
    Index(Arc<dyn Index>),
}

/// For people, behind "the dead letters in".
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::Index(index) => write!(f, "the index {}", index.name()),
        }
    }
}

/// The letters of a place, in the order in which they were written. They are read as they are asked
/// for.
pub type Letters = Box<dyn Iterator<Item = Result<LetterLine, ReadError>>>;

/// What lies somewhere.
#[derive(Debug)]
pub struct Contents {
    place: Place,
    files: Files,
    /// Bytes of all letters, as far as is known.
    pub bytes: u64,
}

impl Place {
    /// Looks at what is there. An index that is not there holds none; so does a folder, with
    /// `may_be_missing`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn look(self, may_be_missing: bool) -> Result<Contents, ReadError> {
        match &self {
            Place::Folder(path) => {
                let files = match folder::files(path) {
                    Err(error) if may_be_missing && error.is_not_there() => Files::default(),
                    files => files?,
                };
                let bytes = files.bytes;
                Ok(Contents { place: self, files, bytes })
            }
            Place::Index(index) => {
                let usage =
                    index.usage().map_err(|trouble| index::read_error(&**index, trouble))?;
                let bytes = usage.unwrap_or_default().bytes;
                Ok(Contents { place: self, files: Files::default(), bytes })
            }
        }
    }
}

impl Contents {
    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its letters: all, or those of these ids that are there.
    pub fn letters(&self, ids: Option<&BTreeSet<LetterId>>) -> Letters {
        let folder = match &self.place {
            Place::Index(index) => {
                let ids = ids.map(|ids| ids.iter().copied().collect());
                return Box::new(index::Letters::new(index.clone(), Query { ids, until: None }));
            }
            Place::Folder(folder) => folder.clone(),
        };
        let ids = ids.cloned();
        let has_file = |number: u64| {
            let is_in =
                |id: &LetterId| matches!(id, LetterId::Line { file, .. } if *file == number);
            ids.as_ref().is_none_or(|ids| ids.iter().any(is_in))
        };
        let numbers: Vec<u64> =
            self.files.numbers.iter().copied().filter(|number| has_file(*number)).collect();
        let lines = numbers.into_iter().flat_map(move |number| -> Letters {
            match folder::lines(&folder, number) {
                Ok(lines) => Box::new(lines),
                Err(error) => Box::new(std::iter::once(Err(error))),
            }
        });
        let is_asked_for = move |line: &Result<LetterLine, ReadError>| match (line, &ids) {
            (Ok(line), Some(ids)) => ids.contains(&line.id),
            _ => true,
        };
        Box::new(lines.filter(is_asked_for))
    }

    /// What to say about files that nobody looks into.
    pub fn strangers(&self) -> Option<String> {
        (!self.files.strangers.is_empty()).then(|| {
            format!(
                "not looked into: {} in {}: the files of dead letters are named by eight digits, such as 00000001.jsonl",
                self.files.strangers.join(", "),
                self.place
            )
        })
    }
}
