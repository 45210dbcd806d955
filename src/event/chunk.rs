//! Chunks: pooled buffers of raw bytes, and the events found in them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::head::{Head, Member};
use super::{CHUNK_BYTES, CHUNK_EVENTS_MAX, DEAD_LETTER_HEAD_BYTES, EVENT_BYTES_MAX};

/// One valid event of a chunk.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its bytes in the chunk: exactly one JSON object of core/v1 names.
    pub bytes: Range<usize>,
    /// The source's own bytes where `bytes` is a rewritten form (events.k8s.io/v1); else the same.
    pub source_bytes: Range<usize>,
    /// What was decoded of it.
    pub head: Head,
}

/// Why an event was rejected at the source: a closed set, the `reason` label of
/// `weir_events_dead_lettered_total{where="source"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// Not JSON.
    Syntax,
    /// Not UTF-8.
    Utf8,
    /// Nested too deeply.
    Depth,
    /// A key twice in the root, `metadata` or `involvedObject`.
    DuplicateKey,
    /// A head member of the wrong JSON type.
    WrongType,
    /// Not a core/v1 or events.k8s.io/v1 Event.
    NotAnEvent,
    /// Larger than `EVENT_BYTES_MAX`.
    TooLarge,
    /// The input ended inside it.
    Truncated,
}

impl RejectionKind {
    /// The metric label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            RejectionKind::Syntax => "syntax",
            RejectionKind::Utf8 => "utf8",
            RejectionKind::Depth => "depth",
            RejectionKind::DuplicateKey => "duplicate_key",
            RejectionKind::WrongType => "wrong_type",
            RejectionKind::NotAnEvent => "not_an_event",
            RejectionKind::TooLarge => "too_large",
            RejectionKind::Truncated => "truncated",
        }
    }
}

/// One event that was received and rejected: it goes to the dead letters.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// Its bytes, at most the first `DEAD_LETTER_HEAD_BYTES` of one that was too large.
    pub bytes: Vec<u8>,
    /// Where it stood, for people: `line 7, column 12`, or `watch of all namespaces, after version
    /// 123`.
    pub location: String,
    /// What kind it is.
    pub kind: RejectionKind,
    /// What was wrong, for people.
    pub detail: String,
}

impl Rejection {
    /// Keeps what a dead letter keeps of `bytes`.
    pub(crate) fn new(
        bytes: &[u8],
        location: String,
        kind: RejectionKind,
        detail: String,
    ) -> Rejection {
        let kept = if bytes.len() > EVENT_BYTES_MAX || kind == RejectionKind::TooLarge {
            &bytes[..bytes.len().min(DEAD_LETTER_HEAD_BYTES)]
        } else {
            bytes
        };
        Rejection { bytes: kept.to_vec(), location, kind, detail }
    }
}

/// A buffer of raw bytes with its events. Goes back to its pool when dropped.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The raw bytes; rewritten events are appended behind them.
    pub bytes: Vec<u8>,
    /// The valid events, in the order of their arrival.
    pub events: Vec<Event>,
    /// The root members of all `events`.
    pub members: Vec<Member>,
    /// What was received and is no valid event.
    pub rejections: Vec<Rejection>,
    pool: Option<Arc<PoolState>>,
}

impl Chunk {
    /// The bytes of one of this chunk's events.
    pub fn event_bytes(&self, event: &Event) -> &[u8] {
        &self.bytes[event.bytes.clone()]
    }

    /// The root members of one of this chunk's events.
    pub(crate) fn event_members(&self, event: &Event) -> &[Member] {
        &self.members[event.head.members.start as usize..event.head.members.end as usize]
    }

    /// A chunk of one of this chunk's events alone, of no pool.
    pub(crate) fn alone(&self, event: &Event) -> Chunk {
        let mut bytes = self.event_bytes(event).to_vec();
        let own = 0..bytes.len();
        let source_bytes = if event.source_bytes == event.bytes {
            own.clone()
        } else {
            bytes.extend_from_slice(&self.bytes[event.source_bytes.clone()]);
            own.end..bytes.len()
        };
        let members = self.event_members(event).to_vec();
        let head = Head { members: 0..members.len() as u32, ..event.head.clone() };
        let events = vec![Event { bytes: own, source_bytes, head }];
        Chunk { bytes, events, members, rejections: Vec::new(), pool: None }
    }

    /// How many outcomes this chunk owes: valid events and rejections.
    pub(crate) fn received(&self) -> u64 {
        (self.events.len() + self.rejections.len()) as u64
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.events.clear();
        self.members.clear();
        self.rejections.clear();
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            let mut chunk = std::mem::take(self);
            chunk.clear();
            pool.put(chunk);
        }
    }
}

/// A fixed number of chunks: taking one waits until one is free, so the pool is the bound on
/// raw events in memory.
#[derive(Clone, Debug)]
pub(crate) struct ChunkPool(Arc<PoolState>);

#[derive(Debug)]
struct PoolState {
    free: Mutex<Vec<Chunk>>,
    returned: Condvar,
    notify: tokio::sync::Notify,
}

impl PoolState {
    fn put(&self, mut chunk: Chunk) {
        // A chunk that grew for one huge event, or for very many members, does not keep that
        // memory.
        chunk.bytes.shrink_to(CHUNK_BYTES);
        chunk.events.shrink_to(CHUNK_EVENTS_MAX);
        chunk.members.shrink_to(CHUNK_BYTES / size_of::<Member>());
        chunk.rejections.shrink_to(0);
        self.free.lock().push(chunk);
        self.returned.notify_one();
        self.notify.notify_one();
    }
}

impl ChunkPool {
    /// A pool of `size` chunks; memory is allocated when a chunk is first filled.
    pub(crate) fn new(size: usize) -> ChunkPool {
        let free = (0..size).map(|_| Chunk::default()).collect();
        ChunkPool(Arc::new(PoolState {
            free: Mutex::new(free),
            returned: Condvar::new(),
            notify: tokio::sync::Notify::new(),
        }))
    }

    /// A free chunk, if there is one now.
    pub(crate) fn try_take(&self) -> Option<Chunk> {
        let mut chunk = self.lock().pop()?;
        chunk.pool = Some(self.0.clone());
        Some(chunk)
    }

    /// Waits, asleep on this thread, for a free chunk. Looks up at least every `period`, and gives
    /// up when `go_on` says so.
    pub(crate) fn take_blocking_while(
        &self,
        period: Duration,
        mut go_on: impl FnMut() -> bool,
    ) -> Option<Chunk> {
        let mut free = self.lock();
        loop {
            if let Some(mut chunk) = free.pop() {
                chunk.pool = Some(self.0.clone());
                return Some(chunk);
            }
            if !go_on() {
                return None;
            }
            self.0.returned.wait_for(&mut free, period);
        }
    }

    /// Waits for a free chunk. Cancel-safe.
    pub(crate) async fn take(&self) -> Chunk {
        loop {
            // notify_one stores a permit, so a return between these two lines is not missed.
            if let Some(chunk) = self.try_take() {
                // It stores only one: two chunks that came back while two waited must wake both.
                if !self.lock().is_empty() {
                    self.0.notify.notify_one();
                }
                return chunk;
            }
            self.0.notify.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Chunk>> {
        self.0.free.lock()
    }
}
