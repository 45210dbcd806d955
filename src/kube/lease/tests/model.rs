//! Several machines against a simulated API server: versions and conflicts, writes that are applied
//! late or whose answer is lost, processes that are paused, killed and cut off, clocks that run
//! differently.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::machine::Machine;
use super::super::record::Record;
use super::super::step::{Action, Input, LeaseName, Moment};
use super::super::timing::RELEASE_MAX;
use super::super::{Leadership, Term};

const SECOND: u64 = 1_000_000;
const DURATION: u64 = 15 * SECOND;
/// Longer than any answer is delayed, applied late, or waited for.
const LATE_MAX: u64 = 10 * SECOND;
const LATENCY_MAX: u64 = SECOND / 20;

/// What goes wrong, to which process and for how long in microseconds.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Killed; another process starts in its place, when that time is over.
    Kill(usize, u64),
    /// Stopped, and goes on.
    Pause(usize, u64),
    /// Cannot reach the API server.
    Cut(usize, u64),
    /// The API server answers nobody.
    Outage(u64),
    /// Gives the Lease up and ends; another process starts in its place.
    Release(usize),
    /// Renews it before its time.
    Renew(usize),
    /// Somebody sets a label on the Lease.
    Label,
    /// Somebody deletes the Lease.
    Delete,
}

fn fault() -> impl Strategy<Value = Fault> {
    let who = 0..3usize;
    let time = (1..40u64).prop_map(|seconds| seconds * SECOND);
    prop_oneof![
        3 => (who.clone(), time.clone()).prop_map(|(who, time)| Fault::Kill(who, time)),
        3 => (who.clone(), time.clone()).prop_map(|(who, time)| Fault::Pause(who, time)),
        3 => (who.clone(), time.clone()).prop_map(|(who, time)| Fault::Cut(who, time)),
        2 => time.prop_map(Fault::Outage),
        2 => who.clone().prop_map(Fault::Release),
        2 => who.prop_map(Fault::Renew),
        1 => Just(Fault::Label),
    ]
}

/// Faults, each some microseconds after the one before.
fn faults(fault: impl Strategy<Value = Fault>) -> impl Strategy<Value = Vec<(u64, Fault)>> {
    prop::collection::vec((0..20 * SECOND, fault), 0..12)
}

/// What is to happen.
#[derive(Debug)]
enum Event {
    Fault(Fault),
    /// A request reaches the API server; then its answer is given, or lost.
    Applied {
        process: usize,
        writer: String,
        request: u64,
        action: Action,
        answered_at: Option<u64>,
    },
    /// An answer reaches its process.
    Answered {
        process: usize,
        request: u64,
        input: Input,
    },
    Resumed(usize),
    Started(usize),
}

/// A process: the machine, its clock, and a pipeline that settles something now and then.
struct Process {
    identity: String,
    machine: Machine,
    origin: Instant,
    /// How fast its clock is.
    rate: f64,
    alive: bool,
    releasing: bool,
    paused: bool,
    cut_until: u64,
    /// The request that it waits for.
    request: Option<u64>,
    /// What came while it was paused.
    inbox: Vec<(u64, Input)>,
    settled: u64,
    /// The term from whose mark the pipeline began, and when it had.
    began: Option<(Term, u64)>,
}

#[derive(Default)]
struct Server {
    object: Option<Value>,
    version: u64,
    /// When its holder last wrote.
    held_since: u64,
    deleted_at: Option<u64>,
    down_until: u64,
}

struct World {
    now: u64,
    random: fastrand::Rng,
    /// How many requests of 100 meet something bad.
    bad: u32,
    server: Server,
    processes: Vec<Process>,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    started: u64,
    /// (when, which process): who began to lead.
    reigns: Vec<(u64, usize)>,
    released_at: Option<u64>,
}

fn mark_of(object: &Value) -> u64 {
    let record = Record::parse(object.clone()).unwrap();
    record.mark().map_or(0, |mark| mark.parse().unwrap())
}

fn holder_of(object: &Value) -> String {
    Record::parse(object.clone()).unwrap().holder().to_owned()
}

impl World {
    fn new(processes: usize, seed: u64, bad: u32) -> World {
        let mut world = World {
            now: 0,
            random: fastrand::Rng::with_seed(seed),
            bad,
            server: Server::default(),
            processes: Vec::new(),
            events: BTreeMap::new(),
            sequence: 0,
            started: 0,
            reigns: Vec::new(),
            released_at: None,
        };
        for index in 0..processes {
            let process = world.process();
            world.processes.push(process);
            let at = world.random.u64(0..5 * SECOND);
            world.at(at, Event::Started(index));
        }
        world
    }

    fn process(&mut self) -> Process {
        self.started += 1;
        let identity = format!("weir-{}", self.started);
        let lease = LeaseName { namespace: "weir".into(), name: "events".into() };
        let origin = Instant::now() + Duration::from_secs(self.random.u64(0..1_000_000));
        let machine =
            Machine::new(lease, identity.clone(), Duration::from_micros(DURATION), origin);
        Process {
            identity,
            machine,
            origin,
            rate: 0.99 + self.random.f64() * 0.02,
            alive: false,
            releasing: false,
            paused: false,
            cut_until: 0,
            request: None,
            inbox: Vec::new(),
            settled: 0,
            began: None,
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    fn local(&self, process: &Process) -> Instant {
        // Its clock began with the world's.
        process.origin + Duration::from_nanos((self.now as f64 * process.rate * 1_000.0) as u64)
    }

    /// When the world's clock shows that the process's deadline has passed.
    fn deadline(&self, process: &Process) -> Option<u64> {
        let deadline = process.machine.deadline().filter(|_| process.alive && !process.paused)?;
        let local = deadline.saturating_duration_since(process.origin).as_nanos() as f64;
        Some(((local / process.rate / 1_000.0) as u64 + 1).max(self.now))
    }

    fn run_until(&mut self, end: u64) {
        let mut spins = 0;
        loop {
            let deadlines = self.processes.iter().enumerate();
            let deadline =
                deadlines.filter_map(|(index, p)| Some((self.deadline(p)?, index))).min();
            let event = self.events.first_key_value().map(|(key, _)| key.0);
            match (event, deadline) {
                (Some(at), due) if at <= end && due.is_none_or(|(due, _)| at <= due) => {
                    self.now = at;
                    let (_, event) = self.events.pop_first().unwrap();
                    self.happen(event);
                }
                (_, Some((due, index))) if due <= end => {
                    spins = if due == self.now { spins + 1 } else { 0 };
                    assert!(
                        spins < 100,
                        "{:?} does not come to rest",
                        self.processes[index].machine
                    );
                    self.now = due;
                    self.input(index, Input::Deadline);
                }
                _ => break,
            }
            self.check_leaders();
        }
        self.now = end;
    }

    fn input(&mut self, index: usize, input: Input) {
        let local = self.local(&self.processes[index]);
        let random = self.random.u64(..);
        let settles = self.random.u64(0..3);
        let now = self.now;
        let process = &mut self.processes[index];
        process.settled += settles;
        let mark = process.machine.term().and_then(|term| process.mark(now, term));
        // The time of day jumps, and means nothing.
        let wall = Timestamp::from_second((random % 4_000_000_000) as i64).unwrap();
        let before = process.machine.term();
        let step = process.machine.handle(&Moment { now: local, wall, random, mark }, input);
        assert!(
            process.machine.term_end().is_none_or(|end| local < end),
            "it says that a term is, which is over"
        );
        if let Leadership::Leading { term, mark } = process.machine.leadership()
            && before != Some(term)
        {
            process.settled = mark.map_or(0, |mark| mark.parse().unwrap());
            process.began = Some((term, now + random % (4 * SECOND)));
            self.reigns.push((now, index));
        }
        self.act(index, step.action);
    }

    fn act(&mut self, index: usize, action: Action) {
        match action {
            Action::Wait => {}
            Action::Sleep => self.processes[index].request = None,
            Action::End => {
                self.processes[index] = self.process();
                let back = self.now + self.random.u64(0..5 * SECOND);
                self.at(back, Event::Started(index));
            }
            Action::Get | Action::Create(_) | Action::Update(_) => self.send(index, action),
        }
    }

    fn send(&mut self, index: usize, action: Action) {
        self.sequence += 1;
        let request = self.sequence;
        self.processes[index].request = Some(request);
        let writer = self.processes[index].identity.clone();
        let unreachable =
            self.processes[index].cut_until > self.now || self.server.down_until > self.now;
        let there = self.now + self.random.u64(0..LATENCY_MAX);
        let back = there + self.random.u64(0..LATENCY_MAX);
        let is_bad = self.random.u32(0..100) < self.bad;
        let broken = || Input::Failed(Failure::connection("reset".into()));
        match self.random.u8(0..5) {
            // Refused, or no answer.
            0..3 if unreachable => {
                self.at(back, Event::Answered { process: index, request, input: broken() })
            }
            _ if unreachable => {}
            0 if is_bad => {
                let input = Input::Failed(Failure::of_status(500, "etcd"));
                self.at(back, Event::Answered { process: index, request, input });
            }
            // Applied, and the answer is lost.
            1 if is_bad => {
                self.at(
                    there,
                    Event::Applied { process: index, writer, request, action, answered_at: None },
                );
                self.at(back, Event::Answered { process: index, request, input: broken() });
            }
            // Applied late, when nobody waits any more.
            2 if is_bad => {
                let there = self.now + self.random.u64(0..LATE_MAX);
                self.at(
                    there,
                    Event::Applied { process: index, writer, request, action, answered_at: None },
                );
            }
            // The answer is late.
            3 if is_bad => {
                let answered_at = Some(there + self.random.u64(0..LATE_MAX));
                self.at(
                    there,
                    Event::Applied { process: index, writer, request, action, answered_at },
                );
            }
            4 if is_bad => {}
            _ => {
                let answered_at = Some(back);
                self.at(
                    there,
                    Event::Applied { process: index, writer, request, action, answered_at },
                );
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Fault(fault) => self.fault(fault),
            Event::Started(index) => {
                self.processes[index].alive = true;
                self.input(index, Input::Start);
            }
            Event::Resumed(index) => {
                self.processes[index].paused = false;
                // What has come is read before the clock is looked at: the worst that can be.
                for (request, input) in std::mem::take(&mut self.processes[index].inbox) {
                    self.answered(index, request, input);
                }
            }
            Event::Applied { process, writer, request, action, answered_at } => {
                let input = self.apply(&writer, action);
                if let Some(at) = answered_at {
                    self.at(at, Event::Answered { process, request, input });
                }
            }
            Event::Answered { process, request, input } => self.answered(process, request, input),
        }
    }

    fn answered(&mut self, index: usize, request: u64, input: Input) {
        let process = &mut self.processes[index];
        if !process.alive || process.request != Some(request) {
            return;
        }
        if process.paused {
            return process.inbox.push((request, input));
        }
        process.request = None;
        self.input(index, input);
    }

    fn fault(&mut self, fault: Fault) {
        let until = |time| self.now + time;
        match fault {
            Fault::Outage(time) => self.server.down_until = until(time),
            Fault::Cut(index, time) => self.processes[index].cut_until = until(time),
            Fault::Pause(index, time) => {
                let at = until(time);
                if self.processes[index].alive && !self.processes[index].paused {
                    self.processes[index].paused = true;
                    self.at(at, Event::Resumed(index));
                }
            }
            Fault::Kill(index, time) => {
                let at = until(time);
                if self.processes[index].alive && !self.processes[index].paused {
                    self.processes[index] = self.process();
                    self.at(at, Event::Started(index));
                }
            }
            Fault::Release(index) => {
                let process = &mut self.processes[index];
                if process.alive && !process.paused && !process.releasing {
                    process.releasing = true;
                    self.input(index, Input::Release);
                }
            }
            Fault::Renew(index) => {
                if self.processes[index].alive && !self.processes[index].paused {
                    self.input(index, Input::Renew);
                }
            }
            Fault::Label => {
                if let Some(object) = &mut self.server.object {
                    self.server.version += 1;
                    object["metadata"]["resourceVersion"] = json!(self.server.version.to_string());
                    object["metadata"]["labels"]["seen"] = json!(self.server.version.to_string());
                }
            }
            Fault::Delete => {
                self.server.object = None;
                self.server.deleted_at = Some(self.now);
            }
        }
    }

    fn apply(&mut self, writer: &str, action: Action) -> Input {
        let stored = self.server.object.take();
        let (input, stored) = match (action, stored) {
            (Action::Get, Some(object)) => (Input::Found(object.clone()), Some(object)),
            (Action::Get, None) => (Input::Absent, None),
            (Action::Create(new), None) => self.store(writer, None, new),
            (Action::Update(new), Some(old))
                if old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"] =>
            {
                self.store(writer, Some(old), new)
            }
            // An update of what is not there is a conflict too: its uid is in the object.
            (_, stored) => (Input::Conflict, stored),
        };
        self.server.object = stored;
        input
    }

    /// Takes a write, and checks that it may be.
    fn store(
        &mut self,
        writer: &str,
        old: Option<Value>,
        mut new: Value,
    ) -> (Input, Option<Value>) {
        self.server.version += 1;
        new["metadata"]["resourceVersion"] = json!(self.server.version.to_string());
        if let Some(old) = &old {
            let holder = holder_of(old);
            let age = self.now - self.server.held_since;
            assert!(
                holder.is_empty() || holder == writer || age as f64 > DURATION as f64 / 1.01,
                "{writer} has written over {holder}, who had renewed {age} us before"
            );
            // Made late, a Lease that was deleted may have a later mark than its maker, which then
            // begins from an earlier one: a true one all the same.
            assert!(
                mark_of(&new) >= mark_of(old) || self.server.deleted_at.is_some(),
                "{writer} has moved the mark back from {} to {}",
                mark_of(old),
                mark_of(&new)
            );
            assert!(holder_of(&new) == writer || holder == writer, "who gives up must have had it");
            for kept in ["/metadata/labels", "/spec/strategy"] {
                assert_eq!(new.pointer(kept), old.pointer(kept));
            }
        }
        if holder_of(&new).is_empty() {
            self.released_at = Some(self.now);
        }
        self.server.held_since = self.now;
        (Input::Written(new.clone()), Some(new))
    }

    /// Whether the process leads by its own clock: so it does whatever a leader does.
    fn leads(&self, process: &Process) -> bool {
        process.alive && process.machine.term_end().is_some_and(|end| self.local(process) < end)
    }

    /// Never two. One that gives the Lease up has ended its work; and the Lease's deletion by
    /// somebody is beyond the protocol.
    fn check_leaders(&self) {
        let leaders = self.processes.iter().filter(|p| self.leads(p) && !p.releasing);
        let leaders: Vec<&str> = leaders.map(|p| p.identity.as_str()).collect();
        let deleted = self.server.deleted_at.is_some_and(|at| self.now < at + DURATION);
        assert!(leaders.len() <= 1 || deleted, "{leaders:?} lead at {} us", self.now);
    }

    fn leader(&self) -> Option<usize> {
        self.processes.iter().position(|process| self.leads(process) && !process.releasing)
    }

    /// Lets `faults` happen; answers when the last of them is over.
    fn plan(&mut self, faults: &[(u64, Fault)]) -> u64 {
        let (mut at, mut over) = (0, 0);
        for (pause, fault) in faults {
            at += pause;
            let time = match fault {
                Fault::Kill(_, time)
                | Fault::Pause(_, time)
                | Fault::Cut(_, time)
                | Fault::Outage(time) => *time,
                Fault::Release(_) => RELEASE_MAX.as_micros() as u64 + 5 * SECOND,
                Fault::Renew(_) | Fault::Label | Fault::Delete => 0,
            };
            over = over.max(at + time);
            self.at(at, Event::Fault(*fault));
        }
        over
    }

    /// Runs with `faults`, and then without until there must be a leader again, who must stay.
    fn recovers(mut self, faults: &[(u64, Fault)]) {
        let over = self.plan(faults);
        self.run_until(over);
        self.bad = 0;
        // What was on its way is late by up to that, and may be the claim of a process that is
        // gone.
        self.run_until(over + LATE_MAX + DURATION + 2 * SECOND);
        // A process that waits between two tries.
        self.run_until(self.now + 2 * SECOND);
        let leader = self.leader().expect("somebody leads");
        let reigns = self.reigns.len();
        self.run_until(self.now + 120 * SECOND);
        assert_eq!(
            (self.leader(), self.reigns.len()),
            (Some(leader), reigns),
            "leadership stays where it is"
        );
    }
}

impl Process {
    fn mark(&self, now: u64, term: Term) -> Option<String> {
        self.began
            .is_some_and(|(began, at)| began == term && at <= now)
            .then(|| self.settled.to_string())
            .filter(|mark| mark != "0")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_goes_wrong_one_leads_at_most_the_mark_never_goes_back_and_one_leads_again(
        seed: u64, bad in 0u32..60, faults in faults(fault()),
    ) {
        World::new(3, seed, bad).recovers(&faults);
    }

    #[test]
    fn also_when_somebody_deletes_the_lease(
        seed: u64, faults in faults(prop_oneof![fault(), Just(Fault::Delete)]),
    ) {
        World::new(3, seed, 10).recovers(&faults);
    }

    #[test]
    fn when_the_leader_is_killed_another_leads_within_the_duration_and_two_seconds(
        seed: u64, at in 20 * SECOND..60 * SECOND,
    ) {
        let mut world = World::new(3, seed, 0);
        world.run_until(at);
        let leader = world.leader().unwrap();
        let reigns = world.reigns.len();
        world.fault(Fault::Kill(leader, 100 * SECOND));
        world.run_until(at + DURATION + 2 * SECOND);
        prop_assert_eq!(world.reigns.len(), reigns + 1);
        prop_assert!(world.leader().is_some());
    }

    #[test]
    fn when_the_leader_gives_the_lease_up_another_leads_within_a_second(
        seed: u64, at in 20 * SECOND..60 * SECOND,
    ) {
        let mut world = World::new(3, seed, 0);
        world.run_until(at);
        let (leader, reigns) = (world.leader().unwrap(), world.reigns.len());
        world.fault(Fault::Release(leader));
        world.run_until(at + 5 * SECOND);
        prop_assert_eq!(world.reigns.len(), reigns + 1);
        let gap = world.reigns[reigns].0 - world.released_at.unwrap();
        prop_assert!(gap <= SECOND * 102 / 100 + 4 * LATENCY_MAX, "{} us", gap);
    }
}
