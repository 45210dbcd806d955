//! What the host keeps for one guest of `wasi = "stub"`: a source of random numbers, and the lines
//! that it has begun to write.

use crate::stages::limits::LOG_LINE_BYTES_MAX;

/// Any number would do, as long as it never changes.
pub(super) const SEED: u64 = 0x7765_6972;

/// What the host keeps for the guest of one store.
#[derive(Debug)]
pub(in crate::stages) struct Stub {
    pub(super) random: fastrand::Rng,
    /// What was written to stdout and stderr and has no end of line yet.
    lines: [Line; 2],
}

#[derive(Clone, Debug, Default)]
struct Line {
    /// At most one byte more than a line of the log may have, which shows that it is cut.
    bytes: Vec<u8>,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stages) enum Output {
    Stdout,
    Stderr,
}

impl Stub {
    pub(in crate::stages) fn new() -> Stub {
        Stub { random: fastrand::Rng::with_seed(SEED), lines: [Line::default(), Line::default()] }
    }

    /// Takes what was written, and gives each line that is complete to `say`.
    pub(super) fn write(&mut self, output: Output, bytes: &[u8], mut say: impl FnMut(&str)) {
        let line = &mut self.lines[output as usize];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = (LOG_LINE_BYTES_MAX + 1).saturating_sub(line.bytes.len());
            line.bytes.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                line.take(&mut say);
            }
        }
    }

    /// Gives lines to `say` that were begun and not ended.
    pub(in crate::stages) fn flush(&mut self, mut say: impl FnMut(Output, &str)) {
        for output in [Output::Stdout, Output::Stderr] {
            self.lines[output as usize].take(|line| say(output, line));
        }
    }
}

impl Line {
    /// An empty line says nothing.
    fn take(&mut self, mut say: impl FnMut(&str)) {
        if !self.bytes.is_empty() {
            say(&String::from_utf8_lossy(&self.bytes));
            self.bytes.clear();
        }
    }
}
