//! One life of weir: the production parts, wired as `pipeline` wires them, each doing something
//! when the world says.
//!
//! [`stages`] is the workers, [`sending`] the sink, [`marks`] what is saved and written into the
//! Lease, [`terms`] when the sources run, [`ending`] how it drains.

mod ending;
pub(super) mod marks;
mod sending;
mod stages;
mod terms;

use std::sync::Arc;

use self::ending::Ending;
use self::sending::Sending;
pub(super) use self::stages::Rules;
use self::stages::Worker;
use self::terms::Lease;
use super::clock::{Clock, MILLISECOND, NEVER, SECOND, Time, wall};
use super::feed::{Around, Feed, Link};
use super::home::Home;
use super::leases::Answer;
use super::oracle::Violation;
use super::plan::Plan;
use super::shared::Shared;
use crate::buffer::simulated::{Buffer, WORK_INTERVAL};
use crate::event::EncodeSettings;
use crate::handoff::{Closed, SourceSender, Takeover};
use crate::ledger::Ledger;
use crate::metrics::{Metrics, SourceMetrics};
use crate::pipeline::saving::Saving;
use crate::position::file::Store;
use crate::position::{Identity, Keeper, Target, Tracker};
use crate::sink::Mode;
use crate::sink::simulated::Ended;
use crate::source::Start;
use crate::source::kubernetes::simulated::Source;
use crate::stages::Published;

/// How often the spool's thread works.
const WORK_EVERY: Time = WORK_INTERVAL.as_micros() as Time;

/// What does something next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Feed(usize),
    Worker(usize),
    Spool,
    Sink,
    Save,
    Lease,
    Term,
    Wake,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Feed(_) => "feed",
            Part::Worker(_) => "worker",
            Part::Spool => "spool",
            Part::Sink => "sink",
            Part::Save => "save",
            Part::Lease => "lease",
            Part::Term => "term",
            Part::Wake => "wake",
        }
    }
}

/// One process.
pub(super) struct Process {
    pub(super) life: u32,
    home: Home,
    ledger: Ledger,
    tracker: Tracker,
    keeper: Keeper,
    saving: Saving,
    sender: SourceSender,
    scopes: Vec<Option<&'static str>>,
    start: Start,
    metrics: SourceMetrics,
    feeds: Vec<Feed>,
    /// How often what had been read was lost, as far as the sources know.
    losses: u64,
    /// How many rewinds the oracle knows of.
    rewinds: u64,
    epochs: marks::Known,
    takeover: Takeover,
    lease: Option<Lease>,
    workers: Vec<Worker>,
    rules: Published<Rules>,
    buffer: Buffer,
    sending: Sending,
    mode: Mode,
    encode: EncodeSettings,
    spool_due: Time,
    sink_due: Time,
    save_due: Time,
    save_every: Time,
    /// It was told to end.
    ending: Option<Ending>,
    /// Its sink has ended, whatever it had.
    is_aborted: bool,
    /// It stands still until then, and this has come meanwhile.
    paused_until: Time,
    inbox: Vec<Came>,
    /// It cannot reach the API server until then.
    cut_until: Time,
    random: fastrand::Rng,
    /// For what came to the simulator later: the histories of before stay what they were.
    dice: fastrand::Rng,
}

/// What comes to it from outside.
#[derive(Debug)]
pub(super) enum Came {
    /// A request to OpenSearch has ended.
    OfSink(u64, Ended),
    /// A request for the Lease has.
    OfLease(Answer),
}

impl Process {
    /// Starts one; an error when its disk cannot be opened.
    pub(super) fn start(
        life: u32,
        plan: &Plan,
        (home, rules): (Home, Rules),
        metrics: &Metrics,
        (clock, now): (Clock, Time),
        mut random: fastrand::Rng,
    ) -> Result<Process, String> {
        let ledger = Ledger::default();
        let tracker = Tracker::default();
        let (buffer, is_new) = Buffer::open(&home.disk, plan.sizes, &tracker, &ledger)
            .map_err(|error| error.to_string())?;
        let (saved, epochs) = home.file.load();
        let known = home.known.clone();
        known.load(&saved, &epochs);
        let target = Target { kind: "opensearch".into(), ..Target::default() };
        let identity =
            Identity { pipeline: "p".into(), source: "kubernetes".into(), cluster: None, target };
        let store = Some(Arc::new(home.file.clone()) as Arc<dyn Store>);
        let keeper = Keeper::over(store, None, saved, !is_new, identity, tracker.clone())
            .map_err(|error| error.to_string())?;
        keeper.target_is(Some("opensearch-1".into())).map_err(|error| error.to_string())?;
        let (sender, queues) =
            SourceSender::new(ledger.clone(), tracker.clone(), plan.chunks, plan.workers);
        let scopes = match plan.namespaces.as_slice() {
            [] => vec![None],
            names => names.iter().copied().map(Some).collect(),
        };
        let takeover = Takeover::at(wall(now));
        let mut dice = fastrand::Rng::with_seed(!random.get_seed());
        let asks_at = now + dice.u64(..300 * MILLISECOND);
        let rules = Published::new(rules);
        let sending = Sending::new(plan, &ledger, takeover.clone(), asks_at);
        let mut process = Process {
            life,
            ledger,
            tracker,
            saving: Saving::new(keeper.clone()),
            keeper,
            sender,
            scopes,
            start: plan.start,
            metrics: metrics.source.clone(),
            feeds: Vec::new(),
            losses: 0,
            rewinds: 0,
            epochs: known,
            takeover,
            lease: None,
            workers: queues.into_iter().map(|queue| Worker::new(queue, &rules, now)).collect(),
            rules,
            buffer,
            sending,
            mode: plan.mode,
            encode: EncodeSettings {
                fill_last_timestamp: false,
                cluster: Some("sim".into()),
                identity: true,
                keep_source: true,
            },
            spool_due: now,
            sink_due: now,
            save_due: now,
            save_every: plan.save_every,
            ending: None,
            is_aborted: false,
            paused_until: 0,
            inbox: Vec::new(),
            cut_until: 0,
            random: random.fork(),
            dice,
            home,
        };
        match plan.lease {
            None => process.begin_feeds(clock, now),
            Some(lease) => {
                let of = (process.keeper.clone(), process.takeover.clone());
                let lease = Lease::new(life, &process.home, lease, of, (clock, now), random);
                process.lease = Some(lease);
            }
        }
        Ok(process)
    }

    /// The sources begin, where the marks are.
    fn begin_feeds(&mut self, clock: Clock, now: Time) {
        for scope in &self.scopes {
            let (at, random) = (clock.at(now), self.random.fork());
            let (keeper, sender) = (&self.keeper, &self.sender);
            let source = Source::new(*scope, self.start, keeper, sender, &self.metrics, at, random);
            let epoch = self.epochs.of_mark(source.key(), &self.tracker.marks());
            let losses = sender.losses();
            self.feeds.push(Feed::new(source, epoch, losses, now, self.random.fork()));
        }
        // They are told of what was lost before they were there.
        self.losses = 0;
    }

    /// The sources end: what they have accepted is handed on.
    fn end_feeds(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        for mut feed in std::mem::take(&mut self.feeds) {
            feed.stop(&mut around(&self.sender, self.link(shared.now), shared)).map_err(closed)?;
            self.epochs.learn(&mut feed);
        }
        Ok(())
    }

    /// Its stages are others, from each worker's next chunk on.
    pub(super) fn swap(&self, rules: Rules) {
        self.rules.publish(rules);
    }

    /// It stands still.
    pub(super) fn pause(&mut self, until: Time) {
        self.paused_until = until;
        if let Some(lease) = &mut self.lease {
            // Of its tasks, that one need not be the first to go on.
            lease.late_until = until + self.dice.u64(..SECOND / 2);
        }
    }

    /// It cannot reach the API server.
    pub(super) fn cut(&mut self, until: Time) {
        self.cut_until = until;
    }

    fn link(&self, now: Time) -> Link {
        let is_alone = self.lease.as_ref().is_some_and(|lease| lease.is_alone);
        Link {
            cut_until: self.cut_until,
            life: self.life,
            is_alone,
            is_only: self.lease.is_none(),
            has_lapsed: self.takeover.has_lapsed(wall(now)),
        }
    }

    /// What does something next, and when.
    pub(super) fn next(&self, shared: &Shared) -> (Time, Part) {
        let now = shared.now;
        if now < self.paused_until {
            return (self.paused_until, Part::Wake);
        }
        if !self.inbox.is_empty() {
            return (now, Part::Wake);
        }
        let feeds = self.feeds.iter().enumerate();
        let feeds =
            feeds.map(|(at, feed)| (feed.due(shared.clock, &shared.server, now), Part::Feed(at)));
        let workers = self
            .workers
            .iter()
            .enumerate()
            .map(|(at, worker)| (worker.next(now), Part::Worker(at)));
        let own = [
            (self.spool_due, Part::Spool),
            (if self.is_aborted { NEVER } else { self.sink_due }, Part::Sink),
            (self.save_due, Part::Save),
        ];
        let lease =
            self.lease.as_ref().map_or([(NEVER, Part::Lease); 2], |lease| lease.next(shared.clock));
        let first = feeds.chain(workers).chain(own).chain(lease).min_by_key(|(due, _)| *due);
        first.map_or((NEVER, Part::Save), |(due, part)| (due.max(now), part))
    }

    /// It does it.
    pub(super) fn act(&mut self, part: Part, shared: &mut Shared) -> Result<(), Violation> {
        shared.trace.count(part.name());
        match part {
            Part::Feed(at) => self.feed(at, shared)?,
            Part::Worker(at) => self.work(at, shared)?,
            Part::Spool => self.spool(shared)?,
            Part::Sink => self.send(shared)?,
            Part::Save => self.save_in_time(shared)?,
            Part::Lease => self.lease_deadline(shared)?,
            Part::Term => self.begin_term(shared)?,
            Part::Wake => self.wake(shared)?,
        }
        if self.tracker.rewinds() != self.rewinds {
            self.rewinds = self.tracker.rewinds();
            shared.oracle.moved_back(self.life, shared.now);
            self.tell_of_saved(shared);
            self.save_due = self.save_due.min(shared.now + MILLISECOND);
        }
        self.count_losses(shared)?;
        self.renew_rewinds(shared)?;
        self.check(shared)
    }

    /// Something has come from outside.
    pub(super) fn came(&mut self, came: Came, shared: &mut Shared) -> Result<(), Violation> {
        if shared.now < self.paused_until {
            self.inbox.push(came);
            return Ok(());
        }
        match came {
            Came::OfSink(..) if self.is_aborted => {}
            Came::OfSink(number, ended) => self.ended(number, ended, shared)?,
            Came::OfLease(answer) => self.lease_answered(answer, shared)?,
        }
        self.check(shared)
    }

    /// It goes on, and first reads what has come: the worst that can be.
    fn wake(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        for came in std::mem::take(&mut self.inbox) {
            self.came(came, shared)?;
        }
        Ok(())
    }

    fn feed(&mut self, at: usize, shared: &mut Shared) -> Result<(), Violation> {
        let link = self.link(shared.now);
        let feed = &mut self.feeds[at];
        self.epochs.learn(feed);
        if feed.wants_save() {
            let is_saved = self.random.u8(..8) > 0;
            self.home.file.fail(!is_saved);
            let saved = self.save(true, shared);
            self.home.file.fail(false);
            let mut around = around(&self.sender, self.link(shared.now), shared);
            return self.feeds[at].saved(saved?, &mut around).map_err(closed);
        }
        feed.act(&mut around(&self.sender, link, shared)).map_err(closed)?;
        self.epochs.learn(&mut self.feeds[at]);
        Ok(())
    }

    fn spool(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let now = shared.now;
        let is_news = self.buffer.work(shared.clock.at(now));
        // With nothing on the way it would only look.
        let is_idle = self.ledger.snapshot().in_flight == 0 && now >= shared.calm_at;
        self.spool_due = now + if is_idle { 5 * SECOND } else { WORK_EVERY };
        // It has told those who wait for room.
        self.workers.iter_mut().for_each(|worker| worker.try_again(now));
        if is_news {
            self.wake_sink(now);
        }
        Ok(())
    }

    /// What was lost on disk, the sources read again.
    fn count_losses(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        let losses = *self.tracker.losses().borrow();
        if losses > 0 && !shared.oracle.was_damaged(self.home.number) {
            return Err("it found damage on a disk that was never damaged".to_owned());
        }
        if !self.feeds.is_empty() && losses != self.losses {
            self.losses = losses;
            shared.oracle.reads_again(self.life);
        }
        Ok(())
    }

    /// What must hold at every step.
    fn check(&self, shared: &Shared) -> Result<(), Violation> {
        let ledger = self.ledger.snapshot();
        if !ledger.is_balanced() {
            return Err(format!("the ledger is not balanced: {ledger}"));
        }
        if let Some(violation) = self.buffer.violation(shared.charge_max) {
            return Err(violation);
        }
        // After a restore two versions may share an id, and be of different days.
        if let Some(id) = shared.os.stored_twice.iter().find(|id| shared.oracle.is_alone(id)) {
            return Err(format!("{id} is stored in several indices"));
        }
        match shared.os.violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(()),
        }
    }

    /// Whether everything has its outcome, and the sources, if they run, wait for more.
    pub(super) fn is_at_rest(&self, shared: &Shared) -> bool {
        self.ledger.snapshot().in_flight == 0
            && self.buffer.is_at_rest()
            && self.feeds.iter().all(|feed| feed.is_at_rest(&shared.server))
    }

    /// Whether its sources run.
    pub(super) fn reads(&self) -> bool {
        !self.feeds.is_empty() && self.ending.is_none()
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
}

fn around<'a>(sender: &'a SourceSender, link: Link, shared: &'a mut Shared) -> Around<'a> {
    Around {
        link,
        clock: shared.clock,
        now: shared.now,
        server: &mut shared.server,
        oracle: &mut shared.oracle,
        sender,
        trace: &mut shared.trace,
    }
}

fn closed(closed: Closed) -> Violation {
    format!("a part ended on its own: {closed}")
}
