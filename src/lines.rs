//! Files of lines that a crash may have torn: where the last whole line ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much is read at once, from the end backwards.
const BLOCK_BYTES: usize = 64 << 10;

/// Where the whole lines end, when the file ends in a line without its line break; `None` when all
/// is well.
pub(crate) fn whole_lines_bytes(file: &File) -> io::Result<Option<u64>> {
    let len = file.metadata()?.len();
    let mut block = vec![0; BLOCK_BYTES];
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES as u64);
        let block = &mut block[..(end - start) as usize];
        file.read_exact_at(block, start)?;
        if let Some(found) = memchr::memrchr(b'\n', block) {
            let whole = start + found as u64 + 1;
            return Ok((whole < len).then_some(whole));
        }
        end = start;
    }
    Ok((len > 0).then_some(0))
}

/// Appends everything behind `start` to `out`.
pub(crate) fn read_from(file: &File, start: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let len = file.metadata()?.len().saturating_sub(start);
    let old = out.len();
    out.resize(old + usize::try_from(len).map_err(io::Error::other)?, 0);
    file.read_exact_at(&mut out[old..], start)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn whole(text: &[u8]) -> Option<u64> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        whole_lines_bytes(&file).unwrap()
    }

    #[test]
    fn a_torn_line_longer_than_a_block_is_found() {
        let mut text = b"whole\n".to_vec();
        text.resize(3 * BLOCK_BYTES + 5, b'x');
        assert_eq!(whole(&text), Some(6));
        assert_eq!(whole(&text[6..]), Some(0));
    }

    proptest! {
        #[test]
        fn whole_lines_are_what_ends_in_a_line_break(text in "[ab\n]{0,40}") {
            let expected = text.rfind('\n').map_or(0, |at| at as u64 + 1);
            let torn = (expected < text.len() as u64).then_some(expected);
            prop_assert_eq!(whole(text.as_bytes()), torn);
        }
    }
}
