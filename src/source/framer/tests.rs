use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::event::testing::{Damage, Json, Style, damaged, styles, values};
use crate::event::{DEAD_LETTER_HEAD_BYTES, DEPTH_MAX, Head};

/// Everything that a framer told, and what it put into chunks, in words that can be compared.
#[derive(Debug, Default, PartialEq)]
struct Found {
    frames: Vec<String>,
    events: Vec<String>,
    sources: Vec<String>,
    rejections: Vec<(String, String)>,
}

impl Visitor for Found {
    fn event(&mut self, frame: FrameType, bytes: &[u8], head: &Head) -> bool {
        let name = String::from_utf8_lossy(&bytes[head.name.range()]).into_owned();
        self.frames.push(format!("{} {name}", frame.label()));
        name != "unwanted"
    }

    fn other(&mut self, other: Other<'_>) {
        self.frames.push(format!("{other:?}"));
    }

    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String> {
        self.frames.push(format!("{} refused", rejected.frame.label()));
        Some(rejected.location.to_string())
    }
}

impl Found {
    fn collect(&mut self, chunk: &Chunk) {
        for event in &chunk.events {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            self.events.push(text(chunk.event_bytes(event)));
            self.sources.push(text(&chunk.bytes[event.source_bytes.clone()]));
            for member in chunk.event_members(event) {
                assert!(chunk.event_bytes(event)[member.key.range().start - 1] == b'"');
            }
        }
        for rejection in &chunk.rejections {
            let what = format!("{} {:?}: {}", rejection.location, rejection.kind, rejection.detail);
            self.rejections.push((what, String::from_utf8_lossy(&rejection.bytes).into_owned()));
        }
    }

    fn refusals(&self) -> Vec<&str> {
        self.rejections.iter().map(|(what, _)| what.as_str()).collect()
    }
}

/// Frames pieces of one input, with a chunk of its own for each piece that says so.
fn frame_pieces(pieces: &[(&[u8], bool)]) -> Found {
    let mut found = Found::default();
    let mut framer = Framer::new();
    let mut chunk = Chunk::default();
    for (piece, is_last_of_chunk) in pieces {
        let mut input = *piece;
        loop {
            let push = framer.push(input, &mut chunk, &mut found);
            input = &input[push.taken..];
            if push.is_full || *is_last_of_chunk {
                framer.detach(&mut chunk);
                found.collect(&chunk);
                chunk = Chunk::default();
            }
            if !push.is_full {
                assert!(input.is_empty());
                break;
            }
        }
    }
    framer.finish(&mut chunk, &mut found);
    framer.detach(&mut chunk);
    found.collect(&chunk);
    assert!(framer.is_between_objects(&chunk));
    found
}

fn frame(input: impl AsRef<[u8]>) -> Found {
    frame_pieces(&[(input.as_ref(), false)])
}

fn event(name: &str) -> String {
    format!(r#"{{"kind":"Event","apiVersion":"v1","metadata":{{"name":"{name}"}},"count":1}}"#)
}

fn names(found: &Found) -> Vec<String> {
    let name = |event: &String| {
        serde_json::from_str::<Value>(event).unwrap()["metadata"]["name"].to_string()
    };
    found.events.iter().map(name).collect()
}

#[test]
fn a_byte_order_mark_between_objects_is_skipped_and_ends_an_error_like_a_line_that_begins_one() {
    let mark = "\u{feff}";
    let (a, b, c) = (event("a"), event("b"), event("c"));
    let text = format!("{mark}{a}\n{mark}{mark}\n{mark}{b}{mark}{c}\noops\n{mark}{a}\n{mark}");
    for cut in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(cut);
        for is_last in [false, true] {
            let found = frame_pieces(&[(head, is_last), (tail, false)]);
            assert_eq!(names(&found), ["\"a\"", "\"b\"", "\"c\"", "\"a\""], "{cut}");
            assert_eq!(found.rejections.len(), 1, "{cut}: {:?}", found.rejections);
            assert_eq!(found.rejections[0].1, "oops", "{cut}");
        }
    }
    // One that is not whole, or stands within an object, is none.
    for text in [format!("{a}\n\u{fefe}{b}"), "\u{feff}".to_owned() + &a[..1] + mark + &a[1..]] {
        assert_eq!(frame(&text).rejections.len(), 1, "{text}");
    }
}

#[test]
fn what_stands_on_the_line_behind_a_list_without_its_end_is_found() {
    let found = frame(format!("{{\"items\":[{}]\n{}\n", event("a"), event("b")));
    assert_eq!(names(&found), ["\"a\"", "\"b\""]);
    assert_eq!(found.rejections.len(), 1, "{:?}", found.rejections);
}

#[test]
fn events_lists_and_envelopes_are_told_apart_in_one_stream() {
    let found = frame(format!(
        "\u{feff}{}\n\n {{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{},\n{}],\"metadata\":{{\"resourceVersion\":\"9\"}}}}{}\r\n{}{}",
        event("a"),
        event("b"),
        event("c"),
        r#"{"type":"ADDED","object":{"involvedObject":{},"metadata":{"name":"d"}}}"#,
        r#"{"object":{"involvedObject":{},"metadata":{"name":"e"}},"type":"MODIFIED"}"#,
        r#"{"type":"DELETED","object":{"involvedObject":{},"metadata":{"name":"f","resourceVersion":"10"}}}"#,
    ));
    insta::assert_snapshot!(found.frames.join("\n"), @r#"
    bare a
    item b
    item c
    ListMeta { resource_version: "9", continue_token: "" }
    ListEnd
    added d
    modified e
    Deleted { resource_version: "10" }
    "#);
    assert_eq!(found.events.len(), 5);
    assert!(found.rejections.is_empty());
}

#[test]
fn a_page_of_the_api_says_where_the_next_begins_before_its_items() {
    let found = frame(
        r#"{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"abc","remainingItemCount":12},"items":[]}"#,
    );
    insta::assert_snapshot!(found.frames.join("\n"), @r#"
    ListMeta { resource_version: "7", continue_token: "abc" }
    ListEnd
    "#);
}

#[test]
fn bookmarks_and_errors_of_a_watch_are_told() {
    let found = frame(concat!(
        r#"{"type":"BOOKMARK","object":{"kind":"Event","apiVersion":"v1","metadata":{"resourceVersion":"12746","creationTimestamp":null}}}"#,
        "\n",
        r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#,
        "\n",
        r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}}"#,
        "\n",
        r#"{"type":"ERROR","object":{}}"#,
    ));
    insta::assert_snapshot!(found.frames.join("\n"), @r#"
    Bookmark { resource_version: "12746" }
    Bookmark { resource_version: "9" }
    Error { code: 410, reason: "Expired", message: "too old resource version: 1 (2)" }
    Error { code: 0, reason: "", message: "" }
    "#);
}

#[test]
fn what_is_not_wanted_does_not_become_an_event() {
    let found = frame([event("a"), event("unwanted"), event("b")].join("\n"));
    assert_eq!(found.frames, ["bare a", "bare unwanted", "bare b"]);
    assert_eq!(names(&found), ["\"a\"", "\"b\""]);
}

#[test]
fn an_event_is_bare_when_its_kind_comes_first_whatever_else_it_has() {
    let found = frame(concat!(
        r#"{"kind":"Event","apiVersion":"v1","items":[1],"object":{"a":1},"type":"ADDED"}"#,
        r#"{"apiVersion":"v1","items":[{"involvedObject":{}}],"kind":"Event"}"#,
        r#"{"kind":"Event","apiVersion":"v1"}"#,
        r#"{"\u006fbject":{"involvedObject":{}},"kind":"Event","apiVersion":"v1","type":"ADDED"}"#,
    ));
    assert_eq!(found.frames, ["bare ", "item ", "ListEnd", "bare ", "added "]);
    assert_eq!(frame(r#"{"kind":"Event","apiVersion":"v1","object":{}}"#).frames, ["bare "]);
    assert_eq!(
        frame(r#"{"object":{},"kind":"Event","apiVersion":"v1","type":"Normal"}"#).frames,
        ["bare "]
    );
}

#[test]
fn events_of_the_other_api_are_rewritten_and_their_source_is_kept() {
    let source = r#"{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"a"},"regarding":{"kind":"Pod"},"note":"n"}"#;
    let found = frame(format!("{source}{}{source}", event("b")));
    let rewritten = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a"},"involvedObject":{"kind":"Pod"},"message":"n"}"#;
    assert_eq!(found.events, [rewritten, &event("b"), rewritten]);
    assert_eq!(found.sources, [source, &event("b"), source]);
    let found = frame(r#"{"regarding":{},"message":"a","note":"b"} {"regarding":{},"note":7}"#);
    insta::assert_snapshot!(found.refusals().join("\n"), @r"
    line 1, column 1 DuplicateKey: as core/v1 has it: the key `message` stands twice in the root
    line 1, column 43 WrongType: as core/v1 has it: message is a number, not a string
    ");
}

#[test]
fn after_an_error_of_syntax_it_goes_on_at_the_next_line_that_begins_with_a_brace() {
    let found = frame(format!(
        "{}\n{{\"kind\": oops}} {}\n  {{}}\nnoise\n{}\nnoise\n{{\"a\":\"\n{}\n{{\"a\":[\n{{\"b\":1}}\n{}\n",
        event("a"),
        event("on the broken line"),
        event("b"),
        event("c"),
        event("d")
    ));
    assert_eq!(names(&found), ["\"a\"", "\"b\"", "\"c\"", "\"d\""]);
    insta::assert_snapshot!(found.refusals().join("\n"), @r"
    line 2, column 10 Syntax: expected a value
    line 6, column 1 Syntax: expected an object, which begins with `{`
    line 7, column 7 Syntax: control character in a string
    line 11, column 1 Syntax: expected `,` or `]`
    line 10, column 1 NotAnEvent: not an Event of v1 or events.k8s.io/v1: its kind is absent, its apiVersion absent
    ");
    assert!(found.rejections[0].1.ends_with("{}\nnoise"));
    assert_eq!(
        (found.rejections[3].1.as_str(), found.rejections[4].1.as_str()),
        ("{\"a\":[", "{\"b\":1}")
    );
}

#[test]
fn an_error_of_meaning_costs_that_event_only() {
    let found = frame(format!(
        "{}{}{}\n{{\"items\":[{},7,\"x\",{{}},{}]}}",
        event("a"),
        r#"{"kind":"Event","apiVersion":"v1","reason":1}"#,
        event("b"),
        event("c"),
        event("d")
    ));
    assert_eq!(names(&found), ["\"a\"", "\"b\"", "\"c\"", "\"d\""]);
    insta::assert_snapshot!(found.refusals().join("\n"), @r"
    line 1, column 112 WrongType: reason is a number, not a string
    line 2, column 80 NotAnEvent: an item of a List that is no object
    line 2, column 82 NotAnEvent: an item of a List that is no object
    line 2, column 86 NotAnEvent: not an Event of v1 or events.k8s.io/v1: its kind is absent, its apiVersion absent
    ");
    assert_eq!(found.rejections[0].1, r#"{"kind":"Event","apiVersion":"v1","reason":1}"#);
}

#[test]
fn the_rest_of_a_broken_list_is_one_malformed_item() {
    let found = frame(format!(
        "{{\"items\":[\n {},\n {{oops}},\n {}\n]}}\n{}",
        event("a"),
        event("in the rest"),
        event("b")
    ));
    assert_eq!(names(&found), ["\"a\"", "\"b\""]);
    assert_eq!(found.refusals(), ["line 3, column 3 Syntax: expected a key"]);
    assert_eq!(found.rejections[0].1, format!("{{oops}},\n {}\n]}}", event("in the rest")));
}

#[test]
fn a_broken_item_on_a_line_of_its_own_costs_no_other() {
    for (open, close) in [("{\"items\":[", "]}"), ("[", "]"), ("{\"items\":[", " ] }")] {
        let found = frame(format!(
            "{open}\n{},\n{{oops}},\n{},\n{}\n{close}\n{}\n{}",
            event("a"),
            event("b"),
            event("c"),
            event("d"),
            "[]\n}"
        ));
        assert_eq!(names(&found), ["\"a\"", "\"b\"", "\"c\"", "\"d\""]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(found.refusals().join("\n"), @r"
            line 3, column 2 Syntax: expected a key
            line 9, column 1 Syntax: expected an object, which begins with `{`
            ");
        }
    }
}

#[test]
fn an_array_of_events_is_read_like_the_items_of_a_list() {
    let found =
        frame(format!("[{},\n {},7]\n[ ] {} [{}", event("a"), event("b"), event("c"), event("d")));
    assert_eq!(names(&found), ["\"a\"", "\"b\"", "\"c\"", "\"d\""]);
    assert_eq!(found.frames[..3], ["item a", "item b", "item refused"]);
    insta::assert_snapshot!(found.refusals().join("\n"), @r"
    line 2, column 71 NotAnEvent: an item of a List that is no object
    line 3, column 143 Truncated: the input ends inside a List
    ");
    insta::assert_snapshot!(frame(format!("[INFO] begun\n[1,2]\n{}\n[", event("a"))).refusals().join("\n"), @r"
    line 1, column 1 Syntax: expected an array of objects, as it begins with `[`
    line 4, column 1 Truncated: the input ends inside this object
    ");
}

#[test]
fn a_bracket_without_an_end_of_white_space_is_given_up() {
    let found = frame(format!("[{}\n{}", " ".repeat(UNIT_BYTES_MAX + CHUNK_BYTES), event("a")));
    assert_eq!((names(&found).len(), found.rejections.len()), (1, 1));
}

#[test]
fn a_list_without_items_or_whose_items_are_null_is_empty() {
    let meta = "ListMeta { resource_version: \"7\", continue_token: \"\" }";
    for list in [
        r#"{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":null}"#,
        r#"{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"7"}}"#,
        r#"{"metadata":{"resourceVersion":"7"},"kind":"EventList"}"#,
        r#"{"items": null, "metadata":{"resourceVersion":"7"},"kind":"List"}"#,
    ] {
        let found = frame(format!("{list}\n{}", event("a")));
        assert_eq!(found.frames, [meta, "ListEnd", "bare a"]);
        let pieces: Vec<_> = list.as_bytes().chunks(1).map(|byte| (byte, false)).collect();
        assert_eq!(frame_pieces(&pieces).frames, [meta, "ListEnd"]);
    }
    assert_eq!(frame(r#"{"kind":"Pod","items":null}"#).frames, ["bare refused"]);
    assert_eq!(frame(r#"{"kind":"PodList","items":{}}"#).frames, ["bare refused"]);
    assert_eq!(frame(r#"{"items":null,"involvedObject":{}}"#).frames, ["bare "]);
}

#[test]
fn what_the_end_of_the_input_cuts_off_is_refused() {
    let found = frame(format!("{}\n{}", event("a"), &event("b")[..40]));
    assert_eq!(found.refusals(), ["line 2, column 1 Truncated: the input ends inside this object"]);
    assert_eq!(found.rejections[0].1, &event("b")[..40]);
    let found = frame(format!("{{\"items\":[{},{}", event("a"), &event("b")[..40]));
    assert_eq!((names(&found).len(), found.rejections[0].1.as_str()), (1, &event("b")[..40]));
    assert_eq!(
        frame("{\"items\":[").refusals(),
        ["line 1, column 11 Truncated: the input ends inside a List"]
    );
    assert_eq!(
        frame("").frames.len() + frame(" \n").frames.len() + frame("\u{feff}").frames.len(),
        0
    );
}

#[test]
fn an_event_larger_than_a_chunk_has_a_chunk_to_itself() {
    for padding in [CHUNK_BYTES, EVENT_BYTES_MAX - 200] {
        let large = event(&"x".repeat(padding));
        let input = [event("a"), large.clone(), event("b")].join("\n");
        for piece in [input.len(), 100_000] {
            let pieces: Vec<_> =
                input.as_bytes().chunks(piece).map(|piece| (piece, false)).collect();
            let found = frame_pieces(&pieces);
            assert_eq!(found.events, [event("a"), large.clone(), event("b")]);
        }
    }
}

#[test]
fn what_is_larger_than_the_limit_is_skipped_to_its_end() {
    let large = event(&"x".repeat(EVENT_BYTES_MAX));
    let huge = event(&"{\\\"".repeat(EVENT_BYTES_MAX));
    for large in [large, huge] {
        let bare = [event("a"), large.clone(), event("b")].join("\n");
        let list = format!("{{\"items\":[{},{large},{}]}}", event("a"), event("b"));
        let watch =
            format!("{}\n{{\"type\":\"ADDED\",\"object\":{large}}}\n{}", event("a"), event("b"));
        for input in [bare, list, watch] {
            let whole = frame(&input);
            assert_eq!(names(&whole), ["\"a\"", "\"b\""]);
            assert!(
                whole.rejections[0].0.ends_with("TooLarge: larger than 2097152 bytes"),
                "{}",
                whole.rejections[0].0
            );
            assert_eq!(whole.rejections[0].1.len(), DEAD_LETTER_HEAD_BYTES);
            let pieces: Vec<_> =
                input.as_bytes().chunks(70_001).map(|piece| (piece, true)).collect();
            assert_eq!(frame_pieces(&pieces), whole);
        }
    }
}

#[test]
fn a_list_may_be_larger_than_any_buffer() {
    let items = vec![event("a"); 70_000];
    let input =
        format!("{{\"apiVersion\":\"v1\",\"items\":[{}],\"kind\":\"List\"}}", items.join(",\n"));
    assert!(input.len() > 2 * UNIT_BYTES_MAX, "{}", input.len());
    let found = frame(&input);
    assert_eq!((found.events.len(), found.rejections.len()), (70_000, 0));
}

#[test]
fn very_small_events_fill_a_chunk_by_their_number() {
    let input = "{\"involvedObject\":{}}\n".repeat(3 * CHUNK_EVENTS_MAX);
    let mut found = Found::default();
    let (mut framer, mut chunk) = (Framer::new(), Chunk::default());
    let push = framer.push(input.as_bytes(), &mut chunk, &mut found);
    assert!(push.is_full);
    assert_eq!(chunk.events.len(), CHUNK_EVENTS_MAX);
    assert_eq!(frame(&input).events.len(), 3 * CHUNK_EVENTS_MAX);
}

#[test]
fn too_deep_is_found_at_the_end_of_the_input_too() {
    let deep = format!("{{\"a\":{}", "[".repeat(DEPTH_MAX + 10));
    let found = frame_pieces(&[(&deep.as_bytes()[..20], false), (&deep.as_bytes()[20..], false)]);
    assert_eq!(
        found.refusals(),
        [format!("line 1, column {} Depth: nested deeper than 128 levels", DEPTH_MAX + 5)]
    );
    assert_eq!(found, frame(&deep));
}

/// What an input is made of, and what must be found in it.
#[derive(Clone, Debug)]
struct Part {
    json: Json,
    frames: Vec<String>,
    events: Vec<Json>,
}

fn object(members: &[(&str, Json)]) -> Json {
    Json::Object(members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn events() -> impl Strategy<Value = (String, Json)> {
    ("[a-z]{1,3}", values(), any::<bool>()).prop_map(|(name, extra, kind_first)| {
        let mut members = vec![
            ("metadata", object(&[("name", Json::text(&name)), ("x", extra)])),
            ("involvedObject", object(&[("kind", Json::text("Pod"))])),
        ];
        let kind = [("kind", Json::text("Event")), ("apiVersion", Json::text("v1"))];
        let at = if kind_first { 0 } else { members.len() };
        members.splice(at..at, kind);
        (name, object(&members))
    })
}

fn parts() -> impl Strategy<Value = Part> {
    let bare = events().prop_map(|(name, event)| Part {
        json: event.clone(),
        frames: vec![format!("bare {name}")],
        events: vec![event],
    });
    let list = (prop::collection::vec(events(), 0..4), any::<bool>()).prop_map(
        |(items, metadata_first)| {
            let mut members =
                vec![("items", Json::Array(items.iter().map(|(_, item)| item.clone()).collect()))];
            let metadata = ("metadata", object(&[("resourceVersion", Json::text("5"))]));
            members.insert(if metadata_first { 0 } else { 1 }, metadata);
            members.push(("kind", Json::text("List")));
            let mut frames: Vec<String> =
                items.iter().map(|(name, _)| format!("item {name}")).collect();
            let meta = Other::ListMeta { resource_version: "5", continue_token: "" };
            frames.insert(if metadata_first { 0 } else { frames.len() }, format!("{meta:?}"));
            frames.push("ListEnd".to_owned());
            Part {
                json: object(&members),
                frames,
                events: items.into_iter().map(|(_, item)| item).collect(),
            }
        },
    );
    let array = prop::collection::vec(events(), 0..4).prop_map(|items| Part {
        json: Json::Array(items.iter().map(|(_, item)| item.clone()).collect()),
        frames: items.iter().map(|(name, _)| format!("item {name}")).collect(),
        events: items.into_iter().map(|(_, item)| item).collect(),
    });
    let kind = prop::sample::select(vec!["ADDED", "MODIFIED", "DELETED"]);
    let envelope = (events(), kind, any::<bool>()).prop_map(|((name, event), kind, type_first)| {
        let mut members = vec![("object", event.clone())];
        members.insert(if type_first { 0 } else { 1 }, ("type", Json::text(kind)));
        let frame = match kind {
            "DELETED" => format!("{:?}", Other::Deleted { resource_version: "" }),
            kind => format!("{} {name}", kind.to_lowercase()),
        };
        let events = if kind == "DELETED" { vec![] } else { vec![event] };
        Part { json: object(&members), frames: vec![frame], events }
    });
    prop_oneof![3 => bare, 1 => list, 1 => array, 2 => envelope]
}

type Cuts = Vec<(prop::sample::Index, bool)>;

fn cuts() -> impl Strategy<Value = Cuts> {
    prop::collection::vec(any::<(prop::sample::Index, bool)>(), 0..6)
}

fn cut<'a>(input: &'a [u8], cuts: &Cuts) -> Vec<(&'a [u8], bool)> {
    let mut cuts: Vec<_> =
        cuts.iter().map(|(cut, detach)| (cut.index(input.len() + 1), *detach)).collect();
    cuts.sort_unstable();
    let mut start = 0;
    let mut pieces: Vec<_> = cuts
        .into_iter()
        .map(|(end, detach)| (&input[std::mem::replace(&mut start, end)..end], detach))
        .collect();
    pieces.push((&input[start..], false));
    pieces
}

fn write(parts: &[Part], styles: &[Style]) -> String {
    let texts = parts.iter().zip(styles.iter().cycle());
    texts.map(|(part, style)| part.json.write(&mut style.clone())).collect::<Vec<_>>().join("\n")
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(json!("not JSON"))
}

proptest! {
    #[test]
    fn everything_is_found_however_it_is_written_and_cut(
        parts in prop::collection::vec(parts(), 0..5), styles in prop::collection::vec(styles(), 1..3), cuts in cuts(),
    ) {
        let input = write(&parts, &styles);
        let found = frame_pieces(&cut(input.as_bytes(), &cuts));
        prop_assert!(found.rejections.is_empty(), "{:?} in {}", found.rejections, input);
        let frames: Vec<&String> = parts.iter().flat_map(|part| &part.frames).collect();
        // Names may be written with escapes, which the recorder does not decode.
        if !styles.iter().any(|style| style.escapes) {
            prop_assert_eq!(found.frames.iter().collect::<Vec<_>>(), frames);
        }
        let expected: Vec<Value> = parts.iter().flat_map(|part| &part.events).map(|event| value(&event.compact())).collect();
        prop_assert_eq!(found.events.iter().map(|event| value(event)).collect::<Vec<_>>(), expected);
        prop_assert!(found.events.iter().all(|event| !event.contains(['\n', '\r'])));
    }

    #[test]
    fn damaged_input_gives_the_same_however_it_is_cut(
        parts in prop::collection::vec(parts(), 1..5), styles in prop::collection::vec(styles(), 1..3),
        damage in prop::collection::vec(damaged(), 1..4), cuts in cuts(),
    ) {
        let mut input = write(&parts, &styles).into_bytes();
        damage.iter().for_each(|damage: &Damage| damage.apply(&mut input));
        let whole = frame(&input);
        prop_assert_eq!(frame_pieces(&cut(&input, &cuts)), whole, "{}", String::from_utf8_lossy(&input));
    }

    #[test]
    fn one_broken_line_among_whole_ones_costs_no_other(
        before in prop::collection::vec(events(), 0..3), broken in events(), after in prop::collection::vec(events(), 1..3), at: prop::sample::Index,
    ) {
        // Cut off anywhere, so that the next line comes too early.
        let text = broken.1.compact();
        let broken = &text[..text.floor_char_boundary(1 + at.index(text.len() - 1))];
        let lines = |events: &[(String, Json)]| events.iter().map(|(_, event)| event.compact() + "\n").collect::<String>();
        let input = format!("{}{broken}\n{}", lines(&before), lines(&after));
        let found = frame(&input);
        prop_assert_eq!((found.events.len(), found.rejections.len()), (before.len() + after.len(), 1), "{}", &input);
        prop_assert_eq!(&found.rejections[0].1, broken.trim_ascii_end());
    }

    #[test]
    fn any_bytes_are_framed_without_a_panic_and_the_same_however_they_are_cut(
        input in prop::collection::vec(prop_oneof![prop::sample::select(b"{}[]\",:\\ \n1tn".to_vec()), any::<u8>()], 0..200), cuts in cuts(),
    ) {
        prop_assert_eq!(frame_pieces(&cut(&input, &cuts)), frame(&input));
    }
}
