//! A real folder as a [`Disk`].

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Disk, DiskFile, IoError, OpenError};

const LOCK_NAME: &str = "lock";
/// A process number and a line break, of one width: it is written over another one without needing
/// room on a full disk.
pub(super) const LOCK_BYTES: u64 = 11;

/// A folder on a real disk.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open.
    lock: Option<File>,
}

impl Folder {
    /// Nothing is opened yet.
    pub(crate) fn new(path: &Path) -> Folder {
        Folder { path: path.to_owned(), lock: None }
    }
}

impl Disk for Folder {
    type File = File;

    fn lock(&mut self) -> Result<(), OpenError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| IoError { path, error }
        };
        crate::folders::make(&self.path).map_err(failed(&self.path))?;
        let path = self.path.join(LOCK_NAME);
        let mut file = options().create(true).truncate(false).open(&path).map_err(failed(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = holder(&mut file, &path);
                return Err(OpenError::Locked { path: self.path.clone(), holder });
            }
            Err(error) => return Err(failed(&path)(error.into()).into()),
        }
        // The lock holds without it, and a full disk must not keep anyone from draining it.
        match DiskFile::write_at(&file, format!("{:>10}\n", std::process::id()).as_bytes(), 0) {
            Err(error) if error.kind() != ErrorKind::StorageFull => {
                Err(failed(&path)(error).into())
            }
            _ => {
                self.lock = Some(file);
                Ok(())
            }
        }
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                files.push((name, entry.metadata()?.len()));
            }
        }
        Ok(files)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        options().create(true).truncate(true).open(self.path.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        options().open(self.path.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Who has locked the file, as far as it says.
fn holder(file: &mut File, path: &Path) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        // It has the lock, and has not come to write its number yet.
        _ => format!("`fuser {}` shows which", path.display()),
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
