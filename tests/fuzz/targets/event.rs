//! The event parser and the encoder behind it, against serde_json.
//!
//! - They agree on what is whole, what is cut off and what is no JSON; the parser refuses more, and
//!   says where it ends.
//! - More bytes behind an event change nothing, and each beginning of it is cut off.
//! - What is decoded is what serde_json decodes.
//! - The document is one line of JSON with the event's members, and the source's own bytes can be
//!   made of it again.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use weir::internals::event::{
    Documents, Edits, EncodeSettings, EventView, Head, Original, Parsed, Span, encode, parse,
};

use crate::bytes::dice;
use crate::heap;

pub(crate) fn run(input: &[u8]) {
    // What comes before is the framer's.
    if input.first() != Some(&b'{') {
        return;
    }
    let mut bytes = input.to_vec();
    let mut members = Vec::new();
    let parsed = heap::at_most((64 << 10) + 16 * input.len(), || parse(&mut bytes, &mut members));
    let of_serde = first_value(input);
    match parsed {
        Parsed::Event { len, head, needs_rewrite } => {
            assert_eq!(of_serde, OfSerde::Whole(len));
            assert_one_line(&bytes, input, len);
            assert_ends_here(&input[..len]);
            let Ok(value) = serde_json::from_slice(&bytes[..len]) else { return };
            assert_decoded(&head, &bytes, &value);
            if !needs_rewrite {
                let of = Original { bytes: &bytes[..len], head: &head, members: &members };
                assert_document(of, &value);
            }
        }
        Parsed::Incomplete => {
            // serde_json takes a number for wrong that only lacks its end.
            let ends_in_number =
                matches!(input.last(), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
            assert!(of_serde == OfSerde::CutOff || ends_in_number, "{of_serde:?}");
        }
        Parsed::Malformed(error) => {
            assert!(error.at <= input.len());
            match (error.len, format!("{:?}", error.kind).as_str()) {
                (Some(len), kind) => {
                    assert_eq!(of_serde, OfSerde::Whole(len));
                    assert_eq!(std::str::from_utf8(&input[..len]).is_ok(), kind != "Utf8");
                }
                (None, "Depth") => {}
                (None, kind) => assert_eq!((of_serde, kind), (OfSerde::Wrong, "Syntax")),
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum OfSerde {
    Whole(usize),
    CutOff,
    Wrong,
}

/// What serde_json says of the value that the input begins with. It knows no limit of depth for one
/// that is skipped, and does not look at its UTF-8.
fn first_value(input: &[u8]) -> OfSerde {
    let mut values = serde_json::Deserializer::from_slice(input).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => OfSerde::Whole(values.byte_offset()),
        // It takes the four digits behind `\u` at once, and misses those that are not there first.
        Some(Err(error)) if error.is_eof() && is_wrong_escape(input) => OfSerde::Wrong,
        Some(Err(error)) if error.is_eof() => OfSerde::CutOff,
        None => OfSerde::CutOff,
        Some(Err(_)) => OfSerde::Wrong,
    }
}

/// Whether the input ends in less than the four digits behind `\u`, and not all of it is digits.
fn is_wrong_escape(input: &[u8]) -> bool {
    let begin = input.len().saturating_sub(5);
    memchr::memmem::find_iter(&input[begin..], b"\\u").map(|at| begin + at).any(|at| {
        // Of two backslashes the second one is text.
        let before = input[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        before.is_multiple_of(2) && !input[at + 2..].iter().all(u8::is_ascii_hexdigit)
    })
}

/// That raw line breaks have become spaces, and nothing else has changed.
fn assert_one_line(bytes: &[u8], input: &[u8], len: usize) {
    let joined = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    assert!(bytes[..len].iter().copied().eq(input[..len].iter().map(joined)));
    assert_eq!(bytes[len..], input[len..]);
    assert!(serde_json::from_slice::<&RawValue>(&bytes[..len]).is_ok());
}

/// That the event is one without what follows, and each beginning of it is none yet.
fn assert_ends_here(event: &[u8]) {
    let alone = parse(&mut event.to_vec(), &mut Vec::new());
    assert!(matches!(alone, Parsed::Event { len, .. } if len == event.len()));
    let mut dice = dice(event);
    for _ in 0..3 {
        let cut = dice.usize(1..event.len());
        let begun = parse(&mut event[..cut].to_vec(), &mut Vec::new());
        assert!(matches!(begun, Parsed::Incomplete), "cut at {cut}: {begun:?}");
    }
}

fn assert_decoded(head: &Head, bytes: &[u8], value: &Value) {
    let text = |span: Span, pointer: &str| {
        let raw = std::str::from_utf8(&bytes[span.range()]).unwrap();
        let decoded: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
        let expected = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(decoded, expected, "{pointer}");
    };
    text(head.type_text, "/type");
    text(head.reason, "/reason");
    text(head.message, "/message");
    text(head.action, "/action");
    text(head.name, "/metadata/name");
    text(head.namespace, "/metadata/namespace");
    text(head.uid, "/metadata/uid");
    text(head.resource_version, "/metadata/resourceVersion");
    text(head.creation_timestamp, "/metadata/creationTimestamp");
    text(head.component, "/source/component");
    text(head.host, "/source/host");
    text(head.reporting_component, "/reportingComponent");
    text(head.regarding_kind, "/involvedObject/kind");
    text(head.regarding_name, "/involvedObject/name");
    text(head.regarding_field_path, "/involvedObject/fieldPath");
    text(head.first_timestamp, "/firstTimestamp");
    text(head.last_timestamp, "/lastTimestamp");
    text(head.event_time, "/eventTime");
    text(head.series_last_observed, "/series/lastObservedTime");
    let number = |pointer: &str| value.pointer(pointer)?.as_u64()?.try_into().ok();
    assert_eq!(head.count, number("/count"));
    assert_eq!(head.series_count, number("/series/count"));
}

fn assert_document(of: Original<'_>, event: &Value) {
    let settings = EncodeSettings {
        identity: true,
        keep_source: true,
        cluster: Some("c".into()),
        ..EncodeSettings::default()
    };
    let mut documents = Documents::default();
    let view = EventView { of, edits: &Edits::default() };
    heap::at_most((64 << 10) + 16 * of.bytes.len(), || {
        encode(view, of.bytes, &[], &settings, &mut documents);
    });
    let document = &documents.docs[0];
    assert_eq!(*documents.source(document), *of.bytes, "the source that is made again");
    let body = documents.body(document);
    assert!(!body.contains(&b'\n'));
    let body: Map<String, Value> = serde_json::from_slice(body).unwrap();
    assert_eq!((&body["kind"], &body["apiVersion"]), (&"Event".into(), &"v1".into()));
    for (key, value) in event.as_object().unwrap() {
        let mut value = value.clone();
        match key.as_str() {
            "@timestamp" | "clusterName" | "weir" | "kind" | "apiVersion" => continue,
            "metadata" => {
                value.as_object_mut().map(|metadata| metadata.remove("managedFields"));
            }
            _ => {}
        }
        assert_eq!(body.get(key), Some(&value), "{key}");
    }
}
