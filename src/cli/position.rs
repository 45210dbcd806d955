//! `weir position show | keep | reset`: the position that a pipeline has saved in its buffer's
//! folder, and in its Lease.
//!
//! Constraint: a command that changes it needs the folder to itself and a Lease that nobody holds,
//! so all runs of the pipeline must have ended.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{CommandError, print};
use crate::buffer::{self, FolderLock, OpenError};
use crate::config::{self, Environment, Settings};
use crate::folders::{Folder, FolderError};
use crate::kube::LeaseSettings;
use crate::kube::lease::mark::{self, MarkError, Marked};

use crate::position::file::{self, FileError, Saved};
use crate::position::{Position, Record};
use crate::text::{self, LINE_BYTES_MAX};

/// Show or change how far a pipeline has read its source
///
/// The position is saved in `buffer.path`, and, where replicas have one, in the Lease. A run goes
/// on from it if it is of the same cluster and was saved for the same target; for another target
/// one of `keep` and `reset` must be chosen.
#[derive(Debug, Subcommand)]
pub(super) enum PositionCommand {
    /// Print it
    Show(Pipeline),
    /// Go on from it with the target that the configuration has now; what was sent to the old one
    /// stays only there
    Keep(Pipeline),
    /// Forget it: the next run begins as `source.start` says, and what is stored already is not
    /// stored twice
    Reset(Pipeline),
}

#[derive(Debug, Args)]
pub(super) struct Pipeline {
    /// The pipeline's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Why a position cannot be shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// Nothing is ever saved.
    #[error("{0} has neither buffer.path nor a Lease, and so no position is saved")]
    NoFolder(PathBuf),
    /// Nothing is saved yet.
    #[error("no position is saved in {0}: no run has got that far yet")]
    Nothing(PathBuf),
    /// What is saved cannot be read.
    #[error(
        "the position in {kept_in} cannot be used: {error}: the next run reads again everything \
         that the source has; `weir position reset` forgets it"
    )]
    Unusable {
        /// Where it is.
        kept_in: String,
        /// What is wrong with it.
        error: crate::position::RecordError,
    },
    /// It is of something else than what is read now, and so not gone on from.
    #[error(
        "the position in {kept_in} is of another source ({saved}; now {now}): the next run reads \
         everything that it has; `weir position reset` forgets it"
    )]
    OtherSource {
        /// Where it is.
        kept_in: String,
        /// What it is of.
        saved: String,
        /// What the configuration says.
        now: String,
    },
    /// The folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be had.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// The Lease cannot be read or written.
    #[error(transparent)]
    Lease(#[from] MarkError),
    /// The process cannot be set up.
    #[error("cannot start: {0}")]
    Process(std::io::Error),
}

impl PositionError {
    /// Whether the configuration is to be mended.
    pub(super) fn is_of_configuration(&self) -> bool {
        matches!(self, PositionError::NoFolder(_))
    }
}

pub(super) fn run(command: PositionCommand) -> Result<(), CommandError> {
    let (PositionCommand::Show(pipeline)
    | PositionCommand::Keep(pipeline)
    | PositionCommand::Reset(pipeline)) = &command;
    let kept = Kept::of(pipeline)?;
    let mut text = match command {
        PositionCommand::Show(_) => kept.shown()?,
        PositionCommand::Keep(_) => {
            kept.keep()?;
            "kept: the next run continues after it\n".to_owned()
        }
        PositionCommand::Reset(_) => match kept.reset()? {
            true => "forgotten: the next run begins as source.start says\n".to_owned(),
            false => "there was none\n".to_owned(),
        },
    };
    text += &kept.waiting();
    print(&text)
}

/// Where a pipeline's position is kept.
struct Kept {
    settings: Settings,
    folder: Option<PathBuf>,
}

impl Kept {
    fn of(pipeline: &Pipeline) -> Result<Kept, CommandError> {
        let config = config::load(&pipeline.config, &Environment::of_process())
            .map_err(|invalid| invalid.diagnostics)?;
        let settings = config.settings.clone();
        let folder = settings.buffer.spool.as_ref().map(|spool| spool.path.clone());
        if folder.is_none() && settings.lease.is_none() {
            return Err(PositionError::NoFolder(pipeline.config.clone()).into());
        }
        Ok(Kept { settings, folder })
    }

    /// The Lease goes before the folder: a run that leads goes on from there.
    fn shown(&self) -> Result<String, PositionError> {
        let mut text = String::new();
        if let Some(settings) = &self.settings.lease {
            let lease = on_server(mark::read(settings))?;
            text += &lease
                .map_or_else(|| "lease     none yet\n".to_owned(), |lease| lease_shown(&lease));
        }
        if let Some(folder) = &self.folder {
            match look(folder).and_then(|folder| saved(&folder)) {
                Ok(record) => text += &record_shown(&record),
                Err(PositionError::Nothing(_)) if !text.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(text)
    }

    /// What no position says: documents on disk. Of a folder that a run has, that run's metrics
    /// tell.
    fn waiting(&self) -> String {
        let folder = self.folder.as_deref().filter(|folder| folder.exists());
        match folder.map(|folder| (folder, buffer::documents_in(folder))) {
            Some((folder, Ok(documents))) if documents > 0 => {
                format!(
                    "waiting   {documents} documents in {}, which the next run sends first\n",
                    folder.display()
                )
            }
            _ => String::new(),
        }
    }

    /// Makes what is kept, wherever that is, of the target of now.
    fn keep(&self) -> Result<(), PositionError> {
        let lock = self.lock()?;
        // All of it is read before any of it is written.
        let in_lease = match &self.settings.lease {
            Some(settings) => self.in_lease(settings)?,
            None => None,
        };
        let folder = lock.as_ref().map(FolderLock::folder);
        let on_disk = match folder.map(|folder| (folder, saved(folder))) {
            Some((folder, Ok(record))) => {
                Some((folder, self.of_now(record, &folder.path().display().to_string())?))
            }
            None | Some((_, Err(PositionError::Nothing(_)))) => None,
            Some((_, Err(error))) => return Err(error),
        };
        if in_lease.is_none() && on_disk.is_none() {
            return Err(PositionError::Nothing(
                self.folder.clone().unwrap_or_else(|| "the Lease".into()),
            ));
        }
        // First what may be refused because somebody leads.
        if let Some((settings, record)) = in_lease {
            on_server(mark::write(settings, &record.encode()))?;
        }
        if let Some((folder, record)) = on_disk {
            file::save(folder, &record, true)?;
        }
        Ok(())
    }

    fn in_lease<'a>(
        &self,
        settings: &'a LeaseSettings,
    ) -> Result<Option<(&'a LeaseSettings, Record)>, PositionError> {
        let Some(Marked { lease: kept_in, mark: Some(text), .. }) =
            on_server(mark::read(settings))?
        else {
            return Ok(None);
        };
        match Record::decode(&text) {
            // A replica without a mark has written it so.
            _ if text.is_empty() => Ok(None),
            Ok(record) => Ok(Some((settings, self.of_now(record, &kept_in)?))),
            Err(error) => Err(PositionError::Unusable { kept_in, error }),
        }
    }

    /// The target and the pipeline's name of now in place of those that were saved.
    fn of_now(&self, mut record: Record, kept_in: &str) -> Result<Record, PositionError> {
        let now = self.settings.source.identity();
        if record.identity.source != now {
            let (kept_in, saved) = (kept_in.to_owned(), record.identity.source);
            return Err(PositionError::OtherSource { kept_in, saved, now });
        }
        record.identity.pipeline.clone_from(&self.settings.name);
        record.identity.target = self.settings.sink.target();
        Ok(record)
    }

    /// Forgets what is kept, wherever that is. False: there was none.
    fn reset(&self) -> Result<bool, PositionError> {
        let lock = self.lock()?;
        let mut was_there = false;
        if let Some(settings) = &self.settings.lease
            && on_server(mark::read(settings))?.is_some_and(|lease| lease.mark.is_some())
        {
            on_server(mark::write(settings, ""))?;
            was_there = true;
        }
        if let Some(lock) = &lock {
            was_there |= file::remove(lock.folder())?;
        }
        Ok(was_there)
    }

    /// No run may be using the folder. It is not made if it does not exist yet.
    fn lock(&self) -> Result<Option<FolderLock>, PositionError> {
        let folder = self.folder.as_deref().filter(|folder| folder.exists());
        Ok(folder.map(buffer::lock).transpose()?)
    }
}

/// Does something with the configured API server.
fn on_server<T>(work: impl Future<Output = Result<T, MarkError>>) -> Result<T, PositionError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(PositionError::Process)?.block_on(work)?)
}

/// A folder that a run may have, and that is only looked at.
fn look(path: &Path) -> Result<Folder, PositionError> {
    match Folder::look(path) {
        Err(FolderError::Io { path, error }) if error.kind() == ErrorKind::NotFound => {
            Err(PositionError::Nothing(path))
        }
        folder => Ok(folder.map_err(OpenError::from)?),
    }
}

fn saved(folder: &Folder) -> Result<Record, PositionError> {
    match file::load(folder)? {
        Saved::Record(record) => Ok(record),
        Saved::Nothing => Err(PositionError::Nothing(folder.path().to_owned())),
        Saved::Unusable(error) => {
            Err(PositionError::Unusable { kept_in: folder.path().display().to_string(), error })
        }
    }
}

fn record_shown(record: &Record) -> String {
    let mut text = format!(
        "source    {}\ntarget    {}\n",
        shown(record.identity.source_text()),
        shown(record.identity.target_text())
    );
    for (scope, position) in &record.positions {
        let position = match position {
            Position::Nowhere => "(read everything: the cluster was restored)",
            Position::At(position) => position,
        };
        text += &format!("position  {}\n", shown(format_args!("{scope}  {position}")));
    }
    text
}

/// Who may write to the Lease decides what it says.
fn shown(text: impl Display) -> String {
    text::one_line(text, LINE_BYTES_MAX)
}

fn lease_shown(lease: &Marked) -> String {
    let holder = shown(lease.holder.as_deref().unwrap_or("nobody"));
    let text = format!("lease     {}, held by {holder}\n", lease.lease);
    match lease.mark.as_deref().map(Record::decode) {
        None => text + "settled   nothing yet\n",
        Some(Ok(record)) => text + &record_shown(&record).replace("position  ", "settled   "),
        Some(Err(error)) => text + &format!("settled   cannot be read: {}\n", shown(error)),
    }
}
