//! The command line: arguments, what is printed, and how it ends.
//!
//! Invariants: stdout carries only what was asked to be printed; diagnostics and logs go to stderr.
//! A command says how it ended by returning; only `main` makes an exit code of it.

mod check;
pub mod filter;

use std::io::{self, Write};

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{self, Problems};
use crate::telemetry::{LogFormat, TelemetryError};

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  a run that failed
  2  wrong usage or configuration, a module that cannot be loaded included

Environment:
  WEIR_LOG  which log lines to show, such as `warn` or `info,weir::sink=debug` (default: info)";

/// Watches a Kubernetes cluster's events, runs each one through WebAssembly modules, and ships what is left
/// to OpenSearch in batches.
#[derive(Debug, Parser)]
#[command(name = "weir", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckCommand),
    /// Make filters: WebAssembly modules for stages
    #[command(subcommand)]
    Filter(filter::FilterCommand),
    /// Print a configuration that shows every key with what it means
    Example,
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print a shell's completions
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The log cannot be set up as asked.
    #[error("error: {0}")]
    Telemetry(#[from] TelemetryError),
    /// A filter could not be made.
    #[error("error: {0}")]
    Filter(#[from] filter::FilterError),
    /// stdout cannot be written.
    #[error("error: cannot write to stdout: {0}")]
    Output(#[source] io::Error),
}

impl Failure {
    /// 1: a run that failed; 2: wrong usage or configuration.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Filter(filter::FilterError::OneOut(_)) => 2,
            Failure::Output(_) | Failure::Filter(_) => 1,
            Failure::Problems(_) | Failure::Telemetry(_) => 2,
        }
    }
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    ///
    /// What went wrong, to be shown on stderr.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::Filter(command) => Ok(filter::run(command)?),
            Command::Example => print(config::EXAMPLE),
            Command::Schema => print(&config::schema()),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "weir", &mut script);
                write_out(&script)
            }
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    write_out(text.as_bytes())
}

/// Writes what was asked for. A reader that has enough (`weir example | head`) is no failure.
fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}
