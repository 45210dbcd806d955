//! Where the lines of a text begin, so that the line and the column of any byte are found without
//! counting from the beginning each time: a file may have as many mistakes as it has keys.

/// After so many bytes the characters before them are known. A line may be as long as the file.
const STEP_BYTES: usize = 1 << 10;

/// Lines and columns of one text.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    /// Characters before each multiple of [`STEP_BYTES`].
    characters: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Lines<'a> {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        let mut characters = vec![0];
        let mut sum = 0;
        for step in text.as_bytes().chunks(STEP_BYTES) {
            sum += count(step);
            characters.push(sum);
        }
        Lines { text, starts: std::iter::once(0).chain(breaks).collect(), characters }
    }

    /// The line and the column, in characters, of a byte, both from 1. Behind the end is the end.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        // The first line begins at 0: there is one at or before every byte.
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.before(offset) - self.before(start) + 1)
    }

    /// Characters before a byte.
    fn before(&self, offset: usize) -> usize {
        let step = offset / STEP_BYTES;
        let known = self.characters.get(step).copied().unwrap_or(0);
        known + count(&self.text.as_bytes()[step * STEP_BYTES..offset])
    }
}

/// Characters that begin in these bytes.
fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_position_counts_characters_not_bytes() {
        assert_eq!(Lines::new("a = 1\nü = 'é' x").position(15), (2, 8));
    }

    #[test]
    fn a_position_behind_the_end_is_the_end() {
        assert_eq!(Lines::new("a\nb").position(99), (2, 2));
        assert_eq!(Lines::new("").position(0), (1, 1));
    }

    proptest! {
        #[test]
        fn a_position_is_what_counting_from_the_beginning_gives(
            text in "[aü\n\u{1f600}]{0,40}", times in 1usize..200, offset in 0usize..20_000,
        ) {
            let text = text.repeat(times);
            let before = &text[..text.floor_char_boundary(offset)];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            prop_assert_eq!(Lines::new(&text).position(offset), (line, column));
        }
    }
}
