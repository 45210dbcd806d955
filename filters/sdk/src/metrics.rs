//! Counters of a module's own.

use crate::{Error, sys};

/// A counter, shown as `weir_module_counter_total{stage,counter}`.
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
