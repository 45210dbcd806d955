//! The record on disk, beside the spool: `position.json`.
//!
//! Constraint: after a crash at any point the file holds a whole record, this one or the one
//! before; so a new one is written beside it and renamed. Nothing waits for the disk: after a power
//! failure an older mark is as good, only slower, because what it covers was made durable before it
//! was written. Only a rewind must be durable at once.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use super::{Record, RecordError};
use crate::folders::Folder;

const NAME: &str = "position.json";
/// What is written beside it, to take its place.
const NEW_NAME: &str = "position.json.new";
/// A mark of each of some ten thousand namespaces: what is larger is another file.
const BYTES_MAX: u64 = 4 << 20;

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
#[error("cannot keep the position in {path}: {error}: {}", advice(.error))]
pub struct FileError {
    /// Which file.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub error: io::Error,
}

/// What a person can do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::FileTooLarge => "weir writes no such position: move it away",
        _ => {
            "buffer.path must name a folder that weir may write to, or could make, on a disk with \
             room"
        }
    }
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

/// One that this process owns.
impl Store for Folder {
    fn save(&self, record: &Record, durably: bool) -> Result<(), FileError> {
        save(self, record, durably)
    }
}

/// What is saved in `folder`.
///
/// # Errors
///
/// When that cannot be found out.
pub(crate) fn load(folder: &Folder) -> Result<Saved, FileError> {
    match folder.read_small(NAME, BYTES_MAX) {
        Ok(bytes) => Ok(match Record::decode(&String::from_utf8_lossy(&bytes)) {
            Ok(record) => Saved::Record(record),
            Err(error) => Saved::Unusable(error),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Saved::Nothing),
        Err(error) => Err(FileError { path: folder.path_of(NAME), error }),
    }
}

/// Saves `record` in place of the one before. Blocks on the disk's cache, not on the disk, unless
/// `durably`.
///
/// # Errors
///
/// When it cannot be written; the one before is still there.
pub(crate) fn save(folder: &Folder, record: &Record, durably: bool) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        let mut file = folder.replace(NEW_NAME)?;
        file.write_all(record.encode().as_bytes())?;
        file.write_all(b"\n")?;
        if durably {
            file.sync_all()?;
        }
        folder.rename(NEW_NAME, NAME)?;
        if durably {
            folder.sync()?;
        }
        Ok(())
    };
    write().map_err(|error| FileError { path: folder.path_of(NAME), error })
}

/// Forgets what is saved. True: there was something.
///
/// # Errors
///
/// When it cannot be removed.
pub(crate) fn remove(folder: &Folder) -> Result<bool, FileError> {
    match folder.remove(NAME) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError { path: folder.path_of(NAME), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{Identity, Positions};

    fn record(position: &str) -> Record {
        Record::new(Identity::default(), Positions::from([("all".into(), position.into())]))
    }

    fn folder() -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        (temporary, folder)
    }

    #[test]
    fn what_was_saved_last_is_loaded() {
        let (_temporary, folder) = folder();
        assert!(matches!(load(&folder).unwrap(), Saved::Nothing));
        for (position, durably) in [("1", false), ("2", true)] {
            save(&folder, &record(position), durably).unwrap();
            let saved = load(&folder).unwrap();
            assert!(matches!(saved, Saved::Record(saved) if saved == record(position)));
        }
        assert!(remove(&folder).unwrap());
        assert!(!remove(&folder).unwrap());
    }

    #[test]
    fn what_a_crash_or_a_person_left_there_is_unusable_and_no_error() {
        let (temporary, folder) = folder();
        for text in ["", "{\"version\":1", "\u{0}\u{0}"] {
            std::fs::write(temporary.path().join(NAME), text).unwrap();
            assert!(matches!(load(&folder).unwrap(), Saved::Unusable(_)), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_position_is_an_error_and_not_read_for_ever() {
        let (temporary, folder) = folder();
        let said = || {
            let error = load(&folder).unwrap_err().to_string();
            error.replace(&temporary.path().display().to_string(), "FOLDER")
        };
        let path = temporary.path().join(NAME);
        std::fs::File::create(&path).unwrap().set_len(BYTES_MAX + 1).unwrap();
        insta::assert_snapshot!(said(), @"cannot keep the position in FOLDER/position.json: it is larger than 4096 KiB: weir writes no such position: move it away");
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        insta::assert_snapshot!(said(), @"cannot keep the position in FOLDER/position.json: it is no file, but a folder, a pipe or a device: buffer.path must name a folder that weir may write to, or could make, on a disk with room");
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_that_says_what_to_do() {
        let (temporary, folder) = folder();
        let path = temporary.path().display().to_string();
        drop(temporary);
        let error = save(&folder, &record("1"), false).unwrap_err().to_string();
        insta::assert_snapshot!(error.replace(&path, "FOLDER"), @"cannot keep the position in FOLDER/position.json: No such file or directory (os error 2): buffer.path must name a folder that weir may write to, or could make, on a disk with room");
    }
}
