//! Where a string's run of plain characters ends, sixteen bytes at a time.

use wide::u8x16;

/// The position of the next quote, backslash or control character from `at` on.
#[inline(always)]
pub(super) fn find_special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        let special = special_bytes(block);
        if special != 0 {
            return Some(at + special.trailing_zeros() as usize);
        }
        at += BLOCK;
    }
    find_special_by_byte(bytes, at)
}

/// The same, in the last few bytes.
#[cold]
fn find_special_by_byte(bytes: &[u8], at: usize) -> Option<usize> {
    let special = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    special.map(|special| at + special)
}

/// How many bytes are looked at together: the width of SSE2 and NEON, which every processor of
/// theirs has.
const BLOCK: usize = 16;

/// One bit for each byte of `block` that ends a run of plain characters: a quote, a backslash, a
/// control character.
#[inline(always)]
fn special_bytes(block: &[u8; BLOCK]) -> u32 {
    let block = u8x16::new(*block);
    let control = block.min(u8x16::splat(0x1f)).simd_eq(block);
    let quote = block.simd_eq(u8x16::splat(b'"'));
    let backslash = block.simd_eq(u8x16::splat(b'\\'));
    (control | quote | backslash).to_bitmask()
}
