use proptest::prelude::*;

use super::*;
use crate::event::model::{Fixture, Model, edits, events, pointers};

fn view<'a>(event: &'a Fixture, edits: &'a Edits) -> EventView<'a> {
    EventView { of: event.of(), edits }
}

#[test]
fn text_without_escapes_is_borrowed() {
    let event =
        Fixture::parse(r#"{"involvedObject":{"name":"pod"},"reason":"é","message":"a\u00e9\n"}"#);
    let edits = Edits::default();
    let view = view(&event, &edits);
    assert!(matches!(view.text(Field::RegardingName), Cow::Borrowed("pod")));
    assert!(matches!(view.text(Field::Reason), Cow::Borrowed("é")));
    assert_eq!(view.text(Field::Message), "aé\n");
    assert!(matches!(view.get("/involvedObject").0, Some(Cow::Borrowed(_))));
}

#[test]
fn a_count_that_is_none_is_one() {
    let event = Fixture::parse(r#"{"involvedObject":{},"count":7}"#);
    let mut edits = Edits::default();
    assert_eq!(view(&event, &edits).count(), 7);
    for (json, count) in
        [("0", 0), ("-1", 1), ("4294967295", u32::MAX), ("4294967296", 1), ("1.5", 1), ("\"2\"", 1)]
    {
        edits.set_json(event.of(), "/count", json).unwrap();
        assert_eq!(view(&event, &edits).count(), count, "{json}");
    }
    edits.remove(event.of(), "/count").unwrap();
    assert_eq!(view(&event, &edits).count(), 1);
}

#[test]
fn a_type_is_read_as_edited_however_it_is_spelt() {
    let event = Fixture::parse(r#"{"involvedObject":{},"type":"Normal"}"#);
    let mut edits = Edits::default();
    edits.set_json(event.of(), "/type", r#""W\u0061rning""#).unwrap();
    assert_eq!(view(&event, &edits).event_type(), EventType::Warning);
    edits.set_json(event.of(), "/type", "[]").unwrap();
    assert_eq!(view(&event, &edits).event_type(), EventType::Other);
}

#[test]
fn a_search_counts_what_it_read_whether_it_finds_or_not() {
    let event = Fixture::parse(r#"{"involvedObject":{},"big":{"a":"0123456789","b":[1,2,3]}}"#);
    let mut edits = Edits::default();
    for scans_inside in [true, false] {
        let scanned = |pointer| view(&event, &edits).get(pointer).1;
        assert!(scanned("/big") >= 34 && scanned("/big/a") < 100);
        assert!(scanned("/big/nothing") >= 34 || !scans_inside);
        assert!(scanned("") >= event.bytes.len());
        assert!(scanned("/nothing") > "/nothing".len() && scanned("bad") > 0);
        // An opened member is searched key by key.
        edits.set_bool(event.of(), "/big/c", true).unwrap();
    }
}

/// What a string getter answers, by the model.
fn text<'m>(model: &'m Model, pointer: &str) -> &'m str {
    model.at(pointer).and_then(Model::text).unwrap_or("")
}

proptest! {
    #[test]
    fn getters_answer_the_event_as_edited(
        event in events(),
        edits in prop::collection::vec(edits(), 0..6),
        pointers in prop::collection::vec(pointers(), 1..8),
    ) {
        let fixture = Fixture::parse(&event);
        let (mut made, mut model) = (Edits::default(), Model::parse(&event));
        for edit in &edits {
            let _ = edit.try_on(&mut made, fixture.of());
            model.edit(edit);
        }
        let view = view(&fixture, &made);
        for pointer in &pointers {
            let found = view.get(pointer).0.map(|json| Model::parse(&json));
            prop_assert_eq!(found.as_ref(), model.at(pointer), "{}", pointer);
        }
        let component = match text(&model, "/source/component") {
            "" => text(&model, "/reportingComponent"),
            component => component,
        };
        let expected = [
            (Field::Type, text(&model, "/type")), (Field::Reason, text(&model, "/reason")),
            (Field::Message, text(&model, "/message")), (Field::Action, text(&model, "/action")),
            (Field::Namespace, text(&model, "/metadata/namespace")), (Field::Name, text(&model, "/metadata/name")),
            (Field::Uid, text(&model, "/metadata/uid")), (Field::Component, component),
            (Field::Host, text(&model, "/source/host")),
            (Field::RegardingKind, text(&model, "/involvedObject/kind")),
            (Field::RegardingName, text(&model, "/involvedObject/name")),
            (Field::RegardingFieldPath, text(&model, "/involvedObject/fieldPath")),
        ];
        for (field, expected) in expected {
            prop_assert_eq!(view.text(field), expected, "{:?}", field);
            prop_assert!(view.text_is(field, |text| text == expected.as_bytes()), "{:?}", field);
        }
        let event_type = match text(&model, "/type") {
            "Normal" => EventType::Normal,
            "Warning" => EventType::Warning,
            _ => EventType::Other,
        };
        prop_assert_eq!(view.event_type(), event_type);
        let number = |pointer| match model.at(pointer) {
            Some(Model::Plain(text)) => text.parse().ok(),
            _ => None,
        };
        prop_assert_eq!(view.count(), number("/series/count").or(number("/count")).unwrap_or(1));
        let time = |pointers: &[&str]| {
            pointers.iter().find_map(|pointer| parse_event_time(text(&model, pointer).as_bytes()))
        };
        let (created, first, at) = ("/metadata/creationTimestamp", "/firstTimestamp", "/eventTime");
        prop_assert_eq!(view.first_seen(), time(&[first, at, created]));
        let last = ["/series/lastObservedTime", "/lastTimestamp", at, first, created];
        prop_assert_eq!(view.last_seen(), time(&last));
    }
}
