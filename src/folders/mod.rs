//! A folder of data: the spool with its position, and dead letters. Nobody else opens a file there.
//! (The compile cache opens its own in the same way, under a stricter rule.)
//!
//! Constraints:
//!
//! - The folder is opened once, and whatever is done in it is done to that folder, wherever its
//!   name leads by then. A link in its place is refused.
//! - A file is opened by its name in the folder, without following a link, without waiting for
//!   the other end of a pipe, and only if it is a regular file with no other name: what somebody
//!   put there is not followed to what belongs to others.
//! - Who may write to the folder, and to those above it, is checked when it is opened (`owner`); so
//!   is who may change a link on the way to it (`way`).
//!   Owners of files are not compared: a network file system, a restored volume and the
//!   kubelet's `fsGroup` change them.
//!
//! What is in it may hold secrets: a folder that weir makes is 0700, its files 0600. The mode of
//! one that is there is left alone: a volume's root is its provider's, and the kubelet widens our
//! own.

mod lock;
pub(crate) mod mounts;
mod owner;
mod put;
mod way;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, fchmod, fstat, fsync, mkdirat, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;

pub(crate) use self::lock::{LOCK_BYTES, Lock, LockError};
pub(crate) use self::owner::NotOurs;

const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A folder that is open; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    fd: Arc<OwnedFd>,
}

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Others may change what is in it.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// The disk refused.
    #[error("{path}: {error}")]
    Io {
        /// Which folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

/// What lies in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl Folder {
    /// Opens a folder for data, and makes it where it is missing, with those above it, so that a
    /// power failure does not take them away again.
    ///
    /// # Errors
    ///
    /// When that cannot be done, or others may write there.
    pub(crate) fn make(path: &Path) -> Result<Folder, FolderError> {
        let path = &plain(path);
        let failed = at(path);
        way::check(path)?;
        let missing: Vec<&Path> = path.ancestors().take_while(|path| !is_there(path)).collect();
        if let Some(highest) = missing.last() {
            let above = highest.parent().filter(|above| !above.as_os_str().is_empty());
            let above = above.unwrap_or(Path::new("."));
            let mut fd = openat(CWD, above, folder_flags(), Mode::empty())
                .map_err(|error| at(path)(error.into()))?;
            owner::check_above(&fd, above, path)?;
            for made in missing.iter().rev() {
                fd = make_in(fd, made).map_err(&failed)?;
            }
        }
        Folder::open(path)
    }

    /// Opens a folder for data, which is there.
    ///
    /// # Errors
    ///
    /// When that cannot be done, or others may write there.
    pub(crate) fn open(path: &Path) -> Result<Folder, FolderError> {
        let folder = Folder::look(path)?;
        way::check(&folder.path)?;
        owner::check(&folder.fd, &folder.path)?;
        Ok(folder)
    }

    /// Opens a folder of which is read only, whoever it belongs to.
    ///
    /// # Errors
    ///
    /// When that cannot be done.
    pub(crate) fn look(path: &Path) -> Result<Folder, FolderError> {
        let path = plain(path);
        match openat(CWD, &path, folder_flags() | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Folder { path, fd: Arc::new(fd) }),
            Err(Errno::NOTDIR | Errno::LOOP) if path.is_symlink() => {
                let text = "it is a link: name the folder that it leads to";
                Err(at(&path)(io::Error::new(io::ErrorKind::NotADirectory, text)))
            }
            Err(error) => Err(at(&path)(error.into())),
        }
    }

    /// The user it belongs to, and its mode.
    pub(crate) fn owner_and_mode(&self) -> io::Result<(u32, u32)> {
        let found = fstat(&*self.fd)?;
        Ok((found.st_uid, found.st_mode & 0o7777))
    }

    /// Changes its mode.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(fchmod(&*self.fd, Mode::from_raw_mode(mode))?)
    }

    /// How people find it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How people find a file in it.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file, to read.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDONLY)
    }

    /// Reads a whole file, which may have `bytes_max`.
    pub(crate) fn read_small(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(name)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            let text = format!("it is larger than {} KiB", bytes_max >> 10);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(bytes)
    }

    /// Opens a file that is there, to read and write.
    pub(crate) fn write(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDWR)
    }

    /// Opens a file to read and write, and makes it where it is missing.
    pub(crate) fn make_file(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a file to read and append to, and makes it where it is missing.
    pub(crate) fn append(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)
    }

    /// A new, empty file, in place of what had this name. What that was, or led to, stays as it is.
    pub(crate) fn replace(&self, name: &str) -> io::Result<File> {
        match self.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.file(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // Without waiting for who may be at the other end of a pipe.
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let refused = |text: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        let file = match openat(&*self.fd, name, flags, FILE_MODE) {
            Ok(file) => file,
            Err(Errno::LOOP) => {
                return refused("it is a link, and what it leads to is left alone");
            }
            Err(Errno::NXIO) => return refused(NOT_A_FILE),
            Err(error) => return Err(error.into()),
        };
        let found = fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return refused(NOT_A_FILE);
        }
        if found.st_nlink > 1 {
            return refused("it has another name elsewhere (a hard link): copy it, and remove it");
        }
        Ok(file.into())
    }

    /// Whether a file that was opened by this name is still what has it.
    pub(crate) fn is_still(&self, name: &str, file: &File) -> bool {
        let there = statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        match (there, fstat(file)) {
            (Ok(there), Ok(here)) => (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino),
            _ => false,
        }
    }

    /// Whether there is something of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The regular files in it whose names are text, in no order.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(&*self.fd)? {
            let Ok(name) = entry?.file_name().to_owned().into_string() else { continue };
            match statat(&*self.fd, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile => {
                    // A size is never negative.
                    entries.push(Entry { name, bytes: found.st_size.max(0) as u64 });
                }
                // Removed since, or nothing that is read.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(entries)
    }

    /// Gives a file another name, in place of what had that.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&*self.fd, from, &*self.fd, to)?)
    }

    /// Removes a name. Those who have the file open can go on using it.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Makes names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(fsync(&*self.fd)?)
    }
}

const NOT_A_FILE: &str = "it is no file, but a folder, a pipe or a device";

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// Without a slash or a dot at the end: with one, a link would be followed.
fn plain(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

fn is_there(path: &Path) -> bool {
    // Of a relative path, the last ancestor is the folder of this process.
    path.as_os_str().is_empty() || path.symlink_metadata().is_ok()
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |error| FolderError::Io { path: path.clone(), error }
}

/// Makes the last folder of `path` in the one above it, durably.
fn make_in(above: OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    match mkdirat(&above, name, FOLDER_MODE) {
        // Another process was faster: who may write there is looked at when it is opened.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    fsync(&above)?;
    Ok(openat(&above, name, folder_flags() | OFlags::NOFOLLOW, Mode::empty())?)
}

#[cfg(test)]
mod tests;
