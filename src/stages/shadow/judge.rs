//! The candidate's side of a shadow: calls it for what was noted, and holds it against what the
//! stage's module did.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tracing::subscriber::{NoSubscriber, with_default};
use wasmtime::Engine;

use super::difference::{Answered, Difference, Differences};
use super::note::{Answer, Note, Notes};
use super::{Compared, Counts, Shadow};
use crate::event::{Chunk, Documents, Edits, EncodeSettings, EventView, encode};
use crate::stages::chain::{Ran, Slot};
use crate::stages::clock::Ticker;
use crate::stages::current::original;
use crate::stages::stage::Stage;

/// Calls one candidate, and compares.
pub(super) struct Judge {
    live: Arc<Stage>,
    candidate: Arc<Stage>,
    slot: Slot,
    counts: Counts,
    differences: Option<Differences>,
}

impl Judge {
    pub(super) fn new(
        shadow: &Shadow,
        engine: &Engine,
        counts: Counts,
        differences: Option<Differences>,
    ) -> Judge {
        let Shadow { live, stage, template, ready, .. } = shadow;
        let slot = Slot::new(engine, stage, template, ready.lock().take(), None);
        Judge { live: live.clone(), candidate: stage.clone(), slot, counts, differences }
    }

    /// Until no worker notes anything any more. Blocks this thread.
    pub(super) fn run(mut self, notes: Receiver<Notes>, ticker: &Ticker) {
        while let Ok(notes) = notes.recv() {
            // What the candidate logs is nobody's, until it is the module.
            let ticking = ticker.run();
            with_default(NoSubscriber::default(), || self.judge(notes));
            drop(ticking);
            self.slot.end_chunk();
        }
    }

    fn judge(&mut self, mut notes: Notes) {
        let chunk = notes.chunk.clone();
        while let Some(note) = notes.events.get_mut(notes.judged) {
            let chunk = &chunk;
            let mut edits = std::mem::take(&mut note.given);
            let ran = self.slot.run(chunk, note.index, &mut edits, note.found.as_ref());
            let compared = self.compare(chunk, note, &ran, &edits);
            if let Some(differences) =
                self.differences.as_ref().filter(|_| compared != Compared::Same)
            {
                let event = &chunk.events[note.index];
                differences.keep(
                    self.live.name(),
                    Difference {
                        compared: compared.label(),
                        event: chunk.event_bytes(event),
                        live: self.live_answer(chunk, note),
                        candidate: self.candidate_answer(chunk, note.index, &ran, &edits),
                    },
                );
            }
            // Last: who sees the count finds the difference.
            self.counts.add(compared, 1);
            notes.judged += 1;
        }
    }

    fn compare(&self, chunk: &Chunk, note: &Note, ran: &Ran, edits: &Edits) -> Compared {
        match (&note.answer, ran) {
            (_, Ran::Failed(..)) => Compared::Failed,
            (Answer::Kept(live), Ran::Passed) if are_same(chunk, note.index, live, edits) => {
                Compared::Same
            }
            (Answer::Kept(_), Ran::Passed) => Compared::Edits,
            // Each has numbered its reasons by itself.
            (Answer::Dropped(live), Ran::Dropped(candidate))
                if self.live.reason_name(*live) == self.candidate.reason_name(*candidate) =>
            {
                Compared::Same
            }
            _ => Compared::Verdict,
        }
    }

    fn live_answer(&self, chunk: &Chunk, note: &Note) -> Answered {
        match &note.answer {
            Answer::Kept(edits) => Answered::Kept(document(chunk, note.index, edits)),
            Answer::Dropped(reason) => Answered::Dropped(self.live.reason_name(*reason)),
            Answer::Failed => Answered::Failed(None),
        }
    }

    fn candidate_answer(&self, chunk: &Chunk, index: usize, ran: &Ran, edits: &Edits) -> Answered {
        match ran {
            Ran::Passed => Answered::Kept(document(chunk, index, edits)),
            Ran::Dropped(reason) => Answered::Dropped(self.candidate.reason_name(*reason)),
            Ran::Failed(kind, detail) => {
                Answered::Failed(Some(format!("{}: {detail}", kind.label())))
            }
        }
    }
}

/// Whether two ways of editing an event make the same document. The order of members is not the
/// document's.
fn are_same(chunk: &Chunk, index: usize, one: &Edits, other: &Edits) -> bool {
    if one.is_empty() && other.is_empty() {
        return true;
    }
    let (one, other) = (document(chunk, index, one), document(chunk, index, other));
    one == other || {
        let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
        value(&one).is_some_and(|one| Some(one) == value(&other))
    }
}

/// The document of an event as these edits leave it.
fn document(chunk: &Chunk, index: usize, edits: &Edits) -> Vec<u8> {
    let source = &chunk.bytes[chunk.events[index].source_bytes.clone()];
    let view = EventView { of: original(chunk, index), edits };
    let mut documents = Documents::default();
    encode(view, source, &[], &EncodeSettings::default(), &mut documents);
    let body = documents.docs.first().map(|document| document.body.clone()).unwrap_or_default();
    documents.bytes[body].to_vec()
}
