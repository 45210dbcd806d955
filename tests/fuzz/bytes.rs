//! An input that is a program: which file to write, where to cut, what happens next.

/// What is left of it. Behind its end there are zeros.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Bytes<'a> {
        Bytes(input)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number of two bytes.
    pub(crate) fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A number that is mostly small, and sometimes as large as there are.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            0xff => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            0xfe => u64::MAX >> (self.byte() % 64),
            0xfd => u64::from(self.short()),
            small => u64::from(small),
        }
    }

    /// The next bytes, as many as there are of them.
    pub(crate) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes whose number stands before them.
    pub(crate) fn text(&mut self) -> &'a [u8] {
        let length = self.short();
        self.take(usize::from(length))
    }
}

/// Dice that fall the same way for the same input.
pub(crate) fn dice(input: &[u8]) -> fastrand::Rng {
    fastrand::Rng::with_seed(u64::from(crc32fast::hash(input)))
}
