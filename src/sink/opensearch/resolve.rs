//! Asks what a name without a date stands for, and whether weir may look documents up there if it
//! must.
//!
//! `_resolve/index` tells, where the user may ask. Otherwise one `_bulk` item does, whose document
//! is no JSON: it stores nothing, and its answer names the index that it would have gone to.

use http::{Method, StatusCode};
use serde::Deserialize;

use super::asker::{AskError, Asker};
use super::lookup;
use super::write_target::{self, Kind, Known, WriteTarget, Writing};
use crate::opensearch::{
    Request, WholeError, bulk_filter_path, classify_whole, parse_bulk, whole_error,
};
use crate::sink::error::SinkError;

/// Of some thousands of templates: their patterns and priorities alone are asked for.
const TEMPLATES_BYTES_MAX: usize = 4 << 20;

/// What `index` stands for.
pub(super) async fn kind_of(asker: &Asker<'_>, index: &str) -> Result<Kind, AskError> {
    match look_up(asker, index).await? {
        Some(kind) => Ok(kind),
        None => probe(asker, index).await,
    }
}

/// The same, if the user may ask: nothing is sent that could make an index.
pub(super) async fn look_up(asker: &Asker<'_>, index: &str) -> Result<Option<Kind>, AskError> {
    let answer = asker.ask(Method::GET, &format!("/_resolve/index/{index}"), Vec::new()).await?;
    let resolved = match answer.status {
        StatusCode::OK => serde_json::from_slice::<Resolved>(&answer.body).ok(),
        _ => None,
    };
    match resolved.map(|resolved| resolved.kind(index)) {
        Some(Kind::Absent) => {
            let template = template_for(asker, index).await?;
            let makes_stream = template.is_some_and(|template| template.makes_stream);
            Ok(Some(if makes_stream { Kind::FutureDataStream } else { Kind::Absent }))
        }
        kind => Ok(kind),
    }
}

#[derive(Deserialize)]
struct Resolved {
    #[serde(default)]
    indices: Vec<Name>,
    #[serde(default)]
    aliases: Vec<Name>,
    #[serde(default)]
    data_streams: Vec<DataStream>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct DataStream {
    name: String,
    /// The last one is written to.
    #[serde(default)]
    backing_indices: Vec<String>,
}

impl Resolved {
    fn kind(self, index: &str) -> Kind {
        let has = |names: &[Name]| names.iter().any(|name| name.name == index);
        if has(&self.aliases) {
            return Kind::Alias;
        }
        let stream = self.data_streams.into_iter().find(|stream| stream.name == index);
        match stream {
            Some(mut stream) => Kind::DataStream(stream.backing_indices.pop()),
            None if has(&self.indices) => Kind::Index,
            None => Kind::Absent,
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
    name: String,
    index_template: Template,
}

/// The template that makes an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) name: String,
    /// Whether it makes a data stream.
    pub(super) makes_stream: bool,
}

#[derive(Deserialize)]
struct Template {
    index_patterns: Vec<String>,
    #[serde(default)]
    priority: u64,
    data_stream: Option<serde::de::IgnoredAny>,
}

/// The template that would make `index`, if there is one and the user may see it.
pub(super) async fn template_for(asker: &Asker<'_>, index: &str) -> Result<Option<Used>, AskError> {
    const FILTER: &str = "filter_path=index_templates.name,\
                          index_templates.index_template.index_patterns,\
                          index_templates.index_template.priority,\
                          index_templates.index_template.data_stream";
    let all = Request::json(Method::GET, format!("/_index_template?{FILTER}"), Vec::new());
    let answer = asker.send(all.answered_by(TEMPLATES_BYTES_MAX)).await?;
    if answer.status != StatusCode::OK {
        return Ok(None);
    }
    let templates: Option<Templates> = serde_json::from_slice(&answer.body).ok();
    let templates = templates.map_or_else(Vec::new, |templates| templates.index_templates);
    let is_for = |named: &Named| {
        named.index_template.index_patterns.iter().any(|pattern| matches(pattern, index))
    };
    let matching = templates.into_iter().filter(is_for);
    let first = matching.max_by_key(|named| named.index_template.priority);
    Ok(first.map(|Named { name, index_template }| Used {
        name,
        makes_stream: index_template.data_stream.is_some(),
    }))
}

/// Whether `text` is as `pattern` has it, in which `*` stands for any text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
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
async fn probe(asker: &Asker<'_>, index: &str) -> Result<Kind, AskError> {
    let body = format!("{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"weir-probe\"}}}}\n{{\n");
    let answer =
        asker.send(Request::bulk(&bulk_filter_path(true), body.into_bytes(), false)).await?;
    if let Ok(answers) = parse_bulk(&answer.body, 1)
        && let [item] = &answers.items[..]
        && let Some(error) = &item.error
    {
        if write_target::refuses_ids(error) {
            return Err(AskError::Fatal(write_target::no_ids(index)));
        }
        // With another status it did not come as far as to an index.
        match answers.meant_for.filter(|_| item.status == 400) {
            Some(found) if found == index => return Ok(Kind::Absent),
            Some(found) => return Ok(Kind::WritesTo(found)),
            None => {}
        }
    }
    tracing::warn!(
        index,
        "cannot look up whether this is an index, an alias or a data stream (the right \
         `indices:admin/resolve/index`): {}",
        whole_error(&answer.body)
    );
    Ok(Kind::Unknown)
}

/// What follows for sending, if documents can be sent there at all. Checks that what must be looked
/// up may be.
pub(super) async fn write_target(
    asker: &Asker<'_>,
    index: &str,
    kind: &Kind,
    writing: Writing,
) -> Result<Known, AskError> {
    let known = Known::of(index, kind, writing).map_err(AskError::Fatal)?;
    match known.target {
        WriteTarget::Fixed | WriteTarget::Unknown => {}
        WriteTarget::Moves { look_up: true } => {
            may_look_up(asker, index, kind).await?;
            tracing::info!(
                index,
                "the index is {}: what may have been sent before is looked up before it is sent \
                 again",
                kind.text()
            );
        }
        WriteTarget::Moves { look_up: false } => {
            tracing::warn!(
                index,
                "the index is {}, and sink.duplicates = \"allow\": what may have been sent before \
                 is not looked up, and is stored twice if the writes have moved on",
                kind.text()
            );
        }
    }
    Ok(known)
}

/// Looks up an id that there cannot be.
async fn may_look_up(asker: &Asker<'_>, index: &str, kind: &Kind) -> Result<(), AskError> {
    let lookups = [
        ("`indices:admin/refresh*`", lookup::refresh(index)),
        ("`indices:data/read/search*`", lookup::search(index, &["weir-probe".to_owned()])),
    ];
    let (mut missing, mut why) = (Vec::new(), Vec::new());
    for (right, request) in lookups {
        let answer = asker.send(request).await?;
        // Where there is nothing yet, there is nothing to look up.
        let is_absent = answer.status == StatusCode::NOT_FOUND
            && classify_whole(&answer.body) == WholeError::IndexNotFound;
        if answer.status != StatusCode::OK && !is_absent {
            missing.push(right);
            why.push(whole_error(&answer.body));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(AskError::Fatal(SinkError::Index(format!(
        "`{index}` is {}: its writes move from index to index, so what may have been sent before \
         must be looked up before it is sent again, and that is refused. Grant the user {} on \
         `{index}` and the indices behind it; or set sink.duplicates = \"allow\", and some \
         documents will be there twice; or use an index with a date, such as \
         `{index}-{{yyyy.MM.dd}}`, which needs no lookup ({})",
        kind.text(),
        missing.join(" and "),
        why.join("; "),
    ))))
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
            Kind::DataStream(None)
        );
        let rolled = r#"{"data_streams":[{"name":"e","backing_indices":["e-1","e-2"]}]}"#;
        assert_eq!(kind(rolled), Kind::DataStream(Some("e-2".into())));
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
}
