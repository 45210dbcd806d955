//! Pairs of letters in a text, looked for at 16 places at a time.
//!
//! A module is built for size, and then the compiler makes no vectors of a loop by itself; and at
//! each turn of a loop weir looks whether the time is up. So here a turn is 16 bytes.
//!
//! Calling what uses vectors is safe on wasm32 whatever else the module is built with: a component
//! that uses them is refused as a whole where they are not known. Elsewhere, in unit tests, the
//! same is done byte by byte.

/// Places looked at together: a vector of WebAssembly's.
pub(crate) const BLOCK: usize = 16;

/// 16 places, and the byte behind them.
type Block = [u8; BLOCK + 1];

/// The first place at or after `from` where `pair` stands, in any case.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(crate) fn find(text: &[u8], mut from: usize, pair: [u8; 2]) -> Option<usize> {
    let mut room = [0; BLOCK + 1];
    while from + 1 < text.len() {
        let (block, before) = block_at(text, from, &mut room);
        let mask = mask_of(block, pair) >> before;
        if mask != 0 {
            return Some(from + mask.trailing_zeros() as usize);
        }
        from += BLOCK;
    }
    None
}

/// The first 16 places at or after `from` in which hints stand: the pairs `xi`, `gp`, `nv`, `bu`,
/// `gm` and `[d`, in any case. Answers where they begin, and a bit for each place of a hint.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(crate) fn next_hints(text: &[u8], mut from: usize) -> Option<(usize, u32)> {
    let mut room = [0; BLOCK + 1];
    while from + 1 < text.len() {
        let (block, before) = block_at(text, from, &mut room);
        let mask = hints_of(block) >> before;
        if mask != 0 {
            return Some((from, mask));
        }
        from += BLOCK;
    }
    None
}

/// The block that has the place `from`, and how many places stand before that: none, but in the
/// last block. A text that is shorter than a block is put into `room`.
fn block_at<'a>(text: &'a [u8], from: usize, room: &'a mut Block) -> (&'a Block, usize) {
    let start = from.min(text.len().saturating_sub(BLOCK + 1));
    let block = match text.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(block) => block,
        None => {
            room.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            room
        }
    };
    (block, from - start)
}

#[cfg(not(target_arch = "wasm32"))]
use plain::{hints_of, mask_of};
#[cfg(target_arch = "wasm32")]
use wasm::{hints_of, mask_of};

#[cfg(not(target_arch = "wasm32"))]
mod plain {
    use super::Block;

    /// The places where a pair stands, a bit each.
    pub(super) fn mask_of(block: &Block, pair: [u8; 2]) -> u32 {
        scan(block, |found| found == pair.map(|letter| letter | 0x20))
    }

    /// The places of hints, a bit each.
    pub(super) fn hints_of(block: &Block) -> u32 {
        scan(block, |found| {
            // `dcgm`; and `[drm`, where the bit makes a brace of the bracket.
            matches!(&found, b"xi" | b"gp" | b"nv" | b"bu" | b"gm" | b"{d")
        })
    }

    fn scan(block: &Block, holds: impl Fn([u8; 2]) -> bool) -> u32 {
        let places = block.windows(2).enumerate();
        places.fold(0, |mask, (at, pair)| {
            mask | u32::from(holds([pair[0] | 0x20, pair[1] | 0x20])) << at
        })
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use core::arch::wasm32::{
        u8x16_bitmask, u8x16_eq as eq, u8x16_splat as all, u64x2, v128, v128_and as and,
        v128_or as or,
    };

    use super::Block;

    /// 16 bytes from `at` on, in lower case where they are letters.
    #[target_feature(enable = "simd128")]
    fn load(block: &Block, at: usize) -> v128 {
        let half = |at: usize| {
            let bytes = block.get(at..).and_then(|rest| rest.first_chunk());
            u64::from_le_bytes(*bytes.unwrap_or(&[0; 8]))
        };
        or(u64x2(half(at), half(at + 8)), all(0x20))
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn mask_of(block: &Block, pair: [u8; 2]) -> u32 {
        let [first, second] = pair;
        let first = eq(load(block, 0), all(first | 0x20));
        u8x16_bitmask(and(first, eq(load(block, 1), all(second | 0x20)))).into()
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn hints_of(block: &Block) -> u32 {
        let (first, second) = (load(block, 0), load(block, 1));
        let pair = |one: u8, two: u8| and(eq(first, all(one)), eq(second, all(two)));
        let of_g = or(eq(second, all(b'p')), eq(second, all(b'm')));
        let of_g = and(eq(first, all(b'g')), of_g);
        let others = or(pair(b'x', b'i'), pair(b'n', b'v'));
        u8x16_bitmask(or(of_g, or(others, or(pair(b'b', b'u'), pair(b'{', b'd'))))).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of all lengths up to some blocks, with the pair at each place, and from each place on.
    #[test]
    fn a_pair_is_found_where_it_first_stands() {
        for length in 0..60 {
            for at in 0..length {
                let mut text = vec![b'a'; length];
                text[at] = b'X';
                if let Some(second) = text.get_mut(at + 1) {
                    *second = b'i';
                }
                let is_whole = at + 1 < length;
                for from in 0..=length + 1 {
                    let expected = (is_whole && at >= from).then_some(at);
                    assert_eq!(find(&text, from, *b"xI"), expected, "{length} {at} {from}");
                }
                let hints = next_hints(&text, 0);
                assert_eq!(hints.is_some(), is_whole, "{length} {at}");
                assert!(hints.is_none_or(|(from, mask)| from <= at && mask == 1 << (at - from)));
            }
        }
    }
}
