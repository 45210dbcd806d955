//! The source for simulators: one scope's production machine, framer, frames and hand-over, with
//! the world's answers put in by hand, as [`runner`](super::runner) does with real ones.

use std::time::{Duration, Instant};

use super::super::Start;
use super::frames::FrameCounts;
use super::intake::Intake;
use super::scope::Scope;
use super::step::{Action, Input, Note, Request};
use super::version::Version;
use crate::handoff::{Closed, SourceSender};
use crate::metrics::SourceMetrics;
use crate::position::Keeper;

/// How long a source that finds no chunk waits before it closes: what the runner waits.
pub(crate) const ROOM_WAITS: [Duration; 2] =
    [super::runner::WATCH_ROOM_WAIT, super::runner::LIST_ROOM_WAIT];

/// What it wants of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// To send this request, whose URI this is.
    Ask(String),
    /// To go on reading the answer.
    Read,
    /// The position to be saved.
    Save,
    /// Nothing before its deadline.
    Sleep,
    /// A free chunk.
    Room,
    /// Nothing any more.
    End,
}

/// What it told of itself, as far as an oracle is interested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It began to list again, or to watch again, for this reason.
    Restarted(&'static str),
    /// A list is complete.
    Listed { version: u64, accepted: u64, skipped: u64 },
    /// The server was restored: everything is accepted again.
    Restored,
    /// Everything up to this version is left out.
    Begun(u64),
    /// A watch is open.
    Watching(u64),
    /// Something failed.
    Failed(String),
    /// The watch had died without a word.
    Lied,
}

/// What became of a piece.
#[derive(Debug)]
pub(crate) enum Piece {
    /// It was taken.
    Taken,
    /// This many bytes were, and for the rest there must be a chunk.
    NeedsRoom(usize),
    /// Reading is over.
    Over,
}

/// One scope's source.
pub(crate) struct Source {
    intake: Intake,
    keeper: Keeper,
    start: Start,
    action: Action,
    heard: Vec<Heard>,
    /// Its cursors since somebody asked.
    cursors: Vec<u64>,
    cursor_noted: Option<u64>,
    /// A body is being read, and it is a list's.
    is_list: bool,
    random: fastrand::Rng,
}

impl Source {
    /// A source of one namespace, or of all, that has begun.
    pub(crate) fn new(
        namespace: Option<&str>,
        start: Start,
        keeper: &Keeper,
        sender: &SourceSender,
        metrics: &SourceMetrics,
        now: Instant,
        random: fastrand::Rng,
    ) -> Source {
        let scope = namespace.map_or(Scope::All, |name| Scope::Namespace(name.to_owned()));
        let intake = Intake::new(scope, sender.clone(), FrameCounts::new(metrics), now);
        let (keeper, heard) = (keeper.clone(), Vec::new());
        let mut source = Source {
            intake,
            keeper,
            start,
            action: Action::End,
            heard,
            cursors: Vec::new(),
            cursor_noted: None,
            is_list: false,
            random,
        };
        source
            .input(now, Input::Start)
            .unwrap_or_else(|closed| unreachable!("at the start: {closed}"));
        source
    }

    /// What it wants now.
    pub(crate) fn want(&self) -> Want {
        match &self.action {
            Action::Read => Want::Read,
            Action::Save => Want::Save,
            Action::Sleep => Want::Sleep,
            Action::AwaitRoom => Want::Room,
            Action::End => Want::End,
            Action::Request(request) => {
                let http = self.intake.scope().request(request, None);
                Want::Ask(
                    http.map_or_else(|why| unreachable!("{why}"), |http| http.uri().to_string()),
                )
            }
        }
    }

    /// When it stops waiting.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.intake.machine().deadline()
    }

    /// Its scope's name where positions are saved.
    pub(crate) fn key(&self) -> &str {
        self.intake.scope().key()
    }

    /// Up to where it has accepted everything.
    pub(crate) fn cursor(&self) -> Option<u64> {
        self.intake.machine().cursor().and_then(Version::number)
    }

    /// The state's name.
    pub(crate) fn state(&self) -> &'static str {
        self.intake.machine().state().name()
    }

    /// How long it may wait for a chunk.
    pub(crate) fn room_wait(&self) -> Duration {
        ROOM_WAITS[usize::from(self.is_list)]
    }

    /// Whether it has read something that it has not handed on.
    pub(crate) fn holds_chunk(&self) -> bool {
        !self.intake.needs_chunk()
    }

    /// Every cursor that it may have handed on since it was asked last.
    pub(crate) fn cursors(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.cursors)
    }

    fn note_cursor(&mut self) {
        let cursor = self.cursor();
        if cursor != self.cursor_noted {
            self.cursor_noted = cursor;
            self.cursors.extend(cursor);
        }
    }

    /// What it told since it was asked last.
    pub(crate) fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// The answer to who the cluster is.
    pub(crate) fn identified(
        &mut self,
        now: Instant,
        cluster: Option<String>,
    ) -> Result<(), Closed> {
        let input = self.intake.identified(&self.keeper, cluster, self.start);
        self.input(now, input)
    }

    /// A wanted save has been tried.
    pub(crate) fn saved(&mut self, now: Instant, is_saved: bool) -> Result<(), Closed> {
        let failed = || Input::Broke("cannot save".to_owned());
        self.input(now, if is_saved { Input::Saved } else { failed() })
    }

    /// The answer begins with 200.
    pub(crate) fn opened(&mut self, now: Instant) -> Result<(), Closed> {
        self.is_list = matches!(self.action, Action::Request(Request::List { .. }));
        self.input(now, Input::Opened)?;
        self.intake.begin(self.is_list);
        Ok(())
    }

    /// The answer is another status.
    pub(crate) fn refused(
        &mut self,
        now: Instant,
        status: u16,
        after: Option<u64>,
    ) -> Result<(), Closed> {
        let retry_after = after.map(Duration::from_secs);
        self.input(now, Input::Refused { status, retry_after, message: "refused".to_owned() })
    }

    /// The connection broke.
    pub(crate) fn broke(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::Broke("reset by peer".to_owned()))
    }

    /// There is a piece of the answer's body, and the Lease has lapsed.
    pub(crate) fn lapsed(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::Lapsed)
    }

    /// The answer has ended in good order, as far as the connection knows.
    pub(crate) fn ended(&mut self, now: Instant) -> Result<(), Closed> {
        let whole = self.intake.is_whole();
        self.input(now, Input::Ended { whole })
    }

    /// Its deadline has passed.
    pub(crate) fn deadline_passed(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::Deadline)
    }

    /// It has waited for a chunk too long.
    pub(crate) fn found_no_room(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::NoRoom)
    }

    /// There is a free chunk.
    pub(crate) fn room(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::Room)
    }

    /// What had been read is lost on disk.
    pub(crate) fn lost(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::Lost)
    }

    /// The drain begins.
    pub(crate) fn stop(&mut self, now: Instant) -> Result<(), Closed> {
        self.input(now, Input::Stop)
    }

    /// What was framed goes to the workers, as before each wait.
    pub(crate) fn hand_on(&mut self) -> Result<(), Closed> {
        self.intake.hand_on().map(|_| ())
    }

    /// A piece of the answer's body.
    pub(crate) fn piece(&mut self, now: Instant, bytes: &[u8]) -> Result<Piece, Closed> {
        self.intake.stirred(now);
        let mut at = 0;
        loop {
            if self.intake.needs_chunk() {
                match self.intake.sender().pool().try_take() {
                    Some(chunk) => self.intake.give_chunk(chunk),
                    None => return Ok(Piece::NeedsRoom(at)),
                }
            }
            let taken = self.intake.take_in(now, &bytes[at..]);
            at += taken.bytes;
            self.note_cursor();
            if taken.is_full {
                self.intake.hand_on()?;
            }
            if let Some(input) = taken.over {
                self.input(now, input)?;
                return Ok(Piece::Over);
            }
            if !taken.is_full {
                return Ok(Piece::Taken);
            }
        }
    }

    fn input(&mut self, now: Instant, input: Input) -> Result<(), Closed> {
        let step = self.intake.handle(now, self.random.u64(..), input)?;
        self.heard.extend(step.notes.iter().map(heard));
        self.action = step.action;
        self.note_cursor();
        Ok(())
    }
}

fn heard(note: &Note) -> Heard {
    let number = |version: &Version| version.number().unwrap_or_default();
    match note {
        Note::Restarted(cause) => Heard::Restarted(cause.label()),
        Note::Listed { version, accepted, skipped, .. } => {
            Heard::Listed { version: number(version), accepted: *accepted, skipped: *skipped }
        }
        Note::Restored { .. } => Heard::Restored,
        Note::Begun(version) => Heard::Begun(number(version)),
        Note::Watching(version) => Heard::Watching(number(version)),
        Note::Failed { state, failure, .. } => Heard::Failed(format!("{state}: {failure}")),
        Note::Lied { .. } => Heard::Lied,
    }
}
