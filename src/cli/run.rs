//! `weir run --config FILE`: runs a pipeline in the foreground, and says how it ended.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use clap::Args;

use super::{CommandError, LogArguments, preflight};
use crate::config::Settings;
use crate::pipeline::{self, Finished, Origin, RunError};
use crate::source;
use crate::stages::StageSettings;

/// Run a pipeline until its source ends or a signal stops it
///
/// SIGTERM or SIGINT stops reading and finishes what is in flight within 25 seconds; a second one
/// ends at once. SIGHUP has the sink's file opened again, credentials read again, and changed
/// stages taken up. A run ends with one line on stderr that accounts for every event: `ledger
/// received=N recovered=N replayed=N delivered=N filtered=N dead_lettered=N in_flight=N`. stdout
/// carries nothing but the documents of a stdout sink.
#[derive(Debug, Args)]
pub(super) struct RunCommand {
    /// The configuration; `weir example` prints one, `weir check` tells what is wrong with one
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    log: LogArguments,
}

impl RunCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        let telemetry = self.log.init()?;
        let config = preflight::for_run(&self.config)?;
        say_what_runs(&self.config, &config.settings);
        let read = Arc::new(AtomicU64::new(0));
        let total = bytes_to_read(&config.settings.source);
        let progress = total.and_then(|total| telemetry.progress(total, &read));
        let origin = Origin { file: self.config, text: config.text };
        let Finished { ledger, result } = pipeline::run(config.settings, origin, read);
        drop(progress);
        telemetry.end();
        match result {
            Ok(()) => {
                // Without a stderr there is nobody to tell.
                let _ = writeln!(io::stderr(), "{ledger}");
                Ok(())
            }
            Err(RunError::Modules(errors)) => {
                Err(preflight::modules_failed(&config.references, &errors))
            }
            Err(error) => Err(CommandError::Run { error: error.into(), ledger: ledger.into() }),
        }
    }
}

/// The first line of a log, for whoever reads it a year later.
fn say_what_runs(config: &Path, settings: &Settings) {
    let stages: Vec<&str> = settings.stages.iter().map(StageSettings::name).collect();
    let target = settings.sink.target();
    let sink: Vec<String> = [Some(target.kind), target.index].into_iter().flatten().collect();
    let selector = match &settings.source {
        source::Settings::Kubernetes(kubernetes) => kubernetes.selector(),
        source::Settings::File { .. } | source::Settings::Stdin => None,
    };
    let asked_for = selector.map(|selector| format!("{selector} (the rest is not received)"));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %config.display(),
        pipeline = settings.name,
        source = settings.source.identity(),
        asked_for,
        stages = stages.join(", "),
        sink = sink.join(" "),
        "starting"
    );
}

/// How much there is to read, of a source that ends.
fn bytes_to_read(source: &source::Settings) -> Option<u64> {
    match source {
        // A file that cannot be looked at is the source's to report.
        source::Settings::File { path, follow: false } => {
            std::fs::metadata(path).ok().map(|file| file.len())
        }
        _ => None,
    }
}
