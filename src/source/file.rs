//! The sources `file` and `stdin`: blocking, on a thread of their own.
//!
//! Constraints: a file is read straight into chunks, as fast as workers take them; live input (stdin, a file that
//! grows) is handed on as soon as nothing more is there to be read. A drain is noticed within [`LOOK_UP`], whatever
//! is waited for: input, growth, or a free chunk. A read of stdin cannot be given up, so a second thread does it,
//! which ends with the process.
//!
//! Where a followed file was read up to is not saved in this version: it is read from its start at each run.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::context::Context;
use super::framer::Framer;
use super::frames::Frames;
use crate::event::Chunk;
use crate::handoff::Closed;
use crate::health::Condition;

/// How often a waiting source looks whether it should stop, and whether a followed file has grown.
const LOOK_UP: Duration = Duration::from_millis(200);

/// How much of stdin is read at once: what a pipe holds (pipe(7)).
const PIECE_BYTES: usize = 64 << 10;

/// The name under which the source reports to [`Health`](crate::health::Health).
const TASK: &str = "source";

/// Why a file or stdin cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened.
    #[error(
        "cannot open the source's file {path}: {error}; check `path` in [source], and that weir may read the file"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Reading failed.
    #[error("cannot go on reading {input}: {error}")]
    Read {
        /// The file, or stdin.
        input: String,
        /// Why.
        error: io::Error,
    },
    /// The next part of the pipeline has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Reads a file from its start to its end; with `follow` until the drain, also as it grows, is truncated or
/// replaced. Blocks this thread. `on_read` is told how many bytes each read gave.
///
/// # Errors
///
/// When the file cannot be opened or read, or the workers have ended.
pub fn run_file(
    path: &Path,
    follow: bool,
    context: Context,
    on_read: impl FnMut(u64),
) -> Result<(), FileError> {
    let mut file = File::open(path).map_err(|error| FileError::Open { path: path.to_owned(), error })?;
    let mut reader = Reader::new(path.display().to_string(), context, on_read);
    reader.start();
    while reader.read_to_end(&file)? == Stopped::AtEnd && follow {
        reader.send_what_is_there()?;
        match wait_for_change(path, &file, &reader)? {
            Change::Drain => break,
            Change::Grown => {}
            Change::Truncated => {
                tracing::warn!(
                    input = reader.input,
                    "the file was truncated: reading it from its start again"
                );
                reader.finish_input()?;
                file.rewind().map_err(|error| reader.read_error(error))?;
            }
            Change::Replaced(new) => {
                // What was written between the last read and the replacement.
                if reader.read_to_end(&file)? == Stopped::ByDrain {
                    break;
                }
                tracing::info!(input = reader.input, "the file was replaced: reading the new one");
                reader.finish_input()?;
                file = new;
            }
        }
    }
    reader.end()
}

/// Reads stdin to its end or until the drain. Blocks this thread. `on_read` is told how many bytes each read gave.
///
/// # Errors
///
/// When stdin cannot be read, or the workers have ended.
pub fn run_stdin(context: Context, on_read: impl FnMut(u64)) -> Result<(), FileError> {
    run_live("stdin", io::stdin(), context, on_read)
}

fn run_live(
    name: &'static str,
    input: impl Read + Send + 'static,
    context: Context,
    on_read: impl FnMut(u64),
) -> Result<(), FileError> {
    let mut reader = Reader::new(name.to_owned(), context, on_read);
    reader.start();
    // One piece waits while another is read and a third one framed.
    let (sender, pieces) = sync_channel(1);
    let reading =
        thread::Builder::new().name(format!("read-{name}")).spawn(move || read_pieces(input, &sender));
    reading.map_err(|error| reader.read_error(error))?;
    while let Some(piece) = next_piece(&pieces, &mut reader)? {
        if reader.take(&piece)? == Stopped::ByDrain {
            break;
        }
    }
    reader.end()
}

/// Reads until the end, an error, or nobody listens any more.
fn read_pieces(mut input: impl Read, pieces: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = match input.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_error = read.is_err();
        if pieces.send(read).is_err() || is_error {
            return;
        }
    }
}

/// The next piece; while there is none, what was framed is on its way. `None`: the end, or a drain.
fn next_piece<F: FnMut(u64)>(
    pieces: &Receiver<io::Result<Vec<u8>>>,
    reader: &mut Reader<F>,
) -> Result<Option<Vec<u8>>, FileError> {
    let mut next = pieces.try_recv();
    if matches!(next, Err(TryRecvError::Empty)) {
        reader.send_what_is_there()?;
    }
    while reader.goes_on() {
        match next {
            Ok(piece) => return piece.map(Some).map_err(|error| reader.read_error(error)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => {}
        }
        next = pieces.recv_timeout(LOOK_UP).map_err(|error| match error {
            RecvTimeoutError::Timeout => TryRecvError::Empty,
            RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
        });
    }
    Ok(None)
}

/// What happened to a followed file.
enum Change {
    Grown,
    Truncated,
    Replaced(File),
    Drain,
}

/// Waits until a file of which everything was read has changed.
fn wait_for_change<F: FnMut(u64)>(path: &Path, file: &File, reader: &Reader<F>) -> Result<Change, FileError> {
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
        let Ok(now) = path.metadata() else { continue };
        if identity(&now) != identity(&held) {
            match File::open(path) {
                Ok(new) => return Ok(Change::Replaced(new)),
                Err(error) => {
                    tracing::warn!(input = reader.input, %error, "cannot open the file's replacement yet")
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    AtEnd,
    ByDrain,
}

struct Reader<F> {
    input: String,
    context: Context,
    framer: Framer,
    frames: Frames,
    /// The chunk that is being filled; none when there was none to be had before the drain.
    chunk: Option<Chunk>,
    on_read: F,
}

impl<F: FnMut(u64)> Reader<F> {
    fn new(input: String, context: Context, on_read: F) -> Reader<F> {
        let frames = Frames::new(input.clone(), context.metrics.clone());
        Reader { input, context, framer: Framer::new(), frames, chunk: None, on_read }
    }

    fn start(&mut self) {
        self.context.health.set("source", Condition::Ready);
        self.context.metrics.state.with_label_values(&["reading"]).set(1);
    }

    /// Reads a file until it ends or the drain begins.
    fn read_to_end(&mut self, file: &File) -> Result<Stopped, FileError> {
        while self.goes_on() {
            let Some(chunk) = self.roomy_chunk()? else { return Ok(Stopped::ByDrain) };
            let count = match rustix::io::read(file, spare_capacity(&mut chunk.bytes)) {
                Ok(0) => return Ok(Stopped::AtEnd),
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(self.read_error(error.into())),
            };
            self.frame(&[]);
            (self.on_read)(count as u64);
        }
        Ok(Stopped::ByDrain)
    }

    /// Takes input that was read.
    fn take(&mut self, mut input: &[u8]) -> Result<Stopped, FileError> {
        (self.on_read)(input.len() as u64);
        while !input.is_empty() {
            if self.roomy_chunk()?.is_none() {
                return Ok(Stopped::ByDrain);
            }
            input = &input[self.frame(input)..];
        }
        Ok(Stopped::AtEnd)
    }

    /// Frames what the chunk holds and as much of `input` as it has room for; answers how much that is.
    fn frame(&mut self, input: &[u8]) -> usize {
        let frames = &mut self.frames;
        self.chunk.as_mut().map_or(0, |chunk| self.framer.push(input, chunk, frames).taken)
    }

    /// A chunk with room, after sending full ones. `None`: draining, and no chunk is to be had.
    fn roomy_chunk(&mut self) -> Result<Option<&mut Chunk>, FileError> {
        loop {
            if self.chunk.is_none() && !self.take_chunk() {
                return Ok(None);
            }
            if self.chunk.as_mut().is_some_and(|chunk| self.framer.room(chunk) > 0) {
                return Ok(self.chunk.as_mut());
            }
            self.send()?;
        }
    }

    /// Waits for a chunk and puts into it what was carried over. `false`: draining.
    fn take_chunk(&mut self) -> bool {
        let Context { outlet, shutdown, health, .. } = &self.context;
        let taken = outlet.pool().take_blocking_while(LOOK_UP, || {
            // Waiting for the next part is no stall of this one.
            health.progress(TASK);
            !shutdown.drain.is_cancelled()
        });
        let Some(mut chunk) = taken else { return false };
        self.framer.push(&[], &mut chunk, &mut self.frames);
        self.chunk = Some(chunk);
        true
    }

    fn send_what_is_there(&mut self) -> Result<(), FileError> {
        match &self.chunk {
            Some(chunk) if chunk.received() > 0 => self.send(),
            _ => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), FileError> {
        self.frames.flush();
        if let Some(mut chunk) = self.chunk.take() {
            self.framer.detach(&mut chunk);
            self.context.outlet.send(chunk)?;
        }
        Ok(())
    }

    /// The input has ended for good: what is half there is malformed.
    fn finish_input(&mut self) -> Result<(), FileError> {
        // Without a chunk the drain has begun, and what was carried over was never received.
        self.roomy_chunk()?;
        if let Some(chunk) = &mut self.chunk {
            self.framer.finish(chunk, &mut self.frames);
        }
        self.send_what_is_there()?;
        self.framer = Framer::new();
        self.chunk = None;
        Ok(())
    }

    /// The source ends: at the input's end, or in a drain with what was whole.
    fn end(mut self) -> Result<(), FileError> {
        if self.is_draining() {
            self.send_what_is_there()?
        } else {
            self.finish_input()?
        }
        self.frames.flush();
        self.context.metrics.state.with_label_values(&["reading"]).set(0);
        self.context.health.finished(TASK);
        Ok(())
    }

    /// Says that it waits, which is no stall. `false`: the drain has begun.
    fn goes_on(&self) -> bool {
        self.context.health.progress(TASK);
        !self.is_draining()
    }

    fn is_draining(&self) -> bool {
        self.context.shutdown.drain.is_cancelled()
    }

    fn read_error(&self, error: io::Error) -> FileError {
        FileError::Read { input: self.input.clone(), error }
    }
}

#[cfg(test)]
mod tests;
