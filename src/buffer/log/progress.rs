//! The file `progress`: what is settled, and up to where records were durable.
//!
//! Constraints: it has its full size on disk before the first record is appended, so that a full
//! disk can be drained. It is a help, not a promise: without it, all that the segments hold is read
//! again. The bytes are drawn in [`log`](super).
//!
//! There are two slots, each in a block of its own. Until a write is synced only one of them is
//! written to, so the other holds what was synced last, whatever a crash does.

use super::frame::u64_at;
use super::point::NUMBER_MAX;
use super::segment::{decode_format, encode_format};
use super::{Disk, DiskFile, IoError, OpenError, Point};

/// What the file takes.
pub(super) const BYTES: u64 = 2 * SLOT_BYTES;
pub(super) const NAME: &str = "progress";
/// The format that this weir writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

/// A block of most disks: a torn write spoils only one.
pub(super) const SLOT_BYTES: u64 = 4096;
const MAGIC: [u8; 8] = *b"weirprog";
/// The format, a counter, two points, a checksum.
pub(super) const USED_BYTES: usize = 60;

/// What a slot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything before this is settled.
    pub(super) settled: Point,
    /// Everything before this was durable once: if it is not there any more, it is lost.
    pub(super) durable: Point,
}

#[derive(Debug)]
pub(super) struct ProgressFile<F> {
    file: F,
    /// How many times a slot was made durable: the slot with the higher count holds.
    count: u64,
    /// What was written to the next slot; `None`: unknown.
    written: Option<Progress>,
    is_synced: bool,
}

impl<F: DiskFile> ProgressFile<F> {
    /// Opens the file or makes it; `None`: it holds nothing that can be used.
    pub(super) fn open<D: Disk<File = F>>(
        disk: &D,
        is_there: bool,
    ) -> Result<(ProgressFile<F>, Option<Progress>), OpenError> {
        let failed = |error| IoError { path: disk.path(NAME), error };
        let file = if is_there { disk.open(NAME) } else { disk.create(NAME) }.map_err(failed)?;
        let mut bytes = vec![0; BYTES as usize];
        let length = file.read_at(&mut bytes, 0).map_err(failed)?;
        let slots = bytes.chunks_exact(SLOT_BYTES as usize);
        if let Some(found) = slots
            .clone()
            .find_map(|slot| decode_format(slot, MAGIC).filter(|version| *version > VERSION))
        {
            return Err(OpenError::Newer { path: disk.path(NAME), found, known: VERSION });
        }
        let (count, progress) = slots.filter_map(decode).max_by_key(|(count, _)| *count).unzip();
        // What was found is written again: it may be in the page cache only, since an fsync that
        // failed.
        let file = ProgressFile { file, count: count.unwrap_or(0), written: None, is_synced: true };
        if (length as u64) < BYTES {
            file.file.write_at(&bytes, 0).map_err(failed)?;
        }
        // What a killed process wrote last must be durable before the slot beside it is written.
        file.file.sync().map_err(failed)?;
        disk.sync_folder().map_err(failed)?;
        Ok((file, progress))
    }

    /// Writes it down, to be found by the next process, though not after a power failure.
    pub(super) fn write<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        progress: Progress,
    ) -> Result<(), IoError> {
        if self.written == Some(progress) {
            return Ok(());
        }
        let count = self.count + 1;
        let offset = (count % 2) * SLOT_BYTES;
        (self.is_synced, self.written) = (false, None);
        let failed = |error| IoError { path: disk.path(NAME), error };
        self.file.write_at(&encode(count, &progress), offset).map_err(failed)?;
        self.written = Some(progress);
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync<D: Disk<File = F>>(&mut self, disk: &D) -> Result<(), IoError> {
        if self.is_synced {
            return Ok(());
        }
        if let Err(error) = self.file.sync() {
            self.written = None;
            return Err(IoError { path: disk.path(NAME), error });
        }
        self.count += 1;
        self.is_synced = true;
        Ok(())
    }

    /// Makes it durable in both slots, so that a flipped bit in one brings nothing older back.
    pub(super) fn secure<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        progress: Progress,
    ) -> Result<(), IoError> {
        for _ in 0..2 {
            self.written = None;
            self.write(disk, progress)?;
            self.sync(disk)?;
        }
        Ok(())
    }
}

fn encode(count: u64, progress: &Progress) -> [u8; USED_BYTES] {
    let mut bytes = [0; USED_BYTES];
    bytes[..16].copy_from_slice(&encode_format(MAGIC, VERSION));
    let Progress { settled, durable } = progress;
    let numbers = [count, settled.seq, settled.documents, durable.seq, durable.documents];
    for (field, number) in bytes[16..56].chunks_exact_mut(8).zip(numbers) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32fast::hash(&bytes[..56]);
    bytes[56..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(slot: &[u8]) -> Option<(u64, Progress)> {
    decode_format(slot, MAGIC).filter(|version| *version == VERSION)?;
    if slot[56..60] != crc32fast::hash(&slot[..56]).to_le_bytes() {
        return None;
    }
    let point = |at| Point { seq: u64_at(slot, at), documents: u64_at(slot, at + 8) };
    let (count, settled, durable) = (u64_at(slot, 16), point(24), point(40));
    // Other numbers have passed the checksum by chance or on purpose.
    let is_sane = count <= NUMBER_MAX && settled.is_possible() && durable.is_possible();
    is_sane.then_some((count, Progress { settled, durable }))
}
