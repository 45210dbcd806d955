//! Where reading is in a followed file, as it is saved: `DEVICE:INODE:OFFSET`. Pure but for looking
//! at the file.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    device: u64,
    inode: u64,
    /// In bytes from the start.
    pub(super) offset: u64,
}

impl Place {
    /// The start of a file.
    pub(super) fn start_of(file: &File) -> io::Result<Place> {
        let metadata = file.metadata()?;
        Ok(Place { device: metadata.dev(), inode: metadata.ino(), offset: 0 })
    }

    /// What was saved; `None` when it is no place.
    pub(super) fn parse(text: &str) -> Option<Place> {
        let mut numbers = text.split(':').map(|number| number.parse().ok());
        let (device, inode, offset) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Place { device, inode, offset })
    }

    /// Whether both are in one file.
    pub(super) fn is_in(&self, other: &Place) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// So many bytes before.
    pub(super) fn before(self, bytes: u64) -> Place {
        Place { offset: self.offset.saturating_sub(bytes), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.device, self.inode, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_anything_else_is_no_place() {
        let place = Place { device: 1, inode: 2, offset: 3 };
        assert_eq!(Place::parse(&place.to_string()), Some(place));
        for other in ["", "1:2", "1:2:3:4", "1:2:-3", "41"] {
            assert_eq!(Place::parse(other), None, "{other}");
        }
    }
}
