//! What a top-level object is, judged by as little of its beginning as possible; and what its
//! frames say.

use super::{Other, Rejected};
use crate::event::{ScanError, Scanner, Span, decode};
use crate::kube::status_message;

/// What a top-level object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An Event, or nothing that is known: parsing tells.
    Bare,
    /// A List; its items begin here, behind the bracket. `metadata` is there if it stood before
    /// them.
    List { items: usize, metadata: Option<Span> },
    /// A whole List without items, or whose items are `null`, which is how Go writes a slice that
    /// was never made: it is empty.
    EmptyList { len: usize, metadata: Option<Span> },
    /// A watch envelope: its object begins here; its type is there if it stood before.
    Envelope { object: usize, kind: Option<EnvelopeType> },
}

/// `type` of a watch envelope
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnvelopeType {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
}

impl EnvelopeType {
    fn of_text(text: &str) -> Option<EnvelopeType> {
        Some(match text {
            "ADDED" => EnvelopeType::Added,
            "MODIFIED" => EnvelopeType::Modified,
            "DELETED" => EnvelopeType::Deleted,
            "BOOKMARK" => EnvelopeType::Bookmark,
            "ERROR" => EnvelopeType::Error,
            _ => return None,
        })
    }
}

/// Looks at the object that begins at `window[0]`.
///
/// The rule: an object whose kind, seen so far, is Event is a bare event, whatever other members it
/// has; otherwise an array member `items` makes it a List, and so does `null` or none where the
/// kind ends in List; otherwise an object member `object` makes it a watch envelope. `End`: not
/// decided yet. What is not JSON counts as bare: parsing it says what is wrong.
pub(super) fn shape(window: &[u8]) -> Result<Shape, ScanError> {
    match find_shape(window) {
        Err(ScanError::Syntax { .. } | ScanError::Depth { .. }) => Ok(Shape::Bare),
        found => found,
    }
}

fn find_shape(window: &[u8]) -> Result<Shape, ScanError> {
    let mut metadata = None;
    let mut kind = None;
    let mut found = None;
    let (mut has_other_items, mut is_kind_of_list) = (false, false);
    let end = members(window, 1, |key, first, scan| {
        let start = scan.position();
        found = match (key, first) {
            ("items", b'[') => Some(Shape::List { items: start + 1, metadata }),
            ("object", b'{') => Some(Shape::Envelope { object: start, kind }),
            _ => None,
        };
        if found.is_some() {
            return Ok(false);
        }
        let value = scan.value()?;
        match (key, first) {
            ("kind", b'"') => match text(window, value) {
                kind if kind == "Event" => found = Some(Shape::Bare),
                kind => is_kind_of_list = kind.ends_with("List"),
            },
            ("items", first) => has_other_items = first != b'n',
            ("metadata", b'{') => metadata = Some(value),
            ("type", b'"') => kind = EnvelopeType::of_text(&text(window, value)),
            _ => {}
        }
        Ok(found.is_none())
    })?;
    let whole = if is_kind_of_list && !has_other_items {
        Shape::EmptyList { len: end, metadata }
    } else {
        Shape::Bare
    };
    Ok(found.unwrap_or(whole))
}

/// The decoded text of a string's value, quotes included in the span.
fn text(window: &[u8], value: Span) -> std::borrow::Cow<'_, str> {
    let inner = value.range().start + 1..value.range().end - 1;
    let escaped = memchr::memchr(b'\\', &window[inner.clone()]).is_some();
    let span = if escaped {
        Span::escaped(inner.start, inner.end)
    } else {
        Span::plain(inner.start, inner.end)
    };
    decode(window, span)
}

/// Walks over the members of an object from `at`, which is behind its bracket. `member` gets the
/// key, the first byte of the value and the scanner that stands at it; it takes the value, or
/// answers `false` to end the walk. Answers the position behind the object.
fn members(
    window: &[u8],
    at: usize,
    mut member: impl FnMut(&str, u8, &mut Scanner<'_>) -> Result<bool, ScanError>,
) -> Result<usize, ScanError> {
    let mut scan = Scanner::new(window, at);
    if scan.peek()? == b'}' {
        return Ok(scan.position() + 1);
    }
    loop {
        let key = scan.string()?;
        scan.take(b':', "expected `:`")?;
        let first = scan.peek()?;
        if !member(&decode(window, key), first, &mut scan)? {
            return Ok(scan.position());
        }
        if scan.peek()? == b'}' {
            return Ok(scan.position() + 1);
        }
        scan.take(b',', "expected `,` or `}`")?;
    }
}

/// The rest of an object, from behind one of its values: where it ends, and its member `wanted` if
/// it is there.
fn rest(window: &[u8], at: usize, wanted: &str) -> Result<(usize, Option<Span>), ScanError> {
    let mut scan = Scanner::new(window, at);
    if scan.peek()? == b'}' {
        return Ok((scan.position() + 1, None));
    }
    scan.take(b',', "expected `,` or `}`")?;
    let behind_comma = scan.position();
    // An object may begin with `}`, but not go on with it behind a comma.
    if scan.peek()? == b'}' {
        return Err(ScanError::Syntax { at: scan.position(), what: "expected a string" });
    }
    let mut found = None;
    let end = members(window, behind_comma, |key, _, scan| {
        let value = scan.value()?;
        if key == wanted && found.is_none() {
            found = Some(value);
        }
        Ok(true)
    })?;
    Ok((end, found))
}

/// The rest of an envelope from behind its object: where it ends, and its type if it stands there.
pub(super) fn rest_of_envelope(
    window: &[u8],
    object_end: usize,
) -> Result<(usize, Option<EnvelopeType>), ScanError> {
    let (end, value) = rest(window, object_end, "type")?;
    let value = value.filter(|value| window[value.range().start] == b'"');
    Ok((end, value.and_then(|value| EnvelopeType::of_text(&text(window, value)))))
}

/// The rest of a List from behind its items: where it ends, and its `metadata` if that stands
/// there.
pub(super) fn rest_of_list(window: &[u8]) -> Result<(usize, Option<Span>), ScanError> {
    let (end, metadata) = rest(window, 0, "metadata")?;
    Ok((end, metadata.filter(|metadata| window[metadata.range().start] == b'{')))
}

/// Passes on what the object of a DELETED, BOOKMARK or ERROR says; what it lacks is empty.
pub(super) fn tell(kind: EnvelopeType, object: &[u8], tell: impl FnOnce(Other<'_>)) {
    if kind == EnvelopeType::Deleted {
        // There are as many of these as there are events, since all expire: too many to read each
        // into a tree.
        return tell(Other::Deleted {
            resource_version: &resource_version(object).unwrap_or_default(),
        });
    }
    let object = Tree::read(object);
    match kind {
        EnvelopeType::Error => tell(Other::Error {
            code: object.number("/code").and_then(|code| u16::try_from(code).ok()).unwrap_or(0),
            reason: object.text("/reason"),
            message: &status_message(&object.0),
        }),
        _ => tell(Other::Bookmark { resource_version: object.text("/metadata/resourceVersion") }),
    }
}

/// Passes on what the `metadata` of a List says.
pub(super) fn tell_list(metadata: &[u8], tell: impl FnOnce(Other<'_>)) {
    let metadata = Tree::read(metadata);
    tell(Other::ListMeta {
        resource_version: metadata.text("/resourceVersion"),
        continue_token: metadata.text("/continue"),
    });
}

/// A small object of the API, read leniently: what has another type than expected is absent.
struct Tree(serde_json::Value);

impl Tree {
    fn read(json: &[u8]) -> Tree {
        Tree(serde_json::from_slice(json).unwrap_or_default())
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(|value| value.as_str()).unwrap_or("")
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer).and_then(|value| value.as_u64())
    }
}

impl Rejected<'_> {
    /// Its `metadata.resourceVersion`, where that can be read.
    pub(crate) fn resource_version(&self) -> Option<String> {
        resource_version(self.bytes)
    }
}

/// `metadata.resourceVersion` of an object that need not be whole or an event.
fn resource_version(object: &[u8]) -> Option<String> {
    let mut found = None;
    // What was found before an error counts.
    let _ = members(object, 1, |key, first, scan| {
        if (key, first) != ("metadata", b'{') {
            return scan.value().map(|_| true);
        }
        let start = scan.position() + 1;
        let _ = members(object, start, |key, first, scan| {
            let value = scan.value()?;
            if (key, first) == ("resourceVersion", b'"') {
                found = Some(text(object, value).into_owned());
            }
            Ok(found.is_none())
        });
        Ok(false)
    });
    found
}
