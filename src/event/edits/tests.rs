use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::event::model::{Fixture, Model, edits, events};
use crate::event::view::EventView;

#[test]
fn a_string_is_written_as_serde_json_writes_it() {
    let every_one = (0..0x100).filter_map(char::from_u32).chain(['→', '🦀']);
    for text in every_one.map(|one| format!("a{one}b")).chain([String::new()]) {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
    }
}

fn event() -> Fixture {
    Fixture::parse(
        r#"{"metadata":{"name":"n","labels":{"a":1,"b":2,"a":3},"managedFields":[{"manager":"m"}]},"involvedObject":{},"list":[1 , 2.50],"s":"x"}"#,
    )
}

fn get(event: &Fixture, edits: &Edits, pointer: &str) -> Option<String> {
    EventView { of: event.of(), edits }.get(pointer).0.map(String::from)
}

fn whole(event: &Fixture, edits: &Edits) -> String {
    get(event, edits, "").unwrap()
}

#[test]
fn nothing_is_allocated_for_an_event_that_nobody_edits() {
    let mut edits = Edits::default();
    for _ in 0..3 {
        edits.commit();
        edits.rollback();
        edits.clear();
    }
    assert!(edits.is_empty());
    assert_eq!(edits.tree().capacity(), 0);
}

#[test]
fn clearing_keeps_what_was_allocated_but_not_what_a_huge_edit_took() {
    let event = event();
    let mut edits = Edits::default();
    edits.set_string(event.of(), "/a/b", "c").unwrap();
    let small = edits.tree().capacity();
    edits.clear();
    assert_eq!((edits.is_empty(), edits.tree().capacity()), (true, small));
    let elements = format!("[{}0]", "0,".repeat(100_000));
    edits.set_json(event.of(), "/a", &elements).unwrap();
    edits.set_json(event.of(), "/a/-", "1").unwrap();
    edits.clear();
    assert!(edits.tree().capacity() < 1 << 20, "{}", edits.tree().capacity());
}

#[test]
fn committed_edits_stay_and_pending_ones_can_be_taken_back() {
    let event = event();
    let mut edits = Edits::default();
    edits.append_string(event.of(), "/tags", "one").unwrap();
    edits.commit();
    let committed = whole(&event, &edits);
    edits.append_string(event.of(), "/tags", "two").unwrap();
    edits.remove(event.of(), "/list/0").unwrap();
    edits.set_bool(event.of(), "/metadata/labels/b", true).unwrap();
    edits.remove(event.of(), "/s").unwrap();
    assert_eq!(get(&event, &edits, "/tags").unwrap(), r#"["one","two"]"#);
    edits.rollback();
    assert_eq!(Model::parse(&whole(&event, &edits)), Model::parse(&committed));
    assert_eq!(get(&event, &edits, "/tags").unwrap(), r#"["one"]"#);
    edits.clear();
    assert_eq!(whole(&event, &edits).as_bytes(), event.bytes);
}

#[test]
fn of_a_repeated_key_the_last_one_is_read_and_an_edit_leaves_one() {
    let event = event();
    let mut edits = Edits::default();
    assert_eq!(get(&event, &edits, "/metadata/labels/a").unwrap(), "3");
    edits.set_integer(event.of(), "/metadata/labels/c", 4).unwrap();
    assert_eq!(get(&event, &edits, "/metadata/labels").unwrap(), r#"{"a":1,"b":2,"a":3,"c":4}"#);
    edits.set_integer(event.of(), "/metadata/labels/a", 5).unwrap();
    assert_eq!(get(&event, &edits, "/metadata/labels").unwrap(), r#"{"b":2,"a":5,"c":4}"#);
    edits.rollback();
    edits.remove(event.of(), "/metadata/labels/a").unwrap();
    assert_eq!(get(&event, &edits, "/metadata/labels").unwrap(), r#"{"b":2}"#);
}

#[test]
fn removing_past_the_end_of_an_array_removes_nothing() {
    let event = event();
    let mut edits = Edits::default();
    for nothing in ["/list/2", "/list/3", "/list/99/x", "/list/-", "/list/-/x"] {
        edits.remove(event.of(), nothing).unwrap();
        assert!(edits.is_empty(), "{nothing}");
    }
}

#[test]
fn managed_fields_can_be_read_after_an_edit_beside_them() {
    let event = event();
    let mut edits = Edits::default();
    edits.set_integer(event.of(), "/metadata/labels/c", 4).unwrap();
    assert_eq!(get(&event, &edits, "/metadata/managedFields/0/manager").unwrap(), "\"m\"");
    assert!(whole(&event, &edits).contains("managedFields"));
}

#[test]
fn a_call_has_its_own_limits() {
    let event = event();
    let limits = EditLimits { edits: 2, bytes: 20, ..EditLimits::default() };
    let mut edits = Edits::new(limits);
    edits.set_string(event.of(), "/a", "0123456789").unwrap();
    let too_large = edits.set_string(event.of(), "/b", "0123456789").unwrap_err();
    assert_snapshot!(too_large, @"the edit of `/b` is refused: too many bytes of pointers and values in one call");
    let too_many = edits.remove(event.of(), "/b").unwrap_err();
    assert_snapshot!(too_many, @"the edit of `/b` is refused: too many edits in one call");
    edits.commit();
    edits.set_string(event.of(), "/a", "").unwrap();
    edits.rollback();
    edits.set_string(event.of(), "/a", "").unwrap();
}

#[test]
fn a_document_that_is_too_large_may_only_shrink() {
    let event = event();
    let limits = EditLimits { document: event.bytes.len() + 300, ..EditLimits::default() };
    let mut edits = Edits::new(limits);
    let long = "x".repeat(200);
    assert_snapshot!(edits.set_string(event.of(), "/a", &long).unwrap_err(), @"the edit of `/a` is refused: the document would be too large");
    assert!(edits.is_empty());
    let mut small = Edits::new(EditLimits { document: 10, ..limits });
    small.remove(event.of(), "/list").unwrap();
    let tagged = Fixture::parse(r#"{"involvedObject":{},"tags":["x"],"source":{"a":1}}"#);
    let mut unchanged = Edits::new(EditLimits { document: 10, ..limits });
    unchanged.add_string(tagged.of(), "/tags", "x").unwrap();
    unchanged.remove(tagged.of(), "/source/absent").unwrap();
    assert!(unchanged.is_empty());
    unchanged.add_string(tagged.of(), "/tags", "y").unwrap_err();
    small.set_json(event.of(), "/s", "\"\"").unwrap();
    small.set_json(event.of(), "/s", "\"longer\"").unwrap_err();
}

#[test]
fn a_document_cannot_become_deeper_than_an_event_may_be() {
    let event = event();
    let mut edits = Edits::default();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    edits.set_json(event.of(), "/a", &deep(DEPTH_MAX - 1)).unwrap();
    edits.set_json(event.of(), "/a", &deep(DEPTH_MAX)).unwrap_err();
    edits.append_json(event.of(), "/b", &deep(DEPTH_MAX - 2)).unwrap();
    edits.append_json(event.of(), "/b", &deep(DEPTH_MAX - 1)).unwrap_err();
    edits.set_bool(event.of(), &"/x".repeat(DEPTH_MAX), true).unwrap();
    assert_snapshot!(edits.set_bool(event.of(), &"/x".repeat(DEPTH_MAX + 1), true).unwrap_err(), @"the edit of `/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x/x…` is refused: the document would be nested too deeply");
    // What was made is read again as an event.
    Fixture::parse(&whole(&event, &edits));
}

#[test]
fn refusals_say_what_stands_in_the_way() {
    let event = event();
    let mut edits = Edits::default();
    let mut refused = |result: fn(&mut Edits, Original<'_>) -> Result<(), EditError>| {
        let error = result(&mut edits, event.of()).unwrap_err().to_string();
        assert!(edits.is_empty());
        error
    };
    assert_snapshot!(refused(|edits, of| edits.set_bool(of, "", true)), @"`` is not a JSON pointer to a member: it is empty: the whole event cannot be edited at once");
    assert_snapshot!(refused(|edits, of| edits.set_bool(of, "a~2", true)), @"`a~2` is not a JSON pointer to a member: it does not begin with `/`");
    assert_snapshot!(refused(|edits, of| edits.set_bool(of, "/a~2", true)), @"`/a~2` is not a JSON pointer to a member: a `~` must be followed by `0` or `1`");
    assert_snapshot!(refused(|edits, of| edits.remove(of, "/metadata")), @"`/metadata` is protected: `/metadata/uid` may not be edited");
    assert_snapshot!(refused(|edits, of| edits.set_bool(of, "/s/x/y", true)), @"cannot edit `/s/x/y`: a string, number, boolean or null stands in the way");
    assert_snapshot!(refused(|edits, of| edits.set_bool(of, "/list/3", true)), @"cannot edit `/list/3`: the index is past the array's end");
    assert_snapshot!(refused(|edits, of| edits.set_bool(of, "/list/01", true)), @"cannot edit `/list/01`: an array's index is a number without leading zeros, or `-`");
    assert_snapshot!(refused(|edits, of| edits.append_string(of, "/s", "x")), @"cannot edit `/s`: it is not an array, so nothing can be appended");
    assert_snapshot!(refused(|edits, of| edits.set_float(of, "/a", f64::NAN)), @"the value for `/a` is refused: JSON has no NaN and no infinities");
    assert_snapshot!(refused(|edits, of| edits.set_json(of, "/a", "[1,]")), @"the value for `/a` is refused: not JSON at byte 3: expected a value");
    assert_snapshot!(refused(|edits, of| edits.set_json(of, "/a", "1 2")), @"the value for `/a` is refused: more than one JSON value: the first ends at byte 1");
    assert_snapshot!(refused(|edits, of| edits.set_json(of, "/a", " ")), @"the value for `/a` is refused: it ends before its JSON value does");
    assert_snapshot!(refused(|edits, of| edits.set_json(of, "/a", r#""\udc00""#)), @"the value for `/a` is refused: half a surrogate pair at byte 1");
    assert_snapshot!(refused(|edits, of| edits.set_json(of, "/a", &"[".repeat(200))), @"the value for `/a` is refused: nested too deeply at byte 128");
    let long = refused(|edits, of| edits.set_bool(of, &"é".repeat(300), true));
    assert!(long.len() < 400, "{long}");
}

#[test]
fn halves_of_surrogate_pairs_are_refused_and_pairs_kept() {
    let event = event();
    let mut edits = Edits::default();
    for bad in [
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\u0041""#,
        r#"{"\uDFFF":1}"#,
        r#""\udc00\ud800""#,
    ] {
        edits.set_json(event.of(), "/a", bad).unwrap_err();
    }
    for good in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#"["\"\ud83d\uDE00\\"]"#] {
        edits.set_json(event.of(), "/a", good).unwrap();
        assert_eq!(get(&event, &edits, "/a").unwrap(), good);
    }
}

#[test]
fn floats_are_written_in_the_shortest_form() {
    let event = event();
    let mut edits = Edits::default();
    let mut written = |value| {
        edits.set_float(event.of(), "/f", value).unwrap();
        get(&event, &edits, "/f").unwrap()
    };
    let values = [1.0, 0.1, -0.0, 1e300, 5e-324, 1e16, 123456789.125];
    assert_snapshot!(values.map(&mut written).join(" "), @"1.0 0.1 -0.0 1e+300 5e-324 1e+16 123456789.125");
}

/// The size that the tree keeps count of, against the edited event written down.
fn check_size(event: &Fixture, edits: &Edits) {
    let of = event.of();
    // What is cut out of `metadata` is not part of what is written here.
    if edits.is_empty() || !of.head.managed_fields.is_empty() {
        return;
    }
    let compact: usize =
        of.members.iter().map(|member| member.key.len() + member.value.len() + 4).sum();
    let root_spaces = of.bytes.len() - (compact + 1);
    let written = whole(event, edits).len() + root_spaces + tree::OWN_MEMBERS_BYTES;
    let counted = edits.tree().size(of);
    // One byte too many for each opened container: up to three on the way of each of 15 edits.
    assert!((written..=written + 45).contains(&counted), "{written} {counted}");
}

proptest! {
    /// Calls of several edits, each call kept or not, against a plain tree.
    #[test]
    fn edits_do_what_a_plain_tree_does(
        event in events(),
        calls in prop::collection::vec((prop::collection::vec(edits(), 0..6), any::<bool>()), 1..4),
    ) {
        let fixture = Fixture::parse(&event);
        let mut edits = Edits::default();
        let mut committed = Model::parse(&event);
        for (call, keep) in &calls {
            let mut pending = committed.clone();
            for edit in call {
                let before = edits.is_empty().then(|| whole(&fixture, &edits));
                let result = edit.try_on(&mut edits, fixture.of());
                prop_assert_eq!(result.is_ok(), pending.edit(edit), "{:?}: {:?}", edit, result);
                prop_assert_eq!(Model::parse(&whole(&fixture, &edits)), pending.clone(), "{:?}", edit);
                if let (Some(before), Err(_)) = (before, result) {
                    prop_assert_eq!(before, whole(&fixture, &edits));
                }
            }
            if *keep {
                edits.commit();
                committed = pending;
            } else {
                edits.rollback();
            }
            prop_assert_eq!(Model::parse(&whole(&fixture, &edits)), committed.clone());
            check_size(&fixture, &edits);
        }
    }
}
