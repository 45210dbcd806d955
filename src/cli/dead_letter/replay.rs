//! `weir dead-letter replay`: sends letters through the pipeline again.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use clap::Args;

use super::{FilterArguments, LettersError, Looked};
use crate::cli::{CommandError, LogArguments, preflight};
use crate::dead_letter::{self, DeadLetterError, LetterId, Selection};
use crate::ledger::Snapshot;
use crate::pipeline::{self, Finished, RunError};
use crate::source::{Account, Counts, Letters};

/// Send dead letters through the pipeline again
///
/// Each letter's own bytes go through the stages to the sink, as if a file held them. A letter
/// leaves the folder or the index when its event has an outcome; one that fails again is there
/// once, with the new reason and time. After a crash some may be replayed twice, which OpenSearch
/// stores once, because ids are made of the event. Needs a folder for itself (but not an
/// index), and neither the Kubernetes API nor the saved position nor buffer.path. Ends with the
/// ledger line of `weir run`; exit code 1 when some letters failed again, or could not be replayed
/// and stayed.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayCommand {
    /// The configuration of the pipeline
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Replay the letters of this folder, instead of those of [dead_letter]; those that fail again
    /// stay in it
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// All letters, or all that the options below name
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArguments,
    /// Send the documents to the sink as they were made then, past the stages; letters without one
    /// stay
    #[arg(long)]
    sink_only: bool,
    #[command(flatten)]
    log: LogArguments,
    /// These letters, as `weir dead-letter list` names them: 00000001:17
    #[arg(value_name = "ID", conflicts_with_all = ["all", "part", "stage", "reason"])]
    ids: Vec<LetterId>,
}

impl ReplayCommand {
    pub(super) fn run(self) -> Result<(), CommandError> {
        if self.ids.is_empty() && !self.all {
            return Err(LettersError::NoneNamed.into());
        }
        let telemetry = self.log.init()?;
        let config = preflight::for_replay(&self.config)?;
        let mut settings = config.settings.clone();
        if let Some(path) = &self.from {
            settings.dead_letter = dead_letter::Settings::Disk { path: path.clone() };
        }
        let looked = match &self.from {
            Some(from) => Looked::of_folder(from.clone())?,
            None => Looked::configured(&self.config, &settings)?,
        };
        if let Some(note) = looked.contents.strangers() {
            tracing::warn!("{note}");
        }
        let selection = if self.all {
            Selection::All(self.filter.filter())
        } else {
            looked.select(self.ids)?
        };
        let account = Account::default();
        let letters = Letters { selection, sink_only: self.sink_only, account: account.clone() };
        let read = Arc::new(AtomicU64::new(0));
        let progress = telemetry.progress(looked.contents.bytes, &read);
        let Finished { ledger, result } = pipeline::replay(settings, letters, read);
        drop(progress);
        telemetry.end();
        match result {
            // An abort does not wait for the source, which then has not said so.
            Ok(()) if !account.counts().is_complete => {
                Err(LettersError::Stopped { ledger: ledger.into() }.into())
            }
            Ok(()) => ended(&account.counts(), ledger),
            Err(RunError::Modules(errors)) => {
                Err(preflight::modules_failed(&config.references, &errors))
            }
            Err(RunError::DeadLetters(DeadLetterError::Locked { path, holder })) => {
                Err(LettersError::InUse { folder: path, holder, ledger: ledger.into() }.into())
            }
            Err(RunError::Abandoned(_)) => {
                Err(LettersError::Stopped { ledger: ledger.into() }.into())
            }
            Err(error) => Err(CommandError::Run { error: error.into(), ledger: ledger.into() }),
        }
    }
}

/// Says how a replay ended that was not cut short.
fn ended(counts: &Counts, ledger: Snapshot) -> Result<(), CommandError> {
    let again: u64 = ledger.dead_lettered.iter().map(|(_, count)| count).sum();
    let mut why = Vec::new();
    if again > 0 {
        why.push(format!(
            "{} dead letter{} again",
            number(again, "event is a", "events are"),
            plural(again)
        ));
    }
    for (kept, count) in &counts.kept {
        why.push(format!(
            "{} because it {}",
            number(*count, "letter stays", "letters stay, each"),
            kept.why()
        ));
    }
    if why.is_empty() {
        // Without a stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "{ledger}");
        return Ok(());
    }
    Err(LettersError::Stayed { why: why.join("; "), ledger: ledger.into() }.into())
}

fn number(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
