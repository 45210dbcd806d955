//! Logs, and progress of long work in the foreground, both on stderr.
//!
//! Logs are for people on a terminal and JSON, one object a line, elsewhere. Their rate is bounded:
//! what repeats is shown a few times, and then now and again with how many were left out, so that
//! no event, document or module can flood them. Their texts are bounded and made harmless
//! ([`harmless`]), so that none of these can forge a line either. Nothing here knows settings, so
//! no password can come out of it.

mod harmless;
mod limit;
mod progress;

pub(crate) use progress::Progress;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use indicatif::MultiProgress;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use harmless::{HarmlessJson, HumanFields};
use limit::{Kinds, RateLimited};

/// The environment variable that says which lines to show.
pub(crate) const FILTER_VARIABLE: &str = "WEIR_LOG";
const FILTER_DEFAULT: &str = "info";
const FILTER_QUIET: &str = "warn";
/// These libraries log each of their retries as an error, without a bound; weir logs it once. A
/// filter that names them turns them on. How many lines were left out is always logged, whatever
/// their level was.
const FILTER_OWN: &str = "kube_client=off,rustls_platform_verifier=off,weir::telemetry=warn";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// `human` when stderr is a terminal, `json` otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why logs cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not valid.
    #[error(
        "the environment variable {FILTER_VARIABLE} is not a valid filter: {0}; it should be a \
         level such as `warn`, or levels of parts such as `info,weir::sink=debug`"
    )]
    Filter(String),
    /// Logs were set up before.
    #[error("logs are set up twice: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What shows logs and progress; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    bars: Option<MultiProgress>,
    kinds: Kinds,
}

impl Telemetry {
    /// Sets up the process's logs, once.
    ///
    /// # Errors
    ///
    /// When `WEIR_LOG` is not a valid filter, or logs were set up before.
    pub(crate) fn init(format: LogFormat) -> Result<Telemetry, TelemetryError> {
        Telemetry::init_with(format, FILTER_DEFAULT)
    }

    /// The same for a command that is not a run: without `WEIR_LOG` it logs only what goes wrong.
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn init_quietly(format: LogFormat) -> Result<Telemetry, TelemetryError> {
        Telemetry::init_with(format, FILTER_QUIET)
    }

    fn init_with(format: LogFormat, default: &str) -> Result<Telemetry, TelemetryError> {
        let asked = std::env::var(FILTER_VARIABLE);
        let asked = asked.as_deref().unwrap_or(default);
        let filter = EnvFilter::try_new(format!("{FILTER_OWN},{asked}"));
        let filter = filter.map_err(|error| TelemetryError::Filter(error.to_string()))?;
        let is_terminal = io::stderr().is_terminal();
        let telemetry =
            Telemetry { bars: is_terminal.then(MultiProgress::new), kinds: Kinds::default() };
        let writer = Stderr(telemetry.bars.clone());
        let is_human = match format {
            LogFormat::Auto => is_terminal,
            LogFormat::Human => true,
            LogFormat::Json => false,
        };
        let kinds = telemetry.kinds.clone();
        let lines = if is_human {
            human(writer, is_terminal, kinds).boxed()
        } else {
            json(writer, kinds).boxed()
        };
        tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
        Ok(telemetry)
    }

    /// Says how many log lines were left out and not told yet. What is logged from then on is not
    /// shown: the command's own last line is the last.
    pub(crate) fn end(self) {
        self.kinds.end();
    }

    /// Shows how far `read` is on its way to `total` bytes, until that is dropped; `None` where
    /// nobody is watching.
    pub(crate) fn progress(&self, total: u64, read: &Arc<AtomicU64>) -> Option<Progress> {
        self.bars.as_ref().map(|bars| Progress::new(bars, total, read.clone()))
    }
}

fn human<W>(writer: W, has_colours: bool, kinds: Kinds) -> impl Layer<Registry> + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let format = RateLimited::new(fmt::format().with_target(false).compact(), kinds);
    let layer = fmt::layer().with_ansi(has_colours).fmt_fields(HumanFields);
    layer.event_format(format).with_writer(writer)
}

fn json<W>(writer: W, kinds: Kinds) -> impl Layer<Registry> + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let format = fmt::format().json().flatten_event(true).with_span_list(false);
    let format = RateLimited::new(HarmlessJson(format), kinds);
    fmt::layer().json().event_format(format).with_writer(writer)
}

/// stderr, with progress bars out of the way while a line is written.
#[derive(Clone, Debug)]
struct Stderr(Option<MultiProgress>);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.0 {
            // A line that the rate limit left out is empty: nothing to redraw for.
            Some(bars) if !bytes.is_empty() => bars.suspend(|| io::stderr().write_all(bytes)),
            _ => io::stderr().write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Stderr {
    type Writer = Stderr;

    fn make_writer(&self) -> Stderr {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What was written to it.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_json_line_is_one_object_with_the_fields_beside_the_message() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::registry().with(json(move || writer.clone(), Kinds::default()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(stage = "a", count = 3, "it \"failed\"\nagain")
        });
        let mut line: serde_json::Value = serde_json::from_str(&lines.text()).unwrap();
        line.as_object_mut().unwrap().remove("timestamp").unwrap();
        insta::assert_snapshot!(line, @r#"{"count":3,"level":"WARN","message":"it \"failed\"\\nagain","stage":"a","target":"weir::telemetry::tests"}"#);
    }

    #[test]
    fn a_human_line_has_level_message_and_fields() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(human(
            move || writer.clone(),
            false,
            Kinds::default(),
        ));
        tracing::subscriber::with_default(subscriber, || tracing::warn!(stage = "a", "it failed"));
        let text = lines.text();
        let (_, line) = text.split_once(' ').unwrap();
        insta::assert_snapshot!(line, @r#" WARN it failed stage="a""#);
    }

    /// The second field could end the line, colour what follows, and be of any length.
    fn say_something_hostile() {
        let reason = "no\n2026-01-01T00:00:00Z ERROR forged\u{1b}[31m\u{9b}\u{202e}".to_owned();
        let long = "x".repeat(21 << 20);
        tracing::warn!(%reason, text = reason, ?long, "refused: {reason}{long}");
    }

    #[test]
    fn no_text_forges_a_line_steers_a_terminal_or_is_endless_in_either_form() {
        for is_human in [true, false] {
            let (lines, kinds) = (Lines::default(), Kinds::default());
            let writer = lines.clone();
            let make = move || writer.clone();
            let subscriber = tracing_subscriber::registry();
            if is_human {
                let subscriber = subscriber.with(human(make, false, kinds.clone()));
                tracing::subscriber::with_default(subscriber, say_something_hostile);
            } else {
                let subscriber = subscriber.with(json(make, kinds.clone()));
                tracing::subscriber::with_default(subscriber, say_something_hostile);
            }
            let text = lines.text();
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.contains(crate::text::is_harmful), "{line}");
            assert!(line.len() < 4 * crate::text::LINE_BYTES_MAX, "{}", line.len());
            assert!(line.contains("refused: no") && line.contains("ERROR forged"), "{line}");
            if !is_human {
                let read: serde_json::Value = serde_json::from_str(line).unwrap();
                let texts = ["message", "reason", "text", "long"].map(|key| &read[key]);
                let is_harmless = |text: &serde_json::Value| {
                    !text.as_str().unwrap().contains(crate::text::is_harmful)
                };
                assert!(texts.into_iter().all(is_harmless), "{line}");
            }
        }
    }

    #[test]
    fn what_was_left_out_is_told_at_the_end_and_nothing_behind_it() {
        let (lines, kinds) = (Lines::default(), Kinds::default());
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(human(
            move || writer.clone(),
            false,
            kinds.clone(),
        ));
        tracing::subscriber::with_default(subscriber, || {
            for stage in ["a", "b", "b", "b"] {
                for number in 0..13 {
                    tracing::info!(stage, "it failed for the {number}th time");
                }
            }
            tracing::info!("well");
            kinds.end();
            tracing::info!("too late");
            kinds.end();
        });
        let text = lines.text();
        let said: Vec<&str> =
            text.lines().skip(20).map(|line| line.split_once(' ').unwrap().1.trim()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        INFO well
        WARN log lines of a kind were left out at the end suppressed=29 like="it failed for the 0th time" about="b"
        WARN log lines of a kind were left out at the end suppressed=3 like="it failed for the 0th time" about="a"
        "#);
    }
}
