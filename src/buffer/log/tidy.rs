//! Writing down what is settled, and removing files that are no longer needed.

use std::io::ErrorKind;

use super::{Contents, Disk, IoError, Log, Point};

impl<D: Disk, C: Contents> Log<D, C> {
    /// Writes down what is settled and removes files that hold nothing else. To be called whenever
    /// something was settled, so that a killed process does not send it again, and with
    /// `durably` about once a second, so that a power failure does not either.
    ///
    /// # Errors
    ///
    /// When the disk fails. The log goes on; the next call tries again.
    pub(crate) fn tidy(&mut self, durably: bool) -> Result<(), IoError> {
        if self.segments.back().is_some_and(|last| last.bytes >= self.limits.segment_bytes / 4) {
            self.retire_last_segment();
        }
        let progress = self.current_progress();
        let has_done = self.done().next().is_some();
        let mut result = if has_done {
            // Before files go: the files that are left and this must agree, or it looks as if some
            // were lost.
            self.progress.secure(&self.disk, progress)
        } else {
            self.progress.write(&self.disk, progress)
        };
        if result.is_ok() && durably {
            result = self.progress.sync(&self.disk);
        }
        // A disk that cannot even overwrite a block because it is full needs the room that they
        // take.
        if has_done && result.as_ref().err().is_none_or(IoError::is_want_of_room) {
            result = result.and(self.remove_done());
        }
        result
    }

    /// Stops appending to the last segment when all that was ever appended is settled, so that it
    /// can be removed.
    pub(super) fn retire_last_segment(&mut self) {
        if self.window.settled().seq == self.tip.next.seq && self.tip.durable == self.tip.next {
            self.tip.file = None;
        }
    }

    /// The segments that are no longer needed, by index.
    fn done(&self) -> impl Iterator<Item = usize> {
        let settled = self.window.settled();
        (0..self.segments.len()).filter(move |&at| {
            let is_last = at + 1 == self.segments.len();
            let (first, end) = (self.segments[at].first, self.end_of_segment(at));
            let is_in_use = is_last && self.tip.file.is_some();
            // Or it holds no record, because a later one has them.
            !is_in_use && (end.seq <= settled.seq || end.seq <= first.seq)
        })
    }

    fn remove_done(&mut self) -> Result<(), IoError> {
        let mut result = Ok(());
        let done: Vec<usize> = self.done().collect();
        let mut removed = 0;
        // The oldest first, so that a crash in between leaves no gap.
        for nth in done {
            let at = nth - removed;
            let name = &self.segments[at].name;
            match self.disk.remove(name) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    result = Err(IoError { path: self.disk.path(name), error });
                }
                _ => {
                    self.reader.forget(self.segments[at].number);
                    self.segments.remove(at);
                    removed += 1;
                }
            }
        }
        result
    }

    /// Where a segment's records end.
    pub(super) fn end_of_segment(&self, at: usize) -> Point {
        self.segments.get(at + 1).map_or(self.tip.durable, |next| next.first)
    }
}
