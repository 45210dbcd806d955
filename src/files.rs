//! Small files of text that people name: secrets and certificates; and whether one has been
//! replaced.
//!
//! Constraint: whatever a name leads to (a folder, a pipe, an endless device), reading it ends soon
//! and takes little memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use crate::form;

/// The whole file, which may have `bytes_max`, without a byte-order mark.
///
/// # Errors
///
/// That it cannot be read, is no regular file, is larger, or is UTF-16 or compressed.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {} KiB", bytes_max >> 10)));
    }
    form::utf8(bytes)
}

/// Opens a regular file to read, or what a link of this name leads to.
///
/// # Errors
///
/// That it cannot be opened, or is something else.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Without waiting for who may be at the other end of a pipe. What is looked at is what is open,
    // whatever has its name by then.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A socket.
        Err(Errno::NXIO) => return Err(io::Error::other(NO_FILE)),
        Err(error) => return Err(error.into()),
    };
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::Error::other("it is a folder")),
        _ => Err(io::Error::other(NO_FILE)),
    }
}

const NO_FILE: &str = "it is a pipe or a device, and it must be a file that can be read again";

/// Takes a file or a folder for this process, if no other has it.
///
/// # Errors
///
/// `WOULDBLOCK`: another one has it. Any other: it cannot be locked.
pub(crate) fn lock(file: impl AsFd) -> rustix::io::Result<()> {
    // What this process had open is open in a child that it starts, until the child's program runs:
    // a lock that was given up a moment ago may still be held there.
    for _ in 0..LOCK_TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::park_timeout(LOCK_PAUSE),
            taken => return taken,
        }
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)
}

const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Files that something was made of, as they were then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Vec<(PathBuf, Option<Stamp>)>);

/// By what a file is known to be another one: device, inode, size, and when it was written.
type Stamp = (u64, u64, u64, i64, i64);

impl Watched {
    /// These files as they are now. To be asked for before they are read: what changes meanwhile is
    /// then seen later.
    pub(crate) fn new(files: impl IntoIterator<Item = PathBuf>) -> Watched {
        let mut watched = Watched::default();
        files.into_iter().for_each(|file| watched.add(file));
        watched
    }

    /// One more, as it is now.
    pub(crate) fn add(&mut self, path: PathBuf) {
        let stamp = stamp(&path);
        self.0.push((path, stamp));
    }

    /// Whether one of them is another one now, or came or went.
    pub(crate) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, then)| stamp(path) != *then)
    }
}

/// A link is followed: that is how mounted secrets are replaced.
fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_the_size_allowed_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, vec![b'x'; 2048]).unwrap();
        assert_eq!(read_small(&file, 2048).unwrap().len(), 2048);
        let said = |path: &Path| read_small(path, 2047).unwrap_err().to_string();
        assert_eq!(said(&file), "it is larger than 1 KiB");
        assert_eq!(said(folder.path()), "it is a folder");
        assert!(said(Path::new("/dev/zero")).starts_with("it is a pipe or a device"));
        assert!(said(&folder.path().join("none")).starts_with("No such file"));
        let (pipe, socket) = (folder.path().join("pipe"), folder.path().join("socket"));
        rustix::fs::mkfifoat(CWD, &pipe, 0o600.into()).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!((said(&pipe).as_str(), said(&socket).as_str()), (NO_FILE, NO_FILE));
    }

    /// Both names are in turn a file's and a pipe's: there is no moment between looking and opening
    /// at which a pipe makes anybody wait.
    #[test]
    fn a_pipe_that_takes_the_place_of_a_file_while_it_is_opened_makes_nobody_wait() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "text").unwrap();
        rustix::fs::mkfifoat(CWD, &other, 0o600.into()).unwrap();
        let (done, is_done) = std::sync::mpsc::sync_channel(1);
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let path = one.clone();
            std::thread::spawn(move || {
                for _ in 0..20_000 {
                    let _ = read_small(&path, 10);
                }
                done.send(())
            });
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    rustix::fs::renameat_with(CWD, &one, CWD, &other, flags).unwrap();
                }
            });
            let ended = is_done.recv_timeout(std::time::Duration::from_secs(60));
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            ended.expect("it waits for a writer");
        });
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_any_other_form_of_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"\xef\xbb\xbfsecret").unwrap();
        assert_eq!(read_small(&file, 99).unwrap(), b"secret");
        fs::write(&file, b"\xff\xfes\0").unwrap();
        assert_eq!(
            read_small(&file, 99).unwrap_err().to_string(),
            "it is UTF-16: save it as UTF-8"
        );
    }

    #[test]
    fn a_file_that_is_written_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let watched = || Watched::new([link.clone()]);
        let before = watched();
        assert!(!before.have_changed());
        fs::write(&file, "one").unwrap();
        assert!(before.have_changed());
        let before = watched();
        assert!(!before.have_changed());
        fs::write(folder.path().join("new"), "two").unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert!(before.have_changed());
        let before = watched();
        fs::remove_file(&file).unwrap();
        assert!(before.have_changed());
    }
}
