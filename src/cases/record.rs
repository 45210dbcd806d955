//! Writes what happened as what is expected: `--update`.
//!
//! A line that holds stays as somebody wrote it, with what they left out; any other becomes all of
//! what happened, with its document's members in the document's order.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;

use super::CasesError;
use super::compare;
use super::read::Case;
use super::run::Happened;

#[derive(Serialize)]
struct Recorded<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a RawValue>,
}

/// Writes `NAME.expected.jsonl`.
pub(super) fn write(case: &Case, outcomes: &[Happened]) -> Result<(), CasesError> {
    let path = &case.expected_path;
    let broken = |error| CasesError::File { path: path.clone(), error };
    let mut text = Vec::new();
    for (number, outcome) in outcomes.iter().enumerate() {
        match case.expected.get(number).filter(|expected| compare::holds(&expected.of, outcome)) {
            Some(expected) => text.extend_from_slice(&expected.line.bytes),
            None => line(outcome, &mut text).map_err(|error| broken(error.into()))?,
        }
        text.push(b'\n');
    }
    replace(path, &text).map_err(broken)
}

/// Adds what happened, without an end of line.
pub(super) fn line(outcome: &Happened, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let document: Option<&RawValue> =
        outcome.document.as_deref().map(serde_json::from_str).transpose()?;
    let recorded = Recorded {
        outcome: outcome.outcome.word(),
        stage: outcome.stage.as_deref(),
        reason: outcome.reason.as_deref(),
        document,
    };
    serde_json::to_writer(out, &recorded)
}

/// Whole or not at all: an end in the middle leaves what was there.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("jsonl.new");
    let mut file = fs::File::create(&new)?;
    file.write_all(text)?;
    drop(file);
    fs::rename(&new, path)
}
