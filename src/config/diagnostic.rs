//! What is wrong with a configuration, and where.
//!
//! Invariants: a diagnostic shows no value that could be a secret, and no line of the file, which
//! could hold one; what it quotes can neither begin a line that looks like another diagnostic nor
//! steer a terminal; and there are no more of them than a person reads.

use std::fmt;
use std::path::PathBuf;

use crate::text::{self, LINE_BYTES_MAX};

/// How many are shown: who mends these sees the next ones.
pub(super) const SHOWN_MAX: usize = 100;
/// What of a name or a word of the file is quoted.
const QUOTED_BYTES_MAX: usize = 100;
/// No name that there is has more characters, nor has what was probably meant to be one.
const NAME_CHARACTERS_MAX: usize = 64;

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
        let file = text::one_line(file.display(), LINE_BYTES_MAX);
        write!(f, "{file}:{line}:{column}: error: {}", text::block(&self.text))
    }
}

/// What is wrong with a configuration, in the order of the file; never empty. The first
/// [`SHOWN_MAX`] are shown, and how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    shown: Vec<Diagnostic>,
    more: usize,
}

impl Diagnostics {
    /// Sorts `diagnostics` by location; `None` when there are none.
    pub fn of(mut diagnostics: Vec<Diagnostic>) -> Option<Diagnostics> {
        diagnostics.sort();
        diagnostics.dedup();
        let more = diagnostics.len().saturating_sub(SHOWN_MAX);
        diagnostics.truncate(SHOWN_MAX);
        (!diagnostics.is_empty()).then_some(Diagnostics { shown: diagnostics, more })
    }

    /// So many more were found.
    pub(super) fn and_more(self, more: usize) -> Diagnostics {
        Diagnostics { more: self.more + more, ..self }
    }

    /// These were found as well.
    pub(crate) fn and(self, others: impl IntoIterator<Item = Diagnostic>) -> Diagnostics {
        let Diagnostics { mut shown, more } = self;
        shown.extend(others);
        match Diagnostics::of(shown) {
            Some(all) => all.and_more(more),
            None => unreachable!("none of them has gone"),
        }
    }

    /// Each that is shown.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.shown.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Diagnostics {
        Diagnostics { shown: vec![one], more: 0 }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.shown.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        match (self.more, self.shown.first()) {
            (more @ 1.., Some(first)) => {
                let file = text::one_line(first.location.file.display(), LINE_BYTES_MAX);
                let errors = if more == 1 { "error" } else { "errors" };
                write!(f, "\n{file}: and {more} more {errors}: mend these first")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostics {}

/// A name or a word of the file, as diagnostics quote it.
pub(super) fn quoted(name: &str) -> String {
    text::one_line(name, QUOTED_BYTES_MAX)
}

/// `"a"`, `"b"` or `"c"` of a list of names.
pub(super) fn alternatives<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The one of `names` that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        return None;
    }
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
    fn what_a_diagnostic_quotes_forges_no_other_one() {
        let location = Location { file: "p\n.toml".into(), line: 1, column: 2 };
        let text = "it says `no\nq.toml:1:1: error: forged\u{1b}[31m\u{9b}`";
        insta::assert_snapshot!(location.error(text), @r"
        p\n.toml:1:2: error: it says `no
            q.toml:1:1: error: forged\u{1b}[31m\u{9b}`
        ");
    }

    #[test]
    fn those_that_are_found_later_are_counted_with_the_others() {
        let location = |line| Location { file: "p.toml".into(), line, column: 1 };
        let all: Vec<_> = (0..250).map(|line| location(line).error("a")).collect();
        let both = Diagnostics::of(all).unwrap().and([location(0).error("b")]);
        assert_eq!(both.iter().count(), SHOWN_MAX);
        assert_eq!(both.iter().nth(1).unwrap().text, "b");
        assert!(both.to_string().ends_with("\np.toml: and 151 more errors: mend these first"));
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
        let long = "workers".repeat(100);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
