//! `sink.index`: an index name with at most one date placeholder, held to
//! [OpenSearch's naming rules][rules] before the first request could fail on them.
//!
//! [rules]: https://docs.opensearch.org/latest/api-reference/index-apis/create-index/

use crate::sink::{DateFormat, IndexPattern};

/// The placeholders, and how many bytes the date takes.
const DATES: [(DateFormat, usize); 5] = [
    (DateFormat::Day, 10),
    (DateFormat::Month, 7),
    (DateFormat::Year, 4),
    (DateFormat::DayWithDashes, 10),
    (DateFormat::MonthWithDashes, 7),
];
/// OpenSearch's limit.
const NAME_BYTES_MAX: usize = 255;
const FORBIDDEN: &str = "\\/*?\"<>| ,#:";

/// Reads an index name; `Err` says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<IndexPattern, String> {
    let found = DATES.iter().find_map(|(date, bytes)| {
        let (prefix, suffix) = text.split_once(date.placeholder())?;
        Some((prefix, Some(*date), suffix, *bytes))
    });
    let (prefix, date, suffix, date_bytes) = found.unwrap_or((text, None, "", 0));
    if [prefix, suffix].iter().any(|part| part.contains(['{', '}'])) {
        return Err("may hold one date placeholder: {yyyy.MM.dd}, {yyyy.MM}, {yyyy}, \
                    {yyyy-MM-dd} or {yyyy-MM}"
            .into());
    }
    if prefix.len() + date_bytes + suffix.len() > NAME_BYTES_MAX {
        return Err(format!("must not be longer than {NAME_BYTES_MAX} bytes, the date included"));
    }
    if text.is_empty() || text == "." || text == ".." {
        return Err("must be an index name, such as \"kube-events-{yyyy.MM.dd}\"".into());
    }
    // The index template matches everything that begins so: `*` would be the whole cluster.
    if date.is_some() && !prefix.contains(char::is_alphanumeric) {
        return Err("must begin with a name of its own before the date, such as \
                    \"kube-events-{yyyy.MM.dd}\": the index template is for every index that \
                    begins so"
            .into());
    }
    if text.starts_with(['-', '_', '+']) {
        return Err(
            "must not begin with `-`, `_` or `+`: OpenSearch refuses such an index name".into()
        );
    }
    let wrong =
        |c: char| FORBIDDEN.contains(c) || c.is_uppercase() || c.is_control() || c.is_whitespace();
    if let Some(c) = prefix.chars().chain(suffix.chars()).find(|c| wrong(*c)) {
        return Err(format!(
            "must not hold {c:?}: OpenSearch refuses upper case and any of {FORBIDDEN} in an index \
             name"
        ));
    }
    Ok(IndexPattern { prefix: prefix.into(), date, suffix: suffix.into() })
}

/// Whether the pattern, or the index template that is made of it, is for this index.
pub(super) fn holds(pattern: &IndexPattern, index: &str) -> bool {
    match pattern.date {
        None => pattern.prefix == index,
        Some(_) => {
            index.len() >= pattern.prefix.len() + pattern.suffix.len()
                && index.starts_with(&pattern.prefix)
                && index.ends_with(&pattern.suffix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_index_may_hold_one_date() {
        let day = parse("kube-{yyyy.MM.dd}-x").unwrap();
        assert_eq!(
            (day.prefix.as_str(), day.date, day.suffix.as_str()),
            ("kube-", Some(DateFormat::Day), "-x")
        );
        assert_eq!(parse("kube-{yyyy.MM}").unwrap().date, Some(DateFormat::Month));
        assert_eq!(parse("kube-{yyyy}").unwrap().date, Some(DateFormat::Year));
        let dashes = |text| parse(text).unwrap().date;
        assert_eq!(dashes("kube-{yyyy-MM-dd}"), Some(DateFormat::DayWithDashes));
        assert_eq!(dashes("kube-{yyyy-MM}"), Some(DateFormat::MonthWithDashes));
        assert_eq!(parse("kube").unwrap().date, None);
    }

    #[test]
    fn a_date_alone_would_make_a_template_for_the_whole_cluster_and_is_refused() {
        for text in ["{yyyy.MM.dd}", "{yyyy}", ".{yyyy.MM}", "{yyyy}-kube", ".-_{yyyy}"] {
            assert!(parse(text).unwrap_err().contains("before the date"), "{text}");
        }
        assert!(parse(".k{yyyy}").is_ok() && parse("7{yyyy}").is_ok());
    }

    #[test]
    fn what_opensearch_would_refuse_is_refused() {
        for text in [
            "",
            ".",
            "..",
            "Kube",
            "kube events",
            "a/b",
            "a:b",
            "-a",
            "_a",
            "+a",
            "a\"b",
            "a,b",
            "a#b",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["a-{yyyy}-{yyyy}", "a-{dd}", "a-{yyyy", "a-{yyyy}-{MM}"] {
            assert!(parse(text).unwrap_err().contains("placeholder"), "{text}");
        }
        assert!(parse(&"x".repeat(255)).is_ok());
        assert!(parse(&"x".repeat(256)).is_err());
        assert!(parse(&format!("{}{{yyyy.MM.dd}}", "x".repeat(246))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_shown_as_it_was_written(text in "[a-z.-]{0,5}(\\{yyyy(\\.MM(\\.dd)?|-MM(-dd)?)?\\})?[a-z{}]{0,3}") {
            if let Ok(pattern) = parse(&text) {
                prop_assert_eq!(pattern.to_string(), text);
            }
        }
    }
}
