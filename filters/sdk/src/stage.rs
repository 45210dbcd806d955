//! What a filter's author implements, and what weir's two calls do with it.

use crate::{Config, Error, Event, Reason};

/// A filter.
///
/// One value sees many events, one at a time, and all events about one regarded object (kind,
/// namespace, name) in the order in which weir accepted them. It is made anew after a failure, at
/// restart and at a change of leader, and events may be seen again: it must be correct when it
/// starts empty.
pub trait Stage: Sized {
    /// Makes the stage from its `[stage.config]`. The error is shown to the operator, and weir does
    /// not start: say which key is wrong, and what it may be.
    fn configure(config: &Config) -> Result<Self, Error>;

    /// Judges one event, and edits it when it is to be kept. It is called for every event, or for
    /// those that the stage is about ([`interest`](crate::interest)).
    ///
    /// Edits count when this answers [`Verdict::Keep`]; with [`Verdict::Drop`] and with an error
    /// they are thrown away. An error means that this event could not be processed, and what
    /// happens to it is the stage's `on_error`. A panic ends this value: weir makes another.
    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error>;
}

/// What is to become of an event.
///
/// ```
/// # use weir_filter::prelude::*;
/// fn only_warnings(event: &Event, normal: Reason) -> Verdict {
///     if event.is_warning() { Verdict::Keep } else { Verdict::Drop(normal) }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum Verdict {
    /// It goes on, with the edits made to it.
    Keep,
    /// It ends here, for a declared reason.
    Drop(Reason),
}

/// weir's `configure`.
#[doc(hidden)]
pub fn configure<S: Stage>(config: String) -> Result<S, String> {
    #[cfg(target_arch = "wasm32")]
    crate::panic::say_panics();
    S::configure(&Config::new(config)).map_err(Error::into_text)
}

/// weir's `process`.
#[doc(hidden)]
pub fn process<S: Stage>(stage: &mut S) -> Result<(), Error> {
    match stage.process(&mut Event::current())? {
        Verdict::Keep => {}
        Verdict::Drop(reason) => reason.discard(),
    }
    Ok(())
}
