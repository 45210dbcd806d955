//! `weir dead-letter`: looks at what could not be processed, and sends it through the pipeline again.
//!
//! Constraint: looking needs no lock, and so works beside a running weir; replaying needs the folder for itself.

mod list;
mod replay;
mod show;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Failure;
use crate::config::{self, Environment};
use crate::dead_letter::{self, Files, Filter, LetterId, Part, ReadError, Selection};
use crate::ledger::Snapshot;

/// Look at dead letters, and replay them
///
/// A dead letter is an event that could not be processed: malformed, refused by the sink, or by a stage with on_error =
/// "dead-letter". It is kept in dead_letter.path with its source's own bytes and the reason.
#[derive(Debug, Subcommand)]
pub(super) enum DeadLetterCommand {
    List(list::ListCommand),
    Show(show::ShowCommand),
    Replay(replay::ReplayCommand),
}

/// Runs a command under `weir dead-letter`.
pub(super) fn run(command: DeadLetterCommand) -> Result<(), Failure> {
    match command {
        DeadLetterCommand::List(list) => list.run(),
        DeadLetterCommand::Show(show) => show.run(),
        DeadLetterCommand::Replay(replay) => replay.run(),
    }
}

/// Why a command under `weir dead-letter` failed.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The configuration names no folder.
    #[error(
        "{0} has no dead_letter.path, so its pipeline keeps no dead letters: name a folder of some with --from FOLDER"
    )]
    NoPath(PathBuf),
    /// The folder cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Ids of nothing.
    #[error(
        "there is no letter {ids} in {folder}: it was replayed, or its file was moved away; `weir dead-letter list` tells which there are"
    )]
    NotThere {
        /// Which.
        ids: String,
        /// Where.
        folder: PathBuf,
    },
    /// A running weir has the folder.
    #[error(
        "the dead letters in {folder} belong to a running weir ({holder}), which may be writing more: stop it and replay them then, or move the folder's *.jsonl files to another folder (it goes on in a new file) and replay them from there with --from FOLDER\n{ledger}"
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who has it.
        holder: String,
        /// Nothing happened.
        ledger: Box<Snapshot>,
    },
    /// A signal ended a replay.
    #[error(
        "stopped before everything was replayed: the letters that had not set out are still there, and so are those whose events have no outcome yet\n{ledger}"
    )]
    Stopped {
        /// The last reading of its ledger.
        ledger: Box<Snapshot>,
    },
    /// Not everything was delivered or filtered.
    #[error("not everything was delivered: {why}\n{ledger}")]
    Stayed {
        /// What stayed or came back.
        why: String,
        /// The last reading of its ledger.
        ledger: Box<Snapshot>,
    },
}

impl LettersError {
    /// Whether the configuration is to be mended.
    pub(super) fn is_of_configuration(&self) -> bool {
        matches!(self, LettersError::NoPath(_))
    }
}

/// Which folder to look into.
#[derive(Debug, Args)]
struct Place {
    /// The configuration whose dead_letter.path is meant
    #[arg(long, value_name = "FILE", required_unless_present = "from")]
    config: Option<PathBuf>,
    /// Look into this folder instead
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
}

impl Place {
    /// The folder, and what is in it.
    fn look(&self) -> Result<(PathBuf, Files), Failure> {
        let Some(file) = self.config.as_deref().filter(|_| self.from.is_none()) else {
            let folder = self.from.clone().unwrap_or_default();
            let files = dead_letter::files(&folder).map_err(LettersError::from)?;
            return Ok((folder, files));
        };
        let loaded = config::load(file, &Environment::of_process()).map_err(|(problems, _)| problems)?;
        configured(file, loaded.settings.dead_letter.path)
    }
}

/// What is in the configured folder; nothing as long as no run has made it.
fn configured(file: &Path, path: Option<PathBuf>) -> Result<(PathBuf, Files), Failure> {
    let folder = path.ok_or_else(|| LettersError::NoPath(file.to_owned()))?;
    match dead_letter::files(&folder) {
        Ok(files) => Ok((folder, files)),
        Err(error) if error.error.kind() == std::io::ErrorKind::NotFound => Ok((folder, Files::default())),
        Err(error) => Err(LettersError::from(error).into()),
    }
}

/// Which letters.
#[derive(Debug, Args)]
struct FilterArguments {
    /// Only those that this kind of part refused
    #[arg(long = "where", value_name = "PART")]
    part: Option<PartArgument>,
    /// Only those that this stage failed on
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// Only those with this reason, such as `mapping` or `syntax`
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartArgument {
    Source,
    Stage,
    Sink,
}

impl FilterArguments {
    fn filter(self) -> Filter {
        let part = self.part.map(|part| match part {
            PartArgument::Source => Part::Source,
            PartArgument::Stage => Part::Stage,
            PartArgument::Sink => Part::Sink,
        });
        Filter { part, stage: self.stage, reason: self.reason }
    }
}

/// These letters, all of which must be there.
fn select(folder: &Path, files: &Files, ids: Vec<LetterId>) -> Result<Selection, LettersError> {
    let wanted: BTreeSet<LetterId> = ids.into_iter().collect();
    let mut missing = wanted.clone();
    for number in files.numbers.iter().filter(|number| wanted.iter().any(|id| id.file == **number)) {
        for line in dead_letter::lines(folder, *number)? {
            missing.remove(&line?.id);
        }
    }
    if missing.is_empty() {
        return Ok(Selection::Ids(wanted));
    }
    let ids: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Err(LettersError::NotThere { ids: ids.join(", "), folder: folder.to_owned() })
}

/// What to say about files that nobody looks into.
fn strangers(folder: &Path, files: &Files) -> Option<String> {
    (!files.strangers.is_empty()).then(|| {
        format!(
            "not looked into: {} in {}: the files of dead letters are named by eight digits, such as 00000001.jsonl",
            files.strangers.join(", "),
            folder.display()
        )
    })
}
