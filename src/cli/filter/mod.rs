//! `weir filter`: commands for authors of filters.

mod alone;
mod bench;
mod build;
mod compile;
mod diff;
mod doctor;
mod inspect;
mod new;
mod powers;
mod registry;
mod test;
mod toolchain;
mod trial;

use build::{BuildError, build_or_say_why};

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;

use super::CommandError;
use crate::text;

/// Errors of one module that are told.
const ERRORS_SHOWN_MAX: usize = 10;

/// The commands under `weir filter`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum FilterCommand {
    /// Makes ./NAME: a filter that builds, with a test, sample events and a case.
    ///
    /// Nothing but Rust is needed to go on from there: the SDK is in NAME/.weir. One in JavaScript
    /// or Python (--lang) needs node or python, and fetches its tool the first time.
    New(new::NewArgs),
    /// Renews what a filter has of weir in .weir: the SDK, or the contract.
    Update(new::UpdateArgs),
    /// Builds filters into WebAssembly components.
    ///
    /// Of a crate: runs cargo for the target wasm32-unknown-unknown, and makes a component of its
    /// module. Where there is no Cargo.toml, `sh build.sh FILE` makes it, which is how filters in
    /// other languages are built. Checks it, and says what it will be able to do. With --watch it
    /// does so on each change, and runs the cases; with --into what passes them is put where a
    /// running weir takes it up.
    Build(build::BuildArgs),
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
    /// `[admin]`. Its metric weir_shadow_events_total counts them all.
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
    /// Compiles modules ahead of the weir that will run them, into its compile cache.
    ///
    /// A module is compiled when it is first loaded, which takes a large one (in Python, say)
    /// hundreds of MiB of memory and some seconds. This does it where there is room for that: an
    /// init container with a higher limit, or the build of an image. What it writes fits only the
    /// same weir on the same kind of processor, and is used only by the user that owns it.
    Compile(compile::CompileArgs),
    /// Measures what a module costs an event.
    ///
    /// Time and memory are of this machine and this moment. The cost is counted: instructions (as
    /// fuel), calls of weir and bytes of text in them, of one instance over the events in order. It
    /// is the same each time for one weir and one module, whose digests are printed with it, so a
    /// CI can compare it exactly. Where the module fails on an event the exit code is 1.
    Bench(bench::BenchArgs),
    /// Shows what a module would do with events of a cluster, a file or stdin, and touches nothing.
    ///
    /// For each event its verdict (kept, dropped and why, failed and how) and each edit, as it
    /// happens: for people on a terminal (NO_COLOR is honoured), a JSON object a line elsewhere.
    /// Nothing is stored anywhere, and no position is moved. Where the module fails on an event the
    /// exit code is 1.
    Try(trial::TryArgs),
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
    /// A module could not be compiled.
    #[error(transparent)]
    Compile(#[from] compile::CompileAheadError),
    /// A module could not be measured.
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    /// A module could not be tried.
    #[error(transparent)]
    Try(#[from] trial::TryError),
    /// What the doctor found.
    #[error("filters cannot be built here: see what begins with `fail` above")]
    NotHere,
    /// Several modules would be written to one file.
    #[error(
        "--out names one file, and there are {0} filters to build: build them one by one, or leave \
         --out away"
    )]
    OneOut(usize),
    /// Several crates would be watched.
    #[error("--watch watches one folder, and {0} are given: run one for each")]
    OneWatched(usize),
    /// stdout cannot be written.
    #[error("cannot write to stdout: {0}")]
    Output(#[source] io::Error),
}

impl FilterError {
    /// Whether the command was given something that it cannot be used with.
    pub(super) fn is_of_usage(&self) -> bool {
        match self {
            FilterError::OneOut(_)
            | FilterError::OneWatched(_)
            | FilterError::Build(BuildError::NoFilter { .. }) => true,
            FilterError::Inspect(inspect::InspectError::Registry(error)) => error.is_of_usage(),
            FilterError::Inspect(_) => true,
            FilterError::New(error) => error.is_of_usage(),
            FilterError::Compile(error) => error.is_of_usage(),
            FilterError::Bench(error) => error.is_of_usage(),
            FilterError::Try(error) => error.is_of_usage(),
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
        FilterCommand::Build(args) => build::run(&args),
        FilterCommand::Test(args) => test::run(&args),
        FilterCommand::Compile(args) => compile::run(&args),
        FilterCommand::Bench(args) => bench::run(&args),
        FilterCommand::Try(args) => trial::run(&args),
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

/// Writes what is fit to be shown, and says whether somebody still reads.
fn write_out(fit: &str) -> Result<ControlFlow<()>, FilterError> {
    let mut out = io::stdout().lock();
    match out.write_all(fit.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(FilterError::Output(error)),
    }
}

/// Says what is fit to be shown, besides what was asked for. Without a stderr there is nobody to
/// tell.
fn note(fit: &str) {
    let _ = write!(io::stderr(), "{fit}");
}

/// Says something in one line or several.
fn say_of(what: &dyn fmt::Display) -> Result<(), FilterError> {
    say(&mut io::stdout().lock(), what).map_err(FilterError::Output)
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
