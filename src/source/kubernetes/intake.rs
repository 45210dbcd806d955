//! Between an answer's bytes and the sender: what is read goes through the framer to the machine,
//! what the machine accepts into chunks, and chunks on to the workers, each with how far the scope
//! has been read once it is done. It does no I/O and never waits: that is left to the
//! [`runner`](super::runner), or to a simulator.
//!
//! Invariant: a cursor is told only together with, or after, everything that was accepted up to it.

use std::time::Instant;

use super::super::Start;
use super::super::framer::Framer;
use super::frames::{FrameCounts, Frames};
use super::machine::Machine;
use super::scope::Scope;
use super::step::{Input, Step};
use super::version::Version;
use crate::answers::first_sign;
use crate::event::Chunk;
use crate::handoff::{Closed, SourceSender};
use crate::kube::HTML_PAGE;
use crate::position::{Keeper, Position};

/// What is cheap to copy from one chunk to the next.
const CARRIED_BYTES_MAX: usize = 64 << 10;

/// One scope's machine, and what it has accepted and not handed on.
pub(super) struct Intake {
    scope: Scope,
    machine: Machine,
    sender: SourceSender,
    counts: FrameCounts,
    /// The machine's cursor that was told last.
    told: Option<Version>,
    /// How often the machine had noticed a restored cluster when that was told last.
    restores: u64,
    reading: Reading,
}

/// The answer that is being read.
#[derive(Debug, Default)]
struct Reading {
    framer: Framer,
    /// What was framed and not handed on yet.
    chunk: Option<Chunk>,
    is_list: bool,
    list_end: bool,
    /// Something of the answer has come.
    has_begun: bool,
}

/// What became of some bytes.
#[derive(Debug)]
pub(super) struct Taken {
    /// This many of them were taken.
    pub(super) bytes: usize,
    /// The chunk is full: it must be handed on before the rest is taken.
    pub(super) is_full: bool,
    /// Reading is over.
    pub(super) over: Option<Input>,
}

impl Intake {
    /// At the beginning.
    pub(super) fn new(
        scope: Scope,
        sender: SourceSender,
        counts: FrameCounts,
        now: Instant,
    ) -> Intake {
        let (machine, reading) = (Machine::new(now), Reading::default());
        Intake { scope, machine, sender, counts, told: None, restores: 0, reading }
    }

    /// Who decides.
    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What is listed and watched.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Where chunks go.
    pub(super) fn sender(&self) -> &SourceSender {
        &self.sender
    }

    /// Takes one input. What was accepted before is handed on first, whatever ended the reading: a
    /// broken answer, or a drain between two pieces.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        random: u64,
        input: Input,
    ) -> Result<Step, Closed> {
        self.hand_on()?;
        if matches!(input, Input::Lost) {
            self.sender.rewind(self.scope.key());
            self.told = None;
        }
        let step = self.machine.handle(now, random, input);
        self.tell_cursor();
        Ok(step)
    }

    /// The cluster has told its UID, or keeps it to itself: where to begin in it.
    pub(super) fn identified(
        &mut self,
        keeper: &Keeper,
        cluster: Option<String>,
        start: Start,
    ) -> Input {
        keeper.source_is(cluster);
        let saved = self.sender.start_of(self.scope.key());
        self.told = match &saved {
            Some(Position::At(version)) => Version::parse(version),
            Some(Position::Nowhere) | None => None,
        };
        let must_start_over = saved.is_some() && self.told.is_none();
        let start = if keeper.is_lost() || must_start_over { Start::All } else { start };
        Input::Identified { cursor: self.told.clone(), start }
    }

    /// The body of another answer comes.
    pub(super) fn begin(&mut self, is_list: bool) {
        self.reading = Reading { is_list, ..Reading::default() };
    }

    /// Whether [`Intake::give_chunk`] must come before any bytes.
    pub(super) fn needs_chunk(&self) -> bool {
        self.reading.chunk.is_none()
    }

    /// Where to put what comes.
    pub(super) fn give_chunk(&mut self, chunk: Chunk) {
        self.reading.chunk = Some(chunk);
    }

    /// Some bytes have come: the answer is alive.
    pub(super) fn stirred(&mut self, now: Instant) {
        self.machine.stirred(now);
    }

    /// Takes some bytes of the answer in, into the chunk that was given.
    pub(super) fn take_in(&mut self, now: Instant, bytes: &[u8]) -> Taken {
        let Some(chunk) = &mut self.reading.chunk else {
            return Taken { bytes: 0, is_full: true, over: None };
        };
        if let Some(sign) = first_sign(bytes)
            && !std::mem::replace(&mut self.reading.has_begun, true)
            && sign == b'<'
        {
            let over = Some(Input::Nonsense(HTML_PAGE));
            return Taken { bytes: bytes.len(), is_full: false, over };
        }
        let mut frames = Frames::new(&mut self.machine, &self.counts, &self.scope, now);
        let push = self.reading.framer.push(bytes, chunk, &mut frames);
        let seen = frames.seen();
        if std::mem::replace(&mut self.restores, self.machine.restores()) != self.machine.restores()
        {
            // The server was restored. Its versions may come beyond the old mark before anything
            // new is done with.
            self.sender.rewind(self.scope.key());
            self.told = None;
        }
        self.reading.list_end |= seen.list_end;
        Taken { bytes: push.taken, is_full: push.is_full, over: seen.over }
    }

    /// Whether the chunk holds nothing but the beginning of a huge object: carrying that from chunk
    /// to chunk would copy it for every piece.
    pub(super) fn is_inside_a_huge_object(&self) -> bool {
        self.reading
            .chunk
            .as_ref()
            .is_some_and(|chunk| chunk.received() == 0 && chunk.bytes.len() > CARRIED_BYTES_MAX)
    }

    /// Whether the answer could end here.
    pub(super) fn is_whole(&self) -> bool {
        let none = Chunk::default();
        let chunk = self.reading.chunk.as_ref().unwrap_or(&none);
        self.reading.framer.is_between_objects(chunk)
            && self.reading.list_end == self.reading.is_list
    }

    /// Sends what was framed. The cursor is behind all of it: in a list it stands still, on a watch
    /// it is the last frame's. True: something was sent.
    pub(super) fn hand_on(&mut self) -> Result<bool, Closed> {
        let Some(mut chunk) = self.reading.chunk.take() else { return Ok(false) };
        self.reading.framer.detach(&mut chunk);
        if chunk.received() == 0 {
            self.tell_cursor();
            return Ok(false);
        }
        self.told = self.machine.cursor().cloned();
        let reaches = self.told.as_ref().map(|version| version.to_string().into());
        self.sender.send_of(chunk, self.scope.key(), reaches)?;
        Ok(true)
    }

    fn tell_cursor(&mut self) {
        if let Some(cursor) = self.machine.cursor()
            && self.told.as_ref() != Some(cursor)
        {
            self.sender.reached(self.scope.key(), cursor.to_string().into());
            self.told = Some(cursor.clone());
        }
    }
}
