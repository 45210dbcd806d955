//! Finding the next record behind damage, wherever it is.

use super::super::frame::{HEAD_BYTES, Head, MAGIC};
use super::super::segment::Walk;
use super::*;

const FIRST: Point = Point { seq: 5, documents: 50 };
const BOUND: Point = Point { seq: 9, documents: 90 };

fn head(start: Point) -> Head {
    Head {
        start,
        documents: 10,
        durable: 0,
        is_copy: false,
        payload_bytes: 4,
        payload_crc: crc32fast::hash(b"abcd"),
    }
}

/// Where it finds a record behind this much damage.
fn found_behind(damage: &[u8], head: &Head) -> Option<u64> {
    let mut disk = SimulatedDisk::default();
    disk.lock().unwrap();
    let bytes = [damage, &head.encode(), b"abcd"].concat();
    disk.put("file", &bytes);
    let walk = Walk::new(disk.open("file").unwrap(), 0, bytes.len() as u64);
    walk.peek(FIRST, BOUND).unwrap().map(|found| found.offset)
}

#[test]
fn a_record_is_found_at_every_place_in_the_pieces_that_are_read() {
    let piece = 64 << 10;
    for length in (0..100).chain(piece - 60..piece + 60).chain(2 * piece - 60..2 * piece + 60) {
        assert_eq!(found_behind(&vec![b'x'; length], &head(FIRST)), Some(length as u64));
    }
    let magics = MAGIC.repeat(20_000);
    assert_eq!(found_behind(&magics, &head(FIRST)), Some(magics.len() as u64));
}

#[test]
fn a_record_that_cannot_be_there_is_not_taken_for_one() {
    let at = |seq, documents| found_behind(b"x", &head(Point { seq, documents }));
    assert_eq!(at(8, 80), Some(1));
    assert_eq!((at(4, 50), at(9, 80), at(5, 49), at(8, 81)), (None, None, None, None));
    let mut longer = head(FIRST);
    longer.payload_bytes = 5;
    assert_eq!(found_behind(b"", &longer), None);
    assert_eq!(
        found_behind(&head(FIRST).encode()[..HEAD_BYTES - 1], &head(FIRST)),
        Some(HEAD_BYTES as u64 - 1)
    );
}
