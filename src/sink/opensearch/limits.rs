//! How much is sent at once. Pure.

/// How many requests may be in flight: halves under pressure, recovers by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    limit: usize,
    limit_max: usize,
}

impl Window {
    pub(super) fn new(limit_max: usize) -> Window {
        Window { limit: limit_max, limit_max }
    }

    pub(super) fn limit(self) -> usize {
        self.limit
    }

    /// 429 or a timeout.
    pub(super) fn pressed(&mut self) {
        self.limit = (self.limit / 2).max(1);
    }

    /// A request without any.
    pub(super) fn eased(&mut self) {
        self.limit = (self.limit + 1).min(self.limit_max);
    }
}

/// How many bytes a request may have: halves when requests are too large for the other side (413, a
/// whole 429, a timeout), and doubles again with each success of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestSize {
    bytes: usize,
    bytes_max: usize,
}

/// Small enough for any proxy.
const REQUEST_BYTES_MIN: usize = 64 << 10;

impl RequestSize {
    pub(super) fn new(bytes_max: usize) -> RequestSize {
        RequestSize { bytes: bytes_max, bytes_max }
    }

    pub(super) fn bytes(self) -> usize {
        self.bytes
    }

    /// A request of `sent` bytes was too much.
    pub(super) fn too_much(&mut self, sent: usize) {
        self.bytes = (sent.min(self.bytes) / 2).clamp(REQUEST_BYTES_MIN, self.bytes);
    }

    /// A request of `sent` bytes went through.
    pub(super) fn fine(&mut self, sent: usize) {
        if sent >= self.bytes / 2 {
            self.bytes = self.bytes.saturating_mul(2).min(self.bytes_max);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_window_stays_between_one_and_its_maximum_and_recovers(
            max in 1usize..10,
            steps in proptest::collection::vec(any::<bool>(), 0..50),
        ) {
            let mut window = Window::new(max);
            for pressed in steps {
                let before = window.limit();
                if pressed { window.pressed() } else { window.eased() }
                prop_assert!((1..=max).contains(&window.limit()));
                let right_way = if pressed { window.limit() <= before } else { window.limit() >= before };
                prop_assert!(right_way);
            }
            (0..max).for_each(|_| window.eased());
            prop_assert_eq!(window.limit(), max);
        }

        #[test]
        fn requests_shrink_to_what_passes_and_grow_back(limit in REQUEST_BYTES_MIN..(4usize << 20)) {
            let mut size = RequestSize::new(4 << 20);
            for _ in 0..10 {
                let sent = size.bytes();
                if sent > limit { size.too_much(sent) } else { break }
            }
            prop_assert!(size.bytes() <= limit && size.bytes() * 2 + 1 >= limit);
            for _ in 0..10 {
                size.fine(size.bytes());
            }
            prop_assert_eq!(size.bytes(), 4 << 20);
        }
    }
}
