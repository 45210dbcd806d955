//! `weir filter test`: builds a filter, and holds the component to its cases in the real host.

use std::path::{Path, PathBuf};

use crate::cases::Tested;
use crate::cli::test::CasesArguments;
use crate::cli::{CommandError, LogArguments};

/// What `weir filter test` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// The folder of the filter's crate
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Test this component, and build nothing
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    #[command(flatten)]
    cases: CasesArguments,
    #[command(flatten)]
    log: LogArguments,
}

pub(super) fn run(args: &TestArgs) -> Result<(), CommandError> {
    let telemetry = args.log.init_quietly()?;
    let (name, module) = match &args.module {
        Some(module) => (stem(module), module.clone()),
        None => {
            let built = super::build_or_say_why(&args.dir, None)?;
            (built.name, built.path)
        }
    };
    // Settings name it, and their paths begin where they are.
    let module = std::path::absolute(&module).unwrap_or(module);
    let ran = args.cases.run(&args.dir, Tested::Module { name: &name, module: &module });
    telemetry.end();
    args.cases.finish(ran)
}

/// The stage's name: the file's.
pub(super) fn stem(module: &Path) -> String {
    module.file_stem().unwrap_or(module.as_os_str()).to_string_lossy().into_owned()
}
