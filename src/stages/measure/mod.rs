//! What a module costs: for its author, not for a run.
//!
//! - [`time()`]: how long each event takes on this machine now, on the path that a worker has
//!   (`chain::run_event`), in the engine that a run has.
//! - [`count()`]: what one instance executes and exchanges with weir over the same events, in an
//!   engine that counts. No clock has a say in it: it is the same on each machine and each time,
//!   for one weir and one module.

mod count;
mod time;

use std::sync::Arc;
use std::time::Instant;

pub(crate) use count::{Cost, Counted, count};
pub(crate) use time::{Timed, time};

use super::chain::OnTheWay;
use super::waiting::{Looked, Waiting};
use crate::event::{Chunk, Edits};
use crate::lookup::Lookups;

/// Events in order, as they come to a stage.
pub(crate) struct Workload {
    chunks: Vec<Arc<Chunk>>,
    waiting: Option<Waiting>,
    /// What is known of what each event regards, of all chunks in order; empty without lookups.
    looked: Vec<Looked>,
}

impl Workload {
    /// The events of the chunks, with what is known at once of what they regard.
    pub(crate) fn new(chunks: Vec<Chunk>, lookups: Option<&Lookups>) -> Workload {
        let chunks: Vec<Arc<Chunk>> = chunks.into_iter().map(Arc::new).collect();
        let mut workload = Workload { chunks, waiting: None, looked: Vec::new() };
        if let Some(mut waiting) = lookups.map(Waiting::new) {
            let (mut looked, now) = (Vec::new(), Instant::now());
            // What is not known at once is not there.
            workload.each(|event| looked.push(waiting.ask(event, now).unwrap_or_default()));
            workload = Workload { waiting: Some(waiting), looked, ..workload };
        }
        workload
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.events.len()).sum()
    }

    /// Shows each event to `run`, without an edit but those of a lookup.
    fn each<'a>(&self, mut run: impl FnMut(&mut OnTheWay<'_, 'a>)) {
        let (mut edits, mut looked) = (Box::<Edits>::default(), self.looked.iter());
        for chunk in &self.chunks {
            for index in 0..chunk.events.len() {
                edits.clear();
                let mut errors = Vec::new();
                let (edits, errors) = (&mut edits, &mut errors);
                let mut event = OnTheWay { chunk, index, edits, errors, found: None, sought: 0 };
                if let (Some(waiting), Some(looked)) = (&self.waiting, looked.next()) {
                    waiting.give(&mut event, looked.clone());
                }
                run(&mut event);
            }
        }
    }
}
