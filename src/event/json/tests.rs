use std::borrow::Cow;

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::super::testing::{Json, Style, damaged, styles, values};
use super::*;

/// serde_json's verdict on the grammar alone: no limit on depth, no check of UTF-8 or surrogates.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Exactly one value.
fn scan(bytes: &[u8]) -> Result<Span, ScanError> {
    let mut scanner = Scanner::new(bytes, 0);
    let span = scanner.value()?;
    match scanner.peek() {
        Err(ScanError::End) => Ok(span),
        _ => Err(ScanError::Syntax { at: scanner.position(), what: "more behind the value" }),
    }
}

#[test]
fn what_rfc_8259_has_is_accepted() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-1.5e+10",
        "0.1E-2",
        "1e5",
        "\"\"",
        "\"\\u00e9\\n\\/\"",
        "[]",
        "{}",
        " [ 1 , 2 ] ",
        "{\"a\":{\"b\":[{}]}}",
        "\"\\ud800\"",
        "\t\r\n[[],{\"\":0}]",
        "1E400",
        "\"\u{7f}\u{80}\u{10ffff}\"",
    ] {
        assert!(scan(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn what_rfc_8259_has_not_is_refused() {
    for text in [
        "01",
        "-01",
        "1.",
        "+1",
        ".5",
        "1e",
        "1e+",
        "-",
        "--1",
        "0x10",
        "NaN",
        "Infinity",
        "nul",
        "nulL",
        "tru e",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{0}\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1]",
        "[1}",
        "]",
        "}",
        "",
        " ",
        "\"",
        "[",
        "{",
        "{\"a\":",
        "[1] 2",
        "/**/1",
        "\u{feff}1",
        "1\u{a0}",
        "{\"a\":1 \"b\":2}",
        "{null:1}",
        "[\"a\":1]",
        "\u{b}1",
    ] {
        assert!(scan(text.as_bytes()).is_err(), "{text}");
        assert!(!is_json(text.as_bytes()), "{text}");
    }
}

#[test]
fn an_error_says_where_and_what() {
    assert_eq!(scan(b"{\"a\": tru}"), Err(ScanError::Syntax { at: 9, what: "expected a value" }));
    assert_eq!(scan(b"[1,2"), Err(ScanError::End));
    assert_eq!(
        scan(b"\"a\x01\""),
        Err(ScanError::Syntax { at: 2, what: "control character in a string" })
    );
}

#[test]
fn a_hundred_and_twenty_eight_levels_are_enough() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| format!("{}{}", open.repeat(levels), close.repeat(levels));
        let filled = |levels: usize| nested(levels).replacen(":}", ":1}", 1);
        assert!(scan(filled(DEPTH_MAX).as_bytes()).is_ok());
        let at = DEPTH_MAX * open.len();
        assert_eq!(scan(filled(DEPTH_MAX + 1).as_bytes()), Err(ScanError::Depth { at }));
    }
}

#[test]
fn siblings_do_not_add_up_to_depth() {
    let text = format!("[{}]", vec!["[[[]]]"; 500].join(","));
    assert!(scan(text.as_bytes()).is_ok());
}

#[test]
fn half_a_surrogate_pair_decodes_to_the_replacement_character() {
    let decoded = |text: &str| decode(text.as_bytes(), Span::escaped(0, text.len())).into_owned();
    assert_eq!(decoded("\\ud83d\\ude00"), "😀");
    assert_eq!(decoded("\\ud83d"), "\u{fffd}");
    assert_eq!(decoded("\\ud83d\\u0041"), "\u{fffd}A");
    assert_eq!(decoded("\\ud83dx\\ude00"), "\u{fffd}x\u{fffd}");
    assert_eq!(decoded("\\\\u0041\\\"\\/\\b\\f\\n\\r\\t"), "\\u0041\"/\u{8}\u{c}\n\r\t");
}

#[test]
fn specials_are_found_at_every_offset_of_a_word() {
    for special in [b'"', b'\\', 0x1f, 0x00] {
        for at in 0..24 {
            for neighbour in [b'!', b'#', b'[', b']', b' ', 0x7f, 0x80, 0xff] {
                let mut bytes = [neighbour; 32];
                bytes[at] = special;
                bytes[at + 1] = b'"';
                assert_eq!(find_special(&bytes, 0), Some(at));
            }
        }
    }
}

proptest! {
    #[test]
    fn every_way_to_write_a_value_is_accepted(value in values(), mut style in styles()) {
        let text = value.write(&mut style);
        let span = scan(text.as_bytes()).unwrap();
        prop_assert_eq!(&text.as_bytes()[span.range()], text.trim_matches([' ', '\n', '\r', '\t']).as_bytes());
    }

    #[test]
    fn damaged_text_is_judged_as_serde_json_does(
        value in values(), mut style in styles(),
        damage in prop::collection::vec(damaged(), 1..3),
    ) {
        let mut bytes = value.write(&mut style).into_bytes();
        for damage in damage {
            damage.apply(&mut bytes);
        }
        prop_assert_eq!(scan(&bytes).is_ok(), is_json(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn more_bytes_never_change_a_verdict(value in values(), mut style in styles(), damage in damaged()) {
        let mut bytes = Json::Array(vec![value]).write(&mut style).into_bytes();
        damage.apply(&mut bytes);
        // A number is only whole where something follows it.
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        prop_assume!(!first.is_some_and(|first| matches!(first, b'-' | b'0'..=b'9')));
        let mut whole = Scanner::new(&bytes, 0);
        let verdict = whole.value();
        for cut in 0..bytes.len() {
            let part = Scanner::new(&bytes[..cut], 0).value();
            prop_assert!(part == Err(ScanError::End) || part == verdict, "{:?} is not {:?}", part, verdict);
        }
    }

    #[test]
    fn decoding_gives_back_what_was_written(text: String, mut style in styles()) {
        style.spaces = false;
        let json = Json::String(text.clone()).write(&mut style);
        let span = Scanner::new(json.as_bytes(), 0).string().unwrap();
        prop_assert_eq!(decode(json.as_bytes(), span), text.as_str());
        prop_assert_eq!(span.has_escapes(), json.contains('\\'));
        if !span.has_escapes() {
            prop_assert!(matches!(decode(json.as_bytes(), span), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn the_tests_own_writer_is_right(value in values(), mut style in styles()) {
        let text = value.write(&mut style);
        let compact = Style { seed: 0, spaces: false, escapes: false };
        prop_assert!(is_json(text.as_bytes()));
        if let Json::String(text) = &value {
            let read: String = serde_json::from_str(&value.write(&mut compact.clone())).unwrap();
            prop_assert_eq!(&read, text);
        }
    }
}
