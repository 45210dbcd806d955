//! The folder of dead letters as its owner has it: one lock, and a file that only grows.
//!
//! Constraint: the kernel reports a failed fsync once, and what it concerned may be [gone from the
//! cache][errors] as well. So lines are kept until they are durable, and after a failure they are
//! written again, to another file.
//!
//! [errors]: https://wiki.postgresql.org/wiki/Fsync_Errors

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::DeadLetterError;
use super::folder::{look, path};

/// A file that has reached this size is followed by a new one, so that what was dealt with can be
/// removed.
const FILE_BYTES_MAX: u64 = 16 << 20;
const LOCK_NAME: &str = "lock";

#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    bytes_max: u64,
    /// Of all files. Looked up again before a letter is refused: somebody may have made room.
    bytes: u64,
    number: u64,
    pub(super) file: File,
    path: PathBuf,
    file_bytes: u64,
    line: Vec<u8>,
    /// Lines that no fsync has made durable yet.
    unsynced: Vec<u8>,
    /// An fsync of the file has failed, or of the folder since the file was made.
    is_suspect: bool,
    /// Locked as long as it is open.
    _lock: File,
}

impl Store {
    pub(super) fn open(folder: &Path, bytes_max: u64) -> Result<Store, DeadLetterError> {
        let failed = at(folder);
        crate::folders::make(folder).map_err(&failed)?;
        let lock = lock(folder)?;
        let files = look(folder).map_err(&failed)?;
        let number = files.numbers.last().copied().unwrap_or(1);
        let path = path(folder, number);
        let mut file = append_to(&path).map_err(at(&path))?;
        cut_torn_line(&path, &mut file).map_err(at(&path))?;
        let file_bytes = file.metadata().map_err(at(&path))?.len();
        // A file that was just made must be found again after a power failure.
        File::open(folder).and_then(|dir| dir.sync_all()).map_err(&failed)?;
        let bytes = files.bytes;
        Ok(Store {
            folder: folder.to_owned(),
            bytes_max,
            bytes,
            number,
            file,
            path,
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
            return Err(at(&self.path)(error));
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
        let mut numbers = look(&self.folder).map_err(at(&self.folder))?.numbers;
        numbers.retain(|number| *number < self.number);
        Ok(numbers)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes everything that was appended durable.
    pub(super) fn sync(&mut self) -> Result<(), DeadLetterError> {
        self.leave_suspect_file()?;
        if let Err(error) = self.file.sync_data() {
            self.is_suspect = true;
            return Err(at(&self.path)(error));
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
            return Err(at(&self.path)(error));
        }
        self.count(self.unsynced.len() as u64);
        Ok(())
    }

    fn make_sure_of_room(&mut self, bytes: u64) -> Result<(), DeadLetterError> {
        if self.bytes + bytes <= self.bytes_max {
            return Ok(());
        }
        self.bytes = look(&self.folder).map_err(at(&self.folder))?.bytes;
        if self.bytes + bytes <= self.bytes_max {
            return Ok(());
        }
        Err(DeadLetterError::Full {
            path: self.folder.clone(),
            bytes: self.bytes,
            bytes_max: self.bytes_max,
        })
    }

    /// Whether somebody moved or removed the file: what is written to a removed one is lost.
    fn was_moved(&self) -> bool {
        let same = |there: Metadata, here: Metadata| {
            there.ino() == here.ino() && there.dev() == here.dev()
        };
        match (std::fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(here)) => !same(there, here),
            _ => true,
        }
    }

    fn next_file(&mut self) -> Result<(), DeadLetterError> {
        self.sync()?;
        self.open_next_file()
    }

    fn open_next_file(&mut self) -> Result<(), DeadLetterError> {
        self.is_suspect = true;
        self.number += 1;
        self.path = path(&self.folder, self.number);
        self.file = append_to(&self.path).map_err(at(&self.path))?;
        // Somebody may have put one there.
        self.file_bytes = self.file.metadata().map_err(at(&self.path))?.len();
        File::open(&self.folder).and_then(|dir| dir.sync_all()).map_err(at(&self.folder))?;
        self.is_suspect = false;
        Ok(())
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> DeadLetterError + use<> {
    let path = path.to_owned();
    move |error| DeadLetterError::Io { path: path.clone(), error }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)
}

fn lock(folder: &Path) -> Result<File, DeadLetterError> {
    let path = folder.join(LOCK_NAME);
    let failed = at(&path);
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path);
    let mut file = open.map_err(&failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            file.set_len(0).map_err(&failed)?;
            writeln!(file, "{}", std::process::id()).map_err(&failed)?;
            Ok(file)
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let holder = match file.read_to_string(&mut text) {
                Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
                // It has the lock, and has not come to write its number yet.
                _ => format!("`fuser {}` shows which", path.display()),
            };
            Err(DeadLetterError::Locked { path: folder.to_owned(), holder })
        }
        Err(error) => Err(failed(error.into())),
    }
}

/// Moves a last line without its line break into `FILE.torn`: nobody was told that it was written.
fn cut_torn_line(path: &Path, file: &mut File) -> io::Result<()> {
    let Some(whole) = crate::lines::whole_lines_bytes(file)? else { return Ok(()) };
    let mut torn = Vec::new();
    crate::lines::read_from(file, whole, &mut torn)?;
    let aside = path.with_extension("torn");
    OpenOptions::new().create(true).append(true).mode(0o600).open(&aside)?.write_all(&torn)?;
    file.set_len(whole)?;
    file.sync_data()?;
    tracing::warn!(
        path = %path.display(),
        bytes = torn.len(),
        moved_to = %aside.display(),
        "the last dead letter was torn by a crash before it was acknowledged: moved aside"
    );
    Ok(())
}
