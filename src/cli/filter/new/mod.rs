//! `weir filter new` and `weir filter update`: a filter to begin with (`template`), and what it
//! needs of weir (`carried`), out of the binary alone.

mod carried;
mod template;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

pub(super) use self::carried::Carried;
use self::carried::FOLDER;
use self::template::{Kind, Language, Template};
use crate::text;

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
    #[error("{}: there is no {FOLDER}: `weir filter new` makes one", .0.display())]
    NotBegun(PathBuf),
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
    check_name(&args.name)?;
    let dir = PathBuf::from(&args.name);
    let broken = |error| NewError::File { path: dir.clone(), error };
    match fs::create_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(NewError::Exists(dir));
        }
        made => made.map_err(broken)?,
    }
    let kind = if args.enrich { Kind::Enrich } else { Kind::Filter };
    let template = Template { language: args.lang, kind };
    for (path, text) in template.files(&args.name) {
        write(&dir.join(path), &text)?;
    }
    template.carried().write(&dir)?;
    let around = Some(&dir).filter(|_| args.lang == Language::Rust);
    let around = around.and_then(|dir| workspace_around(dir));
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

/// Renews what the filter in DIR has of weir, and answers what to say of it.
pub(super) fn update(args: &UpdateArgs) -> Result<String, NewError> {
    let dir = &args.dir;
    let carried = Carried::of(dir).ok_or_else(|| NewError::NotBegun(dir.clone()))?;
    carried.write(dir)?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(if args.json {
        serde_json::json!({ "path": dir.join(FOLDER), "weir": version }).to_string()
    } else {
        let folder = text::one_line(dir.join(FOLDER).display(), text::LINE_BYTES_MAX);
        format!("{folder} is the {} of weir {version} now", carried.what())
    })
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

fn said(name: &str, template: Template, around: Option<&Path>) -> String {
    let mut said = format!("{name}: a filter which {}\n{}", template.does(), template.next(name));
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
