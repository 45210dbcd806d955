//! The times that the API server itself wrote into an event.

use super::time::{Micros, parse_event_time};
use super::trusted::{Children, decode, find_at, string_content};

/// When the server wrote this version of `event`, as far as it says so: the latest of
/// `metadata.creationTimestamp` and `metadata.managedFields[].time`, in µs since the epoch. Not
/// later than it was, but for what somebody wrote into `managedFields` by hand; `None` where there
/// is neither.
///
/// `event` was found valid before.
pub(crate) fn written_at(event: &[u8]) -> Option<Micros> {
    let metadata = &event[find_at(event, "/metadata")?];
    let created = find_at(metadata, "/creationTimestamp").and_then(|at| time(&metadata[at]));
    managed_times(metadata).fold(created, |latest, time| latest.max(Some(time)))
}

/// `managedFields/*/time` of the JSON of `metadata`.
pub(super) fn managed_times(metadata: &[u8]) -> impl Iterator<Item = Micros> + '_ {
    let fields = find_at(metadata, "/managedFields").map(|at| &metadata[at]);
    let entries = fields.filter(|json| json.starts_with(b"["));
    entries.into_iter().flat_map(|json| {
        Children::new(json, 0).filter_map(move |(_, entry)| {
            let entry = &json[entry];
            time(&entry[find_at(entry, "/time")?])
        })
    })
}

fn time(json: &[u8]) -> Option<Micros> {
    parse_event_time(decode(string_content(json)?).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(metadata: &str) -> Option<String> {
        let event = format!(r#"{{"metadata":{metadata},"reason":"R"}}"#);
        written_at(event.as_bytes())
            .map(|at| jiff::Timestamp::from_microsecond(at).unwrap().to_string())
    }

    #[test]
    fn a_version_was_written_when_its_object_was_created_or_last_changed() {
        assert_eq!(
            written(r#"{"creationTimestamp":"2025-03-01T10:00:00Z"}"#).unwrap(),
            "2025-03-01T10:00:00Z"
        );
        let changed = r#"{"creationTimestamp":"2025-03-01T10:00:00Z","managedFields":[{"time":"2025-03-01T11:00:00Z"},{"time":"2025-03-01T10:30:00Z"},{}]}"#;
        assert_eq!(written(changed).unwrap(), "2025-03-01T11:00:00Z");
        assert_eq!(
            written(r#"{"managedFields":[{"time":"2025-03-01T11:00:00Z"}]}"#).unwrap(),
            "2025-03-01T11:00:00Z"
        );
        for without in [
            "{}",
            "null",
            r#"{"creationTimestamp":null}"#,
            r#"{"creationTimestamp":"soon","managedFields":{}}"#,
            r#"{"creationTimestamp":"0001-01-01T00:00:00Z","managedFields":[{"time":"0001-01-01T00:00:00Z"}]}"#,
        ] {
            assert_eq!(written(without), None, "{without}");
        }
    }
}
