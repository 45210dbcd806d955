//! The document: the event's bytes, spliced with weir's own members and the edits.
//! design/delivery.md section 4, "The document" and "Ids and indices".

use super::document::Documents;
use super::edits::Original;
use super::view::EventView;

/// What every document gets, and what the sink needs of each.
#[derive(Clone, Debug, Default)]
pub struct EncodeSettings {
    /// `clusterName`
    pub cluster: Option<String>,
    /// Whether the sink addresses documents (`DocumentIdentity`); else none is made.
    pub identity: bool,
    /// Whether the sink may refuse a document: then its source bytes are kept beside it.
    pub keep_source: bool,
}

/// A stage that failed on an event with `on_error = "keep"`: becomes a member of `/weir/errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageError<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// The kind of failure, as the metric's label has it.
    pub kind: &'static str,
}

/// Appends the document of `event` to `out`. `source` are the source's own bytes (for a dead letter).
///
/// Members in this order: `@timestamp`, `clusterName`, `weir` where there is something to mark,
/// `apiVersion`, `kind`, then the event's own in their order, then new ones.
pub fn encode(
    _event: EventView<'_>,
    _source: &[u8],
    _errors: &[StageError<'_>],
    _settings: &EncodeSettings,
    _out: &mut Documents,
) {
    todo!()
}

#[allow(dead_code)]
fn unused(_: Original<'_>) {}
