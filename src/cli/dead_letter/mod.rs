//! `weir dead-letter`: looks at what could not be processed, and sends it through the pipeline
//! again.
//!
//! Constraint: looking needs no lock, and so works beside a running weir. Replaying needs a folder
//! to itself, but not an index.

mod list;
mod replay;
mod show;
mod shown;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::CommandError;
use crate::config::{self, Environment, Settings};
use crate::dead_letter::{
    Contents, Filter, LetterId, LetterStore, LetterStoreError, Part, ReadError, Selection,
};
use crate::ledger::Snapshot;
use crate::pipeline;
use crate::shutdown::Shutdown;
use crate::text;

/// Ids that are named where letters are missing.
const MISSING_SHOWN_MAX: usize = 20;

/// Look at dead letters, and replay them
///
/// A dead letter is an event that could not be processed: malformed, refused by the sink, or by a
/// stage with on_error = "dead-letter". It is kept where dead_letter in the configuration says,
/// with its source's own bytes and the reason.
#[derive(Debug, Subcommand)]
pub(super) enum DeadLetterCommand {
    List(list::ListCommand),
    Show(show::ShowCommand),
    Replay(replay::ReplayCommand),
}

/// Runs a command under `weir dead-letter`.
pub(super) fn run(command: DeadLetterCommand) -> Result<(), CommandError> {
    match command {
        DeadLetterCommand::List(list) => list.run(),
        DeadLetterCommand::Show(show) => show.run(),
        DeadLetterCommand::Replay(replay) => replay.run(),
    }
}

/// Why a command under `weir dead-letter` failed.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The configuration names neither a folder nor an index.
    #[error(
        "{0} has no dead_letter.path, and dead_letter.kind is not \"index\", so its pipeline keeps \
         no dead letters: name a folder of some with --from FOLDER"
    )]
    NoPath(PathBuf),
    /// The letters cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index of the configuration cannot be asked.
    #[error(transparent)]
    Store(#[from] LetterStoreError),
    /// Requests cannot be made.
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    /// A replay of nothing in particular.
    #[error(
        "name the letters to replay, as `weir dead-letter list` does (00000001:17), or all of them \
         with --all, which --where, --stage and --reason narrow"
    )]
    NoneNamed,
    /// Letters that are named are not there.
    #[error(
        "there is no letter {ids} in {store}: it was replayed, or moved away; `weir dead-letter \
         list` tells which there are"
    )]
    NotThere {
        /// Those that are not there, with commas.
        ids: String,
        /// Where they were looked for.
        store: LetterStore,
    },
    /// A running weir has the folder.
    #[error(
        "the dead letters in {folder} belong to a running weir ({holder}), which may be writing \
         more: stop it and replay them then, or move the folder's *.jsonl files to another folder \
         (it goes on in a new file) and replay them from there with --from FOLDER"
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
        "stopped before everything was replayed: the letters that had not been sent yet are still \
         there, and so are those whose events have no outcome yet"
    )]
    Stopped {
        /// The last reading of its ledger.
        ledger: Box<Snapshot>,
    },
    /// Not everything was delivered or filtered.
    #[error("not everything was delivered: {why}")]
    Stayed {
        /// What stayed or came back.
        why: String,
        /// The last reading of its ledger.
        ledger: Box<Snapshot>,
    },
}

impl LettersError {
    /// The account of a replay that has begun, or could not.
    pub(super) fn ledger(&self) -> Option<&Snapshot> {
        match self {
            LettersError::InUse { ledger, .. }
            | LettersError::Stopped { ledger }
            | LettersError::Stayed { ledger, .. } => Some(ledger),
            LettersError::NoPath(_)
            | LettersError::Read(_)
            | LettersError::Store(_)
            | LettersError::Start(_)
            | LettersError::NoneNamed
            | LettersError::NotThere { .. } => None,
        }
    }

    /// Whether the configuration is to be mended.
    pub(super) fn is_of_configuration(&self) -> bool {
        matches!(self, LettersError::NoPath(_) | LettersError::NoneNamed)
    }
}

/// Where the letters are that are to be looked at.
#[derive(Debug, Args)]
struct StoreArguments {
    /// The configuration whose dead letters are meant
    #[arg(long, value_name = "FILE", required_unless_present = "from")]
    config: Option<PathBuf>,
    /// Look into this folder instead
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
}

impl StoreArguments {
    /// What is there.
    fn look(&self) -> Result<Looked, CommandError> {
        let Some(file) = self.config.as_deref().filter(|_| self.from.is_none()) else {
            return Ok(Looked::of_folder(self.from.clone().unwrap_or_default())?);
        };
        let loaded = config::load(file, &Environment::of_process())
            .map_err(|invalid| invalid.diagnostics)?;
        Ok(Looked::configured(file, &loaded.settings)?)
    }
}

/// What there is to look at.
struct Looked {
    contents: Contents,
    /// What requests to an index run on; it must outlive the contents.
    _runtime: Option<tokio::runtime::Runtime>,
}

impl Looked {
    fn of_folder(folder: PathBuf) -> Result<Looked, LettersError> {
        Ok(Looked { contents: LetterStore::Folder(folder).look(false)?, _runtime: None })
    }

    /// Where the configuration has them; nothing as long as no run has written any.
    fn configured(file: &Path, settings: &Settings) -> Result<Looked, LettersError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(LettersError::Start)?;
        let store = {
            let _inside = runtime.enter();
            pipeline::letter_store(settings, &Shutdown::default())?
        };
        let store = store.ok_or_else(|| LettersError::NoPath(file.to_owned()))?;
        Ok(Looked { contents: store.look(true)?, _runtime: Some(runtime) })
    }

    /// These letters, all of which must be there.
    fn select(&self, ids: Vec<LetterId>) -> Result<Selection, LettersError> {
        let wanted: BTreeSet<LetterId> = ids.into_iter().collect();
        let mut missing = wanted.clone();
        for letter in self.contents.letters(Some(&wanted)) {
            missing.remove(&letter?.id);
        }
        if missing.is_empty() {
            return Ok(Selection::Ids(wanted));
        }
        let ids = text::first(missing, MISSING_SHOWN_MAX);
        Err(LettersError::NotThere { ids, store: self.contents.store().clone() })
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
