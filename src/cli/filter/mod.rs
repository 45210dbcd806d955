//! `weir filter`: commands for authors of filters.

mod build;
mod diff;
mod doctor;
mod inspect;
mod new;
mod powers;
mod registry;
mod test;
mod toolchain;

pub(crate) use build::{BuildError, BuiltModule, build};

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::CommandError;
use crate::text;

/// The commands under `weir filter`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FilterCommand {
    /// Makes ./NAME: a filter that builds, with a test, sample events and a case.
    ///
    /// Nothing but Rust is needed to go on from there: the SDK is in NAME/.weir.
    New(new::NewArgs),
    /// Renews the SDK that a filter has in .weir.
    Update(new::UpdateArgs),
    /// Builds filter crates into WebAssembly components.
    ///
    /// Runs cargo for the target wasm32-unknown-unknown, makes a component of each module, checks
    /// it, and says what it will be able to do.
    Build(BuildArgs),
    /// Says whether filters can be built here, and what to do where they cannot.
    ///
    /// A line for each finding: `ok|warn|fail NAME: TEXT`. It looks for cargo, rustc, the target's
    /// standard library and the linker, and whether the SDK in .weir is this weir's. It installs
    /// nothing. With a `fail` the exit code is 1.
    Doctor(doctor::DoctorArgs),
    /// Says what a module is and may do, and prints a `[[stage]]` to paste.
    ///
    /// Its imports are its permissions: weir links nothing else. Reasons and counters are those
    /// that it declares when it is configured with nothing. Of a module in a registry (oci://…)
    /// only what is known without pulling it is said.
    Inspect(inspect::InspectArgs),
    /// Shows the last few events on which a stage's shadow does otherwise than its module.
    ///
    /// A running weir is asked for them, which shows them only with `show_events = true` in
    /// [admin]. Its metric weir_shadow_events_total counts them all.
    Diff(diff::DiffArgs),
    /// Builds a filter, and compares what becomes of recorded events with what is expected.
    ///
    /// A case is cases/NAME.events.jsonl (an event a line) and cases/NAME.expected.jsonl (a line an
    /// event, such as {"outcome":"filtered","reason":"normal"}; what is left out is not compared).
    /// cases/NAME.toml may have the keys of a `[[stage]]`, such as config, and say more. The
    /// component runs in the host that runs it in a pipeline, within the same limits.
    Test(test::TestArgs),
    /// Pushes a module to a registry, and prints a `[[stage]]` that names it.
    ///
    /// It is an artifact in the CNCF's layout for WebAssembly, whose configuration has the imports.
    /// The same module has the same digest whenever it is pushed.
    Push(registry::PushArgs),
    /// Pulls a module out of a registry, into weir's cache and a file.
    Pull(registry::PullArgs),
    /// Saves modules of registries in one file, to be carried where no registry is.
    ///
    /// The file is an archive of an OCI layout.
    Save(registry::SaveArgs),
    /// Loads modules that were saved into weir's cache, or pushes them to another registry.
    ///
    /// A stage that names one of them by its digest is run without a registry then.
    Load(registry::LoadArgs),
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
    /// A filter could not be begun.
    #[error(transparent)]
    New(#[from] new::NewError),
    /// A module could not be inspected.
    #[error(transparent)]
    Inspect(#[from] inspect::InspectError),
    /// A running weir did not say what differs.
    #[error(transparent)]
    Diff(#[from] crate::admin::AskError),
    /// A module could not be carried.
    #[error(transparent)]
    Carry(#[from] registry::CarryError),
    /// What the doctor found.
    #[error("filters cannot be built here: see what begins with `fail` above")]
    NotHere,
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
        match self {
            FilterError::OneOut(_) | FilterError::Build(BuildError::NotACrate { .. }) => true,
            FilterError::Inspect(inspect::InspectError::Registry(error)) => error.is_of_usage(),
            FilterError::Inspect(_) => true,
            FilterError::New(error) => error.is_of_usage(),
            FilterError::Carry(error) => error.is_of_usage(),
            FilterError::Build(_)
            | FilterError::Diff(_)
            | FilterError::NotHere
            | FilterError::Output(_) => false,
        }
    }
}

/// Runs a command under `weir filter`. What it was asked to print goes to stdout.
pub(crate) fn run(command: FilterCommand) -> Result<(), CommandError> {
    match command {
        FilterCommand::Build(args) => Ok(build_all(&args)?),
        FilterCommand::Test(args) => test::run(&args),
        FilterCommand::Doctor(args) => {
            let (said, result) = doctor::doctor(&args);
            super::print(&said)?;
            Ok(result?)
        }
        FilterCommand::Inspect(args) => Ok(tell(inspect::inspect(&args), args.json)?),
        FilterCommand::Diff(args) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| CommandError::Process(error.to_string()))?;
            Ok(tell(runtime.block_on(diff::diff(&args)), args.json)?)
        }
        FilterCommand::Push(args) => Ok(tell(registry::push(&args), args.json)?),
        FilterCommand::Pull(args) => Ok(tell(registry::pull(&args), args.json)?),
        FilterCommand::Save(args) => Ok(tell(registry::save(&args), args.json)?),
        FilterCommand::Load(args) => Ok(tell(registry::load(&args), args.json)?),
        FilterCommand::New(args) => Ok(tell(new::new(&args), args.json)?),
        FilterCommand::Update(args) => Ok(tell(new::update(&args), args.json)?),
    }
}

/// Says what a command found or did, which has made it fit to be shown.
fn tell<E>(said: Result<String, E>, is_json: bool) -> Result<(), FilterError>
where
    FilterError: From<E>,
{
    let said = said?;
    let said = if is_json { text::json(&said) } else { said.as_str().into() };
    let mut out = io::stdout().lock();
    ended_by_reader(writeln!(out, "{said}").and_then(|()| out.flush())).map_err(FilterError::Output)
}

/// Builds; when it fails, what the doctor says of this machine goes to stderr, behind what the
/// toolchain has said.
fn build_or_say_why(dir: &Path, out: Option<&Path>) -> Result<BuiltModule, FilterError> {
    let built = build(dir, out);
    if let Err(BuildError::NoToolchain(_) | BuildError::CargoMissing(_) | BuildError::Cargo(_)) =
        &built
    {
        // Without a stderr there is nobody to tell.
        let _ = write!(io::stderr(), "{}", doctor::troubles(dir));
    }
    Ok(built?)
}

fn build_all(args: &BuildArgs) -> Result<(), FilterError> {
    if args.out.is_some() && args.dirs.len() > 1 {
        return Err(FilterError::OneOut(args.dirs.len()));
    }
    for dir in &args.dirs {
        let module = build_or_say_why(dir, args.out.as_deref())?;
        say(&mut io::stdout().lock(), &module).map_err(FilterError::Output)?;
    }
    Ok(())
}

/// Writes a line. A reader that has enough (`weir filter build … | head -1`) is no failure: the
/// modules are built all the same.
fn say(out: &mut impl Write, line: &dyn fmt::Display) -> io::Result<()> {
    ended_by_reader(writeln!(out, "{}", text::block(line)).and_then(|()| out.flush()))
}

fn ended_by_reader(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
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
