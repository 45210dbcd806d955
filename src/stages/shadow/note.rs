//! The worker's side of a shadow: what the stage's module was given and what it answered, for the
//! candidate to be held against.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{Compared, Counts, NOTED_BYTES_MAX, Running};
use crate::event::{Chunk, Edits, EventView};
use crate::ledger::ReasonId;
use crate::lookup::Found;
use crate::stages::chain::Ran;
use crate::stages::interest::{Gate, Interest};

/// One event as the stage's module saw it.
#[derive(Debug)]
pub(super) struct Note {
    /// Which of its chunk's.
    pub(super) index: usize,
    /// What was looked up of its regarded object.
    pub(super) found: Option<Arc<Found>>,
    /// The edits that earlier stages had made.
    pub(super) given: Box<Edits>,
    pub(super) answer: Answer,
}

/// What the stage's module made of an event.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was kept, with these edits now.
    Kept(Box<Edits>),
    Dropped(ReasonId),
    Failed,
}

/// What was noted of one chunk. Those that are not judged when this is dropped are skipped.
#[derive(Debug)]
pub(in crate::stages) struct Notes {
    pub(super) chunk: Arc<Chunk>,
    pub(super) events: Vec<Note>,
    /// How many of them were judged, from the first one on.
    pub(super) judged: usize,
    /// Bytes of their edits.
    bytes: usize,
    counts: Counts,
    _room: OwnedSemaphorePermit,
}

impl Notes {
    /// A copy of these edits, if there is room for it.
    fn copy(&mut self, edits: &Edits) -> Option<Box<Edits>> {
        let bytes = self.bytes + edits.copy_bytes();
        (bytes <= NOTED_BYTES_MAX).then(|| {
            self.bytes = bytes;
            Box::new(edits.clone())
        })
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.counts.add(Compared::Skipped, (self.events.len() - self.judged) as u64);
    }
}

/// What one worker notes for one candidate.
#[derive(Debug)]
pub(in crate::stages) struct Noter {
    running: Arc<Running>,
    /// The candidate's.
    gate: Gate,
    /// Of the chunk that is being run; `Err`: there was no room for it.
    notes: Option<Result<Notes, Arc<Chunk>>>,
    skipped: u64,
}

impl Noter {
    pub(super) fn new(running: &Arc<Running>, interest: &Interest) -> Noter {
        Noter { running: running.clone(), gate: Gate::new(interest), notes: None, skipped: 0 }
    }

    /// Whether the candidate is called for an event.
    pub(in crate::stages) fn is_interested_in(&mut self, event: EventView<'_>) -> bool {
        self.gate.admits(event)
    }

    /// An event with these edits comes to the stage, and one of the two modules is called for it.
    /// What this returns is given back with the answer; `None`: the event is skipped.
    pub(in crate::stages) fn given(
        &mut self,
        chunk: &Arc<Chunk>,
        edits: &Edits,
    ) -> Option<Box<Edits>> {
        let noted = match &self.notes {
            Some(Ok(notes)) => Some(&notes.chunk),
            Some(Err(chunk)) => Some(chunk),
            None => None,
        };
        if !noted.is_some_and(|noted| Arc::ptr_eq(noted, chunk)) {
            self.send();
            self.notes = Some(match self.running.room.clone().try_acquire_owned() {
                Ok(room) => {
                    let (chunk, counts) = (chunk.clone(), self.running.counts.clone());
                    let events = Vec::new();
                    Ok(Notes { chunk, events, judged: 0, bytes: 0, counts, _room: room })
                }
                Err(_) => Err(chunk.clone()),
            });
        }
        let given = match &mut self.notes {
            Some(Ok(notes)) => notes.copy(edits),
            _ => None,
        };
        self.skipped += u64::from(given.is_none());
        given
    }

    /// What came of it.
    pub(in crate::stages) fn answered(
        &mut self,
        index: usize,
        given: Box<Edits>,
        found: Option<&Arc<Found>>,
        ran: &Ran,
        edits: &Edits,
    ) {
        let Some(Ok(notes)) = &mut self.notes else { return };
        let answer = match ran {
            Ran::Passed => match notes.copy(edits) {
                Some(kept) => Answer::Kept(kept),
                None => {
                    self.skipped += 1;
                    return;
                }
            },
            Ran::Dropped(reason) => Answer::Dropped(*reason),
            Ran::Failed(..) => Answer::Failed,
        };
        notes.events.push(Note { index, found: found.cloned(), given, answer });
    }

    /// The chunk is done: hands its notes on. Never waits.
    pub(in crate::stages) fn send(&mut self) {
        if let Some(Ok(notes)) = self.notes.take() {
            // It fails only where the thread has ended.
            let _ = self.running.queue.try_send(notes);
        }
        self.running.counts.add(Compared::Skipped, std::mem::take(&mut self.skipped));
    }
}
