//! `weir position show | keep | reset`: the position that a pipeline has saved in its buffer's folder.
//!
//! Constraint: what changes it needs the folder to itself, so a run of the pipeline must have ended.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Failure, print};
use crate::buffer::{self, OpenError};
use crate::config::{self, Environment, Settings};
use crate::position::Record;
use crate::position::file::{self, FileError, Saved};

/// Show or change how far a pipeline has read its source
///
/// The position is saved in `buffer.path`. A run goes on from it if it is of the same cluster and was saved for the same
/// target; for another target one of `keep` and `reset` must be chosen.
#[derive(Debug, Subcommand)]
pub(super) enum PositionCommand {
    /// Print it
    Show(Pipeline),
    /// Go on behind it with the target that the configuration has now: what was sent to another one stays there alone
    Keep(Pipeline),
    /// Forget it: the next run begins as `source.start` says, and what is stored already is not stored twice
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
    #[error("{0} has no buffer.path, and so no position is saved on this machine")]
    NoFolder(PathBuf),
    /// Nothing is saved yet.
    #[error("no position is saved in {0}: no run has come so far yet")]
    Nothing(PathBuf),
    /// What is saved cannot be read.
    #[error(
        "the position in {folder} cannot be used: {error}: the next run reads everything again that the source has"
    )]
    Unusable {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        error: crate::position::RecordError,
    },
    /// The folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be had.
    #[error(transparent)]
    Folder(#[from] OpenError),
}

pub(super) fn run(command: PositionCommand) -> Result<(), Failure> {
    match command {
        PositionCommand::Show(pipeline) => {
            let (_, folder) = pipeline.load()?;
            print(&shown(&saved(&folder)?))
        }
        PositionCommand::Keep(pipeline) => {
            let (settings, folder) = pipeline.load()?;
            keep(&settings, &folder)?;
            print("kept: the next run goes on behind it\n")
        }
        PositionCommand::Reset(pipeline) => {
            let (_, folder) = pipeline.load()?;
            let _lock = buffer::lock(&folder).map_err(PositionError::from)?;
            let text = match file::remove(&folder).map_err(PositionError::from)? {
                true => "forgotten: the next run begins as source.start says\n",
                false => "there was none\n",
            };
            print(text)
        }
    }
}

impl Pipeline {
    /// The settings, and the folder of the position.
    fn load(&self) -> Result<(Settings, PathBuf), Failure> {
        let config =
            config::load(&self.config, &Environment::of_process()).map_err(|(problems, _)| problems)?;
        match &config.settings.buffer.spool {
            Some(spool) => Ok((config.settings.clone(), spool.path.clone())),
            None => Err(PositionError::NoFolder(self.config.clone()).into()),
        }
    }
}

fn saved(folder: &Path) -> Result<Record, PositionError> {
    match file::load(folder)? {
        Saved::Record(record) => Ok(record),
        Saved::Nothing => Err(PositionError::Nothing(folder.to_owned())),
        Saved::Unusable(error) => Err(PositionError::Unusable { folder: folder.to_owned(), error }),
    }
}

/// Writes the target and the pipeline's name of now over those that were saved.
fn keep(settings: &Settings, folder: &Path) -> Result<(), PositionError> {
    let _lock = buffer::lock(folder)?;
    let mut record = saved(folder)?;
    record.identity.pipeline.clone_from(&settings.name);
    record.identity.target = settings.sink.target();
    Ok(file::save(folder, &record, true)?)
}

fn shown(record: &Record) -> String {
    let mut text =
        format!("source    {}\ntarget    {}\n", record.identity.source_text(), record.identity.target_text());
    for (scope, position) in &record.positions {
        text += &format!("position  {scope}  {position}\n");
    }
    text
}
