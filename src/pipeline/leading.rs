//! When the source runs: always, or while this replica holds the Lease.
//!
//! [`Terms`] decides; here are the tasks around it. Constraint: only the source stops when the
//! Lease is lost; what was read goes on to the sink, which stores nothing twice.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::terms::{Action, Terms};
use crate::blocking::blocking;
use crate::buffer::Handle;
use crate::handoff::now;
use crate::health::Health;
use crate::kube::LeaseSettings;
use crate::kube::lease::{self, Leadership, Lease, Renewal, Term};
use crate::position::{Keeper, Position};
use crate::process::Process;
use crate::source::SourceError;

/// The Lease of a run, if it has one.
pub(super) struct Leading(Option<Led>);

struct Led {
    lease: Lease,
    replica: Replica,
    renewing: JoinHandle<Infallible>,
}

impl Leading {
    /// Begins to follow, or, without settings, leads from now on.
    pub(super) async fn start(
        settings: Option<&LeaseSettings>,
        keeper: &Keeper,
        buffer: Arc<Handle>,
        process: &Process,
    ) -> Result<Leading, RunError> {
        let Some(settings) = settings else { return Ok(Leading(None)) };
        process.health.follow(true);
        let client = tokio::select! {
            biased;
            // Then the source does not begin either.
            () = process.shutdown.drain.cancelled() => return Ok(Leading(None)),
            client = crate::kube::client(&process.shutdown.reload) => client?,
        };
        let identity = buffer.folder().map_or_else(lease::identity, lease::identity_in);
        let terms = Arc::new(Mutex::new(Terms::new(keeper.clone(), process.takeover.clone())));
        let replica = Replica { terms, buffer, health: process.health.clone() };
        let lease = Lease::start(settings, identity, client, process, replica.clone());
        let renewing = tokio::spawn(renew_rewinds(keeper, lease.renewal()));
        Ok(Leading(Some(Led { lease, replica, renewing })))
    }

    /// Runs the source, in each term anew, until it ends or the drain begins. `source` runs it
    /// until the token that it is given is cancelled.
    pub(super) fn run_source<R: SourceRun>(
        &self,
        drain: CancellationToken,
        source: impl Fn(CancellationToken) -> R + Send + 'static,
    ) -> impl Future<Output = Result<(), RunError>> + Send + 'static {
        let led = self
            .0
            .as_ref()
            .map(|led| (led.replica.clone(), (led.lease.leadership(), led.lease.renewal())));
        async move {
            match led {
                None => Ok(source(drain).await?),
                Some((replica, lease)) => replica.run_sources(lease, drain, source).await,
            }
        }
    }

    /// Gives the Lease up, with the last settled mark. To be called when everything is settled that
    /// will be.
    pub(super) async fn release(&mut self) {
        if let Some(Led { lease, renewing, .. }) = self.0.take() {
            lease.release().await;
            renewing.abort();
        }
    }
}

/// A rewind is written into the Lease before its time: until then, whoever takes over would begin
/// behind what a restored cluster has.
fn renew_rewinds(
    keeper: &Keeper,
    renewal: Renewal,
) -> impl Future<Output = Infallible> + Send + 'static {
    let mut rewinds = keeper.tracker().watch_rewinds();
    async move {
        while rewinds.changed().await.is_ok() {
            renewal.now();
        }
        // The tracker is gone, and the run at its end.
        std::future::pending().await
    }
}

/// This process, as a candidate for the Lease.
#[derive(Clone)]
struct Replica {
    terms: Arc<Mutex<Terms>>,
    buffer: Arc<Handle>,
    health: Health,
}

impl lease::Candidate for Replica {
    fn mark(&self, term: Term) -> Option<String> {
        let keeper = self.terms().may_mark(term)?;
        // It may wait for the disk, for as long as a sync takes.
        let tracker = keeper.tracker();
        let marks = tokio::task::block_in_place(|| self.buffer.settled_marks(&tracker));
        keeper.record(marks)
    }

    fn told(&self, leadership: &Leadership, left: Option<Duration>, now: Timestamp) {
        self.terms().lease_says(leadership.clone(), left, now.as_microsecond());
    }
}

/// A source at work.
pub(super) trait SourceRun:
    Future<Output = Result<(), SourceError>> + Send + 'static
{
}

impl<R: Future<Output = Result<(), SourceError>> + Send + 'static> SourceRun for R {}

/// A source at work in a term, and what stops it.
type Running<R> = Option<(CancellationToken, Pin<Box<R>>)>;

impl Replica {
    async fn run_sources<R: SourceRun>(
        self,
        (mut leadership, renewal): (watch::Receiver<Leadership>, Renewal),
        drain: CancellationToken,
        source: impl Fn(CancellationToken) -> R + Send + 'static,
    ) -> Result<(), RunError> {
        let mut running: Running<R> = None;
        let mut is_rewound = false;
        loop {
            let action = self.next()?;
            match action {
                Action::BeginBuffer(marks) => {
                    is_rewound = marks.values().any(|mark| *mark == Position::Nowhere);
                    let buffer = self.buffer.clone();
                    blocking(move || buffer.begin(marks)).await;
                }
                Action::StartSources => {
                    if std::mem::take(&mut is_rewound) {
                        // Before the term had begun, nothing of this process was written there.
                        renewal.now();
                    }
                    let stop = drain.child_token();
                    running = Some((stop.clone(), Box::pin(source(stop))));
                }
                Action::StopSources => {
                    if let Some((stop, run)) = running.take() {
                        stop.cancel();
                        run.await?;
                    }
                }
                Action::Wait => tokio::select! {
                    ended = ended(&mut running) => return Ok(ended?),
                    // Once the Lease is given up, it says nothing more.
                    Ok(()) = leadership.changed() => {}
                    () = drain.cancelled() => self.terms().drain(),
                },
                Action::End => return Ok(()),
            }
        }
    }

    fn next(&self) -> Result<Action, RunError> {
        let mut terms = self.terms();
        let action = terms.next(now())?;
        self.health.follow(terms.is_following());
        Ok(action)
    }

    fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock()
    }
}

/// Waits for the source to end by itself.
async fn ended<R: SourceRun>(running: &mut Running<R>) -> Result<(), SourceError> {
    match running {
        Some((_, run)) => run.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::lease::Candidate;

    #[tokio::test(start_paused = true)]
    async fn a_rewind_has_the_lease_renewed_before_its_time() {
        let (keeper, renewal) = (Keeper::default(), Renewal::default());
        let tracker = keeper.tracker();
        tracker.issue("a", 0, Some("7".into()));
        tokio::spawn(renew_rewinds(&keeper, renewal.clone()));
        let soon = async || {
            tokio::time::timeout(std::time::Duration::from_secs(1), renewal.wanted()).await
        };
        tracker.issue("a", 0, Some("8".into()));
        soon().await.expect_err("a mark that goes on waits for its time");
        tracker.rewind("a");
        soon().await.unwrap();
        tracker.rewind_all();
        soon().await.unwrap();
        soon().await.expect_err("once is enough");
    }

    #[tokio::test]
    async fn a_rewind_that_is_repeated_is_written_into_the_lease_as_soon_as_the_term_has_begun() {
        let process = Process::default();
        let (.., buffer) = crate::buffer::open(&Default::default(), &process).unwrap();
        let keeper = Keeper::default();
        keeper.tracker().issue("a", 0, Some("7".into()));
        let mark = keeper.record(buffer.settled_marks(&keeper.tracker()));
        keeper.tracker().rewind("a");
        let terms = Arc::new(Mutex::new(Terms::new(keeper.clone(), process.takeover.clone())));
        let replica =
            Replica { terms: terms.clone(), buffer: Arc::new(buffer), health: process.health };
        // It could not be written down: the Lease still has the mark of before.
        let term = Term(2);
        replica.told(&Leadership::Leading { term, mark }, None, Timestamp::now());
        let (renewal, drain) = (Renewal::default(), CancellationToken::new());
        let (_says, leadership) = watch::channel(Leadership::Following { holder: None });
        let source = |stop: CancellationToken| async move {
            stop.cancelled().await;
            Ok(())
        };
        let run = replica.clone().run_sources((leadership, renewal.clone()), drain.clone(), source);
        let run = tokio::spawn(run);
        tokio::time::timeout(Duration::from_secs(60), renewal.wanted()).await.unwrap();
        let keeper = terms.lock().may_mark(term).expect("the mark may be written by then");
        assert_eq!(keeper.tracker().marks()["a"], Position::Nowhere);
        drain.cancel();
        run.await.unwrap().unwrap();
    }
}
