//! When the source runs: always, or while this replica holds the Lease.
//!
//! Constraints: only the source stops when the Lease is lost; what was read goes on to the sink,
//! which stores nothing twice. A term begins from the mark that was found in the Lease, and only
//! its own settled mark is written there: at each renewal, and at once when it has moved back.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::{RunError, on_disk};
use crate::buffer::Guard;
use crate::handoff::Takeover;
use crate::health::Health;
use crate::kube::LeaseSettings;
use crate::kube::lease::{self, Leadership, Lease, Renewal, Term};
use crate::metrics::LeaseMetrics;
use crate::position::Keeper;
use crate::source;

/// The Lease of a run, if it has one.
pub(super) struct Leading {
    lease: Option<Lease>,
    /// The term that has begun from the mark that was found.
    begun: Arc<Mutex<Option<Term>>>,
    context: Context,
}

/// Who is told of terms.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) keeper: Keeper,
    pub(super) guard: Arc<Guard>,
    pub(super) health: Health,
    pub(super) takeover: Takeover,
}

impl Leading {
    /// Begins to follow, or, without settings, leads from now on. `folder` is this process's own,
    /// where there is one.
    pub(super) async fn start(
        settings: Option<&LeaseSettings>,
        folder: Option<&Path>,
        context: Context,
        metrics: LeaseMetrics,
    ) -> Result<Leading, RunError> {
        let begun = Arc::new(Mutex::new(None));
        let lease = match settings {
            None => None,
            Some(settings) => {
                context.health.follow(true);
                let client = crate::kube::client().await?;
                let of_lease = lease::Context { metrics, health: context.health.clone() };
                let mark = mark(begun.clone(), context.keeper.clone(), context.guard.clone());
                let identity = folder.map_or_else(lease::identity, lease::identity_in);
                Some(Lease::start(settings, identity, client, of_lease, mark))
            }
        };
        Ok(Leading { lease, begun, context })
    }

    /// Runs the source, in each term anew, until it ends or the drain begins.
    pub(super) fn run_source(
        &self,
        settings: source::Settings,
        context: source::Context,
        on_read: impl FnMut(u64) + Clone + Send + 'static,
    ) -> impl Future<Output = Result<(), RunError>> + Send + 'static {
        let lease = self.lease.as_ref().map(|lease| (lease.leadership(), lease.renewal()));
        let terms = Terms { begun: self.begun.clone(), context: self.context.clone() };
        async move {
            let Some((leadership, renewal)) = lease else {
                return Ok(source::run(&settings, context, on_read).await?);
            };
            let renewing = renew_what_moved_back(&terms.context.keeper, renewal);
            tokio::select! {
                ended = terms.run(leadership, settings, context, on_read) => ended,
                never = renewing => match never {},
            }
        }
    }

    /// Gives the Lease up, with the last settled mark. To be called when everything is settled that
    /// will be.
    pub(super) async fn release(self) {
        if let Some(lease) = self.lease {
            lease.release().await;
        }
    }
}

/// Answers what the Lease is to hold: nothing before the term has begun from what it held.
fn mark(
    begun: Arc<Mutex<Option<Term>>>,
    keeper: Keeper,
    guard: Arc<Guard>,
) -> impl Fn(Term) -> Option<String> + Send + 'static {
    move |term| {
        if *begun.lock().unwrap_or_else(|e| e.into_inner()) != Some(term) {
            return None;
        }
        // It may wait for the disk, for as long as a sync takes.
        let marks = tokio::task::block_in_place(|| guard.settled_marks(&keeper.tracker()));
        keeper.record(marks)
    }
}

/// A mark that has moved back is written before its time: until then, who takes over would begin
/// behind what a restored cluster has.
fn renew_what_moved_back(
    keeper: &Keeper,
    renewal: Renewal,
) -> impl Future<Output = Infallible> + Send + 'static {
    let mut restarted = keeper.tracker().restarted();
    async move {
        while restarted.changed().await.is_ok() {
            renewal.now();
        }
        // The tracker is gone, and the run at its end.
        std::future::pending().await
    }
}

/// The source's times of running.
struct Terms {
    begun: Arc<Mutex<Option<Term>>>,
    context: Context,
}

impl Terms {
    async fn run(
        self,
        mut leadership: watch::Receiver<Leadership>,
        settings: source::Settings,
        context: source::Context,
        on_read: impl FnMut(u64) + Clone + Send + 'static,
    ) -> Result<(), RunError> {
        let drain = context.shutdown.drain.clone();
        loop {
            let (term, mark) = tokio::select! {
                () = drain.cancelled() => return Ok(()),
                found = next_term(&mut leadership) => found,
            };
            self.begin(term, mark).await?;
            let mut context = context.clone();
            context.shutdown.drain = drain.child_token();
            let stop = context.shutdown.drain.clone();
            let run = source::run(&settings, context, on_read.clone());
            tokio::pin!(run);
            tokio::select! {
                ended = &mut run => return Ok(ended?),
                () = end_of(term, &mut leadership) => {
                    // What is still here, the next one may send before us.
                    self.context.takeover.again_now();
                    stop.cancel();
                    run.await?;
                }
            }
            self.set(None);
        }
    }

    /// The source goes on from the mark that was found.
    async fn begin(&self, term: Term, mark: Option<String>) -> Result<(), RunError> {
        self.context.takeover.again_now();
        if let Some(marks) = self.context.keeper.adopt(&mark.unwrap_or_default())? {
            let guard = self.context.guard.clone();
            on_disk(move || guard.begin(marks)).await;
        }
        self.set(Some(term));
        Ok(())
    }

    fn set(&self, term: Option<Term>) {
        *self.begun.lock().unwrap_or_else(|e| e.into_inner()) = term;
        self.context.health.follow(term.is_none());
    }
}

/// Waits until this process leads.
async fn next_term(leadership: &mut watch::Receiver<Leadership>) -> (Term, Option<String>) {
    loop {
        if let Leadership::Leading { term, mark } = &*leadership.borrow_and_update() {
            return (*term, mark.clone());
        }
        if leadership.changed().await.is_err() {
            // The Lease was given up: the run is at its end.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until this process does not lead in `term` any more.
async fn end_of(term: Term, leadership: &mut watch::Receiver<Leadership>) {
    // An error: the Lease was given up.
    let _ = leadership
        .wait_for(|now| !matches!(now, Leadership::Leading { term: other, .. } if *other == term))
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_mark_that_moves_back_has_the_lease_renewed_before_its_time() {
        let (keeper, renewal) = (Keeper::default(), Renewal::default());
        let tracker = keeper.tracker();
        tracker.issue("a", 0, Some("7".into()));
        tokio::spawn(renew_what_moved_back(&keeper, renewal.clone()));
        let soon = async || {
            tokio::time::timeout(std::time::Duration::from_secs(1), renewal.wanted()).await
        };
        tracker.issue("a", 0, Some("8".into()));
        soon().await.expect_err("a mark that goes on waits for its time");
        tracker.start_over("a");
        soon().await.unwrap();
        tracker.lose();
        soon().await.unwrap();
        soon().await.expect_err("once is enough");
    }
}
