//! Requests that wait for their turn.
//!
//! Namespaces take turns, so that one in which much happens leaves the others theirs. Within one,
//! owners come first: what is below them was paid for already.

use std::collections::VecDeque;

use super::super::address::Address;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// One a namespace, the one whose turn is next first; none is empty.
    lines: VecDeque<Line>,
}

#[derive(Debug, Default)]
struct Line {
    namespace: String,
    /// Owners, and then others, each in the order in which they came.
    requests: VecDeque<Address>,
    /// How many of them are owners.
    owners: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many are sent before one that is put in now.
    pub(super) fn before(&self, namespace: &str, is_owner: bool) -> usize {
        let found = self.lines.iter().position(|line| line.namespace == namespace);
        let own = found.unwrap_or(self.lines.len());
        let place = match self.lines.get(own) {
            Some(line) if is_owner => line.owners,
            Some(line) => line.requests.len(),
            None => 0,
        };
        let sent_before = |(at, line): (usize, &Line)| {
            let turns = place + usize::from(at < own);
            line.requests.len().min(turns)
        };
        self.lines.iter().enumerate().map(sent_before).sum()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(|line| line.requests.len()).sum()
    }

    pub(super) fn put(&mut self, address: Address, is_owner: bool) {
        let of_it = self.lines.iter().position(|line| line.namespace == address.namespace);
        let at = of_it.unwrap_or_else(|| {
            let namespace = address.namespace.clone();
            self.lines.push_back(Line { namespace, ..Line::default() });
            self.lines.len() - 1
        });
        let Some(line) = self.lines.get_mut(at) else { return };
        if is_owner {
            line.requests.insert(line.owners, address);
            line.owners += 1;
        } else {
            line.requests.push_back(address);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Address> {
        let mut line = self.lines.pop_front()?;
        let address = line.requests.pop_front();
        line.owners = line.owners.saturating_sub(1);
        if !line.requests.is_empty() {
            self.lines.push_back(line);
        }
        address
    }

    /// Takes one out, wherever it stands; answers whether it was there.
    pub(super) fn remove(&mut self, address: &Address) -> bool {
        let of_it = self.lines.iter().position(|line| line.namespace == address.namespace);
        let Some((number, line)) = of_it.and_then(|at| Some((at, self.lines.get_mut(at)?))) else {
            return false;
        };
        let Some(at) = line.requests.iter().position(|other| other == address) else {
            return false;
        };
        line.requests.remove(at);
        line.owners -= usize::from(at < line.owners);
        if line.requests.is_empty() {
            self.lines.remove(number);
        }
        true
    }

    /// All, in the order in which they are sent if none comes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Address> {
        let turns = self.lines.iter().map(|line| line.requests.len()).max().unwrap_or_default();
        let of = |turn| self.lines.iter().filter_map(move |line: &Line| line.requests.get(turn));
        (0..turns).flat_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address((namespace, name): (u8, u8)) -> Address {
        let (namespace, name) = (namespace.to_string(), name.to_string());
        Address { namespace, name, ..Address::default() }
    }

    proptest! {
        /// What is put in stands where it was said to, all come out in the order that was said,
        /// and no namespace waits for another's second.
        #[test]
        fn namespaces_take_turns_and_owners_come_first(
            steps in prop::collection::vec((0u8..4, 0u8..9, 0u8..4), 1..60),
        ) {
            let mut queue = Queue::default();
            for (namespace, name, step) in steps {
                let address = address((namespace, name));
                let all: Vec<Address> = queue.iter().cloned().collect();
                match step {
                    0 => prop_assert_eq!(queue.pop(), all.first().cloned()),
                    1 => prop_assert_eq!(queue.remove(&address), all.contains(&address)),
                    _ if all.contains(&address) => {}
                    _ => {
                        let before = queue.before(&address.namespace, step == 2);
                        queue.put(address.clone(), step == 2);
                        prop_assert_eq!(queue.iter().nth(before), Some(&address));
                    }
                }
                let all: Vec<&Address> = queue.iter().collect();
                prop_assert!(queue.len() == all.len() && queue.is_empty() == all.is_empty());
                let lines = all.iter().map(|one| &one.namespace).collect::<std::collections::HashSet<_>>();
                let first = all.iter().take(lines.len()).map(|one| &one.namespace);
                prop_assert_eq!(first.collect::<std::collections::HashSet<_>>(), lines);
            }
            let all: Vec<Address> = queue.iter().cloned().collect();
            let popped: Vec<Address> = std::iter::from_fn(|| queue.pop()).collect();
            prop_assert_eq!(popped, all);
        }
    }

    #[test]
    fn an_owner_goes_before_what_came_earlier_in_its_namespace() {
        let mut queue = Queue::default();
        for (name, is_owner) in [(0, false), (1, false), (2, true), (3, true)] {
            queue.put(address((0, name)), is_owner);
        }
        queue.put(address((1, 4)), false);
        let names: Vec<Address> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(names, [(0, 2), (1, 4), (0, 3), (0, 0), (0, 1)].map(address));
    }
}
