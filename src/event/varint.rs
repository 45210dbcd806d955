//! Numbers of variable length: seven bits a byte, the lowest first; the highest bit says that more
//! bytes follow. Part of the spool's format.

/// Appends a number: one byte below 128, at most ten.
#[inline]
pub(crate) fn write(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front of `bytes`; `None` where there is none.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_number_comes_back_and_leaves_the_rest(number: u64, bits in 0u32..64) {
            let number = number >> bits;
            let mut out = Vec::new();
            write(number, &mut out);
            prop_assert_eq!(out.len() as u32, (64 - number.leading_zeros()).div_ceil(7).max(1));
            out.push(7);
            let mut rest = out.as_slice();
            prop_assert_eq!(read(&mut rest), Some(number));
            prop_assert_eq!(rest, [7]);
        }
    }

    #[test]
    fn a_number_that_does_not_end_is_none() {
        assert_eq!(read(&mut &[0x80, 0x80][..]), None);
        assert_eq!(read(&mut &[0xff; 11][..]), None);
    }
}
