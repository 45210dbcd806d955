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
use crate::blocking::{Panicked, contained};
use crate::buffer;
use crate::panics;
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
                    result = result.and(of_buffer(move || buffer.secure()).await);
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
                    result = result.and(of_buffer(move || buffer.close()).await);
                }
                Step::SavePosition => {
                    let keeper = self.shared.keeper.clone();
                    let saved = contained(move || keeper.save(true)).await;
                    let saved = saved.map_err(|Panicked| panicked("saving the position"));
                    result = result.and(saved.and_then(|saved| Ok(saved?)));
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
        let panicked_first = panics::first();
        let mut has_panicked = false;
        tokio::pin!(time_is_up, panicked_first);
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
                what = &mut panicked_first, if !has_panicked => {
                    has_panicked = true;
                    note(&mut first_failure, Err(panicked(&what)));
                }
                () = &mut time_is_up => break,
            }
        }
        (first_failure.map_or(Ok(()), Err), sink_ended)
    }

    async fn account(&self) -> PartEnd {
        account(&self.buffer, self.shared).await
    }
}

/// Ends a run that a signal stopped before its parts were started: nothing was read, and what an
/// earlier run has left on disk stays there.
pub(super) async fn before_it_began(
    (writer, reader, buffer): super::Buffer,
    shared: &Shared,
) -> PartEnd {
    shared.process.ledger.cut_short();
    drop((writer, reader));
    let result = account(&buffer, shared).await;
    result.and(of_buffer(move || buffer.close()).await)
}

/// Whether what has no outcome is safe on disk.
async fn account(buffer: &Arc<buffer::Handle>, shared: &Shared) -> PartEnd {
    let buffer = buffer.clone();
    let on_disk = of_buffer(move || buffer.documents_on_disk()).await?;
    match shared.process.ledger.snapshot().in_flight.saturating_sub(on_disk) {
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

fn ended<E>(part: &'static str, end: Result<Result<(), E>, tokio::task::JoinError>) -> PartEnd
where
    RunError: From<E>,
{
    end.map_err(|_| panicked(part))?.map_err(RunError::from)
}

/// What is left to do with a buffer, even with one that something has panicked in.
async fn of_buffer<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RunError> {
    contained(work).await.map_err(|Panicked| panicked("the buffer"))
}

fn panicked(what: &str) -> RunError {
    RunError::Panicked(what.to_owned())
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::time::Instant;

    use super::*;
    use crate::config::{Environment, parse};
    use crate::pipeline::{Finished, Origin, run};

    /// Set in the process that panics: the hook is a process's, and other tests panic too.
    const CHILD: &str = "WEIR_TEST_PANICS";
    const TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn a_panic_in_a_thread_that_nobody_waits_for_ends_the_run() {
        if std::env::var_os(CHILD).is_some() {
            return panics_and_runs();
        }
        let name =
            "pipeline::ending::tests::a_panic_in_a_thread_that_nobody_waits_for_ends_the_run";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD, "")
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > TIMEOUT {
                child.kill().unwrap();
            }
            std::thread::park_timeout(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }

    fn panics_and_runs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in"), "").unwrap();
        let text = "name = 'panics'\nsource = { kind = 'file', path = 'in', follow = true }\n\
                    sink = { kind = 'file', path = 'out' }\nbuffer = { path = 'spool' }\n";
        let file = folder.path().join("pipeline.toml");
        let config = parse(Path::new(&file), text, &Environment::of_process()).unwrap();
        panics::notice();
        let thread = std::thread::Builder::new().name("anybody's".to_owned());
        let _ = thread.spawn(|| panic!("as a test wants it")).unwrap();
        let origin = Origin { file, text: config.text };
        let Finished { result, ledger } = run(config.settings, origin, Arc::default());
        assert!(
            matches!(&result, Err(RunError::Panicked(what)) if what == "the thread `anybody's`")
        );
        assert_eq!(ledger.in_flight, 0);
    }
}
