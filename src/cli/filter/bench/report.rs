//! What came of a bench, for people and for programs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::cli::filter::alone::Alone;
use crate::stages::{Cost, Counted, Timed};
use crate::text::{self, LINE_BYTES_MAX};

/// What came of it. Costs compare only where `weir` and `module` are the same.
#[derive(Debug, Serialize)]
pub(super) struct Bench {
    module: Module,
    weir: Identity,
    /// Events that there are.
    events: usize,
    /// What was to be one, and is none.
    rejected: usize,
    /// Events that `match` lets the module see, and that it is interested in.
    pub(super) calls: u64,
    /// Calls that failed.
    pub(super) failed: u64,
    time: Time,
    /// The most that the memories and tables of the instance had.
    memory_bytes: u64,
    cost: Costs,
}

#[derive(Debug, Serialize)]
struct Module {
    path: PathBuf,
    bytes: usize,
    sha256: String,
}

/// Which weir it was.
#[derive(Debug, Serialize)]
pub(super) struct Identity {
    pub(super) version: &'static str,
    /// Of its binary.
    pub(super) sha256: String,
}

#[derive(Debug, Serialize)]
struct Time {
    /// How often all events were run.
    passes: usize,
    /// Of the time of one event.
    median_ns: u128,
    p99_ns: u128,
}

#[derive(Debug, Serialize)]
struct Costs {
    /// Making and configuring an instance.
    start: Cost,
    /// All events.
    total: Cost,
    per_event: PerEvent,
}

/// The total, divided by the number of events.
#[derive(Debug, Serialize)]
struct PerEvent {
    fuel: f64,
    host_calls: f64,
    text_bytes: f64,
}

impl Bench {
    pub(super) fn new(
        alone: &Alone,
        weir: Identity,
        (events, rejected): (usize, usize),
        timed: Timed,
        counted: Counted,
    ) -> Bench {
        let Timed { passes, median, p99, memory_bytes } = timed;
        let Counted { start, events: total, calls, failed } = counted;
        let each = |count: u64| count as f64 / events.max(1) as f64;
        Bench {
            module: Module {
                path: alone.path.clone(),
                bytes: alone.bytes,
                sha256: alone.sha256.clone(),
            },
            weir,
            events,
            rejected,
            calls,
            failed,
            time: Time { passes, median_ns: median.as_nanos(), p99_ns: p99.as_nanos() },
            memory_bytes,
            cost: Costs {
                start,
                total,
                per_event: PerEvent {
                    fuel: each(total.fuel),
                    host_calls: each(total.host_calls),
                    text_bytes: each(total.text_bytes),
                },
            },
        }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        // Numbers and texts are always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |part: &str, text: fmt::Arguments<'_>| {
            writeln!(f, "{part:<8} {}", text::one_line(text, LINE_BYTES_MAX))
        };
        let Module { path, bytes, sha256 } = &self.module;
        line("module", format_args!("{} ({bytes} bytes) sha256:{sha256}", path.display()))?;
        line("weir", format_args!("{} sha256:{}", self.weir.version, self.weir.sha256))?;
        let rejected = match self.rejected {
            0 => String::new(),
            rejected => format!(", {rejected} more are none"),
        };
        let (events, calls, failed) = (self.events, self.calls, self.failed);
        line("events", format_args!("{events}{rejected}: {calls} calls, {failed} failed"))?;
        let ns = |ns: u128| Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
        let Time { passes, median_ns, p99_ns } = self.time;
        line(
            "time",
            format_args!(
                "{:?} an event, {:?} at the 99th percentile ({passes} passes, here and now)",
                ns(median_ns),
                ns(p99_ns)
            ),
        )?;
        line("memory", format_args!("{} KiB at most", self.memory_bytes.div_ceil(1024)))?;
        let PerEvent { fuel, host_calls, text_bytes } = &self.cost.per_event;
        line(
            "cost",
            format_args!(
                "{fuel:.1} fuel, {host_calls:.1} host calls, {text_bytes:.1} bytes of text an event"
            ),
        )?;
        for (part, Cost { fuel, host_calls, text_bytes }) in
            [("  total", self.cost.total), ("  start", self.cost.start)]
        {
            line(
                part,
                format_args!("{fuel} fuel, {host_calls} host calls, {text_bytes} bytes of text"),
            )?;
        }
        Ok(())
    }
}
