//! What the fuzz target of the segment opener calls: the log on a disk in memory that holds what
//! the fuzzer puts there.

use std::collections::BTreeMap;

use super::log::simulated::SimulatedDisk;
use super::log::{Limits, Log, Opened, ReadError, Record, Seq};
use super::record::Contents;
use crate::position::Positions;

/// So small that a few records fill a file.
const LIMITS: Limits = Limits { bytes_max: 256 << 10, segment_bytes: 2 << 10 };

/// A folder of files.
#[derive(Debug, Default)]
pub struct LogDisk(SimulatedDisk);

impl LogDisk {
    /// Puts a file there.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.0.put(name, bytes);
    }

    /// What is in the files.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.contents()
    }

    /// Ends the process that has it, without a word to that.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Opens the log that is there, or a new one.
    ///
    /// # Errors
    ///
    /// What is told to people.
    pub fn open(&self) -> Result<OpenLog, String> {
        let opened = Log::open(self.0.clone(), LIMITS).map_err(|error| error.to_string())?;
        let Opened { log, recovered, .. } = opened;
        Ok(OpenLog { log, recovered })
    }
}

/// A log that is open.
#[derive(Debug)]
pub struct OpenLog {
    log: Log<SimulatedDisk, Contents>,
    /// Documents that were not settled when it was opened.
    pub recovered: u64,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// The bodies of a record's documents.
    Record(Vec<Vec<u8>>),
    /// So many documents are lost, in so many records, and what is told to people.
    Lost(u64, u64, String),
    /// There is no more.
    End,
}

impl OpenLog {
    /// Documents that are not settled.
    pub fn documents(&self) -> u64 {
        self.log.documents()
    }

    /// The next record; it is settled at once when `settles`.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn read(&mut self, settles: bool) -> Result<Read, String> {
        match self.log.read() {
            Ok(None) => Ok(Read::End),
            Ok(Some((seq, documents))) => {
                if settles {
                    self.settle(seq, documents.docs.len() as u64);
                }
                let bodies = documents.docs.iter().map(|doc| documents.body(doc).to_vec());
                Ok(Read::Record(bodies.collect()))
            }
            Err(error @ ReadError::Damaged { documents, records, .. }) => {
                Ok(Read::Lost(documents, records, error.to_string()))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn settle(&mut self, seq: Seq, documents: u64) {
        self.log.settle(seq, documents);
    }

    /// Writes down what is settled.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn tidy(&mut self) -> Result<(), String> {
        self.log.tidy(true).map_err(|error| error.to_string())
    }

    /// Adds a record whose payload holds so many documents.
    ///
    /// # Errors
    ///
    /// When there is no room.
    pub fn append(&mut self, payload: &[u8], documents: u32) -> Result<(), String> {
        let marks = Positions::new();
        let record = Record { payload, documents, marks: &marks, is_copy: false };
        self.log.append(&record).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Makes what was added durable.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<(), String> {
        self.log.sync().map(|_| ()).map_err(|error| error.to_string())
    }
}
