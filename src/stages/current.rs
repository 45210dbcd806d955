//! What a store holds beside its guest: the current event, and what the current call may still use.
//!
//! Invariants:
//!
//! - Getters read the current event only during `process`; at any other time they read one without
//!   members.
//! - Every limit of a call is reset before each call.

use std::sync::Arc;

use prometheus::IntCounter;
use tracing::Level;

use super::Wasi;
use super::clock::Deadline;
use super::crossing::Crossed;
use super::failure::FailureKind;
use super::interest::Interest;
use super::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX, MemoryLimiter, SCAN_FACTOR};
use super::stage::Stage;
use super::wasi::stub::{Output, Stub};
use crate::event::{Chunk, EditError, Edits, EventType, EventView, Field, Original, Search, Words};
use crate::ledger::ReasonId;
use crate::lookup::Found;
use crate::text::{self, LINE_BYTES_MAX};

/// What the guest is being asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing, or it is being instantiated.
    #[default]
    Idle,
    Configure,
    Process,
}

/// The data of one store.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) stage: Arc<Stage>,
    pub(super) limiter: MemoryLimiter,
    pub(super) deadline: Deadline,
    /// The edits of the current event; swapped in for the call, so boxed.
    pub(super) edits: Box<Edits>,
    /// Why the call wants the event dropped, if it does.
    pub(super) discard: Option<ReasonId>,
    /// What the guest panicked with in this call, if it says so.
    pub(super) panicked: Option<String>,
    /// With `wasi = "stub"`.
    pub(super) wasi: Option<Box<Stub>>,
    /// What has crossed between the module and the host, where that is counted.
    pub(super) crossed: Crossed,
    phase: Phase,
    chunk: Option<Arc<Chunk>>,
    index: usize,
    /// What was looked up of the current event's regarded object.
    found: Option<Arc<Found>>,
    call: Accounts,
    /// What this instance declared, by number.
    reasons: Vec<Option<ReasonId>>,
    counters: Vec<Option<Counter>>,
    words: Vec<Option<Arc<Words>>>,
    /// What the instance is called for.
    interest: Interest,
    /// For the words that are asked for.
    search: Search,
}

/// What the current call has left.
#[derive(Debug, Default)]
struct Accounts {
    scan_bytes: usize,
    log_lines: u32,
}

#[derive(Debug)]
struct Counter {
    metric: IntCounter,
    unflushed: u64,
}

impl Current {
    pub(super) fn new(stage: &Arc<Stage>) -> Current {
        Current {
            limiter: MemoryLimiter::new(stage.settings.memory),
            deadline: Deadline::new(stage.settings.timeout),
            stage: stage.clone(),
            edits: Box::default(),
            discard: None,
            panicked: None,
            wasi: (stage.settings.wasi == Wasi::Stub).then(|| Box::new(Stub::new())),
            crossed: Crossed::default(),
            phase: Phase::Idle,
            chunk: None,
            index: 0,
            found: None,
            call: Accounts::default(),
            reasons: Vec::new(),
            counters: Vec::new(),
            words: Vec::new(),
            interest: Interest::default(),
            search: Search::default(),
        }
    }

    /// A call begins that is about no event.
    pub(super) fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.discard = None;
        self.panicked = None;
        self.call = Accounts { scan_bytes: 0, log_lines: LOG_LINES_MAX };
        self.deadline.begin();
        self.limiter.begin();
    }

    /// `process` begins for one event of a chunk.
    pub(super) fn begin_event(
        &mut self,
        chunk: &Arc<Chunk>,
        index: usize,
        found: Option<&Arc<Found>>,
    ) {
        if !self.chunk.as_ref().is_some_and(|held| Arc::ptr_eq(held, chunk)) {
            self.chunk = Some(chunk.clone());
        }
        self.index = index;
        self.found = found.cloned();
        self.phase = Phase::Process;
        self.discard = None;
        self.panicked = None;
        self.call = Accounts {
            scan_bytes: chunk.events[index].bytes.len().saturating_mul(SCAN_FACTOR),
            log_lines: LOG_LINES_MAX,
        };
        self.deadline.begin();
        self.limiter.begin();
    }

    /// The call is over.
    pub(super) fn end(&mut self) {
        if let Some(mut stub) = self.wasi.take() {
            stub.flush(|output, line| self.say(output, line));
            self.wasi = Some(stub);
        }
        self.found = None;
        self.phase = Phase::Idle;
    }

    /// Gives the chunk back to its pool, and what was counted to the metrics.
    pub(super) fn end_chunk(&mut self) {
        self.chunk = None;
        for counter in self.counters.iter_mut().flatten().filter(|counter| counter.unflushed > 0) {
            self.stage.count(&counter.metric, std::mem::take(&mut counter.unflushed));
        }
    }

    fn original(&self) -> Option<Original<'_>> {
        let chunk = self.chunk.as_ref().filter(|_| self.phase == Phase::Process)?;
        Some(original(chunk, self.index))
    }

    fn view(&self) -> Option<EventView<'_>> {
        Some(EventView { of: self.original()?, edits: &self.edits })
    }

    pub(super) fn event_type(&self) -> EventType {
        self.view().map_or(EventType::Other, |view| view.event_type())
    }

    pub(super) fn text(&self, field: Field) -> String {
        self.view().map_or_else(String::new, |view| view.text(field).into_owned())
    }

    pub(super) fn count(&self) -> u32 {
        self.view().map_or(1, |view| view.count())
    }

    pub(super) fn first_seen(&self) -> Option<i64> {
        self.view().and_then(|view| view.first_seen())
    }

    pub(super) fn last_seen(&self) -> Option<i64> {
        self.view().and_then(|view| view.last_seen())
    }

    /// The time of the current event, in microseconds since the epoch; 0 where there is none.
    pub(super) fn now(&self) -> u64 {
        self.last_seen().unwrap_or_default().try_into().unwrap_or_default()
    }

    /// The member at a pointer, and what to [`Current::charge_scan`] for it.
    pub(super) fn get(&self, pointer: &str) -> (Option<String>, usize) {
        let Some(view) = self.view().filter(|_| pointer.len() < self.call.scan_bytes) else {
            return (None, 0);
        };
        let (found, scanned) = view.get(pointer);
        let found = found.map(|text| text.into_owned());
        let copied = found.as_ref().map_or(0, String::len);
        (found, pointer.len() + scanned.max(copied))
    }

    /// What was looked up of the regarded object; nothing outside of `process`.
    pub(super) fn found(&self) -> Option<&Found> {
        self.found.as_deref()
    }

    pub(super) fn charge_scan(&mut self, bytes: usize) {
        self.call.scan_bytes = self.call.scan_bytes.saturating_sub(bytes);
    }

    /// Makes one edit, or says why it is refused. `edits` are the current event's, taken out for
    /// the time; they bound what one call may do.
    pub(super) fn edit(
        &self,
        edits: &mut Edits,
        apply: impl FnOnce(&mut Edits, Original<'_>) -> Result<(), EditError>,
    ) -> Result<(), String> {
        let of = self.original().ok_or("there is no event to edit outside of `process`")?;
        apply(edits, of).map_err(|error| error.to_string())
    }

    pub(super) fn declare_reason(&mut self, name: &str) -> Result<u32, String> {
        self.check_may_declare()?;
        let (number, id) = self.stage.declare_reason(name)?;
        Ok(remember(&mut self.reasons, number, id))
    }

    pub(super) fn declare_counter(&mut self, name: &str, help: &str) -> Result<u32, String> {
        self.check_may_declare()?;
        let (number, metric) = self.stage.declare_counter(name, help)?;
        Ok(remember(&mut self.counters, number, Counter { metric, unflushed: 0 }))
    }

    pub(super) fn declare_words(&mut self, words: Vec<String>) -> Result<u32, String> {
        self.check_may_declare()?;
        let (number, words) = self.stage.declare_words(words)?;
        Ok(remember(&mut self.words, number, words))
    }

    pub(super) fn interested_in_type(&mut self, event_type: EventType) -> Result<(), String> {
        self.check_may_declare()?;
        self.interest.in_type(event_type)
    }

    pub(super) fn interested_in_words(&mut self, words: Vec<String>) -> Result<(), String> {
        self.check_may_declare()?;
        let (_, set) = self.stage.declare_words(words.clone())?;
        self.interest.in_words(&set, &words)
    }

    /// What the instance is called for.
    pub(super) fn interest(&self) -> &Interest {
        &self.interest
    }

    /// Whether the current event mentions one of the words that have this number.
    pub(super) fn mentions(&mut self, number: u32) -> bool {
        let mut search = std::mem::take(&mut self.search);
        let words = self.words.get(number as usize).and_then(Option::as_ref);
        let of = |(words, view): (&Arc<Words>, EventView<'_>)| view.mentions(words, &mut search);
        let mentions = words.zip(self.view()).map(of);
        self.search = search;
        mentions.unwrap_or_else(|| {
            self.misused("mentioned", number);
            false
        })
    }

    fn check_may_declare(&self) -> Result<(), String> {
        if self.phase == Phase::Configure {
            return Ok(());
        }
        Err("names, words and interest are declared in `configure` only".to_owned())
    }

    pub(super) fn discard(&mut self, reason: u32) {
        match self.reasons.get(reason as usize) {
            Some(Some(id)) if self.phase == Phase::Process => self.discard = Some(*id),
            _ => self.misused("discard", reason),
        }
    }

    /// The first panic of a call is its cause.
    pub(super) fn panicked(&mut self, text: String) {
        self.panicked.get_or_insert(text);
    }

    pub(super) fn add(&mut self, counter: u32, by: u64) {
        match self.counters.get_mut(counter as usize) {
            Some(Some(counter)) if self.phase == Phase::Process => {
                counter.unflushed = counter.unflushed.saturating_add(by);
            }
            _ => self.misused("add", counter),
        }
    }

    fn misused(&self, function: &str, number: u32) {
        let why = match self.phase {
            Phase::Process => "that number was not declared in `configure`",
            Phase::Idle | Phase::Configure => "it may be called in `process` only",
        };
        self.stage.failed(
            FailureKind::Misuse,
            format_args!("`{function}({number})` has no effect: {why}"),
            None,
        );
    }

    /// Whether the call, and then the stage, may write one more line to the log; counts it if not.
    pub(super) fn admits_log_line(&mut self) -> bool {
        let admitted = self.call.log_lines > 0 && self.stage.admits_log_line();
        self.call.log_lines = self.call.log_lines.saturating_sub(1);
        if !admitted {
            self.lost_log_line();
        }
        admitted
    }

    /// Logs a line that the module wrote to a stream.
    pub(super) fn say(&mut self, output: Output, line: &str) {
        if self.admits_log_line() {
            let level = if output == Output::Stderr { Level::WARN } else { Level::INFO };
            self.log(level, line);
        }
    }

    /// Writes a line that was admitted to the stage's log, cut to what a line may have.
    pub(super) fn log(&self, level: Level, text: &str) {
        let kept = &text[..text.floor_char_boundary(LOG_LINE_BYTES_MAX)];
        if kept.len() < text.len() {
            self.lost_log_line();
        }
        let line = text::one_line(kept, LINE_BYTES_MAX);
        let stage = self.stage.name();
        match level {
            Level::ERROR => tracing::error!(stage, "{line}"),
            Level::WARN => tracing::warn!(stage, "{line}"),
            Level::INFO => tracing::info!(stage, "{line}"),
            _ => tracing::debug!(stage, "{line}"),
        }
    }

    /// Counts a line that is not logged, or not all of it.
    pub(super) fn lost_log_line(&self) {
        self.stage.counters.log_lines_dropped.inc();
    }
}

/// One event of a chunk, as edits and views want it.
pub(super) fn original(chunk: &Chunk, index: usize) -> Original<'_> {
    let event = &chunk.events[index];
    Original {
        bytes: chunk.event_bytes(event),
        head: &event.head,
        members: chunk.event_members(event),
    }
}

fn remember<T>(known: &mut Vec<Option<T>>, number: usize, value: T) -> u32 {
    if known.len() <= number {
        known.resize_with(number + 1, || None);
    }
    known[number].get_or_insert(value);
    // At most 64 of anything can be declared.
    number as u32
}
