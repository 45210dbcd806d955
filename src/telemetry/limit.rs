//! A bound on how often the same line is logged: a [`LogLimiter`] for each kind of line.
//!
//! Invariants: every line that was left out is counted, and the next line of its kind says how many
//! were, or else the last lines of the run do; memory is bounded by the places in the code that
//! log, times the configured stages.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::log_limit::{LogLimiter, Rate};
use crate::text;

/// Of each kind of line.
const RATE: Rate = Rate { burst: 10, interval: Duration::from_secs(10) };
/// Where the last lines of all come from: they are not limited themselves.
const TARGET: &str = module_path!();
/// How much of a message tells people which kind of line it is.
const EXAMPLE_BYTES_MAX: usize = 120;

/// Which lines are the same: those of one place in the code, about one stage. (All lines of crates
/// that use `log` come from one place per level: their own target tells them apart.)
type Key = (Identifier, String);

/// Every kind of line that was logged; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    kinds: HashMap<Key, Kind>,
    has_ended: bool,
}

#[derive(Debug)]
struct Kind {
    limiter: LogLimiter<Instant>,
    /// What the first one said.
    example: String,
}

impl Kinds {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Whether to show a line, with how many of its kind were left out since the last one.
    fn admit(&self, event: &Event<'_>, now: Instant) -> Option<u64> {
        let mut about = About::default();
        event.record(&mut about);
        let mut state = self.lock();
        if state.has_ended {
            return None;
        }
        let kind = state.kinds.entry((event.metadata().callsite(), about.0)).or_insert_with(|| {
            let mut example = Example::default();
            event.record(&mut example);
            Kind { limiter: LogLimiter::new(RATE), example: example.0 }
        });
        kind.limiter.admit(1, now)
    }

    /// Says how many lines of each kind were left out and not told yet. From then on nothing is
    /// shown.
    pub(super) fn end(&self) {
        let kinds = {
            let mut state = self.lock();
            state.has_ended = true;
            std::mem::take(&mut state.kinds)
        };
        let untold = kinds
            .into_iter()
            .map(|((_, about), mut kind)| (kind.limiter.take_suppressed(), about, kind.example));
        let mut untold: Vec<_> = untold.filter(|(suppressed, ..)| *suppressed > 0).collect();
        untold.sort();
        for (suppressed, about, like) in untold.into_iter().rev() {
            let about = Some(about.trim_matches('"')).filter(|about| !about.is_empty());
            tracing::warn!(
                target: TARGET, suppressed, like, about,
                "log lines of a kind were left out at the end"
            );
        }
    }
}

/// A format of lines, bounded in rate; a line after others that were left out ends with
/// `suppressed=N`.
#[derive(Debug)]
pub(super) struct RateLimited<F> {
    format: F,
    kinds: Kinds,
    now: fn() -> Instant,
}

impl<F> RateLimited<F> {
    pub(super) fn new(format: F, kinds: Kinds) -> RateLimited<F> {
        RateLimited { format, kinds, now: Instant::now }
    }

    fn admit(&self, event: &Event<'_>) -> Option<u64> {
        if event.metadata().target() == TARGET {
            return Some(0);
        }
        self.kinds.admit(event, (self.now)())
    }
}

impl<S, N, F> FormatEvent<S, N> for RateLimited<F>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.admit(event) {
            None => Ok(()),
            Some(0) => self.format.format_event(context, writer, event),
            Some(suppressed) => {
                let mut line = String::new();
                self.format.format_event(context, Writer::new(&mut line), event)?;
                let line = line.trim_end();
                match line.strip_suffix('}') {
                    Some(object) => writeln!(writer, "{object},\"suppressed\":{suppressed}}}"),
                    None => writeln!(writer, "{line} suppressed={suppressed}"),
                }
            }
        }
    }
}

/// Reads what tells lines apart that are logged at the same place in the code.
#[derive(Default)]
struct About(String);

impl Visit for About {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "stage" | "log.target") {
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Reads the beginning of what a line says.
#[derive(Default)]
struct Example(String);

impl Visit for Example {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = text::one_line(format_args!("{value:?}"), EXAMPLE_BYTES_MAX);
        }
    }
}
