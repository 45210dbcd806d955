//! Documents as lines of a file or of stdout.
//!
//! Written means handed to the kernel: it survives the end of this process in any way, not of the
//! machine. A file is synced to the disk when nothing has come for [`IDLE`] and at the end of the
//! run.
//!
//! A file that is moved away or removed is opened again under its name before the next batch, and a
//! batch that went into a removed one is written again: it would be lost with it. So is it on
//! SIGHUP.
//!
//! Invariant: nothing is settled that was not written whole. After a crash or a full disk the last
//! line may be torn; opening the file cuts it off if it is the beginning of a document (else the
//! file is not ours, and is left alone), so every line of it is one document. (Delivery is at least
//! once: what was written and not settled is written again.)

use crate::process::Process;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Handle;

use super::error::SinkError;
use super::lag::{Lag, now_micros};
use super::{PART, PROGRESS_INTERVAL};
use crate::blocking::blocking;
use crate::files;
use crate::handoff::{BatchLimits, Inbox, Item};
use crate::health::Condition;
use crate::ledger::{Delivered, Tally};

/// How much is written and settled at once.
const LIMITS: BatchLimits = BatchLimits { bytes: 1 << 20, count: usize::MAX };
/// After this much quiet what was written is synced to the disk.
const IDLE: Duration = Duration::from_secs(1);

/// Of a file that weir makes, whatever the umask: events may hold secrets, and who ships the file
/// on has its group.
const MODE: u32 = 0o640;

/// Where lines go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    File(PathBuf),
    Stdout,
}

/// Writes on a thread of its own: to hand each batch to another one, and be woken after it, costs
/// more than writing it.
pub(super) async fn run<I: Inbox + 'static>(
    target: Target,
    inbox: I,
    process: &Process,
) -> Result<(), SinkError> {
    let (runtime, process) = (Handle::current(), process.clone());
    blocking(move || runtime.block_on(write_all(target, inbox, &process))).await
}

/// Blocks its thread where it writes.
async fn write_all<I: Inbox>(
    target: Target,
    mut inbox: I,
    process: &Process,
) -> Result<(), SinkError> {
    let mut output = Output::open(target)?;
    let mut reloads = process.shutdown.reload.watch();
    let mut lag = Lag::new(&process.metrics.sink.delivery_lag);
    process.health.set(PART, Condition::Ready);
    loop {
        process.health.progress(PART);
        let quiet = if output.unsynced { IDLE } else { PROGRESS_INTERVAL };
        let batch = tokio::select! {
            biased;
            () = process.shutdown.abort.cancelled() => break,
            batch = inbox.next(LIMITS) => batch,
            () = tokio::time::sleep(quiet) => {
                output = output.sync()?;
                continue;
            }
        };
        let Some(batch) = batch else { break };
        let written;
        let is_due = reloads.is_due();
        (output, written) = output.look(is_due)?.write(batch)?;
        lag.acknowledged(written.iter(), now_micros());
        settle(written);
    }
    output.sync()?;
    process.health.finished(PART);
    Ok(())
}

fn settle(items: Vec<Item>) {
    let mut tally = Tally::default();
    tally.delivered(Delivered::Written, items.len() as u64);
    Item::settle_all(items, &tally);
}

struct Output {
    target: Target,
    file: File,
    /// What its name leads to can be another file by now: it is one on a disk.
    may_move: bool,
    unsynced: bool,
}

impl Output {
    fn open(target: Target) -> Result<Output, SinkError> {
        let mut may_move = false;
        let file = match &target {
            Target::File(path) => {
                let failed = |error| SinkError::File { path: path.clone(), error };
                loop {
                    let file = make(path, MODE).map_err(failed)?;
                    may_move = file.metadata().map_err(failed)?.is_file();
                    if !may_move || take_over(path, &file)? {
                        break file;
                    }
                }
            }
            // Not `Stdout` itself, which would copy and search every byte for line breaks.
            Target::Stdout => {
                io::stdout().as_fd().try_clone_to_owned().map_err(SinkError::Stdout)?.into()
            }
        };
        Ok(Output { target, file, may_move, unsynced: false })
    }

    /// Opens the file again if its name leads elsewhere, or somebody asks for it.
    fn look(self, is_due: bool) -> Result<Output, SinkError> {
        let Target::File(path) = &self.target else { return Ok(self) };
        if !self.may_move || !(is_due || self.was_moved(path)) {
            return Ok(self);
        }
        tracing::info!(path = %path.display(), "the sink's file is opened again");
        // Its lock goes with it: the same file, asked for anew, must not be in its own way.
        let Output { target, .. } = self.sync()?;
        Output::open(target)
    }

    fn was_moved(&self, path: &Path) -> bool {
        match (std::fs::metadata(path), self.file.metadata()) {
            (Ok(there), Ok(here)) => !is_same(&there, &here),
            _ => true,
        }
    }

    fn write(mut self, items: Vec<Item>) -> Result<(Output, Vec<Item>), SinkError> {
        loop {
            self.unsynced = true;
            if let Err(error) = write_lines(&items, &mut self.file) {
                return Err(self.failed(error));
            }
            if !self.was_removed() {
                return Ok((self, items));
            }
            self = self.look(true)?;
        }
    }

    /// Whether the file has no name any more: what is in it is lost.
    fn was_removed(&self) -> bool {
        self.may_move && self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    fn sync(mut self) -> Result<Output, SinkError> {
        if std::mem::take(&mut self.unsynced)
            && let Err(error) = self.file.sync_data()
            // Pipes, terminals and some devices have nothing to sync.
            && error.kind() != io::ErrorKind::InvalidInput
        {
            return Err(self.failed(error));
        }
        Ok(self)
    }

    fn failed(&self, error: io::Error) -> SinkError {
        match &self.target {
            Target::File(path) => SinkError::File { path: path.clone(), error },
            Target::Stdout => SinkError::Stdout(error),
        }
    }
}

/// Opens the file to append to it. One that is not there is made, with this mode.
fn make(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        // Or a link to one that is not: that is made where the link leads.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Makes the file ours, and cuts off the line that a crash tore. `false`: its name leads to another
/// one by now.
fn take_over(path: &Path, file: &File) -> Result<bool, SinkError> {
    let failed = |error| SinkError::File { path: path.to_owned(), error };
    match files::lock(file) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(SinkError::Locked(path.to_owned())),
        Err(error) => return Err(failed(error.into())),
    }
    let reader = File::open(path).map_err(failed)?;
    if !is_same(&reader.metadata().map_err(failed)?, &file.metadata().map_err(failed)?) {
        return Ok(false);
    }
    if let Some(whole) = crate::lines::whole_lines_bytes(&reader).map_err(failed)? {
        let mut first = [0];
        reader.read_exact_at(&mut first, whole).map_err(failed)?;
        if first != *b"{" {
            return Err(SinkError::NotOurs(path.to_owned()));
        }
        let torn = file.metadata().map_err(failed)?.len() - whole;
        file.set_len(whole).map_err(failed)?;
        tracing::warn!(
            path = %path.display(),
            bytes = torn,
            "the file's last line was incomplete, torn by a crash of whoever wrote it: cut off"
        );
    }
    Ok(true)
}

/// Writes each document and a line break. Documents that lie side by side, a line break between
/// them, are written together without being copied.
fn write_lines(items: &[Item], out: &mut impl Write) -> io::Result<()> {
    let mut rest = items;
    while let Some(first) = rest.first() {
        let bytes = &first.documents().bytes;
        let run = rest.iter().zip(&rest[1..]).take_while(|(a, b)| {
            std::ptr::eq(a.documents(), b.documents())
                && b.document().body.start == a.document().body.end + 1
                && bytes[a.document().body.end] == b'\n'
        });
        let count = run.count() + 1;
        let (start, end) = (first.document().body.start, rest[count - 1].document().body.end);
        if bytes.get(end) == Some(&b'\n') {
            out.write_all(&bytes[start..=end])?;
        } else {
            out.write_all(&bytes[start..end])?;
            out.write_all(b"\n")?;
        }
        rest = &rest[count..];
    }
    Ok(())
}

#[cfg(test)]
mod tests;
