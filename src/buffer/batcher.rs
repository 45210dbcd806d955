//! Cuts what waits into batches. Pure.
//!
//! Invariant: documents leave in the order in which they came, each exactly once, with their share of the
//! held events; a batch is within its limits unless one document alone is larger.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::handoff::{Batch, BatchLimits, Item, Stored};
use crate::ledger::Held;

/// Documents that wait to be cut into batches.
#[derive(Debug, Default)]
pub(super) struct Batcher {
    queue: VecDeque<Share>,
}

#[derive(Debug)]
struct Share {
    documents: Arc<Stored>,
    /// The first document that was not taken yet.
    next: u32,
    held: Held,
}

impl Batcher {
    pub(super) fn push(&mut self, documents: Stored, held: Held) {
        self.queue.push_back(Share { documents: Arc::new(documents), next: 0, held });
    }

    /// As much as the limits allow of what is there; `None` when nothing is.
    pub(super) fn cut(&mut self, limits: BatchLimits) -> Option<Batch> {
        let mut bytes = 0;
        let mut items = Vec::new();
        let mut held: Option<Held> = None;
        while let Some(share) = self.queue.front_mut() {
            let first = share.next;
            share.take(limits, &mut bytes, &mut items);
            let taken = share.held.split(u64::from(share.next - first));
            match &mut held {
                Some(held) => held.merge(taken),
                None => held = Some(taken),
            }
            if (share.next as usize) < share.documents.docs.len() {
                break;
            }
            self.queue.pop_front();
        }
        held.filter(|_| !items.is_empty()).map(|held| Batch { items, held })
    }
}

impl Share {
    /// Moves documents into `items` while they fit.
    fn take(&mut self, limits: BatchLimits, bytes: &mut usize, items: &mut Vec<Item>) {
        for document in &self.documents.docs[self.next as usize..] {
            let fits = items.len() < limits.count && *bytes + document.body.len() <= limits.bytes;
            if !fits && !items.is_empty() {
                return;
            }
            *bytes += document.body.len();
            items.push(Item { documents: self.documents.clone(), index: self.next });
            self.next += 1;
        }
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
                batcher.push(Stored::new(documents(sizes), ()), ledger.receive(sizes.len() as u64));
            }
            let expected: Vec<usize> = sizes.concat();
            let mut seen = Vec::new();
            for (bytes, count) in cuts.iter().copied().cycle().take(expected.len()) {
                let Some(mut batch) = batcher.cut(BatchLimits { bytes, count }) else { break };
                let taken: Vec<usize> = batch.items.iter().map(|item| item.body().len()).collect();
                let total: usize = taken.iter().sum();
                prop_assert!(!taken.is_empty() && taken.len() <= count);
                prop_assert!(total <= bytes || taken.len() == 1);
                prop_assert_eq!(batch.held.count(), taken.len() as u64);
                seen.extend(taken.iter().copied());
                if let Some(next) = expected.get(seen.len()) {
                    prop_assert!(taken.len() == count || total + next > bytes, "it could have been fuller");
                }
                let mut tally = Tally::default();
                tally.delivered(Delivered::Written, taken.len() as u64);
                batch.held.settle(&tally);
                prop_assert!(ledger.snapshot().is_balanced());
            }
            prop_assert_eq!(seen, expected);
            let rest = batcher.cut(BatchLimits { bytes: 1, count: 1 });
            prop_assert!(rest.is_none());
            prop_assert_eq!(ledger.snapshot().in_flight, 0);
        }
    }
}
