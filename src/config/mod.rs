//! `pipeline.toml` becomes [`Settings`], or everything that is wrong with it at once.
//!
//! Constraints: only this folder knows TOML; it opens no file but the configuration itself and
//! contacts nobody. Invariant: whatever comes out as [`Settings`] can be run; no other part checks
//! a setting again.
//!
//! How: `keys` declares every key; `walk` reads the file against that into a `section` for each
//! table; `build` makes the parts' settings out of it and checks what concerns several keys;
//! `named` gathers what others can look at; `schema` writes the same declaration as JSON Schema.

mod build;
mod diagnostic;
mod index;
mod json;
mod keys;
mod named;
mod rules;
mod schema;
mod section;
mod table;
mod units;
mod value;
mod walk;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use diagnostic::{Diagnostic, Place, Problems};
pub use index::show as show_index;
pub use schema::schema;
pub use units::{show_duration, show_size};

use crate::kube::LeaseSettings;
use crate::secret::Secret;
use crate::{buffer, dead_letter, sink, source, stages};

/// The annotated configuration, with every key: `config/pipeline.toml`.
pub const EXAMPLE: &str = include_str!("../../config/pipeline.toml");

/// What is wrong with a sink that writes to what the source reads.
pub(crate) const SAME_FILE: &str = "the sink would write to the file that the source reads, and read it again without end: give the sink a file of its own";

/// A hundred stages take some tens of KiB; their own settings may be tables.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// With `workers = "auto"` no more than this: each has an instance of every module, and four keep
/// up with any one cluster.
const AUTO_WORKERS_MAX: usize = 4;

/// A pipeline that can be run. Its paths are as they are to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Identifies the pipeline.
    pub name: String,
    /// Goes into every document as `clusterName`.
    pub cluster: Option<String>,
    /// Threads that run the stages.
    pub workers: Workers,
    /// Folder of compiled modules; need not exist yet.
    pub cache: PathBuf,
    /// Where events come from.
    pub source: source::Settings,
    /// What they pass, in order.
    pub stages: Vec<stages::StageSettings>,
    /// What waits for the sink.
    pub buffer: buffer::Settings,
    /// Where documents go.
    pub sink: sink::Settings,
    /// Where events go that could not be processed.
    pub dead_letter: dead_letter::Settings,
    /// By which Lease replicas agree on who works; `None`: this one always does.
    pub lease: Option<LeaseSettings>,
    /// Where `/metrics`, `/livez` and `/readyz` are served; `None`: nowhere.
    pub admin: Option<SocketAddr>,
    /// The folder that relative paths were relative to.
    pub folder: PathBuf,
}

/// `workers`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// The CPU quota, at most 4.
    Auto,
    /// That many; at least 1.
    Count(usize),
}

impl Workers {
    /// How many threads that is here. (The standard library heeds CPU affinity and the quotas of
    /// cgroup v1 and v2, rounded down.)
    pub fn count(self) -> usize {
        match self {
            Workers::Auto => {
                std::thread::available_parallelism().map_or(1, NonZero::get).min(AUTO_WORKERS_MAX)
            }
            Workers::Count(count) => count,
        }
    }
}

/// A valid configuration, and what it names outside of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What to run.
    pub settings: Settings,
    /// What turns out to be there or not only by looking.
    pub named: Named,
}

/// What a configuration names outside of itself, and where: it can be looked at although other
/// parts are wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The folder of compiled modules.
    pub cache: PathBuf,
    /// Where `cache` is, or where it could be.
    pub cache_place: Place,
    /// The stages that can be loaded. What is wrong with their other keys has been told: it is as
    /// large as it may be here.
    pub stages: Vec<stages::StageSettings>,
    /// Where each of them is.
    pub places: Vec<StagePlaces>,
    /// The sink's password.
    pub password: Option<(Secret, Place)>,
    /// The sink's authorities.
    pub ca: Option<(PathBuf, Place)>,
    /// The source, if it is whole.
    pub source: Option<source::Settings>,
    /// Where the source's `path` is, or its header.
    pub source_path: Place,
    /// The sink, if it is whole.
    pub sink: Option<sink::Settings>,
    /// Where the sink's `path` is, or its header.
    pub sink_path: Place,
    /// Where the sink's `kind` is, or its header.
    pub sink_kind: Place,
}

/// Where a stage is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePlaces {
    /// Its `module`.
    pub module: Place,
    /// Its `[stage.config]`, or its header when it has none.
    pub config: Place,
}

/// What defaults depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The folder of compiled modules.
    pub cache: PathBuf,
}

impl Environment {
    /// This process's: in `$XDG_CACHE_HOME`, else in `~/.cache`, else where temporary files go
    /// ([XDG base directories](https://specifications.freedesktop.org/basedir-spec/latest/): a relative path
    /// in the variable is ignored). It is `weir/modules` there: compiled modules are refused in a
    /// folder that is not weir's alone, and `weir` itself may hold something else and have been
    /// made by somebody else.
    pub fn of_process() -> Environment {
        let folder =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache =
            folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        Environment { cache: cache.unwrap_or_else(std::env::temp_dir).join("weir/modules") }
    }
}

/// Reads a configuration file.
///
/// # Errors
///
/// Everything that is wrong with it, and what it names all the same, so that what is wrong with
/// that can be told together with it.
pub fn load(
    file: &Path,
    environment: &Environment,
) -> Result<Config, (Problems, Option<Box<Named>>)> {
    let start = Place { file: file.to_owned(), line: 1, column: 1 };
    let wrong = match read(file).map(String::from_utf8) {
        Ok(Ok(text)) => return parse_parts(file, &text, environment),
        Ok(Err(error))
            if error.as_bytes().starts_with(b"\xff\xfe")
                || error.as_bytes().starts_with(b"\xfe\xff") =>
        {
            start.error("the file is UTF-16: save it as UTF-8")
        }
        Ok(Err(error)) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            Place::new(file, &text, valid).error("the file is not UTF-8 text from here on")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => start.error(format!(
            "cannot read the configuration: {error}; `weir example` prints one to begin with"
        )),
        Err(error) => start.error(format!("cannot read the configuration: {error}")),
    };
    let wrong = Problems::of(vec![wrong]);
    // `of` is given one diagnostic, so it is never `None`.
    Err((wrong.expect("one problem"), None))
}

/// The bytes of the configuration, which may come from a pipe (`--config <(…)`).
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let text = format!("it is larger than {}: is it another file?", show_size(FILE_BYTES_MAX));
        return Err(io::Error::other(text));
    }
    Ok(bytes)
}

/// Reads a configuration's text; `file` says where relative paths begin and what diagnostics name.
///
/// # Errors
///
/// Everything that is wrong with it. Of a text that is not TOML only that is told: what would stand
/// there is unknown.
pub fn parse(file: &Path, text: &str, environment: &Environment) -> Result<Config, Problems> {
    parse_parts(file, text, environment).map_err(|(problems, _)| problems)
}

fn parse_parts(
    file: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Config, (Problems, Option<Box<Named>>)> {
    // Some editors put a byte order mark before the first character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut walk = walk::Walk::new(file, text);
    let mut second_table = 0..0;
    for error in &errors {
        let span = error.span().unwrap_or_default();
        match (error.message(), text.get(span.clone())) {
            // The keys of a table that is there twice may all be there twice: that is one mistake.
            ("duplicate key", Some(_)) if second_table.contains(&span.start) => {}
            ("duplicate key", Some(key)) => {
                if text[..span.start].ends_with('[') {
                    let length = text[span.start..].find("\n[").unwrap_or(text.len() - span.start);
                    second_table = span.start..span.start + length;
                }
                let key = key.escape_debug();
                walk.error(span.start, format!("duplicate key `{key}`: it may be there once"));
            }
            (message, _) => walk.error(span.start, message),
        }
    }
    let built = errors.is_empty().then(|| build::config(&mut walk, root.get_ref(), environment));
    let (settings, named) = built.unzip();
    match (Problems::of(walk.finish()), settings.flatten(), named) {
        (None, Some(settings), Some(named)) => Ok(Config { settings, named }),
        (Some(problems), _, named) => Err((problems, named.map(Box::new))),
        (None, ..) => unreachable!("what could not be built has been diagnosed: see `walk`"),
    }
}
