//! The world of one seed: servers, disk and clock, what goes wrong when, and one weir after the other in it.
//!
//! One thing happens at a time, the one that is due first; so a seed is one history, and replays exactly.

use super::api_server::ApiServer;
use super::clock::{Clock, NEVER, SECOND, Time};
use super::opensearch::OpenSearch;
use super::oracle::{Mark, Oracle, Violation};
use super::plan::{Plan, around};
use super::position_file::PositionFile;
use super::process::{Part, Process};
use super::trace::Trace;
use crate::buffer::simulated::{Faults, SimulatedDisk};
use crate::metrics::Metrics;

/// When the faults are over, the world comes to rest within this time: watches that lie are found out after five minutes, and
/// nothing waits longer than that twice.
const REST_WITHIN: Time = 1_800 * SECOND;
/// More steps than any run takes.
const STEPS_MAX: u64 = 1_000_000;

/// What processes live in.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) now: Time,
    pub(super) server: ApiServer,
    pub(super) os: OpenSearch,
    pub(super) disk: SimulatedDisk,
    pub(super) file: PositionFile,
    pub(super) oracle: Oracle,
    pub(super) trace: Trace,
    /// What the largest documents were charged with, in any life.
    pub(super) charge_max: u64,
    /// From then on nothing goes wrong.
    pub(super) calm_at: Time,
}

/// What happens to the world, and when next.
struct Calendar {
    write: Time,
    compact: Time,
    end: Time,
    restore: Time,
    outage: Time,
    disk_mended: Time,
    roll: Time,
}

/// The world.
pub(super) struct World<'a> {
    shared: Shared,
    plan: Plan,
    calendar: Calendar,
    process: Option<Process>,
    starts_at: Time,
    lives: u32,
    metrics: &'a Metrics,
    random: fastrand::Rng,
    pub(super) steps: u64,
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
    /// Rollovers, documents that a lookup found, and that were stored twice through the one window that there is.
    pub(super) rolled: u64,
    pub(super) found: u64,
    pub(super) windows: u64,
}

impl Shared {
    pub(super) fn check_mark(&mut self, which: Mark, at: (&str, u64, u32)) -> Result<(), Violation> {
        self.oracle.check_mark(which, at, &self.server, &self.os, &self.disk)
    }
}

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, metrics: &'a Metrics, is_traced: bool) -> World<'a> {
        let mut random = fastrand::Rng::with_seed(seed);
        let plan = Plan::new(&mut random);
        let shared = Shared {
            clock: Clock::new(),
            // So that what is some seconds ago is a time.
            now: 60 * SECOND,
            server: ApiServer::new(&plan, random.fork()),
            os: OpenSearch::new(&plan, random.fork()),
            disk: SimulatedDisk::default(),
            file: PositionFile::default(),
            oracle: Oracle::new(plan.mode),
            trace: Trace::new(is_traced),
            charge_max: 0,
            calm_at: 60 * SECOND + plan.chaos,
        };
        let now = shared.now;
        let mut later = |mean: Option<Time>| mean.map_or(NEVER, |mean| now + around(mean, &mut random));
        let calendar = Calendar {
            write: later(Some(plan.write_every)),
            compact: later(Some(plan.compact_every)),
            end: later(plan.end_every),
            restore: later(plan.restore_every),
            outage: later(Some(plan.outage_every)),
            disk_mended: NEVER,
            roll: later(plan.roll_every),
        };
        let (process, starts_at, lives, steps) = (None, now, 0, 0);
        let mut world = World { shared, plan, calendar, process, starts_at, lives, metrics, random, steps };
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
                let process = self.process.as_ref().map_or_else(String::new, Process::describe);
                return Err(format!("it does not come to rest: {process}"));
            }
        }
        self.check_end()?;
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
        shared.disk.set_faults(Faults::default());
        let never = Calendar {
            write: NEVER,
            compact: NEVER,
            end: NEVER,
            restore: NEVER,
            outage: NEVER,
            disk_mended: NEVER,
            roll: NEVER,
        };
        self.calendar = never;
    }

    fn is_at_rest(&self) -> bool {
        self.shared.os.requests.is_empty()
            && self.process.as_ref().is_some_and(|process| process.is_at_rest(&self.shared))
    }

    /// The next thing happens.
    fn step(&mut self) -> Result<(), Violation> {
        self.steps += 1;
        let (of_process, part) = match &self.process {
            Some(process) => {
                let (due, part) = process.next(&self.shared);
                (due, Some(part))
            }
            None => (self.starts_at, None),
        };
        let of_sink = self.shared.os.due().unwrap_or(NEVER);
        let Calendar { write, compact, end, restore, outage, disk_mended, roll } = self.calendar;
        let of_world = write.min(compact).min(end).min(restore).min(outage).min(disk_mended).min(roll);
        let now = of_process.min(of_sink).min(of_world).max(self.shared.now);
        if now == NEVER {
            return Err("nothing will ever happen again".to_owned());
        }
        self.shared.now = now;
        if of_world <= now {
            self.happen()
        } else if of_sink <= now {
            self.carry()
        } else {
            self.live(part)
        }
    }

    fn happen(&mut self) -> Result<(), Violation> {
        let now = self.shared.now;
        let random = &mut self.random;
        let shared = &mut self.shared;
        if self.calendar.write <= now {
            self.calendar.write = now + around(self.plan.write_every, random);
            shared.server.write(now);
            shared.oracle.learn(&shared.server);
        } else if self.calendar.compact <= now {
            self.calendar.compact = now + around(self.plan.compact_every, random);
            shared.server.compact();
        } else if self.calendar.restore <= now {
            self.calendar.restore = NEVER;
            shared.server.restore(now);
            shared.trace.say(now, || format!("restored at {}", shared.server.revision));
            shared.oracle.restored(&shared.server);
        } else if self.calendar.roll <= now {
            let mean = self.plan.roll_every.unwrap_or(NEVER);
            self.calendar.roll = now + around(mean, random);
            shared.os.roll_over();
            shared.trace.say(now, || format!("rolled over to {}", shared.os.generation));
        } else if self.calendar.disk_mended <= now {
            self.calendar.disk_mended = NEVER;
            shared.disk.set_faults(Faults::default());
        } else if self.calendar.outage <= now {
            self.calendar.outage = now + around(self.plan.outage_every, random);
            self.outage();
        } else {
            let mean = self.plan.end_every.unwrap_or(NEVER);
            self.calendar.end = now + around(mean, random);
            return self.end_process();
        }
        Ok(())
    }

    fn outage(&mut self) {
        let (random, shared) = (&mut self.random, &mut self.shared);
        let until = shared.now + random.u64(..self.plan.outage_longest);
        match random.u8(..6) {
            0 => shared.server.down_until = until,
            1 | 2 if self.plan.has_bad_template => {
                shared.os.bad_template_until = until;
                shared.os.bad_templates += 1;
            }
            1..=3 => shared.os.down_until = until,
            _ => {
                let faults = match random.u8(..3) {
                    0 => Faults {
                        capacity: Some(shared.disk.bytes() + random.u64(..5_000)),
                        ..Faults::default()
                    },
                    1 => Faults { syncs: random.u32(1..20), ..Faults::default() },
                    _ => Faults { reads: random.u32(1..20), ..Faults::default() },
                };
                shared.disk.set_faults(faults);
                self.calendar.disk_mended = until;
            }
        }
    }

    /// The process is killed, its machine loses power, or it is told to stop.
    fn end_process(&mut self) -> Result<(), Violation> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let shared = &mut self.shared;
        let how = self.random.u8(..4);
        shared.trace.say(shared.now, || format!("life {} ends: {how}", process.life));
        if how == 0 {
            process.drain(shared)?;
            self.process = Some(process);
            return Ok(());
        }
        self.gone(process.life, how == 1);
        drop(process);
        Ok(())
    }

    fn gone(&mut self, life: u32, loses_power: bool) {
        let shared = &mut self.shared;
        shared.oracle.life_cut_short(life);
        if loses_power {
            shared.disk.crash(&mut self.random);
            shared.file.power_failed(&mut self.random);
        } else {
            shared.disk.kill();
        }
        self.starts_at = shared.now + around(SECOND, &mut self.random);
    }

    /// OpenSearch carries a request out, or a request ends.
    fn carry(&mut self) -> Result<(), Violation> {
        let Some((life, number, ended)) = self.shared.os.act(self.shared.now) else { return Ok(()) };
        match &mut self.process {
            Some(process) if process.life == life => process.ended(number, ended, &mut self.shared),
            // Nobody is there to hear it.
            _ => Ok(()),
        }
    }

    fn live(&mut self, part: Option<Part>) -> Result<(), Violation> {
        let (Some(process), Some(part)) = (&mut self.process, part) else { return self.start() };
        process.act(part, &mut self.shared)?;
        if !process.is_drained(self.shared.now) {
            return Ok(());
        }
        let Some(process) = self.process.take() else { return Ok(()) };
        let life = process.life;
        let is_clean = process.finish(&mut self.shared)?;
        self.shared.trace.say(self.shared.now, || format!("life {life} has drained, clean: {is_clean}"));
        if !is_clean {
            self.shared.oracle.life_cut_short(life);
        }
        self.shared.disk.kill();
        self.starts_at = self.shared.now + around(SECOND, &mut self.random);
        Ok(())
    }

    fn start(&mut self) -> Result<(), Violation> {
        self.lives += 1;
        let shared = &mut self.shared;
        let at = (shared.clock, shared.now);
        let random = self.random.fork();
        let (disk, file) = (&shared.disk, &shared.file);
        match Process::start(self.lives, &self.plan, disk, file, self.metrics, at, random) {
            Ok(process) => {
                shared.trace.say(shared.now, || format!("life {} begins", self.lives));
                shared.oracle.life_begins();
                self.process = Some(process);
            }
            Err(error) => {
                shared.trace.say(shared.now, || format!("cannot start: {error}"));
                shared.disk.kill();
                self.starts_at = shared.now + SECOND;
            }
        }
        Ok(())
    }
}
