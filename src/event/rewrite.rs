//! events.k8s.io/v1 to core/v1 names: `note` to `message`, `regarding` to `involvedObject`,
//! `deprecated*` to what they were, `reportingController` to `reportingComponent`.
//!
//! The API server stores one object and shows it under both names; this is its own conversion
//! (<https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/events/v1/conversion.go>). `action`,
//! `series`, `related` and `reportingInstance` are named alike in both.
//!
//! Where an object has both names of a member, the result has one key twice, and parsing it says
//! so.

use super::head::Member;
use super::json::decode_bytes;

/// Appends the core/v1 form of an event with events.k8s.io/v1 names to `out`; it must be parsed
/// again.
pub(crate) fn rewrite(event: &[u8], members: &[Member], out: &mut Vec<u8>) {
    let mut copied = 0;
    for member in members {
        let (replaced, by): (_, &[u8]) = match &*decode_bytes(event, member.key) {
            b"apiVersion" => (member.value.range(), b"\"v1\""),
            key => match core_name(key) {
                Some(name) => (member.key.range(), name),
                None => continue,
            },
        };
        out.extend_from_slice(&event[copied..replaced.start]);
        out.extend_from_slice(by);
        copied = replaced.end;
    }
    out.extend_from_slice(&event[copied..]);
}

fn core_name(key: &[u8]) -> Option<&'static [u8]> {
    Some(match key {
        b"note" => b"message",
        b"regarding" => b"involvedObject",
        b"reportingController" => b"reportingComponent",
        b"deprecatedSource" => b"source",
        b"deprecatedFirstTimestamp" => b"firstTimestamp",
        b"deprecatedLastTimestamp" => b"lastTimestamp",
        b"deprecatedCount" => b"count",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Parsed, RejectionKind, parse};
    use super::*;

    fn rewritten(text: &str) -> String {
        let mut members = Vec::new();
        let parsed = parse(&mut text.as_bytes().to_vec(), &mut members);
        assert!(matches!(parsed, Parsed::Event { needs_rewrite: true, .. }), "{parsed:?}");
        let mut out = Vec::new();
        rewrite(text.as_bytes(), &members, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_name_becomes_that_of_core_v1_and_the_rest_is_copied() {
        insta::assert_snapshot!(rewritten(
            r#"{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"a"},"eventTime":null,"series":{"count":2},"reportingController":"c","reportingInstance":"i","action":"A","reason":"R","regarding" : {"kind":"Pod"},"related":null,"n\u006fte":"m","type":"Normal","deprecatedSource":{"host":"h"},"deprecatedFirstTimestamp":"f","deprecatedLastTimestamp":"l","deprecatedCount":10e0}"#
        ), @r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a"},"eventTime":null,"series":{"count":2},"reportingComponent":"c","reportingInstance":"i","action":"A","reason":"R","involvedObject" : {"kind":"Pod"},"related":null,"message":"m","type":"Normal","source":{"host":"h"},"firstTimestamp":"f","lastTimestamp":"l","count":10e0}"#);
    }

    #[test]
    fn an_item_of_a_list_keeps_lacking_what_it_lacks() {
        assert_eq!(
            rewritten(r#"{"regarding":{},"note":""}"#),
            r#"{"involvedObject":{},"message":""}"#
        );
    }

    #[test]
    fn both_names_of_one_member_are_a_key_that_stands_twice() {
        let mut text = rewritten(r#"{"regarding":{},"note":"a","message":"b"}"#).into_bytes();
        match parse(&mut text, &mut Vec::new()) {
            Parsed::Malformed(malformed) => assert_eq!(malformed.kind, RejectionKind::DuplicateKey),
            other => panic!("{other:?}"),
        }
    }
}
