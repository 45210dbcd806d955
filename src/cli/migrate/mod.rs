//! `weir migrate`: configurations of other tools, as weir's own.
//!
//! What comes out passes `weir check` as far as files, secrets and modules are there; what could
//! not be mapped is told, and nothing is dropped that the other tool would have kept.

mod known;
mod notes;
mod pattern;
mod receiver;
mod routes;
mod scan;
mod translate;
mod variables;
mod written;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use self::notes::Notes;
use super::{CommandError, print};
use crate::text::{self, REASON_BYTES_MAX};

/// A thousand routes take some hundreds of KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Turn another tool's configuration into weir's
#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    Kee(KeeCommand),
}

/// Print the pipeline.toml that does what a kubernetes-event-exporter's configuration does
///
/// Of v1.6.1. Notes go to stderr, a line each: what could not be mapped, what the exporter itself
/// ignored (a misspelt key, a rule that never matched), and what is to be looked at.
#[derive(Debug, Args)]
pub(super) struct KeeCommand {
    /// The exporter's configuration
    file: PathBuf,
    /// Exit with 1 if something could not be mapped
    #[arg(long)]
    strict: bool,
}

/// Why a configuration was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// It cannot be read.
    #[error("cannot read {}: {why}", .file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// With `--strict`: something has no counterpart.
    #[error("{0} of its keys could not be mapped: see the notes above")]
    Unmapped(usize),
}

impl MigrateError {
    /// Whether the command was given something that it cannot be used with.
    pub(super) fn is_of_usage(&self) -> bool {
        matches!(self, MigrateError::Unreadable { .. })
    }
}

pub(super) fn run(command: MigrateCommand) -> Result<(), CommandError> {
    let MigrateCommand::Kee(KeeCommand { file, strict }) = command;
    let unreadable = |why| MigrateError::Unreadable { file: file.clone(), why };
    let config = read(&file).and_then(|text| parse(&text)).map_err(unreadable)?;
    let (toml, notes) = migrate(&config);
    print(&toml)?;
    for line in notes.lines(&file.display().to_string()) {
        eprintln!("{line}");
    }
    match notes.unmapped() {
        unmapped @ 1.. if strict => Err(MigrateError::Unmapped(unmapped).into()),
        _ => Ok(()),
    }
}

fn read(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let opened = File::open(file).and_then(|file| {
        // Reading a folder or a device would say less.
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is not a file")),
        }
    });
    let read = opened.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err("it has more than 4 MiB".into());
    }
    Ok(text)
}

/// The exporter's configuration.
fn parse(text: &str) -> Result<Value, String> {
    let config: Value = serde_saphyr::from_str(text).map_err(|error| {
        format!("it is not YAML: {}", text::words(&error.to_string(), REASON_BYTES_MAX))
    })?;
    if config.get("kind").and_then(Value::as_str) == Some("ConfigMap") {
        return Err(
            "it is a ConfigMap: take the exporter's configuration out of its `data`, such \
                    as by kubectl get configmap NAME -o jsonpath='{.data.config\\.yaml}'"
                .into(),
        );
    }
    if config.get("receivers").is_none() && config.get("route").is_none() {
        return Err("it has neither `receivers` nor `route`, so it is not a configuration of \
                    kubernetes-event-exporter"
            .into());
    }
    Ok(config)
}

/// The text of a pipeline.toml, and what is to be told of it.
fn migrate(config: &Value) -> (String, Notes) {
    let mut notes = Notes::default();
    for unread in known::unread(config) {
        let meant = unread.meant.map(|meant| format!("; `{meant}` was probably meant"));
        let text = format!("it has no such key{}", meant.unwrap_or_default());
        notes.ignored(&unread.path, text);
    }
    let toml = translate::pipeline(config, &mut notes);
    (toml, notes)
}

#[cfg(test)]
mod tests;
