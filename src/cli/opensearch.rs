//! `weir opensearch setup`: the policy, the index template and the data stream in OpenSearch, and
//! what is different there.
//!
//! Constraint: a dry run writes nothing, neither here nor there.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CommandError, print};
use crate::config::{self, Environment};
use crate::sink::setup::{Item, Order, Overlay, OverlayError, Retention, State, What};
use crate::sink::{Mode, OpenSearchSettings, Settings, SetupError, set_up};
use crate::text::{self, LINE_BYTES_MAX};

/// Settings and mappings for hundreds of fields take some hundred KiB.
const OVERLAY_BYTES_MAX: u64 = 1 << 20;
/// Of one template or policy.
const DIFFERENCES_SHOWN_MAX: usize = 100;

/// Set up OpenSearch, or see how it differs
#[derive(Debug, Subcommand)]
pub(super) enum OpenSearchCommand {
    Setup(SetupCommand),
}

/// Install the policy, index template and data stream that are missing
///
/// In this order: the ISM policy for rollover and retention, the index template, and, for an index
/// without a date, the data stream. Then it is verified that what is written to is managed, and at
/// which revision of the policy. What an earlier setup left is brought up to date; what somebody
/// edited since is shown, and stays.
#[derive(Debug, Args)]
pub(super) struct SetupCommand {
    /// The pipeline's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Write nothing: show what is missing or differs, and exit with 1 if anything does
    #[arg(long)]
    dry_run: bool,
    /// Overwrite what somebody edited
    #[arg(long)]
    force: bool,
    /// A JSON file with `settings` and `mappings`, as the `template` of an index template has them:
    /// they are merged into weir's own (null takes something away) and kept until another overlay
    /// is named; {} is none
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
    /// How long documents are kept, in days or hours, such as 30d; absent: what an earlier setup
    /// was told, or 30d
    #[arg(long, value_name = "AGE")]
    retention: Option<Retention>,
}

/// Why a command under `weir opensearch` failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenSearchError {
    /// There is none to set up.
    #[error("{0} has a sink of another kind: only kind = \"opensearch\" is set up")]
    OtherSink(PathBuf),
    /// It has nothing of what is set up but templates.
    #[error(
        "{0} has a collection of OpenSearch Serverless (aws.service = \"aoss\"), which has neither \
         ISM policies nor data streams: a run installs the index template, and nothing else is set \
         up"
    )]
    Serverless(PathBuf),
    /// The overlay's file cannot be read.
    #[error("--overlay {file}: {error}")]
    OverlayFile {
        /// Which one.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The overlay is none.
    #[error("--overlay {file}: {error}")]
    Overlay {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        error: OverlayError,
    },
    /// Documents of one index cannot be deleted by their age.
    #[error(
        "--retention: with mode = \"latest\" there is one index, from which nothing is deleted"
    )]
    NoRetention,
    /// Requests cannot be made.
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    /// OpenSearch could not be asked.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// What a dry run found.
    #[error(
        "OpenSearch is not as it should be (see above): without --dry-run it is set up; what \
         somebody edited stays, unless --force is given"
    )]
    Drift,
    /// What was asked for by name was not done.
    #[error(
        "{0} changed nothing, because what it would change is not weir's own any more, and stays \
         (see above): --force overwrites it"
    )]
    NotCarriedOut(&'static str),
    /// Something could not be set up.
    #[error("OpenSearch could not be set up as it should be: see what failed above")]
    Failed,
}

impl OpenSearchError {
    /// Whether the configuration or the arguments are to be mended.
    pub(super) fn is_of_usage(&self) -> bool {
        match self {
            OpenSearchError::OtherSink(_)
            | OpenSearchError::Serverless(_)
            | OpenSearchError::OverlayFile { .. }
            | OpenSearchError::Overlay { .. }
            | OpenSearchError::NoRetention
            | OpenSearchError::Setup(SetupError::Client(_)) => true,
            OpenSearchError::Start(_)
            | OpenSearchError::Setup(_)
            | OpenSearchError::Drift
            | OpenSearchError::NotCarriedOut(_)
            | OpenSearchError::Failed => false,
        }
    }
}

/// Runs a command under `weir opensearch`.
pub(super) fn run(command: OpenSearchCommand) -> Result<(), CommandError> {
    match command {
        OpenSearchCommand::Setup(setup) => setup.run(),
    }
}

impl SetupCommand {
    fn run(self) -> Result<(), CommandError> {
        let loaded = config::load(&self.config, &Environment::of_process())
            .map_err(|invalid| invalid.diagnostics)?;
        let Settings::OpenSearch(settings) = &loaded.settings.sink else {
            return Err(OpenSearchError::OtherSink(self.config).into());
        };
        if settings.connection.collection().is_some() {
            return Err(OpenSearchError::Serverless(self.config).into());
        }
        let order = self.order(settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(OpenSearchError::Start)?;
        let (items, ended) = runtime.block_on(set_up(settings, &order));
        // What was done before OpenSearch went away is told, too.
        print(&items.iter().map(shown).collect::<String>())?;
        ended.map_err(OpenSearchError::Setup)?;
        let has_failed = items.iter().any(|item| matches!(item.state, State::Failed(_)));
        match not_carried_out(&order, &items) {
            _ if order.dry_run && items.iter().any(|item| item.state.is_drift()) => {
                Err(OpenSearchError::Drift.into())
            }
            _ if has_failed => Err(OpenSearchError::Failed.into()),
            Some(option) => Err(OpenSearchError::NotCarriedOut(option).into()),
            None => Ok(()),
        }
    }

    fn order(&self, settings: &OpenSearchSettings) -> Result<Order, OpenSearchError> {
        if self.retention.is_some() && settings.mode == Mode::Latest {
            return Err(OpenSearchError::NoRetention);
        }
        let overlay = self.overlay.as_ref().map(|file| {
            let json = crate::files::read_small(file, OVERLAY_BYTES_MAX)
                .map_err(|error| OpenSearchError::OverlayFile { file: file.clone(), error })?;
            Overlay::parse(&json)
                .map_err(|error| OpenSearchError::Overlay { file: file.clone(), error })
        });
        Ok(Order {
            dry_run: self.dry_run,
            force: self.force,
            overlay: overlay.transpose()?,
            retention: self.retention,
            goes_on: false,
        })
    }
}

/// What was asked for by name and stays as it was.
fn not_carried_out(order: &Order, items: &[Item]) -> Option<&'static str> {
    let stays = |what| {
        let of = items.iter().find(|item| item.what == what).map(|item| &item.state);
        matches!(of, Some(State::Edited(_) | State::Others(_)))
    };
    match order {
        Order { retention: Some(_), .. } if stays(What::Policy) => Some("--retention"),
        Order { overlay: Some(_), .. } if stays(What::Template) => Some("--overlay"),
        _ => None,
    }
}

/// A line, and one more for each difference.
fn shown(item: &Item) -> String {
    let (how, differences) = match &item.state {
        // It says itself by whom.
        State::Fine(how) if item.what == What::Managed => (how.clone(), None),
        State::Fine(how) => (format!("as it should be: {how}"), None),
        State::Others(how) => (format!("left alone: {how}"), None),
        State::Missing(how) => (format!("missing: {how}"), None),
        State::Created(how) => (format!("installed: {how}"), None),
        State::Pending(how) => (format!("to be changed: {how}"), None),
        State::Done(how) => (format!("changed: {how}"), None),
        State::Failed(why) => (format!("failed: {why}"), None),
        State::Differs(differences) => {
            ("differs, as an earlier setup left it:".to_owned(), Some(differences))
        }
        State::Changed(differences) => ("changed; there was before:".to_owned(), Some(differences)),
        State::Edited(differences) => {
            ("edited by somebody, and stays without --force:".to_owned(), Some(differences))
        }
    };
    let line = format!("{:<9} {}: {how}", item.what.word(), item.name);
    let mut text = text::one_line(line, LINE_BYTES_MAX) + "\n";
    let differences = differences.map(Vec::as_slice).unwrap_or_default();
    for difference in differences.iter().take(DIFFERENCES_SHOWN_MAX) {
        text += &format!("          {difference}\n");
    }
    match differences.len().saturating_sub(DIFFERENCES_SHOWN_MAX) {
        0 => text,
        more => format!("{text}          and {more} more\n"),
    }
}
