//! After an error of syntax: where to continue, and how much to keep of what is skipped.

use memchr::memchr;

use super::FrameType;
use super::lines::Location;
use crate::event::{EVENT_BYTES_MAX, RejectionKind};

/// Something malformed whose end is not known yet.
#[derive(Clone, Debug)]
pub(super) struct OpenRejection {
    pub(super) frame: FrameType,
    pub(super) kind: RejectionKind,
    pub(super) detail: String,
    pub(super) location: Location,
}

/// On the way to the next line that begins with `{`, or with a byte-order mark and `{`.
#[derive(Debug, Default)]
pub(super) struct Recover {
    /// `None` where the error is that of an object that was rejected already.
    pub(super) rejection: Option<OpenRejection>,
    kept: Vec<u8>,
    at_line_start: bool,
}

impl Recover {
    /// Starts behind `passed`, which is malformed.
    pub(super) fn new(
        rejection: Option<OpenRejection>,
        passed: &[u8],
        at_line_start: bool,
    ) -> Recover {
        let mut recover = Recover { rejection, kept: Vec::new(), at_line_start };
        recover.keep(passed);
        recover
    }

    /// Skips the next bytes. Answers how many, and whether the line to go on with begins there.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            if self.at_line_start {
                const MARKED: &[u8] = b"\xef\xbb\xbf{";
                match &bytes[at..] {
                    [b'{', ..] => return (at, true),
                    rest if rest.starts_with(MARKED) => return (at, true),
                    rest if MARKED.starts_with(rest) => return (at, false),
                    _ => {}
                }
            }
            let end = memchr(b'\n', &bytes[at..]).map(|line_break| at + line_break + 1);
            self.at_line_start = end.is_some();
            let end = end.unwrap_or(bytes.len());
            self.keep(&bytes[at..end]);
            at = end;
        }
        (at, false)
    }

    /// What was skipped, without trailing white space: at most one byte more than an event may
    /// have.
    pub(super) fn kept(&self) -> &[u8] {
        self.kept.trim_ascii_end()
    }

    /// Skips one byte, whatever it is.
    pub(super) fn pass(&mut self, byte: u8) {
        self.at_line_start = byte == b'\n';
        self.keep(&[byte]);
    }

    fn keep(&mut self, passed: &[u8]) {
        if self.rejection.is_some() {
            let room = EVENT_BYTES_MAX + 1 - self.kept.len();
            self.kept.extend_from_slice(&passed[..passed.len().min(room)]);
        }
    }
}
