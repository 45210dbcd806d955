//! The sink of one process: its requests to OpenSearch, and its dead letters.

use std::collections::VecDeque;

use super::super::clock::{MILLISECOND, NEVER, Time, wall};
use super::super::history::id_in;
use super::super::oracle::Violation;
use super::super::plan::{Plan, Poisoning};
use super::super::shared::Shared;
use super::Process;
use crate::handoff::Takeover;
use crate::ledger::Ledger;
use crate::sink::simulated::{Dead, Ended, Kind, Next, Outcome, Request, Sink, Then};

/// The sink, and what goes on around it.
pub(super) struct Sending {
    sink: Sink,
    /// As configured, without a date.
    name: String,
    /// When it next asks what the index is; then documents may be sent.
    asks_at: Time,
    letters: Option<Letters>,
    /// What ended while letters were being written.
    ended: VecDeque<(u64, Ended)>,
    has_inbox_ended: bool,
    /// Everything has its outcome, and no more will come.
    pub(super) is_done: bool,
}

/// Dead letters that are being written: nothing else goes on meanwhile.
struct Letters {
    dead: Vec<Dead>,
    /// When they are durable, if they are not yet.
    durable_at: Option<Time>,
    /// When the sink is told.
    told_at: Time,
}

impl Sending {
    pub(super) fn new(plan: &Plan, ledger: &Ledger, takeover: Takeover, asks_at: Time) -> Sending {
        let pattern = plan.pattern();
        Sending {
            name: pattern.name(),
            sink: Sink::new(pattern, plan.mode, ledger, takeover),
            asks_at,
            letters: None,
            ended: VecDeque::new(),
            has_inbox_ended: false,
            is_done: false,
        }
    }
}

impl Process {
    pub(super) fn wake_sink(&mut self, now: Time) {
        self.sink_due = self.sink_due.min(now + self.random.u64(..2 * MILLISECOND));
    }

    pub(super) fn send(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        if let Some(due) = self.write_letters(shared)? {
            self.sink_due = due;
            return Ok(());
        }
        self.ask_kind(shared)?;
        let (at, rewinds) = (shared.clock.at(shared.now), self.tracker.rewinds());
        loop {
            let wake = match self.sending.sink.next(at, wall(shared.now), rewinds) {
                Next::Send(number, request) => {
                    self.ask(number, request, shared)?;
                    continue;
                }
                Next::Fetch(limits, wake) => match self.buffer.take(limits) {
                    Some(items) => {
                        let dead = self.sending.sink.admit(items);
                        self.dead_letter(dead, shared.now);
                        if self.sending.letters.is_some() {
                            return self.send(shared);
                        }
                        continue;
                    }
                    None => wake,
                },
                Next::Wait(wake) => wake,
                Next::Done => {
                    self.sending.is_done = true;
                    None
                }
            };
            let asks_at =
                if self.sending.sink.is_prepared() { NEVER } else { self.sending.asks_at };
            self.sink_due = shared.clock.time_of(wake).min(asks_at);
            if self.buffer.is_called() {
                self.spool_due = self.spool_due.min(shared.now + MILLISECOND);
            }
            return Ok(());
        }
    }

    /// What production asks before the first document.
    fn ask_kind(&mut self, shared: &mut Shared) -> Result<(), Violation> {
        if self.sending.sink.is_prepared() || shared.now < self.sending.asks_at {
            return Ok(());
        }
        let Some(kind) = shared.os.kind(self.life, shared.now) else {
            self.sending.asks_at = shared.now + 500 * MILLISECOND;
            return Ok(());
        };
        shared.trace.say(shared.now, || format!("the index is {kind:?}"));
        let index = match &kind {
            Some(Kind::WritesTo(index) | Kind::DataStream(Some(index))) => Some(index.clone()),
            _ => None,
        };
        shared.oracle.knows_index(self.life, index);
        self.sending.sink.prepared(kind.as_ref()).map_err(|error| error.to_string())
    }

    fn ask(&self, number: u64, request: Request, shared: &mut Shared) -> Result<(), Violation> {
        shared.trace.say(shared.now, || match &request {
            Request::Bulk(body, _) => format!("sends request {number}, {} bytes", body.len()),
            Request::Refresh => format!("refreshes for request {number}"),
            Request::Search(body) => {
                format!("looks up for request {number}: {}", String::from_utf8_lossy(body))
            }
        });
        if matches!(request, Request::Bulk(_, true))
            && shared.oracle.knows_fixed(self.life, &self.sending.name)
        {
            return Err("it asks where documents go, and was told that they stay".to_owned());
        }
        if shared.os.sends_in_the_dark(self.life, number) {
            return Err("it has two attempts on their way, and knows not where they go".to_owned());
        }
        shared.os.send(self.life, number, request, shared.now);
        Ok(())
    }

    /// One of its requests has ended.
    pub(super) fn ended(
        &mut self,
        number: u64,
        ended: Ended,
        shared: &mut Shared,
    ) -> Result<(), Violation> {
        if self.sending.letters.is_some() {
            self.sending.ended.push_back((number, ended));
            return Ok(());
        }
        shared.trace.say(shared.now, || format!("request {number}: {ended:?}"));
        let (random, now) = (self.random.u64(..), (shared.clock.at(shared.now), wall(shared.now)));
        let then = self.sending.sink.ended(number, ended, now, random);
        match then.map_err(|error| error.to_string())? {
            None => {}
            Some(Then::Ask(request)) => self.ask(number, request, shared)?,
            Some(Then::Ended(Outcome { counts, dead, .. })) => {
                let told = shared.os.take_told(self.life, number);
                shared.oracle.attempt_ended(self.life, told, counts)?;
                self.dead_letter(dead, shared.now);
            }
        }
        self.wake_sink(shared.now);
        Ok(())
    }

    /// Begins to write dead letters.
    fn dead_letter(&mut self, dead: Vec<Dead>, now: Time) {
        if dead.is_empty() {
            return;
        }
        let durable_at = now + self.dice.u64(..100 * MILLISECOND);
        let told_at = durable_at + self.dice.u64(..20 * MILLISECOND);
        self.sending.letters = Some(Letters { dead, durable_at: Some(durable_at), told_at });
        self.sink_due = durable_at;
    }

    /// Goes on with writing them. Answers when it will do more, if they are not written.
    fn write_letters(&mut self, shared: &mut Shared) -> Result<Option<Time>, Violation> {
        while let Some(letters) = &mut self.sending.letters {
            match letters.durable_at.take_if(|durable_at| *durable_at <= shared.now) {
                Some(_) => {
                    for dead in &letters.dead {
                        let id = id_in(dead.body());
                        shared.oracle.dead_lettered(id, self.life, &shared.os, &shared.server)?;
                        if shared.os.poisoning(shared.now) != Poisoning::Listed {
                            shared.oracle.odd_letters += 1;
                        }
                    }
                }
                None if letters.durable_at.is_some() => return Ok(letters.durable_at),
                None => {}
            }
            if letters.told_at > shared.now {
                return Ok(Some(letters.told_at));
            }
            if let Some(Letters { dead, .. }) = self.sending.letters.take() {
                self.sending.sink.kept(dead);
            }
            while self.sending.letters.is_none()
                && let Some((number, ended)) = self.sending.ended.pop_front()
            {
                self.ended(number, ended, shared)?;
            }
        }
        Ok(None)
    }

    /// No more documents will come.
    pub(super) fn end_inbox(&mut self, now: Time) {
        if !std::mem::replace(&mut self.sending.has_inbox_ended, true) {
            self.sending.sink.inbox_ended();
            self.wake_sink(now);
        }
    }
}
