//! One dead letter as one line of JSON: written, and read again.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::letter::{Letter, Where};
use crate::event::DEAD_LETTER_HEAD_BYTES;

/// The `version` of the records that this weir writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) version: u32,
    /// When it was written.
    pub(super) time: String,
    #[serde(rename = "where")]
    pub(super) part: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<String>,
    pub(super) reason: String,
    pub(super) detail: String,
    /// The source's bytes, where they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub(super) source: Option<Cow<'a, str>>,
    /// The source's bytes, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub(super) document: Option<&'a RawValue>,
}

/// Which kind of part refused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The source: malformed.
    Source,
    /// A stage.
    Stage,
    /// The sink.
    Sink,
}

impl Part {
    /// As records have it.
    pub fn label(self) -> &'static str {
        match self {
            Part::Source => "source",
            Part::Stage => "stage",
            Part::Sink => "sink",
        }
    }
}

/// A dead letter as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was written, as RFC 3339 has it.
    pub time: String,
    /// Which kind of part refused the event.
    pub part: Part,
    /// Which stage, where it was one.
    pub stage: Option<String>,
    /// The `reason` label: one of a closed set.
    pub reason: String,
    /// What went wrong, in words.
    pub detail: String,
    /// The source's own bytes.
    pub source: Vec<u8>,
    /// The document, where one had been made.
    pub document: Option<Vec<u8>>,
}

/// Why a line is not a dead letter that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The line has no end.
    #[error(
        "it is incomplete: it is still being written, or a crash tore it before it was acknowledged"
    )]
    Torn,
    /// Not what weir writes.
    #[error("it is not a dead letter: {0}")]
    NotARecord(String),
    /// Of a later weir.
    #[error(
        "a newer weir wrote it (version {0} of the records; this weir reads up to {VERSION}): use \
         that one"
    )]
    Newer(u64),
}

impl Record {
    /// Reads a line, without its line break.
    ///
    /// # Errors
    ///
    /// When it is no record, or a newer weir's.
    pub fn parse(line: &[u8]) -> Result<Record, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let wrong = |error: serde_json::Error| RecordError::NotARecord(error.to_string());
        // Before it is read: of members that it does not know, serde_json does not look.
        let line = std::str::from_utf8(line)
            .map_err(|error| RecordError::NotARecord(format!("it is not UTF-8: {error}")))?;
        // First the version alone: nobody knows what else a newer one has.
        let Version { version } = serde_json::from_str(line).map_err(wrong)?;
        if version > u64::from(VERSION) {
            return Err(RecordError::Newer(version));
        }
        let line: Line<'_> = serde_json::from_str(line).map_err(wrong)?;
        let source = match (line.source, line.source_base64) {
            (Some(text), None) => text.into_owned().into_bytes(),
            (None, Some(text)) => BASE64.decode(text).map_err(|error| {
                RecordError::NotARecord(format!("its source_base64 is not base64: {error}"))
            })?,
            (None, None) => return Err(RecordError::NotARecord("it has no source".into())),
            (Some(_), Some(_)) => return Err(RecordError::NotARecord("it has two sources".into())),
        };
        Ok(Record {
            time: line.time,
            part: line.part,
            stage: line.stage,
            reason: line.reason,
            detail: line.detail,
            source,
            document: line.document.map(|document| document.get().as_bytes().to_vec()),
        })
    }

    /// Whether `source` is only the beginning of what arrived. (One that happens to be as long as
    /// what is kept of a larger one counts as cut: that loses nothing.)
    pub fn is_cut(&self) -> bool {
        self.part == Part::Source
            && (self.reason == "too_large" || self.source.len() == DEAD_LETTER_HEAD_BYTES)
    }
}

/// Appends the record and its line break to `out`.
pub(super) fn encode(letter: &Letter<'_>, now: jiff::Timestamp, out: &mut Vec<u8>) {
    let text = std::str::from_utf8(letter.source).ok();
    let (part, stage) = part_and_stage(letter.part);
    let record = Line {
        version: VERSION,
        time: format!("{now:.6}"),
        part,
        stage: stage.map(str::to_owned),
        reason: letter.reason.to_owned(),
        detail: letter.kept_detail(),
        source: text.map(Cow::Borrowed),
        source_base64: text.is_none().then(|| BASE64.encode(letter.source)),
        // A document is one line of JSON by construction; were it not, the source's bytes are still
        // there.
        document: letter.document.and_then(|document| serde_json::from_slice(document).ok()),
    };
    // Writing to memory does not fail, and no type here refuses to serialize.
    let _ = serde_json::to_writer(&mut *out, &record);
    out.push(b'\n');
}

/// Who refused it, as records have it.
pub(super) fn part_and_stage(part: Where<'_>) -> (Part, Option<&str>) {
    match part {
        Where::Source => (Part::Source, None),
        Where::Stage(name) => (Part::Stage, Some(name)),
        Where::Sink => (Part::Sink, None),
    }
}
