use super::*;

/// As the API server writes it to a watch.
const KUBELET: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"web.18","namespace":"default","uid":"5f1c","resourceVersion":"412","creationTimestamp":"2026-11-22T19:03:27Z","managedFields":[{"manager":"kubelet","operation":"Update","fieldsV1":{"f:count":{}}}]},"involvedObject":{"kind":"Pod","namespace":"default","name":"web","uid":"9a0e","apiVersion":"v1","resourceVersion":"398","fieldPath":"spec.containers{web}"},"reason":"BackOff","message":"Back-off pulling image \"web:1\"","source":{"component":"kubelet","host":"node1"},"firstTimestamp":"2026-11-22T19:03:27Z","lastTimestamp":"2026-11-22T19:03:40Z","count":3,"type":"Warning","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"node1"}"#;

/// As the API server writes the scheduler's event to a list: no kind, no apiVersion, times in `series`.
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

fn malformed(text: impl AsRef<[u8]>) -> Malformed {
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
    assert!(matches!(parse(&mut bytes, &mut Vec::new()), Parsed::Event { len: found, .. } if found == len));
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
        assert_eq!((malformed.kind, malformed.len), (MalformedKind::DuplicateKey, Some(text.len())));
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
        assert_eq!((malformed.kind, malformed.detail.as_str()), (MalformedKind::WrongType, detail));
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
            Parsed::Malformed(malformed) if malformed.kind == MalformedKind::NotAnEvent => None,
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
    assert_eq!((malformed.kind, malformed.at, malformed.len), (MalformedKind::Utf8, at, Some(bytes.len())));
}

#[test]
fn an_event_is_one_level_of_its_depth() {
    let nested = |levels: usize| with(&format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    event(&nested(DEPTH_MAX - 1));
    assert_eq!(malformed(nested(DEPTH_MAX)).kind, MalformedKind::Depth);
    let in_metadata =
        |levels: usize| with(&format!("\"metadata\":{{\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels)));
    event(&in_metadata(DEPTH_MAX - 2));
    assert_eq!(malformed(in_metadata(DEPTH_MAX - 1)).kind, MalformedKind::Depth);
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
            assert!(matches!(parse(&mut text.as_bytes()[..cut].to_vec(), &mut members), Parsed::Incomplete));
            assert!(members.is_empty());
        }
    }
}
