//! `weir filter`: commands for authors of filters.

mod build;
mod powers;
mod toolchain;

pub(crate) use build::{BuildError, build};

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
};

use crate::text;

/// The commands under `weir filter`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FilterCommand {
    /// Builds filter crates into WebAssembly components.
    ///
    /// Runs cargo for the target wasm32-unknown-unknown, makes a component of each module, checks
    /// it, and says what it will be able to do.
    Build(BuildArgs),
}

/// What `weir filter build` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
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
        "--out names one file, and there are {0} filters to build: build them one by one, or leave \
         --out away"
    )]
    OneOut(usize),
    /// stdout cannot be written.
    #[error("cannot write to stdout: {0}")]
    Output(#[source] io::Error),
}

impl FilterError {
    /// Whether the command was given something that it cannot be used with.
    pub(super) fn is_of_usage(&self) -> bool {
        matches!(self, FilterError::OneOut(_) | FilterError::Build(BuildError::NotACrate { .. }))
    }
}

/// Runs a command under `weir filter`. What it was asked to print goes to stdout.
pub(crate) fn run(command: FilterCommand) -> Result<(), FilterError> {
    match command {
        FilterCommand::Build(args) => {
            if args.out.is_some() && args.dirs.len() > 1 {
                return Err(FilterError::OneOut(args.dirs.len()));
            }
            for dir in &args.dirs {
                let module = build(dir, args.out.as_deref())?;
                say(&mut io::stdout().lock(), &module).map_err(FilterError::Output)?;
            }
            Ok(())
        }
    }
}

/// Writes a line. A reader that has enough (`weir filter build … | head -1`) is no failure: the
/// modules are built all the same.
fn say(out: &mut impl Write, line: &dyn fmt::Display) -> io::Result<()> {
    match writeln!(out, "{}", text::block(line)).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cannot be written to.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_enough_is_no_failure_and_a_full_disk_is_one() {
        let mut out = Vec::new();
        say(&mut out, &"a line").unwrap();
        assert_eq!(out, b"a line\n");
        say(&mut Broken(io::ErrorKind::BrokenPipe), &"a line").unwrap();
        assert!(say(&mut Broken(io::ErrorKind::StorageFull), &"a line").is_err());
    }
}
