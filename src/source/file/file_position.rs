//! How far a followed file was read, in the form in which that is saved: `DEVICE:INODE:OFFSET`.
//! Pure but for looking at the file.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

/// Where reading is in a file: which file it is, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilePosition {
    device: u64,
    inode: u64,
    /// In bytes from the start.
    pub(super) offset: u64,
}

impl FilePosition {
    /// The start of a file.
    pub(super) fn start_of(file: &File) -> io::Result<FilePosition> {
        let metadata = file.metadata()?;
        Ok(FilePosition { device: metadata.dev(), inode: metadata.ino(), offset: 0 })
    }

    /// Reads what was saved; `None` if it is no such position.
    pub(super) fn parse(text: &str) -> Option<FilePosition> {
        let mut numbers = text.split(':').map(|number| number.parse().ok());
        let (device, inode, offset) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(FilePosition { device, inode, offset })
    }

    /// Whether both are in one file.
    pub(super) fn is_in(&self, other: &FilePosition) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// This many bytes before.
    pub(super) fn before(self, bytes: u64) -> FilePosition {
        FilePosition { offset: self.offset.saturating_sub(bytes), ..self }
    }
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.device, self.inode, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_anything_else_is_no_position() {
        let position = FilePosition { device: 1, inode: 2, offset: 3 };
        assert_eq!(FilePosition::parse(&position.to_string()), Some(position));
        for other in ["", "1:2", "1:2:3:4", "1:2:-3", "41"] {
            assert_eq!(FilePosition::parse(other), None, "{other}");
        }
    }
}
