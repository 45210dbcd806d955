//! The sources `file` and `stdin`: blocking, on a thread of their own.
//!
//! Constraints: input is read straight into chunks, as fast as workers take them; live input
//! (stdin, a FIFO, a file that grows) is handed on as soon as there is no more to read. A drain is
//! noticed within [`LOOK_UP`], whatever is waited for: input, growth, a FIFO's writer, or a free
//! chunk.
//!
//! Invariant: of input that cannot be read again, only an object that had not arrived whole when
//! the drain began is lost, and the log says so. Nothing is read except into a chunk, and what was
//! read waits for chunks until the abort.
//!
//! A followed file is read from where the previous run stopped, if it is the same file and no
//! shorter; any other file is read from its start, every time.

mod error;
mod file_position;
mod reader;
mod text;

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;

use rustix::fs::{Mode, OFlags};

use super::LOOK_UP;
use crate::handoff::SourceSender;
use crate::process::Process;
pub(crate) use error::FileError;
use reader::{Input, Reader, Stopped};

/// The scope under which a followed file's position is saved, for good: what is saved is found by
/// it.
const SCOPE: &str = "source";

/// Reads a file from its start to its end; with `follow` until the drain, also as it grows, is
/// truncated or replaced. What is no regular file (a FIFO, `/dev/stdin`) is read as stdin is, with
/// `follow` or without. Blocks this thread. `on_read` is told how many bytes each read gave.
///
/// # Errors
///
/// When the file cannot be opened or read, or the workers have ended.
pub(crate) fn run_file(
    path: &Path,
    follow: bool,
    sender: SourceSender,
    process: Process,
    on_read: impl FnMut(u64),
) -> Result<(), FileError> {
    let open_error = |error| FileError::Open { path: path.to_owned(), error };
    let mut file = open(path).map_err(open_error)?;
    let name = path.display().to_string();
    if !file.metadata().map_err(open_error)?.is_file() {
        return run_live(name, file, sender, process, on_read);
    }
    let mut reader = Reader::new(name, Input::File, sender, process, on_read);
    reader.start();
    if follow {
        reader.go_on(&mut file)?;
    }
    let mut stopped = reader.read_to_end(&file)?;
    while stopped == Stopped::AtEnd && follow {
        reader.send_what_is_there()?;
        match wait_for_change(path, &file, &reader)? {
            Change::Drain => break,
            Change::Grown => {}
            Change::Truncated => {
                tracing::warn!(
                    input = reader.input(),
                    "the file was truncated: reading it from its start again"
                );
                reader.finish_input()?;
                file.rewind().map_err(|error| reader.read_error(error))?;
                reader.begin(&file)?;
            }
            Change::Replaced(new) => {
                // What was written between the last read and the replacement.
                if reader.read_to_end(&file)? == Stopped::ByDrain {
                    break;
                }
                tracing::info!(
                    input = reader.input(),
                    "the file was replaced: reading the new one"
                );
                reader.finish_input()?;
                file = new;
                reader.begin(&file)?;
            }
        }
        stopped = reader.read_to_end(&file)?;
    }
    reader.end(stopped)
}

/// Reads stdin to its end or until the drain. Blocks this thread. `on_read` is told how many bytes
/// each read gave.
///
/// # Errors
///
/// When stdin cannot be read, or the workers have ended.
pub(crate) fn run_stdin(
    sender: SourceSender,
    process: Process,
    on_read: impl FnMut(u64),
) -> Result<(), FileError> {
    run_live("stdin".to_owned(), io::stdin(), sender, process, on_read)
}

fn run_live(
    name: String,
    input: impl AsFd,
    sender: SourceSender,
    process: Process,
    on_read: impl FnMut(u64),
) -> Result<(), FileError> {
    let mut reader = Reader::new(name, Input::Live, sender, process, on_read);
    reader.start();
    let stopped = reader.read_to_end(&input)?;
    reader.end(stopped)
}

/// Opens a file without waiting for a FIFO's writer, which would not notice a drain: the first wait
/// for input does. The flag means nothing to a regular file (open(2)).
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// What happened to a followed file.
enum Change {
    Grown,
    Truncated,
    Replaced(File),
    Drain,
}

/// Waits until a file of which everything was read has changed.
fn wait_for_change<F: FnMut(u64)>(
    path: &Path,
    file: &File,
    reader: &Reader<F>,
) -> Result<Change, FileError> {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
    loop {
        thread::park_timeout(LOOK_UP);
        if !reader.goes_on() {
            return Ok(Change::Drain);
        }
        let held = file.metadata().map_err(|error| reader.read_error(error))?;
        let at = rustix::fs::tell(file).map_err(|error| reader.read_error(error.into()))?;
        match held.len().cmp(&at) {
            std::cmp::Ordering::Greater => return Ok(Change::Grown),
            std::cmp::Ordering::Less => return Ok(Change::Truncated),
            std::cmp::Ordering::Equal => {}
        }
        // No file at the path: it is just being replaced.
        let Some(now) = path.metadata().ok().filter(std::fs::Metadata::is_file) else { continue };
        if identity(&now) != identity(&held) {
            match open(path) {
                Ok(new) => return Ok(Change::Replaced(new)),
                Err(error) => {
                    tracing::warn!(
                        input = reader.input(), %error, "cannot open the file's replacement yet"
                    )
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
