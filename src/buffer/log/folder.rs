//! A real folder as a [`Disk`].

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::{Disk, DiskFile, IoError, OpenError};
use crate::folders::{self, LockError};

/// What the lock's file takes.
pub(super) const LOCK_BYTES: u64 = folders::LOCK_BYTES;

/// A folder on a real disk.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: folders::Folder,
    /// Locked as long as it is open.
    lock: Option<folders::Lock>,
}

impl Folder {
    /// Not locked yet.
    pub(crate) fn new(folder: folders::Folder) -> Folder {
        Folder { folder, lock: None }
    }
}

impl Disk for Folder {
    type File = File;

    fn lock(&mut self) -> Result<(), OpenError> {
        match self.folder.lock() {
            Ok(lock) => {
                self.lock = Some(lock);
                Ok(())
            }
            Err(LockError::Held(holder)) => {
                Err(OpenError::Locked { path: self.folder.path().to_owned(), holder })
            }
            Err(LockError::Io(error)) => {
                Err(IoError { path: self.folder.lock_path(), error }.into())
            }
        }
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let entries = self.folder.entries()?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.bytes)).collect())
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.folder.replace(name)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        self.folder.write(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.folder.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path_of(name)
    }
}

impl DiskFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
