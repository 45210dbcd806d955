//! The lock of a folder: one process has it, and whoever asks is told which.
//!
//! It is held on a file, which says who has it, and on the folder itself: somebody who wonders
//! about the file may remove it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::Folder;
use crate::files;
use crate::text::shell_word;

const NAME: &str = "lock";
/// A process number and a line break, of one width: it is written over another one without needing
/// room on a full disk.
pub(crate) const LOCK_BYTES: u64 = 11;

/// How often a file is opened that others remove meanwhile.
const TRIES: usize = 10;

/// A folder is this process's, as long as this is there.
#[derive(Debug)]
pub(crate) struct Lock {
    _folder: OwnedFd,
    _file: File,
}

/// Why a folder is not this process's.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it: who, as far as is known.
    Held(String),
    /// The lock's file cannot be used.
    Io(io::Error),
}

impl Folder {
    /// Takes the folder for this process.
    pub(crate) fn lock(&self) -> Result<Lock, LockError> {
        let mut file = self.lock_file()?;
        // Opened for this: what holds it is the opening, of which there is one for all clones.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(&*self.fd, ".", flags, Mode::empty());
        let folder = folder.map_err(|error| LockError::Io(error.into()))?;
        // Any other error is one of a network file system that locks no folders.
        if files::lock(&folder) == Err(Errno::WOULDBLOCK) {
            return Err(LockError::Held(self.holder(&mut file)));
        }
        // The lock holds without it, and a full disk must not keep anyone from draining it.
        match file.write_all_at(format!("{:>10}\n", std::process::id()).as_bytes(), 0) {
            Err(error) if error.kind() != ErrorKind::StorageFull => Err(LockError::Io(error)),
            _ => Ok(Lock { _folder: folder, _file: file }),
        }
    }

    /// The lock's file, which this process has from now on.
    pub(super) fn lock_file(&self) -> Result<File, LockError> {
        for _ in 0..TRIES {
            let mut file = self.make_file(NAME).map_err(LockError::Io)?;
            match files::lock(&file) {
                Ok(()) if self.is_still(NAME, &file) => return Ok(file),
                // It was removed after it was opened: others open another one.
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(LockError::Held(self.holder(&mut file))),
                Err(error) => return Err(LockError::Io(error.into())),
            }
        }
        Err(LockError::Io(io::Error::other("others remove it again and again")))
    }

    /// How people find the lock's file.
    pub(crate) fn lock_path(&self) -> std::path::PathBuf {
        self.path_of(NAME)
    }

    /// Who has locked the file, as far as it says.
    fn holder(&self, file: &mut File) -> String {
        let mut text = String::new();
        match file.take(LOCK_BYTES).read_to_string(&mut text) {
            Ok(_) if !text.trim().is_empty() => {
                format!("process {}", text.trim().escape_default())
            }
            // It has the lock, and has not come to write its number yet.
            _ => {
                let path = self.lock_path().display().to_string();
                format!("`fuser {}` shows which", shell_word(&path))
            }
        }
    }
}
