//! The Lease by which replicas agree on who works, and which carries the settled mark from one
//! leader to the next.
//!
//! The protocol is that of client-go's [leaderelection], so that people and tools read the Lease as
//! they read any other. What is weir's own: the **settled mark** is written into an annotation of
//! the Lease in the renewal itself, one update of the whole object with its `resourceVersion`, so
//! that whoever is no longer the holder is answered 409 and can neither renew nor move the mark.
//!
//! ```text
//!   machine ── Action ──> runner ── GET, POST, PUT ──> API server
//!      ▲                    │  │
//!      └────── Input ───────┘  └── Leadership ──> pipeline;  report: log, metrics, readiness
//! ```
//!
//! `machine` decides everything and is pure; `record` is the Lease as an object, `timing` has the
//! numbers, `runner` is the I/O, `report` shows what goes on.
//!
//! Invariants:
//!
//! - No process trusts any clock but its own: a Lease has expired when *this* process has seen it
//!   unchanged for its duration. A leader stops a third of the duration before anybody else may
//!   begin, counted from when it *sent* its last renewal that succeeded.
//! - A process that was paused may believe that it leads until it looks at its clock; the API
//!   server refuses whatever it then writes. Leadership bounds duplicate work; that nothing is
//!   stored twice rests on documents' ids, not on this.
//! - Only renewals by the current leader move the mark. Taking the Lease leaves the mark as it was
//!   found.
//!
//! [leaderelection]: https://pkg.go.dev/k8s.io/client-go/tools/leaderelection

pub(crate) mod failure;
pub(crate) mod machine;
pub(crate) mod mark;
pub(crate) mod record;
mod report;
mod runner;
pub(crate) mod step;
pub(crate) mod timing;

use crate::process::Process;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::machine::Machine;
use self::report::Reporter;
use self::runner::Runner;
use self::step::LeaseName;
use crate::folders::Folder;

/// The annotation that holds the settled mark. It is on every Lease of weir's, empty while there is
/// no mark: a Lease without it that somebody holds is another tool's.
pub const MARK_ANNOTATION: &str = "weir/settled";

/// `[lease]` of `pipeline.toml`, when it is enabled.
///
/// Leadership bounds duplicate work; that nothing is stored twice rests on documents' ids, not on
/// this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The Lease's namespace; `None`: the pod's, or outside a pod that of the kubeconfig's
    /// context.
    pub namespace: Option<String>,
    /// The Lease's name: the pipeline's, if it has none of its own.
    pub name: String,
    /// How long it is held without renewal, in whole seconds: what [`spec.leaseDurationSeconds`]
    /// holds.
    ///
    /// [`spec.leaseDurationSeconds`]: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/#LeaseSpec
    pub duration: Duration,
}

/// The file in which a replica keeps its name, beside the spool.
const IDENTITY: &str = "identity";
/// Far more than a host's name.
const IDENTITY_BYTES_MAX: u64 = 4 << 10;

/// One time of leading, counted from 1 within this process. Leading again is another term, even if
/// nobody else led between: what was settled in an earlier one must not be written in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

/// Whether this process leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// Somebody else does, or nobody.
    Following {
        /// Who leads, as far as this process knows.
        holder: Option<String>,
    },
    /// This process does.
    Leading {
        /// Since when.
        term: Term,
        /// The settled mark that was found: where the leader before had come to.
        mark: Option<String>,
    },
}

/// The process that is a candidate.
pub trait Candidate: Send + 'static {
    /// The settled mark of the term, asked for at each write; `None` leaves what is there, and that
    /// is what it must answer until it has begun from the mark that was found.
    fn mark(&self, term: Term) -> Option<String>;

    /// Told who leads, after each step of the protocol; of this process also how much time was left
    /// at `now` until it does not lead any more, unless the Lease is renewed. What is left is by a
    /// clock that stands still while the machine is suspended; `now` is not.
    fn told(&self, leadership: &Leadership, left: Option<Duration>, now: Timestamp) {
        let _ = (leadership, left, now);
    }
}

/// One that only has a mark.
impl<F: Fn(Term) -> Option<String> + Send + 'static> Candidate for F {
    fn mark(&self, term: Term) -> Option<String> {
        self(term)
    }
}

/// A candidate for the Lease, at work. Dropped without [`Lease::release`] it stops as if the
/// process had been killed: the others wait for the Lease to expire.
#[derive(Debug)]
pub struct Lease {
    leadership: watch::Receiver<Leadership>,
    renewal: Renewal,
    release: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// Has a Lease renewed before its time; clones are of the same Lease.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renewal(Arc<Notify>);

impl Renewal {
    /// What the Lease says is not true any more: it is renewed, with the mark of now, as soon as no
    /// request is on its way; if this process leads.
    pub(crate) fn now(&self) {
        self.0.notify_one();
    }

    /// Waits until that is wanted: as often as it was said, or less often.
    pub(crate) async fn wanted(&self) {
        self.0.notified().await;
    }
}

impl Lease {
    /// Begins to follow, and leads as soon as nobody else does. `identity` must be no other
    /// process's: two of one name would both lead. A process that starts with the identity of
    /// one that is certainly gone leads at once if that one led.
    ///
    /// Needs a tokio runtime. Failures are retried for ever, and shown.
    pub fn start(
        settings: &LeaseSettings,
        identity: String,
        client: Client,
        process: &Process,
        candidate: impl Candidate,
    ) -> Lease {
        let namespace =
            settings.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        let lease = LeaseName { namespace, name: settings.name.clone() };
        let reporter = Reporter::new(lease.clone(), identity.clone(), process);
        let machine = Machine::new(lease.clone(), identity, settings.duration, runner::now());
        let (sender, leadership) = watch::channel(Leadership::Following { holder: None });
        let (renewal, release) = (Renewal::default(), CancellationToken::new());
        let orders = runner::Orders { renewal: renewal.clone(), release: release.clone() };
        let runner =
            Runner::new(lease, client, machine, reporter, sender, Box::new(candidate), orders);
        Lease { leadership, renewal, release, task: Some(tokio::spawn(runner.run())) }
    }

    /// Who leads. A change that is overtaken by the next one may not be seen; terms tell them
    /// apart.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Has it renewed before its time.
    pub(crate) fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// Gives the Lease up, if this process leads: one last renewal with the settled mark, which
    /// is asked for once more, and with no holder, so that another one leads at once. To be called
    /// when everything is settled that will be: until then the Lease is renewed. Takes a few
    /// seconds at most; if the API server cannot be reached, the Lease expires by itself.
    pub async fn release(mut self) {
        self.release.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            // Nobody aborts a task that was taken out, so it has panicked: so does this.
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The name that an earlier run of this very pipeline had, from a file in `folder`, which only one
/// process has at a time: a replica that led and was killed leads again at once. A new name if
/// there is none yet, or it cannot be kept.
pub(crate) fn identity_in(folder: &Folder) -> String {
    let saved = folder.read_small(IDENTITY, IDENTITY_BYTES_MAX).ok();
    match saved.as_deref().map(std::str::from_utf8) {
        Some(Ok(text)) if !text.trim().is_empty() => return text.trim().to_owned(),
        _ => {}
    }
    let new = identity();
    let write = || writeln!(folder.replace(IDENTITY)?, "{new}");
    if let Err(error) = write() {
        tracing::warn!(
            path = %folder.path_of(IDENTITY).display(), %error,
            "cannot keep this replica's name: after a crash it waits for its own Lease"
        );
    }
    new
}

/// A name for this process that no other has: the pod's (its host name), and something random,
/// because a pod that was deleted by force may go on beside its successor of the same name.
pub(crate) fn identity() -> String {
    let of_environment = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let of_kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = of_environment.or_else(of_kernel).unwrap_or_else(|| "weir".to_owned());
    format!("{}_{:08x}", host.trim(), fastrand::u32(..))
}

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
