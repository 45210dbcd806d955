//! Which of an event's times is `@timestamp`, and which one chooses the index.

use std::borrow::Cow;

use crate::event::head::Original;
use crate::event::time::Micros;
use crate::event::trusted::same_text;
use crate::event::view::time_at;
use crate::event::written;

/// How far `@timestamp` may be from the times that the server set before those choose the index:
/// anyone who may create events could otherwise create indices at will.
const PLAUSIBLE_MICROS: Micros = 24 * 60 * 60 * 1_000_000;

/// What the document says about its `@timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing: it is the event's time.
    None,
    /// The event has no time.
    Absent,
    /// The server's times are all more than [`PLAUSIBLE_MICROS`] away.
    Implausible,
}

/// An event's times.
#[derive(Debug)]
pub(super) struct Times<'a> {
    /// `@timestamp`; `None` where the event has no time.
    pub(super) event: Option<Micros>,
    /// What the lag is counted from: `event` where it is plausible.
    pub(super) plausible: Option<Micros>,
    /// What chooses the index.
    pub(super) index: Micros,
    /// What is to be said about it.
    pub(super) mark: Mark,
    /// Whether `lastTimestamp` holds a time.
    pub(super) has_last: bool,
    /// `event` as the event writes it.
    text: Cow<'a, [u8]>,
}

impl<'a> Times<'a> {
    pub(super) fn of(of: Original<'a>) -> Times<'a> {
        let head = of.head;
        let last = time_at(of, head.last_timestamp);
        let has_last = last.is_some();
        let claimed = time_at(of, head.series_last_observed)
            .or(last)
            .or_else(|| time_at(of, head.event_time))
            .or_else(|| time_at(of, head.first_timestamp));
        // Most events happened once: when they were created.
        let creation = &of.bytes[head.creation_timestamp.range()];
        let created = match &claimed {
            Some((text, micros)) if **text == *creation => Some((Cow::Borrowed(creation), *micros)),
            _ => time_at(of, head.creation_timestamp),
        };
        let created_at = created.as_ref().map(|(_, micros)| *micros);
        let chosen = claimed.or(created);
        let event = chosen.as_ref().map(|(_, micros)| *micros);
        let at = event.unwrap_or(0);
        let (index, plausible) = index_time(of, at, created_at);
        let mark = match event {
            None => Mark::Absent,
            Some(_) if plausible => Mark::None,
            Some(_) => Mark::Implausible,
        };
        let text = chosen.map_or(Cow::Borrowed(&b""[..]), |(text, _)| text);
        Times { event, plausible: event.filter(|_| plausible), index, mark, has_last, text }
    }

    /// Appends `@timestamp`'s text: the event's own wherever OpenSearch's
    /// `strict_date_optional_time` reads it, else the same time in UTC.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Some(event) = self.event else {
            return out.extend_from_slice(b"1970-01-01T00:00:00Z");
        };
        if is_strict(&self.text) {
            return out.extend_from_slice(&self.text);
        }
        // Any time that parse_rfc3339 answers is in jiff's range: years 0 to 9999, and a day's
        // offset.
        let utc = jiff::Timestamp::from_microsecond(event).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        out.extend_from_slice(format!("{utc:.6}").as_bytes());
    }
}

/// What chooses the index for `@timestamp` = `at`, and whether that is `at`.
///
/// `managedFields` are looked at only where `creationTimestamp` does not settle it.
fn index_time(of: Original<'_>, at: Micros, created: Option<Micros>) -> (Micros, bool) {
    let near = |server: Micros| server.abs_diff(at) <= PLAUSIBLE_MICROS as u64;
    if created.is_some_and(near) {
        return (at, true);
    }
    let mut latest = created;
    for server in managed_times(of) {
        if near(server) {
            return (at, true);
        }
        latest = latest.max(Some(server));
    }
    match latest {
        Some(latest) => (latest, false),
        None => (at, true),
    }
}

/// `/metadata/managedFields/*/time`
fn managed_times(of: Original<'_>) -> impl Iterator<Item = Micros> + '_ {
    let has_fields = !of.head.managed_fields.is_empty();
    let metadata =
        of.members.iter().find(|member| same_text(&of.bytes[member.key.range()], "metadata"));
    let metadata = metadata.filter(|_| has_fields).map(|member| &of.bytes[member.value.range()]);
    metadata.into_iter().flat_map(written::managed_times)
}

/// Whether OpenSearch takes the text of this valid time as it is: upper-case `T` and `Z`, no leap
/// second, an offset of at most 18 hours (<https://docs.opensearch.org/latest/mappings/supported-field-types/date/>; tried on 2.19: the
/// others are refused with 400).
fn is_strict(text: &[u8]) -> bool {
    let Some((clock, rest)) = text.split_at_checked("1970-01-01T00:00:00".len()) else {
        return false;
    };
    let leap_second = clock[17] == b'6';
    let digits = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = if rest.first() == Some(&b'.') { 1 + digits } else { 0 };
    let zone = &rest[fraction..];
    let zone_is_strict = match zone {
        b"Z" => true,
        [b'+' | b'-', tens, ones, b':', ..] => zone.len() == 6 && [*tens, *ones] < *b"18",
        _ => false,
    };
    clock[10] == b'T' && !leap_second && zone_is_strict
}
