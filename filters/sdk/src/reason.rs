//! Why events are dropped.

use std::fmt;

use crate::{Error, sys};

/// A reason for dropping events, as it shows in the metric `weir_events_filtered_total`.
///
/// ```
/// use weir_filter::{prelude::*, testing::{Harness, Outcome}};
///
/// /// Drops what the kubelet says of images that are there already.
/// struct Pulled {
///     known_image: Reason,
/// }
///
/// impl Stage for Pulled {
///     fn configure(_: &Config) -> Result<Self> {
///         Ok(Self { known_image: Reason::declare("known_image")? })
///     }
///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
///         Ok(if event.reason() == "Pulled" && event.message().contains("already present") {
///             Verdict::Drop(self.known_image)
///         } else {
///             Verdict::Keep
///         })
///     }
/// }
///
/// let mut pulled = Harness::<Pulled>::new("{}").unwrap();
/// let outcome = pulled.process(r#"{"reason":"Pulled","message":"Image is already present"}"#);
/// assert_eq!(outcome, Outcome::Dropped("known_image".into()));
/// ```
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
