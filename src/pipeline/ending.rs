//! How a run ends: waits for its parts in the order of the flow, and sees to what has no outcome by
//! then.
//!
//! A drain whose sink cannot deliver waits its whole time even where everything is on disk
//! meanwhile: the disk may be one that goes with the pod.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{RunError, Shared, on_disk};
use crate::buffer;
use crate::shutdown::{DRAIN_TIMEOUT, Shutdown};
use crate::sink::SinkError;

/// How long a sink may take to notice that it is to end at once.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// How a part ended.
pub(super) type PartEnd = Result<(), RunError>;

/// Waits for all parts. The first failure starts a drain of what is left; its error is the run's.
pub(super) async fn finish(
    mut source: JoinHandle<PartEnd>,
    mut workers: mpsc::Receiver<PartEnd>,
    mut sink: JoinHandle<Result<(), SinkError>>,
    guard: &Arc<buffer::Guard>,
    shared: &Shared,
) -> Result<(), RunError> {
    let (mut source_ended, mut workers_ended, mut sink_ended) = (false, false, false);
    let mut first_failure = None;
    let note = |first: &mut Option<RunError>, end: PartEnd| {
        if let Err(error) = end {
            shared.ledger.cut_short();
            shared.shutdown.drain.cancel();
            first.get_or_insert(error);
        }
    };
    let time_is_up = drain_is_over(&shared.shutdown);
    tokio::pin!(time_is_up);
    // A part may be seen to have ended before the one that made it end: only when all have can it
    // be said that none failed. Only a failure is not waited for by a source that blocks on
    // stdin.
    while !(sink_ended && workers_ended && (source_ended || first_failure.is_some())) {
        tokio::select! {
            end = &mut source, if !source_ended => {
                source_ended = true;
                note(&mut first_failure, ended("the source", end));
            }
            end = workers.recv(), if !workers_ended => match end {
                Some(end) => note(&mut first_failure, end),
                None => workers_ended = true,
            },
            end = &mut sink, if !sink_ended => {
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
    shared.ledger.cut_short();
    let own = guard.clone();
    on_disk(move || own.secure()).await;
    shared.shutdown.abort.cancel();
    if !sink_ended {
        // It settles no more when it has ended; its own end is of no interest any more.
        let _ = tokio::time::timeout(ABORT_TIMEOUT, &mut sink).await;
    }
    let own = guard.clone();
    let on_disk = on_disk(move || own.documents_on_disk()).await;
    match (first_failure, shared.ledger.snapshot().in_flight.saturating_sub(on_disk)) {
        (Some(error), _) => Err(error),
        (None, 0) if on_disk > 0 => {
            tracing::info!(
                documents = on_disk,
                "not delivered yet, and safe in buffer.path: the next run sends them"
            );
            Ok(())
        }
        (None, 0) => Ok(()),
        (None, abandoned) => Err(RunError::Abandoned(abandoned)),
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
