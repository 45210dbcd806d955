//! Why events are dropped.

use std::fmt;

use crate::{Error, sys};

/// A reason for dropping events, as it shows in the metric `weir_events_filtered_total`.
#[derive(Clone, Copy)]
pub struct Reason {
    number: u32,
    /// Carried, so that only a module that declares a reason holds the call that drops: which
    /// imports a component has must not hang on what an optimiser can prove.
    discard: fn(u32),
}

impl Reason {
    /// Declares a reason: `[a-z_]{1,64}`, at most 32 of them, and not `error`, which is weir's own
    /// for events that failed under `on_error = "drop"`. Only in
    /// [`configure`](crate::Stage::configure).
    pub fn declare(name: &str) -> Result<Self, Error> {
        if name == "error" {
            return Err(
                "`error` is weir's own reason, for on_error = \"drop\": choose another name".into(),
            );
        }
        let number = sys::declare_reason(name)?;
        Ok(Self { number, discard: sys::discard })
    }

    pub(crate) fn discard(self) {
        (self.discard)(self.number);
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reason").field(&self.number).finish()
    }
}
