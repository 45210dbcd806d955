//! The log on a simulated disk and on a real one.

mod damage;
mod model;
mod real;
mod records;
mod room;
mod search;

use std::fmt::Write;

use super::simulated::SimulatedDisk;
use super::*;
use crate::buffer::record::{Contents, Encoder};
use crate::event::{Document, DocumentIdentity, Documents, Origin};
use crate::position::Positions;

/// With the records of a buffer.
type Log<D> = super::Log<D, Contents>;
type Opened<D> = super::Opened<D, Contents>;

/// Files so small that a few records fill one.
const LIMITS: Limits = Limits { bytes_max: 64 << 10, segment_bytes: 2 << 10 };

/// A record's contents, each with a number of its own.
#[derive(Debug)]
struct Sample {
    documents: Documents,
    marks: Positions,
    payload: Vec<u8>,
    is_copy: bool,
}

impl Sample {
    /// `count` documents of about `bytes` each.
    fn new(number: u64, count: usize, bytes: usize) -> Sample {
        let mut documents = Documents::default();
        let mut random = fastrand::Rng::with_seed(number);
        for index in 0..count {
            let mut text = format!("{{\"number\":{number},\"index\":{index},\"x\":\"");
            while text.len() < bytes {
                write!(text, "{:x}", random.u64(..)).unwrap();
            }
            text.push_str("\"}");
            let mut append = |text: &str| {
                let start = documents.bytes.len();
                documents.bytes.extend_from_slice(text.as_bytes());
                start..documents.bytes.len()
            };
            let body = append(&text);
            append("\n");
            let identity = match number % 3 {
                0 => None,
                1 => Some(DocumentIdentity::Object {
                    uid: append(&format!("uid-{number}")),
                    version: append("17"),
                }),
                _ => Some(DocumentIdentity::Digest(append("e3b0c442"))),
            };
            let origin = match index % 2 {
                0 => Origin::Whole(append("the source's bytes")),
                _ => Origin::Difference(0..0),
            };
            let event_time = (index % 3 != 0).then_some(number as i64);
            documents.docs.push(Document {
                body,
                origin,
                identity,
                index_time: -(number as i64),
                event_time,
            });
        }
        let marks = Positions::from([("all".to_owned(), number.to_string().into())]);
        let payload = Encoder::new().encode(&documents, &marks).to_vec();
        Sample { documents, marks, payload, is_copy: false }
    }

    fn record(&self) -> Record<'_, Positions> {
        Record {
            payload: &self.payload,
            documents: self.count() as u32,
            marks: &self.marks,
            is_copy: self.is_copy,
        }
    }

    fn count(&self) -> u64 {
        self.documents.docs.len() as u64
    }
}

/// That `documents` are what was appended.
fn assert_same(documents: &Documents, expected: &Documents) {
    assert_eq!(documents.bytes, expected.bytes);
    assert_eq!(format!("{:?}", documents.docs), format!("{:?}", expected.docs));
}

fn open(disk: &SimulatedDisk, limits: Limits) -> Opened<SimulatedDisk> {
    Log::open(disk.clone(), limits).unwrap()
}

/// A new log with these records, synced.
fn with_records(numbers: std::ops::Range<u64>) -> (SimulatedDisk, Log<SimulatedDisk>, Vec<Sample>) {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk, LIMITS).log;
    let samples: Vec<Sample> = numbers.map(|number| Sample::new(number, 3, 100)).collect();
    for sample in &samples {
        log.append(&sample.record()).unwrap();
    }
    log.sync().unwrap();
    (disk, log, samples)
}

/// Which record it is, of those that `Sample` makes.
fn number_of(documents: &Documents) -> u64 {
    let text = std::str::from_utf8(documents.body(&documents.docs[0])).unwrap();
    text["{\"number\":".len()..].split(',').next().unwrap().parse().unwrap()
}

/// Reads all that is there; what was lost, as told.
fn read_all<D: Disk>(log: &mut Log<D>) -> (Vec<(Seq, Documents)>, Vec<ReadError>) {
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    loop {
        match log.read() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => return (records, errors),
            Err(error) => errors.push(error),
        }
    }
}

fn numbers(records: &[(Seq, Documents)]) -> Vec<u64> {
    records.iter().map(|(_, documents)| number_of(documents)).collect()
}

/// The settled marks' number.
fn mark<D: Disk>(log: &Log<D>) -> Option<u64> {
    log.settled_marks().map(|marks| marks["all"].as_str().parse().unwrap())
}
