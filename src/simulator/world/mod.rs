//! The world of one seed: servers, machines and clock, what goes wrong when, and on each machine
//! one weir after the other.
//!
//! One thing happens at a time, the one that is due first; so a seed is one history, and replays
//! exactly.

mod faults;

use self::faults::Calendar;
use super::api_server::ApiServer;
use super::clock::{Clock, NEVER, SECOND, Time};
use super::leases::{Happened, Leases};
use super::opensearch::OpenSearch;
use super::oracle::{Oracle, Violation};
use super::plan::{Plan, around};
use super::process::{Came, Part, Process, Rules};
use super::replica::Replica;
use super::shared::Shared;
use super::trace::Trace;
use crate::buffer::simulated::Faults;
use crate::metrics::Metrics;

/// When the faults are over, the world comes to rest within this time: watches that lie are found
/// out after five minutes, and nothing waits longer than that twice.
const REST_WITHIN: Time = 1_800 * SECOND;
/// When the faults are over for so long, a document that can never be stored needs no others any
/// more to be known: longer than it takes to know it by them.
const MENDED_AFTER: Time = 900 * SECOND;
/// More steps than any run takes.
const STEPS_MAX: u64 = 1_000_000;

/// The world.
pub(super) struct World<'a> {
    shared: Shared,
    plan: Plan,
    calendar: Calendar,
    replicas: Vec<Replica>,
    lives: u32,
    metrics: &'a Metrics,
    random: fastrand::Rng,
    steps: u64,
    /// See [`Summary`].
    marks: u64,
    machines_gone: u64,
    swaps: u64,
}

/// What a run was like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    pub(super) steps: u64,
    pub(super) lives: u64,
    pub(super) versions: u64,
    pub(super) accepted: u64,
    pub(super) stored: u64,
    pub(super) resent: u64,
    pub(super) letters: u64,
    /// Rollovers, documents that a lookup found, and that were stored twice through the one window
    /// that there is.
    pub(super) rolled: u64,
    pub(super) found: u64,
    pub(super) windows: u64,
    /// Documents that were counted as stored in another index than those before them.
    pub(super) moved: u64,
    /// Terms of leaders, marks that were written into a Lease, and machines that went with their
    /// disks.
    pub(super) terms: u64,
    pub(super) marks: u64,
    pub(super) machines_gone: u64,
    /// Versions whose documents were damaged on disk.
    pub(super) damaged: u64,
    /// Versions that were lost because a process that had noticed a restore died before it could
    /// tell the next one.
    pub(super) untold: u64,
    /// Requests that were refused whatever was in them, and tokens that were given again.
    pub(super) refused_requests: u64,
    pub(super) repeated_tokens: u64,
    /// Letters of documents that were known only by others that passed or were stored.
    pub(super) odd_letters: u64,
    /// Versions that stood behind damage at the end of a disk's log when a read mark passed them.
    pub(super) behind_damage: u64,
    /// Changes of the stages, and versions that were dropped by some and kept by others.
    pub(super) swaps: u64,
    pub(super) both: u64,
}

impl<'a> World<'a> {
    /// `save_every`: how often positions are saved, whatever the seed says of that.
    pub(super) fn new(
        seed: u64,
        save_every: Option<Time>,
        metrics: &'a Metrics,
        is_traced: bool,
    ) -> World<'a> {
        let mut random = fastrand::Rng::with_seed(seed);
        let plan = Plan::new(&mut random);
        let plan = Plan { save_every: save_every.unwrap_or(plan.save_every), ..plan };
        let shared = Shared {
            clock: Clock::new(),
            // So that what is some seconds ago is a time.
            now: 60 * SECOND,
            server: ApiServer::new(&plan, random.fork()),
            leases: Leases::default(),
            os: OpenSearch::new(&plan, random.fork()),
            oracle: Oracle::new(plan.mode),
            trace: Trace::new(is_traced),
            charge_max: 0,
            calm_at: 60 * SECOND + plan.chaos,
            rules: Rules::default(),
        };
        let now = shared.now;
        let calendar = Calendar::new(&plan, now, &mut random);
        let replicas = (0..plan.machines).map(|number| Replica::new(number, &plan, now)).collect();
        let mut world = World {
            shared,
            plan,
            calendar,
            replicas,
            lives: 0,
            metrics,
            random,
            steps: 0,
            marks: 0,
            machines_gone: 0,
            swaps: 0,
        };
        for _ in 0..world.random.usize(..60) {
            world.shared.server.write(now);
        }
        world.shared.oracle.learn(&world.shared.server);
        world
    }

    /// Runs it to its end.
    pub(super) fn run(&mut self) -> Result<Summary, Violation> {
        self.shared.trace.say(0, || format!("{:?}", self.plan));
        while self.shared.now < self.shared.calm_at {
            self.step()?;
        }
        self.calm();
        while !self.is_at_rest() {
            self.step()?;
            if self.shared.now > self.shared.calm_at + REST_WITHIN || self.steps > STEPS_MAX {
                let processes = self.replicas.iter().filter_map(|replica| replica.process.as_ref());
                let processes: Vec<String> = processes.map(Process::describe).collect();
                return Err(format!("it does not come to rest: {}", processes.join("; ")));
            }
        }
        self.check_end()?;
        if let Some(violation) = &self.shared.server.violation {
            return Err(violation.clone());
        }
        let (oracle, os) = (&self.shared.oracle, &self.shared.os);
        Ok(Summary {
            steps: self.steps,
            lives: self.lives.into(),
            versions: self.shared.server.history.versions.len() as u64,
            accepted: oracle.accepted,
            stored: os.documents.len() as u64,
            resent: os.resent,
            letters: oracle.letters.values().map(|count| u64::from(*count)).sum(),
            rolled: os.generation,
            found: os.found,
            windows: os.windows,
            moved: oracle.moved,
            terms: oracle.terms,
            marks: self.marks,
            machines_gone: self.machines_gone,
            damaged: oracle.damaged,
            untold: oracle.lost_untold(&self.shared.server, os),
            refused_requests: os.refused_requests,
            repeated_tokens: self.shared.server.repeated_tokens,
            odd_letters: oracle.odd_letters,
            behind_damage: oracle.behind_damage,
            swaps: self.swaps,
            both: oracle.kept_and_filtered(),
        })
    }

    /// The last things that happened.
    pub(super) fn trace(&self) -> String {
        self.shared.trace.text()
    }

    fn check_end(&self) -> Result<(), Violation> {
        let shared = &self.shared;
        let scopes = match self.plan.namespaces.as_slice() {
            [] => vec!["*"],
            names => names.to_vec(),
        };
        shared.oracle.check_end(&scopes, &shared.server, &shared.os)
    }

    /// The faults are over.
    fn calm(&mut self) {
        let shared = &mut self.shared;
        shared.trace.say(shared.now, || "the faults are over".to_owned());
        (shared.server.is_calm, shared.os.is_calm) = (true, true);
        shared.server.down_until = shared.server.down_until.min(shared.now);
        shared.os.down_until = shared.now;
        shared.os.bad_template_until = shared.now;
        for replica in &mut self.replicas {
            replica.home.disk.set_faults(Faults::default());
            if let Some(process) = &mut replica.process {
                process.cut(shared.now);
                process.pause(shared.now);
            }
        }
        self.calendar = Calendar::default();
        if self.plan.needs_company() {
            // All of it good.
            self.shared.server.plan.poison = 0;
            self.calendar.write_at(self.shared.now);
            // Some have none: of an index of their own, or with a process that reads no more.
            self.shared.os.mended_at = self.shared.now + MENDED_AFTER;
        }
    }

    fn is_at_rest(&self) -> bool {
        let mut processes = self.replicas.iter().map(|replica| replica.process.as_ref());
        self.shared.os.requests.is_empty()
            && processes
                .clone()
                .all(|process| process.is_some_and(|process| process.is_at_rest(&self.shared)))
            && processes.any(|process| process.is_some_and(Process::reads))
    }

    /// The next thing happens.
    fn step(&mut self) -> Result<(), Violation> {
        self.steps += 1;
        let of_replicas =
            self.replicas.iter().enumerate().map(|(at, replica)| match &replica.process {
                Some(process) => {
                    let (due, part) = process.next(&self.shared);
                    (due, at, Some(part))
                }
                None => (replica.starts_at, at, None),
            });
        let (of_replica, at, part) =
            of_replicas.min_by_key(|next| next.0).unwrap_or((NEVER, 0, None));
        let of_sink = self.shared.os.due().unwrap_or(NEVER);
        let of_lease = self.shared.leases.due();
        let of_world = self.calendar.next();
        let now = of_replica.min(of_sink).min(of_lease).min(of_world).max(self.shared.now);
        if now == NEVER {
            return Err("nothing will ever happen again".to_owned());
        }
        self.shared.now = now;
        if of_world <= now {
            self.happen()
        } else if of_sink <= now {
            self.carry()
        } else if of_lease <= now {
            self.carry_lease()
        } else {
            self.live(at, part)
        }
    }

    /// OpenSearch carries a request out, or a request ends.
    fn carry(&mut self) -> Result<(), Violation> {
        let Some((life, number, ended)) = self.shared.os.act(self.shared.now) else {
            return Ok(());
        };
        self.tell(life, Came::OfSink(number, ended))
    }

    /// The Lease is written, or a request for it ends.
    fn carry_lease(&mut self) -> Result<(), Violation> {
        let shared = &mut self.shared;
        match shared.leases.act(&shared.server, shared.now) {
            Some(Happened::Applied { by: (life, sent), marks: Some(marks) }) => {
                self.marks += 1;
                shared.oracle.told(life, sent);
                shared.check_lease(marks)
            }
            Some(Happened::Ended(answer)) => self.tell(answer.life, Came::OfLease(answer)),
            Some(Happened::Applied { marks: None, .. }) | None => Ok(()),
        }
    }

    fn tell(&mut self, life: u32, came: Came) -> Result<(), Violation> {
        let processes = self.replicas.iter_mut().filter_map(|replica| replica.process.as_mut());
        match processes.into_iter().find(|process| process.life == life) {
            Some(process) => process.came(came, &mut self.shared),
            // Nobody is there to hear it.
            None => Ok(()),
        }
    }

    fn live(&mut self, which: usize, part: Option<Part>) -> Result<(), Violation> {
        let replica = &mut self.replicas[which];
        let (Some(process), Some(part)) = (&mut replica.process, part) else {
            return self.start(which);
        };
        let shared = &mut self.shared;
        process.act(part, shared)?;
        let Some(is_clean) = process.end(shared)? else { return Ok(()) };
        let life = process.life;
        replica.process = None;
        shared.trace.say(shared.now, || format!("life {life} has drained, clean: {is_clean}"));
        if !is_clean {
            shared.oracle.life_cut_short(life);
        }
        shared.leases.forget(life);
        replica.home.disk.kill();
        replica.starts_at = shared.now + around(SECOND, &mut self.random);
        Ok(())
    }

    fn start(&mut self, which: usize) -> Result<(), Violation> {
        self.lives += 1;
        let (shared, replica) = (&mut self.shared, &mut self.replicas[which]);
        let at = (shared.clock, shared.now);
        let (home, random) = (replica.home.clone(), self.random.fork());
        match Process::start(self.lives, &self.plan, (home, shared.rules), self.metrics, at, random)
        {
            Ok(process) => {
                shared
                    .trace
                    .say(shared.now, || format!("life {} begins on machine {which}", self.lives));
                shared.oracle.life_begins(self.lives);
                replica.lives.push(self.lives);
                replica.process = Some(process);
            }
            Err(error) => {
                shared.trace.say(shared.now, || format!("cannot start: {error}"));
                replica.home.disk.kill();
                replica.starts_at = shared.now + SECOND;
            }
        }
        Ok(())
    }
}
