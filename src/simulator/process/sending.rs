//! The sink of one process, and its requests to OpenSearch.

use super::super::clock::{MILLISECOND, Time, wall};
use super::super::history::id_in;
use super::super::oracle::Violation;
use super::super::world::Shared;
use super::Process;
use crate::sink::simulated::{Dead, Ended, Next, Request};

impl Process {
    pub(super) fn wake_sink(&mut self, now: Time) {
        self.sink_due = self.sink_due.min(now + self.random.u64(..2 * MILLISECOND));
    }

    pub(super) fn send(&mut self, shared: &mut Shared) -> Result<(), Violation> {
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
            if self.buffer.is_called() {
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
    pub(super) fn ended(
        &mut self,
        number: u64,
        ended: Ended,
        shared: &mut Shared,
    ) -> Result<(), Violation> {
        shared.trace.say(shared.now, || format!("request {number}: {ended:?}"));
        let random = self.random.f64();
        let outcome = self.sink.ended(number, ended, shared.clock.at(shared.now), random);
        if let Some(request) = outcome.next {
            self.ask(number, request, shared);
        }
        self.bury(outcome.dead, shared)?;
        self.wake_sink(shared.now);
        Ok(())
    }

    fn bury(&mut self, dead: Vec<Dead>, shared: &mut Shared) -> Result<(), Violation> {
        for letter in &dead {
            shared.oracle.bury(id_in(letter.body()), self.life, &shared.os, &shared.server)?;
        }
        self.sink.buried(dead);
        Ok(())
    }
}
