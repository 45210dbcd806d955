use proptest::prelude::*;

use super::super::json::decode;
use super::super::testing::{Json, damaged, styles, values};
use super::*;

/// As the API server writes it to a watch.
const KUBELET: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"web.18","namespace":"default","uid":"5f1c","resourceVersion":"412","creationTimestamp":"2026-11-22T19:03:27Z","managedFields":[{"manager":"kubelet","operation":"Update","fieldsV1":{"f:count":{}}}]},"involvedObject":{"kind":"Pod","namespace":"default","name":"web","uid":"9a0e","apiVersion":"v1","resourceVersion":"398","fieldPath":"spec.containers{web}"},"reason":"BackOff","message":"Back-off pulling image \"web:1\"","source":{"component":"kubelet","host":"node1"},"firstTimestamp":"2026-11-22T19:03:27Z","lastTimestamp":"2026-11-22T19:03:40Z","count":3,"type":"Warning","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"node1"}"#;

/// As the API server writes the scheduler's event to a list: no kind, no apiVersion, times in
/// `series`.
const SCHEDULER: &str = r#"{"metadata":{"managedFields":[{"manager":"kube-scheduler"}],"name":"gpu.18"},"involvedObject":{"kind":"Pod","name":"gpu"},"reason":"FailedScheduling","source":{},"firstTimestamp":null,"lastTimestamp":null,"type":"Warning","eventTime":"2026-11-22T19:03:27.5Z","series":{"count":2,"lastObservedTime":"2026-11-22T19:04:27.5Z"},"action":"Scheduling","reportingComponent":"default-scheduler","reportingInstance":"x"}"#;

fn event(text: &str) -> (Head, Vec<Member>) {
    let mut members = Vec::new();
    match parse(&mut text.as_bytes().to_vec(), &mut members) {
        Parsed::Event { len, head, .. } => {
            assert_eq!(len, text.len());
            (head, members)
        }
        other => panic!("{other:?}: {text}"),
    }
}

fn malformed(text: impl AsRef<[u8]>) -> ParseError {
    let mut members = Vec::new();
    match parse(&mut text.as_ref().to_vec(), &mut members) {
        Parsed::Malformed(malformed) => {
            assert!(members.is_empty());
            malformed
        }
        other => panic!("{other:?}"),
    }
}

/// `{"kind":"Event","apiVersion":"v1",REST}`
fn with(rest: &str) -> String {
    format!(r#"{{"kind":"Event","apiVersion":"v1",{rest}}}"#)
}

#[test]
fn the_head_of_a_kubelets_event_is_decoded() {
    let (head, members) = event(KUBELET);
    let text = |span: Span| decode(KUBELET.as_bytes(), span).into_owned();
    assert_eq!(head.event_type, EventType::Warning);
    let texts = [
        (head.type_text, "Warning"),
        (head.reason, "BackOff"),
        (head.message, "Back-off pulling image \"web:1\""),
        (head.name, "web.18"),
        (head.namespace, "default"),
        (head.uid, "5f1c"),
        (head.resource_version, "412"),
        (head.creation_timestamp, "2026-11-22T19:03:27Z"),
        (head.regarding_kind, "Pod"),
        (head.regarding_namespace, "default"),
        (head.regarding_name, "web"),
        (head.regarding_uid, "9a0e"),
        (head.regarding_api_version, "v1"),
        (head.regarding_field_path, "spec.containers{web}"),
        (head.component, "kubelet"),
        (head.host, "node1"),
        (head.reporting_component, "kubelet"),
        (head.first_timestamp, "2026-11-22T19:03:27Z"),
        (head.last_timestamp, "2026-11-22T19:03:40Z"),
        (head.event_time, ""),
        (head.action, ""),
    ];
    for (span, expected) in texts {
        assert_eq!(text(span), expected);
    }
    assert_eq!((head.count, head.series_count), (Some(3), None));
    assert_eq!(members.len(), 14);
    assert_eq!(&KUBELET[members[5].key.range()], "message");
    assert_eq!(&KUBELET[members[5].value.range()], r#""Back-off pulling image \"web:1\"""#);
}

#[test]
fn the_schedulers_event_of_a_list_is_one_by_its_shape() {
    let (head, _) = event(SCHEDULER);
    let text = |span: Span| decode(SCHEDULER.as_bytes(), span).into_owned();
    assert_eq!(head.series_count, Some(2));
    assert_eq!(text(head.series_last_observed), "2026-11-22T19:04:27.5Z");
    assert_eq!(text(head.event_time), "2026-11-22T19:03:27.5Z");
    assert_eq!(text(head.action), "Scheduling");
    assert!(head.first_timestamp.is_empty() && head.component.is_empty());
}

#[test]
fn without_managed_fields_the_rest_is_still_json() {
    for metadata in [
        r#"{"managedFields":[1]}"#,
        r#"{ "managedFields" : [1] }"#,
        r#"{"managedFields":[1] , "name":"a"}"#,
        r#"{"name":"a" , "managedFields":[1]}"#,
        r#"{"name":"a","managedFields":{"x":1},"uid":"b"}"#,
    ] {
        let text = with(&format!(r#""metadata":{metadata}"#));
        let (head, _) = event(&text);
        let cut = head.managed_fields.range();
        let mut expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        expected["metadata"].as_object_mut().unwrap().remove("managedFields");
        let rest = format!("{}{}", &text[..cut.start], &text[cut.end..]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&rest).unwrap(), expected, "{rest}");
    }
}

#[test]
fn line_breaks_between_tokens_become_spaces() {
    let pretty: serde_json::Value = serde_json::from_str(KUBELET).unwrap();
    let mut bytes = serde_json::to_vec_pretty(&pretty).unwrap();
    let len = bytes.len();
    bytes.extend_from_slice(b"\r\n{\n");
    assert!(
        matches!(parse(&mut bytes, &mut Vec::new()), Parsed::Event { len: found, .. } if found == len)
    );
    assert!(!bytes[..len].contains(&b'\n'));
    assert_eq!(&bytes[len..], b"\r\n{\n");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes[..len]).unwrap(), pretty);
}

#[test]
fn a_key_that_stands_twice_is_found_however_it_is_written() {
    for (text, detail) in [
        (with(r#""kind":"Event""#), "the key `kind` stands twice in the root"),
        (with(r#""\u006bind":"Event""#), "the key `kind` stands twice in the root"),
        (with(r#""mine":1,"other":2,"m\u0069ne":3"#), "the key `mine` stands twice in the root"),
        (with(r#""metadata":{"uid":"a","uid":"a"}"#), "the key `uid` stands twice in metadata"),
        (with(r#""metadata":{"":1,"":2}"#), "the key `` stands twice in metadata"),
        (
            with(r#""involvedObject":{"name":null,"name":"a"}"#),
            "the key `name` stands twice in involvedObject",
        ),
    ] {
        let malformed = malformed(&text);
        assert_eq!(
            (malformed.kind, malformed.len),
            (RejectionKind::DuplicateKey, Some(text.len()))
        );
        assert_eq!(malformed.detail, detail);
    }
    event(&with(r#""source":{"host":"a","host":"b"},"mine":{"a":1,"a":2}"#));
}

#[test]
fn a_duplicate_among_very_many_keys_is_found_in_time() {
    let keys: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":0")).collect();
    event(&with(&keys.join(",")));
    let malformed = malformed(with(&format!("{},\"k77\":1", keys.join(","))));
    assert_eq!(malformed.detail, "the key `k77` stands twice in the root");
}

#[test]
fn head_members_have_their_type_or_are_null() {
    for (rest, detail) in [
        (r#""reason":1"#, "reason is a number, not a string"),
        (r#""metadata":[]"#, "metadata is an array, not an object"),
        (r#""metadata":{"name":{}}"#, "metadata.name is an object, not a string"),
        (r#""involvedObject":"pod""#, "involvedObject is a string, not an object"),
        (r#""involvedObject":{"kind":false}"#, "involvedObject.kind is a boolean, not a string"),
        (r#""count":"3""#, "count is a string, not a number"),
        (r#""series":{"count":[]}"#, "series.count is an array, not a number"),
        (r#""source":true"#, "source is a boolean, not an object"),
        (r#""eventTime":0"#, "eventTime is a number, not a string"),
    ] {
        let malformed = malformed(with(rest));
        assert_eq!((malformed.kind, malformed.detail.as_str()), (RejectionKind::WrongType, detail));
        assert!(malformed.len.is_some());
    }
    event(&with(
        r#""reason":null,"metadata":null,"involvedObject":null,"count":null,"series":null,"source":null"#,
    ));
}

#[test]
fn a_count_that_no_counter_holds_is_none() {
    for count in ["-1", "1.5", "1e2", "4294967296", "99999999999999999999"] {
        assert_eq!(event(&with(&format!("\"count\":{count}"))).0.count, None);
    }
    assert_eq!(event(&with("\"count\":4294967295")).0.count, Some(u32::MAX));
}

#[test]
fn only_the_two_kinds_of_event_are_events() {
    for (text, is_rewritten) in [
        (r#"{"kind":"Event","apiVersion":"v1"}"#, Some(false)),
        (r#"{"kind":"Event","apiVersion":"events.k8s.io/v1"}"#, Some(true)),
        (r#"{"kind":"Event","regarding":{}}"#, Some(true)),
        (r#"{"kind":"Event"}"#, Some(false)),
        (r#"{"involvedObject":{}}"#, Some(false)),
        (r#"{"regarding":{}}"#, Some(true)),
        (r#"{"regarding":null,"involvedObject":{}}"#, Some(false)),
        (r#"{"kind":null,"apiVersion":null,"involvedObject":{}}"#, Some(false)),
        (r#"{"kind":"Event","apiVersion":"v1","regarding":{}}"#, Some(false)),
        (r#"{"kind":"Event","apiVersion":"events.k8s.io/v1beta1"}"#, None),
        (r#"{"kind":"Event","apiVersion":""}"#, None),
        (r#"{"kind":"","involvedObject":{}}"#, None),
        (r#"{"kind":"Pod","apiVersion":"v1","involvedObject":{}}"#, None),
        (r#"{"involvedObject":null}"#, None),
        (r#"{}"#, None),
    ] {
        let found = match parse(&mut text.as_bytes().to_vec(), &mut Vec::new()) {
            Parsed::Event { needs_rewrite, .. } => Some(needs_rewrite),
            Parsed::Malformed(malformed) if malformed.kind == RejectionKind::NotAnEvent => None,
            other => panic!("{other:?}: {text}"),
        };
        assert_eq!(found, is_rewritten, "{text}");
    }
    insta::assert_snapshot!(
        malformed(r#"{"kind":"Pod","apiVersion":"v1"}"#).detail,
        @"not an Event of v1 or events.k8s.io/v1: its kind is `Pod`, its apiVersion `v1`"
    );
}

#[test]
fn what_is_not_utf_8_is_refused_at_its_place() {
    let mut bytes = with(r#""note":"xy""#).into_bytes();
    let at = bytes.len() - 4;
    bytes[at] = 0xff;
    let malformed = malformed(&bytes);
    assert_eq!(
        (malformed.kind, malformed.at, malformed.len),
        (RejectionKind::Utf8, at, Some(bytes.len()))
    );
}

#[test]
fn an_event_is_one_level_of_its_depth() {
    let nested =
        |levels: usize| with(&format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    event(&nested(DEPTH_MAX - 1));
    assert_eq!(malformed(nested(DEPTH_MAX)).kind, RejectionKind::Depth);
    let in_metadata = |levels: usize| {
        with(&format!("\"metadata\":{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels)))
    };
    event(&in_metadata(DEPTH_MAX - 2));
    assert_eq!(malformed(in_metadata(DEPTH_MAX - 1)).kind, RejectionKind::Depth);
}

#[test]
fn the_regarded_object_decides_the_shard() {
    let shard = |object: &str| event(&with(&format!("\"involvedObject\":{object}"))).0.shard;
    let pod = shard(r#"{"kind":"Pod","namespace":"a","name":"b","uid":"1"}"#);
    assert_eq!(pod, shard(r#"{"name":"\u0062","namespace":"a","kind":"Pod"}"#));
    assert_ne!(pod, shard(r#"{"kind":"Pod","namespace":"b","name":"a"}"#));
}

#[test]
fn a_part_of_an_event_is_incomplete_wherever_it_is_cut() {
    for text in [KUBELET, SCHEDULER] {
        for cut in 1..text.len() {
            let mut members = Vec::new();
            assert!(matches!(
                parse(&mut text.as_bytes()[..cut].to_vec(), &mut members),
                Parsed::Incomplete
            ));
            assert!(members.is_empty());
        }
    }
}

/// Root objects of which many are events, with all the names that matter, some of them twice.
fn roots() -> impl Strategy<Value = Json> {
    let strings = |all: &'static [&'static str]| prop::sample::select(all).prop_map(Json::text);
    let inner = |keys: &'static [&'static str]| {
        let value = prop_oneof![4 => strings(&["", "a", "Pod", "default"]), 1 => values()];
        prop::collection::vec((prop::sample::select(keys), value), 0..4).prop_map(object)
    };
    let key_and_value = prop_oneof![
        6 => strings(&["Event", "Event", "Event", "Pod"]).prop_map(|value| ("kind", value)),
        6 => strings(&["v1", "v1", "events.k8s.io/v1", "v2"]).prop_map(|value| ("apiVersion", value)),
        4 => inner(&["name", "namespace", "uid", "resourceVersion", "managedFields", "labels", "x", "y"]).prop_map(|value| ("metadata", value)),
        4 => inner(&["kind", "name", "namespace", "fieldPath", "x"]).prop_map(|value| ("involvedObject", value)),
        1 => inner(&["kind", "name"]).prop_map(|value| ("regarding", value)),
        2 => inner(&["component", "host", "x"]).prop_map(|value| ("source", value)),
        4 => strings(&["Normal", "Warning", "", "normal"]).prop_map(|value| ("type", value)),
        4 => (0..9u32).prop_map(|count| ("count", Json::Number(count.to_string()))),
        2 => Just(("reason", Json::Null)),
        1 => (prop::sample::select(vec!["reason", "message", "series", "eventTime", "x", "y"]), values()),
    ];
    prop::collection::vec(key_and_value, 0..9).prop_map(object)
}

fn object(members: Vec<(&'static str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn members(json: &Json) -> &[(String, Json)] {
    if let Json::Object(members) = json { members } else { &[] }
}

/// The last member of that name that is not null.
fn get<'a>(json: &'a Json, key: &str) -> Option<&'a Json> {
    let last = members(json).iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
    last.filter(|value| **value != Json::Null)
}

/// The errors of meaning that an object has, by the plainest reading of the rules.
fn errors(root: &Json) -> Vec<RejectionKind> {
    let mut errors = Vec::new();
    let all = |key: &'static str| {
        members(root).iter().filter(move |(name, _)| name == key).map(|(_, value)| value)
    };
    let has_duplicates = |object: &Json| {
        let mut keys: Vec<&str> = members(object).iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.windows(2).any(|pair| pair[0] == pair[1])
    };
    if has_duplicates(root) || all("metadata").chain(all("involvedObject")).any(has_duplicates) {
        errors.push(RejectionKind::DuplicateKey);
    }
    let is_string = |value: &Json| matches!(value, Json::String(_) | Json::Null);
    let is_object = |value: &Json| matches!(value, Json::Object(_) | Json::Null);
    let is_number = |value: &Json| matches!(value, Json::Number(_) | Json::Null);
    let is_wrong_in = |object: &Json, keys: &[&str], is_right: fn(&Json) -> bool| {
        members(object)
            .iter()
            .any(|(name, value)| keys.contains(&name.as_str()) && !is_right(value))
    };
    let is_wrong =
        is_wrong_in(
            root,
            &["kind", "apiVersion", "type", "reason", "message", "eventTime"],
            is_string,
        ) || is_wrong_in(root, &["metadata", "involvedObject", "source", "series"], is_object)
            || is_wrong_in(root, &["count"], is_number)
            || all("series").any(|series| is_wrong_in(series, &["count"], is_number))
            || all("metadata").any(|metadata| {
                is_wrong_in(metadata, &["name", "namespace", "uid", "resourceVersion"], is_string)
            })
            || all("involvedObject").any(|object| {
                is_wrong_in(object, &["kind", "name", "namespace", "fieldPath"], is_string)
            })
            || all("source").any(|source| is_wrong_in(source, &["component", "host"], is_string));
    if is_wrong {
        errors.push(RejectionKind::WrongType);
    }
    let text = |key: &str| get(root, key);
    let is_kind = match text("kind") {
        None => get(root, "regarding").is_some() || get(root, "involvedObject").is_some(),
        Some(kind) => *kind == Json::text("Event"),
    };
    let is_version = text("apiVersion")
        .is_none_or(|version| [Json::text("v1"), Json::text("events.k8s.io/v1")].contains(version));
    if !(is_kind && is_version) {
        errors.push(RejectionKind::NotAnEvent);
    }
    errors
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_object_is_an_event_by_the_plainest_reading_of_the_rules(root in roots(), mut style in styles(), behind in "[ ,}x\n]{0,3}") {
        let text = root.write(&mut style);
        let mut bytes = format!("{text}{behind}").into_bytes();
        let mut found = Vec::new();
        match (parse(&mut bytes, &mut found), errors(&root)) {
            (Parsed::Malformed(malformed), errors) => {
                prop_assert!(errors.contains(&malformed.kind), "{:?} is not one of {:?} in {}", malformed, errors, text);
                prop_assert_eq!(malformed.len, Some(text.len()));
                prop_assert!(found.is_empty());
            }
            (Parsed::Event { len, head, .. }, errors) => {
                prop_assert!(errors.is_empty(), "{:?} in {}", errors, text);
                prop_assert_eq!(len, text.len());
                let event = &bytes[..len];
                prop_assert!(!event.contains(&b'\n') && !event.contains(&b'\r'));
                prop_assert_eq!(found.len(), members(&root).len());
                for (member, (key, value)) in found.iter().zip(members(&root)) {
                    prop_assert_eq!(&*decode(event, member.key), key.as_str());
                    let value_text = std::str::from_utf8(&event[member.value.range()]).unwrap();
                    let value_read: serde_json::Value = serde_json::from_str(value_text).unwrap();
                    prop_assert_eq!(value_read, serde_json::from_str::<serde_json::Value>(&value.compact()).unwrap());
                }
                let at = |outer: Option<&Json>, key: &str| match outer.and_then(|outer| get(outer, key)) {
                    Some(Json::String(text)) => text.clone(),
                    _ => String::new(),
                };
                let (metadata, object) = (get(&root, "metadata"), get(&root, "involvedObject"));
                for (span, expected) in [
                    (head.type_text, at(Some(&root), "type")),
                    (head.reason, at(Some(&root), "reason")),
                    (head.name, at(metadata, "name")),
                    (head.resource_version, at(metadata, "resourceVersion")),
                    (head.regarding_kind, at(object, "kind")),
                    (head.regarding_field_path, at(object, "fieldPath")),
                    (head.component, at(get(&root, "source"), "component")),
                ] {
                    prop_assert_eq!(decode(event, span), expected);
                }
            }
            (Parsed::Incomplete, _) => prop_assert!(false, "incomplete: {}", text),
        }
    }

    #[test]
    fn damage_never_makes_more_than_json_has(root in roots(), mut style in styles(), damage in damaged()) {
        let mut bytes = root.write(&mut style).into_bytes();
        damage.apply(&mut bytes);
        prop_assume!(bytes.first() == Some(&b'{'));
        let before = bytes.clone();
        match parse(&mut bytes, &mut Vec::new()) {
            Parsed::Event { len, .. } => prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&before[..len]).is_ok()),
            Parsed::Malformed(ParseError { len: Some(len), kind, at, .. }) => {
                prop_assert!(at <= len);
                let text = std::str::from_utf8(&before[..len]);
                prop_assert_eq!(text.is_err(), kind == RejectionKind::Utf8);
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&before[..len]).is_ok());
            }
            Parsed::Malformed(malformed) => {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&before).is_err(), "{:?}", malformed);
            }
            Parsed::Incomplete => prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&before).is_err()),
        }
    }
}
