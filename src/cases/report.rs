//! What came of cases, for people and for programs.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::text::{self, LINE_BYTES_MAX};

/// Differences of one case that people are shown.
const SHOWN_MAX: usize = 20;

/// What came of all cases.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(super) cases: Vec<CaseReport>,
}

/// What came of one.
#[derive(Debug, Serialize)]
pub(super) struct CaseReport {
    pub(super) name: String,
    /// How many there were.
    pub(super) events: usize,
    /// Whether what happened was written down as what is expected.
    pub(super) recorded: bool,
    pub(super) differences: Vec<Difference>,
}

/// Something that came out otherwise than expected.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// Where it is expected.
    pub(super) file: PathBuf,
    pub(super) line: usize,
    /// What it is about; empty: the whole line.
    pub(super) path: String,
    pub(super) expected: String,
    pub(super) got: String,
}

impl Report {
    /// How many cases there are.
    pub(crate) fn cases(&self) -> usize {
        self.cases.len()
    }

    /// How many of them did not come out as expected.
    pub(crate) fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.differences.is_empty()).count()
    }

    /// For programs: one JSON object.
    pub(crate) fn json(&self) -> String {
        let [cases, failed] = [self.cases(), self.failed()];
        serde_json::json!({ "passed": cases - failed, "failed": failed, "cases": self.cases })
            .to_string()
    }
}

/// A line for each case, and three for each difference.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            let word = match (case.differences.is_empty(), case.recorded) {
                (true, false) => "ok",
                (true, true) => "recorded",
                (false, _) => "FAILED",
            };
            let name = text::one_line(&case.name, LINE_BYTES_MAX);
            let events = if case.events == 1 { "event" } else { "events" };
            writeln!(f, "{word:<8} {name} ({} {events})", case.events)?;
            for difference in case.differences.iter().take(SHOWN_MAX) {
                write!(f, "{difference}")?;
            }
            match case.differences.len().saturating_sub(SHOWN_MAX) {
                0 => {}
                more => writeln!(f, "  and {more} more differences")?,
            }
        }
        let [cases, failed] = [self.cases(), self.failed()];
        writeln!(f, "{} passed, {failed} failed", cases - failed)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &dyn fmt::Display| text::one_line(text, LINE_BYTES_MAX);
        let path = if self.path.is_empty() { "the whole line" } else { &self.path };
        writeln!(f, "  {}:{}: {}", line(&self.file.display()), self.line, line(&path))?;
        writeln!(f, "    expected  {}", line(&self.expected))?;
        writeln!(f, "    got       {}", line(&self.got))
    }
}
