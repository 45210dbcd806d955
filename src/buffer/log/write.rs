//! Appending: frames go to the last segment, and are kept in memory until they are durable.

use std::io;

use super::frame::{HEAD_BYTES, Head, PAYLOAD_BYTES_MAX};
use super::progress::Progress;
use super::segment::{HEADER_BYTES, Segment, VERSION, encode_header};
use super::{AppendError, Contents, Disk, DiskFile, IoError, Log, Point, Record, Seq};

/// When more than this would not be durable, appending syncs first: it is kept in memory.
const PENDING_BYTES_MAX: usize = 4 << 20;

/// The end of the log.
#[derive(Debug)]
pub(super) struct Tip<F> {
    /// The last segment, where it can be appended to.
    pub(super) file: Option<F>,
    /// How much of that file is durable.
    pub(super) durable_bytes: u64,
    /// Behind the last record.
    pub(super) next: Point,
    /// Behind the last record that is durable.
    pub(super) durable: Point,
    /// The number of the next segment.
    pub(super) number: u64,
    pub(super) pending: Pending,
}

impl<F> Tip<F> {
    pub(super) fn new(file: Option<F>, durable_bytes: u64, next: Point, number: u64) -> Tip<F> {
        Tip { file, durable_bytes, next, durable: next, number, pending: Pending::default() }
    }
}

/// The frames that are not durable.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Pending {
    /// Adds a frame, and answers it.
    fn push(&mut self, head: &Head, payload: &[u8]) -> &[u8] {
        let start = self.bytes.len();
        self.starts.push(start);
        self.bytes.extend_from_slice(&head.encode());
        self.bytes.extend_from_slice(payload);
        &self.bytes[start..]
    }

    /// Takes the last frame out again.
    fn pop(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.bytes.truncate(start);
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    /// The frame of a record, counted from the first that is not durable.
    pub(super) fn frame(&self, index: usize) -> Option<&[u8]> {
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.bytes.len());
        Some(&self.bytes[start..end])
    }
}

impl<D: Disk, C: Contents> Log<D, C> {
    /// Adds one record. In the page cache when this returns, where `kill -9` does it no harm;
    /// durable after [`Log::sync`].
    ///
    /// # Errors
    ///
    /// When there is no room or the disk fails: nothing was added, and everything before it is as
    /// it was.
    pub(crate) fn append(&mut self, record: &Record<'_, C::Marks>) -> Result<Seq, AppendError> {
        let frame_bytes = HEAD_BYTES + record.payload.len();
        if record.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(self.too_large(frame_bytes as u64));
        }
        self.make_room(frame_bytes as u64)?;
        self.make_segment(frame_bytes)?;
        let head = Head {
            start: self.tip.next,
            documents: record.documents,
            durable: self.tip.durable.seq,
            is_copy: record.is_copy,
            payload_bytes: record.payload.len() as u32,
            payload_crc: crc32fast::hash(record.payload),
        };
        self.write_frame(&head, record.payload)?;
        self.tip.next = head.end();
        self.documents += u64::from(head.documents);
        if record.is_copy {
            self.window.give(head.start, head.end(), record.marks.clone());
        } else {
            self.reader.unread += 1;
        }
        Ok(Seq(head.start.seq))
    }

    /// The error of a record that no settling makes room for.
    pub(crate) fn too_large(&self, bytes: u64) -> AppendError {
        AppendError::TooLarge { bytes, bytes_max: self.limits.bytes_max }
    }

    /// Makes sure that there is a segment to append to, and that not too much is pending with so
    /// many bytes more.
    fn make_segment(&mut self, frame_bytes: usize) -> Result<(), AppendError> {
        let pending = self.tip.pending.bytes.len();
        let is_much = pending > 0 && pending + frame_bytes > PENDING_BYTES_MAX;
        if is_much || self.is_last_full() {
            self.sync()?;
        }
        if self.is_last_full() {
            self.tip.file = None;
        }
        if self.tip.file.is_none() {
            self.begin_segment()?;
        }
        Ok(())
    }

    fn is_last_full(&self) -> bool {
        self.segments.back().is_some_and(|last| last.bytes >= self.limits.segment_bytes)
    }

    /// Makes sure that a frame fits under the bound, and the headers with it of the files that it
    /// may need: one because the last is full, and one each for an fsync that fails before and
    /// after it.
    fn make_room(&mut self, frame_bytes: u64) -> Result<(), AppendError> {
        let bytes_max = self.limits.bytes_max;
        // What could not be made durable is in no file, and goes to the next.
        let homeless = if self.tip.file.is_none() { self.tip.pending.bytes.len() } else { 0 };
        let least = frame_bytes + 3 * HEADER_BYTES as u64;
        let needed = least + homeless as u64;
        if self.bytes() + needed <= bytes_max {
            return Ok(());
        }
        let fixed = self.bytes() - self.segment_bytes();
        if fixed + least > bytes_max {
            return Err(self.too_large(fixed + least));
        }
        self.retire_last_segment();
        self.tidy(false)?;
        if self.bytes() + needed <= bytes_max {
            return Ok(());
        }
        Err(AppendError::Full { bytes: self.bytes(), bytes_max })
    }

    fn write_frame(&mut self, head: &Head, payload: &[u8]) -> Result<(), AppendError> {
        let (Some(file), Some(last)) = (&self.tip.file, self.segments.back_mut()) else {
            unreachable!("a segment was begun")
        };
        let frame = self.tip.pending.push(head, payload);
        let Err(error) = file.write_at(frame, last.bytes) else {
            last.bytes += frame.len() as u64;
            return Ok(());
        };
        self.tip.pending.pop();
        let path = self.disk.path(&last.name);
        if file.truncate(last.bytes).is_err() {
            // The next frame must not stand behind half of this one.
            self.abandon_last_segment();
        }
        Err(IoError { path, error }.into())
    }

    /// Makes everything appended so far durable: all records before the answer are.
    ///
    /// # Errors
    ///
    /// When the disk fails. What is not durable is still in memory, can be read, and is tried again
    /// by the next call.
    pub(crate) fn sync(&mut self) -> Result<Seq, IoError> {
        if self.tip.durable.seq < self.tip.next.seq {
            self.sync_pending()?;
            self.tip.durable = self.tip.next;
            self.tip.pending.clear();
            self.tip.pending.bytes.shrink_to(PENDING_BYTES_MAX);
            // A help for finding damage: that it cannot be written is told by `tidy`.
            let _ = self.progress.write(&self.disk, self.current_progress());
        }
        Ok(Seq(self.tip.durable.seq))
    }

    fn sync_pending(&mut self) -> Result<(), IoError> {
        if let (Some(file), Some(last)) = (&self.tip.file, self.segments.back()) {
            let Err(error) = file.sync() else {
                self.tip.durable_bytes = last.bytes;
                return Ok(());
            };
            tracing::warn!(
                path = %self.disk.path(&last.name).display(),
                "the disk could not make the buffer durable ({error}): writing it again to \
                 another file"
            );
            self.abandon_last_segment();
        }
        self.begin_segment()
    }

    /// Stops appending to the last segment: its end cannot be relied on. What is durable in it
    /// stays.
    fn abandon_last_segment(&mut self) {
        let (Some(file), Some(last)) = (self.tip.file.take(), self.segments.back_mut()) else {
            return;
        };
        // Either fails on a broken disk: then the records stand in two files, and the later one's
        // hold.
        if file.truncate(self.tip.durable_bytes).is_ok() {
            last.bytes = self.tip.durable_bytes;
        }
        if last.first == self.tip.durable && self.disk.remove(&last.name).is_ok() {
            self.segments.pop_back();
        }
    }

    /// Makes a new segment with what is not durable yet; then it is.
    pub(super) fn begin_segment(&mut self) -> Result<(), IoError> {
        // Counted even when it fails: what may be left of the file must not stand in the way of the
        // next.
        self.tip.number += 1;
        let segment = Segment::new(self.tip.number, self.tip.durable, 0);
        let path = self.disk.path(&segment.name);
        match self.write_segment(segment) {
            Ok(()) => {
                self.tip.durable = self.tip.next;
                self.tip.pending.clear();
                Ok(())
            }
            Err(error) => Err(IoError { path, error }),
        }
    }

    fn write_segment(&mut self, mut segment: Segment) -> io::Result<()> {
        let file = self.disk.create(&segment.name)?;
        let pending = &self.tip.pending.bytes;
        let write = || {
            file.write_at(&encode_header(segment.first, VERSION), 0)?;
            file.sync()?;
            if !pending.is_empty() {
                // Not before: a damaged header with anything behind it is then damage, and never a
                // crash.
                file.write_at(pending, HEADER_BYTES as u64)?;
                file.sync()?;
            }
            self.disk.sync_folder()
        };
        let result = write();
        segment.bytes = (HEADER_BYTES + pending.len()) as u64;
        if let Err(error) = result {
            if self.disk.remove(&segment.name).is_err() {
                // Of no record, so that it is removed when that is possible.
                let _ = file.truncate(0);
                self.segments.push_back(segment);
            }
            return Err(error);
        }
        self.tip.file = Some(file);
        self.tip.durable_bytes = segment.bytes;
        self.segments.push_back(segment);
        Ok(())
    }

    /// What is to be written down.
    pub(super) fn current_progress(&self) -> Progress {
        Progress { settled: self.window.settled(), durable: self.tip.durable }
    }
}
