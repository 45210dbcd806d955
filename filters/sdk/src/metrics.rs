//! Counters of a module's own.

use crate::{Error, sys};

/// A counter, shown as `weir_module_counter_total{stage,counter}`.
///
/// ```
/// use weir_filter::{prelude::*, testing::Harness};
///
/// struct Count(Counter);
///
/// impl Stage for Count {
///     fn configure(_: &Config) -> Result<Self> {
///         Ok(Self(Counter::declare("warnings", "Events of type Warning.")?))
///     }
///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
///         self.0.add(event.is_warning().into());
///         Ok(Verdict::Keep)
///     }
/// }
///
/// let mut count = Harness::<Count>::new("{}").unwrap();
/// let _ = count.process(r#"{"type":"Warning"}"#);
/// assert_eq!(count.counter("warnings"), Some(1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Counter(u32);

impl Counter {
    /// Declares a counter: its name is `[a-z_]{1,64}`, a stage may have 64, and `help` says what is
    /// counted. Only in [`configure`](crate::Stage::configure).
    pub fn declare(name: &str, help: &str) -> Result<Self, Error> {
        Ok(Self(sys::declare_counter(name, help)?))
    }

    /// Adds to the counter. Only in [`process`](crate::Stage::process). What is added stays added
    /// when the event is dropped or fails.
    pub fn add(&self, by: u64) {
        sys::add(self.0, by);
    }
}
