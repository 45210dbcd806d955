//! A disk in memory that fails as real ones do, for simulators.
//!
//! - A crash keeps any part of what was not synced, each write torn at any byte, or left as zeros
//!   where the file had grown; names that were made or removed since the folder was synced may be
//!   there or not.
//! - A failed fsync throws away what it should have written, and the next one succeeds without it:
//!   as on Linux.
//! - A full disk takes the beginning of a write.
//!
//! The handles of a process that has died all fail from then on.

mod state;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

pub(crate) use self::state::Faults;
use self::state::{Change, Contents, State};
use super::{Disk, DiskFile, OpenError};

/// Its clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    /// The process that this handle belongs to; 0 until it has the lock.
    process: u64,
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
        self.lock_state().crash(random);
    }

    /// Another disk with what a power failure now would leave at the least.
    pub(crate) fn durable_copy(&self) -> SimulatedDisk {
        let copy = self.lock_state().durable_copy();
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
        self.lock_state().put(name, bytes);
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
        self.state.lock()
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
