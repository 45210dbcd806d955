//! Small files of text that people name: secrets and certificates; and whether one has been
//! replaced.
//!
//! Constraint: whatever a name leads to (a folder, a pipe, an endless device), reading it ends soon
//! and takes little memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::form;

/// The whole file, which may have `bytes_max`, without a byte-order mark.
///
/// # Errors
///
/// That it cannot be read, is no regular file, is larger, or is UTF-16 or compressed.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe waits for somebody to write to it. (A link is
    // followed.)
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    if !kind.is_file() {
        return Err(io::Error::other(
            "it is a pipe or a device, and it must be a file that can be read again",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {} KiB", bytes_max >> 10)));
    }
    form::utf8(bytes)
}

/// Files that something was made of, as they were then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Vec<(PathBuf, Option<Stamp>)>);

/// By what a file is known to be another one: device, inode, size, and when it was written.
type Stamp = (u64, u64, u64, i64, i64);

impl Watched {
    /// These files as they are now. To be asked for before they are read: what changes meanwhile is
    /// then seen later.
    pub(crate) fn new(files: impl IntoIterator<Item = PathBuf>) -> Watched {
        let with_stamp = |path: PathBuf| {
            let stamp = stamp(&path);
            (path, stamp)
        };
        Watched(files.into_iter().map(with_stamp).collect())
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
