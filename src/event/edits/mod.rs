//! What stages changed: an overlay over an event's bytes.
//!
//! Constraints: a call without edits costs nothing, the first edit of an event opens the root (one
//! node a member), and only containers on the way to an edit are opened further; what was not
//! touched stays the source's own text, byte for byte, but for white space and repeated keys of an
//! opened container (of a key that stands twice in one, the last counts, and an edit through it
//! removes the others). Nothing is allocated before the first edit, and `clear` keeps what was.
//!
//! Invariant: an edit happens whole or not at all, and so do the edits of a call. Every change of a
//! node is written to an undo log first; [`Edits::commit`] forgets the log, [`Edits::rollback`]
//! plays it back, and a refused edit plays back its own part.

mod node;
mod read;
mod tree;
mod value;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

use super::DEPTH_MAX;
use super::head::Original;
use super::pointer::Pointer;
pub(super) use node::{ROOT, Value};
pub(super) use tree::Tree;
use tree::{Savepoint, Verb};
use value::Payload;
pub(super) use value::write_string;

/// Why an edit was refused. The text is what the module sees.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Not a pointer of RFC 6901, or the empty one.
    #[error("`{pointer}` is not a JSON pointer to a member: {why}")]
    Pointer {
        /// The pointer as given, cut to a length that can be shown.
        pointer: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The pointer equals, is a prefix of, or extends a protected one.
    #[error("`{pointer}` is protected: `{protected}` may not be edited")]
    Protected {
        /// The pointer as given, cut.
        pointer: String,
        /// Which protected one.
        protected: &'static str,
    },
    /// A step through a scalar, past an array's end, an append to a non-array.
    #[error("cannot edit `{pointer}`: {why}")]
    Path {
        /// The pointer as given, cut.
        pointer: String,
        /// What stands in the way.
        why: &'static str,
    },
    /// Not exactly one JSON value, or not a valid number.
    #[error("the value for `{pointer}` is refused: {why}")]
    Value {
        /// The pointer as given, cut.
        pointer: String,
        /// What is wrong with it.
        why: String,
    },
    /// One of `EditLimits`, or the depth.
    #[error("the edit of `{pointer}` is refused: {why}")]
    Limit {
        /// The pointer as given, cut.
        pointer: String,
        /// Which limit.
        why: &'static str,
    },
}

/// Bounds on what one call may edit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EditLimits {
    /// Edits in one call, refused ones included.
    pub edits: u32,
    /// Bytes of pointers and values in one call.
    pub bytes: usize,
    /// Bytes of the edited document. An edit that makes a larger one smaller is not refused.
    pub document: usize,
}

impl Default for EditLimits {
    fn default() -> EditLimits {
        EditLimits { edits: 256, bytes: 256 << 10, document: 1 << 20 }
    }
}

/// The edits of one event: those that earlier calls committed, and those of the current call.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    tree: Tree,
    limits: EditLimits,
    /// Where the current call began.
    committed: Savepoint,
    /// What the current call has used up.
    used: Used,
}

#[derive(Clone, Copy, Debug, Default)]
struct Used {
    edits: u32,
    bytes: usize,
}

impl Edits {
    /// Without edits, under other limits than the default ones.
    #[cfg(test)]
    pub(crate) fn new(limits: EditLimits) -> Edits {
        Edits { limits, ..Edits::default() }
    }

    /// Forgets everything, keeping allocated memory: for the next event.
    #[inline]
    pub fn clear(&mut self) {
        self.used = Used::default();
        if !self.tree.is_empty() {
            self.tree.clear();
            self.committed = Savepoint::default();
        }
    }

    /// Whether nothing was edited, neither committed nor pending.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Bytes of text that edits brought.
    pub(crate) fn own_bytes(&self) -> usize {
        self.tree.text.len()
    }

    /// Bytes that a copy of it takes.
    pub(crate) fn copy_bytes(&self) -> usize {
        size_of::<Edits>() + self.tree.heap_bytes()
    }

    /// Makes the pending edits of the current call permanent. The next call begins.
    #[inline]
    pub fn commit(&mut self) {
        self.used = Used::default();
        if !self.tree.is_empty() {
            self.tree.forget_undo();
            self.committed = self.tree.savepoint();
        }
    }

    /// Throws the pending edits of the current call away. The next call begins.
    #[inline]
    pub(crate) fn rollback(&mut self) {
        self.used = Used::default();
        if !self.tree.is_empty() {
            self.tree.revert(self.committed);
        }
    }

    /// Sets a member to a JSON value given as text: exactly one value, which is stored without the
    /// white space between its tokens. Numbers and strings keep their spelling.
    pub(crate) fn set_json(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        json: &str,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Set, Payload::Json(json))
    }

    /// Sets a member to a string.
    pub fn set_string(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        value: &str,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Set, Payload::String(value))
    }

    /// Sets a member to a boolean.
    pub(crate) fn set_bool(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        value: bool,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Set, Payload::Bool(value))
    }

    /// Sets a member to an integer.
    pub(crate) fn set_integer(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        value: i64,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Set, Payload::Integer(value))
    }

    /// Sets a member to a number, in the shortest form that reads back as the same one (`1.0`,
    /// `1e300`); NaN and infinities are refused.
    pub(crate) fn set_float(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        value: f64,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Set, Payload::Float(value))
    }

    /// Appends a string to an array. Where nothing is, an array is made; `null` is something.
    pub fn append_string(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        value: &str,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Append, Payload::String(value))
    }

    /// Appends a string to an array that does not have it, as [`Edits::append_string`] does.
    pub(crate) fn add_string(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        value: &str,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Add, Payload::String(value))
    }

    /// Appends a JSON value to an array, as [`Edits::append_string`] does.
    pub(crate) fn append_json(
        &mut self,
        of: Original<'_>,
        pointer: &str,
        json: &str,
    ) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Append, Payload::Json(json))
    }

    /// Removes a member or an element; nothing there is fine.
    pub(crate) fn remove(&mut self, of: Original<'_>, pointer: &str) -> Result<(), EditError> {
        self.edit(of, pointer, Verb::Remove, Payload::Nothing)
    }

    /// The edited event, for reading; without meaning while [`Edits::is_empty`].
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    fn edit(
        &mut self,
        of: Original<'_>,
        text: &str,
        verb: Verb,
        payload: Payload<'_>,
    ) -> Result<(), EditError> {
        self.count(text, payload)?;
        let pointer = check_pointer(text)?;
        let before = self.tree.savepoint();
        let changed =
            self.apply(of, pointer, verb, payload).map_err(|refusal| refusal.into_error(text));
        if !matches!(changed, Ok(true)) {
            self.tree.revert(before);
        }
        changed.map(|_| ())
    }

    /// Counts an edit against what a call may do, before anything is done for it. An edit that is
    /// refused for its bytes uses none of them up.
    fn count(&mut self, pointer: &str, payload: Payload<'_>) -> Result<(), EditError> {
        let refused = |why| Err(EditError::Limit { pointer: shown(pointer), why });
        if self.used.edits >= self.limits.edits {
            return refused("too many edits in one call");
        }
        self.used.edits += 1;
        let bytes = self.used.bytes.saturating_add(pointer.len()).saturating_add(payload.len());
        if bytes > self.limits.bytes {
            return refused("too many bytes of pointers and values in one call");
        }
        self.used.bytes = bytes;
        Ok(())
    }

    /// Applies one edit, and answers whether it changed anything. After an error the tree must be
    /// reverted.
    fn apply(
        &mut self,
        of: Original<'_>,
        pointer: Pointer<'_>,
        verb: Verb,
        payload: Payload<'_>,
    ) -> Result<bool, Refusal> {
        let (value, value_depth) = self.tree.store(payload).map_err(Refusal::Value)?;
        let depth =
            pointer.len() + value_depth + usize::from(matches!(verb, Verb::Append | Verb::Add));
        if depth > DEPTH_MAX && !matches!(verb, Verb::Remove) {
            return Err(Refusal::Limit("the document would be nested too deeply"));
        }
        let size = self.tree.size(of);
        let changed = self.tree.apply(of, pointer, verb, value).map_err(Refusal::Path)?;
        let grown = self.tree.size(of);
        if changed && grown > self.limits.document && grown > size {
            return Err(Refusal::Limit("the document would be too large"));
        }
        Ok(changed)
    }
}

/// An error without its pointer.
enum Refusal {
    Path(&'static str),
    Value(String),
    Limit(&'static str),
}

impl Refusal {
    fn into_error(self, pointer: &str) -> EditError {
        let pointer = shown(pointer);
        match self {
            Refusal::Path(why) => EditError::Path { pointer, why },
            Refusal::Value(why) => EditError::Value { pointer, why },
            Refusal::Limit(why) => EditError::Limit { pointer, why },
        }
    }
}

fn check_pointer(text: &str) -> Result<Pointer<'_>, EditError> {
    let bad = |why| EditError::Pointer { pointer: shown(text), why };
    let pointer = Pointer::parse(text).map_err(bad)?;
    if pointer.len() == 0 {
        return Err(bad("it is empty: the whole event cannot be edited at once"));
    }
    match pointer.protected() {
        Some(protected) => Err(EditError::Protected { pointer: shown(text), protected }),
        None => Ok(pointer),
    }
}

/// A module can send a pointer of any length; an error repeats this much of it, in bytes.
const SHOWN_BYTES_MAX: usize = 256;

fn shown(pointer: &str) -> String {
    match pointer.len() > SHOWN_BYTES_MAX {
        true => format!("{}…", &pointer[..pointer.floor_char_boundary(SHOWN_BYTES_MAX)]),
        false => pointer.to_owned(),
    }
}
