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
//!   their way, and none for an object for which one is.
//! - What has no turn in time ends at once: when it comes, or when others get in before it. Those
//!   are owners of what was found, and objects of namespaces that had fewer turns: see `queue`.
//! - What did not become known (no answer, an error) is not remembered. That weir may not read an
//!   object is remembered of its resource in its namespace, as RBAC grants that.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::queue::Queue;
use super::address::Address;
use super::cache::{Bounds, Cache};
use super::object::{Found, Object};
use super::{Answer, Asked, Settings, Ticket};

mod queue;
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
/// Resources that may not be read in a namespace.
const FORBIDDEN: Bounds = Bounds { entries: 1024, bytes: 512 << 10 };
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
    /// By resource and namespace.
    forbidden: Cache<()>,
    jobs: HashMap<Address, Job>,
    /// When they end, in order; also of those that have.
    deadlines: VecDeque<(Instant, Address)>,
    requests: HashMap<Address, Request>,
    /// Requests that are not sent yet.
    queue: Queue,
    /// Some of these may have lost their turn in time since the last [`Next`].
    is_crowded: bool,
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

#[derive(Debug)]
struct Request {
    /// What the jobs are about that wait for it.
    waiters: Vec<Address>,
    /// When the last of them ends.
    until: Instant,
    is_in_flight: bool,
}

impl Machine {
    pub(super) fn new(settings: Settings) -> Machine {
        Machine {
            settings,
            answers: Cache::new(ANSWERS),
            objects: Cache::new(OBJECTS),
            forbidden: Cache::new(FORBIDDEN),
            jobs: HashMap::new(),
            deadlines: VecDeque::new(),
            requests: HashMap::new(),
            queue: Queue::default(),
            is_crowded: false,
            sent: VecDeque::new(),
            in_flight: 0,
            paused_until: None,
            finished: false,
        }
    }

    /// What became of an object's job, if that is known.
    pub(super) fn remembered(&mut self, address: &Address, now: Instant) -> Option<Answer> {
        self.answers.get(address, now)
    }

    /// Somebody wants to know of an object.
    pub(super) fn ask(&mut self, address: &Address, now: Instant) -> Asked {
        if let Some(answer) = self.remembered(address, now) {
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
        let Some(request) = self.requests.get(address) else { return };
        if request.is_in_flight {
            self.in_flight -= 1;
        }
        self.paused_until = self.paused_until.max(pause.map(|pause| now + pause));
        self.is_crowded |= pause.is_some();
        let known = known.map(|known| known.of(address));
        self.settle(address, known.as_ref(), now);
        match known {
            Some(Known::Forbidden) => self.forbid(address, now),
            Some(Known::Found(_) | Known::Missing) => self.allow(address, now),
            None => {}
        }
    }

    /// Ends the request for an object, and has those go on that wait for it; `None`: nothing is
    /// known of it.
    fn settle(&mut self, address: &Address, known: Option<&Known>, now: Instant) {
        let Some(request) = self.requests.remove(address) else { return };
        let is_of_itself = request.waiters.len() == 1 && request.waiters.contains(address);
        if let Some(known) = known.filter(|_| !is_of_itself) {
            self.learned(address, known.clone(), now);
        }
        for waiter in request.waiters {
            let Some(mut job) = self.jobs.remove(&waiter) else { continue };
            match known {
                Some(known) if !self.take(&mut job, known) => {
                    // Should its owner not be had in time, this need not be asked for again.
                    self.learned(address, known.clone(), now);
                    self.finished |= self.advance(&waiter, job, now).is_some();
                }
                last => {
                    self.end(&waiter, job, last, now);
                    self.finished = true;
                }
            }
        }
    }

    /// Remembers that weir may not read such objects there, and ends requests for more of them.
    fn forbid(&mut self, address: &Address, now: Instant) {
        self.forbidden.insert(right(address), (), 0, now + UNKNOWN_FOR);
        let is_same =
            |it: &&Address| it.resource == address.resource && it.namespace == address.namespace;
        let same: Vec<Address> = self.queue.iter().filter(is_same).cloned().collect();
        for other in same {
            self.queue.remove(&other);
            self.settle(&other, Some(&Known::Forbidden), now);
        }
    }

    /// It may, by now.
    fn allow(&mut self, address: &Address, now: Instant) {
        let right = right(address);
        if self.forbidden.get(&right, now).is_some() {
            self.forbidden.insert(right, (), 0, now);
        }
    }

    /// Remembers what an object is.
    pub(super) fn learned(&mut self, address: &Address, known: Known, now: Instant) {
        let lasts = match known {
            Known::Found(_) => FOUND_FOR,
            Known::Missing => UNKNOWN_FOR,
            Known::Forbidden => return, // Of the resource.
        };
        let bytes = known.bytes();
        self.objects.insert(address.clone(), known, bytes, now + lasts);
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        self.expire(now);
        self.thin_out(now);
        let mut send = Vec::new();
        while self.in_flight < IN_FLIGHT_MAX && self.turn(0, now) <= now {
            let Some(address) = self.queue.pop() else { break };
            let Some(request) = self.requests.get_mut(&address) else { continue };
            request.is_in_flight = true;
            self.in_flight += 1;
            if self.sent.len() == self.settings.max_per_second as usize {
                self.sent.pop_front();
            }
            self.sent.push_back(now);
            send.push(address);
        }
        let has_turn = !self.queue.is_empty() && self.in_flight < IN_FLIGHT_MAX;
        let turn = has_turn.then(|| self.turn(0, now));
        let deadline = self.deadlines.front().map(|(deadline, _)| *deadline);
        let wake = [turn, deadline].into_iter().flatten().min();
        Next { send, wake, finished: std::mem::take(&mut self.finished) }
    }

    /// When the request is sent that `before` others go before, if the API server is quick enough.
    fn turn(&self, before: usize, now: Instant) -> Instant {
        let max = self.settings.max_per_second as usize;
        // A second after the one that was, or will be, sent `max` before it.
        let earlier = (before % max).checked_sub(max - self.sent.len());
        let after_others = earlier.and_then(|at| self.sent.get(at)).map(|sent| *sent + SECOND);
        let first = Some(now).max(after_others).max(self.paused_until);
        first.unwrap_or(now) + SECOND * u32::try_from(before / max).unwrap_or(u32::MAX)
    }

    /// Ends what would wait in vain.
    fn thin_out(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_crowded) {
            return;
        }
        let (mut kept, mut late) = (0, Vec::new());
        for address in self.queue.iter() {
            let until = self.requests.get(address).map(|request| request.until);
            if until.is_some_and(|until| self.turn(kept, now) < until) {
                kept += 1;
            } else {
                late.push(address.clone());
            }
        }
        for address in late {
            self.queue.remove(&address);
            self.settle(&address, None, now);
        }
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
        while let Some(known) = self.known(&job.next, now) {
            if self.take(&mut job, &known) {
                return Some(self.end(address, job, Some(&known), now));
            }
        }
        if !self.wait_for(&job, address, now) {
            return Some(self.end(address, job, None, now));
        }
        self.jobs.insert(address.clone(), job);
        None
    }

    /// What there is to know of an object without asking.
    fn known(&mut self, address: &Address, now: Instant) -> Option<Known> {
        let forbidden = |()| Known::Forbidden;
        let known = self.objects.get(address, now);
        known.or_else(|| self.forbidden.get(&right(address), now).map(forbidden))
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

    /// Has a job wait for its next object; `false`: it could not be asked for in time.
    fn wait_for(&mut self, job: &Job, waiter: &Address, now: Instant) -> bool {
        let (wanted, is_owner) = (&job.next, !job.chain.is_empty());
        if let Some(request) = self.requests.get_mut(wanted) {
            request.waiters.push(waiter.clone());
            request.until = request.until.max(job.deadline);
            if is_owner && self.queue.remove(wanted) {
                self.queue.put(wanted.clone(), is_owner);
                self.is_crowded = true;
            }
            return true;
        }
        let before = self.queue.before(&wanted.namespace, is_owner);
        if self.turn(before, now) >= job.deadline {
            return false;
        }
        let until = job.deadline;
        let request = Request { waiters: vec![waiter.clone()], until, is_in_flight: false };
        self.requests.insert(wanted.clone(), request);
        self.is_crowded |= before < self.queue.len();
        self.queue.put(wanted.clone(), is_owner);
        true
    }

    /// A job does not wait for an object any more. Nobody asks for one that nobody waits for.
    fn give_up(&mut self, wanted: &Address, waiter: &Address) {
        let Some(request) = self.requests.get_mut(wanted) else { return };
        request.waiters.retain(|other| other != waiter);
        if request.waiters.is_empty() && !request.is_in_flight {
            self.requests.remove(wanted);
            self.queue.remove(wanted);
        }
    }

    /// Ends a job: with the last object that it asked for, or without having learned of that.
    fn end(&mut self, address: &Address, job: Job, last: Option<&Known>, now: Instant) -> Answer {
        let (answer, lasts) = match (job.chain.is_empty(), last) {
            (false, last) => {
                let lasts = match last {
                    Some(Known::Forbidden) => UNKNOWN_FOR,
                    Some(_) => FOUND_FOR,
                    None => PARTLY_FOUND_FOR,
                };
                (Answer::Found(Arc::new(Found::new(&job.chain))), lasts)
            }
            // Remembered of the resource.
            (true, Some(Known::Forbidden)) => (Answer::Forbidden, Duration::ZERO),
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

/// What stands for the right to read an object: its resource, in its namespace.
fn right(address: &Address) -> Address {
    let (resource, namespace) = (address.resource, address.namespace.clone());
    Address { resource, namespace, ..Address::default() }
}

impl Known {
    /// What it says of the object that was asked for: what has its name now may be another one.
    fn of(self, address: &Address) -> Known {
        match &self {
            Known::Found(object) if !object.is_known_as(&address.uid) => Known::Missing,
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
