//! Files that are written whole or not at all: under a name of their own first, and renamed. So who
//! reads them never sees half of one.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::Folder;

/// Of a file that is being written, behind a name of its own.
const TEMPORARY: &str = ".tmp";

impl Folder {
    /// Writes a file, in place of what had this name.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{}-{number}{TEMPORARY}", std::process::id());
        let write = || {
            let mut file = self.replace(&temporary)?;
            // Whoever tidies up meanwhile leaves it alone.
            flock(&file, FlockOperation::LockExclusive)?;
            file.write_all(content)?;
            self.rename(&temporary, name)
        };
        write().inspect_err(|_| {
            // Left behind it would only take room.
            let _ = self.remove(&temporary);
        })
    }

    /// Removes what a process left that was killed while it wrote.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        self.remove_all(|name| {
            let is_ended =
                |file: File| flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
            name.ends_with(TEMPORARY) && self.read(name).is_ok_and(is_ended)
        })
    }

    /// Removes the files of these names.
    pub(crate) fn remove_all(&self, is_to_go: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in self.entries()? {
            if is_to_go(&entry.name) {
                match self.remove(&entry.name) {
                    // Another process tidies up, too.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
