//! Reading: one record after the other. Damage is reported and skipped.

use std::io::ErrorKind;

use super::frame::{HEAD_BYTES, Head};
use super::segment::{Found, HEADER_BYTES, Walk};
use super::{Contents, Disk, IoError, Log, Point, ReadError, Seq};

/// A buffer that has grown larger than this for one record is not kept.
const BUFFER_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Reader<F> {
    /// Behind the last record that was given out or lost.
    at: Point,
    /// How many records are left to read.
    pub(super) unread: u64,
    cursor: Option<Cursor<F>>,
    payload: Vec<u8>,
}

/// A segment that is being read.
#[derive(Debug)]
struct Cursor<F> {
    number: u64,
    walk: Walk<F>,
}

impl<F> Reader<F> {
    pub(super) fn new(at: Point, unread: u64) -> Reader<F> {
        Reader { at, unread, cursor: None, payload: Vec::new() }
    }

    /// Closes a segment that is removed.
    pub(super) fn forget(&mut self, number: u64) {
        self.cursor.take_if(|cursor| cursor.number == number);
    }
}

/// What stands where the next record should.
enum Next<R> {
    Record(Point, R),
    /// Nothing up to there.
    Lost {
        upto: Point,
        segment: Option<usize>,
        offset: u64,
        what: &'static str,
    },
}

impl<D: Disk, C: Contents> Log<D, C> {
    /// The next record, durable or not, in the order of appending. `None`: there is none now.
    /// Copies that this process wrote are skipped.
    ///
    /// # Errors
    ///
    /// When records are lost, and then the next call continues after them; when the disk fails, and
    /// then the next call tries again.
    pub(crate) fn read(&mut self) -> Result<Option<(Seq, C::Record)>, ReadError> {
        loop {
            self.reader.at = self.window.skip(self.reader.at);
            let at = self.reader.at;
            if at.seq >= self.tip.next.seq {
                return Ok(None);
            }
            let next = if at.seq >= self.tip.durable.seq {
                self.next_pending()
            } else {
                self.next_in_files()?
            };
            match next {
                Next::Record(end, record) => {
                    self.reader.at = end;
                    self.reader.unread = self.reader.unread.saturating_sub(1);
                    if end.documents > at.documents {
                        return Ok(Some((Seq(at.seq), record)));
                    }
                }
                Next::Lost { upto, segment, offset, what } => {
                    self.lose(upto, segment, offset, what)?
                }
            }
        }
    }

    /// From memory, as long as no file is sure to hold it.
    fn next_pending(&mut self) -> Next<C::Record> {
        let index = (self.reader.at.seq - self.tip.durable.seq) as usize;
        let mut head = [0; HEAD_BYTES];
        let frame = self.tip.pending.frame(index).unwrap_or_default();
        let decoded = frame.split_at_checked(HEAD_BYTES).and_then(|(bytes, payload)| {
            head.copy_from_slice(bytes);
            let head = Head::decode(&head)?;
            Some((head, C::decode(payload, head.documents)?))
        });
        match decoded {
            Some((head, (record, marks))) => self.give(head, record, marks),
            // What this process encoded decodes.
            None => unreachable!("record {} is not what was appended", self.reader.at.seq),
        }
    }

    fn give(&mut self, head: Head, record: C::Record, marks: C::Marks) -> Next<C::Record> {
        self.window.give(head.start, head.end(), marks);
        Next::Record(head.end(), record)
    }

    fn next_in_files(&mut self) -> Result<Next<C::Record>, ReadError> {
        let at = self.reader.at;
        let Some(nth) = (0..self.segments.len())
            .rev()
            .find(|&at| self.segments[at].first.seq <= self.reader.at.seq)
        else {
            let upto = self.segments.front().map_or(self.tip.durable, |segment| segment.first);
            return Ok(Next::Lost { upto, segment: None, offset: 0, what: "a file is missing" });
        };
        let bound = self.end_of_segment(nth);
        let lost = |upto, offset, what| Next::Lost { upto, segment: Some(nth), offset, what };
        if !self.open_cursor(nth)? {
            return Ok(lost(bound, 0, "the file is missing"));
        }
        let path = self.disk.path(&self.segments[nth].name);
        let failed = |error| IoError { path: path.clone(), error };
        let (first, tip) = (self.segments[nth].first, self.tip.next);
        let Some(cursor) = &mut self.reader.cursor else { unreachable!("it was opened") };
        loop {
            let Some(found) = cursor.walk.peek(first, bound).map_err(failed)? else {
                return Ok(lost(
                    bound,
                    cursor.walk.offset,
                    "it ends too early, or the rest cannot be read",
                ));
            };
            let is_on_the_way = at.leads_to(found.head.start) && found.head.end().leads_to(tip);
            if found.head.start.seq >= at.seq && !is_on_the_way {
                // It counts documents that the records before it do not have, or lacks some of
                // theirs, or has more than all: no log has written it.
                cursor.walk.step_over(&found);
                continue;
            }
            if found.head.start.seq > at.seq {
                return Ok(lost(
                    found.head.start,
                    cursor.walk.offset,
                    "a record's head is not what was written",
                ));
            }
            if found.head.start.seq == at.seq {
                return self.take(nth, found);
            }
            cursor.walk.step_over(&found);
        }
    }

    /// Reads the record that was found.
    fn take(&mut self, nth: usize, found: Found) -> Result<Next<C::Record>, ReadError> {
        let Some(cursor) = &mut self.reader.cursor else { unreachable!("it has found something") };
        let is_whole = cursor
            .walk
            .read_payload(&found, &mut self.reader.payload)
            .map_err(|error| IoError { path: self.disk.path(&self.segments[nth].name), error })?;
        cursor.walk.step_over(&found);
        let payload = is_whole.then_some(&self.reader.payload);
        let decoded = payload.and_then(|payload| C::decode(payload, found.head.documents));
        self.reader.payload.clear();
        self.reader.payload.shrink_to(BUFFER_BYTES_MAX);
        Ok(match decoded {
            Some((record, marks)) => self.give(found.head, record, marks),
            None => Next::Lost {
                upto: found.head.end(),
                segment: Some(nth),
                offset: found.offset,
                what: "a record is not what was written",
            },
        })
    }

    /// Opens a segment for reading, unless it is; false: the file is gone.
    fn open_cursor(&mut self, nth: usize) -> Result<bool, IoError> {
        let segment = &self.segments[nth];
        let is_growing = nth + 1 == self.segments.len() && self.tip.file.is_some();
        let bytes = if is_growing { self.tip.durable_bytes } else { segment.bytes };
        if let Some(cursor) = &mut self.reader.cursor
            && cursor.number == segment.number
        {
            cursor.walk.grow(bytes);
            return Ok(true);
        }
        match self.disk.open(&segment.name) {
            Ok(file) => {
                let walk = Walk::new(file, HEADER_BYTES as u64, bytes);
                self.reader.cursor = Some(Cursor { number: segment.number, walk });
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if is_growing {
                    // What is written to a removed file is lost.
                    self.tip.file = None;
                }
                Ok(false)
            }
            Err(error) => Err(IoError { path: self.disk.path(&segment.name), error }),
        }
    }

    /// Passes over records that are not there. No error when only copies are missing, whose
    /// originals are in memory.
    fn lose(
        &mut self,
        upto: Point,
        segment: Option<usize>,
        offset: u64,
        what: &'static str,
    ) -> Result<(), ReadError> {
        let lost = self.window.lose(self.reader.at, upto);
        self.reader.at = self.window.skip(upto);
        self.reader.unread = self.reader.unread.saturating_sub(lost.records);
        self.documents = self.documents.saturating_sub(lost.documents);
        let name = segment.map_or("", |at| self.segments[at].name.as_str());
        let path = self.disk.path(name);
        if lost.records == 0 {
            tracing::warn!(
                path = %path.display(),
                offset,
                "the buffer's file is damaged ({what}): nothing is lost, because it is in memory \
                 too"
            );
            return Ok(());
        }
        Err(ReadError::Damaged {
            path,
            offset,
            what,
            records: lost.records,
            documents: lost.documents,
        })
    }
}
