//! The command line: arguments, what is printed, and how it ends.
//!
//! Invariants: stdout carries only what was asked to be printed; diagnostics and logs go to stderr.
//! A command says how it ended by returning; only `main` makes an exit code of it.

mod check;
mod dead_letter;
mod doctor;
pub(crate) mod filter;
mod migrate;
mod opensearch;
mod position;
mod preflight;
mod run;
mod summary;
mod test;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::cases::CasesError;
use crate::config::{self, Diagnostics};
use crate::ledger::Snapshot;
use crate::panics;
use crate::pipeline::RunError;
use crate::stages;
use crate::telemetry::{LogFormat, Telemetry, TelemetryError};
use crate::text;

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  a run that failed
  2  wrong usage or configuration, a module that cannot be loaded included

Environment:
  WEIR_LOG  which log lines to show, such as `warn` or `info,weir::sink=debug` (default: info)";

/// Watches a Kubernetes cluster's events, runs each one through WebAssembly modules, and ships what
/// is left to OpenSearch in batches.
#[derive(Debug, Parser)]
#[command(name = "weir", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunCommand),
    Check(check::CheckCommand),
    Test(test::TestCommand),
    Doctor(doctor::DoctorCommand),
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetterCommand),
    /// Make filters: WebAssembly modules for stages
    #[command(subcommand)]
    Filter(filter::FilterCommand),
    #[command(subcommand, name = "opensearch")]
    OpenSearch(opensearch::OpenSearchCommand),
    #[command(subcommand)]
    Position(position::PositionCommand),
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Print a configuration that shows every key with what it means
    Example,
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print a shell's completions
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Compile the module on stdin to stdout: what weir starts as a child of its own
    #[command(name = stages::COMPILE_COMMAND, hide = true)]
    CompileModule {
        /// Address space that it may take, in bytes
        memory: u64,
        /// CPU time that it may take, in seconds
        cpu: u64,
        /// The process that started it, without which it ends
        parent: u32,
    },
}

/// What commands that log are given.
#[derive(Debug, Args)]
struct LogArguments {
    /// How log lines look: `human`, `json` (one object a line), or `auto`: human on a terminal,
    /// json elsewhere
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    log_format: LogFormat,
}

impl LogArguments {
    fn init(&self) -> Result<Telemetry, TelemetryError> {
        Telemetry::init(self.log_format)
    }

    /// For commands that are no run.
    fn init_quietly(&self) -> Result<Telemetry, TelemetryError> {
        Telemetry::init_quietly(self.log_format)
    }
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be run.
    #[error(transparent)]
    Configuration(#[from] Diagnostics),
    /// The log cannot be set up as asked.
    #[error("{}", said(.0, None))]
    Telemetry(#[from] TelemetryError),
    /// A filter could not be made.
    #[error("{}", said(.0, None))]
    Filter(#[from] filter::FilterError),
    /// What happens to recorded events is not what is expected, or could not be found out.
    #[error("{}", test_said(.0))]
    Test(#[from] test::TestError),
    /// Dead letters could not be shown or replayed.
    #[error("{}", said(.0, .0.ledger()))]
    DeadLetters(#[from] dead_letter::LettersError),
    /// A pipeline would not run.
    #[error("{}", said(.0, None))]
    Doctor(#[from] doctor::DoctorError),
    /// OpenSearch could not be set up.
    #[error("{}", said(.0, None))]
    OpenSearch(#[from] opensearch::OpenSearchError),
    /// A position could not be shown or changed.
    #[error("{}", said(.0, None))]
    Position(#[from] position::PositionError),
    /// A configuration could not be migrated.
    #[error("{}", said(.0, None))]
    Migrate(#[from] migrate::MigrateError),
    /// The process cannot be set up.
    #[error("{}", said(.0, None))]
    Process(String),
    /// A run did not end well.
    #[error("{}", said(.error, Some(.ledger.as_ref())))]
    Run {
        /// What ended it.
        error: Box<RunError>,
        /// The last reading of its ledger.
        ledger: Box<Snapshot>,
    },
    /// stdout cannot be written.
    #[error("error: cannot write to stdout: {0}")]
    Output(#[source] io::Error),
}

/// An error, whose further lines cannot be taken for ones of their own whatever it quotes, and the
/// account of the run.
fn said(error: &dyn Display, ledger: Option<&Snapshot>) -> String {
    let error = format!("error: {}", text::block(error));
    match ledger {
        Some(ledger) => format!("{error}\n{ledger}"),
        None => error,
    }
}

/// Diagnostics begin with their own `FILE:LINE:COL: error:`.
fn test_said(error: &test::TestError) -> String {
    match error {
        test::TestError::Cases(CasesError::Settings(diagnostics)) => diagnostics.to_string(),
        error => said(error, None),
    }
}

impl CommandError {
    /// 1: a run that failed; 2: wrong usage or configuration.
    pub fn exit_code(&self) -> u8 {
        let is_of_configuration = match self {
            CommandError::Configuration(_) | CommandError::Telemetry(_) => true,
            CommandError::Filter(error) => error.is_of_usage(),
            CommandError::Test(error) => error.is_of_usage(),
            CommandError::OpenSearch(error) => error.is_of_usage(),
            CommandError::Migrate(error) => error.is_of_usage(),
            CommandError::Position(error) => error.is_of_configuration(),
            CommandError::DeadLetters(error) => error.is_of_configuration(),
            CommandError::Run { error, .. } => error.is_of_configuration(),
            CommandError::Doctor(_) | CommandError::Process(_) | CommandError::Output(_) => false,
        };
        if is_of_configuration { 2 } else { 1 }
    }
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    ///
    /// What went wrong, to be shown on stderr.
    pub fn run(self) -> Result<ExitCode, CommandError> {
        panics::notice();
        match self.command {
            Command::Run(run) => run.run()?,
            Command::Check(check) => check.run()?,
            Command::Test(test) => test.run()?,
            Command::Doctor(doctor) => doctor.run()?,
            Command::DeadLetter(command) => dead_letter::run(command)?,
            Command::Filter(command) => filter::run(command)?,
            Command::OpenSearch(command) => opensearch::run(command)?,
            Command::Position(command) => position::run(command)?,
            Command::Migrate(command) => migrate::run(command)?,
            Command::Example => print(config::EXAMPLE)?,
            Command::Schema => print(&config::schema())?,
            Command::Completions { shell } => write_out(&completions(shell))?,
            // Its exit codes are between the child and its parent.
            Command::CompileModule { memory, cpu, parent } => {
                return Ok(stages::compile_as_child(memory, cpu, parent));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A script that completes what the help shows.
fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let command = Cli::command();
    // A shell's generator may show hidden commands too.
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown =
        clap::Command::new("weir").version(env!("CARGO_PKG_VERSION")).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "weir", &mut script);
    script
}

fn print(text: &str) -> Result<(), CommandError> {
    write_out(text.as_bytes())
}

/// Writes what was asked for. A reader that has enough (`weir example | head`) is no failure.
fn write_out(bytes: &[u8]) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Output(error)),
        _ => Ok(()),
    }
}
