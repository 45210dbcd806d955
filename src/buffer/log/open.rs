//! Opening: what is there after whatever happened.
//!
//! Constraint: only the last segment is read through, in small pieces; of the others, the header
//! alone.
//!
//! Only the last segment can have been written to when a process or a machine died. It is cut off
//! before the first record that is not whole and was never durable: what follows was not
//! acknowledged either, and the log stays a beginning of what was appended. A record that is not
//! whole although it *was* durable is damaged: it stays where it is, and reading tells of it. What
//! was durable is known from `progress`, and from each whole frame, which says what was durable
//! when it was written.

use std::io::{self, ErrorKind};

use super::error::IoError;
use super::progress::{self, Progress, ProgressFile};
use super::read::Reader;
use super::segment::{self, HEADER_BYTES, Header, PIECE_BYTES, Segment, Walk};
use super::window::Window;
use super::write::Tip;
use super::{Contents, Disk, DiskFile, Limits, Log, OpenError, Point};

/// A log, and what it holds.
#[derive(Debug)]
pub(crate) struct Opened<D: Disk, C: Contents> {
    pub(crate) log: Log<D, C>,
    /// Documents that are not settled, of a process before this one.
    pub(crate) recovered: u64,
    /// The marks of the last record; `None`: there is no record.
    pub(crate) marks: Option<C::Marks>,
    /// There was no log: what is saved of an earlier one is of no use.
    pub(crate) is_new: bool,
}

/// What a segment holds, as far as opening must know.
#[derive(Debug)]
struct Scan {
    /// Behind the last record.
    end: Point,
    /// How much of the file is kept.
    bytes: u64,
    /// Whether a record may be appended to it.
    is_sound: bool,
    /// All records before this number were durable.
    durable: u64,
}

/// Records that are missing in a segment, or bytes behind the last one.
#[derive(Clone, Copy, Debug)]
struct Hole {
    start: Point,
    offset: u64,
}

impl<D: Disk, C: Contents> Log<D, C> {
    /// Opens the log, or makes it where there is none, and takes it for this process.
    ///
    /// # Errors
    ///
    /// When another process has it, a newer weir wrote it, a file in it cannot be weir's although
    /// it is called so, or the disk fails.
    pub(crate) fn open(mut disk: D, limits: Limits) -> Result<Opened<D, C>, OpenError> {
        disk.lock()?;
        let files = disk.list().map_err(|error| IoError { path: disk.path(""), error })?;
        let mut segments: Vec<Segment> =
            files.iter().filter_map(|(name, bytes)| Segment::of_file(name, *bytes)).collect();
        if let Some(planted) = segments.iter().find(|segment| !segment.is_possible()) {
            return Err(OpenError::Planted { path: disk.path(&planted.name) });
        }
        segments.sort_by_key(|segment| segment.number);
        if let Some((one, other)) = contradiction(&segments) {
            let (path, other) = (disk.path(&one.name), disk.path(&other.name));
            return Err(OpenError::Contradiction { path, other });
        }
        let headers = read_headers(&disk, &segments)?;
        let has_progress = files.iter().any(|(name, _)| name == progress::NAME);
        let is_new = !has_progress && segments.is_empty();
        let (progress, saved) = ProgressFile::open(&disk, has_progress)?;
        let first = segments.first().map_or(Point::default(), |segment| segment.first);
        let saved = saved.filter(|saved| agrees(saved, &segments)).unwrap_or_else(|| {
            if !segments.is_empty() {
                tracing::warn!(
                    path = %disk.path(progress::NAME).display(),
                    "the buffer's progress is lost or damaged: all that it still holds is sent \
                     again"
                );
            }
            Progress { settled: first, durable: first }
        });
        let number = segments.last().map_or(0, |segment| segment.number);
        let tip = open_tip(&disk, &mut segments, headers.last().copied(), &saved, number)?;
        let marks = last_marks::<D, C>(&disk, &segments, tip.next)?;
        let unsettled = saved.settled.until(tip.next);
        let mut log = Log {
            disk,
            limits,
            segments: segments.into(),
            reader: Reader::new(saved.settled, unsettled.records),
            tip,
            window: Window::new(saved.settled),
            progress,
            documents: unsettled.documents,
        };
        log.tidy(true)?;
        Ok(Opened { log, recovered: unsettled.documents, marks, is_new })
    }
}

/// Two segments, of some in the order of their numbers, that no log has both of: before the first
/// record of the later one are fewer records, or documents, than before that of the earlier one.
fn contradiction(segments: &[Segment]) -> Option<(&Segment, &Segment)> {
    let pair = segments.windows(2).find(|pair| !pair[0].first.leads_to(pair[1].first))?;
    Some((&pair[0], &pair[1]))
}

/// Whether the log of these segments can have come to what is saved.
fn agrees(saved: &Progress, segments: &[Segment]) -> bool {
    let on_the_way = |point: Point| {
        segments.iter().all(|it| point.leads_to(it.first) || it.first.leads_to(point))
    };
    on_the_way(saved.settled) && on_the_way(saved.durable)
}

fn at<D: Disk>(disk: &D, segment: &Segment) -> impl Fn(io::Error) -> IoError + use<D> {
    let path = disk.path(&segment.name);
    move |error| IoError { path: path.clone(), error }
}

fn read_headers<D: Disk>(disk: &D, segments: &[Segment]) -> Result<Vec<Header>, OpenError> {
    let mut headers = Vec::with_capacity(segments.len());
    for segment in segments {
        let failed = at(disk, segment);
        let file = disk.open(&segment.name).map_err(&failed)?;
        let header = segment::read_header(&file, segment.first).map_err(&failed)?;
        let path = disk.path(&segment.name);
        match header {
            Header::Newer(found) => {
                return Err(OpenError::Newer { path, found, known: segment::VERSION });
            }
            Header::Damaged if segment.bytes > HEADER_BYTES as u64 => {
                tracing::warn!(
                    path = %path.display(),
                    "the header of the buffer's file is damaged: its records are looked for one by \
                     one"
                );
            }
            Header::Damaged | Header::Good | Header::Older => {}
        }
        headers.push(header);
    }
    Ok(headers)
}

/// Finds the end of the log, and cuts what was never durable.
fn open_tip<D: Disk>(
    disk: &D,
    segments: &mut Vec<Segment>,
    header: Option<Header>,
    saved: &Progress,
    number: u64,
) -> Result<Tip<D::File>, OpenError> {
    let known = saved.settled.max(saved.durable);
    let (Some(last), Some(header)) = (segments.last_mut(), header) else {
        return Ok(Tip::new(None, 0, known, number));
    };
    let failed = at(disk, last);
    let file = disk.open(&last.name).map_err(&failed)?;
    if header == Header::Damaged && last.bytes <= HEADER_BYTES as u64 {
        // A crash while it was made: nothing was ever written to it.
        let next = known.max(last.first);
        disk.remove(&last.name).map_err(&failed)?;
        segments.pop();
        return Ok(Tip::new(None, 0, next, number));
    }
    let scan = scan(&file, last, header, (saved.durable.seq, known)).map_err(&failed)?;
    if scan.bytes < last.bytes {
        tracing::warn!(
            path = %disk.path(&last.name).display(),
            bytes = last.bytes - scan.bytes,
            "the end of the buffer was torn by a crash before it was acknowledged: cut off, and \
             read from the source again"
        );
        file.truncate(scan.bytes).map_err(&failed)?;
        last.bytes = scan.bytes;
    }
    // What a killed process wrote and did not sync counts as durable from here on.
    match write_again(&file, last, scan.durable) {
        // Only where the disk copies on write: a full one must not keep anyone from draining it.
        Err(error) if error.kind() == ErrorKind::StorageFull => {}
        result => result.map_err(&failed)?,
    }
    file.sync().map_err(&failed)?;
    disk.sync_folder().map_err(&failed)?;
    let next = known.max(scan.end);
    let file = (scan.is_sound && next == scan.end).then_some(file);
    Ok(Tip::new(file, last.bytes, next, number))
}

/// Reads a segment through. Records before `durable` were durable.
fn scan<F: DiskFile>(
    file: &F,
    segment: &Segment,
    header: Header,
    (durable, known): (u64, Point),
) -> io::Result<Scan> {
    let mut at = Hole { start: segment.first, offset: HEADER_BYTES as u64 };
    let (mut durable, mut holes, mut piece) =
        (durable.max(segment.first.seq), Vec::new(), Vec::new());
    let mut walk = Walk::new(file, at.offset, segment.bytes);
    let end = Point { seq: u64::MAX, documents: u64::MAX };
    let mut is_any_whole = false;
    while let Some(found) = walk.peek(at.start, end)? {
        let start = found.head.start;
        if !start.leads_to(known) && !known.leads_to(start) {
            // It counts other documents than the log that the progress was written for.
            walk.step_over(&found);
            continue;
        }
        if start.seq > at.start.seq {
            holes.push(at);
        }
        walk.step_over(&found);
        if walk.check_payload(&found, &mut piece)? {
            durable = durable.max(found.head.durable);
            is_any_whole = true;
        } else {
            holes.push(Hole { start, offset: found.offset });
        }
        at = Hole { start: found.head.end(), offset: walk.offset };
    }
    if header == Header::Damaged && !is_any_whole {
        // Headers are durable before anything else is written, so this was damaged later, and who
        // knows what was in it: it is kept, and told by reading as one record that is lost.
        let end = Point { seq: segment.first.seq + 1, ..segment.first };
        return Ok(Scan { end, bytes: segment.bytes, is_sound: false, durable });
    }
    if at.offset < segment.bytes {
        holes.push(at);
    }
    let is_good = header == Header::Good;
    Ok(match holes.iter().find(|hole| hole.start.seq >= durable) {
        Some(torn) => Scan { end: torn.start, bytes: torn.offset, is_sound: is_good, durable },
        None => {
            let is_sound = is_good && at.offset == segment.bytes;
            Scan { end: at.start, bytes: segment.bytes, is_sound, durable }
        }
    })
}

/// Writes the end of a segment over itself: where an fsync had failed before the process was
/// killed, the page cache has what the disk lacks, and no fsync would write it any more.
fn write_again<F: DiskFile>(file: &F, segment: &Segment, durable: u64) -> io::Result<()> {
    let mut walk = Walk::new(file, HEADER_BYTES as u64, segment.bytes);
    let end = Point { seq: durable, documents: u64::MAX };
    while let Some(found) = walk.peek(segment.first, end)? {
        walk.step_over(&found);
    }
    let mut piece = vec![0; PIECE_BYTES];
    let mut rewrite = |mut at: u64, end: u64| -> io::Result<()> {
        while at < end {
            let want = (end - at).min(PIECE_BYTES as u64) as usize;
            let length = file.read_at(&mut piece[..want], at)?;
            file.write_at(&piece[..length], at)?;
            at += want as u64;
        }
        Ok(())
    };
    rewrite(0, HEADER_BYTES as u64)?;
    rewrite(walk.offset, segment.bytes)
}

/// The marks of the last record that can be read.
fn last_marks<D: Disk, C: Contents>(
    disk: &D,
    segments: &[Segment],
    end: Point,
) -> Result<Option<C::Marks>, OpenError> {
    for (nth, segment) in segments.iter().enumerate().rev() {
        let failed = at(disk, segment);
        let bound = segments.get(nth + 1).map_or(end, |next| next.first);
        let file = disk.open(&segment.name).map_err(&failed)?;
        let mut walk = Walk::new(file, HEADER_BYTES as u64, segment.bytes);
        let mut found = Vec::new();
        while let Some(next) = walk.peek(segment.first, bound).map_err(&failed)? {
            found.push(next);
            walk.step_over(&next);
        }
        let mut payload = Vec::new();
        for found in found.iter().rev() {
            if walk.read_payload(found, &mut payload).map_err(&failed)?
                && let Some(marks) = C::decode_marks(&payload)
            {
                return Ok(Some(marks));
            }
        }
    }
    Ok(None)
}
