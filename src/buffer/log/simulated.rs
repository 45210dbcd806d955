//! A disk in memory that fails as real ones do, for simulators.
//!
//! - A crash keeps any part of what was not synced, each write torn at any byte, or left as zeros
//!   where the file had grown; names that were made or removed since the folder was synced may be
//!   there or not.
//! - A failed fsync throws away what it should have written, and the next one succeeds without it:
//!   as on Linux.
//! - A full disk takes the beginning of a write.
//!
//! Whoever dies leaves its handles behind: they all fail from then on.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Disk, DiskFile, OpenError};

/// Its clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    /// The process that this handle belongs to; 0 until it has the lock.
    process: u64,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Contents>,
    names: Names,
    names_durable: Names,
    names_unsynced: Vec<(String, Option<usize>)>,
    faults: Faults,
    processes: u64,
    owner: Option<u64>,
}

type Names = BTreeMap<String, usize>;

#[derive(Debug, Default)]
struct Contents {
    durable: Vec<u8>,
    now: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Bytes of all files together that the disk takes.
    pub(crate) capacity: Option<u64>,
    /// So many of the next fsyncs fail, of files or the folder.
    pub(crate) syncs: u32,
    /// So many of the next reads fail.
    pub(crate) reads: u32,
    /// The process dies with the operation after so many.
    pub(crate) operations: Option<u32>,
}

impl SimulatedDisk {
    /// What goes wrong from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.lock_state().faults = faults;
    }

    /// What still goes wrong.
    pub(crate) fn faults(&self) -> Faults {
        self.lock_state().faults
    }

    /// Whether no process has it.
    pub(crate) fn is_free(&self) -> bool {
        self.lock_state().owner.is_none()
    }

    /// The process is killed: what it wrote is there.
    pub(crate) fn kill(&self) {
        self.lock_state().owner = None;
    }

    /// The power fails.
    pub(crate) fn crash(&self, random: &mut fastrand::Rng) {
        let mut state = self.lock_state();
        state.owner = None;
        for file in &mut state.files {
            for change in std::mem::take(&mut file.unsynced) {
                let change = tear(change, file.durable.len(), random);
                change.into_iter().for_each(|change| change.apply(&mut file.durable));
            }
            file.now.clone_from(&file.durable);
        }
        for (name, file) in std::mem::take(&mut state.names_unsynced) {
            if random.bool() {
                set(&mut state.names_durable, name, file);
            }
        }
        state.names = state.names_durable.clone();
    }

    /// Another disk with what a power failure now would leave at the least.
    pub(crate) fn durable_copy(&self) -> SimulatedDisk {
        let state = self.lock_state();
        let contents = |file: &Contents| Contents {
            durable: file.durable.clone(),
            now: file.durable.clone(),
            unsynced: Vec::new(),
        };
        let copy = State {
            files: state.files.iter().map(contents).collect(),
            names: state.names_durable.clone(),
            names_durable: state.names_durable.clone(),
            ..State::default()
        };
        SimulatedDisk { state: Arc::new(Mutex::new(copy)), process: 0 }
    }

    /// Another disk with what is on this one now, as if all of it were durable.
    pub(crate) fn copy(&self) -> SimulatedDisk {
        let copy = SimulatedDisk::default();
        self.contents().iter().for_each(|(name, bytes)| copy.put(name, bytes));
        copy
    }

    /// Changes a file as nobody should: what it says is durable.
    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock_state();
        let file = state.names[name];
        let file = &mut state.files[file];
        change(&mut file.now);
        file.durable.clone_from(&file.now);
        file.unsynced.clear();
    }

    /// Somebody puts a file there.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.lock_state();
        let (durable, now) = (bytes.to_vec(), bytes.to_vec());
        state.files.push(Contents { durable, now, unsynced: Vec::new() });
        let index = state.files.len() - 1;
        state.names.insert(name.to_owned(), index);
        state.names_durable.insert(name.to_owned(), index);
    }

    /// Somebody removes a file.
    pub(crate) fn lose(&self, name: &str) {
        let mut state = self.lock_state();
        state.names.remove(name);
        state.names_durable.remove(name);
    }

    /// What is in the files now.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.lock_state();
        state
            .names
            .iter()
            .map(|(name, file)| (name.clone(), state.files[*file].now.clone()))
            .collect()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock_state().bytes()
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The state, for a process that lives.
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock_state();
        match &mut state.faults.operations {
            Some(0) => state.owner = None,
            Some(left) => *left -= 1,
            None => {}
        }
        match state.owner {
            Some(owner) if owner == self.process => Ok(state),
            _ => Err(io::Error::other("a dead process used the disk")),
        }
    }

    fn file(&self, index: usize) -> SimulatedFile {
        SimulatedFile { disk: self.clone(), index }
    }
}

impl State {
    fn bytes(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].now.len() as u64).sum()
    }

    fn sync_fails(&mut self) -> bool {
        let fails = self.faults.syncs > 0;
        self.faults.syncs -= u32::from(fails);
        fails
    }

    fn set_name(&mut self, name: &str, file: Option<usize>) {
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
    fn apply(&self, contents: &mut Vec<u8>) {
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

impl Disk for SimulatedDisk {
    type File = SimulatedFile;

    fn lock(&mut self) -> Result<(), OpenError> {
        let mut state = self.lock_state();
        if let Some(owner) = state.owner {
            return Err(OpenError::Locked {
                path: "/simulated".into(),
                holder: format!("process {owner}"),
            });
        }
        state.processes += 1;
        let process = state.processes;
        state.owner = Some(process);
        drop(state);
        self.process = process;
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let state = self.alive()?;
        Ok(state
            .names
            .iter()
            .map(|(name, file)| (name.clone(), state.files[*file].now.len() as u64))
            .collect())
    }

    fn create(&self, name: &str) -> io::Result<SimulatedFile> {
        let mut state = self.alive()?;
        state.files.push(Contents::default());
        let index = state.files.len() - 1;
        state.set_name(name, Some(index));
        Ok(self.file(index))
    }

    fn open(&self, name: &str) -> io::Result<SimulatedFile> {
        let index = self.alive()?.names.get(name).copied();
        index.map(|index| self.file(index)).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.alive()?;
        if !state.names.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        state.set_name(name, None);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.alive()?;
        if state.sync_fails() {
            return Err(io::Error::other("fsync failed"));
        }
        state.names_durable = state.names.clone();
        state.names_unsynced.clear();
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/simulated").join(name)
    }
}

/// An open file of a simulated disk.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFile {
    disk: SimulatedDisk,
    index: usize,
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.alive()?;
        if state.faults.reads > 0 {
            state.faults.reads -= 1;
            return Err(io::Error::other("read failed"));
        }
        let now = &state.files[self.index].now;
        let rest = now.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.alive()?;
        let room = state
            .faults
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(state.bytes()));
        let file = &mut state.files[self.index];
        let fits = (file.now.len() as u64)
            .saturating_add(room)
            .saturating_sub(offset)
            .min(bytes.len() as u64);
        let change =
            Change::Write { offset: offset as usize, bytes: bytes[..fits as usize].to_vec() };
        if fits > 0 {
            change.apply(&mut file.now);
            file.unsynced.push(change);
        }
        if (fits as usize) < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.alive()?;
        let file = &mut state.files[self.index];
        let change = Change::Truncate(bytes as usize);
        change.apply(&mut file.now);
        file.unsynced.push(change);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.alive()?;
        let fails = state.sync_fails();
        let file = &mut state.files[self.index];
        let unsynced = std::mem::take(&mut file.unsynced);
        if fails {
            return Err(io::Error::other("fsync failed"));
        }
        unsynced.iter().for_each(|change| change.apply(&mut file.durable));
        Ok(())
    }
}
