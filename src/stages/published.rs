//! A value that is replaced while others use it, and what each of them holds of it.
//!
//! Each value that is published is a generation, with a number. Who uses it takes the latest up
//! when that suits, and holds an earlier one as long as something that began in it has not ended.
//!
//! Invariant: numbers only grow, of what is published and of what each user holds.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The latest value, for all who use it.
pub(crate) struct Published<T> {
    /// The number of `latest`, to be looked at without a lock.
    number: AtomicU64,
    latest: Mutex<T>,
}

impl<T: Clone> Published<T> {
    /// The first generation is number 1.
    pub(crate) fn new(first: T) -> Published<T> {
        Published { number: AtomicU64::new(1), latest: Mutex::new(first) }
    }

    /// Makes a value the one that is taken up next. Answers its number.
    pub(crate) fn publish(&self, next: T) -> u64 {
        let mut latest = self.latest.lock();
        *latest = next;
        self.number.fetch_add(1, Ordering::Release) + 1
    }

    /// The latest, and its number.
    pub(crate) fn latest(&self) -> (u64, T) {
        let latest = self.latest.lock();
        // Under the lock, so that they belong together.
        (self.number.load(Ordering::Acquire), latest.clone())
    }

    fn is_past(&self, number: u64) -> bool {
        self.number.load(Ordering::Acquire) != number
    }
}

/// What one user makes of the values: of the latest that it has taken up, and of earlier ones.
pub(crate) struct Held<R> {
    latest: (u64, R),
    earlier: VecDeque<(u64, R)>,
}

impl<R> Held<R> {
    /// The latest that there is.
    pub(crate) fn new<T: Clone>(
        published: &Published<T>,
        make: impl FnOnce(u64, T) -> R,
    ) -> Held<R> {
        let (number, latest) = published.latest();
        Held { latest: (number, make(number, latest)), earlier: VecDeque::new() }
    }

    /// Takes the latest up, if that is another one.
    pub(crate) fn take_up<T: Clone>(
        &mut self,
        published: &Published<T>,
        make: impl FnOnce(u64, T) -> R,
    ) {
        if published.is_past(self.latest.0) {
            let (number, latest) = published.latest();
            let latest = (number, make(number, latest));
            self.earlier.push_back(std::mem::replace(&mut self.latest, latest));
        }
    }

    /// Lets earlier ones go in which nothing has begun that has not ended; something may have in
    /// those of `from` and later.
    pub(crate) fn let_go(&mut self, from: Option<u64>, mut end: impl FnMut(R)) {
        let is_over = |(number, _): &(u64, R)| from.is_none_or(|from| *number < from);
        while self.earlier.front().is_some_and(is_over) {
            if let Some((_, over)) = self.earlier.pop_front() {
                end(over);
            }
        }
    }

    /// The latest that was taken up.
    pub(crate) fn latest(&mut self) -> &mut R {
        &mut self.latest.1
    }

    /// The one with that number, which is held as long as something that began in it has not ended.
    pub(crate) fn of(&mut self, number: u64) -> &mut R {
        let earlier = self.earlier.iter_mut().find(|(held, _)| *held == number);
        earlier.map_or(&mut self.latest.1, |(_, held)| held)
    }
}
