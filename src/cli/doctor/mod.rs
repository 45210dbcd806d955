//! `weir doctor`: what `weir check` cannot know, because it contacts no server.
//!
//! Constraints: nothing is written, here or on a server, and no lock is taken, so it can be run
//! before the first run, and beside one. Each finding says what to do.
//!
//! - [`ask`] asks, and decides nothing. [`kubernetes`], [`opensearch`] and [`machine`] make
//!   findings of the answers, and are pure.
//! - [`grant`] writes what gives a missing right.

mod ask;
mod grant;
mod kubernetes;
mod machine;
mod opensearch;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{CommandError, preflight, print};
use crate::text::{self, LINE_BYTES_MAX};

/// Ask the servers whether a pipeline can run, and say what to do
///
/// A line for each finding: `ok|warn|fail NAME: TEXT`. It asks the API server (version, clock, each
/// right, the Lease) and OpenSearch (version, login, rights, clock, and the policy, template and
/// data stream as they are), looks at the disk, asks registries for the modules that are there, and
/// loads the modules. It takes no lock and writes nothing, so it may be run before the first run,
/// and beside one. With a `fail` the exit code is 1; a configuration that cannot be run is told as
/// `weir check` tells it, with 2.
#[derive(Debug, Args)]
pub(super) struct DoctorCommand {
    /// The pipeline's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A JSON object a line: `level`, `name`, `text`, and `grant` where a right is missing
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    /// It runs, and not as somebody may expect.
    Warn,
    /// It does not run.
    Fail,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// Something that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// Of a closed set.
    name: &'static str,
    pub(super) text: String,
    /// What gives the right that is missing: YAML on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
}

impl Finding {
    fn new(level: Level, name: &'static str, text: impl Into<String>) -> Finding {
        Finding { level, name, text: text.into(), grant: None }
    }

    pub(super) fn ok(name: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Level::Ok, name, text)
    }

    pub(super) fn warn(name: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Level::Warn, name, text)
    }

    pub(super) fn fail(name: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Level::Fail, name, text)
    }

    pub(super) fn shown(&self) -> String {
        let Finding { level, name, text, grant } = self;
        let line = match grant {
            None => format!("{} {name}: {text}", level.word()),
            Some(grant) => {
                format!("{} {name}: {text}: `kubectl apply -f -` of {grant}", level.word())
            }
        };
        text::one_line(line, LINE_BYTES_MAX) + "\n"
    }

    pub(super) fn json(&self) -> String {
        let plain = Finding { text: text::one_line(&self.text, LINE_BYTES_MAX), ..self.clone() };
        // Texts and words are always JSON.
        serde_json::to_string(&plain).unwrap_or_default() + "\n"
    }
}

/// What `weir doctor` found wrong.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// Requests cannot be made.
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    /// At least one finding is a `fail`.
    #[error("it would not run: see what begins with `fail` above")]
    Failed,
}

impl DoctorCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let (config, modules) = preflight::look_at(&self.config)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(DoctorError::Start)?;
        let findings = runtime.block_on(ask::all(&config.settings, &modules));
        let lines = findings.iter().map(|finding| match self.json {
            true => finding.json(),
            false => finding.shown(),
        });
        print(&lines.collect::<String>())?;
        match findings.iter().any(|finding| finding.level == Level::Fail) {
            true => Err(DoctorError::Failed.into()),
            false => Ok(()),
        }
    }
}

/// Of the machine that is asked to the one that asks: with a second's resolution, and some on the
/// way.
const CLOCK_ROUGHNESS_SECONDS: i64 = 2;
/// Nothing depends on less.
const CLOCK_WARN_SECONDS: i64 = 30;
/// What was written so long before a takeover, by the server's clock, counts as known
/// (docs/delivery.md#data-streams-and-aliases).
const CLOCK_FAIL_SECONDS: i64 = 300;

/// Another machine's.
struct Clock {
    of: &'static str,
    /// What follows from its being wrong.
    matters: &'static str,
    /// At most.
    worst: Level,
}

/// How far apart it and this machine's are, in seconds, and what that means.
fn clock(Clock { of, matters, worst }: &Clock, apart: i64) -> Finding {
    let seconds = apart.abs();
    let ahead = if apart > 0 { "ahead of" } else { "behind" };
    match seconds {
        0..=CLOCK_ROUGHNESS_SECONDS => {
            Finding::ok("clock", format!("{of} and this machine have the same time"))
        }
        ..=CLOCK_WARN_SECONDS => {
            Finding::ok("clock", format!("{of} is {seconds} s {ahead} this machine"))
        }
        seconds => {
            let level = if seconds < CLOCK_FAIL_SECONDS { Level::Warn } else { *worst };
            let text = format!(
                "{of} is {seconds} s {ahead} this machine: have both set by NTP: {matters}"
            );
            Finding::new(level, "clock", text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_in_both_forms() {
        let hostile = Finding::fail("login", "no\nok login: FORGED\u{1b}[31m");
        assert_eq!(hostile.shown(), "fail login: no\\nok login: FORGED\\u{1b}[31m\n");
        let json = hostile.json();
        assert_eq!((json.lines().count(), json.contains('\u{1b}')), (1, false));
        let granted = Finding { grant: Some("{}".into()), ..Finding::fail("events", "no") };
        assert_eq!(granted.shown(), "fail events: no: `kubectl apply -f -` of {}\n");
        assert_eq!(
            granted.json(),
            "{\"level\":\"fail\",\"name\":\"events\",\"text\":\"no\",\"grant\":\"{}\"}\n"
        );
    }

    #[test]
    fn clocks_that_are_far_apart_are_told() {
        let api_server = Clock { of: "the API server", matters: "no", worst: Level::Fail };
        let level = |apart| clock(&api_server, apart).level;
        assert_eq!([level(0), level(-2), level(29)], [Level::Ok; 3]);
        assert_eq!([level(31), level(-299)], [Level::Warn; 2]);
        assert_eq!([level(300), level(-4000)], [Level::Fail; 2]);
        let other = Clock { of: "OpenSearch", matters: "no", worst: Level::Warn };
        assert_eq!(clock(&other, 4000).level, Level::Warn);
        assert!(clock(&other, -40).text.contains("40 s behind this machine"));
    }
}
