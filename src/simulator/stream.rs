//! The body of an answer on its way: pieces of any size at any time, and an end of some kind.

use super::clock::{MILLISECOND, NEVER, Time};
use super::plan::around;

/// A watch on the server's side.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) namespace: Option<String>,
    /// Everything up to this revision was sent.
    pub(super) sent: u64,
    /// When the server ends it.
    pub(super) until: Time,
    /// From then on it says nothing, whatever happens.
    pub(super) lies_from: Time,
    /// The mean time that it lets pass between two pieces.
    pub(super) slow: Time,
}

/// What is behind the bytes.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The end of the answer.
    Good,
    /// More, as it happens.
    Watch(Watch),
}

/// Who sends it.
pub(super) trait Sender {
    /// Whether it still is the server that began the answer, and up.
    fn is_up(&self, epoch: u32, now: Time) -> bool;
    /// Whether it has something to say to a watch.
    fn has_frames(&self, watch: &Watch) -> bool;
    /// What it has to say to it; empty where none of it concerns this watch.
    fn frames(&self, watch: &mut Watch) -> String;
}

/// An answer's body.
#[derive(Clone)]
pub(super) struct Stream {
    bytes: Vec<u8>,
    at: usize,
    pub(super) end: End,
    /// It breaks when this many bytes were read.
    pub(super) breaks_after: Option<usize>,
    /// The version that it says as a list, and how many bytes of it must be read for that.
    pub(super) list_version: Option<(u64, usize)>,
    /// It says that the version is stale, in one way or another.
    pub(super) is_stale: bool,
    /// Which life of the server it is of.
    pub(super) epoch: u32,
    /// No piece before this.
    not_before: Time,
    read: usize,
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Next {
    Piece(Vec<u8>),
    /// Nothing yet; perhaps then.
    Wait(Time),
    Ended,
    Broken,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(90)]);
        let end = (&self.end, self.breaks_after, self.epoch);
        write!(f, "{} bytes ({text}) then {end:?}", self.bytes.len())
    }
}

impl Stream {
    /// A whole body.
    pub(super) fn of(body: String, epoch: u32) -> Stream {
        Stream {
            bytes: body.into_bytes(),
            at: 0,
            end: End::Good,
            breaks_after: None,
            list_version: None,
            is_stale: false,
            epoch,
            not_before: 0,
            read: 0,
        }
    }

    /// The version that it has said as a list.
    pub(super) fn told_version(&self) -> Option<u64> {
        self.list_version.filter(|(_, at)| self.read >= *at).map(|(version, _)| version)
    }

    /// When there may be something to read, as far as is known now.
    pub(super) fn due(&self, server: &impl Sender, now: Time) -> Time {
        if !server.is_up(self.epoch, now) {
            return now;
        }
        let watch = match &self.end {
            End::Watch(watch) if self.at == self.bytes.len() => watch,
            _ => return self.not_before.max(now),
        };
        let is_news = now < watch.lies_from && server.has_frames(watch);
        if is_news { self.not_before.max(now).min(watch.until) } else { watch.until }
    }

    /// Reads on.
    pub(super) fn next(
        &mut self,
        server: &impl Sender,
        now: Time,
        random: &mut fastrand::Rng,
    ) -> Next {
        if !server.is_up(self.epoch, now) {
            return Next::Broken;
        }
        if now < self.not_before {
            return Next::Wait(self.not_before);
        }
        if self.at == self.bytes.len() {
            let End::Watch(watch) = &mut self.end else { return Next::Ended };
            if now >= watch.until {
                return Next::Ended;
            }
            if now >= watch.lies_from || !server.has_frames(watch) {
                return Next::Wait(NEVER);
            }
            self.bytes = server.frames(watch).into_bytes();
            self.at = 0;
            if self.bytes.is_empty() {
                return Next::Wait(NEVER);
            }
        }
        if self.breaks_after.is_some_and(|after| self.read >= after) {
            return Next::Broken;
        }
        let rest = &self.bytes[self.at..];
        let length = if random.bool() { rest.len() } else { random.usize(1..=rest.len()) };
        let length = self.breaks_after.map_or(length, |after| length.min(after - self.read).max(1));
        let piece = rest[..length].to_vec();
        self.at += length;
        self.read += length;
        let slow = if let End::Watch(watch) = &self.end { watch.slow } else { 0 };
        self.not_before = match random.u8(..4) {
            0 => now + around(slow.max(MILLISECOND), random),
            _ => now + slow,
        };
        Next::Piece(piece)
    }
}
