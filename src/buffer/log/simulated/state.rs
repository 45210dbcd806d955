//! What is on a simulated disk, and what a crash leaves of it.

use std::collections::BTreeMap;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Bytes of all files together that the disk takes.
    pub(crate) capacity: Option<u64>,
    /// This many of the next fsyncs fail, of files or the folder.
    pub(crate) syncs: u32,
    /// This many of the next reads fail.
    pub(crate) reads: u32,
    /// The process dies with the operation after this many.
    pub(crate) operations: Option<u32>,
}

/// Files, the names that lead to them, and who has the disk.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: Vec<Contents>,
    pub(super) names: Names,
    pub(super) names_durable: Names,
    pub(super) names_unsynced: Vec<(String, Option<usize>)>,
    pub(super) faults: Faults,
    pub(super) processes: u64,
    pub(super) owner: Option<u64>,
}

pub(super) type Names = BTreeMap<String, usize>;

/// A file's bytes: those that are durable, those of now, and how they came from one to the other.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) durable: Vec<u8>,
    pub(super) now: Vec<u8>,
    pub(super) unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl State {
    /// The power fails.
    pub(super) fn crash(&mut self, random: &mut fastrand::Rng) {
        self.owner = None;
        for file in &mut self.files {
            for change in std::mem::take(&mut file.unsynced) {
                let change = tear(change, file.durable.len(), random);
                change.into_iter().for_each(|change| change.apply(&mut file.durable));
            }
            file.now.clone_from(&file.durable);
        }
        for (name, file) in std::mem::take(&mut self.names_unsynced) {
            if random.bool() {
                set(&mut self.names_durable, name, file);
            }
        }
        self.names = self.names_durable.clone();
    }

    /// What a power failure now would leave at the least.
    pub(super) fn durable_copy(&self) -> State {
        let contents = |file: &Contents| Contents {
            durable: file.durable.clone(),
            now: file.durable.clone(),
            unsynced: Vec::new(),
        };
        State {
            files: self.files.iter().map(contents).collect(),
            names: self.names_durable.clone(),
            names_durable: self.names_durable.clone(),
            ..State::default()
        }
    }

    /// A file appears that is durable at once.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) {
        let (durable, now) = (bytes.to_vec(), bytes.to_vec());
        self.files.push(Contents { durable, now, unsynced: Vec::new() });
        let index = self.files.len() - 1;
        self.names.insert(name.to_owned(), index);
        self.names_durable.insert(name.to_owned(), index);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].now.len() as u64).sum()
    }

    pub(super) fn sync_fails(&mut self) -> bool {
        let fails = self.faults.syncs > 0;
        self.faults.syncs -= u32::from(fails);
        fails
    }

    pub(super) fn set_name(&mut self, name: &str, file: Option<usize>) {
        set(&mut self.names, name.to_owned(), file);
        self.names_unsynced.push((name.to_owned(), file));
    }
}

fn set(names: &mut Names, name: String, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

impl Change {
    pub(super) fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if contents.len() < end {
                    contents.resize(end, 0);
                }
                contents[*offset..end].copy_from_slice(bytes);
            }
            Change::Truncate(bytes) => contents.truncate(*bytes),
        }
    }
}

/// What a power failure leaves of a change, to a file of `length` bytes, that was not synced.
fn tear(change: Change, length: usize, random: &mut fastrand::Rng) -> Option<Change> {
    let Change::Write { offset, bytes } = change else { return random.bool().then_some(change) };
    match random.u8(..5) {
        0 => None,
        1 => Some(Change::Write { offset, bytes: bytes[..random.usize(..=bytes.len())].to_vec() }),
        2 => {
            let start = random.usize(..=bytes.len());
            Some(Change::Write { offset: offset + start, bytes: bytes[start..].to_vec() })
        }
        // The file had grown, and its blocks were not written.
        3 if offset >= length => Some(Change::Write { offset, bytes: vec![0; bytes.len()] }),
        _ => Some(Change::Write { offset, bytes }),
    }
}
