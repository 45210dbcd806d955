//! Makes the body of a `_bulk` request: one action line and one document line an item. Pure.
//!
//! Invariant: what is written depends on the item and the settings alone, so a retry, a relist and
//! a restart address the same document of the same index.

use crate::event::DocumentIdentity;
use crate::handoff::Item;
use crate::opensearch::Refusal;
use crate::sink::settings::{DateFormat, IndexPattern, Mode};

/// OpenSearch's own limit (`IndexRequest.validate`).
const ID_BYTES_MAX: usize = 512;
/// What an action line takes, about.
const ACTION_BYTES: usize = 192;

/// The actions of requests to one target.
#[derive(Clone, Debug)]
pub(super) struct Actions {
    pattern: IndexPattern,
    mode: Mode,
    /// The start of a day (in days since the epoch) and the index of that day: consecutive events
    /// share it.
    day: Option<i64>,
    index: String,
}

impl Actions {
    pub(super) fn new(pattern: IndexPattern, mode: Mode) -> Actions {
        Actions { pattern, mode, day: None, index: String::new() }
    }

    /// Why OpenSearch could never be asked to store this item, if so.
    pub(super) fn refusal(&self, item: &Item) -> Option<Refusal> {
        let bytes = &item.documents().bytes;
        match (&item.document().identity, self.mode) {
            (Some(DocumentIdentity::Object { uid, version }), Mode::History) => {
                (uid.len() + 1 + version.len() > ID_BYTES_MAX).then_some(Refusal::IdTooLong)
            }
            (Some(DocumentIdentity::Object { uid, version }), Mode::Latest) => {
                if !is_external_version(&bytes[version.clone()]) {
                    return Some(Refusal::NoIdentity);
                }
                (uid.len() > ID_BYTES_MAX).then_some(Refusal::IdTooLong)
            }
            (Some(DocumentIdentity::Digest(_)), Mode::History) => None,
            (Some(DocumentIdentity::Digest(_)) | None, _) => Some(Refusal::NoIdentity),
        }
    }

    /// The index as it is configured, without its date.
    pub(super) fn name(&self) -> String {
        self.pattern.name()
    }

    /// The body that stores `items`, none of which has a [`refusal`](Actions::refusal).
    pub(super) fn body<'a>(&mut self, items: impl Iterator<Item = &'a Item> + Clone) -> Vec<u8> {
        let bytes: usize = items.clone().map(|item| item.body().len() + 1 + ACTION_BYTES).sum();
        let mut out = Vec::with_capacity(bytes);
        for item in items {
            self.action(item, &mut out);
            out.extend_from_slice(item.body());
            out.push(b'\n');
        }
        out
    }

    fn action(&mut self, item: &Item, out: &mut Vec<u8>) {
        let bytes = &item.documents().bytes;
        let start: &[u8] = match self.mode {
            Mode::History => br#"{"create":{"_index":""#,
            Mode::Latest => br#"{"index":{"_index":""#,
        };
        out.extend_from_slice(start);
        // The characters of an index name need no escape: `config` lets no other through.
        out.extend_from_slice(self.index_of(item.document().index_time).as_bytes());
        out.extend_from_slice(br#"","_id":""#);
        self.write_id(item, out);
        out.push(b'"');
        if let (Some(DocumentIdentity::Object { version, .. }), Mode::Latest) =
            (&item.document().identity, self.mode)
        {
            out.extend_from_slice(br#","version_type":"external","version":"#);
            out.extend_from_slice(&bytes[version.clone()]);
        }
        out.extend_from_slice(b"}}\n");
    }

    /// The `_id` of `item`.
    pub(super) fn id(&self, item: &Item) -> String {
        let mut id = Vec::with_capacity(64);
        self.each_part_of_id(item, |part| id.extend_from_slice(part));
        String::from_utf8(id)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The same, as the inside of a JSON string.
    fn write_id(&self, item: &Item, out: &mut Vec<u8>) {
        self.each_part_of_id(item, |part| escape(part, out));
    }

    fn each_part_of_id(&self, item: &Item, mut part: impl FnMut(&[u8])) {
        let bytes = &item.documents().bytes;
        match &item.document().identity {
            Some(DocumentIdentity::Object { uid, version }) => {
                part(&bytes[uid.clone()]);
                if self.mode == Mode::History {
                    part(b".");
                    part(&bytes[version.clone()]);
                }
            }
            Some(DocumentIdentity::Digest(hex)) => {
                part(b"sha256:");
                part(&bytes[hex.clone()]);
            }
            // Refused, and so not here; an empty id is refused by OpenSearch, alone.
            None => {}
        }
    }

    /// The index of an event with this time, in µs since the epoch.
    fn index_of(&mut self, time: i64) -> &str {
        let day = time.div_euclid(24 * 3600 * 1_000_000);
        if self.day != Some(day) {
            self.day = Some(day);
            self.index = index_name(&self.pattern, time);
        }
        &self.index
    }
}

/// The index name of a time in µs since the epoch, its date in UTC.
pub(super) fn index_name(pattern: &IndexPattern, time: i64) -> String {
    let IndexPattern { prefix, date, suffix } = pattern;
    // A time beyond the calendar is not one that a server set.
    let time = jiff::Timestamp::from_microsecond(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = match date {
        None => String::new(),
        Some(DateFormat::Day) => time.strftime("%Y.%m.%d").to_string(),
        Some(DateFormat::Month) => time.strftime("%Y.%m").to_string(),
        Some(DateFormat::Year) => time.strftime("%Y").to_string(),
        Some(DateFormat::DayWithDashes) => time.strftime("%Y-%m-%d").to_string(),
        Some(DateFormat::MonthWithDashes) => time.strftime("%Y-%m").to_string(),
    };
    format!("{prefix}{date}{suffix}")
}

/// A number that OpenSearch takes as an external version: 0 to 2^63 - 1, as JSON writes it.
fn is_external_version(text: &[u8]) -> bool {
    let canonical = text == b"0" || text.first().is_some_and(|digit| (b'1'..=b'9').contains(digit));
    canonical && std::str::from_utf8(text).is_ok_and(|text| text.parse::<i64>().is_ok())
}

/// Appends text as the inside of a JSON string.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    // What nearly all ids consist of.
    if text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(byte)) {
        return out.extend_from_slice(text);
    }
    let quoted = serde_json::Value::from(String::from_utf8_lossy(text)).to_string();
    out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Doc, entries};
    use super::*;
    use crate::ledger::Ledger;

    fn pattern(date: Option<DateFormat>) -> IndexPattern {
        IndexPattern { prefix: "kube-events-".into(), date, suffix: "-x".into() }
    }

    fn body(mode: Mode, docs: &[Doc<'_>]) -> String {
        let mut actions = Actions::new(pattern(Some(DateFormat::Day)), mode);
        let entries = entries(&Ledger::default(), docs);
        String::from_utf8(actions.body(entries.iter().map(|entry| &entry.item))).unwrap()
    }

    fn refusal(mode: Mode, doc: Doc<'_>) -> Option<Refusal> {
        Actions::new(pattern(None), mode).refusal(&entries(&Ledger::default(), &[doc])[0].item)
    }

    #[test]
    fn history_creates_one_document_for_each_version() {
        let docs =
            [Doc::object("8c9b-1", "42"), Doc { time: 86_400_000_000, ..Doc::digest("00ff") }];
        insta::assert_snapshot!(body(Mode::History, &docs), @r#"
        {"create":{"_index":"kube-events-1970.01.01-x","_id":"8c9b-1.42"}}
        {"n":1}
        {"create":{"_index":"kube-events-1970.01.02-x","_id":"sha256:00ff"}}
        {"n":1}
        "#);
    }

    #[test]
    fn latest_indexes_one_document_an_event_with_its_version() {
        insta::assert_snapshot!(body(Mode::Latest, &[Doc::object("8c9b-1", "42")]), @r#"
        {"index":{"_index":"kube-events-1970.01.01-x","_id":"8c9b-1","version_type":"external","version":42}}
        {"n":1}
        "#);
    }

    #[test]
    fn what_cannot_be_addressed_is_refused_before_it_is_sent() {
        let long = "u".repeat(512);
        assert_eq!(refusal(Mode::History, Doc::object(&long[2..], "1")), None);
        assert_eq!(refusal(Mode::History, Doc::object(&long, "1")), Some(Refusal::IdTooLong));
        assert_eq!(refusal(Mode::Latest, Doc::object(&long, "1")), None);
        assert_eq!(refusal(Mode::Latest, Doc::digest("00")), Some(Refusal::NoIdentity));
        for version in ["", "x", "-1", "01", "+1", "1.0", "9223372036854775808"] {
            assert_eq!(
                refusal(Mode::Latest, Doc::object("u", version)),
                Some(Refusal::NoIdentity),
                "{version}"
            );
        }
        assert_eq!(refusal(Mode::Latest, Doc::object("u", "9223372036854775807")), None);
    }

    #[test]
    fn the_date_of_the_index_is_of_utc() {
        let day = |time| index_name(&pattern(Some(DateFormat::Day)), time);
        assert_eq!(day(1_709_251_199_999_999), "kube-events-2024.02.29-x");
        assert_eq!(day(1_709_251_200_000_000), "kube-events-2024.03.01-x");
        assert_eq!(day(-1), "kube-events-1969.12.31-x");
        assert_eq!(day(i64::MAX), "kube-events-1970.01.01-x");
        assert_eq!(index_name(&pattern(Some(DateFormat::Month)), 0), "kube-events-1970.01-x");
        assert_eq!(index_name(&pattern(Some(DateFormat::Year)), 0), "kube-events-1970-x");
        let dashes = pattern(Some(DateFormat::DayWithDashes));
        assert_eq!(index_name(&dashes, 0), "kube-events-1970-01-01-x");
        let dashes = pattern(Some(DateFormat::MonthWithDashes));
        assert_eq!(index_name(&dashes, 0), "kube-events-1970-01-x");
        assert_eq!(index_name(&pattern(None), 0), "kube-events--x");
    }

    proptest! {
        #[test]
        fn any_uid_makes_a_line_of_valid_json(uid in ".*", version in ".*") {
            let text = body(Mode::History, &[Doc::object(&uid, &version)]);
            let lines: Vec<&str> = text.split('\n').collect();
            prop_assert_eq!(lines.len(), 3);
            let action: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
            prop_assert_eq!(action["create"]["_id"].as_str().unwrap(), format!("{uid}.{version}"));
            let entries = entries(&Ledger::default(), &[Doc::object(&uid, &version)]);
            let actions = Actions::new(pattern(None), Mode::History);
            prop_assert_eq!(actions.id(&entries[0].item), format!("{uid}.{version}"), "it is looked up by the same id");
        }

        #[test]
        fn the_cached_index_is_the_one_of_each_time(times in proptest::collection::vec(any::<i64>(), 1..20)) {
            let mut actions = Actions::new(pattern(Some(DateFormat::Day)), Mode::History);
            for time in times {
                prop_assert_eq!(actions.index_of(time), index_name(&pattern(Some(DateFormat::Day)), time));
            }
        }
    }
}
