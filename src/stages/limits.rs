//! Bounds on what one module, one instance and one call may use.

use std::mem::size_of;
use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::log_limit::Rate;

/// Bytes of a module's file, and of one that is pulled.
pub(crate) const MODULE_BYTES_MAX: u64 = crate::registry::MODULE_BYTES_MAX;
/// Core instances that a component may consist of. One made by wit-component has three or four,
/// those of other toolchains more.
pub(super) const CORE_INSTANCES_MAX: usize = 32;
/// Linear memories of all of them.
pub(super) const MEMORIES_MAX: usize = 4;
/// Tables of all of them.
pub(super) const TABLES_MAX: usize = 8;
/// What wasmtime keeps for one element of a table.
const TABLE_ELEMENT_BYTES: u64 = size_of::<usize>() as u64;
/// Live resource handles, which wasmtime keeps outside of the guest's memory.
pub(super) const HANDLES_MAX: usize = 64;
/// Reasons that a stage may declare: each becomes a metric label.
pub(super) const REASONS_MAX: usize = 32;
/// Counters that a stage may declare: each becomes a metric label.
pub(super) const COUNTERS_MAX: usize = 64;
/// Times that a stage may declare words: each takes memory that is not the module's.
pub(super) const WORD_SETS_MAX: usize = 16;
/// Of them, those that each event may be looked at for: no call, and so no timeout, bounds that.
pub(super) const INTEREST_SETS_MAX: usize = 4;
/// Words that are declared at once.
pub(super) const WORDS_MAX: usize = 64;
/// Bytes of a declared word.
pub(super) const WORD_BYTES_MAX: usize = 64;
/// Bytes of a declared name.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Lines that one call may log.
pub(super) const LOG_LINES_MAX: u32 = 16;
/// Bytes of one logged line; the rest is cut.
pub(super) const LOG_LINE_BYTES_MAX: usize = 1 << 10;
/// `get` may scan this many times the event's size in one call.
pub(super) const SCAN_FACTOR: usize = 64;

/// Sums linear memories and tables of one store and refuses growth beyond the stage's `memory`.
///
/// Invariant: what the store uses never exceeds `limit`. Growth that the limiter granted and the
/// system then refused stays counted: such an instance is about to trap.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    limit: u64,
    used: u64,
    refused: bool,
}

impl MemoryLimiter {
    pub(super) fn new(limit: u64) -> MemoryLimiter {
        MemoryLimiter { limit, used: 0, refused: false }
    }

    /// A call begins.
    pub(super) fn begin(&mut self) {
        self.refused = false;
    }

    /// What the store uses, which never becomes less: memories do not shrink.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Whether growth was refused in the current or last call: the instance has reached its
    /// high-water mark.
    pub(super) fn has_refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, by: u64) -> bool {
        let fits = self.used.checked_add(by).is_some_and(|used| used <= self.limit);
        if fits {
            self.used += by;
        } else {
            self.refused = true;
        }
        fits
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // The module's own bound, not ours.
        }
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow((desired.saturating_sub(current) as u64).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}

/// Lines that a stage may log.
pub(super) const LOG_RATE: Rate = Rate { burst: 50, interval: Duration::from_millis(100) };

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_granted_never_exceeds_the_limit(
            limit in 0u64..10_000,
            steps in prop::collection::vec((any::<bool>(), 0usize..500, 0usize..2_000), 0..60),
        ) {
            let mut limiter = MemoryLimiter::new(limit);
            let (mut granted, mut refused) = (0u64, false);
            for (is_table, current, desired) in steps {
                let bytes = desired.saturating_sub(current) as u64 * if is_table { 8 } else { 1 };
                let answer = if is_table {
                    limiter.table_growing(current, desired, None).unwrap()
                } else {
                    limiter.memory_growing(current, desired, None).unwrap()
                };
                prop_assert_eq!(answer, granted + bytes <= limit);
                granted += if answer { bytes } else { 0 };
                refused |= !answer;
                prop_assert_eq!(limiter.has_refused(), refused);
            }
        }
    }

    #[test]
    fn a_modules_own_maximum_is_not_the_stages_limit() {
        let mut limiter = MemoryLimiter::new(1_000);
        assert!(!limiter.memory_growing(0, 100, Some(50)).unwrap());
        assert!(!limiter.has_refused());
        assert!(limiter.memory_growing(0, 1_000, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
        assert!(limiter.has_refused());
        limiter.begin();
        assert!(
            !limiter.has_refused(),
            "what an earlier call was refused says nothing about this one"
        );
    }
}
