//! Reads what is open into chunks and hands them on.
//!
//! Constraint: nothing is taken from the input before there is room for it in a chunk. What is not
//! plain UTF-8 is known by its first bytes, and goes through a [`Decoder`] first, which holds a
//! bounded part of it; all of that goes into chunks before more is read.

use crate::handoff::SourceSender;
use crate::process::Process;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

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
use super::text::{Damage, Decoder, Step};
use crate::event::Chunk;
use crate::form::Form;
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

/// What the input is written in.
enum Text {
    /// Its first bytes, which are in the chunk, do not tell yet.
    Unknown,
    /// UTF-8: it is read straight into chunks.
    Plain,
    /// Something else.
    Through(Box<Decoder>),
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
    text: Text,
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
            text: Text::Unknown,
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
        self.text = Text::Unknown;
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
                self.go_on_in_text(file, saved.offset)?;
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

    /// At `offset` of a followed file: its first bytes tell what it is written in.
    fn go_on_in_text(&mut self, file: &File, offset: u64) -> Result<(), FileError> {
        if offset == 0 {
            return Ok(());
        }
        let mut first = [0; 4];
        let count = file.read_at(&mut first, 0).map_err(|error| self.read_error(error))?;
        self.text = match Form::of(&first[..count]) {
            None | Some(Form::Utf8) => Text::Plain,
            Some(form) => self.through(form, offset, Vec::new())?,
        };
        Ok(())
    }

    /// How input is read that is not plain UTF-8 and goes on at `offset` with `raw`.
    fn through(&self, form: Form, offset: u64, raw: Vec<u8>) -> Result<Text, FileError> {
        if self.at.is_some() && form.is_compressed() {
            let form = form.as_str();
            return Err(FileError::FollowsCompressed { input: self.name.clone(), form });
        }
        Ok(Text::Through(Box::new(Decoder::new(form, offset, raw))))
    }

    /// Reads until the input ends or the drain begins.
    pub(super) fn read_to_end(&mut self, input: &impl AsFd) -> Result<Stopped, FileError> {
        while self.goes_on() {
            if self.input == Input::Live && !self.wait_for_input(input)? {
                continue;
            }
            if self.roomy_chunk()?.is_none() {
                return Ok(Stopped::ByDrain);
            }
            let Some(into) = self.free_bytes() else { continue };
            let count = match rustix::io::read(input, spare_capacity(into)) {
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
            if !self.take_in()? {
                return Ok(Stopped::ByDrain);
            }
            (self.on_read)(count as u64);
        }
        Ok(Stopped::ByDrain)
    }

    /// Where the next input goes: into the chunk, if it needs no decoder.
    fn free_bytes(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.text {
            Text::Through(decoder) => Some(decoder.input()),
            Text::Unknown | Text::Plain => self.chunk.as_mut().map(|chunk| &mut chunk.bytes),
        }
    }

    /// Frames what was read. `false`: the drain has begun, and there was no time left for all.
    fn take_in(&mut self) -> Result<bool, FileError> {
        if let (Text::Unknown, Some(chunk)) = (&self.text, &mut self.chunk) {
            self.text = match Form::of(&chunk.bytes) {
                None => return Ok(true),
                Some(Form::Utf8) => Text::Plain,
                Some(form) => {
                    // The first bytes of the input, and nothing else.
                    let raw = std::mem::take(&mut chunk.bytes);
                    self.through(form, 0, raw)?
                }
            };
        }
        match &self.text {
            Text::Through(_) => self.decode(Decoder::step),
            Text::Unknown | Text::Plain => {
                self.frame();
                Ok(true)
            }
        }
    }

    /// Has the decoder step until it needs more input, and frames what comes out. `false`: there
    /// was no time left for all of it.
    fn decode(
        &mut self,
        step: impl Fn(&mut Decoder, &mut Vec<u8>, usize) -> Result<Step, Damage>,
    ) -> Result<bool, FileError> {
        loop {
            if self.roomy_chunk()?.is_none() {
                return Ok(false);
            }
            let (Text::Through(decoder), Some(chunk)) = (&mut self.text, &mut self.chunk) else {
                return Ok(true);
            };
            let room = self.framer.room(chunk);
            match step(decoder, &mut chunk.bytes, room) {
                Ok(Step::Done) => {}
                Ok(Step::NeedsMore) => return Ok(true),
                Err(damage) => return Err(self.damaged(damage)?),
            }
            self.frame();
            self.process.health.progress(TASK);
            if self.chunks_until().is_cancelled() {
                return Ok(false);
            }
        }
    }

    /// Hands on what came before something damaged, and answers what to say of it.
    fn damaged(&mut self, damage: Damage) -> Result<FileError, FileError> {
        if let Text::Through(decoder) = &mut self.text {
            let form = decoder.form();
            // What it still holds comes out. It is not asked for anything else.
            let is_all = self.decode(Decoder::close)?;
            self.text = Text::Plain;
            self.finish_framing(is_all)?;
            let Damage { offset, what } = damage;
            return Ok(FileError::Damaged { input: self.name.clone(), form, offset, what });
        }
        Ok(self.read_error(io::Error::other(damage.what)))
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
                    let unfinished = self.framer.carried();
                    let ahead = match &self.text {
                        Text::Through(decoder) => decoder.behind(unfinished),
                        Text::Unknown | Text::Plain => unfinished.len(),
                    };
                    let reaches =
                        self.framer.is_at_top().then(|| at.before(ahead as u64).to_string().into());
                    self.sender.send_of(chunk, SCOPE, reaches)?;
                }
                None => self.sender.send(chunk)?,
            }
        }
        Ok(())
    }

    /// The input has ended for good: an object that is not whole is malformed.
    pub(super) fn finish_input(&mut self) -> Result<(), FileError> {
        let is_all = self.decode(Decoder::finish)?;
        self.finish_framing(is_all)
    }

    /// `is_all`: no more of the input could be decoded. What a drain left of a file is read again,
    /// and not malformed.
    fn finish_framing(&mut self, is_all: bool) -> Result<(), FileError> {
        if !is_all && self.input == Input::File {
            return self.send_what_is_there();
        }
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
        self.decode(Decoder::close)?;
        // What was carried over may hold whole events, and more than one chunk of them.
        self.roomy_chunk()?;
        if let Some(chunk) = &mut self.chunk {
            self.framer.give_up(chunk, &mut self.frames);
        }
        self.log_unfinished();
        self.send_what_is_there()
    }

    fn log_unfinished(&self) {
        let pending = match &self.text {
            Text::Through(decoder) => decoder.pending(),
            Text::Unknown | Text::Plain => 0,
        };
        let bytes = self.framer.unfinished(self.chunk.as_ref()) + pending;
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
