//! What stages changed: an overlay over an event's bytes.
//!
//! Only the root members that an edit touches are opened into a tree, and in that tree what was not
//! touched stays the source's own text. Nothing is allocated until the first edit.

use super::head::{Head, Member};

/// Why an edit was refused. The text is what the module sees.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Not a pointer of RFC 6901, or the empty one.
    #[error("`{pointer}` is not a JSON pointer to a member: {why}")]
    Pointer {
        /// The pointer as given.
        pointer: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The pointer equals, is a prefix of, or extends a protected one.
    #[error("`{pointer}` is protected: `{protected}` may not be edited")]
    Protected {
        /// The pointer as given.
        pointer: String,
        /// Which protected one.
        protected: &'static str,
    },
    /// A step through a scalar, past an array's end, an append to a non-array.
    #[error("cannot edit `{pointer}`: {why}")]
    Path {
        /// The pointer as given.
        pointer: String,
        /// What stands in the way.
        why: &'static str,
    },
    /// Not exactly one JSON value, or a number that is none.
    #[error("the value for `{pointer}` is refused: {why}")]
    Value {
        /// The pointer as given.
        pointer: String,
        /// What is wrong with it.
        why: String,
    },
    /// One of [`EditLimits`].
    #[error("the edit of `{pointer}` is refused: {why}")]
    Limit {
        /// The pointer as given.
        pointer: String,
        /// Which limit.
        why: &'static str,
    },
}

/// Bounds on what one call may edit.
#[derive(Clone, Copy, Debug)]
pub struct EditLimits {
    /// Edits in one call.
    pub edits: u32,
    /// Bytes of pointers and values in one call.
    pub bytes: usize,
    /// Bytes of the edited document.
    pub document: usize,
}

impl Default for EditLimits {
    fn default() -> EditLimits {
        EditLimits { edits: 256, bytes: 256 << 10, document: 1 << 20 }
    }
}

/// The edits of one event: those that earlier calls committed, and those of the current call.
#[derive(Debug, Default)]
pub struct Edits {}

/// The event that edits apply to.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The event's bytes.
    pub bytes: &'a [u8],
    /// Its head.
    pub head: &'a Head,
    /// Its root members.
    pub members: &'a [Member],
}

impl Edits {
    /// Forgets everything, keeping allocated memory: for the next event.
    pub fn clear(&mut self) {
        todo!()
    }

    /// Whether nothing was edited, neither committed nor pending.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Makes the pending edits of the current call permanent.
    pub fn commit(&mut self) {
        todo!()
    }

    /// Throws the pending edits of the current call away.
    pub fn rollback(&mut self) {
        todo!()
    }

    /// Sets a member to a JSON value given as text. With `checked` false the text is parsed as exactly
    /// one value and re-encoded compactly.
    pub fn set_json(&mut self, _of: Original<'_>, _pointer: &str, _json: &str) -> Result<(), EditError> {
        todo!()
    }

    /// Sets a member to a string.
    pub fn set_string(&mut self, _of: Original<'_>, _pointer: &str, _value: &str) -> Result<(), EditError> {
        todo!()
    }

    /// Sets a member to a boolean.
    pub fn set_bool(&mut self, _of: Original<'_>, _pointer: &str, _value: bool) -> Result<(), EditError> {
        todo!()
    }

    /// Sets a member to an integer.
    pub fn set_integer(&mut self, _of: Original<'_>, _pointer: &str, _value: i64) -> Result<(), EditError> {
        todo!()
    }

    /// Sets a member to a number; NaN and infinities are refused.
    pub fn set_float(&mut self, _of: Original<'_>, _pointer: &str, _value: f64) -> Result<(), EditError> {
        todo!()
    }

    /// Appends a string to an array.
    pub fn append_string(
        &mut self,
        _of: Original<'_>,
        _pointer: &str,
        _value: &str,
    ) -> Result<(), EditError> {
        todo!()
    }

    /// Appends a JSON value to an array.
    pub fn append_json(&mut self, _of: Original<'_>, _pointer: &str, _json: &str) -> Result<(), EditError> {
        todo!()
    }

    /// Removes a member or an element; nothing there is fine.
    pub fn remove(&mut self, _of: Original<'_>, _pointer: &str) -> Result<(), EditError> {
        todo!()
    }
}
