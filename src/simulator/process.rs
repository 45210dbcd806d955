//! One life of weir: the production parts, wired as `pipeline` wires them, each doing something when the world says.

use tokio::sync::mpsc::Receiver;

use super::clock::{Clock, MILLISECOND, NEVER, SECOND, Time, wall};
use super::feed::{Around, Feed};
use super::history::id_in;
use super::oracle::{Mark, Violation};
use super::plan::Plan;
use super::position_file::{Epochs, PositionFile};
use super::world::Shared;
use crate::buffer::simulated::{Buffer, SimulatedDisk, charge_of};
use crate::event::{Documents, Edits, EncodeSettings, EventView, Original, encode};
use crate::handoff::{Closed, Outlet, Takeover, Work};
use crate::ledger::{Held, Ledger, Tally};
use crate::metrics::Metrics;
use crate::position::{Identity, Keeper, Target, Tracker};
use crate::sink::Mode;
use crate::sink::simulated::{Dead, Ended, Next, Request, Sink};
use crate::source::kubernetes::simulated::Source;

/// How often positions are saved, and how often the spool's thread works.
const SAVE_EVERY: Time = 200 * MILLISECOND;
const WORK_EVERY: Time = 100 * MILLISECOND;
/// How long a drain may take.
const DRAIN_MAX: Time = 25 * SECOND;

/// A worker: its queue, and what found no room in the buffer.
struct Worker {
    queue: Receiver<Work>,
    blocked: Option<(Documents, Held)>,
    due: Time,
}

/// What does something next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Feed(usize),
    Worker(usize),
    Spool,
    Sink,
    Save,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Feed(_) => "feed",
            Part::Worker(_) => "worker",
            Part::Spool => "spool",
            Part::Sink => "sink",
            Part::Save => "save",
        }
    }
}

/// One process.
pub(super) struct Process {
    pub(super) life: u32,
    ledger: Ledger,
    tracker: Tracker,
    keeper: Keeper,
    outlet: Outlet,
    feeds: Vec<Feed>,
    workers: Vec<Worker>,
    buffer: Buffer,
    sink: Sink,
    mode: Mode,
    encode: EncodeSettings,
    spool_due: Time,
    durably_due: Time,
    sink_due: Time,
    save_due: Time,
    /// Since when it drains.
    drains_since: Option<Time>,
    random: fastrand::Rng,
}

impl Process {
    /// Starts one; an error when its disk cannot be opened.
    pub(super) fn start(
        life: u32,
        plan: &Plan,
        disk: &SimulatedDisk,
        file: &PositionFile,
        metrics: &Metrics,
        (clock, now): (Clock, Time),
        mut random: fastrand::Rng,
    ) -> Result<Process, String> {
        let ledger = Ledger::default();
        let tracker = Tracker::default();
        let (buffer, is_new) =
            Buffer::open(disk, plan.sizes, &tracker, &ledger).map_err(|error| error.to_string())?;
        let (saved, epochs) = file.load();
        let target = Target { kind: "opensearch".into(), ..Target::default() };
        let identity = Identity { pipeline: "p".into(), source: "kubernetes".into(), cluster: None, target };
        let keeper =
            Keeper::of(saved, None, !is_new, identity, tracker.clone()).map_err(|error| error.to_string())?;
        keeper.target_is(Some("opensearch-1".into())).map_err(|error| error.to_string())?;
        let (outlet, queues) = Outlet::new(ledger.clone(), plan.chunks, plan.workers);
        let outlet = outlet.with_tracker(tracker.clone());
        let scopes: Vec<Option<&str>> = match plan.namespaces.as_slice() {
            [] => vec![None],
            names => names.iter().copied().map(Some).collect(),
        };
        let feeds = scopes.into_iter().map(|scope| {
            let at = clock.at(now);
            let (start, metrics) = (plan.start, &metrics.source);
            let source = Source::new(scope, start, &keeper, &outlet, metrics, at, random.fork());
            let epoch = epochs.get(source.key()).copied().unwrap_or_default();
            Feed::new(source, epoch, now, random.fork())
        });
        let feeds = feeds.collect();
        let workers = queues.into_iter().map(|queue| Worker { queue, blocked: None, due: now }).collect();
        let takeover = plan.roll_every.map(|_| Takeover::at(wall(now)));
        let sink = Sink::new(plan.pattern(), plan.mode, &ledger, &tracker, takeover);
        let encode = EncodeSettings { cluster: Some("sim".into()), identity: true, keep_source: true };
        Ok(Process {
            life,
            ledger,
            tracker,
            keeper,
            outlet,
            feeds,
            workers,
            buffer,
            sink,
            mode: plan.mode,
            encode,
            spool_due: now,
            durably_due: now,
            sink_due: now,
            save_due: now,
            drains_since: None,
            random,
        })
    }

    /// What does something next, and when.
    pub(super) fn next(&self, shared: &Shared) -> (Time, Part) {
        let now = shared.now;
        let feeds = self.feeds.iter().enumerate();
        let feeds = feeds.map(|(at, feed)| (feed.due(shared.clock, &shared.server, now), Part::Feed(at)));
        let workers = self.workers.iter().enumerate().map(|(at, worker)| {
            let is_idle = worker.blocked.is_none() && worker.queue.is_empty();
            (if is_idle { NEVER } else { worker.due.max(now) }, Part::Worker(at))
        });
        let own = [(self.spool_due, Part::Spool), (self.sink_due, Part::Sink), (self.save_due, Part::Save)];
        let first = feeds.chain(workers).chain(own).min_by_key(|(due, _)| *due);
        first.map_or((NEVER, Part::Save), |(due, part)| (due.max(now), part))
    }

    /// It does it.
    pub(super) fn act(&mut self, part: Part, shared: &mut Shared) -> Result<(), Violation> {
        shared.trace.count(part.name());
        match part {
            Part::Feed(at) => self.feed(at, shared)?,
            Part::Worker(at) => self.work(at, shared)?,
            Part::Spool => self.spool(shared),
            Part::Sink => self.send(shared)?,
            Part::Save => self.save(false, shared)?,
        }
        self.check(shared)
    }

    fn feed(&mut self, at: usize, shared: &mut Shared) -> Result<(), Violation> {
        let feed = &mut self.feeds[at];
        if feed.wants_save() {
            let is_saved = self.random.u8(..8) > 0;
            if is_saved {
                self.save(true, shared)?;
            }
            let mut around = around(&self.outlet, shared);
            return self.feeds[at].saved(is_saved, &mut around).map_err(closed);
        }
        feed.act(&mut around(&self.outlet, shared)).map_err(closed)
    }

    fn work(&mut self, number: usize, shared: &mut Shared) -> Result<(), Violation> {
        let at = shared.clock.at(shared.now);
        let worker = &mut self.workers[number];
        worker.due = shared.now + self.random.u64(..5) * MILLISECOND;
        if let Some((documents, held)) = worker.blocked.take() {
            worker.blocked = self.buffer.put(documents, held, at).map_err(closed)?;
            let is_blocked = worker.blocked.is_some();
            worker.due += if is_blocked { 20 * MILLISECOND } else { 0 };
        } else if let Ok(work) = worker.queue.try_recv() {
            let (documents, held) = self.run_chunk(number, work, shared)?;
            if !documents.docs.is_empty() {
                shared.charge_max = shared.charge_max.max(charge_of(&documents));
                self.workers[number].blocked = self.buffer.put(documents, held, at).map_err(closed)?;
            }
        }
        self.wake_sink(shared.now);
        Ok(())
    }

    /// The stages as a function: what begins with `Dropped` is dropped.
    fn run_chunk(
        &mut self,
        number: usize,
        mut work: Work,
        shared: &mut Shared,
    ) -> Result<(Documents, Held), Violation> {
        let mut documents = Documents::default();
        let mut tally = Tally::default();
        let dropped = self.ledger.filter_reason("simulated", "dropped");
        let edits = Edits::default();
        let chunk = work.chunk.clone();
        for event in &chunk.events {
            if self.workers.len() > 1 && event.head.shard as usize % self.workers.len() != number {
                continue;
            }
            let bytes = chunk.event_bytes(event);
            shared.trace.say(shared.now, || format!("worker {number} gets {}", id_in(bytes)));
            shared.oracle.accept(&id_in(bytes), self.life)?;
            if &bytes[event.head.reason.range()] == b"Dropped" {
                tally.filtered(dropped, 1);
                continue;
            }
            let of = Original { bytes, head: &event.head, members: chunk.event_members(event) };
            let source = &chunk.bytes[event.source_bytes.clone()];
            encode(EventView { of, edits: &edits }, source, &[], &self.encode, &mut documents);
        }
        let rejects = if number == 0 { chunk.rejects.as_slice() } else { &[] };
        for reject in rejects {
            let id = id_in(&reject.bytes);
            shared.trace.say(shared.now, || format!("worker {number} gets {id}, refused: {reject:?}"));
            shared.oracle.accept_malformed(&id, self.life);
            shared.oracle.bury(id, self.life, &shared.os, &shared.server)?;
            tally.dead_lettered(self.ledger.dead_letter_reason("source", reject.kind.label()), 1);
        }
        drop(chunk);
        work.held.settle(&tally);
        Ok((documents, work.held))
    }

    fn spool(&mut self, shared: &mut Shared) {
        let now = shared.now;
        let durably = now >= self.durably_due;
        if durably {
            self.durably_due = now + SECOND;
        }
        let is_news = self.buffer.work(shared.clock.at(now), durably);
        // With nothing on the way it would only look.
        let is_idle = self.ledger.snapshot().in_flight == 0 && now >= shared.calm_at;
        self.spool_due = now + if is_idle { 5 * SECOND } else { WORK_EVERY };
        if is_news {
            self.wake_sink(now);
        }
    }

    fn wake_sink(&mut self, now: Time) {
        self.sink_due = self.sink_due.min(now + self.random.u64(..2 * MILLISECOND));
    }

    fn send(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let at = shared.clock.at(shared.now);
        loop {
            let wake = match self.sink.next(at, wall(shared.now)) {
                Next::Send(number, request) => {
                    self.ask(number, request, shared);
                    continue;
                }
                Next::Fetch(limits, wake) => match self.buffer.take(limits) {
                    Some(items) => {
                        let dead = self.sink.admit(items);
                        self.bury(dead, shared)?;
                        continue;
                    }
                    None => wake,
                },
                Next::Wait(wake) => wake,
            };
            self.sink_due = shared.clock.time_of(wake);
            if self.buffer.wants_refill() {
                self.spool_due = self.spool_due.min(shared.now + MILLISECOND);
            }
            return Ok(());
        }
    }

    fn ask(&self, number: u64, request: Request, shared: &mut Shared) {
        shared.trace.say(shared.now, || match &request {
            Request::Bulk(body) => format!("sends request {number}, {} bytes", body.len()),
            Request::Refresh => format!("refreshes for request {number}"),
            Request::Search(body) => {
                format!("looks up for request {number}: {}", String::from_utf8_lossy(body))
            }
        });
        shared.os.send(self.life, number, request, shared.now);
    }

    /// One of its requests has ended.
    pub(super) fn ended(&mut self, number: u64, ended: Ended, shared: &mut Shared) -> Result<(), Violation> {
        shared.trace.say(shared.now, || format!("request {number}: {ended:?}"));
        let random = self.random.f64();
        let outcome = self.sink.ended(number, ended, shared.clock.at(shared.now), random);
        if let Some(request) = outcome.next {
            self.ask(number, request, shared);
        }
        self.bury(outcome.dead, shared)?;
        self.wake_sink(shared.now);
        self.check(shared)
    }

    fn bury(&mut self, dead: Vec<Dead>, shared: &mut Shared) -> Result<(), Violation> {
        for letter in &dead {
            shared.oracle.bury(id_in(letter.body()), self.life, &shared.os, &shared.server)?;
        }
        self.sink.buried(dead);
        Ok(())
    }

    fn save(&mut self, durably: bool, shared: &mut Shared) -> Result<(), Violation> {
        self.save_due = shared.now + if shared.now >= shared.calm_at { SECOND } else { SAVE_EVERY };
        let mut epochs = Epochs::new();
        for feed in &self.feeds {
            let mark = self.tracker.marks().get(feed.key()).and_then(|mark| mark.parse().ok());
            if let Some((mark, epoch)) = mark.and_then(|mark| Some((mark, feed.epoch_of(mark)?))) {
                epochs.insert(feed.key().to_owned(), epoch);
                shared.check_mark(Mark::Read, (feed.key(), mark, epoch))?;
            }
        }
        for (scope, mark) in self.buffer.settled_marks() {
            let feed = self.feeds.iter().find(|feed| feed.key() == scope);
            if let (Some(feed), Ok(mark)) = (feed, mark.parse())
                && let Some(epoch) = feed.epoch_of(mark)
            {
                shared.check_mark(Mark::Settled, (&scope, mark, epoch))?;
            }
        }
        let file = &mut shared.file;
        let saved: Result<(), std::convert::Infallible> =
            self.keeper.save_with(durably, |record, durably| {
                file.save(record, durably, epochs);
                Ok(())
            });
        saved.map_err(|never| match never {})
    }

    /// What must hold at every step.
    fn check(&self, shared: &Shared) -> Result<(), Violation> {
        let ledger = self.ledger.snapshot();
        if !ledger.is_balanced() {
            return Err(format!("the ledger is not balanced: {ledger}"));
        }
        if let Some(bound) = self.buffer.broken_bound(shared.charge_max) {
            return Err(bound);
        }
        match shared.os.violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(()),
        }
    }

    /// Whether everything has its outcome, and the sources wait for more.
    pub(super) fn is_at_rest(&self, shared: &Shared) -> bool {
        self.ledger.snapshot().in_flight == 0
            && self.buffer.is_empty()
            && self.feeds.iter().all(|feed| feed.is_at_rest(&shared.server))
    }

    /// What it is doing, for people.
    pub(super) fn describe(&self) -> String {
        let states: Vec<String> = self.feeds.iter().map(Feed::describe).collect();
        format!(
            "{}; {}; {} bytes in memory; mode {:?}",
            states.join(", "),
            self.ledger.snapshot(),
            self.buffer.memory_bytes(),
            self.mode
        )
    }

    /// SIGTERM.
    pub(super) fn drain(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        self.drains_since = Some(shared.now);
        for feed in &mut self.feeds {
            feed.stop(&mut around(&self.outlet, shared)).map_err(closed)?;
        }
        self.buffer.drain();
        Ok(())
    }

    /// Whether a drain is over, or has had its time.
    pub(super) fn is_drained(&mut self, now: Time) -> bool {
        let Some(since) = self.drains_since else { return false };
        let is_worked = self.workers.iter().all(|worker| worker.blocked.is_none() && worker.queue.is_empty());
        if is_worked && self.buffer.is_memory_empty() {
            self.sink.end();
        }
        self.sink.is_done() || now >= since + DRAIN_MAX
    }

    /// The end of a drain. Answers whether nothing is left behind but what is on disk.
    pub(super) fn finish(mut self, shared: &mut Shared) -> Result<bool, Violation> {
        self.ledger.cut_short();
        self.buffer.secure(shared.clock.at(shared.now));
        let on_disk = self.buffer.documents_on_disk();
        let left = self.ledger.snapshot().in_flight.saturating_sub(on_disk);
        self.save(true, shared)?;
        Ok(left == 0)
    }
}

fn around<'a>(outlet: &'a Outlet, shared: &'a mut Shared) -> Around<'a> {
    Around {
        clock: shared.clock,
        now: shared.now,
        server: &mut shared.server,
        oracle: &mut shared.oracle,
        outlet,
        trace: &mut shared.trace,
    }
}

fn closed(closed: Closed) -> Violation {
    format!("a part ended on its own: {closed}")
}
