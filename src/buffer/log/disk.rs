//! What the log needs of a disk, so that a simulated one can take its place.
//!
//! Constraint: nothing written is durable before its file is synced, and no new or removed name
//! before the folder is.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

use super::OpenError;

/// One folder of files.
pub(crate) trait Disk: Debug {
    /// An open file.
    type File: DiskFile;

    /// Takes the folder for this process until this is dropped; makes it where it is missing.
    fn lock(&mut self) -> Result<(), OpenError>;

    /// The names of the files in it and their sizes in bytes, in no order.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// A new, empty file, in place of one that had this name.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// A file that is there, to read and write.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Removes a file. Those who have it open can go on using it.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable.
    fn sync_folder(&self) -> io::Result<()>;

    /// How people find a file, for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// An open file.
pub(crate) trait DiskFile: Debug {
    /// Reads until `buffer` is full or the file ends; how much it was.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of it; after an error any part of it may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file smaller.
    fn truncate(&self, bytes: u64) -> io::Result<()>;

    /// Makes its contents and size durable.
    fn sync(&self) -> io::Result<()>;
}

impl<F: DiskFile> DiskFile for &F {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (**self).write_at(bytes, offset)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        (**self).truncate(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }
}
