//! Dead letters as a source: each letter's own bytes, framed and judged as those of a file would
//! be; or, for the sink alone, the document that was made from them.
//!
//! Constraints: letters are read one at a time and go out as chunks become free, so memory is as
//! bounded as for any other source. Each has chunks and a framer of its own: an error in one says
//! nothing about the next, and it is known of each letter when its events are settled.
//!
//! Invariant: a letter that is not sent whole, or that has no event, stays where it is
//! ([`Replay`]), and the log says why.

use crate::handoff::SourceSender;
use crate::process::Process;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use parking_lot::{Mutex, MutexGuard};

use super::framer::Framer;
use super::frames::Frames;
use super::{LOOK_UP, TASK};
use super::{SourceError, on_a_thread};
use crate::dead_letter::{DeadLetterError, LetterId, LetterLine, Record, Replay, Selection};
use crate::event::{Chunk, Documents, Edits, EncodeSettings, EventView, Original, encode};
use crate::handoff::Outbox;
use crate::health::Condition;

/// What to replay.
#[derive(Clone, Debug)]
pub struct Letters {
    /// Which letters.
    pub selection: Selection,
    /// Whether their documents go to the sink as they are, past the stages.
    pub sink_only: bool,
    /// What becomes of them, as far as the source knows.
    pub account: Account,
}

/// How many letters were sent, and how many could not be; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<Mutex<Counts>>);

/// The counts of an [`Account`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Letters whose events are on their way.
    pub sent: u64,
    /// Letters that stay where they are.
    pub kept: BTreeMap<Kept, u64>,
    /// All that were asked for were sent or kept: neither a drain nor an abort came before.
    pub is_complete: bool,
}

impl Account {
    /// The counts now.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock()
    }
}

/// Why a letter stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    /// Only the beginning of its source was kept.
    Cut,
    /// For the sink alone, and it has no document.
    NoDocument,
    /// Its source holds no event; for the sink alone, not exactly one.
    NoEvent,
    /// The line is no letter.
    Unreadable,
}

impl Kept {
    /// For people, behind "it".
    pub(crate) fn why(self) -> &'static str {
        match self {
            Kept::Cut => {
                "was too large to be kept whole: only its first 64 KiB are there, and they cannot \
                 be replayed"
            }
            Kept::NoDocument => {
                "has no document, because the sink never saw it: replay it without --sink-only"
            }
            Kept::NoEvent => "holds no whole event",
            Kept::Unreadable => "cannot be read",
        }
    }
}

/// Sends the letters that are asked for until there are no more or the drain begins. With
/// [`sink_only`](Letters::sink_only) their documents go to `outbox`, addressed as `encode` would
/// have addressed them, else their events to the workers. `on_read` is told how many bytes were
/// read.
///
/// # Errors
///
/// When the folder cannot be read, or the next part of the pipeline has ended.
pub(crate) async fn replay(
    letters: Letters,
    replay: Replay,
    sender: SourceSender,
    process: Process,
    encode: EncodeSettings,
    outbox: impl Outbox + 'static,
    on_read: impl FnMut(u64) + Send + 'static,
) -> Result<(), SourceError> {
    on_a_thread(move || {
        Replayer { letters, replay, sender, process, encode, outbox, on_read }.run()
    })
    .await
}

struct Replayer<O, F> {
    letters: Letters,
    replay: Replay,
    sender: SourceSender,
    process: Process,
    encode: EncodeSettings,
    outbox: O,
    on_read: F,
}

impl<O: Outbox, F: FnMut(u64)> Replayer<O, F> {
    fn run(mut self) -> Result<(), SourceError> {
        self.process.health.set(TASK, Condition::Ready);
        let mut is_complete = true;
        for part in self.replay.parts(&self.letters.selection) {
            if !self.part(part)? {
                is_complete = false;
                break;
            }
        }
        self.letters.account.lock().is_complete = is_complete;
        self.process.health.finished(TASK);
        Ok(())
    }

    /// `false`: the drain has begun.
    fn part(&mut self, part: u64) -> Result<bool, SourceError> {
        let mut is_waiting = false;
        for line in self.replay.letters(part, &self.letters.selection)? {
            if !self.goes_on() {
                return Ok(false);
            }
            let line = match line {
                Err(error) if error.may_pass() => {
                    if !is_waiting {
                        tracing::warn!("{error}; trying again");
                        is_waiting = true;
                    }
                    thread::park_timeout(LOOK_UP);
                    continue;
                }
                line => line?,
            };
            is_waiting = false;
            (self.on_read)(line.text.len() as u64 + 1);
            if self.letters.selection.has_line(line.id) && !self.line(&line)? {
                return Ok(false);
            }
            self.try_later(self.replay.remove_some());
        }
        self.try_later(self.replay.part_is_read(part));
        Ok(true)
    }

    fn try_later(&self, removed: Result<(), DeadLetterError>) {
        if let Err(error) = removed {
            tracing::warn!("{error}; trying again at the end");
        }
    }

    /// `false`: the drain has begun, here as below.
    fn line(&self, line: &LetterLine) -> Result<bool, SourceError> {
        let id = line.id;
        let record = match line.record() {
            Ok(record) => record,
            Err(error) if self.letters.selection.has_unreadable() => {
                self.keep(id, Kept::Unreadable, Some(error.to_string()));
                return Ok(true);
            }
            Err(error) => {
                tracing::warn!("skipping letter {id}: {error}");
                return Ok(true);
            }
        };
        if !self.letters.selection.matches(&record) {
            return Ok(true);
        }
        if self.letters.sink_only {
            return self.to_the_sink(line, &record);
        }
        if record.is_cut() {
            self.keep(id, Kept::Cut, None);
            return Ok(true);
        }
        self.through_the_stages(line, &record)
    }

    fn through_the_stages(&self, line: &LetterLine, record: &Record) -> Result<bool, SourceError> {
        let id = line.id;
        let mut sending = self.replay.begin(line);
        let (mut framer, mut frames) = (Framer::new(), self.frames(id));
        let mut rest = record.source.as_slice();
        let mut is_all = false;
        while !is_all {
            let Some(mut chunk) = self.chunk() else { return Ok(false) };
            let push = framer.push(rest, &mut chunk, &mut frames);
            rest = &rest[push.taken..];
            is_all = !push.is_full;
            if is_all {
                framer.finish(&mut chunk, &mut frames);
            }
            framer.detach(&mut chunk);
            if chunk.received() > 0 {
                let ticket = sending.ticket(chunk.received());
                self.sender.send_replayed(chunk, ticket)?;
            }
        }
        frames.flush();
        match sending.sent() {
            0 => self.keep(id, Kept::NoEvent, None),
            _ => self.letters.account.lock().sent += 1,
        }
        Ok(true)
    }

    fn to_the_sink(&self, line: &LetterLine, record: &Record) -> Result<bool, SourceError> {
        let id = line.id;
        let Some(document) = &record.document else {
            self.keep(id, Kept::NoDocument, None);
            return Ok(true);
        };
        let Some(mut chunk) = self.chunk() else { return Ok(false) };
        let Some(documents) = self.address(id, &record.source, document, &mut chunk) else {
            self.keep(id, Kept::NoEvent, None);
            return Ok(true);
        };
        let mut sending = self.replay.begin(line);
        let held = self.sender.replay(1, sending.ticket(1));
        self.outbox.put(documents, held)?;
        sending.sent();
        self.letters.account.lock().sent += 1;
        Ok(true)
    }

    /// The stored document with the identity and the times of the event that it was made of: both
    /// are the original's, so it has the id and the index that it had before. `None`: the
    /// source is not exactly one event.
    fn address(
        &self,
        id: LetterId,
        source: &[u8],
        document: &[u8],
        chunk: &mut Chunk,
    ) -> Option<Documents> {
        let (mut framer, mut frames) = (Framer::new(), self.frames(id));
        let push = framer.push(source, chunk, &mut frames);
        if !push.is_full {
            framer.finish(chunk, &mut frames);
        }
        framer.detach(chunk);
        let [event] = chunk.events.as_slice() else { return None };
        if push.taken < source.len() || !chunk.rejections.is_empty() {
            return None;
        }
        let of = Original {
            bytes: chunk.event_bytes(event),
            head: &event.head,
            members: chunk.event_members(event),
        };
        let source = &chunk.bytes[event.source_bytes.clone()];
        // The source is kept whole: a difference would be one from the document that is made here.
        let settings = EncodeSettings { keep_source: false, ..self.encode.clone() };
        let view = EventView { of, edits: &Edits::default() };
        let mut documents = Documents::default();
        encode(view, source, &[], &settings, &mut documents);
        documents.replace(document, source);
        Some(documents)
    }

    fn frames(&self, id: LetterId) -> Frames {
        Frames::new(format!("letter {id}"), self.process.metrics.source.clone())
    }

    /// `None`: the drain has begun.
    fn chunk(&self) -> Option<Chunk> {
        self.sender.pool().take_blocking_while(LOOK_UP, || self.goes_on())
    }

    /// Reports that it is waiting, which is no stall. `false`: the drain has begun.
    fn goes_on(&self) -> bool {
        self.process.health.progress(TASK);
        !self.process.shutdown.drain.is_cancelled()
    }

    fn keep(&self, id: LetterId, kept: Kept, detail: Option<String>) {
        let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        tracing::warn!("letter {id} stays where it is: it {}{detail}", kept.why());
        *self.letters.account.lock().kept.entry(kept).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
