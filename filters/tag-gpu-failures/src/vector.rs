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
    while let Some(block) = text.get(from..).and_then(|rest| rest.first_chunk()) {
        let mask = mask_of(block, pair);
        if mask != 0 {
            return Some(from + mask.trailing_zeros() as usize);
        }
        from += BLOCK;
    }
    let mask = mask_of(&rest(text, from), pair);
    (mask != 0).then(|| from + mask.trailing_zeros() as usize)
}

/// The first 16 places at or after `from` in which hints stand: the pairs `xi`, `gp`, `nv`, `bu`,
/// `gm` and `[d`, in any case. Answers where they begin, and a bit for each place of a hint.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(crate) fn next_hints(text: &[u8], mut from: usize) -> Option<(usize, u32)> {
    while let Some(block) = text.get(from..).and_then(|rest| rest.first_chunk()) {
        let mask = hints_of(block);
        if mask != 0 {
            return Some((from, mask));
        }
        from += BLOCK;
    }
    let mask = hints_of(&rest(text, from));
    (mask != 0).then_some((from, mask))
}

/// Whether a quote or a brace stands anywhere.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
pub(crate) fn has_mark(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some(block) = text.get(from..).and_then(|rest| rest.first_chunk()) {
        if marks_of(block) != 0 {
            return true;
        }
        from += BLOCK;
    }
    marks_of(&rest(text, from)) != 0
}

/// What is left of a text from `from` on, which is less than a block. Nothing that is looked for
/// has zeros.
fn rest(text: &[u8], from: usize) -> Block {
    let mut block = [0; BLOCK + 1];
    let rest = text.get(from..).unwrap_or_default();
    if let Some(begin) = block.get_mut(..rest.len()) {
        begin.copy_from_slice(rest);
    }
    block
}

#[cfg(not(target_arch = "wasm32"))]
use plain::{hints_of, marks_of, mask_of};
#[cfg(target_arch = "wasm32")]
use wasm::{hints_of, marks_of, mask_of};

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

    /// The places of quotes and braces, a bit each.
    pub(super) fn marks_of(block: &Block) -> u32 {
        let places = block.iter().take(super::BLOCK).enumerate();
        let is_mark = |byte: &u8| matches!(byte, b'"' | b'\'' | b'{' | b'}');
        places.fold(0, |mask, (at, byte)| mask | u32::from(is_mark(byte)) << at)
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

    /// The bytes at the 16 places and those behind each of them, in lower case where they are
    /// letters.
    #[inline]
    #[target_feature(enable = "simd128")]
    fn load(block: &Block) -> (v128, v128) {
        let ([first @ .., _], [_, second @ ..]) = (block, block);
        (or(vector(first), all(0x20)), or(vector(second), all(0x20)))
    }

    #[inline]
    #[target_feature(enable = "simd128")]
    fn vector(bytes: &[u8; 16]) -> v128 {
        let bytes = u128::from_le_bytes(*bytes);
        u64x2(bytes as u64, (bytes >> 64) as u64)
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn marks_of(block: &Block) -> u32 {
        let [bytes @ .., _] = block;
        let bytes = vector(bytes);
        let is = |mark: u8| eq(bytes, all(mark));
        u8x16_bitmask(or(or(is(b'"'), is(b'\'')), or(is(b'{'), is(b'}')))).into()
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn mask_of(block: &Block, pair: [u8; 2]) -> u32 {
        let (first, second) = load(block);
        let [one, two] = pair;
        let (one, two) = (all(one | 0x20), all(two | 0x20));
        u8x16_bitmask(and(eq(first, one), eq(second, two))).into()
    }

    #[target_feature(enable = "simd128")]
    pub(super) fn hints_of(block: &Block) -> u32 {
        let (first, second) = load(block);
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
                assert!(!has_mark(&text));
                text[at] = b'{';
                assert!(has_mark(&text) && !has_mark(&text[..at]), "{length} {at}");
                text[at] = b'X';
                let hints = next_hints(&text, 0);
                assert_eq!(hints.is_some(), is_whole, "{length} {at}");
                assert!(hints.is_none_or(|(from, mask)| from <= at && mask == 1 << (at - from)));
            }
        }
    }
}
