//! The hash by which events about one object reach one worker.
//!
//! It is taken over decoded text, so that two ways of writing one name meet. It stands in no file
//! and on no wire: it may differ from one version of weir to the next.

use super::json::decode_bytes;
use super::span::Span;

/// An odd number with its bits well spread: 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes some strings of an event; their lengths separate them.
#[inline]
pub(super) fn shard<const N: usize>(parts: [Span; N], bytes: &[u8]) -> u32 {
    let mut hash = 0;
    for part in parts {
        let text = decode_bytes(bytes, part);
        hash = mix(hash, text.len() as u64);
        let mut words = text.chunks_exact(size_of::<u64>());
        for word in &mut words {
            // chunks_exact gives slices of exactly this length.
            hash = mix(hash, word.first_chunk().map_or(0, |word| u64::from_le_bytes(*word)));
        }
        let rest = words.remainder().iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = mix(hash, rest);
    }
    // The upper bits depend on all that went in.
    (hash >> 32) as u32
}

#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash.rotate_left(29) ^ word).wrapping_mul(MULTIPLIER);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: [&str; 3]) -> u32 {
        let text = parts.concat();
        let mut at = 0;
        let spans = parts.map(|part| {
            let start = at;
            at += part.len();
            if part.contains('\\') { Span::escaped(start, at) } else { Span::plain(start, at) }
        });
        shard(spans, text.as_bytes())
    }

    #[test]
    fn two_ways_to_write_a_name_meet() {
        assert_eq!(of(["Pod", "default", "web-1"]), of(["P\\u006fd", "default", "web\\u002d1"]));
    }

    #[test]
    fn text_that_moves_between_the_parts_is_another_object() {
        assert_ne!(of(["Pod", "ab", "c"]), of(["Pod", "a", "bc"]));
        assert_ne!(of(["Pod", "", "a"]), of(["Pod", "a", ""]));
    }

    #[test]
    fn objects_spread_evenly_over_few_workers() {
        for workers in [2, 3, 4] {
            let mut counts = vec![0usize; workers as usize];
            for pod in 0..10_000 {
                counts[(of(["Pod", "default", &format!("web-7d4b9c-{pod:05}")]) % workers)
                    as usize] += 1;
            }
            let fair = 10_000 / workers as usize;
            assert!(counts.iter().all(|count| count.abs_diff(fair) < fair / 10), "{counts:?}");
        }
    }
}
