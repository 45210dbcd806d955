//! Whether an index without a date is one index, or a data stream or an alias, whose writes move
//! from index to index; and what that means for sending. Pure: [`resolve`](super::resolve) asks.

use crate::opensearch::{Client, ItemError};
use crate::sink::error::SinkError;
use crate::sink::settings::{Duplicates, Mode, OpenSearchSettings};

/// Where writes to the configured name go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteTarget {
    /// Into one index, or into one for each date.
    Fixed,
    /// There is no such index yet, or nobody says: the answers to `_bulk` will tell.
    Unknown,
    /// They move from index to index.
    Moves {
        /// Whether what may have been sent before is looked up.
        look_up: bool,
    },
}

/// What a name without a date stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Index,
    /// Nothing yet, or nothing that moves now.
    Absent,
    /// A data stream; the index that it writes to now, if that is known.
    DataStream(Option<String>),
    /// A data stream, as soon as something is written: a template says so.
    FutureDataStream,
    Alias,
    /// An alias or a data stream that writes to this index now.
    WritesTo(String),
    /// Nobody says.
    Unknown,
}

/// What is known of the write target before the first document is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(super) target: WriteTarget,
    /// The index that writes go to now.
    pub(super) index: Option<String>,
}

/// How documents are written, as far as that depends on the write target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Writing {
    pub(crate) mode: Mode,
    pub(crate) duplicates: Duplicates,
    /// Whether what was stored can be made visible at once. OpenSearch Serverless cannot.
    pub(crate) can_refresh: bool,
}

impl Writing {
    pub(super) fn of(settings: &OpenSearchSettings, client: &Client) -> Writing {
        let OpenSearchSettings { mode, duplicates, .. } = settings;
        let can_refresh = client.collection().is_none();
        Writing { mode: *mode, duplicates: *duplicates, can_refresh }
    }
}

impl Known {
    /// Of an index with a date.
    pub(crate) fn fixed() -> Known {
        Known { target: WriteTarget::Fixed, index: None }
    }

    /// What follows from what the name stands for, if documents can be sent there at all.
    pub(crate) fn of(name: &str, kind: &Kind, writing: Writing) -> Result<Known, SinkError> {
        let target = match kind {
            Kind::Index => WriteTarget::Fixed,
            Kind::Absent | Kind::Unknown => WriteTarget::Unknown,
            Kind::DataStream(_) | Kind::FutureDataStream | Kind::Alias | Kind::WritesTo(_) => {
                moves(name, kind, writing)?
            }
        };
        let index = match kind {
            Kind::DataStream(index) => index.clone(),
            Kind::WritesTo(index) => Some(index.clone()),
            _ => None,
        };
        Ok(Known { target, index })
    }
}

/// What follows from where the first documents went that are stored.
pub(super) fn found_out(
    name: &str,
    into: &str,
    writing: Writing,
) -> Result<WriteTarget, SinkError> {
    if into == name {
        return Ok(WriteTarget::Fixed);
    }
    moves(name, &Kind::WritesTo(into.to_owned()), writing)
}

fn moves(name: &str, kind: &Kind, writing: Writing) -> Result<WriteTarget, SinkError> {
    match writing {
        // An id protects a document in one index only, and `latest` has but one document for an
        // event.
        Writing { mode: Mode::Latest, .. } => Err(SinkError::Index(format!(
            "`{name}` is {}: its writes move from index to index, and mode = \"latest\" would \
             store documents twice: use the name of one index, or of an index that does not exist \
             yet, or mode = \"history\"",
            kind.text()
        ))),
        // A lookup would not find what was stored a moment ago.
        Writing { duplicates: Duplicates::Forbid, can_refresh: false, .. } => {
            Err(SinkError::Index(format!(
                "`{name}` is {}: its writes move from index to index, so what may have been sent \
                 before must be looked up before it is sent again, and OpenSearch Serverless has \
                 no _refresh that would let it be found. Use an index with a date, such as \
                 `{name}-{{yyyy.MM.dd}}`, which needs no lookup; or set sink.duplicates = \
                 \"allow\", and some documents will be there twice",
                kind.text()
            )))
        }
        Writing { duplicates, .. } => {
            Ok(WriteTarget::Moves { look_up: duplicates == Duplicates::Forbid })
        }
    }
}

impl Kind {
    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Kind::Alias => "an alias".to_owned(),
            Kind::DataStream(_) => "a data stream".to_owned(),
            Kind::FutureDataStream => "a data stream by its index template".to_owned(),
            Kind::WritesTo(into) => format!("an alias or a data stream (it writes to `{into}`)"),
            Kind::Index | Kind::Absent | Kind::Unknown => "an index".to_owned(),
        }
    }

    /// Whether its indices are made by a template that is not weir's.
    pub(super) fn has_own_template(&self) -> bool {
        !matches!(self, Kind::Index | Kind::Absent | Kind::Unknown)
    }
}

/// Whether OpenSearch takes no documents with ids there: what Amazon OpenSearch Serverless answers
/// for its time-series and vector-search collections
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-overview.html>).
pub(super) fn refuses_ids(error: &ItemError) -> bool {
    error.kind == "illegal_argument_exception"
        && error.reason.starts_with("Document ID is not supported")
}

/// Such a collection is of no use.
pub(super) fn no_ids(name: &str) -> SinkError {
    SinkError::Index(format!(
        "`{name}` takes no documents with ids, as time-series collections of OpenSearch Serverless \
         do not: without ids weir would store an event again with each retry and restart. Use a \
         collection of the type \"search\", or a cluster"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_collection_without_ids_refuses_ids() {
        let error = |kind: &str, reason: &str| ItemError {
            kind: kind.into(),
            reason: reason.into(),
            cause: None,
        };
        let reason = "Document ID is not supported in create/index operation request";
        assert!(refuses_ids(&error("illegal_argument_exception", reason)));
        assert!(!refuses_ids(&error("illegal_argument_exception", "mapper [x] cannot be changed")));
    }

    #[test]
    fn the_first_stored_document_tells_an_index_from_a_data_stream() {
        let history =
            Writing { mode: Mode::History, duplicates: Duplicates::Forbid, can_refresh: true };
        let latest = Writing { mode: Mode::Latest, ..history };
        let allowed = Writing { duplicates: Duplicates::Allow, ..history };
        assert_eq!(found_out("e", "e", latest).unwrap(), WriteTarget::Fixed);
        let stream = |writing| found_out("e", ".ds-e-000001", writing);
        assert_eq!(stream(history).unwrap(), WriteTarget::Moves { look_up: true });
        assert_eq!(stream(allowed).unwrap(), WriteTarget::Moves { look_up: false });
        assert!(stream(latest).is_err());
        // In OpenSearch Serverless, an alias.
        let serverless = |writing| found_out("e", "e-1", Writing { can_refresh: false, ..writing });
        insta::assert_snapshot!(serverless(history).unwrap_err(), @r#"sink.index: `e` is an alias or a data stream (it writes to `e-1`): its writes move from index to index, so what may have been sent before must be looked up before it is sent again, and OpenSearch Serverless has no _refresh that would let it be found. Use an index with a date, such as `e-{yyyy.MM.dd}`, which needs no lookup; or set sink.duplicates = "allow", and some documents will be there twice"#);
        assert_eq!(serverless(allowed).unwrap(), WriteTarget::Moves { look_up: false });
        let known = found_out("e", "e", Writing { can_refresh: false, ..history });
        assert_eq!(known.unwrap(), WriteTarget::Fixed);
    }
}
