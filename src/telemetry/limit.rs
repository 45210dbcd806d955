//! A bound on how often the same line is logged.
//!
//! Invariants: a line is shown at once when it has been quiet; whatever was left out is counted,
//! and the next line of its kind says how many, or else the last lines of all do; memory is bounded
//! by the places in the code that log, times the configured stages.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Lines of a kind that may come together.
const BURST: u32 = 10;
/// After a burst, one line in that time.
const INTERVAL: Duration = Duration::from_secs(10);
/// Where the last lines of all come from: they are not limited themselves.
const TARGET: &str = module_path!();
/// How much of a message tells people which kind of line it is.
const EXAMPLE_CHARS_MAX: usize = 120;

/// Which lines are the same: those of one place in the code, about one stage. (All lines of crates
/// that use `log` come from one place per level: their own target tells them apart.)
type Key = (Identifier, String);

/// Whether to show a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Show it; so many of its kind were left out since the last one.
    Show { suppressed: u64 },
    /// Leave it out.
    Suppress,
}

/// A token bucket: filled by one line an [`INTERVAL`], up to [`BURST`].
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u32,
    /// When the last token was added.
    filled: Instant,
    suppressed: u64,
}

impl Bucket {
    fn new(now: Instant) -> Bucket {
        Bucket { tokens: BURST, filled: now, suppressed: 0 }
    }

    fn decide(&mut self, now: Instant) -> Decision {
        let passed = now.saturating_duration_since(self.filled);
        let earned = u32::try_from(passed.as_nanos() / INTERVAL.as_nanos()).unwrap_or(u32::MAX);
        if earned >= BURST - self.tokens {
            (self.tokens, self.filled) = (BURST, now);
        } else {
            self.tokens += earned;
            self.filled += INTERVAL * earned;
        }
        if self.tokens == 0 {
            self.suppressed += 1;
            return Decision::Suppress;
        }
        self.tokens -= 1;
        Decision::Show { suppressed: std::mem::take(&mut self.suppressed) }
    }
}

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
    bucket: Bucket,
    /// What the first one said.
    example: String,
}

impl Kinds {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with it has left at most one count too low.
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn decide(&self, event: &Event<'_>, now: Instant) -> Decision {
        let mut about = About::default();
        event.record(&mut about);
        let mut state = self.lock();
        if state.has_ended {
            return Decision::Suppress;
        }
        let kind = state.kinds.entry((event.metadata().callsite(), about.0)).or_insert_with(|| {
            let mut example = Example::default();
            event.record(&mut example);
            Kind { bucket: Bucket::new(now), example: example.0 }
        });
        kind.bucket.decide(now)
    }

    /// Says how many lines of each kind were left out and not told yet. From then on nothing is
    /// shown.
    pub(super) fn end(&self) {
        let kinds = {
            let mut state = self.lock();
            state.has_ended = true;
            std::mem::take(&mut state.kinds)
        };
        let untold = kinds.into_iter().filter(|(_, kind)| kind.bucket.suppressed > 0);
        let mut untold: Vec<_> = untold
            .map(|((_, about), kind)| (kind.bucket.suppressed, about, kind.example))
            .collect();
        untold.sort();
        for (suppressed, about, like) in untold.into_iter().rev() {
            let about = Some(about.trim_matches('"')).filter(|about| !about.is_empty());
            tracing::warn!(target: TARGET, suppressed, like, about, "log lines of a kind were left out at the end");
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

    fn decide(&self, event: &Event<'_>) -> Decision {
        if event.metadata().target() == TARGET {
            return Decision::Show { suppressed: 0 };
        }
        self.kinds.decide(event, (self.now)())
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
        match self.decide(event) {
            Decision::Suppress => Ok(()),
            Decision::Show { suppressed: 0 } => self.format.format_event(context, writer, event),
            Decision::Show { suppressed } => {
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

/// Reads what tells lines from one place apart.
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
            self.0 = format!("{value:?}");
            if let Some((end, _)) = self.0.char_indices().nth(EXAMPLE_CHARS_MAX) {
                self.0.truncate(end);
                self.0.push('…');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_is_shown_then_one_line_an_interval_which_counts_the_others() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..BURST {
            assert_eq!(bucket.decide(start), Decision::Show { suppressed: 0 });
        }
        for _ in 0..7 {
            assert_eq!(bucket.decide(start + INTERVAL / 2), Decision::Suppress);
        }
        assert_eq!(bucket.decide(start + INTERVAL), Decision::Show { suppressed: 7 });
        assert_eq!(bucket.decide(start + INTERVAL), Decision::Suppress);
    }

    #[test]
    fn after_quiet_a_whole_burst_is_shown_again() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..100 {
            bucket.decide(start);
        }
        let later = start + INTERVAL * 1000;
        assert_eq!(bucket.decide(later), Decision::Show { suppressed: 90 });
        for _ in 1..BURST {
            assert_eq!(bucket.decide(later), Decision::Show { suppressed: 0 });
        }
        assert_eq!(bucket.decide(later), Decision::Suppress);
    }

    proptest! {
        #[test]
        fn every_line_is_shown_or_counted_and_the_rate_is_bounded(gaps_ms in proptest::collection::vec(0u64..30_000, 0..200)) {
            let start = Instant::now();
            let mut bucket = Bucket::new(start);
            let mut now = start;
            let (mut shown, mut counted) = (0u64, 0u64);
            for gap in &gaps_ms {
                now += Duration::from_millis(*gap);
                if let Decision::Show { suppressed } = bucket.decide(now) {
                    shown += 1;
                    counted += suppressed;
                }
            }
            prop_assert_eq!(shown + counted + bucket.suppressed, gaps_ms.len() as u64);
            prop_assert!(shown <= u64::from(BURST) + (now - start).as_secs() / INTERVAL.as_secs());
        }
    }
}
