//! Whether an index without a date is one index, or a data stream or an alias, whose writes move
//! from index to index; and whether weir may look up there what it must.
//!
//! `_resolve/index` tells, where the user may ask. Otherwise one `_bulk` item does, whose document
//! is no JSON: it stores nothing, and its answer names the index that it would have gone to.

use http::{Method, StatusCode};
use serde::Deserialize;

use super::lookup;
use super::response::{self, ItemError};
use super::target::{Asker, Problem};
use crate::sink::{Duplicates, Mode, SinkError};

/// What writes to the index do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    /// They stay in one index, or in one for each date.
    Stay,
    /// There is no such index yet, or nobody says: the answers to `_bulk` will tell.
    Unknown,
    /// They move from index to index.
    Move {
        /// Whether what may have been sent before is looked up.
        look_up: bool,
    },
}

/// What a name without a date stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Index,
    /// Nothing yet, or nothing that moves now.
    Absent,
    DataStream,
    /// A data stream, as soon as something is written: a template says so.
    FutureDataStream,
    Alias,
    /// An alias or a data stream, into whose index this is.
    Moving(String),
    /// Nobody says.
    Unknown,
}

/// What `index` stands for.
pub(super) async fn kind_of(asker: &Asker<'_>, index: &str) -> Result<Kind, Problem> {
    let answer = asker.ask(Method::GET, &format!("/_resolve/index/{index}"), Vec::new()).await?;
    let resolved = match answer.status {
        StatusCode::OK => serde_json::from_slice::<Resolved>(&answer.body).ok(),
        _ => None,
    };
    match resolved.map(|resolved| resolved.kind(index)) {
        Some(Kind::Absent) if template_makes_stream(asker, index).await? => {
            Ok(Kind::FutureDataStream)
        }
        Some(kind) => Ok(kind),
        None => probe(asker, index).await,
    }
}

#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    indices: Vec<Name>,
    #[serde(default)]
    aliases: Vec<Name>,
    #[serde(default)]
    data_streams: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl Resolved {
    fn kind(&self, index: &str) -> Kind {
        let has = |names: &[Name]| names.iter().any(|name| name.name == index);
        match (has(&self.indices), has(&self.aliases), has(&self.data_streams)) {
            (_, true, _) => Kind::Alias,
            (_, _, true) => Kind::DataStream,
            (true, ..) => Kind::Index,
            _ => Kind::Absent,
        }
    }
}

#[derive(Deserialize)]
struct Templates {
    #[serde(default)]
    index_templates: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    index_template: Template,
}

#[derive(Deserialize)]
struct Template {
    index_patterns: Vec<String>,
    #[serde(default)]
    priority: u64,
    data_stream: Option<serde::de::IgnoredAny>,
}

/// Whether the template that would make `index` makes a data stream of it.
async fn template_makes_stream(asker: &Asker<'_>, index: &str) -> Result<bool, Problem> {
    const FILTER: &str = "filter_path=index_templates.index_template.index_patterns,index_templates.index_template.priority,\
                          index_templates.index_template.data_stream";
    let answer = asker.ask(Method::GET, &format!("/_index_template?{FILTER}"), Vec::new()).await?;
    if answer.status != StatusCode::OK {
        return Ok(false);
    }
    let templates: Option<Templates> = serde_json::from_slice(&answer.body).ok();
    let templates = templates.map_or_else(Vec::new, |templates| templates.index_templates);
    let matching = templates.into_iter().map(|named| named.index_template);
    let matching = matching
        .filter(|template| template.index_patterns.iter().any(|pattern| matches(pattern, index)));
    let first = matching.max_by_key(|template| template.priority);
    Ok(first.is_some_and(|template| template.data_stream.is_some()))
}

/// Whether `text` is as `pattern` has it, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    // There is always a first one.
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Asks by a document that cannot be stored.
async fn probe(asker: &Asker<'_>, index: &str) -> Result<Kind, Problem> {
    let body = format!("{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"weir-probe\"}}}}\n{{\n");
    let path =
        "/_bulk?filter_path=items.*._index,items.*.status,items.*.error.type,items.*.error.reason";
    let answer = asker.ask(Method::POST, path, body.into_bytes()).await?;
    if let Ok(answers) = response::parse(&answer.body, 1)
        && let Some(error) = &answers[0].error
    {
        if refuses_ids(error) {
            return Err(Problem::Fatal(SinkError::Index(no_ids(index))));
        }
        // Else it did not come as far as to an index.
        let is_of_document = answers[0].status == 400;
        match response::index_of_any(&answer.body).filter(|_| is_of_document) {
            Some(found) if found == index => return Ok(Kind::Absent),
            Some(found) => return Ok(Kind::Moving(found)),
            None => {}
        }
    }
    tracing::warn!(
        index,
        "cannot look up whether this is an index, an alias or a data stream (the right \
         `indices:admin/resolve/index`): {}",
        response::whole_error(&answer.body)
    );
    Ok(Kind::Unknown)
}

impl Kind {
    /// For people.
    fn text(&self) -> String {
        match self {
            Kind::Alias => "an alias".to_owned(),
            Kind::DataStream => "a data stream".to_owned(),
            Kind::FutureDataStream => "a data stream by its index template".to_owned(),
            Kind::Moving(into) => format!("an alias or a data stream (it writes to `{into}`)"),
            Kind::Index | Kind::Absent | Kind::Unknown => "an index".to_owned(),
        }
    }

    /// Whether weir's own template has nothing to say about it.
    pub(super) fn has_own_template(&self) -> bool {
        !matches!(self, Kind::Index | Kind::Absent | Kind::Unknown)
    }
}

/// What follows for sending, if it can be sent at all. Checks that what must be looked up may be.
pub(super) async fn writes(
    asker: &Asker<'_>,
    index: &str,
    kind: &Kind,
    (mode, duplicates): (Mode, Duplicates),
) -> Result<Writes, Problem> {
    match kind {
        Kind::Index => return Ok(Writes::Stay),
        Kind::Absent | Kind::Unknown => return Ok(Writes::Unknown),
        Kind::DataStream | Kind::FutureDataStream | Kind::Alias | Kind::Moving(_) => {}
    }
    if mode == Mode::Latest {
        return Err(Problem::Fatal(SinkError::Index(not_latest(index, &kind.text()))));
    }
    if duplicates == Duplicates::Allow {
        tracing::warn!(
            index,
            "the index is {}, and sink.duplicates = \"allow\": what may have been sent before is not looked up, and is \
             stored twice if the writes have moved on",
            kind.text()
        );
        return Ok(Writes::Move { look_up: false });
    }
    may_look_up(asker, index, kind).await?;
    tracing::info!(
        index,
        "the index is {}: what may have been sent before is looked up before it is sent again",
        kind.text()
    );
    Ok(Writes::Move { look_up: true })
}

/// What follows from where the first documents went that are stored. Nothing was looked up for
/// these: where nobody told that there is anything, they were the first.
pub(super) fn found_out(
    index: &str,
    into: &str,
    (mode, duplicates): (Mode, Duplicates),
) -> Result<Writes, SinkError> {
    if into == index {
        return Ok(Writes::Stay);
    }
    let kind = Kind::Moving(into.to_owned());
    if mode == Mode::Latest {
        return Err(SinkError::Index(not_latest(index, &kind.text())));
    }
    let look_up = duplicates == Duplicates::Forbid;
    tracing::info!(index, look_up, "the index is {}", kind.text());
    Ok(Writes::Move { look_up })
}

/// Looks up an id that there cannot be.
async fn may_look_up(asker: &Asker<'_>, index: &str, kind: &Kind) -> Result<(), Problem> {
    let lookups = [
        ("`indices:admin/refresh*`", lookup::refresh(index)),
        ("`indices:data/read/search*`", lookup::search(index, &["weir-probe".to_owned()])),
    ];
    let (mut missing, mut why) = (Vec::new(), Vec::new());
    for (right, ask) in lookups {
        let answer = asker.ask(ask.method, &ask.path, ask.body).await?;
        // Where there is nothing yet, there is nothing to look up.
        if answer.status != StatusCode::OK && !lookup::is_no_index(&answer) {
            missing.push(right);
            why.push(response::whole_error(&answer.body));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::Fatal(SinkError::Index(format!(
        "`{index}` is {}: its writes move from index to index, so what may have been sent before must be looked up before it is sent again, and that is refused. Grant the user {} on `{index}` and the indices behind it; or set sink.duplicates = \"allow\", and some documents will be there twice; or use an index with a date, such as `{index}-{{yyyy.MM.dd}}`, which needs no lookup ({})",
        kind.text(),
        missing.join(" and "),
        why.join("; "),
    ))))
}

/// An id protects a document in one index only, and `latest` has but one document for an event.
pub(super) fn not_latest(index: &str, what: &str) -> String {
    format!(
        "`{index}` is {what}: its writes move from index to index, and mode = \"latest\" would store documents twice: use the name of one index, or of an index that does not exist yet, or mode = \"history\""
    )
}

/// Whether OpenSearch takes no documents with ids there: what Amazon OpenSearch Serverless answers
/// for its time-series and vector-search collections
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-overview.html>).
pub(super) fn refuses_ids(error: &ItemError) -> bool {
    error.kind == "illegal_argument_exception"
        && error.reason.starts_with("Document ID is not supported")
}

/// Why such a collection is of no use.
pub(super) fn no_ids(index: &str) -> String {
    format!(
        "`{index}` takes no documents with ids, as time-series collections of OpenSearch Serverless do not: without ids weir would store an event again with each retry and restart. Use a collection of the type \"search\", or a cluster"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_what_it_is_resolved_to() {
        let kind = |json: &str| serde_json::from_str::<Resolved>(json).unwrap().kind("e");
        assert_eq!(kind("{}"), Kind::Absent);
        assert_eq!(kind(r#"{"indices":[{"name":"e"}],"aliases":[{"name":"other"}]}"#), Kind::Index);
        assert_eq!(kind(r#"{"aliases":[{"name":"e","indices":["e-000001"]}]}"#), Kind::Alias);
        assert_eq!(
            kind(r#"{"indices":[{"name":".ds-e-000001"}],"data_streams":[{"name":"e"}]}"#),
            Kind::DataStream
        );
    }

    #[test]
    fn patterns_of_templates_match_as_opensearch_has_them() {
        for pattern in ["kube-events", "kube-*", "*", "*events", "k*-*s", "kube-events*", "k**s"] {
            assert!(matches(pattern, "kube-events"), "{pattern}");
        }
        for pattern in ["kube", "*-", "kube-events-*", "events*", "k*x*s", "kube-events*s"] {
            assert!(!matches(pattern, "kube-events"), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_stars_stand_for(parts in proptest::collection::vec("[ab]{0,3}", 1..5), fills in proptest::collection::vec("[ab]{0,3}", 4)) {
            let pattern = parts.join("*");
            let mut text = parts[0].clone();
            for (part, fill) in parts[1..].iter().zip(&fills) {
                text += fill;
                text += part;
            }
            prop_assert!(matches(&pattern, &text));
        }
    }

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
}
