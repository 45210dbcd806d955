//! Small files that people name: secrets and certificates.
//!
//! Constraint: whatever a name leads to (a folder, a pipe, an endless device), reading it ends soon
//! and takes little memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The whole file, which may have `bytes_max`.
///
/// # Errors
///
/// That it cannot be read, is no regular file, or is larger.
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
    Ok(bytes)
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
}
