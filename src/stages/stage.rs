//! What all instances of one stage share: its settings, its metrics, what its module declared, its
//! log.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::{Histogram, IntCounter, IntCounterVec};
use tracing::{debug, info, warn};

use super::ModuleSettings;
use super::clock::Reading;
use super::failure::{FailureKind, FailureLog, Line};
use super::instance::Trace;
use super::limits::{
    COUNTERS_MAX, LOG_RATE, NAME_BYTES_MAX, REASONS_MAX, WORD_BYTES_MAX, WORD_SETS_MAX,
};
use crate::event::Words;
use crate::ledger::{Ledger, ReasonId};
use crate::log_limit::LogLimiter;
use crate::metrics::StageMetrics;
use crate::text::{self, LINE_BYTES_MAX};

/// Why an instance was made: the `cause` label of `weir_stage_instance_starts_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Start,
    Trap,
    Timeout,
    Memory,
}

impl Cause {
    const ALL: [&'static str; 4] = ["start", "trap", "timeout", "memory"];
}

/// The metrics of one stage, looked up once.
#[derive(Debug)]
pub(super) struct StageCounters {
    pub(super) calls: IntCounter,
    pub(super) duration: Histogram,
    failures: [IntCounter; FailureKind::ALL.len()],
    starts: [IntCounter; Cause::ALL.len()],
    pub(super) edits_refused: IntCounter,
    pub(super) log_lines_dropped: IntCounter,
    module_counter: IntCounterVec,
}

impl StageCounters {
    fn new(stage: &str, metrics: &StageMetrics) -> StageCounters {
        StageCounters {
            calls: metrics.calls.with_label_values(&[stage]),
            duration: metrics.duration.with_label_values(&[stage]),
            failures: FailureKind::ALL
                .map(|kind| metrics.failures.with_label_values(&[stage, kind.label()])),
            starts: Cause::ALL
                .map(|cause| metrics.instance_starts.with_label_values(&[stage, cause])),
            edits_refused: metrics.edits_refused.with_label_values(&[stage]),
            log_lines_dropped: metrics.log_lines_dropped.with_label_values(&[stage]),
            module_counter: metrics.module_counter.clone(),
        }
    }
}

/// One stage, shared by its instances on all workers.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) settings: ModuleSettings,
    pub(super) counters: StageCounters,
    /// What events that `on_error = "drop"` dropped are counted as.
    pub(super) error_reason: ReasonId,
    /// The clocks that deadlines read; a parameter for the tests.
    pub(super) clock: fn() -> Reading,
    ledger: Ledger,
    declared: Mutex<Declared>,
    log: Mutex<StageLog>,
}

/// What the module declared, in any of its instances. The numbers that modules get are positions
/// here.
#[derive(Debug, Default)]
struct Declared {
    reasons: Vec<(String, ReasonId)>,
    counters: Vec<(String, IntCounter)>,
    words: Vec<(Vec<String>, Arc<Words>)>,
}

#[derive(Debug)]
struct StageLog {
    lines: LogLimiter<Duration>,
    failures: FailureLog,
    said_full: bool,
}

/// The reason of events that `on_error = "drop"` dropped, which no module may declare for its own.
const ERROR_REASON: &str = "error";
impl Stage {
    pub(super) fn new(
        settings: ModuleSettings,
        ledger: &Ledger,
        metrics: &StageMetrics,
        clock: fn() -> Reading,
    ) -> Arc<Stage> {
        Arc::new(Stage {
            counters: StageCounters::new(&settings.name, metrics),
            error_reason: ledger.filter_reason(&settings.name, ERROR_REASON),
            clock,
            ledger: ledger.clone(),
            declared: Mutex::default(),
            log: Mutex::new(StageLog {
                lines: LogLimiter::new(LOG_RATE),
                failures: FailureLog::default(),
                said_full: false,
            }),
            settings,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn count_start(&self, cause: Cause) {
        self.counters.starts[cause as usize].inc();
    }

    /// The number and the ledger's id of a declared reason.
    pub(super) fn declare_reason(&self, name: &str) -> Result<(usize, ReasonId), String> {
        check_name(name)?;
        if name == ERROR_REASON {
            return Err(format!(
                "`{name}` is the reason of events that `on_error = \"drop\"` drops: name another"
            ));
        }
        let reasons = &mut self.declared.lock().reasons;
        if let Some(number) = reasons.iter().position(|(known, _)| known == name) {
            return Ok((number, reasons[number].1));
        }
        if reasons.len() == REASONS_MAX {
            return Err(format!("`{name}` would be more than {REASONS_MAX} reasons"));
        }
        let id = self.ledger.filter_reason(self.name(), name);
        reasons.push((name.to_owned(), id));
        Ok((reasons.len() - 1, id))
    }

    /// The number and the metric of a declared counter. `help` is logged when it is new.
    pub(super) fn declare_counter(
        &self,
        name: &str,
        help: &str,
    ) -> Result<(usize, IntCounter), String> {
        check_name(name)?;
        let counters = &mut self.declared.lock().counters;
        if let Some(number) = counters.iter().position(|(known, _)| known == name) {
            return Ok((number, counters[number].1.clone()));
        }
        if counters.len() == COUNTERS_MAX {
            return Err(format!("`{name}` would be more than {COUNTERS_MAX} counters"));
        }
        let counter = self.counters.module_counter.with_label_values(&[self.name(), name]);
        counters.push((name.to_owned(), counter.clone()));
        let help = text::one_line(help, LINE_BYTES_MAX);
        info!(stage = self.name(), counter = name, %help, "a module declared a counter");
        Ok((counters.len() - 1, counter))
    }

    /// The number of declared words, each of them checked, and what finds them.
    pub(super) fn declare_words(&self, words: Vec<String>) -> Result<(usize, Arc<Words>), String> {
        if words.is_empty() {
            return Err("no words are declared".to_owned());
        }
        let sets = &mut self.declared.lock().words;
        if let Some(number) = sets.iter().position(|(known, _)| *known == words) {
            return Ok((number, sets[number].1.clone()));
        }
        if sets.len() == WORD_SETS_MAX {
            return Err(format!("these would be more than {WORD_SETS_MAX} sets of words"));
        }
        let found = Arc::new(Words::new(&words).map_err(|error| error.to_string())?);
        sets.push((words, found.clone()));
        Ok((sets.len() - 1, found))
    }

    /// The name of a declared reason.
    pub(super) fn reason_name(&self, id: ReasonId) -> Option<String> {
        let declared = self.declared.lock();
        declared.reasons.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone())
    }

    /// The names of all declared reasons.
    pub(super) fn reasons(&self) -> Vec<String> {
        self.declared.lock().reasons.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The names of all declared counters.
    pub(super) fn declared_counters(&self) -> Vec<String> {
        self.declared.lock().counters.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Whether the module may write one more line to the log.
    pub(super) fn admits_log_line(&self) -> bool {
        self.log.lock().lines.admit(1, (self.clock)().wall).is_some()
    }

    /// Adds to a declared counter. It saturates: a counter must not wrap to zero.
    pub(super) fn count(&self, counter: &IntCounter, by: u64) {
        // Held so that no other worker adds in between.
        let _declared = self.declared.lock();
        counter.inc_by(by.min(u64::MAX - counter.get()));
    }

    /// Logs, once, that an instance was replaced although it works.
    pub(super) fn replaced_full(&self) {
        if !std::mem::replace(&mut self.log.lock().said_full, true) {
            info!(
                stage = self.name(),
                "the module reached its `memory`, {} bytes, and was replaced by a new instance: \
                 what it remembered is lost (this is logged once)",
                self.settings.memory
            );
        }
    }

    pub(super) fn count_failure(&self, kind: FailureKind) {
        self.counters.failures[kind as usize].inc();
    }

    /// Counts a failure, and logs it if its kind was not logged lately. The first
    /// line of a kind has the guest's backtrace where nothing else says where it was; where it is
    /// known, a line for whoever debugs the module does.
    pub(super) fn failed(&self, kind: FailureKind, detail: impl Display, trace: Option<&Trace>) {
        self.count_failure(kind);
        let line = self.log.lock().failures.line(kind, Instant::now());
        let Some(Line { is_first, unsaid }) = line else { return };
        let is_misuse = kind == FailureKind::Misuse; // It costs neither the call nor the event.
        let (stage, kind) = (self.name(), kind.label());
        let on_error = self.settings.on_error;
        let detail = text::words(&detail.to_string(), LINE_BYTES_MAX);
        match trace.filter(|trace| is_first && trace.is_needed) {
            _ if is_misuse => {
                warn!(stage, kind, unsaid, "the module misused what it imports: {detail}")
            }
            Some(Trace { functions: backtrace, .. }) => {
                warn!(stage, kind, ?on_error, backtrace, "a call failed: {detail}")
            }
            None => warn!(stage, kind, ?on_error, unsaid, "a call failed: {detail}"),
        }
        if let Some(Trace { functions: backtrace, is_needed: false }) = trace {
            debug!(stage, kind, backtrace, "where it failed");
        }
    }

    /// Logs how many failures were counted since the last line about their kind: nothing more will
    /// be.
    pub(super) fn say_rest(&self) {
        for (kind, unsaid) in self.log.lock().failures.take_rest() {
            let (stage, kind) = (self.name(), kind.label());
            warn!(stage, kind, unsaid, "there were more failures than were logged");
        }
    }

    /// How many failures of a kind there were, for tests.
    #[cfg(test)]
    pub(super) fn failures(&self, kind: FailureKind) -> u64 {
        self.counters.failures[kind as usize].get()
    }

    /// How many instances were made for a cause, for tests.
    #[cfg(test)]
    pub(super) fn starts(&self, cause: Cause) -> u64 {
        self.counters.starts[cause as usize].get()
    }
}

/// A word that may be declared.
pub(super) fn check_word(word: &str) -> Result<(), String> {
    if (1..=WORD_BYTES_MAX).contains(&word.len()) {
        return Ok(());
    }
    let shown = text::one_line(word, WORD_BYTES_MAX);
    Err(format!("`{shown}` is no word: 1 to {WORD_BYTES_MAX} bytes"))
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    if fits && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return Ok(());
    }
    let shown = text::one_line(name, NAME_BYTES_MAX);
    Err(format!("`{shown}` is not a name: 1 to {NAME_BYTES_MAX} of a to z and _"))
}
