//! The record on disk, beside the spool: `position.json`.
//!
//! Constraint: after a crash at any point the file holds a whole record, this one or the one
//! before; so a new one is written beside it and renamed. Nothing waits for the disk: after a power
//! failure an older mark is as good, only slower, because what it covers was made durable before it
//! was written. Only a rewind must be durable at once.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Record, RecordError};

const NAME: &str = "position.json";

/// What the folder says.
#[derive(Debug)]
pub(crate) enum Saved {
    /// A record.
    Record(Record),
    /// No run has saved anything here.
    Nothing,
    /// Something that cannot be used, and why.
    Unusable(RecordError),
}

/// The folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot keep the position in {path}: {error}: buffer.path must name a folder that weir may \
     write to, or could make, on a disk with room"
)]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub error: io::Error,
}

/// Where records are saved.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Saves `record` in place of the one before, and waits for the disk when `durably`.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the one before is still there.
    fn save(&self, record: &Record, durably: bool) -> Result<(), FileError>;
}

/// A folder that this process owns.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Store for Folder {
    fn save(&self, record: &Record, durably: bool) -> Result<(), FileError> {
        save(&self.0, record, durably)
    }
}

/// What is saved in `folder`.
///
/// # Errors
///
/// When that cannot be found out.
pub(crate) fn load(folder: &Path) -> Result<Saved, FileError> {
    let path = folder.join(NAME);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(match Record::decode(&String::from_utf8_lossy(&bytes)) {
            Ok(record) => Saved::Record(record),
            Err(error) => Saved::Unusable(error),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Saved::Nothing),
        Err(error) => Err(FileError { path, error }),
    }
}

/// Saves `record` in place of the one before. Blocks on the disk's cache, not on the disk, unless
/// `durably`.
///
/// # Errors
///
/// When it cannot be written; the one before is still there.
pub(crate) fn save(folder: &Path, record: &Record, durably: bool) -> Result<(), FileError> {
    let path = folder.join(NAME);
    let new = path.with_extension("json.new");
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(record.encode().as_bytes())?;
        file.write_all(b"\n")?;
        if durably {
            file.sync_all()?;
        }
        std::fs::rename(&new, &path)?;
        if durably {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| FileError { path: path.clone(), error })
}

/// Forgets what is saved. True: there was something.
///
/// # Errors
///
/// When it cannot be removed.
pub(crate) fn remove(folder: &Path) -> Result<bool, FileError> {
    let path = folder.join(NAME);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError { path, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{Identity, Positions};

    fn record(position: &str) -> Record {
        Record::new(Identity::default(), Positions::from([("all".into(), position.into())]))
    }

    #[test]
    fn what_was_saved_last_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load(folder.path()).unwrap(), Saved::Nothing));
        for (position, durably) in [("1", false), ("2", true)] {
            save(folder.path(), &record(position), durably).unwrap();
            let saved = load(folder.path()).unwrap();
            assert!(matches!(saved, Saved::Record(saved) if saved == record(position)));
        }
        assert!(remove(folder.path()).unwrap());
        assert!(!remove(folder.path()).unwrap());
    }

    #[test]
    fn what_a_crash_or_a_person_left_there_is_unusable_and_no_error() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{\"version\":1", "\u{0}\u{0}"] {
            std::fs::write(folder.path().join(NAME), text).unwrap();
            assert!(matches!(load(folder.path()).unwrap(), Saved::Unusable(_)), "{text:?}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = save(&folder.path().join("none"), &record("1"), false).unwrap_err().to_string();
        insta::assert_snapshot!(error.replace(&folder.path().display().to_string(), "FOLDER"), @"cannot keep the position in FOLDER/none/position.json: No such file or directory (os error 2): buffer.path must name a folder that weir may write to, or could make, on a disk with room");
    }
}
