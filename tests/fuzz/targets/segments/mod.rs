//! The buffer's log on a disk that holds anything.
//!
//! - Whatever the files hold, opening and reading them ends, and takes little memory.
//! - No document is given that is not in an intact record of the files, and each of those once.
//! - Of a log that was cut off or damaged, what is read is what was written, in that order, and the
//!   same when it is opened again; what is missing of what was durable is told.

mod format;

use std::collections::BTreeMap;

use weir::internals::fuzz::{LogDisk, LogRead, OpenLog};

use crate::bytes::Bytes;
use crate::heap;
use format::{payload, progress, segment};

/// A log's own: two pieces of 64 KiB, and the progress.
const HEAP_BYTES: usize = 1 << 20;
/// LZ4 has at most 255 bytes for one.
const HEAP_PER_BYTE: usize = 512;

pub(crate) fn run(input: &[u8]) {
    let mut program = Bytes::new(input);
    match program.byte() % 2 {
        0 => planted(&mut program),
        _ => damaged(&mut program),
    }
}

/// Files that somebody put there.
fn planted(program: &mut Bytes<'_>) {
    let mut files = BTreeMap::new();
    while !program.is_empty() && files.len() < 4 {
        let (name, bytes) = match program.byte() % 8 {
            0 => ("progress".to_owned(), progress(program)),
            1 => (format!("{}.segment", String::from_utf8_lossy(program.take(8))), Vec::new()),
            _ => segment(program),
        };
        files.insert(name, bytes);
    }
    let bytes: usize = files.values().map(Vec::len).sum();
    let whole: usize = files.values().map(|bytes| frames_in(bytes)).sum();
    let disk = LogDisk::default();
    files.iter().for_each(|(name, bytes)| disk.put(name, bytes));
    // Twice: what the first opening left is nobody's log either.
    for _ in 0..2 {
        if let Some(read) = read_all(&disk, bytes) {
            assert!(records(&read).len() <= whole, "more records than frames");
        }
        disk.kill();
    }
}

/// Magics of frames: as many records there are at most.
fn frames_in(bytes: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, b"w\xffr\xfe").count()
}

fn records(read: &[LogRead]) -> Vec<&Vec<Vec<u8>>> {
    read.iter()
        .filter_map(|read| if let LogRead::Record(bodies) = read { Some(bodies) } else { None })
        .collect()
}

/// Everything that a disk's log gives; `None`: it is not opened.
fn read_all(disk: &LogDisk, bytes: usize) -> Option<Vec<LogRead>> {
    heap::at_most(HEAP_BYTES + HEAP_PER_BYTE * bytes, || {
        let mut log = disk.open().ok()?;
        let (mut read, mut documents) = (Vec::new(), 0);
        loop {
            let next = log.read(false).expect("this disk does not fail");
            match &next {
                LogRead::Record(bodies) => documents += bodies.len() as u64,
                LogRead::Lost(lost, records, _) => {
                    documents += lost;
                    assert!(*records > 0, "nothing is lost");
                }
                LogRead::End => break,
            }
            // Each of them passes a magic, or the end of a file.
            assert!(read.len() <= 8 + bytes / 4, "reading does not end");
            read.push(next);
        }
        assert!(documents <= log.recovered, "{documents} documents of {}", log.recovered);
        Some(read)
    })
}

/// A log that was written as it should be, and then damaged.
fn damaged(program: &mut Bytes<'_>) {
    let disk = LogDisk::default();
    let (mut written, mut durable) = (Vec::new(), 0);
    let mut log = disk.open().expect("a new log");
    for number in 0..=program.byte() % 24 {
        let length = usize::from(program.byte());
        let body = [&[number][..], program.take(length)].concat();
        log.append(&payload(&[&body]), 1).expect("there is room");
        written.push(body);
        if program.byte().is_multiple_of(4) {
            log.sync().expect("this disk does not fail");
            durable = written.len();
        }
    }
    drop(log);
    disk.kill();
    let is_cut_only = damage(&disk, program);
    let bytes = disk.files().values().map(Vec::len).sum();
    let Some(first) = read_all(&disk, bytes) else { return };
    disk.kill();
    let second = read_all(&disk, bytes).expect("what was opened is opened again");
    assert_eq!(records(&first), records(&second), "opening has changed the log");
    disk.kill();
    let mut log = disk.open().expect("what was opened is opened again");
    let recovered = log.recovered;
    let (read, lost) = rest(&mut log);
    assert!(is_subsequence(&read, &written), "what is read is not what was written");
    assert!(read.len() as u64 + lost <= recovered);
    if is_cut_only {
        assert!(read.len() as u64 + lost >= durable as u64, "what was durable is gone untold");
    }
}

fn rest(log: &mut OpenLog) -> (Vec<Vec<u8>>, u64) {
    let (mut read, mut lost) = (Vec::new(), 0);
    loop {
        match log.read(true).expect("this disk does not fail") {
            LogRead::Record(bodies) => read.extend(bodies),
            LogRead::Lost(documents, ..) => lost += documents,
            LogRead::End => break,
        }
    }
    log.tidy().expect("this disk does not fail");
    assert_eq!(log.documents(), 0, "documents that are neither read nor lost");
    (read, lost)
}

/// Changes the files; whether only what is in segments has changed, and `progress` is as it was.
fn damage(disk: &LogDisk, program: &mut Bytes<'_>) -> bool {
    let mut is_cut_only = true;
    for _ in 0..=program.byte() % 3 {
        let files = disk.files();
        let nth = usize::from(program.byte()) % files.len().max(1);
        let Some((name, bytes)) = files.into_iter().nth(nth) else { break };
        let (mut bytes, at) = (bytes, usize::from(program.short()));
        is_cut_only &= name != "progress";
        match program.byte() % 3 {
            0 => bytes.truncate(at % bytes.len().max(1)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            _ => bytes.iter_mut().skip(at).take(64).for_each(|byte| *byte = 0),
        }
        disk.put(&name, &bytes);
    }
    is_cut_only
}

fn is_subsequence(part: &[Vec<u8>], whole: &[Vec<u8>]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|wanted| rest.any(|found| found == wanted))
}
