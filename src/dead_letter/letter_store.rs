//! Where dead letters are kept: a folder or an index, read in the same way.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::folder::{self, Files};
use super::index::HttpIndex;
use super::index::{self, Index, Query};
use super::kept::{LetterId, LetterLine, ReadError};
use super::settings::{LetterStoreError, Settings};
use crate::folders::Folder;
use crate::opensearch;
use crate::shutdown::Shutdown;
use crate::text;

/// Where dead letters are kept.
#[derive(Clone, Debug)]
pub enum LetterStore {
    /// In files of a folder.
    Folder(PathBuf),
    /// In an index.
    Index(Arc<dyn Index>),
}

/// For people, behind "the dead letters in".
impl fmt::Display for LetterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LetterStore::Folder(path) => write!(f, "{}", path.display()),
            LetterStore::Index(index) => write!(f, "the index {}", index.name()),
        }
    }
}

/// The letters of a store, in the order in which they were written. They are read as they are asked
/// for.
pub(crate) type Letters = Box<dyn Iterator<Item = Result<LetterLine, ReadError>>>;

/// What lies somewhere.
#[derive(Debug)]
pub struct Contents {
    store: LetterStore,
    /// Where it is a folder that is there.
    folder: Option<Folder>,
    files: Files,
    /// Bytes of all letters, as far as is known.
    pub bytes: u64,
}

impl LetterStore {
    /// Where the settings keep dead letters: in a folder, or in the OpenSearch of `connection`.
    /// Connects to nothing; what is asked of an index from then on runs on this runtime, and not on
    /// the threads of it, until `shutdown.abort`.
    ///
    /// # Errors
    ///
    /// When there is no OpenSearch, or its password or CA cannot be read.
    pub fn configured(
        settings: &Settings,
        connection: Option<&opensearch::Settings>,
        owner: index::Owner,
        shutdown: &Shutdown,
    ) -> Result<Option<LetterStore>, LetterStoreError> {
        Ok(match settings {
            Settings::None => None,
            Settings::Disk { path } => Some(LetterStore::Folder(path.clone())),
            Settings::Index { index } => {
                let connection = connection.ok_or(LetterStoreError::NoOpenSearch)?;
                let runtime = tokio::runtime::Handle::current();
                let index = HttpIndex::new(connection, index, owner, runtime, shutdown)?;
                Some(LetterStore::Index(Arc::new(index)))
            }
        })
    }

    /// Looks at what is there. An index that is not there holds none; so does a folder, with
    /// `may_be_missing`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn look(self, may_be_missing: bool) -> Result<Contents, ReadError> {
        match &self {
            LetterStore::Folder(path) => {
                let folder = match folder::open(path) {
                    Err(error) if may_be_missing && error.is_not_there() => None,
                    folder => Some(folder?),
                };
                let files = folder.as_ref().map(folder::files).transpose()?.unwrap_or_default();
                let bytes = files.bytes;
                Ok(Contents { store: self, folder, files, bytes })
            }
            LetterStore::Index(index) => {
                let usage = index.usage().map_err(|why| index::read_error(&**index, why))?;
                let bytes = usage.unwrap_or_default().bytes;
                Ok(Contents { store: self, folder: None, files: Files::default(), bytes })
            }
        }
    }
}

impl Contents {
    /// Where they are.
    pub fn store(&self) -> &LetterStore {
        &self.store
    }

    /// Its letters: all, or those of these ids that are there.
    pub fn letters(&self, ids: Option<&BTreeSet<LetterId>>) -> Letters {
        if let LetterStore::Index(index) = &self.store {
            let ids = ids.map(|ids| ids.iter().copied().collect());
            return Box::new(index::Letters::new(index.clone(), Query { ids, until: None }));
        }
        let Some(folder) = self.folder.clone() else { return Box::new(std::iter::empty()) };
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
                "skipped: {} in {}: the files of dead letters are named by eight digits, \
                 such as 00000001.jsonl",
                text::first(self.files.strangers.iter().map(|name| text::one_line(name, 100)), 10),
                self.store
            )
        })
    }
}
