//! What is wrong with a configuration, and where.
//!
//! Invariant: a diagnostic shows no value that could be a secret, and no line of the file, which
//! could hold one.

use std::fmt;
use std::path::{Path, PathBuf};

/// A position in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, as it was named on the command line.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Location {
    /// Where the byte `offset` in `text`, which `file` holds.
    pub(super) fn new(file: &Path, text: &str, offset: usize) -> Location {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Location { file: file.to_owned(), line, column }
    }

    /// What is wrong here.
    pub fn error(&self, text: impl fmt::Display) -> Diagnostic {
        Diagnostic { location: self.clone(), text: text.to_string() }
    }
}

/// One thing that is wrong, shown as `FILE:LINE:COL: error: TEXT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where to mend it.
    pub location: Location,
    /// What is wrong and what to do. Further lines may say more.
    pub text: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { file, line, column } = &self.location;
        write!(f, "{}:{line}:{column}: error: {}", file.display(), self.text)
    }
}

/// Everything that is wrong with a configuration, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Sorts `diagnostics` by location; `None` when there are none.
    pub fn of(mut diagnostics: Vec<Diagnostic>) -> Option<Diagnostics> {
        diagnostics.sort();
        diagnostics.dedup();
        (!diagnostics.is_empty()).then_some(Diagnostics(diagnostics))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Diagnostics {
        Diagnostics(vec![one])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// `"a"`, `"b"` or `"c"` of a list of names.
pub(super) fn alternatives<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The one of `names` that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::damerau_levenshtein(&word, &name.replace('-', "_"));
    let (distance, name) = names.into_iter().map(|name| (distance(name), name)).min()?;
    // A third of the word may be wrong: `nmae` is `name`, but `mode` is not `name`.
    (distance <= word.chars().count().max(3) / 3).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_counts_characters_not_bytes() {
        let location = Location::new(Path::new("p.toml"), "a = 1\nü = 'é' x", 15);
        assert_eq!((location.line, location.column), (2, 8));
    }

    #[test]
    fn a_location_behind_the_end_is_the_end() {
        let location = Location::new(Path::new("p.toml"), "a\nb", 99);
        assert_eq!((location.line, location.column), (2, 2));
    }

    #[test]
    fn diagnostics_come_in_the_order_of_the_file() {
        let at = |line, column| Location { file: "p.toml".into(), line, column };
        let diagnostics =
            Diagnostics::of(vec![at(10, 1).error("c"), at(2, 7).error("b"), at(2, 1).error("a")])
                .unwrap();
        insta::assert_snapshot!(diagnostics, @r"
        p.toml:2:1: error: a
        p.toml:2:7: error: b
        p.toml:10:1: error: c
        ");
        assert_eq!(Diagnostics::of(Vec::new()), None);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["name", "cluster", "workers", "on_error"];
        assert_eq!(nearest("nmae", names), Some("name"));
        assert_eq!(nearest("Name", names), Some("name"));
        assert_eq!(nearest("worker", names), Some("workers"));
        assert_eq!(nearest("on-error", names), Some("on_error"));
        assert_eq!(nearest("mode", names), None);
        assert_eq!(nearest("x", names), None);
    }
}
