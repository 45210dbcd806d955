//! Reads what is open into chunks and hands them on.
//!
//! Constraint: nothing is taken from the input before there is room for it in a chunk.

use crate::handoff::SourceSender;
use crate::process::Process;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::super::framer::Framer;
use super::super::frames::Frames;
use super::super::{LOOK_UP, TASK};
use super::SCOPE;
use super::error::FileError;
use super::file_position::FilePosition;
use crate::event::Chunk;
use crate::health::{Condition, Part};
use crate::position::Position;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A regular file: never waits, and the next run reads it from its start.
    File,
    /// Anything else: may wait, and cannot be read again.
    Live,
}

/// Why a reader stopped reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    AtEnd,
    ByDrain,
}

pub(super) struct Reader<F> {
    name: String,
    input: Input,
    sender: SourceSender,
    process: Process,
    framer: Framer,
    frames: Frames,
    /// The chunk that is being filled; none while none is needed, or when none became free in
    /// time.
    chunk: Option<Chunk>,
    /// How far a followed file was read.
    at: Option<FilePosition>,
    on_read: F,
}

impl<F: FnMut(u64)> Reader<F> {
    pub(super) fn new(
        name: String,
        input: Input,
        sender: SourceSender,
        process: Process,
        on_read: F,
    ) -> Reader<F> {
        let frames = Frames::new(name.clone(), process.metrics.source.clone());
        Reader {
            name,
            input,
            sender,
            process,
            framer: Framer::new(),
            frames,
            chunk: None,
            at: None,
            on_read,
        }
    }

    /// What is read, for people.
    pub(super) fn input(&self) -> &str {
        &self.name
    }

    pub(super) fn start(&mut self) {
        self.process.health.set(Part::Source, Condition::Ready);
        self.process.metrics.source.state.with_label_values(&["reading"]).set(1);
    }

    /// At the start of a followed file.
    pub(super) fn begin(&mut self, file: &File) -> Result<(), FileError> {
        self.at = Some(FilePosition::start_of(file).map_err(|error| self.read_error(error))?);
        Ok(())
    }

    /// At the start of a followed file, or where an earlier run was in it.
    pub(super) fn go_on(&mut self, file: &mut File) -> Result<(), FileError> {
        self.begin(file)?;
        let Some(saved) = self.sender.start_of(SCOPE) else { return Ok(()) };
        let length = file.metadata().map_err(|error| self.read_error(error))?.len();
        match (FilePosition::parse(saved.as_str()), &mut self.at) {
            (Some(saved), Some(at)) if saved.is_in(at) && saved.offset <= length => {
                tracing::info!(
                    input = self.name,
                    offset = saved.offset,
                    "going on where the last run was"
                );
                file.seek(SeekFrom::Start(saved.offset)).map_err(|error| self.read_error(error))?;
                self.at = Some(saved);
            }
            _ if saved == Position::Nowhere => tracing::warn!(
                input = self.name,
                "what the last run had read of it was lost on disk: reading it from its start"
            ),
            _ => tracing::warn!(
                input = self.name,
                saved = saved.as_str(),
                "it is not the file of the last run, or was truncated: reading it from its start"
            ),
        }
        Ok(())
    }

    /// Reads until the input ends or the drain begins.
    pub(super) fn read_to_end(&mut self, input: &impl AsFd) -> Result<Stopped, FileError> {
        while self.goes_on() {
            if self.input == Input::Live && !self.wait_for_input(input)? {
                continue;
            }
            let Some(chunk) = self.roomy_chunk()? else { return Ok(Stopped::ByDrain) };
            let count = match rustix::io::read(input, spare_capacity(&mut chunk.bytes)) {
                Ok(0) => return Ok(Stopped::AtEnd),
                Ok(count) => count,
                // AGAIN: another process that has the input too was faster.
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(error) => {
                    self.send_what_is_there()?;
                    return Err(self.read_error(error.into()));
                }
            };
            if let Some(at) = &mut self.at {
                at.offset += count as u64;
            }
            self.frame();
            (self.on_read)(count as u64);
        }
        Ok(Stopped::ByDrain)
    }

    /// Whether there is input, or its end. While there is none, what was framed is sent on.
    fn wait_for_input(&mut self, input: &impl AsFd) -> Result<bool, FileError> {
        let is_there = |for_long: Timespec| match poll(
            &mut [PollFd::new(input, PollFlags::IN)],
            Some(&for_long),
        ) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error),
        };
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let later = Timespec { tv_sec: 0, tv_nsec: LOOK_UP.subsec_nanos().into() };
        if is_there(now).map_err(|error| self.read_error(error.into()))? {
            return Ok(true);
        }
        self.send_what_is_there()?;
        is_there(later).map_err(|error| self.read_error(error.into()))
    }

    /// Frames what the chunk holds.
    fn frame(&mut self) {
        if let Some(chunk) = &mut self.chunk {
            self.framer.push(&[], chunk, &mut self.frames);
        }
    }

    /// A chunk with room, after sending full ones. `None`: there is no time left to wait for one.
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

    /// Waits for a chunk and puts into it what was carried over. `false`: there was no time left.
    fn take_chunk(&mut self) -> bool {
        let until = self.chunks_until();
        let (sender, health) = (&self.sender, &self.process.health);
        let taken = sender.pool().take_blocking_while(LOOK_UP, || {
            // Waiting for the next part of the pipeline is no stall.
            health.progress(TASK);
            !until.is_cancelled()
        });
        self.chunk = taken;
        self.frame();
        self.chunk.is_some()
    }

    /// Until when chunks are waited for: what cannot be read again is worth waiting for in a drain.
    fn chunks_until(&self) -> CancellationToken {
        let shutdown = &self.process.shutdown;
        match self.input {
            Input::File => shutdown.drain.clone(),
            Input::Live => shutdown.abort.clone(),
        }
    }

    pub(super) fn send_what_is_there(&mut self) -> Result<(), FileError> {
        match &self.chunk {
            Some(chunk) if chunk.received() > 0 => self.send(),
            _ => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), FileError> {
        self.frames.flush();
        if let Some(mut chunk) = self.chunk.take() {
            self.framer.detach(&mut chunk);
            match &self.at {
                Some(at) => {
                    // Nobody could resume in the middle of a List, or behind an error of syntax.
                    let ahead = self.framer.unfinished(None) as u64;
                    let reaches =
                        self.framer.is_at_top().then(|| at.before(ahead).to_string().into());
                    self.sender.send_of(chunk, SCOPE, reaches)?;
                }
                None => self.sender.send(chunk)?,
            }
        }
        Ok(())
    }

    /// The input has ended for good: an object that is not whole is malformed.
    pub(super) fn finish_input(&mut self) -> Result<(), FileError> {
        // Without a chunk what was carried over was never received.
        self.roomy_chunk()?;
        if let Some(chunk) = &mut self.chunk {
            self.framer.finish(chunk, &mut self.frames);
        } else {
            self.log_unfinished();
        }
        self.send_what_is_there()?;
        self.framer = Framer::new();
        self.chunk = None;
        Ok(())
    }

    /// The source ends: at the input's end, or in a drain with what was whole.
    pub(super) fn end(mut self, stopped: Stopped) -> Result<(), FileError> {
        match (self.input, stopped) {
            (Input::Live, Stopped::ByDrain) => self.drain()?,
            (Input::File, _) if self.is_draining() => self.send_what_is_there()?,
            _ => self.finish_input()?,
        }
        self.frames.flush();
        self.process.metrics.source.state.with_label_values(&["reading"]).set(0);
        self.process.health.finished(TASK);
        Ok(())
    }

    /// Hands on everything that was read, but for an object that is not whole.
    fn drain(&mut self) -> Result<(), FileError> {
        // What was carried over may hold whole events, and more than one chunk of them.
        self.roomy_chunk()?;
        if let Some(chunk) = &mut self.chunk {
            self.framer.give_up(chunk, &mut self.frames);
        }
        self.log_unfinished();
        self.send_what_is_there()
    }

    fn log_unfinished(&self) {
        let bytes = self.framer.unfinished(self.chunk.as_ref());
        if bytes > 0 && self.input == Input::Live {
            tracing::warn!(
                input = self.name,
                bytes,
                "stopped in the middle of the last object: what was read of it is lost"
            );
        }
    }

    /// Reports that it is waiting, which is no stall. `false`: the drain has begun.
    pub(super) fn goes_on(&self) -> bool {
        self.process.health.progress(TASK);
        !self.is_draining()
    }

    fn is_draining(&self) -> bool {
        self.process.shutdown.drain.is_cancelled()
    }

    pub(super) fn read_error(&self, error: io::Error) -> FileError {
        FileError::Read { input: self.name.clone(), error }
    }
}
