//! One dead letter as one line of JSON.

use base64::Engine;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Letter, Where};

/// The `version` of the records that this weir writes.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize)]
struct Record<'a> {
    version: u32,
    /// When it was written.
    time: String,
    #[serde(rename = "where")]
    place: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    reason: &'a str,
    detail: &'a str,
    /// The source's bytes, where they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// The source's bytes, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a RawValue>,
}

/// Appends the record and its line break to `out`.
pub(super) fn encode(letter: &Letter<'_>, now: jiff::Timestamp, out: &mut Vec<u8>) {
    let text = std::str::from_utf8(letter.source).ok();
    let (place, stage) = match letter.place {
        Where::Source => ("source", None),
        Where::Stage(name) => ("stage", Some(name)),
        Where::Sink => ("sink", None),
    };
    let record = Record {
        version: VERSION,
        time: format!("{now:.6}"),
        place,
        stage,
        reason: letter.reason,
        detail: letter.detail,
        source: text,
        source_base64: text
            .is_none()
            .then(|| base64::engine::general_purpose::STANDARD.encode(letter.source)),
        // A document is one line of JSON by construction; were it not, the source's bytes are still there.
        document: letter.document.and_then(|document| serde_json::from_slice(document).ok()),
    };
    // Writing to memory does not fail, and no type here refuses to serialize.
    let _ = serde_json::to_writer(&mut *out, &record);
    out.push(b'\n');
}
