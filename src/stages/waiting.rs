//! Events that are put aside on a worker until it is known what their regarded object is, and go on
//! from where they were.
//!
//! Invariants:
//!
//! - Events about one regarded object go on in the order in which they came: one also waits behind
//!   another, even if there is nothing to look up for it.
//! - None waits for longer than the lookups' `timeout`. When there are too many, the oldest go on
//!   without waiting, so memory is bounded.
//! - What waits has memory of its own: it keeps no chunk from the source.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::sync::mpsc;

use super::chain::OnTheWay;
use super::current::original;
use super::loaded::Shared;
use crate::event::{Chunk, Edits, EventView, Field, StageError};
use crate::handoff::Work;
use crate::ledger::Held;
use crate::lookup::{Answer, Asked, Found, Lookups, Outcome, Reference, Seat, Ticket};

/// What may wait on one worker. At 20 requests a second, with 2 s for each, it is far less.
const BYTES_MAX: usize = 2 << 20;
const EVENTS_MAX: usize = 1024;

/// What a worker looks up, and what waits for it.
pub(super) struct Waiting {
    seat: Seat,
    room: Room<Parked>,
}

/// An event that was put aside.
pub(super) struct Parked {
    /// The generation of the chain that it began in.
    pub(super) generation: u64,
    /// It alone.
    pub(super) chunk: Arc<Chunk>,
    pub(super) edits: Box<Edits>,
    /// The stage's number, and the kind of failure.
    errors: Vec<(usize, &'static str)>,
    pub(super) sought: u64,
    pub(super) held: Held,
}

impl Parked {
    pub(super) fn errors<'a>(&self, chain: &'a Shared) -> Vec<StageError<'a>> {
        let error = |(number, kind): &(usize, &'static str)| StageError {
            stage: chain.stages[*number].name(),
            kind,
        };
        self.errors.iter().map(error).collect()
    }
}

/// What came of looking up.
#[derive(Clone, Debug, Default)]
pub(super) struct Looked {
    found: Option<Arc<Found>>,
    /// `None`: there was nothing to look up.
    outcome: Option<Outcome>,
}

impl Looked {
    fn of(answer: &Answer, if_found: Outcome) -> Looked {
        let (found, outcome) = match answer {
            Answer::Found(found) => (Some(found.clone()), if_found),
            Answer::Missing => (None, Outcome::Missing),
            Answer::Forbidden => (None, Outcome::Forbidden),
            Answer::Timeout => (None, Outcome::Timeout),
        };
        Looked { found, outcome: Some(outcome) }
    }
}

/// What came of looking up, or will.
#[derive(Debug)]
pub(super) enum Awaited {
    Ready(Looked),
    Ticket(Ticket),
}

impl Awaited {
    /// What there is to go on with now.
    fn now(&self) -> Option<Looked> {
        match self {
            Awaited::Ready(looked) => Some(looked.clone()),
            Awaited::Ticket(ticket) => {
                ticket.answer().map(|answer| Looked::of(answer, Outcome::Found))
            }
        }
    }
}

/// Why a worker woke up.
pub(super) enum Woke {
    Work(Work),
    /// Some of what waits may go on.
    Due,
    /// There is no more work, and nothing waits.
    End,
}

impl Waiting {
    pub(super) fn new(lookups: &Lookups) -> Waiting {
        Waiting { seat: lookups.seat(), room: Room::default() }
    }

    /// What there is to know of an event's regarded object; `Err`: it has to wait for that, or for
    /// those before it.
    pub(super) fn ask(
        &mut self,
        event: &OnTheWay<'_, '_>,
        now: Instant,
    ) -> Result<Looked, Awaited> {
        let of = original(event.chunk, event.index);
        let view = EventView { of, edits: event.edits };
        let reference = Reference {
            api_version: &view.text(Field::RegardingApiVersion),
            kind: &view.text(Field::RegardingKind),
            namespace: &view.text(Field::RegardingNamespace),
            name: &view.text(Field::RegardingName),
            uid: &view.text(Field::RegardingUid),
        };
        let awaited = match self.seat.ask(reference, now) {
            Asked::Nothing => Awaited::Ready(Looked::default()),
            Asked::Known(answer) => Awaited::Ready(Looked::of(&answer, Outcome::Cached)),
            Asked::Waits(ticket) => Awaited::Ticket(ticket),
        };
        match awaited {
            Awaited::Ready(looked) if !self.room.holds(of.head.shard) => Ok(looked),
            awaited => Err(awaited),
        }
    }

    /// Puts what was found into an event, as edits that are committed.
    pub(super) fn give(&self, event: &mut OnTheWay<'_, '_>, looked: Looked) {
        if let Some(outcome) = looked.outcome {
            self.seat.count(outcome);
        }
        if let Some(found) = &looked.found {
            for (pointer, json) in found.members() {
                // Refused where the document would be too large: it goes on without.
                let _ = event.edits.set_json(original(event.chunk, event.index), pointer, json);
            }
            event.edits.commit();
        }
        event.found = looked.found;
    }

    /// Puts an event aside.
    pub(super) fn park(
        &mut self,
        (generation, chain): (u64, &Shared),
        event: &mut OnTheWay<'_, '_>,
        awaited: Awaited,
        held: Held,
        now: Instant,
    ) {
        let original = &event.chunk.events[event.index];
        let chunk = Arc::new(event.chunk.alone(original));
        let number = |error: &StageError<'_>| Some((chain.number_of(error.stage)?, error.kind));
        let errors = event.errors.iter().filter_map(number).collect();
        let edits = std::mem::take(event.edits);
        self.room.entries.push_back(Entry {
            shard: original.head.shard,
            bytes: chunk.bytes.len() + edits.own_bytes(),
            deadline: now + self.seat.timeout(),
            awaited,
            event: Parked { generation, chunk, edits, errors, sought: event.sought, held },
        });
    }

    /// The earliest generation that an event waits in.
    pub(super) fn generation(&self) -> Option<u64> {
        self.room.entries.iter().map(|entry| entry.event.generation).min()
    }

    /// Those that go on now, in their order.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(Parked, Looked)> {
        self.room.take_due(now, EVENTS_MAX, BYTES_MAX)
    }

    /// Waits, asleep on this thread, for work, or until something may go on.
    pub(super) fn wait(&self, work: &mut mpsc::Receiver<Work>) -> Woke {
        let Some(deadline) = self.room.deadline() else {
            return work.blocking_recv().map_or(Woke::End, Woke::Work);
        };
        let woke = async {
            tokio::select! {
                biased;
                () = self.seat.rung() => Woke::Due,
                Some(work) = work.recv() => Woke::Work(work),
            }
        };
        wait_until(woke, deadline).unwrap_or(Woke::Due)
    }
}

/// Waits, asleep on this thread, for what `future` gives, but not for longer than that.
fn wait_until<T>(future: impl Future<Output = T>, until: Instant) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

/// What waits, oldest first. Pure, but for tickets, whose answers come from elsewhere.
struct Room<E> {
    entries: VecDeque<Entry<E>>,
}

struct Entry<E> {
    /// Of the regarded object.
    shard: u32,
    bytes: usize,
    deadline: Instant,
    awaited: Awaited,
    event: E,
}

impl<E> Default for Room<E> {
    fn default() -> Room<E> {
        Room { entries: VecDeque::new() }
    }
}

impl<E> Room<E> {
    /// Whether an event about this regarded object waits, or about one with the same hash.
    fn holds(&self, shard: u32) -> bool {
        self.entries.iter().any(|entry| entry.shard == shard)
    }

    /// When the oldest goes on at the latest.
    fn deadline(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.deadline)
    }

    /// Takes out, in order, what need not wait any more, and the oldest of what is too much.
    fn take_due(&mut self, now: Instant, count_max: usize, bytes_max: usize) -> Vec<(E, Looked)> {
        let mut due = Vec::new();
        let mut kept = VecDeque::new();
        let mut behind = HashSet::new();
        let mut count = self.entries.len();
        let mut bytes = self.entries.iter().map(|entry| entry.bytes).sum::<usize>();
        for entry in self.entries.drain(..) {
            let looked = entry.awaited.now();
            let is_over = entry.deadline <= now || count > count_max || bytes > bytes_max;
            // Nothing is kept yet when there are too many: those that go are the oldest.
            if !is_over && (looked.is_none() || behind.contains(&entry.shard)) {
                behind.insert(entry.shard);
                kept.push_back(entry);
                continue;
            }
            count -= 1;
            bytes -= entry.bytes;
            let timeout = || Looked::of(&Answer::Timeout, Outcome::Timeout);
            due.push((entry.event, looked.unwrap_or_else(timeout)));
        }
        self.entries = kept;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const TIMEOUT: Duration = Duration::from_secs(2);

    fn entry(shard: u32, event: usize, now: Instant, ticket: Option<&Ticket>) -> Entry<usize> {
        let awaited = match ticket {
            Some(ticket) => Awaited::Ticket(ticket.clone()),
            None => Awaited::Ready(Looked::default()),
        };
        Entry { shard, bytes: 100, deadline: now + TIMEOUT, awaited, event }
    }

    proptest! {
        /// Whatever is answered when: every event goes on once, by its deadline, those of one
        /// object in their order, and no more wait than may.
        #[test]
        fn each_goes_on_once_in_time_and_in_the_order_of_its_object(
            steps in prop::collection::vec((0u32..4, any::<bool>(), 0u64..900, 0usize..12), 1..80),
        ) {
            let (mut room, start) = (Room::default(), Instant::now());
            let (mut now, mut tickets, mut came, mut gone) = (start, vec![], vec![], vec![]);
            for (number, (shard, asks, gap_ms, answered)) in steps.into_iter().enumerate() {
                let ticket = asks.then(Ticket::default);
                room.entries.push_back(entry(shard, number, now, ticket.as_ref()));
                came.push((shard, now));
                tickets.extend(ticket);
                now += Duration::from_millis(gap_ms);
                if let Some(ticket) = tickets.get(answered) {
                    ticket.answer_for_tests(Answer::Missing);
                }
                gone.extend(room.take_due(now, 10, 1_000).into_iter().map(|(event, _)| event));
                prop_assert!(room.entries.len() <= 10);
                prop_assert!(room.entries.iter().all(|entry| entry.deadline > now));
            }
            gone.extend(room.take_due(now + TIMEOUT, 10, 1_000).into_iter().map(|(event, _)| event));
            prop_assert_eq!(gone.len(), came.len());
            for shard in 0..4 {
                let of_shard: Vec<usize> =
                    gone.iter().copied().filter(|event| came[*event].0 == shard).collect();
                prop_assert!(of_shard.is_sorted(), "{of_shard:?}");
            }
        }
    }

    #[test]
    fn what_has_nothing_to_wait_for_waits_behind_one_of_its_object_and_no_other() {
        let (mut room, now, ticket) = (Room::default(), Instant::now(), Ticket::default());
        for (number, (shard, asks)) in [(1, true), (2, false), (1, false)].into_iter().enumerate() {
            room.entries.push_back(entry(shard, number, now, asks.then_some(&ticket)));
        }
        let due = |room: &mut Room<usize>| -> Vec<usize> {
            room.take_due(now, 10, 1_000).into_iter().map(|(event, _)| event).collect()
        };
        assert_eq!(due(&mut room), [1]);
        assert!(room.holds(1) && !room.holds(2));
        ticket.answer_for_tests(Answer::Forbidden);
        assert_eq!(due(&mut room), [0, 2]);
    }

    #[test]
    fn a_thread_that_waits_wakes_up_for_what_comes_and_when_its_time_is_over() {
        let (sender, mut receiver) = mpsc::channel(1);
        let far = Instant::now() + Duration::from_secs(60);
        let other = thread::spawn(move || sender.blocking_send(7));
        assert_eq!(wait_until(receiver.recv(), far), Some(Some(7)));
        other.join().unwrap().unwrap();
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(wait_until(std::future::pending::<()>(), soon), None);
        assert!(Instant::now() >= soon);
    }
}
