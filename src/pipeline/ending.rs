//! How a run ends: waits for its parts in the order of the flow, and deals with what has no outcome
//! by then.
//!
//! A drain whose sink cannot deliver uses all of its time even if everything is on disk by then:
//! that disk may be lost with the pod.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::leading::Leading;
use super::{RunError, Shared};
use crate::blocking::blocking;
use crate::buffer;
use crate::shutdown::{DRAIN_TIMEOUT, Shutdown};
use crate::sink::SinkError;

/// How long a sink may take to notice that it is to end at once.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a run's end consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Waits until all parts have ended, one has failed, or the drain has had its time.
    AwaitParts,
    /// From here on, events whose holders end count as in flight.
    CutShort,
    /// Brings to disk what is nowhere but in memory.
    Secure,
    /// Ends the sink: from here on nothing is settled any more.
    Abort,
    /// Gives the Lease up, with the last settled mark.
    Release,
    /// Ends the buffer: what was settled is written down.
    CloseBuffer,
    /// Saves the last read mark, and waits for the disk.
    SavePosition,
}

/// The end of a run, in order. The simulator goes through it too.
pub(crate) const STEPS: [Step; 7] = [
    Step::AwaitParts,
    Step::CutShort,
    Step::Secure,
    Step::Abort,
    Step::Release,
    Step::CloseBuffer,
    Step::SavePosition,
];

/// How a part ended.
pub(super) type PartEnd = Result<(), RunError>;

/// A run whose parts have all been started.
pub(super) struct Running<'a> {
    pub(super) source: JoinHandle<PartEnd>,
    pub(super) workers: mpsc::Receiver<PartEnd>,
    pub(super) sink: JoinHandle<Result<(), SinkError>>,
    pub(super) buffer: Arc<buffer::Handle>,
    pub(super) leading: Leading,
    pub(super) shared: &'a Shared,
}

impl Running<'_> {
    /// Waits for its end, and brings it about. The first failure starts a drain of what is left;
    /// its error is the run's.
    pub(super) async fn finish(mut self) -> Result<(), RunError> {
        let mut result = Ok(());
        let mut sink_ended = false;
        for step in STEPS {
            match step {
                Step::AwaitParts => (result, sink_ended) = self.await_parts().await,
                Step::CutShort => self.shared.process.ledger.cut_short(),
                Step::Secure => {
                    let buffer = self.buffer.clone();
                    blocking(move || buffer.secure()).await;
                }
                Step::Abort => {
                    self.shared.process.shutdown.abort.cancel();
                    if !sink_ended {
                        // How it ends is of no interest any more.
                        let _ = tokio::time::timeout(ABORT_TIMEOUT, &mut self.sink).await;
                    }
                    result = result.and(self.account().await);
                }
                Step::Release => self.leading.release().await,
                Step::CloseBuffer => {
                    let buffer = self.buffer.clone();
                    blocking(move || buffer.close()).await;
                }
                Step::SavePosition => {
                    let keeper = self.shared.keeper.clone();
                    let saved = blocking(move || keeper.save(true)).await;
                    result = result.and(saved.map_err(RunError::from));
                }
            }
        }
        result
    }

    /// Also answers whether the sink has ended.
    async fn await_parts(&mut self) -> (PartEnd, bool) {
        let shared = self.shared;
        let (mut source_ended, mut workers_ended, mut sink_ended) = (false, false, false);
        let mut first_failure = None;
        let note = |first: &mut Option<RunError>, end: PartEnd| {
            if let Err(error) = end {
                shared.process.ledger.cut_short();
                shared.process.shutdown.drain.cancel();
                first.get_or_insert(error);
            }
        };
        let time_is_up = drain_is_over(&shared.process.shutdown);
        tokio::pin!(time_is_up);
        // A part may be seen to have ended before the one that made it end: only when all have can
        // it be said that none failed. Only a failure is not waited for by a source that blocks on
        // stdin.
        while !(sink_ended && workers_ended && (source_ended || first_failure.is_some())) {
            tokio::select! {
                end = &mut self.source, if !source_ended => {
                    source_ended = true;
                    note(&mut first_failure, ended("the source", end));
                }
                end = self.workers.recv(), if !workers_ended => match end {
                    Some(end) => note(&mut first_failure, end),
                    None => workers_ended = true,
                },
                end = &mut self.sink, if !sink_ended => {
                    sink_ended = true;
                    let end = ended("the sink", end);
                    let has_failed = end.is_err();
                    note(&mut first_failure, end);
                    if has_failed {
                        break;
                    }
                }
                () = &mut time_is_up => break,
            }
        }
        (first_failure.map_or(Ok(()), Err), sink_ended)
    }

    /// Whether what has no outcome is safe on disk.
    async fn account(&self) -> PartEnd {
        let buffer = self.buffer.clone();
        let on_disk = blocking(move || buffer.documents_on_disk()).await;
        match self.shared.process.ledger.snapshot().in_flight.saturating_sub(on_disk) {
            0 => {
                if on_disk > 0 {
                    tracing::info!(
                        documents = on_disk,
                        "not delivered yet, and safe in buffer.path: the next run sends them"
                    );
                }
                Ok(())
            }
            abandoned => Err(RunError::Abandoned(abandoned)),
        }
    }
}

fn ended<E>(part: &'static str, end: Result<Result<(), E>, tokio::task::JoinError>) -> PartEnd
where
    RunError: From<E>,
{
    end.map_err(|_| RunError::Panicked(part))?.map_err(RunError::from)
}

/// Returns when a drain has begun and has taken its time, or a second signal has come.
async fn drain_is_over(shutdown: &Shutdown) {
    tokio::select! {
        () = async {
            shutdown.drain.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        } => {}
        () = shutdown.abort.cancelled() => {}
    }
}
