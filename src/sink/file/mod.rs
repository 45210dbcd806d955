//! Documents as lines of a file or of stdout.
//!
//! Written means handed to the kernel: it survives the end of this process in any way, not of the
//! machine. A file is synced to the disk when nothing has come for [`IDLE`] and at the end of the
//! run.
//!
//! Invariant: nothing is settled that was not written whole. After a crash or a full disk the last
//! line may be torn; opening the file cuts it off if it is the beginning of a document (else the
//! file is not ours, and is left alone), so every line of it is one document. (Delivery is at least
//! once: what was written and not settled is written again.)

use crate::process::Process;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::error::SinkError;
use super::lag::{Lag, now_micros};
use super::{PART, PROGRESS_INTERVAL};
use crate::blocking::blocking;
use crate::handoff::{BatchLimits, Inbox, Item};
use crate::health::Condition;
use crate::ledger::{Delivered, Tally};

/// How much is written and settled at once.
const LIMITS: BatchLimits = BatchLimits { bytes: 1 << 20, count: usize::MAX };
/// After this much quiet what was written is synced to the disk.
const IDLE: Duration = Duration::from_secs(1);

/// Where lines go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    File(PathBuf),
    Stdout,
}

pub(super) async fn run<I: Inbox>(
    target: Target,
    mut inbox: I,
    process: &Process,
) -> Result<(), SinkError> {
    let mut output = blocking(move || Output::open(target)).await?;
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
                output = blocking(move || output.sync()).await?;
                continue;
            }
        };
        let Some(batch) = batch else { break };
        let written;
        (output, written) = blocking(move || output.write(batch)).await?;
        lag.acknowledged(written.iter(), now_micros());
        settle(written);
    }
    blocking(move || output.sync()).await?;
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
    unsynced: bool,
}

impl Output {
    fn open(target: Target) -> Result<Output, SinkError> {
        let file = match &target {
            Target::File(path) => {
                let failed = |error| SinkError::File { path: path.clone(), error };
                let file =
                    OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
                if file.metadata().map_err(failed)?.is_file() {
                    take_over(path, &file)?;
                }
                file
            }
            // Not `Stdout` itself, which would copy and search every byte for line breaks.
            Target::Stdout => {
                io::stdout().as_fd().try_clone_to_owned().map_err(SinkError::Stdout)?.into()
            }
        };
        Ok(Output { target, file, unsynced: false })
    }

    fn write(mut self, items: Vec<Item>) -> Result<(Output, Vec<Item>), SinkError> {
        self.unsynced = true;
        match write_lines(&items, &mut self.file) {
            Ok(()) => Ok((self, items)),
            Err(error) => Err(self.failed(error)),
        }
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

/// Makes the file ours, and cuts off the line that a crash tore.
fn take_over(path: &Path, file: &File) -> Result<(), SinkError> {
    let failed = |error| SinkError::File { path: path.to_owned(), error };
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(SinkError::Locked(path.to_owned())),
        Err(error) => return Err(failed(error.into())),
    }
    let reader = File::open(path).map_err(failed)?;
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
    Ok(())
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
