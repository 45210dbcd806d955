//! `pipeline.toml` becomes [`Settings`], or everything that is wrong with it at once.
//!
//! Constraints: only this folder knows TOML; it opens no file but the configuration itself and
//! contacts nobody. Invariant: whatever comes out as [`Settings`] can be run; no other part checks
//! a setting again.
//!
//! How, in the order of the flow:
//!
//! - `keys` declares every key, in the vocabulary of `table`; a key that may have one of a few
//!   words names the enum that `words` declares them with.
//! - `variables` finds what other tools would have expanded.
//! - `tables` reads the file against the declaration into a `section` for each table: `scalar`
//!   reads each value, by its `rules` and `units`; `input` collects what is wrong, at which of its
//!   `lines`.
//! - `parts` makes the parts' settings out of the sections and checks what concerns several keys.
//! - `references` gathers what the configuration names outside itself, for others to check.
//! - `schema` writes the same declaration as JSON Schema.
//!
//! `case` reads the settings of a test's case, which has the keys of a `[[stage]]`, too.

mod case;
mod changes;
mod diagnostic;
mod field_selector;
mod index;
mod input;
mod json;
mod keys;
mod lines;
mod parts;
mod references;
mod rules;
mod scalar;
mod schema;
mod section;
mod settings;
mod table;
mod tables;
mod units;
mod variables;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::de::DeTable;

pub(crate) use case::{CaseObject, CaseSettings, case, module_stage};
pub(crate) use changes::changed_keys;
pub(crate) use diagnostic::{Diagnostic, Diagnostics, Location, nearest};
pub(crate) use parts::SAME_FILE;
pub(crate) use references::{Reference, References, StageReference};
pub(crate) use rules::annotation as check_annotation;
pub(crate) use schema::schema;
pub use settings::Environment;
pub(crate) use settings::{AdminSettings, ReloadOn, Settings, Workers};
pub(crate) use units::{show_duration, show_size};

use crate::{files, form};
use input::Input;
use lines::Lines;

/// The annotated configuration, with every key: `config/pipeline.toml`.
pub(crate) const EXAMPLE: &str = include_str!("../../config/pipeline.toml");

/// A hundred stages take some tens of KiB; their own settings may be tables.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A valid configuration, and what it names outside of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What to run.
    pub settings: Settings,
    /// What turns out to be there or not only by looking.
    pub references: References,
    /// What it was read from.
    pub text: String,
}

/// A configuration that cannot be run.
#[derive(Debug)]
pub(crate) struct InvalidConfig {
    /// Everything that is wrong with it.
    pub diagnostics: Diagnostics,
    /// What it names all the same, so that what is wrong with that can be told together with it;
    /// `None` when the text is not TOML, and nobody knows what would stand there.
    pub references: Option<Box<References>>,
}

/// Reads a configuration file.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(crate) fn load(file: &Path, environment: &Environment) -> Result<Config, InvalidConfig> {
    let start = Location { file: file.to_owned(), line: 1, column: 1 };
    let unreadable = match read(file).map(String::from_utf8) {
        Ok(Ok(text)) => return parse_parts(file, &text, environment),
        Ok(Err(error)) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let (line, column) = Lines::new(&text).position(valid);
            Location { file: file.to_owned(), line, column }
                .error("the file is not UTF-8 text from here on")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => start.error(format!(
            "cannot read the configuration: {error}; `weir example` prints one to begin with"
        )),
        Err(error) => start.error(format!("cannot read the configuration: {error}")),
    };
    Err(InvalidConfig { diagnostics: unreadable.into(), references: None })
}

/// The bytes of the configuration, which may come from what the shell has opened (`--config <(…)`).
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let is_open = ["/dev/fd", "/proc/self/fd", "/dev/stdin"].iter().any(|at| file.starts_with(at));
    let opened = if is_open { File::open(file)? } else { files::open(file)? };
    let mut bytes = Vec::new();
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let text = format!("it is larger than {}: is it another file?", show_size(FILE_BYTES_MAX));
        return Err(io::Error::other(text));
    }
    form::utf8(bytes)
}

/// Reads a configuration's text; `file` says where relative paths begin and what diagnostics name.
///
/// # Errors
///
/// Everything that is wrong with it. Of a text that is not TOML only that is told.
pub fn parse(file: &Path, text: &str, environment: &Environment) -> Result<Config, Diagnostics> {
    parse_parts(file, text, environment).map_err(|invalid| invalid.diagnostics)
}

fn parse_parts(
    file: &Path,
    text: &str,
    environment: &Environment,
) -> Result<Config, InvalidConfig> {
    // Some editors put a byte order mark before the first character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut input = Input::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        not_toml(&mut input, text, &errors);
    }
    let built = errors.is_empty().then(|| assemble(&mut input, root.get_ref(), environment));
    let (settings, references) = built.unzip();
    match (input.into_diagnostics(), settings.flatten(), references) {
        (None, Some(settings), Some(references)) => {
            Ok(Config { settings, references, text: text.to_owned() })
        }
        (Some(diagnostics), _, references) => {
            Err(InvalidConfig { diagnostics, references: references.map(Box::new) })
        }
        (None, ..) => unreachable!("what could not be built has been diagnosed: see `tables`"),
    }
}

/// Builds everything, so that everything wrong is found; and what can be looked at all the same.
fn assemble(
    input: &mut Input<'_>,
    root: &DeTable<'_>,
    environment: &Environment,
) -> (Option<Settings>, References) {
    variables::find(input, &keys::ROOT, root);
    let root = tables::read(input, &keys::ROOT, root, 0);
    let parts = parts::of(input, &root, environment);
    let references = references::of(input, &root, &parts);
    (parts.into_settings(&root, input.folder()), references)
}

/// Notes why the text is not TOML.
fn not_toml(input: &mut Input<'_>, text: &str, errors: &[toml::de::Error]) {
    let mut second_table = 0..0;
    for error in errors {
        let span = error.span().unwrap_or_default();
        match (error.message(), text.get(span.clone())) {
            // The keys of a table that is there twice may all be there twice: that is one mistake.
            ("duplicate key", Some(_)) if second_table.contains(&span.start) => {}
            ("duplicate key", Some(key)) => {
                if text[..span.start].ends_with('[') {
                    let length = text[span.start..].find("\n[").unwrap_or(text.len() - span.start);
                    second_table = span.start..span.start + length;
                }
                let key = diagnostic::quoted(key);
                input.error(span.start, format!("duplicate key `{key}`: it may be there once"));
            }
            (message, _) => input.error(span.start, message),
        }
    }
}
