//! Cuts what waits into batches. Pure.
//!
//! Invariant: documents leave in the order in which they came, each exactly once; a batch is within
//! its limits unless one document alone is larger.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::handoff::{BatchLimits, Item, Stored};

/// Documents that wait to be cut into batches.
#[derive(Debug, Default)]
pub(super) struct Batcher {
    queue: VecDeque<Item>,
    bytes: usize,
}

impl Batcher {
    pub(super) fn push(&mut self, documents: Arc<Stored>) {
        self.bytes += documents.docs.iter().map(|document| document.body.len()).sum::<usize>();
        self.queue.extend(Item::all_of(documents));
    }

    /// Bytes of the documents that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// As much as the limits allow of what is there; `None` when nothing is.
    pub(super) fn cut(&mut self, limits: BatchLimits) -> Option<Vec<Item>> {
        let mut bytes = 0;
        let mut fit = self.queue.iter().enumerate().take_while(|(index, item)| {
            bytes += item.body().len();
            *index == 0 || (bytes <= limits.bytes && *index < limits.count)
        });
        let count = fit.by_ref().count();
        let batch: Vec<Item> = self.queue.drain(..count).collect();
        self.bytes -= batch.iter().map(|item| item.body().len()).sum::<usize>();
        (count > 0).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::buffer::tests::documents;
    use crate::ledger::{Delivered, Ledger, Tally};

    proptest! {
        #[test]
        fn every_document_leaves_once_in_order_and_batches_are_as_full_as_limits_allow(
            sizes in proptest::collection::vec(proptest::collection::vec(0usize..40, 0..12), 0..12),
            cuts in proptest::collection::vec((1usize..80, 1usize..8), 1..100),
        ) {
            let ledger = Ledger::default();
            let mut batcher = Batcher::default();
            for sizes in &sizes {
                let held = ledger.receive(sizes.len() as u64);
                batcher.push(Arc::new(Stored::new(documents(sizes), held, ())));
            }
            let expected: Vec<usize> = sizes.concat();
            let mut seen = Vec::new();
            for (bytes, count) in cuts.iter().copied().cycle().take(expected.len()) {
                let Some(batch) = batcher.cut(BatchLimits { bytes, count }) else { break };
                let taken: Vec<usize> = batch.iter().map(|item| item.body().len()).collect();
                let total: usize = taken.iter().sum();
                prop_assert!(!taken.is_empty() && taken.len() <= count);
                prop_assert!(total <= bytes || taken.len() == 1);
                seen.extend(taken.iter().copied());
                if let Some(next) = expected.get(seen.len()) {
                    prop_assert!(taken.len() == count || total + next > bytes, "it could have been fuller");
                }
                let mut tally = Tally::default();
                tally.delivered(Delivered::Written, taken.len() as u64);
                Item::settle_all(batch, &tally);
                prop_assert!(ledger.snapshot().is_balanced());
            }
            prop_assert_eq!(batcher.bytes(), 0);
            prop_assert_eq!(seen, expected);
            let rest = batcher.cut(BatchLimits { bytes: 1, count: 1 });
            prop_assert!(rest.is_none());
            prop_assert_eq!(ledger.snapshot().in_flight, 0);
        }
    }
}
