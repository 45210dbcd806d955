//! `weir filter`: what a filter's author does.

mod build;
mod powers;
mod toolchain;

pub use build::{BuildError, BuiltModule, build};
pub use powers::Powers;

use std::path::PathBuf;

/// The commands under `weir filter`.
#[derive(Debug, clap::Subcommand)]
pub enum FilterCommand {
    /// Builds filter crates into WebAssembly components.
    ///
    /// Runs cargo for the target wasm32-unknown-unknown, makes a component of each module, checks
    /// it, and says what it will be able to do.
    Build(BuildArgs),
}

/// What `weir filter build` is given.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// The folders of the filter crates.
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,
    /// Where to write the module, when there is one; default: dist/NAME.wasm beside the Cargo.toml
    /// of DIR's workspace.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why a command under `weir filter` failed.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A filter could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Several modules would be written to one file.
    #[error(
        "--out names one file, and there are {0} filters to build: build them one by one, or leave --out away"
    )]
    OneOut(usize),
}

/// Runs a command under `weir filter`. What it was asked to print goes to stdout.
pub fn run(command: FilterCommand) -> Result<(), FilterError> {
    match command {
        FilterCommand::Build(args) => {
            if args.out.is_some() && args.dirs.len() > 1 {
                return Err(FilterError::OneOut(args.dirs.len()));
            }
            for dir in &args.dirs {
                let module = build(dir, args.out.as_deref())?;
                println!("{module}");
            }
            Ok(())
        }
    }
}
