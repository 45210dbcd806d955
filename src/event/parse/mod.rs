//! One pass over an event's bytes: is it one, and where are its members.
//!
//! Constraint: this is the only time that an event is parsed, and most of the time that weir spends
//! on it. It reads each byte once for the structure and once, sixteen at a time, for UTF-8.
//!
//! Invariant: the answer `Event` or `ParseError` depends on the event's own bytes only: more bytes
//! behind it never change it, so it does not matter how the input was cut into reads.

mod values;

use std::borrow::Cow;

use super::DEPTH_MAX;
use super::chunk::RejectionKind;
use super::head::{EventType, Head, Member};
use super::json::{ScanError, Scanner, decode_bytes};
use super::keys::{Involved, Metadata, Root, Seen};
use super::shard::shard;
use super::span::Span;

/// What [`parse`] found.
#[derive(Debug)]
pub enum Parsed {
    /// A whole, valid event.
    Event {
        /// Its length in bytes.
        len: usize,
        /// Boxed nowhere: moved once into the chunk.
        head: Head,
        /// It has events.k8s.io/v1 names and must be rewritten (`rewrite`) and parsed again.
        needs_rewrite: bool,
    },
    /// The bytes end before the object does.
    Incomplete,
    /// No valid event.
    Malformed(ParseError),
}

/// What is wrong with an object, and where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where the error is, from the first byte given.
    pub at: usize,
    /// The object's length, where its end is known (errors of meaning); `None` after an error of
    /// syntax.
    pub len: Option<usize>,
    /// What kind it is.
    pub kind: RejectionKind,
    /// What was wrong, for people.
    pub detail: String,
}

impl ParseError {
    /// What a scan's error is to an event. `None`: the bytes ended.
    pub(crate) fn of_scan(error: ScanError) -> Option<ParseError> {
        let (at, kind, detail) = match error {
            ScanError::End => return None,
            ScanError::Syntax { at, what } => (at, RejectionKind::Syntax, what.to_owned()),
            ScanError::Depth { at } => {
                (at, RejectionKind::Depth, format!("nested deeper than {DEPTH_MAX} levels"))
            }
        };
        Some(ParseError { at, len: None, kind, detail })
    }
}

/// Parses the event that begins at `bytes[0]`, which is `{`; `bytes` may go on behind it.
///
/// Appends its root members to `members` (nothing is left there unless the answer is `Event`). Raw
/// line breaks between tokens become spaces, in place, so that the event is one line.
pub fn parse(bytes: &mut [u8], members: &mut Vec<Member>) -> Parsed {
    let (parsed, line_breaks) = parse_unchanged(bytes, members);
    if let (Parsed::Event { len, .. }, true) = (&parsed, line_breaks) {
        join_lines(&mut bytes[..*len]);
    }
    parsed
}

/// [`parse`] without the change; answers also whether there are line breaks to [join](join_lines).
pub(crate) fn parse_unchanged(bytes: &[u8], members: &mut Vec<Member>) -> (Parsed, bool) {
    let first_member = members.len();
    let mut pass = Pass {
        scan: Scanner::new(bytes, 0),
        bytes,
        members,
        head: Head::default(),
        kind: None,
        api_version: None,
        has_involved_object: false,
        has_regarding: false,
        error: None,
    };
    let parsed = match pass.root() {
        Ok(()) => pass.finish(first_member),
        Err(error) => ParseError::of_scan(error).map_or(Parsed::Incomplete, Parsed::Malformed),
    };
    let line_breaks = pass.scan.saw_line_breaks();
    if !matches!(parsed, Parsed::Event { .. }) {
        members.truncate(first_member);
    }
    (parsed, line_breaks)
}

/// Makes one line of a checked event: in valid JSON, raw line breaks stand between tokens only.
pub(crate) fn join_lines(event: &mut [u8]) {
    for byte in event {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

struct Pass<'a, 'm> {
    scan: Scanner<'a>,
    bytes: &'a [u8],
    members: &'m mut Vec<Member>,
    head: Head,
    kind: Option<Span>,
    api_version: Option<Span>,
    /// It has that member, and it is not null.
    has_involved_object: bool,
    has_regarding: bool,
    /// The first error of meaning; the scan goes on to find the object's end, or an error of
    /// syntax.
    error: Option<(usize, RejectionKind, String)>,
}

/// A member's key and what stands before it.
#[derive(Clone, Copy)]
struct Key {
    span: Span,
    /// Where the comma before it stands; of the first member, where its quote stands.
    from: usize,
    is_first: bool,
}

type Scan<T = ()> = Result<T, ScanError>;

impl<'a> Pass<'a, '_> {
    fn root(&mut self) -> Scan {
        let mut seen = Seen::default();
        self.object(|pass, key| {
            let known = Root::of_key(&pass.key_text(key.span));
            if !seen.insert(known.map(|known| known as u32), key.span) {
                pass.duplicate(key.span, "the root");
            }
            pass.scan.peek()?;
            let start = pass.scan.position();
            pass.root_member(known)?;
            let value = Span::plain(start, pass.scan.position());
            pass.members.push(Member { key: key.span, value });
            Ok(())
        })?;
        self.check_unknown(seen, "the root");
        Ok(())
    }

    #[inline(always)]
    fn root_member(&mut self, known: Option<Root>) -> Scan {
        let Some(known) = known else { return self.skip(1) };
        match known {
            Root::Kind => self.kind = self.given_text("kind")?,
            Root::ApiVersion => self.api_version = self.given_text("apiVersion")?,
            Root::Metadata => self.metadata()?,
            Root::InvolvedObject => self.involved_object()?,
            Root::Reason => self.head.reason = self.text("reason")?,
            Root::Message => self.head.message = self.text("message")?,
            Root::Source => self.source()?,
            Root::FirstTimestamp => self.head.first_timestamp = self.text("firstTimestamp")?,
            Root::LastTimestamp => self.head.last_timestamp = self.text("lastTimestamp")?,
            Root::Count => self.head.count = self.count("count")?,
            Root::Type => self.event_type()?,
            Root::EventTime => self.head.event_time = self.text("eventTime")?,
            Root::ReportingComponent => {
                self.head.reporting_component = self.text("reportingComponent")?
            }
            Root::Action => self.head.action = self.text("action")?,
            Root::Series => self.series()?,
            Root::Regarding => {
                self.has_regarding = self.scan.peek()? != b'n';
                self.skip(1)?;
            }
            Root::ReportingInstance | Root::Related => self.skip(1)?,
        }
        Ok(())
    }

    fn event_type(&mut self) -> Scan {
        let span = self.text("type")?;
        self.head.type_text = span;
        self.head.event_type = match &*self.key_text(span) {
            b"Normal" => EventType::Normal,
            b"Warning" => EventType::Warning,
            _ => EventType::Other,
        };
        Ok(())
    }

    fn metadata(&mut self) -> Scan {
        let mut seen = Seen::default();
        self.object_or_null("metadata", |pass, key| {
            let known = Metadata::of_key(&pass.key_text(key.span));
            if !seen.insert(known.map(|known| known as u32), key.span) {
                pass.duplicate(key.span, "metadata");
            }
            match known {
                Some(Metadata::Name) => pass.head.name = pass.text("metadata.name")?,
                Some(Metadata::Namespace) => {
                    pass.head.namespace = pass.text("metadata.namespace")?
                }
                Some(Metadata::Uid) => pass.head.uid = pass.text("metadata.uid")?,
                Some(Metadata::ResourceVersion) => {
                    pass.head.resource_version = pass.text("metadata.resourceVersion")?;
                }
                Some(Metadata::CreationTimestamp) => {
                    pass.head.creation_timestamp = pass.text("metadata.creationTimestamp")?;
                }
                Some(Metadata::ManagedFields) => pass.managed_fields(key)?,
                Some(_) | None => pass.skip(2)?,
            }
            Ok(())
        })?;
        self.check_unknown(seen, "metadata");
        Ok(())
    }

    /// Remembers the whole member with the comma before it, or for the first member the comma
    /// behind it.
    fn managed_fields(&mut self, key: Key) -> Scan {
        self.skip(2)?;
        let mut end = self.scan.position();
        if key.is_first && self.scan.peek()? == b',' {
            end = self.scan.position() + 1;
        }
        self.head.managed_fields = Span::plain(key.from, end);
        Ok(())
    }

    fn involved_object(&mut self) -> Scan {
        let mut seen = Seen::default();
        self.has_involved_object = self.scan.peek()? != b'n';
        self.object_or_null("involvedObject", |pass, key| {
            let known = Involved::of_key(&pass.key_text(key.span));
            if !seen.insert(known.map(|known| known as u32), key.span) {
                pass.duplicate(key.span, "involvedObject");
            }
            match known {
                Some(Involved::Kind) => {
                    pass.head.regarding_kind = pass.text("involvedObject.kind")?
                }
                Some(Involved::Namespace) => {
                    pass.head.regarding_namespace = pass.text("involvedObject.namespace")?;
                }
                Some(Involved::Name) => {
                    pass.head.regarding_name = pass.text("involvedObject.name")?
                }
                Some(Involved::Uid) => pass.head.regarding_uid = pass.text("involvedObject.uid")?,
                Some(Involved::ApiVersion) => {
                    pass.head.regarding_api_version = pass.text("involvedObject.apiVersion")?;
                }
                Some(Involved::FieldPath) => {
                    pass.head.regarding_field_path = pass.text("involvedObject.fieldPath")?;
                }
                Some(Involved::ResourceVersion) | None => pass.skip(2)?,
            }
            Ok(())
        })?;
        self.check_unknown(seen, "involvedObject");
        Ok(())
    }

    /// A key that stands twice in here counts as JSON parsers count it: the last one.
    fn source(&mut self) -> Scan {
        self.object_or_null("source", |pass, key| {
            match &*pass.key_text(key.span) {
                b"component" => pass.head.component = pass.text("source.component")?,
                b"host" => pass.head.host = pass.text("source.host")?,
                _ => pass.skip(2)?,
            }
            Ok(())
        })
    }

    fn series(&mut self) -> Scan {
        self.object_or_null("series", |pass, key| {
            match &*pass.key_text(key.span) {
                b"count" => pass.head.series_count = pass.count("series.count")?,
                b"lastObservedTime" => {
                    pass.head.series_last_observed = pass.text("series.lastObservedTime")?;
                }
                _ => pass.skip(2)?,
            }
            Ok(())
        })
    }

    /// The verdict on an object whose end was found.
    fn finish(&mut self, first_member: usize) -> Parsed {
        let len = self.scan.position();
        let utf8 = std::str::from_utf8(&self.bytes[..len]);
        let needs_rewrite = self.needs_rewrite();
        let error = match utf8 {
            Err(error) => Some((error.valid_up_to(), RejectionKind::Utf8, "not UTF-8".to_owned())),
            Ok(_) => self.error.take(),
        };
        if let Some((at, kind, detail)) = error {
            return Parsed::Malformed(ParseError { at, len: Some(len), kind, detail });
        }
        let mut head = std::mem::take(&mut self.head);
        // Events are at most EVENT_BYTES_MAX bytes and a chunk is not much more: far below 2^32
        // members.
        head.members = first_member as u32..self.members.len() as u32;
        head.shard =
            shard([head.regarding_kind, head.regarding_namespace, head.regarding_name], self.bytes);
        Parsed::Event { len, head, needs_rewrite }
    }

    /// Which of the two kinds of Event this is, by what it says or else by its shape: the items of
    /// an API server's list lack `kind` and `apiVersion`. Neither is an error.
    fn needs_rewrite(&mut self) -> bool {
        let given = |span: Option<Span>| span.map(|span| decode_bytes(self.bytes, span));
        let (kind, api_version) = (given(self.kind), given(self.api_version));
        let is_event = match kind.as_deref() {
            None => self.has_regarding || self.has_involved_object,
            Some(kind) => kind == b"Event",
        };
        match (is_event, api_version.as_deref()) {
            (true, Some(b"v1")) => false,
            (true, Some(b"events.k8s.io/v1")) => true,
            (true, None) => self.has_regarding,
            _ => {
                let text = |given: Option<Cow<'_, [u8]>>| {
                    given.map_or("absent".to_owned(), |bytes| {
                        format!("`{}`", String::from_utf8_lossy(&bytes))
                    })
                };
                let (kind, api_version) = (text(kind), text(api_version));
                self.error(0, RejectionKind::NotAnEvent, || {
                    format!(
                        "not an Event of v1 or events.k8s.io/v1: its kind is {kind}, its \
                         apiVersion {api_version}"
                    )
                });
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
