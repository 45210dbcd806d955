//! `weir filter new` and `weir filter update`: a filter to begin with, and the SDK that it needs,
//! out of the binary alone.
//!
//! Constraint: what `new` makes builds, and its tests pass, before the first edit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::text;

/// The SDK's files, by where they lie in a filter's `.weir`; `build.rs` lists them.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The versions of the crates that the SDK was tested with.
const LOCK: &str = include_str!("../../../../filters/Cargo.lock");

/// Where the carried SDK lies in a filter's folder.
const FOLDER: &str = ".weir";

/// The longest name of a crate that registries take.
const NAME_BYTES_MAX: usize = 64;

/// What `weir filter new` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The filter's name: that of its folder, its crate and its module
    name: String,
    /// One that drops events; this is the default
    #[arg(long, conflicts_with = "enrich")]
    filter: bool,
    /// One that changes events
    #[arg(long)]
    enrich: bool,
    /// What it is written in
    #[arg(long, value_enum, default_value_t, value_name = "LANG")]
    lang: Language,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// What `weir filter update` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateArgs {
    /// The filter's folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Language {
    #[default]
    Rust,
}

/// Why a filter could not be begun, or its SDK not renewed.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// It cannot be a crate's name.
    #[error(
        "`{0}` cannot be a filter's name: a to z, 0 to 9, - and _, beginning with a letter, at \
         most {NAME_BYTES_MAX} of them, and no word of Rust"
    )]
    Name(String),
    /// There is something of that name.
    #[error(
        "{} is there already: choose another name, or another folder to begin it in",
        .0.display()
    )]
    Exists(PathBuf),
    /// Nothing was begun there.
    #[error("{}: there is no {FOLDER}/sdk: `weir filter new` makes one", .0.display())]
    NoSdk(PathBuf),
    /// A file could not be written.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl NewError {
    /// Whether what was given cannot be used.
    pub(crate) fn is_of_usage(&self) -> bool {
        !matches!(self, NewError::File { .. })
    }
}

/// Makes ./NAME, and answers what to say of it.
pub(super) fn new(args: &NewArgs) -> Result<String, NewError> {
    let Language::Rust = args.lang;
    check_name(&args.name)?;
    let dir = PathBuf::from(&args.name);
    let broken = |error| NewError::File { path: dir.clone(), error };
    match fs::create_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(NewError::Exists(dir));
        }
        made => made.map_err(broken)?,
    }
    let template = if args.enrich { &ENRICH } else { &FILTER };
    for (path, text) in template.files(&args.name) {
        write(&dir.join(path), &text)?;
    }
    write_sdk(&dir)?;
    let around = workspace_around(&dir);
    Ok(if args.json {
        let lang = args.lang.to_possible_value();
        let lang = lang.as_ref().map_or("", |value| value.get_name());
        serde_json::json!({
            "name": args.name, "path": dir, "lang": lang, "workspace_around": around,
        })
        .to_string()
    } else {
        said(&args.name, template, around.as_deref())
    })
}

/// Renews the SDK of the filter in DIR, and answers what to say of it.
pub(super) fn update(args: &UpdateArgs) -> Result<String, NewError> {
    let dir = &args.dir;
    if !dir.join(FOLDER).join("sdk").is_dir() {
        return Err(NewError::NoSdk(dir.clone()));
    }
    write_sdk(dir)?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(if args.json {
        serde_json::json!({ "path": dir.join(FOLDER), "weir": version }).to_string()
    } else {
        let folder = text::one_line(dir.join(FOLDER).display(), text::LINE_BYTES_MAX);
        format!("{folder} is the SDK of weir {version} now")
    })
}

/// Whether the SDK of the filter in DIR is the one that this weir carries; `None`: it has none of
/// weir's.
pub(super) fn is_current(dir: &Path) -> Option<bool> {
    let folder = dir.join(FOLDER);
    let is_written = |(path, text): &(&str, &str)| {
        fs::read_to_string(folder.join(path)).is_ok_and(|written| written == *text)
    };
    folder.join("sdk").is_dir().then(|| SDK.iter().all(is_written))
}

/// What a filter begins as.
struct Template {
    /// What it does, behind "which".
    does: &'static str,
    code: &'static str,
    expected: &'static str,
}

static FILTER: Template = Template {
    does: "drops events of type Normal.",
    code: include_str!("templates/filter.rs"),
    expected: include_str!("templates/filter.expected.jsonl"),
};

static ENRICH: Template = Template {
    does: "writes each event's namespace into it as the label `team`.",
    code: include_str!("templates/enrich.rs"),
    expected: include_str!("templates/enrich.expected.jsonl"),
};

impl Template {
    fn files(&self, name: &str) -> Vec<(&'static str, String)> {
        let version = env!("CARGO_PKG_VERSION");
        let fill = |text: &str| {
            let text = text.replace("{name}", name).replace("{does}", self.does);
            text.replace("{version}", version).replace("{sdk}", version)
        };
        vec![
            ("Cargo.toml", fill(include_str!("templates/Cargo.toml.txt"))),
            ("Cargo.lock", LOCK.to_owned()),
            ("src/lib.rs", self.code.to_owned()),
            ("cases/first.events.jsonl", include_str!("templates/events.jsonl").to_owned()),
            ("cases/first.expected.jsonl", fill(self.expected)),
            ("README.md", fill(include_str!("templates/readme.txt"))),
            (".gitignore", include_str!("templates/gitignore.txt").to_owned()),
            (".github/workflows/filter.yml", fill(include_str!("templates/workflow.yml.txt"))),
        ]
    }
}

/// Writes the carried SDK in the place of what is there: files that it has no more go.
fn write_sdk(dir: &Path) -> Result<(), NewError> {
    let folder = dir.join(FOLDER);
    let sdk = folder.join("sdk");
    match fs::remove_dir_all(&sdk) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(NewError::File { path: sdk, error });
        }
        _ => {}
    }
    for (path, text) in SDK {
        write(&folder.join(path), text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let parent = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(parent).and_then(|()| fs::write(path, text));
    written.map_err(|error| NewError::File { path: path.to_owned(), error })
}

/// The folder around DIR that is a cargo workspace, if there is one.
fn workspace_around(dir: &Path) -> Option<PathBuf> {
    let dir = dir.canonicalize().ok()?;
    let is_workspace = |folder: &&Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim_start().starts_with("[workspace"))
    };
    dir.ancestors().skip(1).find(is_workspace).map(Path::to_owned)
}

fn said(name: &str, template: &Template, around: Option<&Path>) -> String {
    let mut said = format!(
        "{name}: a filter which {}\n  \
         cd {name}\n  \
         cargo test           # the unit tests in src/lib.rs\n  \
         weir filter test     # builds it, and runs cases/ through it",
        template.does
    );
    if let Some(around) = around {
        said += &format!(
            "\n  {} is a cargo workspace, and {name} one of its own: where `members` there covers \
             it, add it to `exclude`",
            text::one_line(around.join("Cargo.toml").display(), text::LINE_BYTES_MAX)
        );
    }
    said
}

/// <https://doc.rust-lang.org/reference/keywords.html>, those of lower-case letters, and names that
/// cargo or the filter itself has taken.
const TAKEN: &str = "abstract as async await become box break const continue crate do dyn else \
                     enum extern false final fn for gen if impl in let loop macro match mod move \
                     mut override priv pub ref return self static struct super trait true try type \
                     typeof unsafe unsized use virtual where while yield test core std alloc \
                     proc_macro weir-filter weir_filter deps build examples incremental";

fn check_name(name: &str) -> Result<(), NewError> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let fits = name.len() <= NAME_BYTES_MAX
        && name.bytes().all(is_plain)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !TAKEN.split_whitespace().any(|taken| taken == name);
    if fits {
        return Ok(());
    }
    Err(NewError::Name(text::one_line(name, 2 * NAME_BYTES_MAX)))
}
