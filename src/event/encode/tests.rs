use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::event::edits::Edits;
use crate::event::model::{Edit, Fixture, Model, edits, events};
use crate::event::{parse_event_time, parse_rfc3339};

const DAY: i64 = 86_400_000_000;
const TEN: i64 = 1_714_557_600_000_000;

fn settings(cluster: Option<&str>) -> EncodeSettings {
    EncodeSettings { cluster: cluster.map(str::to_owned), ..EncodeSettings::default() }
}

fn encoded(
    event: &Fixture,
    edits: &Edits,
    errors: &[StageError<'_>],
    settings: &EncodeSettings,
) -> Documents {
    let mut out = Documents::default();
    encode(EventView { of: event.of(), edits }, &event.bytes, errors, settings, &mut out);
    out
}

fn body(out: &Documents) -> &str {
    std::str::from_utf8(out.body(&out.docs[0])).unwrap()
}

fn document(event: &str) -> String {
    body(&encoded(&Fixture::parse(event), &Edits::default(), &[], &settings(Some("c")))).to_owned()
}

const WATCHED: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"e.1","uid":"u-1","resourceVersion":"7","creationTimestamp":"2024-05-01T10:00:00Z","managedFields":[{"manager":"kubelet","time":"2024-05-01T10:00:00Z"}]},"involvedObject":{"kind":"Pod"},"count":1.50e+03,"lastTimestamp":"2024-05-01T10:00:00Z"}"#;

#[test]
fn the_document_is_the_event_behind_what_weir_says_of_it() {
    assert_snapshot!(document(WATCHED), @r#"{"@timestamp":"2024-05-01T10:00:00Z","clusterName":"c","apiVersion":"v1","kind":"Event","metadata":{"name":"e.1","uid":"u-1","resourceVersion":"7","creationTimestamp":"2024-05-01T10:00:00Z"},"involvedObject":{"kind":"Pod"},"count":1.50e+03,"lastTimestamp":"2024-05-01T10:00:00Z"}"#);
}

#[test]
fn a_last_timestamp_without_a_time_is_filled_where_that_is_wanted() {
    let filling = EncodeSettings { fill_last_timestamp: true, ..settings(None) };
    let document = |event: &str| {
        let event = Fixture::parse(event);
        body(&encoded(&event, &Edits::default(), &[], &filling)).to_owned()
    };
    let scheduled = r#"{"involvedObject":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":"2024-05-01T10:00:00.5Z"}"#;
    assert_snapshot!(document(scheduled), @r#"{"@timestamp":"2024-05-01T10:00:00.5Z","apiVersion":"v1","kind":"Event","lastTimestamp":"2024-05-01T10:00:00.5Z","involvedObject":{},"firstTimestamp":null,"eventTime":"2024-05-01T10:00:00.5Z"}"#);
    for last in [r#""0001-01-01T00:00:00Z""#, r#""soon""#, "\"\""] {
        assert_eq!(
            document(
                &scheduled.replace("lastTimestamp\":null", &format!("lastTimestamp\":{last}"))
            ),
            document(scheduled)
        );
    }
    assert_eq!(document(&document(scheduled)), document(scheduled));
    assert_eq!(document(&scheduled.replace("\"lastTimestamp\":null,", "")), document(scheduled));
    let own = Fixture::parse(WATCHED);
    let plain = encoded(&own, &Edits::default(), &[], &settings(None));
    assert_eq!(document(WATCHED), body(&plain));
    assert!(
        document(r#"{"involvedObject":{}}"#).contains(r#""lastTimestamp":"1970-01-01T00:00:00Z""#)
    );
}

#[test]
fn the_source_is_made_again_from_a_filled_document() {
    let event = Fixture::parse(
        r#"{"metadata":{"uid":"u","resourceVersion":"1"}, "lastTimestamp" : null,"involvedObject":{},"eventTime":"2024-05-01T10:00:00Z"}"#,
    );
    let settings = EncodeSettings {
        fill_last_timestamp: true,
        identity: true,
        keep_source: true,
        ..settings(None)
    };
    let mut out = Documents::default();
    let edits = Edits::default();
    encode(EventView { of: event.of(), edits: &edits }, event.of().bytes, &[], &settings, &mut out);
    assert_eq!(&*out.source(&out.docs[0]), event.of().bytes);
}

#[test]
fn list_and_watch_of_one_version_encode_identically() {
    let listed = WATCHED.replace(r#""kind":"Event","apiVersion":"v1","#, "");
    assert_eq!(document(WATCHED), document(&listed));
}

#[test]
fn managed_fields_are_cut_out_wherever_they_stand() {
    let others = [("\"a\":1", ""), ("", "\"b\":2"), ("\"a\":1", "\"b\":2"), ("", "")];
    for (before, after) in others {
        for space in ["", " ", "\n\t "] {
            let managed = format!("{space}\"managedFields\"{space}:{space}[{{}}]{space}");
            let parts: Vec<_> =
                [before, &managed, after].into_iter().filter(|part| !part.is_empty()).collect();
            let metadata = format!("{{{}{space}}}", parts.join(","));
            let event = format!(
                "{{\"involvedObject\":{{}},\"metadata\":{space}{metadata}{space},\"x\":1}}"
            );
            let mut document = Model::parse(&document(&event));
            let rest: Vec<_> =
                [before, after].into_iter().filter(|part| !part.is_empty()).collect();
            let expected = Model::parse(&format!("{{{}}}", rest.join(",")));
            assert_eq!(document.members()["metadata"], expected, "{event}");
        }
    }
}

#[test]
fn an_edited_document_keeps_the_order_and_the_text_of_what_was_not_edited() {
    let event = Fixture::parse(
        r#"{ "metadata": { "labels": {"app": "\u0061"}, "managedFields": [] , "name":"n" }, "a" : 1.0 , "b":2e0, "involvedObject":{"x":[1 , 2]}, "kind":"Event" , "c":  3.00}"#,
    );
    let mut edits = Edits::default();
    edits.set_string(event.of(), "/metadata/labels/new", "é\n").unwrap();
    edits.remove(event.of(), "/b").unwrap();
    edits.append_string(event.of(), "/tags", "x").unwrap();
    assert_snapshot!(body(&encoded(&event, &edits, &[], &settings(None))), @r#"{"@timestamp":"1970-01-01T00:00:00Z","weir":{"timestamp":"absent"},"apiVersion":"v1","kind":"Event","metadata":{"labels":{"app":"\u0061","new":"é\n"},"name":"n"},"a" : 1.0,"involvedObject":{"x":[1 , 2]},"c":  3.00,"tags":["x"]}"#);
}

#[test]
fn failed_stages_and_a_missing_time_are_marked() {
    let event = Fixture::parse(r#"{"involvedObject":{},"weir":{"errors":[{"stage":"old"}]}}"#);
    let errors = [
        StageError { stage: "tag \"gpu\"", kind: "trap" },
        StageError { stage: "b", kind: "timeout" },
    ];
    let out = encoded(&event, &Edits::default(), &errors, &settings(None));
    assert_snapshot!(body(&out), @r#"{"@timestamp":"1970-01-01T00:00:00Z","weir":{"timestamp":"absent","errors":[{"stage":"tag \"gpu\"","kind":"trap"},{"stage":"b","kind":"timeout"}]},"apiVersion":"v1","kind":"Event","involvedObject":{}}"#);
    assert_eq!((out.docs[0].event_time, out.docs[0].index_time), (None, 0));
}

#[test]
fn its_own_output_is_read_again_to_the_same_document() {
    let event = Fixture::parse(&WATCHED.replace("\"managedFields\"", "\"fields\""));
    let errors = [StageError { stage: "a", kind: "trap" }];
    for errors in [&errors[..], &[]] {
        let once = encoded(&event, &Edits::default(), errors, &settings(Some("c")));
        let again = Fixture::parse(body(&once));
        for (cluster, twice) in
            [("c", body(&once).to_owned()), ("d", body(&once).replace("\"c\"", "\"d\""))]
        {
            assert_eq!(
                body(&encoded(&again, &Edits::default(), errors, &settings(Some(cluster)))),
                twice
            );
        }
    }
}

#[test]
fn a_cluster_name_is_kept_where_weir_has_none() {
    let event = Fixture::parse(r#"{"involvedObject":{},"clusterName":"theirs"}"#);
    let name =
        |cluster| Model::parse(body(&encoded(&event, &Edits::default(), &[], &settings(cluster))));
    assert_eq!(name(None).at("/clusterName"), Some(&Model::Text("theirs".to_owned())));
    assert_eq!(name(Some("ou\"rs")).at("/clusterName"), Some(&Model::Text("ou\"rs".to_owned())));
}

#[test]
fn an_identity_is_text_of_the_document_unless_it_has_escapes_there_or_metadata_was_edited() {
    let settings = EncodeSettings {
        fill_last_timestamp: false,
        identity: true,
        keep_source: true,
        cluster: None,
    };
    for (uid_text, edited) in [("u-1", false), ("u\\u002d1", false), ("u-1", true)] {
        let event = Fixture::parse(&WATCHED.replace("u-1", uid_text));
        let mut edits = Edits::default();
        if edited {
            edits.set_string(event.of(), "/metadata/labels/a", "b").unwrap();
        }
        let out = encoded(&event, &edits, &[], &settings);
        let doc = &out.docs[0];
        let Some(DocumentIdentity::Object { uid, version }) = doc.identity.clone() else {
            panic!("{doc:?}")
        };
        let is_in_body = |part: &Range<usize>| doc.body.contains(&part.start);
        assert_eq!(is_in_body(&uid), uid_text == "u-1" && !edited);
        assert_eq!(is_in_body(&version), !edited);
        assert_eq!((&out.bytes[uid], &out.bytes[version]), (&b"u-1"[..], &b"7"[..]));
        assert_eq!(out.source(doc), event.bytes);
    }
}

#[test]
fn of_an_event_as_the_api_server_gives_it_hardly_more_is_kept_than_its_managed_fields() {
    let event = Fixture::parse(include_str!("../../../benches/event.json").trim());
    let settings = EncodeSettings {
        fill_last_timestamp: false,
        identity: true,
        keep_source: true,
        cluster: Some("c".into()),
    };
    let out = encoded(&event, &Edits::default(), &[], &settings);
    let beside = out.bytes.len() - out.body(&out.docs[0]).len();
    let managed = event.head.managed_fields.len();
    assert!(beside < managed + 60, "{beside} bytes beside the document, {managed} managedFields");
    assert_eq!(out.source(&out.docs[0]), event.bytes);
}

#[test]
fn a_rewritten_event_keeps_its_source_whole() {
    let event = Fixture::parse(WATCHED);
    let settings = EncodeSettings { keep_source: true, ..EncodeSettings::default() };
    let mut out = Documents::default();
    let view = EventView { of: event.of(), edits: &Edits::default() };
    encode(view, b"as it was", &[], &settings, &mut out);
    assert!(matches!(out.docs[0].origin, Origin::Whole(_)));
    assert_eq!(&*out.source(&out.docs[0]), b"as it was");
}

#[test]
fn an_event_without_uid_or_version_is_known_by_the_digest_of_its_source() {
    let settings = EncodeSettings { identity: true, ..EncodeSettings::default() };
    for text in [WATCHED.replace("\"u-1\"", "null"), WATCHED.replace("\"7\"", "\"\"")] {
        let event = Fixture::parse(&text);
        let mut out = Documents::default();
        let view = EventView { of: event.of(), edits: &Edits::default() };
        encode(view, b"abc", &[], &settings, &mut out);
        let Some(DocumentIdentity::Digest(hex)) = out.docs[0].identity.clone() else {
            panic!("{out:?}")
        };
        // FIPS 180-2, appendix B.1
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(std::str::from_utf8(&out.bytes[hex]).unwrap(), expected);
    }
}

#[test]
fn bodies_alone_follow_each_other_as_lines() {
    let event = Fixture::parse(WATCHED);
    let mut out = Documents::default();
    for _ in 0..3 {
        encode(
            EventView { of: event.of(), edits: &Edits::default() },
            b"x",
            &[],
            &settings(None),
            &mut out,
        );
    }
    let lines: Vec<_> = out.bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let bodies: Vec<_> = out.docs.iter().map(|doc| [out.body(doc), b"\n"].concat()).collect();
    assert_eq!(lines, bodies);
}

/// `@timestamp`, the mark, and the index time of an event with these members.
fn times_of(claimed: &str, created: &str, managed: &[&str]) -> (String, Option<String>, i64) {
    let managed: Vec<_> = managed.iter().map(|time| format!("{{\"time\":\"{time}\"}}")).collect();
    let metadata =
        format!("{{\"creationTimestamp\":{created},\"managedFields\":[{}]}}", managed.join(","));
    let event =
        Fixture::parse(&format!("{{\"involvedObject\":{{}},{claimed}\"metadata\":{metadata}}}"));
    let out = encoded(&event, &Edits::default(), &[], &settings(None));
    let document = Model::parse(body(&out));
    let text = |pointer| document.at(pointer).and_then(Model::text).map(str::to_owned);
    (text("/@timestamp").unwrap(), text("/weir/timestamp"), out.docs[0].index_time)
}

#[test]
fn the_timestamp_is_the_first_of_five_that_is_a_time() {
    let names = ["series", "lastTimestamp", "eventTime", "firstTimestamp"];
    let values = [
        "{\"lastObservedTime\":\"2024-05-01T10:00:01Z\"}",
        "\"2024-05-01T10:00:02Z\"",
        "\"2024-05-01T10:00:03Z\"",
        "\"2024-05-01T10:00:04Z\"",
    ];
    for first in 0..=4 {
        let claimed: String = (0..4)
            .rev()
            .map(|at| {
                format!("\"{}\":{},", names[at], if at < first { "null" } else { values[at] })
            })
            .collect();
        let (timestamp, mark, _) = times_of(&claimed, "\"2024-05-01T10:00:05Z\"", &[]);
        assert_eq!((timestamp, mark), (format!("2024-05-01T10:00:0{}Z", first + 1), None));
    }
    assert_eq!(
        times_of("\"eventTime\":\"soon\",", "null", &[]),
        ("1970-01-01T00:00:00Z".into(), Some("absent".into()), 0)
    );
}

#[test]
fn a_time_that_stands_for_none_is_passed_over_wherever_it_is() {
    let zero = "\"0001-01-01T00:00:00Z\"";
    let claims = |last: &str, at: &str| format!("\"lastTimestamp\":{last},\"eventTime\":{at},");
    let (later, created) = ("\"2024-05-01T10:00:02Z\"", "\"2024-05-01T10:00:05Z\"");
    let (timestamp, mark, _) = times_of(&claims(zero, later), created, &["0001-01-01T00:00:00Z"]);
    assert_eq!((timestamp.as_str(), mark), ("2024-05-01T10:00:02Z", None));
    let (timestamp, mark, _) = times_of(&claims(zero, zero), created, &[]);
    assert_eq!((timestamp.as_str(), mark), ("2024-05-01T10:00:05Z", None));
    // Neither is it the server's time.
    let (timestamp, mark, _) = times_of(&claims(zero, later), zero, &["1970-01-01T00:00:00Z"]);
    assert_eq!((timestamp.as_str(), mark), ("2024-05-01T10:00:02Z", None));
    assert_eq!(
        times_of(&claims(zero, zero), zero, &["0001-01-01T00:00:00Z"]),
        ("1970-01-01T00:00:00Z".into(), Some("absent".into()), 0)
    );
}

#[test]
fn a_time_keeps_its_text_where_opensearch_reads_it() {
    let written = |time: &str| times_of(&format!("\"eventTime\":\"{time}\","), "null", &[]).0;
    for kept in [
        "2024-05-01T10:00:00.123456Z",
        "2024-05-01T12:00:00.5+02:00",
        "2024-05-01T10:00:00.123456789Z",
    ] {
        assert_eq!(written(kept), kept);
    }
    assert_snapshot!(written("2024-05-01t10:00:00z"), @"2024-05-01T10:00:00.000000Z");
    assert_snapshot!(written("2016-12-31T23:59:60Z"), @"2016-12-31T23:59:59.000000Z");
    assert_snapshot!(written("2024-05-01T10:00:00+23:00"), @"2024-04-30T11:00:00.000000Z");
    assert_snapshot!(written("\\u0032024-05-01T10:00:00Z"), @"2024-05-01T10:00:00Z");
}

#[test]
fn an_implausible_time_does_not_choose_the_index() {
    let claimed = "\"lastTimestamp\":\"2024-05-03T10:00:00Z\",";
    let near = Some("implausible".to_owned());
    let times = |created, managed: &[&str]| {
        let (_, mark, index) = times_of(claimed, created, managed);
        (mark, (index - TEN) / DAY)
    };
    // Two days after the creation, but someone updated it on the server then.
    assert_eq!(
        times("\"2024-05-01T10:00:00Z\"", &["2024-05-01T10:00:00Z", "2024-05-03T09:00:00Z"]),
        (None, 2)
    );
    // A day exactly is near.
    assert_eq!(times("\"2024-05-02T10:00:00Z\"", &[]), (None, 2));
    assert_eq!(times("\"2024-05-02T09:59:59Z\"", &[]).0, near);
    // The latest of the server's.
    assert_eq!(
        times("\"2024-05-01T10:00:00Z\"", &["nonsense", "2024-05-02T09:00:00Z"]),
        (near.clone(), 0)
    );
    assert_eq!(times("\"2024-05-01T10:00:00Z\"", &["2024-04-28T10:00:00Z"]), (near.clone(), 0));
    assert_eq!(times("null", &["2024-04-30T10:00:00Z"]), (near, -1));
    // The server said nothing.
    assert_eq!(times("null", &[]), (None, 2));
}

/// What the document must be, by the words of docs/delivery.md#the-document.
fn expected(mut event: Model, cluster: Option<&str>, errors: bool) -> Model {
    let original = event.clone();
    let text = |pointer: &str| original.at(pointer).and_then(Model::text).map(str::to_owned);
    let time =
        |pointer: &&str| text(pointer).filter(|text| parse_event_time(text.as_bytes()).is_some());
    let claims = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/metadata/creationTimestamp",
    ];
    let timestamp = claims.iter().find_map(time);
    let members = event.members();
    if let Some(Model::Object(metadata)) = members.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    members.remove("weir");
    let shown = timestamp.as_deref().unwrap_or("1970-01-01T00:00:00Z");
    for (key, value) in [("@timestamp", shown), ("apiVersion", "v1"), ("kind", "Event")] {
        members.insert(key.to_owned(), Model::Text(value.to_owned()));
    }
    if let Some(cluster) = cluster {
        members.insert("clusterName".to_owned(), Model::Text(cluster.to_owned()));
    }
    let at = timestamp.as_ref().map_or(0, |text| parse_event_time(text.as_bytes()).unwrap());
    let mut server: Vec<i64> = text("/metadata/creationTimestamp")
        .iter()
        .filter_map(|t| parse_event_time(t.as_bytes()))
        .collect();
    if let Some(Model::Array(fields)) = original.at("/metadata/managedFields") {
        let times = fields
            .iter()
            .filter_map(|field| parse_event_time(field.at("/time")?.text()?.as_bytes()));
        server.extend(times);
    }
    let plausible = server.is_empty() || server.iter().any(|time| (time - at).abs() <= DAY);
    let mark = match (&timestamp, plausible) {
        (None, _) => r#""timestamp":"absent""#,
        (_, false) => r#""timestamp":"implausible""#,
        _ => "",
    };
    let errors = if errors { r#""errors":[{"stage":"s","kind":"trap"}]"# } else { "" };
    let parts: Vec<_> = [mark, errors].into_iter().filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        members.insert("weir".to_owned(), Model::parse(&format!("{{{}}}", parts.join(","))));
    }
    event
}

/// `@timestamp` may be written in another way than in the event: the same time counts.
fn same_time(document: &mut Model, expected: &Model) {
    let time = |model: &Model| {
        model.at("/@timestamp").and_then(Model::text).and_then(|t| parse_rfc3339(t.as_bytes()))
    };
    assert_eq!(time(document), time(expected));
    let timestamp = expected.at("/@timestamp").unwrap().clone();
    document.members().insert("@timestamp".to_owned(), timestamp);
}

proptest! {
    #[test]
    fn the_document_is_the_event_with_its_edits_and_nothing_else(
        event in events(),
        edits in prop::collection::vec(edits(), 0..8),
        cluster in prop::option::of("\\PC{0,4}"),
        failed in any::<bool>(),
    ) {
        let fixture = Fixture::parse(&event);
        let mut model = Model::parse(&event);
        let mut made = Edits::default();
        for edit in &edits {
            let accepted = edit.try_on(&mut made, fixture.of()).is_ok();
            prop_assert_eq!(accepted, model.edit(edit), "{:?}", edit);
        }
        let errors = [StageError { stage: "s", kind: "trap" }];
        let errors = if failed { &errors[..] } else { &[] };
        let out = encoded(&fixture, &made, errors, &settings(cluster.as_deref()));
        let body = body(&out);
        prop_assert!(!body.contains(['\n', '\r']));
        let mut document = Model::parse(body);
        let expected = expected(model, cluster.as_deref(), failed);
        same_time(&mut document, &expected);
        prop_assert_eq!(document, expected);
        prop_assert!(made.is_empty() || body.len() <= made.tree().size(fixture.of()));
    }

    #[test]
    fn the_source_comes_back_byte_for_byte_whatever_was_edited(
        events in prop::collection::vec((events(), prop::collection::vec(edits(), 0..8)), 1..4),
        cluster in prop::option::of("\\PC{0,4}"),
        identity in any::<bool>(),
    ) {
        let settings =
            EncodeSettings { identity, keep_source: true, cluster, ..EncodeSettings::default() };
        let events: Vec<_> =
            events.iter().map(|(event, edits)| (Fixture::parse(event), edits)).collect();
        let mut out = Documents::default();
        for (event, edits) in &events {
            let mut made = Edits::default();
            for edit in *edits {
                let _ = edit.try_on(&mut made, event.of());
            }
            let view = EventView { of: event.of(), edits: &made };
            encode(view, &event.bytes, &[], &settings, &mut out);
        }
        for (doc, (event, _)) in out.docs.iter().zip(&events) {
            prop_assert_eq!(&*out.source(doc), &*event.bytes);
            if let Some(DocumentIdentity::Object { uid, version }) = doc.identity.clone() {
                let model = Model::parse(std::str::from_utf8(&event.bytes).unwrap());
                for (range, pointer) in [(uid, "uid"), (version, "resourceVersion")] {
                    let text = std::str::from_utf8(&out.bytes[range]).unwrap();
                    let pointer = format!("/metadata/{pointer}");
                    prop_assert_eq!(Some(text), model.at(&pointer).and_then(Model::text));
                }
            }
        }
    }

    #[test]
    fn a_document_without_managed_fields_is_its_own_document(event in events()) {
        let first = encoded(&Fixture::parse(&event), &Edits::default(), &[], &settings(Some("c")));
        let second = encoded(&Fixture::parse(body(&first)), &Edits::default(), &[], &settings(Some("c")));
        let third = encoded(&Fixture::parse(body(&second)), &Edits::default(), &[], &settings(Some("c")));
        prop_assert_eq!(body(&second), body(&third));
    }

    #[test]
    fn an_edit_that_is_taken_back_leaves_the_same_bytes(event in events(), edits in prop::collection::vec(edits(), 1..8)) {
        let fixture = Fixture::parse(&event);
        let unedited = encoded(&fixture, &Edits::default(), &[], &settings(None)).bytes;
        let mut made = Edits::default();
        let _: Vec<_> = edits.iter().map(|edit: &Edit| edit.try_on(&mut made, fixture.of())).collect();
        made.rollback();
        prop_assert!(made.is_empty());
        prop_assert_eq!(encoded(&fixture, &made, &[], &settings(None)).bytes, unedited);
    }
}
