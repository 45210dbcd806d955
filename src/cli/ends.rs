//! The files of a file source and of a file sink, looked at before anything runs.
//!
//! Constraints: nothing is opened or made. A FIFO that is opened and closed again would take its
//! writer's reader away, and `check` writes nothing.
//!
//! What is missing now is an error, of a followed file as well: a run would end with it at once,
//! and a path is misspelt more often than it is early. What looking cannot tell (a full disk,
//! another weir's file) is a run's to report.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::config::{Diagnostic, Named};
use crate::{sink, source};

/// A source's file that cannot be read.
pub(super) fn source(named: &Named) -> Option<Diagnostic> {
    let Some(source::Settings::File { path, .. }) = &named.source else { return None };
    let error = readable(path).err()?;
    Some(named.source_path.error(format!(
        "cannot read the source's file {}: {error}: it must be a file that is there when weir starts, also where it is followed, and weir's user must have the right to read it",
        path.display()
    )))
}

/// A sink's file that can neither be written nor made.
pub(super) fn sink(named: &Named) -> Option<Diagnostic> {
    let Some(sink::Settings::File { path }) = &named.sink else { return None };
    let error = writable(path).err()?;
    Some(named.sink_path.error(format!(
        "cannot write the sink's file {}: {error}: weir makes the file, but not its folder, and weir's user must have the right to write to both",
        path.display()
    )))
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

/// There is something that is no folder.
fn no_folder(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    Ok(())
}

/// Whether this process may, by the user that counts when it opens files.
fn may(path: &Path, access: Access) -> io::Result<()> {
    match accessat(CWD, path, access, AtFlags::EACCESS) {
        // Kernels before 5.8, and the filters of old container runtimes, do not know the call: a
        // run will tell.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => Ok(()),
        answer => Ok(answer?),
    }
}
