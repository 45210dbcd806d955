//! A record's frame in a segment: a head of fixed size, then the payload. Pure.
//!
//! Constraints: the head has a checksum of its own, so that a reader can step over a damaged
//! payload; it begins with [`MAGIC`], so that a reader finds the next one behind a damaged head;
//! and it says how many documents were before it, so that whatever is missing in between can be
//! counted.

use super::Point;

/// Two of its bytes never occur in UTF-8, so that no event's text can look like a frame.
pub(super) const MAGIC: [u8; 4] = *b"w\xffr\xfe";
/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 48;
/// Payloads are at most this large, and readers take no larger one.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1 << 30;

const FLAG_IS_COPY: u32 = 1;
/// Far beyond [`Point::is_possible`], so that whatever is appended behind a planted file is read
/// again, and so small that no sum overflows.
const NUMBER_MAX: u64 = 1 << 62;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where in the log the record begins.
    pub(super) start: Point,
    /// How many documents it holds.
    pub(super) documents: u32,
    /// All records before this number were durable when it was written. After a crash this tells a
    /// record that was torn from one that was damaged later.
    pub(super) durable: u64,
    /// Its documents were in the writer's memory too. For people who look into a file.
    pub(super) is_copy: bool,
    /// Length of the payload.
    pub(super) payload_bytes: u32,
    /// CRC-32 of the payload.
    pub(super) payload_crc: u32,
}

impl Head {
    /// Where in the log the record ends.
    pub(super) fn end(&self) -> Point {
        Point {
            seq: self.start.seq + 1,
            documents: self.start.documents + u64::from(self.documents),
        }
    }

    /// Head and payload.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.payload_bytes)
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        let flags = if self.is_copy { FLAG_IS_COPY } else { 0 };
        bytes[4..8].copy_from_slice(&flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.start.seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.start.documents.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.durable.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.documents.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..44]);
        bytes[44..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` where no head stands.
    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
        if bytes[..4] != MAGIC || crc32fast::hash(&bytes[..44]) != u32_at(bytes, 44) {
            return None;
        }
        let head = Head {
            start: Point { seq: u64_at(bytes, 8), documents: u64_at(bytes, 16) },
            documents: u32_at(bytes, 32),
            durable: u64_at(bytes, 24),
            is_copy: u32_at(bytes, 4) & FLAG_IS_COPY != 0,
            payload_bytes: u32_at(bytes, 36),
            payload_crc: u32_at(bytes, 40),
        };
        // Other numbers have passed the checksum by chance or on purpose.
        let is_sane = head.payload_bytes as usize <= PAYLOAD_BYTES_MAX
            && head.start.seq <= NUMBER_MAX
            && head.start.documents <= NUMBER_MAX;
        is_sane.then_some(head)
    }
}

/// The number that stands at `at`, which is within `bytes`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// The number that stands at `at`, which is within `bytes`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head() -> impl Strategy<Value = Head> {
        (any::<(u32, u32, u32, u64, bool, u32)>(), 0..=PAYLOAD_BYTES_MAX as u32).prop_map(
            |(numbers, payload_bytes)| {
                let (seq, before, documents, durable, is_copy, payload_crc) = numbers;
                let start = Point { seq: u64::from(seq) << 20, documents: u64::from(before) << 20 };
                Head { start, documents, durable, is_copy, payload_bytes, payload_crc }
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_and_no_flipped_bit_goes_unnoticed(head in head(), bit in 0..HEAD_BYTES * 8) {
            let mut bytes = head.encode();
            prop_assert_eq!(Head::decode(&bytes), Some(head));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Head::decode(&bytes), None);
        }
    }
}
