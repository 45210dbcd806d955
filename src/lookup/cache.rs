//! What is remembered, bounded in entries and bytes.
//!
//! Two generations: what is used moves into the young one, and when that is half of what there may
//! be, it becomes the old one, and what was left in the old one is forgotten. So what was not used
//! for longest goes first, nearly, and nothing has to be put in order when it is read.

use std::collections::HashMap;
use std::time::Instant;

use super::address::Address;

/// Bounds on what is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// Values by address, each until its time.
#[derive(Debug)]
pub(super) struct Cache<V> {
    bounds: Bounds,
    young: Generation<V>,
    old: Generation<V>,
}

#[derive(Debug)]
struct Generation<V> {
    entries: HashMap<Address, Entry<V>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: Instant,
    /// Of the value and its address.
    bytes: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Generation<V> {
        Generation { entries: HashMap::new(), bytes: 0 }
    }
}

impl<V> Generation<V> {
    fn remove(&mut self, address: &Address) -> Option<(Address, Entry<V>)> {
        let found = self.entries.remove_entry(address)?;
        self.bytes -= found.1.bytes;
        Some(found)
    }
}

impl<V: Clone> Cache<V> {
    pub(super) fn new(bounds: Bounds) -> Cache<V> {
        Cache { bounds, young: Generation::default(), old: Generation::default() }
    }

    /// What is known of an object at `now`.
    pub(super) fn get(&mut self, address: &Address, now: Instant) -> Option<V> {
        if let Some(entry) = self.young.entries.get(address) {
            return (now < entry.until).then(|| entry.value.clone());
        }
        let (address, entry) = self.old.remove(address)?;
        if now >= entry.until {
            return None;
        }
        let value = entry.value.clone();
        self.put(address, entry);
        Some(value)
    }

    /// Remembers a value of `bytes` until then, in place of what was known.
    pub(super) fn insert(&mut self, address: Address, value: V, bytes: usize, until: Instant) {
        self.old.remove(&address);
        let bytes = bytes + address.bytes() + size_of::<Entry<V>>();
        self.put(address, Entry { value, until, bytes });
    }

    fn put(&mut self, address: Address, entry: Entry<V>) {
        self.young.remove(&address);
        if entry.bytes > self.bounds.bytes / 2 {
            return;
        }
        let is_full = self.young.entries.len() >= self.bounds.entries / 2
            || self.young.bytes + entry.bytes > self.bounds.bytes / 2;
        if is_full {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += entry.bytes;
        self.young.entries.insert(address, entry);
    }

    /// Entries and bytes, for tests.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        let entries = self.young.entries.len() + self.old.entries.len();
        let bytes =
            |of: &Generation<V>| of.entries.values().map(|entry| entry.bytes).sum::<usize>();
        assert_eq!(bytes(&self.young), self.young.bytes);
        assert_eq!(bytes(&self.old), self.old.bytes);
        (entries, self.young.bytes + self.old.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn address(number: u32) -> Address {
        Address { name: number.to_string(), ..Address::default() }
    }

    proptest! {
        /// Against a map that forgets nothing: what is answered was inserted last and has not had
        /// its time, and the bounds hold.
        #[test]
        fn it_answers_what_was_inserted_last_and_keeps_its_bounds(
            steps in prop::collection::vec((0u32..12, 0usize..600, 0u64..9, any::<bool>()), 1..200),
        ) {
            let bounds = Bounds { entries: 8, bytes: 4_000 };
            let (mut cache, mut model) = (Cache::new(bounds), HashMap::new());
            let mut now = Instant::now();
            for (number, bytes, seconds, inserts) in steps {
                now += Duration::from_secs(seconds % 3);
                let address = address(number);
                if inserts {
                    let until = now + Duration::from_secs(seconds);
                    cache.insert(address.clone(), bytes, bytes, until);
                    model.insert(address, (bytes, until));
                } else if let Some(found) = cache.get(&address, now) {
                    let (value, until) = model[&address];
                    prop_assert!(found == value && now < until);
                }
                let (entries, bytes) = cache.size();
                prop_assert!(entries <= bounds.entries && bytes <= bounds.bytes);
            }
        }

        /// What is used stays: nothing else pushes it out while it is asked for between.
        #[test]
        fn what_is_used_is_not_forgotten(others in prop::collection::vec(1u32..100, 1..100)) {
            let mut cache = Cache::new(Bounds { entries: 8, bytes: 1 << 20 });
            let (now, far) = (Instant::now(), Instant::now() + Duration::from_secs(9));
            cache.insert(address(0), 0, 0, far);
            for other in others {
                cache.insert(address(other), other, 0, far);
                prop_assert_eq!(cache.get(&address(0), now), Some(0));
            }
        }
    }
}
