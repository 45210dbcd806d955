//! Decides what is asked for, when, and what that means for those who wait. Pure: time and answers
//! come in.
//!
//! A *job* finds what one event regards: the object, its controlling owner, that one's, and so on
//! through whatever is looked up. A *request* is for one object, and any number of jobs wait for
//! it.
//!
//! Invariants:
//!
//! - A job ends at its deadline at the latest, with what is known by then.
//! - In any second at most `max_per_second` requests are sent; at most [`IN_FLIGHT_MAX`] are on
//!   their way, and none for an object for which one is. As many may wait as have their turn within
//!   `timeout`: what comes on top ends at once.
//! - What did not become known (no answer, an error) is not remembered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::address::Address;
use super::cache::{Bounds, Cache};
use super::object::{Found, Object};
use super::{Answer, Asked, Settings, Ticket};

#[cfg(test)]
mod tests;

/// Requests on their way: each may cost what one answer may have, a MiB.
pub(super) const IN_FLIGHT_MAX: usize = 8;
/// The regarded object, and how many above it are looked up: Pod, ReplicaSet, Deployment, what a
/// controller of somebody's own puts over that, and one more.
const CHAIN_MAX: usize = 5;
/// Labels may change. An event can wait for that, and the API server is asked for each object that
/// events are about once in this time.
pub(super) const FOUND_FOR: Duration = Duration::from_secs(300);
/// Rights are granted, and names come to be.
pub(super) const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// What was found without an owner that did not answer.
pub(super) const PARTLY_FOUND_FOR: Duration = Duration::from_secs(10);
/// What events regard: about a KiB each.
const ANSWERS: Bounds = Bounds { entries: 4096, bytes: 4 << 20 };
/// Those above, and what came too late.
const OBJECTS: Bounds = Bounds { entries: 2048, bytes: 2 << 20 };
const SECOND: Duration = Duration::from_secs(1);

/// What the API server says of an object.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Found(Arc<Object>),
    Missing,
    Forbidden,
}

/// What to do next.
#[derive(Debug, Default)]
pub(super) struct Next {
    /// Objects to ask for now.
    pub(super) send: Vec<Address>,
    /// When to ask again, if nothing happens before.
    pub(super) wake: Option<Instant>,
    /// Whether jobs have ended that somebody waits for.
    pub(super) finished: bool,
}

#[derive(Debug)]
pub(super) struct Machine {
    settings: Settings,
    /// What became of jobs, by what they were about.
    answers: Cache<Answer>,
    objects: Cache<Known>,
    jobs: HashMap<Address, Job>,
    /// When they end, in order; also of those that have.
    deadlines: VecDeque<(Instant, Address)>,
    requests: HashMap<Address, Request>,
    /// Requests that are not sent yet.
    queue: VecDeque<Address>,
    /// When the last `max_per_second` were sent.
    sent: VecDeque<Instant>,
    in_flight: usize,
    /// The API server asked for that.
    paused_until: Option<Instant>,
    /// Jobs have ended since the last [`Next`].
    finished: bool,
}

/// One regarded object that is being looked up.
#[derive(Debug)]
struct Job {
    ticket: Ticket,
    deadline: Instant,
    /// What was found, from the regarded object upwards.
    chain: Vec<Arc<Object>>,
    /// What it waits for.
    next: Address,
}

#[derive(Debug, Default)]
struct Request {
    /// What the jobs are about that wait for it.
    waiters: Vec<Address>,
    is_in_flight: bool,
}

impl Machine {
    pub(super) fn new(settings: Settings) -> Machine {
        Machine {
            settings,
            answers: Cache::new(ANSWERS),
            objects: Cache::new(OBJECTS),
            jobs: HashMap::new(),
            deadlines: VecDeque::new(),
            requests: HashMap::new(),
            queue: VecDeque::new(),
            sent: VecDeque::new(),
            in_flight: 0,
            paused_until: None,
            finished: false,
        }
    }

    /// Somebody wants to know of an object.
    pub(super) fn ask(&mut self, address: &Address, now: Instant) -> Asked {
        if let Some(answer) = self.answers.get(address, now) {
            return Asked::Known(answer);
        }
        if let Some(job) = self.jobs.get(address) {
            return Asked::Waits(job.ticket.clone());
        }
        let (ticket, deadline) = (Ticket::default(), now + self.settings.timeout);
        let job =
            Job { ticket: ticket.clone(), deadline, chain: Vec::new(), next: address.clone() };
        match self.advance(address, job, now) {
            Some(answer) => Asked::Known(answer),
            None => {
                self.deadlines.push_back((deadline, address.clone()));
                Asked::Waits(ticket)
            }
        }
    }

    /// What the API server said of an object; `None`: it did not say, and wants to be left alone
    /// for `pause`.
    pub(super) fn answered(
        &mut self,
        address: &Address,
        known: Option<Known>,
        pause: Option<Duration>,
        now: Instant,
    ) {
        let Some(request) = self.requests.remove(address) else { return };
        if request.is_in_flight {
            self.in_flight -= 1;
        }
        self.paused_until = self.paused_until.max(pause.map(|pause| now + pause));
        let known = known.map(|known| known.of(address));
        let is_of_itself = |waiter: &Address| waiter == address;
        if let Some(known) = &known
            && !(request.waiters.len() == 1 && request.waiters.iter().all(is_of_itself))
        {
            self.learned(address, known.clone(), now);
        }
        for waiter in request.waiters {
            let Some(mut job) = self.jobs.remove(&waiter) else { continue };
            let whole = match &known {
                None => false,
                Some(known) if self.take(&mut job, known) => true,
                Some(_) => {
                    self.finished |= self.advance(&waiter, job, now).is_some();
                    continue;
                }
            };
            self.end(&waiter, job, known.as_ref().filter(|_| whole), now);
            self.finished = true;
        }
    }

    /// Remembers what an object is.
    pub(super) fn learned(&mut self, address: &Address, known: Known, now: Instant) {
        let (bytes, until) = (known.bytes(), now + known.lasts());
        self.objects.insert(address.clone(), known, bytes, until);
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        self.expire(now);
        let mut send = Vec::new();
        while !self.queue.is_empty() && self.turn().is_none_or(|turn| turn <= now) {
            if self.in_flight == IN_FLIGHT_MAX {
                break;
            }
            let Some(address) = self.queue.pop_front() else { break };
            let Some(request) = self.requests.get_mut(&address) else { continue };
            request.is_in_flight = true;
            self.in_flight += 1;
            if self.sent.len() == self.settings.max_per_second as usize {
                self.sent.pop_front();
            }
            self.sent.push_back(now);
            send.push(address);
        }
        let turn = self.turn().filter(|_| !self.queue.is_empty() && self.in_flight < IN_FLIGHT_MAX);
        let deadline = self.deadlines.front().map(|(deadline, _)| *deadline);
        let wake = [turn, deadline].into_iter().flatten().min();
        Next { send, wake, finished: std::mem::take(&mut self.finished) }
    }

    /// When the next request may be sent; `None`: at any time.
    fn turn(&self) -> Option<Instant> {
        let is_full = self.sent.len() == self.settings.max_per_second as usize;
        let after_others = self.sent.front().filter(|_| is_full).map(|first| *first + SECOND);
        after_others.max(self.paused_until)
    }

    /// Ends what has had its time.
    fn expire(&mut self, now: Instant) {
        while self.deadlines.front().is_some_and(|(deadline, _)| *deadline <= now) {
            let Some((deadline, address)) = self.deadlines.pop_front() else { return };
            if self.jobs.get(&address).is_none_or(|job| job.deadline != deadline) {
                continue; // It has ended, and another one may have begun.
            }
            let Some(job) = self.jobs.remove(&address) else { return };
            self.give_up(&job.next, &address);
            self.end(&address, job, None, now);
            self.finished = true;
        }
    }

    /// Goes on with a job, through what is known. `Some`: it has ended.
    fn advance(&mut self, address: &Address, mut job: Job, now: Instant) -> Option<Answer> {
        while let Some(known) = self.objects.get(&job.next, now) {
            if self.take(&mut job, &known) {
                return Some(self.end(address, job, Some(&known), now));
            }
        }
        if !self.wait_for(&job.next, address, job.deadline) {
            return Some(self.end(address, job, None, now));
        }
        self.jobs.insert(address.clone(), job);
        None
    }

    /// Takes what is known of the next object into a job; answers whether that was the last one.
    fn take(&self, job: &mut Job, known: &Known) -> bool {
        let Known::Found(object) = known else { return true };
        job.chain.push(object.clone());
        if !self.settings.owners || job.chain.len() == CHAIN_MAX {
            return true;
        }
        let Some(owner) = object.controller() else { return true };
        let namespace = std::mem::take(&mut job.next.namespace);
        !job.next.set(&self.settings.resources, owner.reference(&namespace))
    }

    /// Has a job wait for an object; `false`: it could not be asked for in time.
    fn wait_for(&mut self, wanted: &Address, waiter: &Address, deadline: Instant) -> bool {
        if let Some(request) = self.requests.get_mut(wanted) {
            request.waiters.push(waiter.clone());
            return true;
        }
        let in_time = self.settings.timeout.as_secs_f64() * f64::from(self.settings.max_per_second);
        // A fraction of a request is none; one may always wait.
        let is_full = self.queue.len() >= (in_time as usize).max(1);
        if is_full || self.paused_until.is_some_and(|until| until >= deadline) {
            return false;
        }
        let request = Request { waiters: vec![waiter.clone()], is_in_flight: false };
        self.requests.insert(wanted.clone(), request);
        self.queue.push_back(wanted.clone());
        true
    }

    /// A job does not wait for an object any more. Nobody asks for one that nobody waits for.
    fn give_up(&mut self, wanted: &Address, waiter: &Address) {
        let Some(request) = self.requests.get_mut(wanted) else { return };
        request.waiters.retain(|other| other != waiter);
        if request.waiters.is_empty() && !request.is_in_flight {
            self.requests.remove(wanted);
            self.queue.retain(|queued| queued != wanted);
        }
    }

    /// Ends a job: with the last object that it asked for, or without having learned of that.
    fn end(&mut self, address: &Address, job: Job, last: Option<&Known>, now: Instant) -> Answer {
        let (answer, lasts) = match (job.chain.is_empty(), last) {
            (false, last) => {
                let found = Arc::new(Found::new(&job.chain));
                (Answer::Found(found), if last.is_some() { FOUND_FOR } else { PARTLY_FOUND_FOR })
            }
            (true, Some(Known::Forbidden)) => (Answer::Forbidden, UNKNOWN_FOR),
            (true, Some(_)) => (Answer::Missing, UNKNOWN_FOR),
            (true, None) => (Answer::Timeout, Duration::ZERO),
        };
        if !lasts.is_zero() {
            self.answers.insert(address.clone(), answer.clone(), answer.bytes(), now + lasts);
        }
        job.ticket.give(answer.clone());
        answer
    }
}

impl Known {
    /// What it says of the object that was asked for: what has its name now may be another one.
    fn of(self, address: &Address) -> Known {
        match &self {
            Known::Found(object) if !address.uid.is_empty() && object.uid != address.uid => {
                Known::Missing
            }
            _ => self,
        }
    }

    /// Whose it is; empty where there is none.
    pub(super) fn uid(&self) -> &str {
        match self {
            Known::Found(object) => &object.uid,
            Known::Missing | Known::Forbidden => "",
        }
    }

    /// How long that is believed.
    fn lasts(&self) -> Duration {
        match self {
            Known::Found(_) => FOUND_FOR,
            Known::Missing | Known::Forbidden => UNKNOWN_FOR,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Known::Found(object) => object.bytes(),
            Known::Missing | Known::Forbidden => 0,
        }
    }
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Answer::Found(found) => found.bytes(),
            Answer::Missing | Answer::Forbidden | Answer::Timeout => 0,
        }
    }
}
