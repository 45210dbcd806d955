//! A letter as a document of an index: its `_id`, its content, and back to the record that a folder
//! would hold. Pure.
//!
//! Constraints: OpenSearch cannot refuse a letter for its content, whatever it refused before: the
//! source's bytes and the document are strings (bytes that are no UTF-8 in base64) of a field that
//! is stored and never parsed. What people search by is small and a keyword.
//!
//! Invariant: the `_id` is a function of the pipeline and the event alone: not of the time, nor of
//! where and why the event was refused. So whatever is written twice, after a crash or a retry, is
//! one letter. An event that was understood is known by its uid and version, as its document is: a
//! list and a watch give it in different bytes. Anything else is known by its bytes.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::dead_letter::kept::LetterId;
use crate::dead_letter::letter::Letter;
use crate::dead_letter::record::{self, Line, Part, VERSION};

/// Whose letters they are: several pipelines may share an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// `name`
    pub pipeline: String,
    /// `cluster`
    pub cluster: Option<String>,
}

/// A letter to be written to an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its `_id`.
    pub id: LetterId,
    /// The document: one line of JSON, without a line break.
    pub body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    time: String,
    /// The `_id` once more: OpenSearch does not sort by that.
    id: String,
    version: u32,
    pipeline: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cow<'a, str>>,
    #[serde(rename = "where")]
    part: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Cow<'a, str>>,
    reason: Cow<'a, str>,
    detail: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Cow<'a, str>>,
    #[serde(rename = "resourceVersion", skip_serializing_if = "Option::is_none")]
    resource_version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Cow<'a, str>>,
}

/// The document of a letter that is written now. It ends in `bytes`, what the rest takes.
pub(super) fn entry(letter: &Letter<'_>, owner: &Owner, now: jiff::Timestamp) -> Entry {
    let id = id(letter, owner);
    let text = std::str::from_utf8(letter.source).ok();
    let (part, stage) = record::part_and_stage(letter.part);
    let (uid, resource_version) = letter.identity.unzip();
    let document = Document {
        time: format!("{now:.6}"),
        id: id.to_string(),
        version: VERSION,
        pipeline: Cow::Borrowed(&owner.pipeline),
        cluster: owner.cluster.as_deref().map(Cow::Borrowed),
        part,
        stage: stage.map(Cow::Borrowed),
        reason: Cow::Borrowed(letter.reason),
        detail: Cow::Owned(letter.kept_detail()),
        uid: uid.map(Cow::Borrowed),
        resource_version: resource_version.map(Cow::Borrowed),
        source: text.map(Cow::Borrowed),
        source_base64: text.is_none().then(|| BASE64.encode(letter.source)),
        document: letter
            .document
            .and_then(|document| std::str::from_utf8(document).ok())
            .map(Cow::Borrowed),
    };
    let mut body = Vec::new();
    // Writing to memory does not fail, and no type here refuses to serialize.
    let _ = serde_json::to_writer(&mut body, &document);
    let bytes = body.len();
    body.pop();
    body.extend_from_slice(format!(",\"bytes\":{bytes}}}").as_bytes());
    Entry { id, body }
}

/// The record that a folder would hold; what is no letter stays as it is, and is told when it is
/// parsed.
pub(in crate::dead_letter) fn line(source: &[u8]) -> Vec<u8> {
    record_of(source).unwrap_or_else(|| source.to_vec())
}

fn record_of(source: &[u8]) -> Option<Vec<u8>> {
    let found: Document<'_> = serde_json::from_str(std::str::from_utf8(source).ok()?).ok()?;
    if found.version > VERSION {
        return None;
    }
    let document =
        found.document.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let line = Line {
        version: found.version,
        time: found.time,
        part: found.part,
        stage: found.stage.map(Cow::into_owned),
        reason: found.reason.into_owned(),
        detail: found.detail.into_owned(),
        source: found.source,
        source_base64: found.source_base64,
        document,
    };
    serde_json::to_vec(&line).ok()
}

/// The `_id`: sixteen bytes of a hash are more than all letters there will ever be.
fn id(letter: &Letter<'_>, owner: &Owner) -> LetterId {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(owner.pipeline.as_bytes());
    part(owner.cluster.as_deref().unwrap_or_default().as_bytes());
    match letter.identity {
        Some((uid, version)) => {
            part(b"object");
            part(uid.as_bytes());
            part(version.as_bytes());
        }
        None => {
            part(b"bytes");
            part(letter.source);
        }
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    LetterId::Document(u128::from_be_bytes(first))
}

/// Settings and mappings of an index of letters
/// (<https://docs.opensearch.org/latest/api-reference/index-apis/create-index/>).
pub(crate) fn index_body() -> Value {
    // Longer ones are kept, and not found by their content.
    let keyword = || serde_json::json!({ "type": "keyword", "ignore_above": KEYWORD_CHARS_MAX });
    // Nothing in it is parsed, so nothing in it can be refused.
    let kept = || serde_json::json!({ "type": "object", "enabled": false });
    serde_json::json!({
        "settings": { "index": { "number_of_shards": 1, "auto_expand_replicas": "0-1" } },
        "mappings": {
            "_meta": {
                "description": "Dead letters of weir, made by it because the index was missing"
            },
            "dynamic": false,
            "properties": {
                "@timestamp": { "type": "date" },
                "id": keyword(),
                "version": { "type": "integer" },
                "pipeline": keyword(),
                "cluster": keyword(),
                "where": keyword(),
                "stage": keyword(),
                "reason": keyword(),
                "detail": { "type": "text" },
                "uid": keyword(),
                "resourceVersion": keyword(),
                "bytes": { "type": "long" },
                "source": kept(),
                "source_base64": kept(),
                "document": kept(),
            },
        },
    })
}

/// Four bytes a character at most: far below the 32,766 bytes of a term.
const KEYWORD_CHARS_MAX: u32 = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dead_letter::{LetterLine, Record, Where};

    fn owner() -> Owner {
        Owner { pipeline: "p".into(), cluster: Some("c".into()) }
    }

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(second * 1_000_000 + 1).unwrap()
    }

    fn letter<'a>(part: Where<'a>, source: &'a [u8]) -> Letter<'a> {
        let identity = (part != Where::Source).then_some(("u", "7"));
        Letter { part, reason: "mapping", detail: "d", source, document: None, identity }
    }

    fn id_of(letter: &Letter<'_>) -> LetterId {
        entry(letter, &owner(), at(0)).id
    }

    #[test]
    fn a_letter_is_small_fields_to_search_and_two_texts() {
        let source = br#"{"metadata":{"uid":"u","resourceVersion":"7"},"count":1e400}"#;
        let letter =
            Letter { document: Some(br#"{"a":1.50}"#), ..letter(Where::Stage("redact"), source) };
        let entry = entry(&letter, &owner(), at(1_760_000_000));
        insta::assert_snapshot!(String::from_utf8(entry.body).unwrap(), @r#"{"@timestamp":"2025-10-09T08:53:20.000001Z","id":"10a95f5f41e4a94c143637d0c005ad8d","version":1,"pipeline":"p","cluster":"c","where":"stage","stage":"redact","reason":"mapping","detail":"d","uid":"u","resourceVersion":"7","source":"{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"7\"},\"count\":1e400}","document":"{\"a\":1.50}","bytes":332}"#);
    }

    #[test]
    fn one_event_is_one_letter_whoever_gave_it_and_whatever_refused_it() {
        let bare = br#"{"kind":"Event","metadata":{"uid":"u","resourceVersion":"7"}}"#;
        let item = br#"{"metadata":{"resourceVersion":"7","uid":"u"}}"#;
        let frame =
            br#"{"type":"ADDED","object":{"kind":"Event","metadata":{"uid":"u","resourceVersion":"7"}}}"#;
        let id = id_of(&letter(Where::Sink, bare));
        for other in [letter(Where::Sink, item), letter(Where::Stage("s"), frame)] {
            assert_eq!(id_of(&Letter { reason: "other", detail: "other", ..other }), id);
        }
        // What the source did not understand is known by its bytes alone.
        assert_ne!(id_of(&letter(Where::Source, bare)), id);
        assert_ne!(id_of(&letter(Where::Source, bare)), id_of(&letter(Where::Source, item)));
        let newer = Letter { identity: Some(("u", "8")), ..letter(Where::Sink, bare) };
        assert_ne!(id_of(&newer), id);
    }

    #[test]
    fn pipelines_and_clusters_have_letters_of_their_own() {
        let letter = letter(Where::Source, b"x");
        let id = |pipeline: &str, cluster: Option<&str>| {
            let owner = Owner { pipeline: pipeline.into(), cluster: cluster.map(Into::into) };
            entry(&letter, &owner, at(0)).id
        };
        let ids = [id("a", None), id("b", None), id("a", Some("b")), id("ab", None)];
        let distinct: std::collections::BTreeSet<_> = ids.into_iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn what_is_no_letter_says_so_when_it_is_parsed() {
        let text = |source: &[u8]| String::from_utf8(line(source)).unwrap();
        assert_eq!(text(b"{\"a\":1}"), "{\"a\":1}");
        assert_eq!(text(b"{\"version\":2}"), "{\"version\":2}");
    }

    fn any_letter() -> impl Strategy<Value = (u8, Vec<u8>, Option<String>, String)> {
        let source = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "\\PC{0,40}".prop_map(String::into_bytes),
            "[a-z\"]{0,5}".prop_map(|uid| {
                serde_json::json!({"metadata": {"uid": uid, "resourceVersion": "1"}})
                    .to_string()
                    .into_bytes()
            }),
        ];
        let document = proptest::option::of(
            ".{0,10}".prop_map(|text| serde_json::json!({"a": text}).to_string()),
        );
        (0u8..3, source, document, ".{0,20}")
    }

    proptest! {
        /// With the disk's own writer and reader as the model.
        #[test]
        fn a_letter_is_read_from_the_index_as_it_would_be_from_a_folder(
            (part, source, document, detail) in any_letter(), second in 0i64..4_000_000_000,
        ) {
            let part = [Where::Source, Where::Stage("s"), Where::Sink][usize::from(part)];
            let document = document.as_deref().map(str::as_bytes);
            let identity = (part == Where::Sink).then_some((detail.as_str(), "1"));
            let letter =
                Letter { part, reason: "r", detail: &detail, source: &source, document, identity };
            let entry = entry(&letter, &owner(), at(second));
            prop_assert!(!entry.body.contains(&b'\n'), "one line of _bulk");
            let found: Value = serde_json::from_slice(&entry.body).unwrap();
            prop_assert_eq!(found["id"].as_str().unwrap(), entry.id.to_string());
            let bytes = found["bytes"].as_u64().unwrap() as usize;
            prop_assert_eq!(bytes + format!(",\"bytes\":{bytes}").len(), entry.body.len());

            let mut on_disk = Vec::new();
            record::encode(&letter, at(second), &mut on_disk);
            prop_assert_eq!(line(&entry.body), on_disk.trim_ascii_end());
            let read = LetterLine { id: entry.id, text: line(&entry.body), is_whole: true, version: None };
            let Record { source: kept, document: kept_document, .. } = read.record().unwrap();
            prop_assert_eq!(kept, source.clone());
            prop_assert_eq!(kept_document.as_deref(), document);
        }

        #[test]
        fn the_time_does_not_change_the_id(source in proptest::collection::vec(any::<u8>(), 0..20), second in 0i64..99) {
            let letter = letter(Where::Source, &source);
            prop_assert_eq!(entry(&letter, &owner(), at(second)).id, id_of(&letter));
        }
    }
}
