//! `weir filter build`: makes components of filters, once (`module`) or on each change (`watch`).

mod module;
mod package;
mod script;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

pub(crate) use self::module::{BuildError, BuiltModule, build};
pub(super) use self::script::is_of as is_made_by_script;
use super::{FilterError, doctor, note, say_of, tell};
use crate::cli::{CommandError, LogArguments};

/// What `weir filter build` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The folders of the filters: a crate each, or another language's with a build.sh.
    #[arg(value_name = "DIR", default_value = ".")]
    dirs: Vec<PathBuf>,
    /// Where to write the module, when there is one; default: dist/NAME.wasm beside the Cargo.toml
    /// of DIR's workspace, or in DIR.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Build again on each change in DIR, and run its cases, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Put each module whose cases pass there, too: a running weir with `reload = "watch"` takes it
    /// up.
    #[arg(long, value_name = "FILE", requires = "watch")]
    into: Option<PathBuf>,
    /// Print one JSON object for each module.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArguments,
}

/// Builds what it was given.
pub(super) fn run(args: &BuildArgs) -> Result<(), CommandError> {
    if args.out.is_some() && args.dirs.len() > 1 {
        return Err(FilterError::OneOut(args.dirs.len()).into());
    }
    match (args.watch, &args.dirs[..]) {
        (true, [dir]) => watch::watch(args, dir),
        (true, dirs) => Err(FilterError::OneWatched(dirs.len()).into()),
        (false, dirs) => {
            for dir in dirs {
                let (built, told) = Told::of(dir, args.out.as_deref());
                args.tell(&built, &told)?;
                built?;
            }
            Ok(())
        }
    }
}

/// Builds; when it fails, what the doctor says of this machine goes to stderr, behind what the
/// toolchain has said.
pub(super) fn build_or_say_why(dir: &Path, out: Option<&Path>) -> Result<BuiltModule, FilterError> {
    let (built, _) = Told::of(dir, out);
    built
}

/// What is told of a build to programs.
struct Told(Value);

impl Told {
    /// Builds, and says what came of it.
    fn of(dir: &Path, out: Option<&Path>) -> (Result<BuiltModule, FilterError>, Told) {
        let begin = Instant::now();
        let built = build(dir, out);
        let seconds = (begin.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let told = match &built {
            Ok(module) => json!({
                "module": module.path, "bytes": module.bytes, "digest": module.digest,
                "world": module.powers.world(), "seconds": seconds,
            }),
            Err(error) => {
                let troubles = match error {
                    BuildError::NoToolchain(_)
                    | BuildError::CargoMissing(_)
                    | BuildError::Cargo(_) => doctor::troubles(dir),
                    _ => String::new(),
                };
                note(&troubles);
                let doctor: Vec<&str> = troubles.lines().collect();
                json!({ "error": error.to_string(), "doctor": doctor, "seconds": seconds })
            }
        };
        (built.map_err(FilterError::from), Told(told))
    }
}

impl BuildArgs {
    /// Says what was built: for people only that; what went wrong they see on stderr.
    fn tell(
        &self,
        built: &Result<BuiltModule, FilterError>,
        Told(told): &Told,
    ) -> Result<(), FilterError> {
        match (self.json, built) {
            (true, _) => tell(Ok::<_, FilterError>(told.to_string()), true),
            (false, Ok(module)) => say_of(module),
            (false, Err(_)) => Ok(()),
        }
    }
}
