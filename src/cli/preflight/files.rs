//! The files of a file source and of a file sink.
//!
//! Constraints: nothing is opened or created. Opening a FIFO and closing it again would take the
//! reader away from its writer, and `check` writes nothing.
//!
//! A file that is missing now is an error, even if it is to be followed: a run would fail at once,
//! and a missing file is more often a misspelt path than one that comes later. What cannot be seen
//! from outside (a full disk, a file that another weir is writing) is left for the run to report.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::config::{Diagnostic, Reference, References, SAME_FILE};
use crate::{sink, source};

/// A source's file that cannot be read.
pub(super) fn source(references: &References) -> Option<Diagnostic> {
    let Some(Reference { value: source::Settings::File { path, .. }, location }) =
        &references.source
    else {
        return None;
    };
    let error = readable(path).err()?;
    Some(location.error(format!(
        "cannot read the source's file {}: {error}: it must be a file that is there when weir \
         starts, also where it is followed, and weir's user must have the right to read it",
        path.display()
    )))
}

/// A sink's file that can neither be written nor made.
pub(super) fn sink(references: &References) -> Option<Diagnostic> {
    let Some(Reference { value: sink::Settings::File { path }, location }) = &references.sink
    else {
        return None;
    };
    let error = writable(path).err()?;
    Some(location.error(format!(
        "cannot write the sink's file {}: {error}: weir makes the file, but not its folder, and \
         weir's user must have the right to write to both",
        path.display()
    )))
}

/// A source and a sink that are one file, under two names: a symbolic or a hard link. What the
/// names alone tell is `config`'s to refuse.
pub(super) fn are_one(references: &References) -> Option<Diagnostic> {
    let Some(source::Settings::File { path: from, .. }) =
        references.source.as_ref().map(|source| &source.value)
    else {
        return None;
    };
    let Some(Reference { value: sink::Settings::File { path: to }, location }) = &references.sink
    else {
        return None;
    };
    let is_same = is_same(std::fs::metadata(from), std::fs::metadata(to));
    is_same.then(|| location.error(SAME_FILE))
}

/// Whether both are one file. What cannot be looked at is not there yet, or is the source's or the
/// sink's to report.
pub(super) fn is_same(from: io::Result<Metadata>, to: io::Result<Metadata>) -> bool {
    let (Ok(from), Ok(to)) = (from, to) else { return false };
    from.is_file() && (from.dev(), from.ino()) == (to.dev(), to.ino())
}

fn readable(path: &Path) -> io::Result<()> {
    no_folder(path)?;
    may(path, Access::READ_OK)
}

fn writable(path: &Path) -> io::Result<()> {
    match no_folder(path) {
        Ok(()) => may(path, Access::WRITE_OK),
        // A link to a file that is not there: it is made, where the link leads.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder =
                path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
            may(folder, Access::WRITE_OK | Access::EXEC_OK)
        }
        Err(error) => Err(error),
    }
}

/// An error unless something is there that is not a folder.
fn no_folder(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    Ok(())
}

/// An error unless this process has the access, as the user that counts when it opens files.
fn may(path: &Path, access: Access) -> io::Result<()> {
    match accessat(CWD, path, access, AtFlags::EACCESS) {
        // Kernels before 5.8, and the filters of old container runtimes, do not know the call: a
        // run will tell.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => Ok(()),
        answer => Ok(answer?),
    }
}
