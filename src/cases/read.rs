//! Finds and reads the files of cases.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{CasesError, Tested};
use crate::config::{self, CaseSettings, Location};
use crate::files;

pub(super) const EVENTS: &str = ".events.jsonl";
pub(super) const EXPECTED: &str = ".expected.jsonl";
pub(super) const SETTINGS: &str = ".toml";

/// What one file of a case may have: half a million events are no case.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;

/// One case, as its files have it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// The lines that are not empty.
    pub(super) events: Vec<Line>,
    /// Where `expected` was read from; need not exist.
    pub(super) expected_path: PathBuf,
    pub(super) expected: Vec<Expected>,
    pub(super) settings: CaseSettings,
}

/// A line of a file.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    pub(super) bytes: Vec<u8>,
}

/// A line of `NAME.expected.jsonl`.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) line: Line,
    pub(super) of: Expectation,
}

/// What is expected of an event. What is left out is not compared.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    pub(super) outcome: Option<Outcome>,
    pub(super) stage: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) document: Option<Value>,
}

/// What may become of an event.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Delivered,
    Filtered,
    DeadLettered,
}

impl Outcome {
    /// As the files have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Outcome::Delivered => "delivered",
            Outcome::Filtered => "filtered",
            Outcome::DeadLettered => "dead_lettered",
        }
    }
}

/// All cases of a folder, by their names.
pub(super) fn all(dir: &Path, tested: Tested<'_>) -> Result<Vec<Case>, CasesError> {
    let mut cases = Vec::new();
    for name in names(dir)? {
        cases.push(case(dir, name, tested)?);
    }
    Ok(cases)
}

/// The names of the cases. A file that belongs to none is a case whose events were forgotten.
fn names(dir: &Path) -> Result<BTreeSet<String>, CasesError> {
    let broken = |error| CasesError::File { path: dir.to_owned(), error };
    let mut files: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let entries = match dir.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CasesError::None(dir.to_owned()));
        }
        entries => entries.map_err(broken)?,
    };
    for entry in entries {
        let file = entry.map_err(broken)?.file_name();
        let Some(file) = file.to_str() else { continue };
        for end in [EVENTS, EXPECTED, SETTINGS] {
            if let Some(name) = file.strip_suffix(end) {
                files.entry(end).or_default().insert(name.to_owned());
            }
        }
    }
    let cases = files.remove(EVENTS).unwrap_or_default();
    for (end, names) in &files {
        if let Some(name) = names.difference(&cases).next() {
            let file = dir.join(format!("{name}{end}"));
            return Err(CasesError::NoEvents { file, events: format!("{name}{EVENTS}") });
        }
    }
    if cases.is_empty() { Err(CasesError::None(dir.to_owned())) } else { Ok(cases) }
}

/// One case.
pub(super) fn case(dir: &Path, name: String, tested: Tested<'_>) -> Result<Case, CasesError> {
    let path = |end: &str| dir.join(format!("{name}{end}"));
    let events = lines(&path(EVENTS))?;
    let expected_path = path(EXPECTED);
    let expected = match lines(&expected_path) {
        Err(CasesError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Vec::new()
        }
        lines => expectations(&expected_path, lines?)?,
    };
    let stage = match tested {
        Tested::Module { name, module } => Some((name, module)),
        Tested::Pipeline(_) => None,
    };
    let settings = config::case(&path(SETTINGS), stage)?;
    Ok(Case { name, events, expected_path, expected, settings })
}

fn expectations(path: &Path, lines: Vec<Line>) -> Result<Vec<Expected>, CasesError> {
    let expected = lines.into_iter().map(|line| match serde_json::from_slice(&line.bytes) {
        Ok(of) => Ok(Expected { line, of }),
        Err(error) => {
            let (column, said) = (error.column(), error.to_string());
            let why = said.split(" at line ").next().unwrap_or(&said);
            let location = Location { file: path.to_owned(), line: line.number, column };
            Err(CasesError::Settings(location.error(why).into()))
        }
    });
    expected.collect()
}

/// The lines of a file that are not empty.
fn lines(path: &Path) -> Result<Vec<Line>, CasesError> {
    let broken = |error| CasesError::File { path: path.to_owned(), error };
    let bytes = files::read_small(path, FILE_BYTES_MAX).map_err(broken)?;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines =
        lines.map(|(index, line)| Line { number: index + 1, bytes: line.trim_ascii().to_vec() });
    Ok(lines.filter(|line| !line.bytes.is_empty()).collect())
}
