//! The lock of a folder: one process has it, and whoever asks is told which.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use rustix::fs::{FlockOperation, flock};

use super::Folder;
use crate::text::shell_word;

const NAME: &str = "lock";
/// A process number and a line break, of one width: it is written over another one without needing
/// room on a full disk.
pub(crate) const LOCK_BYTES: u64 = 11;

/// Why a folder is not this process's.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it: who, as far as is known.
    Held(String),
    /// The lock's file cannot be used.
    Io(io::Error),
}

impl Folder {
    /// Takes the folder for this process, as long as the answer is open.
    pub(crate) fn lock(&self) -> Result<File, LockError> {
        let mut file = self.make_file(NAME).map_err(LockError::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::Held(self.holder(&mut file)));
            }
            Err(error) => return Err(LockError::Io(error.into())),
        }
        // The lock holds without it, and a full disk must not keep anyone from draining it.
        match file.write_all_at(format!("{:>10}\n", std::process::id()).as_bytes(), 0) {
            Err(error) if error.kind() != ErrorKind::StorageFull => Err(LockError::Io(error)),
            _ => Ok(file),
        }
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
