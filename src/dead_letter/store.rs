//! The folder of dead letters as its owner has it: one lock, and a file that only grows.
//!
//! Constraint: the kernel reports a failed fsync once, and what it concerned may be [gone from the
//! cache][errors] as well. So lines are kept until they are durable, and after a failure they are
//! written again, to another file.
//!
//! [errors]: https://wiki.postgresql.org/wiki/Fsync_Errors

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::error::DeadLetterError;
use super::folder::{self, LINE_BYTES_MAX, file_name, look};
use crate::folders::{Folder, Lock, LockError};

/// A file that has reached this size is followed by a new one, so that what was dealt with can be
/// removed.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// What may be written to it before it is followed, and far more: all of it is looked through for
/// the last line break.
const FILE_BYTES_POSSIBLE: u64 = 2 << 30;

#[derive(Debug)]
pub(super) struct Store {
    folder: Folder,
    bytes_max: u64,
    /// Of all files. Looked up again before a letter is refused: somebody may have made room.
    bytes: u64,
    number: u64,
    pub(super) file: File,
    name: String,
    file_bytes: u64,
    line: Vec<u8>,
    /// Lines that no fsync has made durable yet.
    unsynced: Vec<u8>,
    /// An fsync of the file has failed, or of the folder since the file was made.
    is_suspect: bool,
    /// Locked as long as it is open.
    _lock: Lock,
}

impl Store {
    pub(super) fn open(folder: &Path, bytes_max: u64) -> Result<Store, DeadLetterError> {
        let folder = Folder::make(folder)?;
        let failed = at(folder.path());
        let lock = lock(&folder)?;
        let files = look(&folder).map_err(&failed)?;
        let number = files.numbers.last().copied().unwrap_or(1);
        let name = file_name(number);
        let failed_there = at(&folder.path_of(&name));
        let mut file = folder.append(&name).map_err(&failed_there)?;
        if file.metadata().map_err(&failed_there)?.len() > FILE_BYTES_POSSIBLE {
            let text = "it is larger than weir writes one: move it away";
            return Err(failed_there(io::Error::new(io::ErrorKind::FileTooLarge, text)));
        }
        cut_torn_line(&folder, &name, &mut file).map_err(&failed_there)?;
        let file_bytes = file.metadata().map_err(&failed_there)?.len();
        // A file that was just made must be found again after a power failure.
        folder.sync().map_err(&failed)?;
        let bytes = files.bytes;
        Ok(Store {
            folder,
            bytes_max,
            bytes,
            number,
            file,
            name,
            file_bytes,
            line: Vec::new(),
            unsynced: Vec::new(),
            is_suspect: false,
            _lock: lock,
        })
    }

    /// Appends one line. It is durable after [`Store::sync`].
    pub(super) fn append(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), DeadLetterError> {
        self.append_after(encode, || {})
    }

    /// The same, with something that happens just before the line is written.
    pub(super) fn append_after(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>),
        meanwhile: impl FnOnce(),
    ) -> Result<(), DeadLetterError> {
        self.line.clear();
        encode(&mut self.line);
        self.make_sure_of_room(self.line.len() as u64)?;
        self.leave_suspect_file()?;
        if self.file_bytes >= FILE_BYTES_MAX || self.was_moved() {
            self.next_file()?;
        }
        meanwhile();
        self.write_line()?;
        if self.was_moved() {
            // Whoever moved it just now, to replay it perhaps, may have read it before this line
            // was in it.
            self.next_file()?;
            self.write_line()?;
        }
        Ok(())
    }

    fn write_line(&mut self) -> Result<(), DeadLetterError> {
        if let Err(error) = self.file.write_all(&self.line) {
            // Half a line would swallow the next one.
            let _ = self.file.set_len(self.file_bytes);
            return Err(self.at_file()(error));
        }
        self.unsynced.extend_from_slice(&self.line);
        self.count(self.line.len() as u64);
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.file_bytes += bytes;
    }

    /// Answers the numbers of the files with letters that are there now; what is appended from here
    /// on goes into others. It may take as much room again as the bound is: each letter that
    /// comes takes the place of one that then goes.
    pub(super) fn begin_replay(&mut self) -> Result<Vec<u64>, DeadLetterError> {
        if self.file_bytes > 0 {
            self.next_file()?;
        }
        self.bytes_max = self.bytes_max.saturating_mul(2);
        let mut numbers = look(&self.folder).map_err(at(self.folder.path()))?.numbers;
        numbers.retain(|number| *number < self.number);
        Ok(numbers)
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Makes everything that was appended durable.
    pub(super) fn sync(&mut self) -> Result<(), DeadLetterError> {
        self.leave_suspect_file()?;
        if let Err(error) = self.file.sync_data() {
            self.is_suspect = true;
            return Err(self.at_file()(error));
        }
        self.unsynced.clear();
        Ok(())
    }

    /// Writes what may be lost to another file, where it may then be for the second time.
    fn leave_suspect_file(&mut self) -> Result<(), DeadLetterError> {
        if !self.is_suspect {
            return Ok(());
        }
        self.open_next_file()?;
        if let Err(error) = self.file.write_all(&self.unsynced) {
            self.is_suspect = true;
            let _ = self.file.set_len(self.file_bytes);
            return Err(self.at_file()(error));
        }
        self.count(self.unsynced.len() as u64);
        Ok(())
    }

    fn make_sure_of_room(&mut self, bytes: u64) -> Result<(), DeadLetterError> {
        let is_room = |there: u64| there.saturating_add(bytes) <= self.bytes_max;
        if is_room(self.bytes) {
            return Ok(());
        }
        self.bytes = look(&self.folder).map_err(at(self.folder.path()))?.bytes;
        if is_room(self.bytes) {
            return Ok(());
        }
        Err(DeadLetterError::Full {
            path: self.folder.path().to_owned(),
            bytes: self.bytes,
            bytes_max: self.bytes_max,
        })
    }

    /// Whether somebody moved or removed the file: what is written to a removed one is lost.
    fn was_moved(&self) -> bool {
        !self.folder.is_still(&self.name, &self.file)
    }

    fn at_file(&self) -> impl Fn(io::Error) -> DeadLetterError + use<> {
        at(&self.folder.path_of(&self.name))
    }

    fn next_file(&mut self) -> Result<(), DeadLetterError> {
        self.sync()?;
        self.open_next_file()
    }

    fn open_next_file(&mut self) -> Result<(), DeadLetterError> {
        self.is_suspect = true;
        self.number += 1;
        self.name = file_name(self.number);
        self.file = self.folder.append(&self.name).map_err(self.at_file())?;
        // Somebody may have put one there.
        self.file_bytes = self.file.metadata().map_err(self.at_file())?.len();
        self.folder.sync().map_err(at(self.folder.path()))?;
        self.is_suspect = false;
        Ok(())
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> DeadLetterError + use<> {
    let path = path.to_owned();
    move |error| DeadLetterError::Io { path: path.clone(), error }
}

fn lock(folder: &Folder) -> Result<Lock, DeadLetterError> {
    folder.lock().map_err(|error| match error {
        LockError::Held(holder) => {
            DeadLetterError::Locked { path: folder.path().to_owned(), holder }
        }
        LockError::Io(error) => at(&folder.lock_path())(error),
    })
}

/// Moves a last line without its line break into `FILE.torn`: nobody was told that it was written.
fn cut_torn_line(folder: &Folder, name: &str, file: &mut File) -> io::Result<()> {
    let Some(whole) = crate::lines::whole_lines_bytes(file)? else { return Ok(()) };
    if file.metadata()?.len() - whole > LINE_BYTES_MAX {
        let text = "its last line is longer than weir writes one: move it away";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let mut torn = Vec::new();
    crate::lines::read_from(file, whole, &mut torn)?;
    let aside = folder::with_extension(name, "torn");
    folder.append(&aside)?.write_all(&torn)?;
    file.set_len(whole)?;
    file.sync_data()?;
    tracing::warn!(
        path = %folder.path_of(name).display(),
        bytes = torn.len(),
        moved_to = %folder.path_of(&aside).display(),
        "the last dead letter was torn by a crash before it was acknowledged: moved aside"
    );
    Ok(())
}
