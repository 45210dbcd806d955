//! One scope's source in its world: carries its requests to the API server and the answers back, in
//! pieces, as the runner does, and tells the oracle what the source was told.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::api_server::{ApiServer, Reply};
use super::clock::{Clock, MILLISECOND, NEVER, SECOND, Time};
use super::oracle::Oracle;
use super::stream::{Next, Stream};
use super::trace::Trace;
use crate::handoff::{Closed, SourceSender};
use crate::source::kubernetes::simulated::{Heard, Piece, Source, Want};

/// Where its exchange stands.
#[derive(Debug)]
enum Exchange {
    /// Nothing is open.
    None,
    /// It has asked, and this comes then.
    Asked { at: Time, reply: Option<Reply> },
    /// It reads this.
    Reading(Stream),
    /// It has this to take in, and no chunk for it.
    NoChunk { stream: Stream, rest: Vec<u8>, since: Time },
}

/// A source and its exchange.
pub(super) struct Feed {
    source: Source,
    exchange: Exchange,
    due: Time,
    /// The cursor as it was last seen.
    cursor: Option<u64>,
    /// Tells when something is lost that had been read.
    losses: watch::Receiver<u64>,
    /// What it was when something was lost, and of which life.
    lost_from: Option<(u64, u32)>,
    /// Which life of the API server each cursor was of.
    epochs: BTreeMap<u64, u32>,
    new_epochs: Vec<(u64, u32)>,
    /// The version that a list said last. (One that only checks is compared with the cursor, and
    /// not remembered.)
    list_version: Option<u64>,
    /// Of which life the cursor is, and of which the answer that is being read.
    epoch: u32,
    reading_epoch: u32,
    /// What was told to it justifies a list.
    may_list: bool,
    /// Watches in a row that gave nothing.
    vain: u32,
    /// When the answer began that is being read, and whether something of it has come.
    opened: Time,
    has_read: bool,
    random: fastrand::Rng,
}

/// What a step of it needs of the world.
pub(super) struct Around<'a> {
    pub(super) clock: Clock,
    pub(super) now: Time,
    pub(super) link: Link,
    pub(super) server: &'a mut ApiServer,
    pub(super) oracle: &'a mut Oracle,
    pub(super) sender: &'a SourceSender,
    pub(super) trace: &'a mut Trace,
}

/// How its process stands to the API server.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// It cannot be reached until then.
    pub(super) cut_until: Time,
    pub(super) life: u32,
    /// Its marks are its own machine's, and not what the last leader told.
    pub(super) is_alone: bool,
    /// There is no Lease, so nobody else runs.
    pub(super) is_only: bool,
    /// Its Lease has lapsed by its own clock.
    pub(super) has_lapsed: bool,
}

impl Feed {
    /// A source that begins; `epoch` is of its saved position.
    pub(super) fn new(
        source: Source,
        epoch: u32,
        losses: watch::Receiver<u64>,
        now: Time,
        random: fastrand::Rng,
    ) -> Feed {
        Feed {
            source,
            exchange: Exchange::None,
            due: now,
            cursor: None,
            losses,
            lost_from: None,
            epochs: BTreeMap::new(),
            new_epochs: Vec::new(),
            list_version: None,
            epoch,
            reading_epoch: epoch,
            may_list: true,
            vain: 0,
            opened: 0,
            has_read: false,
            random,
        }
    }

    /// Its scope's name.
    pub(super) fn key(&self) -> &str {
        self.source.key()
    }

    /// Of which life of the API server a position of it is.
    pub(super) fn epoch_of(&self, position: u64) -> Option<u32> {
        self.epochs.get(&position).copied()
    }

    /// Of which life each cursor was that there was since this was asked last.
    pub(super) fn new_epochs(&mut self) -> Vec<(u64, u32)> {
        std::mem::take(&mut self.new_epochs)
    }

    /// Whether it watches, and has seen everything up to a version.
    pub(super) fn is_at_rest(&self, server: &ApiServer) -> bool {
        let Exchange::Reading(stream) = &self.exchange else { return false };
        let namespace = Some(self.key()).filter(|key| *key != "*");
        let last = server.changes.iter().rev();
        let last =
            last.clone().find(|change| namespace.is_none_or(|name| name == change.namespace));
        self.source.state() == "watching"
            && !self.has_lost()
            && !self.source.holds_chunk()
            // Behind a restored server's version it would be silent.
            && self.cursor <= Some(server.revision)
            && self.cursor >= last.map(|change| change.revision)
            && stream.epoch == server.epoch
    }

    /// What it is doing, for people.
    pub(super) fn describe(&self) -> String {
        format!("{} is {} at {:?}", self.key(), self.source.state(), self.cursor)
    }

    /// When it does something next.
    pub(super) fn due(&self, clock: Clock, server: &ApiServer, now: Time) -> Time {
        let deadline = clock.time_of(self.source.deadline());
        let due = match (&self.exchange, self.source.want()) {
            (_, Want::End) => return NEVER,
            _ if self.has_lost() => return now,
            (Exchange::Reading(stream), _) => stream.due(server, now).max(self.due),
            (Exchange::Asked { at, .. }, _) => *at,
            (Exchange::None, Want::Sleep) => deadline,
            (Exchange::NoChunk { .. }, _) | (Exchange::None, _) => self.due,
        };
        due.min(deadline).max(now)
    }

    /// Does it.
    pub(super) fn act(&mut self, around: &mut Around<'_>) -> Result<(), Failed> {
        let now = around.now;
        let at = around.clock.at(now);
        let is_late = around.clock.time_of(self.source.deadline()) <= now;
        self.due = now + MILLISECOND;
        if self.has_lost() {
            self.losses.mark_unchanged();
            return self.lost(around);
        }
        match (std::mem::replace(&mut self.exchange, Exchange::None), self.source.want()) {
            (Exchange::Reading(_), _) if is_late => {
                self.may_list |= self.source.state() == "watching";
                self.source.hand_on()?;
                self.source.deadline_passed(at)?;
            }
            (Exchange::Reading(stream), _) => self.read(stream, around)?,
            (Exchange::NoChunk { stream, rest, since }, _) => {
                self.find_chunk(stream, rest, since, around)?
            }
            (_, Want::Sleep | Want::Ask(_)) if is_late => {
                self.vain += 1;
                self.source.deadline_passed(at)?;
            }
            (Exchange::Asked { at, reply }, _) if at > now => {
                self.exchange = Exchange::Asked { at, reply }
            }
            (Exchange::Asked { reply, .. }, _) => self.answered(reply, around)?,
            (Exchange::None, Want::Ask(uri)) => self.ask(&uri, around),
            (Exchange::None, Want::Room) => {
                // It only shows that there is one.
                if around.sender.pool().try_take().is_some() {
                    self.source.room(at)?;
                }
                self.due = now + self.random.u64(1..40) * MILLISECOND;
            }
            (Exchange::None, Want::Save | Want::Sleep | Want::Read | Want::End) => {}
        }
        self.observe(around)
    }

    /// Whether it waits for its position to be saved.
    pub(super) fn wants_save(&self) -> bool {
        self.source.want() == Want::Save && !self.has_lost()
    }

    /// Whether something is lost that it does not know of.
    fn has_lost(&self) -> bool {
        self.losses.has_changed().unwrap_or(false)
    }

    /// That was tried.
    pub(super) fn saved(&mut self, is_saved: bool, around: &mut Around<'_>) -> Result<(), Failed> {
        self.source.saved(around.clock.at(around.now), is_saved)?;
        self.observe(around)
    }

    /// What had been read is lost on disk.
    fn lost(&mut self, around: &mut Around<'_>) -> Result<(), Failed> {
        self.exchange = Exchange::None;
        self.may_list = true;
        self.lost_from = self.cursor.map(|cursor| (cursor, self.epoch)).or(self.lost_from);
        self.source.lost(around.clock.at(around.now))?;
        self.observe(around)
    }

    /// The drain begins.
    pub(super) fn stop(&mut self, around: &mut Around<'_>) -> Result<(), Failed> {
        self.exchange = Exchange::None;
        self.source.stop(around.clock.at(around.now))?;
        self.observe(around)
    }

    fn ask(&mut self, uri: &str, around: &mut Around<'_>) {
        let (mut wait, mut reply) = around.server.ask(uri, around.now);
        if around.now < around.link.cut_until {
            (wait, reply) =
                (MILLISECOND, if self.random.bool() { Reply::Breaks } else { Reply::Never });
        }
        around.trace.say(around.now, || format!("{} asks {uri}: {reply:?}", self.source.key()));
        if let Reply::Body(stream) = &reply {
            self.looks(stream.epoch, around);
        }
        let at = if matches!(reply, Reply::Never) { NEVER } else { around.now + wait };
        self.exchange = Exchange::Asked { at, reply: Some(reply) };
    }

    /// The server answers, perhaps after a restore. That can be noticed only while it is behind
    /// what it had told before.
    fn looks(&mut self, epoch: u32, around: &mut Around<'_>) {
        let version = around.server.revision;
        if let Some(known) = self.cursor.max(self.list_version).filter(|_| epoch != self.epoch)
            && version >= known
        {
            let at = (self.cursor, known, epoch);
            around.oracle.unnoticeable(self.source.key(), at, &around.link, around.server);
            self.epoch = epoch;
            self.epochs.extend(self.cursor.map(|cursor| (cursor, epoch)));
            self.new_epochs.extend(self.cursor.map(|cursor| (cursor, epoch)));
        }
    }

    fn answered(&mut self, reply: Option<Reply>, around: &mut Around<'_>) -> Result<(), Failed> {
        let at = around.clock.at(around.now);
        let is_watch = self.source.state() == "opening";
        match reply {
            Some(Reply::Status(status, retry_after)) => {
                self.may_list |= status == 410;
                self.vain += u32::from(is_watch);
                self.source.refused(at, status, retry_after)?;
            }
            Some(Reply::Identity(cluster)) => self.source.identified(at, cluster)?,
            Some(Reply::Body(stream)) => {
                self.may_list |= stream.is_stale;
                // An answer that tells no identity moves no cursor either.
                if self.source.state() != "identifying" {
                    self.reading_epoch = stream.epoch;
                }
                (self.opened, self.has_read) = (around.now, false);
                self.source.opened(at)?;
                self.exchange = Exchange::Reading(stream);
            }
            Some(Reply::Breaks | Reply::Never) | None => {
                self.vain += u32::from(is_watch);
                self.source.broke(at)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, mut stream: Stream, around: &mut Around<'_>) -> Result<(), Failed> {
        let at = around.clock.at(around.now);
        if around.now < around.link.cut_until {
            self.source.hand_on()?;
            self.due = around.link.cut_until;
            self.exchange = Exchange::Reading(stream);
            return Ok(());
        }
        match stream.next(around.server, around.now, &mut self.random) {
            Next::Piece(_) if around.link.has_lapsed => {
                self.vain += u32::from(self.source.state() == "watching");
                self.source.lapsed(at)?;
            }
            Next::Piece(piece) => {
                self.has_read = true;
                if self.source.state() == "listing" {
                    self.list_version = stream.told_version().or(self.list_version);
                }
                self.take(stream, piece, around.now, around)?;
            }
            Next::Wait(until) => {
                self.source.hand_on()?;
                self.due = if until == NEVER { around.now } else { until };
                self.exchange = Exchange::Reading(stream);
            }
            Next::Ended => {
                // One that ends at once says that the version is stale, whether or not it means it.
                let is_at_once = !self.has_read && around.now - self.opened < 5 * SECOND;
                self.may_list |= self.source.state() == "watching" && is_at_once;
                // A server that is behind it was found out.
                self.source.ended(at)?;
            }
            Next::Broken => {
                self.vain += u32::from(self.source.state() == "watching");
                self.source.broke(at)?;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        stream: Stream,
        bytes: Vec<u8>,
        since: Time,
        around: &mut Around<'_>,
    ) -> Result<(), Failed> {
        match self.source.piece(around.clock.at(around.now), &bytes)? {
            Piece::Taken => {
                // More may be there already, and then shares the chunk.
                if self.random.bool() {
                    self.source.hand_on()?;
                }
                self.exchange = Exchange::Reading(stream);
            }
            Piece::NeedsRoom(taken) => {
                let rest = bytes[taken..].to_vec();
                self.due = around.now + self.random.u64(1..40) * MILLISECOND;
                self.exchange = Exchange::NoChunk { stream, rest, since };
            }
            Piece::Over => self.may_list |= stream.is_stale,
        }
        Ok(())
    }

    fn find_chunk(
        &mut self,
        stream: Stream,
        rest: Vec<u8>,
        since: Time,
        around: &mut Around<'_>,
    ) -> Result<(), Failed> {
        let waited = around.clock.at(around.now) - around.clock.at(since);
        if waited >= self.source.room_wait() {
            return self.source.found_no_room(around.clock.at(around.now));
        }
        self.take(stream, rest, since, around)
    }

    /// Remembers of which life of the server each cursor is.
    fn note_cursors(&mut self) {
        for cursor in self.source.cursors() {
            self.epochs.insert(cursor, self.reading_epoch);
            self.new_epochs.push((cursor, self.reading_epoch));
        }
    }

    /// Looks at what the step has changed.
    fn observe(&mut self, around: &mut Around<'_>) -> Result<(), Failed> {
        if !matches!(self.source.want(), Want::Read)
            && matches!(self.exchange, Exchange::Reading(_))
        {
            self.exchange = Exchange::None;
        }
        let (server, oracle) = (&*around.server, &mut *around.oracle);
        for heard in self.source.heard() {
            around.trace.say(around.now, || format!("{}: {heard:?}", self.source.key()));
            match heard {
                Heard::Restored => {
                    self.may_list = true;
                    (self.cursor, self.lost_from) = (None, None);
                }
                Heard::Listed { version, .. } => {
                    if self.may_list || self.cursor.is_none() || self.vain >= 3 {
                        // A restore is not noticed by who has begun anew.
                        let lost = self.lost_from.filter(|(_, epoch)| *epoch == self.reading_epoch);
                        let from = self.cursor.or(lost.map(|(cursor, _)| cursor));
                        oracle.listed(self.source.key(), (from, version), server);
                    }
                    self.may_list = false;
                    self.vain = 0;
                    self.lost_from = None;
                }
                Heard::Begun(version) => {
                    oracle.begun(self.source.key(), version, self.reading_epoch, server)
                }
                _ => {}
            }
        }
        self.note_cursors();
        let cursor = self.source.cursor();
        if cursor != self.cursor {
            self.epoch = self.reading_epoch;
            self.vain = 0;
            self.cursor = cursor;
        }
        Ok(())
    }
}

/// The next part of the pipeline has gone.
pub(super) type Failed = Closed;
