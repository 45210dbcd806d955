//! UTF-16 as UTF-8. A mark becomes the mark of UTF-8, which the framer skips.

/// In which order the bytes of a unit come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utf16 {
    is_big_endian: bool,
}

impl Utf16 {
    pub(super) fn new(is_big_endian: bool) -> Utf16 {
        Utf16 { is_big_endian }
    }

    /// Appends the whole characters of `from`; answers how many bytes they were. A half of a pair
    /// without the other one becomes U+FFFD.
    pub(super) fn decode(self, from: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while let Some(first) = self.unit(from, at) {
            let (character, bytes) = match first {
                0xd800..=0xdbff => match self.unit(from, at + 2) {
                    None => break,
                    Some(second @ 0xdc00..=0xdfff) => {
                        let (high, low) = (u32::from(first) & 0x3ff, u32::from(second) & 0x3ff);
                        (char::from_u32(0x1_0000 + (high << 10) + low), 4)
                    }
                    Some(_) => (None, 2),
                },
                unit => (char::from_u32(unit.into()), 2),
            };
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += bytes;
        }
        at
    }

    fn unit(self, from: &[u8], at: usize) -> Option<u16> {
        let bytes = *from.get(at..)?.first_chunk::<2>()?;
        let decode = if self.is_big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
        Some(decode(bytes))
    }
}

/// How many bytes of UTF-16 the characters that begin in `text` were.
pub(super) fn bytes_of(text: &[u8]) -> usize {
    let units = |byte: &u8| match byte {
        0x80..=0xbf => 0,
        0xf0.. => 2,
        _ => 1,
    };
    text.iter().map(|byte| 2 * units(byte)).sum()
}
