//! What the fuzz target of the Lease calls: the record, and a candidate whose API server is the
//! fuzzer.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::failure::Failure;
use super::machine::{Machine, State};
use super::record::Record;
use super::step::{Action, Input, LeaseName, Moment};

/// What the candidate calls itself.
pub const IDENTITY: &str = "fuzz_00000001";
/// For how long it holds the Lease.
pub const DURATION: Duration = Duration::from_secs(15);

/// What an object says that may be a Lease.
#[derive(Debug, PartialEq, Eq)]
pub struct LeaseRecord {
    /// Empty: nobody.
    pub holder: String,
    /// How long it is to be waited for.
    pub duration: Option<Duration>,
    /// Where the leader before had come to.
    pub mark: Option<String>,
}

impl LeaseRecord {
    /// `None`: it is no Lease.
    pub fn parse(object: Value) -> Option<LeaseRecord> {
        let record = Record::parse(object)?;
        let holder = record.holder().to_owned();
        // Asked for by commands, and never compared.
        let _ = (record.renewed_at(), record.is_weirs());
        let mark = record.mark().map(str::to_owned);
        Some(LeaseRecord { holder, duration: record.duration(), mark })
    }

    /// The objects that take a Lease, renew it with this mark, and release it.
    pub fn written(object: Value, mark: &str) -> Option<[Value; 3]> {
        let record = Record::parse(object)?;
        let wall = Timestamp::UNIX_EPOCH;
        Some([
            record.taken(IDENTITY, DURATION, wall),
            record.renewed(IDENTITY, DURATION, wall, Some(mark)),
            record.released(wall, Some(mark)),
        ])
    }
}

/// What the API server answers, or the clock.
#[derive(Debug)]
pub enum Event {
    /// This is the Lease.
    Found(Value),
    /// There is none.
    Absent,
    /// It was written: this is the Lease now.
    Written(Value),
    /// 409
    Conflict,
    /// Something else.
    Failed,
    /// The candidate's deadline has passed.
    Deadline,
    /// The candidate is to write it before its time.
    Renew,
    /// The candidate is to give it up.
    Release,
}

/// What it does then.
#[derive(Debug, PartialEq)]
pub enum Then {
    /// It reads the Lease.
    Reads,
    /// It makes this one.
    Creates(Value),
    /// It replaces it by this.
    Updates(Value),
    /// It waits, for the answer or for its deadline.
    Waits,
    /// It has ended.
    Ended,
}

/// A candidate that has asked for the Lease.
#[derive(Debug)]
pub struct Candidate {
    machine: Machine,
    now: Instant,
}

impl Candidate {
    /// At the beginning.
    pub fn begin() -> Candidate {
        let now = Instant::now();
        let lease = LeaseName { namespace: "default".into(), name: "fuzz".into() };
        let mut candidate =
            Candidate { machine: Machine::new(lease, IDENTITY.into(), DURATION, now), now };
        candidate.input(Input::Start, 0);
        candidate
    }

    /// Whether it leads.
    pub fn leads(&self) -> bool {
        self.machine.term().is_some()
    }

    /// Whether it waits for the answer to a write.
    pub fn is_writing(&self) -> bool {
        matches!(self.machine.state(), State::Writing { .. })
    }

    /// How long until it does something of itself; `None`: it has ended.
    pub fn deadline(&self) -> Option<Duration> {
        Some(self.machine.deadline()?.saturating_duration_since(self.now))
    }

    /// Time passes.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Something happens.
    pub fn happens(&mut self, event: Event, random: u64) -> Then {
        self.input(
            match event {
                Event::Found(object) => Input::Found(object),
                Event::Absent => Input::Absent,
                Event::Written(object) => Input::Written(object),
                Event::Conflict => Input::Conflict,
                Event::Failed => Input::Failed(Failure::timeout()),
                Event::Deadline => Input::Deadline,
                Event::Renew => Input::Renew,
                Event::Release => Input::Release,
            },
            random,
        )
    }

    fn input(&mut self, input: Input, random: u64) -> Then {
        let wall = Timestamp::UNIX_EPOCH;
        let moment = Moment { now: self.now, wall, random, mark: Some("mark".into()) };
        match self.machine.handle(&moment, input).action {
            Action::Get => Then::Reads,
            Action::Create(object) => Then::Creates(object),
            Action::Update(object) => Then::Updates(object),
            Action::Wait | Action::Sleep => Then::Waits,
            Action::End => Then::Ended,
        }
    }
}
