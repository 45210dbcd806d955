#![allow(clippy::unwrap_used)] // Every function here is a test's.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::from_str;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    #[serde(default)]
    routes: Vec<Route>,
    on: bool,
    share: Option<f64>,
    how: How,
    pair: (u8, char),
    #[serde(default)]
    names: BTreeMap<String, i16>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Route {
    to: String,
    limit: u32,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum How {
    Fast,
    Slow(u8),
    Paced { by: u8 },
}

/// What serde_json makes of the same text is what it means.
fn as_serde_json_reads_it<'de, T>(json: &'de str)
where
    T: Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    assert_eq!(from_str::<T>(json).ok(), serde_json::from_str::<T>(json).ok(), "{json}");
}

#[test]
fn a_type_is_read_as_serde_json_reads_it() {
    for how in [json!("fast"), json!({"slow": 3}), json!({"paced": {"by": 4}}), json!("other")] {
        let routes = json!([{"to": "a\n\"ü\u{1f600}", "limit": 4_000_000_000_u32, "more": [{}]}]);
        let settings = json!({"routes": routes, "on": true, "share": 0.5, "how": how,
            "pair": [255, "x"], "names": {"a b": -32768, "ü": 3}});
        as_serde_json_reads_it::<Settings>(&settings.to_string());
        as_serde_json_reads_it::<Settings>(&serde_json::to_string_pretty(&settings).unwrap());
        as_serde_json_reads_it::<Value>(&settings.to_string());
    }
    for text in [
        r#""\u00e9\ud83d\ude00\/\b\f\t""#,
        r#""\ud83d""#,
        r#""\ud83dx""#,
        r#""\ud83d\u0041""#,
        r#""\x""#,
        r#""\u00g0""#,
        r#""open"#,
        "\"\\",
        "",
        " ",
        "1 2",
        "[1,]",
        "[,1]",
        "{\"a\" 1}",
        "{\"a\":}",
        "nul",
        "tru",
        "[1",
        "[1}",
        "1e400",
        "-",
        "18446744073709551616",
        "-9223372036854775808",
        "01x",
        "[[],{}]",
    ] {
        as_serde_json_reads_it::<Value>(text);
        as_serde_json_reads_it::<String>(text);
        as_serde_json_reads_it::<i64>(text);
    }
}

#[test]
fn an_error_names_the_member() {
    let error = |json: &str| from_str::<Settings>(json).unwrap_err();
    let with = |member: &str| format!(r#"{{{member},"on":true,"how":"fast","pair":[1,"x"]}}"#);
    assert_eq!(
        error(&with(r#""routes":[{"to":"a","limit":1},{"to":1,"limit":1}]"#)),
        "`routes[1].to`: invalid type: integer `1`, expected a string"
    );
    assert_eq!(error(&with(r#""routes":[{"to":"a"}]"#)), "`routes[0]`: missing field `limit`");
    assert_eq!(
        error(&with(r#""names":{"a":40000}"#)),
        "`names.a`: invalid value: integer `40000`, expected i16"
    );
    assert_eq!(
        error(&with(r#""share":"much""#)),
        "`share`: invalid type: string \"much\", expected f64"
    );
    assert_eq!(
        error(&with(r#""names":{"a":1.5}"#)),
        "`names.a`: invalid type: `1.5`, expected i16"
    );
    assert_eq!(error(&with(r#""names":[]"#)), "`names`: invalid type: sequence, expected a map");
    assert_eq!(
        error(&with(r#""Routes":[]"#)),
        "unknown field `Routes`, expected one of `routes`, `on`, `share`, `how`, `pair`, `names`"
    );
    assert_eq!(error(r#"{"on":1}"#), "`on`: invalid type: integer `1`, expected a boolean");
    assert_eq!(error("[]"), "invalid type: sequence, expected struct Settings");
    assert_eq!(
        error(r#"{"how":"slowly"}"#),
        "`how`: unknown variant `slowly`, expected one of `fast`, `slow`, `paced`"
    );
    assert_eq!(error(r#"{"how":"slow"}"#), "`how`: `slow` needs a value");
    assert_eq!(error(r#"{"how":{"fast":1}}"#), "`how`: `fast` has no value");
    assert_eq!(
        error(r#"{"how":{"paced":{"by":"x"}}}"#),
        "`how.paced.by`: invalid type: string \"x\", expected u8"
    );
    assert_eq!(error(r#"{"pair":[1,"x",2]}"#), "`pair`: there are more elements than expected");
}

#[test]
fn no_text_exhausts_the_stack() {
    let deep = "[".repeat(100_000);
    assert!(from_str::<Value>(&deep).unwrap_err().ends_with("nested deeper than 128 levels"));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(from_str::<serde::de::IgnoredAny>(&deep).is_ok());
}
