//! What the fuzz target of lists and watches calls: a source of all namespaces whose API server is
//! the fuzzer.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::simulated::{Heard, Piece, Source, Want};
use crate::handoff::{SourceSender, Work};
use crate::ledger::Ledger;
use crate::metrics::{Metrics, SourceMetrics};
use crate::position::{Keeper, Tracker};
use crate::source::Start;

/// More than one, so that the next is filled while one waits.
const CHUNKS: usize = 2;

/// A source that has learned which cluster it reads.
pub struct Listing {
    source: Source,
    now: Instant,
    queue: mpsc::Receiver<Work>,
    handed: Handed,
    cursor: u64,
    cursors_ascend: bool,
}

/// What it has handed on, and what it told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Handed {
    /// The events' bytes.
    pub events: Vec<Vec<u8>>,
    /// What is no event: what is wrong with it.
    pub rejections: Vec<String>,
    /// Lists that were read to their end.
    pub lists: u32,
    /// What failed.
    pub failures: Vec<String>,
}

impl Listing {
    /// It asks for the first page.
    pub fn begin() -> Listing {
        let (ledger, now) = (Ledger::default(), Instant::now());
        let (sender, mut queues) = SourceSender::new(ledger, Tracker::default(), CHUNKS, 1);
        let random = fastrand::Rng::with_seed(0);
        let keeper = Keeper::default();
        let source = Source::new(None, Start::All, &keeper, &sender, metrics(), now, random);
        let mut listing = Listing {
            source,
            now,
            queue: queues.remove(0),
            handed: Handed::default(),
            cursor: 0,
            cursors_ascend: true,
        };
        let identified = listing.source.identified(now, Some("cluster".into()));
        identified.unwrap_or_else(|closed| unreachable!("the queue is open: {closed}"));
        listing
    }

    /// The URI of its next request; `None`: it waits, because something has failed.
    pub fn asks(&self) -> Option<String> {
        match self.source.want() {
            Want::Ask(uri) => Some(uri),
            Want::Read | Want::Save | Want::Sleep | Want::Room | Want::End => None,
        }
    }

    /// Up to where it has accepted everything.
    pub fn cursor(&self) -> Option<u64> {
        self.source.cursor()
    }

    /// Answers its request with 200 and a body that comes in these pieces.
    pub fn answer<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        self.now += Duration::from_secs(10);
        let mut told = self.source.opened(self.now).map(|()| Piece::Taken);
        for piece in pieces {
            let mut rest = piece;
            while let Ok(Piece::Taken | Piece::NeedsRoom(_)) = told {
                told = self.source.piece(self.now, rest);
                self.take_handed();
                match told {
                    Ok(Piece::NeedsRoom(taken)) => rest = &rest[taken..],
                    _ => break,
                }
            }
        }
        match told {
            Ok(Piece::Over) => {}
            _ => told = self.source.ended(self.now).map(|()| Piece::Over),
        }
        told.map_or_else(|closed| unreachable!("the queue is open: {closed}"), |_| ());
        self.take_handed();
    }

    /// Whether that has only moved on.
    pub fn cursors_ascend(&self) -> bool {
        self.cursors_ascend
    }

    /// What it has handed on and told.
    pub fn into_handed(self) -> Handed {
        self.handed
    }

    fn take_handed(&mut self) {
        while let Ok(Work { chunk, .. }) = self.queue.try_recv() {
            let events = chunk.events.iter().map(|event| chunk.event_bytes(event).to_vec());
            self.handed.events.extend(events);
            let rejections = chunk.rejections.iter();
            self.handed.rejections.extend(rejections.map(|rejection| rejection.detail.clone()));
        }
        for cursor in self.source.cursors() {
            self.cursors_ascend &= cursor >= std::mem::replace(&mut self.cursor, cursor);
        }
        for heard in self.source.heard() {
            match heard {
                Heard::Listed { .. } => self.handed.lists += 1,
                Heard::Failed(why) => self.handed.failures.push(why),
                Heard::Restarted(_)
                | Heard::Restored
                | Heard::Begun(_)
                | Heard::Watching(_)
                | Heard::Lied => {}
            }
        }
    }
}

fn metrics() -> &'static SourceMetrics {
    static METRICS: OnceLock<SourceMetrics> = OnceLock::new();
    METRICS.get_or_init(|| match Metrics::new(&Ledger::default()) {
        Ok(metrics) => metrics.source,
        Err(error) => unreachable!("the metrics of a process that has none yet: {error}"),
    })
}
