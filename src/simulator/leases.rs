//! The API server's Lease: one object with a version, written only by who has read that version,
//! and everything that a request for it can meet. What is written late, when nobody waits for it
//! any more, is written all the same.

use serde_json::{Value, json};

use super::api_server::ApiServer;
use super::clock::{MILLISECOND, NEVER, SECOND, Time};
use super::plan::{around, happens};
use super::position_file::Epochs;
use crate::kube::lease::failure::Failure;
use crate::kube::lease::record::Record;
use crate::kube::lease::step::{Action, Input};

/// A mark in the Lease, and of which lives of the API server it is.
pub(super) type Mark = (String, Epochs);

/// What a process asks for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) life: u32,
    pub(super) number: u64,
    pub(super) action: Action,
    pub(super) sent: Time,
    /// Of which lives of the API server the marks are that it writes; `None`: it writes none.
    pub(super) epochs: Option<Epochs>,
}

/// What comes back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) life: u32,
    pub(super) number: u64,
    pub(super) input: Input,
    /// Of the mark in the Lease.
    pub(super) epochs: Epochs,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Happened {
    /// The Lease was written, or not.
    Applied {
        /// By which process, and when it sent that.
        by: (u32, Time),
        /// The mark that is in it now, and the one that was.
        marks: Option<[Mark; 2]>,
    },
    /// A request ends.
    Ended(Answer),
}

#[derive(Debug)]
struct Request {
    asked: Asked,
    /// When it is carried out, if it is and was not yet.
    apply_at: Option<Time>,
    ends_at: Time,
    /// What its process is told.
    answer: Option<Answer>,
}

/// The Lease as it was.
#[derive(Clone, Debug, Default)]
struct State {
    object: Option<Value>,
    epochs: Epochs,
}

impl State {
    fn mark(&self) -> Mark {
        let record = self.object.clone().and_then(Record::parse);
        (
            record.and_then(|record| record.mark().map(str::to_owned)).unwrap_or_default(),
            self.epochs.clone(),
        )
    }
}

/// The Lease, and requests for it.
#[derive(Debug, Default)]
pub(super) struct Leases {
    now: State,
    /// What it was from which revision of the server on.
    before: Vec<(u64, State)>,
    /// Never goes back, not even by a restore: that two lives of a store number alike is not what
    /// is looked for here.
    version: u64,
    requests: Vec<Request>,
    /// Which process gave it up, if that was the last write.
    given_up_by: Option<u32>,
    /// Which process took or renewed it, if that was the last write, and no restore has undone it.
    held_by: Option<u32>,
}

impl Leases {
    /// Whether another process than this one leads.
    pub(super) fn is_held_by_another(&self, life: u32) -> bool {
        self.held_by.is_some_and(|holder| holder != life)
    }

    /// The mark in the Lease, if this process wrote it last, and gave it up with that.
    pub(super) fn given_up_by(&self, life: u32) -> Option<Mark> {
        (self.given_up_by == Some(life)).then(|| self.now.mark())
    }

    /// A process sends a request; `is_cut`: the server cannot be reached from there.
    pub(super) fn send(&mut self, asked: Asked, is_cut: bool, server: &mut ApiServer, now: Time) {
        let random = &mut server.random;
        let wait = around(10 * MILLISECOND, random);
        let (there, back) = (now + wait, now + 2 * wait);
        let late = now + random.u64(..12 * SECOND);
        let broken = Input::Failed(Failure::connection("reset by peer".to_owned()));
        let is_away = is_cut || now < server.down_until;
        let goes_wrong = !server.is_calm && happens(server.plan.api_faults, random);
        let (apply_at, ends_at, input) = match random.u8(..8) {
            0..4 if is_away => (None, back, Some(broken)),
            _ if is_away => (None, NEVER, None),
            0 | 1 if goes_wrong => {
                (None, back, Some(Input::Failed(Failure::of_status(500, "etcd"))))
            }
            2 if goes_wrong => (Some(there), back, Some(broken)),
            3 if goes_wrong => (Some(late), NEVER, None),
            4 if goes_wrong => (Some(there), late.max(there), None),
            5 if goes_wrong => (None, NEVER, None),
            _ => (Some(there), back, None),
        };
        let (life, number) = (asked.life, asked.number);
        let answer = input.map(|input| Answer { life, number, input, epochs: Epochs::new() });
        self.requests.push(Request { asked, apply_at, ends_at, answer });
    }

    /// When something is to be done next.
    pub(super) fn due(&self) -> Time {
        self.requests.iter().map(Request::due).min().unwrap_or(NEVER)
    }

    /// Does it.
    pub(super) fn act(&mut self, server: &ApiServer, now: Time) -> Option<Happened> {
        let at = (0..self.requests.len()).min_by_key(|at| self.requests[*at].due())?;
        let mut request = self.requests.swap_remove(at);
        if request.apply_at.is_none() {
            return (request.ends_at <= now).then_some(()).and(request.answer).map(Happened::Ended);
        }
        request.apply_at = None;
        let (life, number) = (request.asked.life, request.asked.number);
        let (input, marks) = self.apply(&request.asked, server);
        let answer = Answer { life, number, input, epochs: self.now.epochs.clone() };
        let by = (life, request.asked.sent);
        // One that is there already says that the answer is lost.
        request.answer.get_or_insert(answer);
        if request.ends_at != NEVER {
            self.requests.push(request);
        }
        Some(Happened::Applied { by, marks })
    }

    fn apply(&mut self, asked: &Asked, server: &ApiServer) -> (Input, Option<[Mark; 2]>) {
        let present = self.now.object.as_ref();
        let version =
            |object: &Value| object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        let mut object = match (&asked.action, present) {
            (Action::Get, Some(object)) => return (Input::Found(object.clone()), None),
            (Action::Create(_), Some(_)) => return (Input::Conflict, None),
            (Action::Update(object), Some(present)) if version(object) != version(present) => {
                return (Input::Conflict, None);
            }
            (Action::Create(object), None) | (Action::Update(object), Some(_)) => object.clone(),
            _ => return (Input::Absent, None),
        };
        let before = self.now.clone();
        self.before.push((server.revision, before.clone()));
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.now.object = Some(object.clone());
        let holder = object["spec"]["holderIdentity"].as_str().unwrap_or_default();
        self.given_up_by = holder.is_empty().then_some(asked.life);
        self.held_by = (!holder.is_empty()).then_some(asked.life);
        if let Some(epochs) = &asked.epochs {
            self.now.epochs.clone_from(epochs);
        }
        (Input::Written(object), Some([self.now.mark(), before.mark()]))
    }

    /// The server's store is a backup.
    pub(super) fn restored(&mut self, server: &ApiServer) {
        self.held_by = None;
        self.given_up_by = None;
        while let Some((_, state)) = self.before.pop_if(|(revision, _)| *revision > server.revision)
        {
            self.now = state;
        }
        if let Some(object) = &mut self.now.object {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        }
    }

    /// Nobody waits any more.
    pub(super) fn forget(&mut self, life: u32) {
        for request in self.requests.iter_mut().filter(|request| request.asked.life == life) {
            request.ends_at = NEVER;
        }
        self.requests.retain(|request| request.due() < NEVER);
    }
}

impl Request {
    fn due(&self) -> Time {
        self.apply_at.unwrap_or(self.ends_at)
    }
}
