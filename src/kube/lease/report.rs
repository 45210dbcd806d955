//! What people see of the Lease: log lines, metrics, readiness.
//!
//! Invariants: readiness does not depend on who leads, but on whether the Lease can be used: the
//! part `lease` is not ready until the Lease has been used once, nor while something needs a
//! person; an outage is only a note. Of consecutive failures, only those that say something new are
//! warnings.

use super::failure::{Failure, Kind};
use super::step::{LeaseName, Lost, Note, Verb};
use super::{Leadership, MARK_ANNOTATION};
use crate::health::{Condition, Health, Part};
use crate::kube::as_user;
use crate::metrics::LeaseMetrics;
use crate::process::Process;
use crate::text::{self, shell_word};

/// The part's name, and the task's.
const PART: Part = Part::Lease;
/// 401 this many times in a row is no token that is just being rotated.
const UNAUTHORIZED_MAX: u32 = 5;
/// What is shown of who holds the Lease: names of pods are shorter.
const HOLDER_BYTES_MAX: usize = 300;

/// The label of `weir_lease_renewals_total{result}`.
const RESULTS: [&str; 4] = ["ok", "conflict", "refused", "error"];

/// Shows what the machine does.
#[derive(Debug)]
pub(super) struct Reporter {
    lease: LeaseName,
    identity: String,
    metrics: LeaseMetrics,
    health: Health,
    /// Whether the Lease has been read, and used if it was to be.
    was_well: bool,
    unusable: Option<Unusable>,
    leadership: Leadership,
}

/// Why the Lease cannot be used at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unusable {
    text: String,
    needs_a_person: bool,
}

impl Reporter {
    /// Nothing is known yet.
    pub(super) fn new(lease: LeaseName, identity: String, process: &Process) -> Reporter {
        let (metrics, health) = (process.metrics.lease.clone(), process.health.clone());
        for result in RESULTS {
            metrics.renewals.with_label_values(&[result]).inc_by(0);
        }
        let leadership = Leadership::Following { holder: None };
        let reporter = Reporter {
            lease,
            identity,
            metrics,
            health,
            was_well: false,
            unusable: None,
            leadership,
        };
        reporter.show();
        reporter
    }

    /// Shows a step, and what it has come to.
    pub(super) fn step(&mut self, notes: &[Note], leadership: &Leadership, is_well: bool) {
        self.health.progress(PART);
        for note in notes {
            self.note(note, leadership);
        }
        if self.leadership != *leadership {
            self.leadership = leadership.clone();
            self.metrics.leader.set(i64::from(matches!(leadership, Leadership::Leading { .. })));
            if let Leadership::Following { holder: Some(holder) } = leadership {
                let (lease, identity) = (&self.lease, &self.identity);
                tracing::info!(%lease, %identity, %holder, "following");
            }
        }
        if is_well {
            self.was_well = true;
            if self.unusable.take().is_some() {
                tracing::info!(lease = %self.lease, "the Lease can be used again");
            }
        }
        self.show();
    }

    /// The task ends in good order.
    pub(super) fn ended(&self) {
        self.metrics.leader.set(0);
        self.health.finished(PART);
        self.health.set(PART, Condition::Note("given up: this process ends".to_owned()));
    }

    fn show(&self) {
        let who = match &self.leadership {
            Leadership::Leading { .. } => format!("leading, as {}", self.identity),
            Leadership::Following { holder: Some(holder) } => {
                format!("following {}", text::words(holder, HOLDER_BYTES_MAX))
            }
            Leadership::Following { holder: None } => "nobody leads".to_owned(),
        };
        let condition = match (&self.unusable, self.was_well) {
            (None, true) => Condition::Note(who),
            (None, false) => {
                Condition::NotReady(format!("the Lease {} has not been read yet", self.lease))
            }
            (Some(Unusable { text, needs_a_person: false }), true) => {
                Condition::Note(format!("{who}; {text}"))
            }
            (Some(unusable), _) => Condition::NotReady(unusable.text.clone()),
        };
        self.health.set(PART, condition);
    }

    fn note(&mut self, note: &Note, leadership: &Leadership) {
        let (lease, identity) = (&self.lease, &self.identity);
        match note {
            Note::Leading => {
                let has_mark = matches!(leadership, Leadership::Leading { mark: Some(_), .. });
                tracing::info!(%lease, %identity, has_mark, "leading");
            }
            Note::Lost(why) => self.lost(why),
            Note::HolderChanged => self.metrics.transitions.inc(),
            Note::Written => self.count("ok"),
            Note::Conflict => {
                self.count("conflict");
                tracing::debug!(%lease, "somebody else has written the Lease; reading it again");
            }
            Note::Failed { verb, failure, failures } => self.failed(*verb, failure, *failures),
            Note::Foreign(holder) => self.unusable(foreign(lease, holder)),
            Note::MarkTooLong { bytes } => tracing::warn!(
                %lease, bytes,
                "the settled mark is too long for the Lease's annotation, which keeps the previous \
                 one: a follower that takes over will read more events again; watch fewer \
                 namespaces with one pipeline"
            ),
            Note::NotReleased => tracing::warn!(
                %lease, %identity,
                "the Lease could not be given up: another process leads when it has expired"
            ),
        }
    }

    fn lost(&self, why: &Lost) {
        let (lease, identity) = (&self.lease, &self.identity);
        match why {
            Lost::NotRenewed => tracing::warn!(
                %lease, %identity,
                "not leading any more: the Lease could not be renewed in time, so another process \
                 may lead soon"
            ),
            Lost::Taken(holder) if holder.is_empty() => {
                tracing::warn!(
                    %lease, %identity,
                    "not leading any more: somebody has emptied the Lease"
                );
            }
            Lost::Taken(holder) => {
                tracing::warn!(
                    %lease, %identity, %holder,
                    "not leading any more: another process has the Lease"
                );
            }
            Lost::Released => tracing::info!(%lease, %identity, "the Lease is given up"),
        }
    }

    fn failed(&mut self, verb: Verb, failure: &Failure, failures: u32) {
        if verb != Verb::Get {
            let is_outage = matches!(
                failure.kind,
                Kind::Timeout | Kind::Connection | Kind::ServerError | Kind::Throttled
            );
            self.count(if is_outage { "error" } else { "refused" });
        }
        self.unusable(why_unusable(&self.lease, verb, failure, failures));
    }

    fn unusable(&mut self, unusable: Unusable) {
        let lease = &self.lease;
        if self.unusable.as_ref() == Some(&unusable) {
            tracing::debug!(%lease, "{}; trying again", unusable.text);
        } else {
            tracing::warn!(%lease, "{}; trying again", unusable.text);
        }
        self.unusable = Some(unusable);
    }

    fn count(&self, result: &str) {
        self.metrics.renewals.with_label_values(&[result]).inc();
    }
}

fn why_unusable(lease: &LeaseName, verb: Verb, failure: &Failure, failures: u32) -> Unusable {
    let text = match failure.kind {
        Kind::Forbidden => return forbidden(lease, verb, failure),
        Kind::Unauthorized => format!(
            "the API server does not accept weir's credentials ({failure}): if this lasts, check \
             the user in the kubeconfig, or the pod's service account"
        ),
        Kind::Timeout | Kind::Connection => {
            format!("no answer from the API server about the Lease {lease} ({failure})")
        }
        Kind::Throttled => format!("the API server asks weir to slow down ({failure})"),
        Kind::ServerError => format!("the API server reports an internal error ({failure})"),
        Kind::Refused => format!(
            "the API server refuses to {} the Lease {lease} ({failure}): check that the namespace \
             exists, and that the Lease's name is valid",
            word(verb)
        ),
        Kind::Protocol => format!(
            "the API server's answer about the Lease {lease} is not one that weir can use \
             ({failure}): check that the configured server is a Kubernetes API server, and see \
             `kubectl get lease {} --namespace {} -o yaml`",
            shell_word(&lease.name),
            shell_word(&lease.namespace)
        ),
    };
    let needs_a_person = match failure.kind {
        Kind::Unauthorized => failures >= UNAUTHORIZED_MAX,
        kind => matches!(kind, Kind::Refused | Kind::Protocol),
    };
    Unusable { text, needs_a_person }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Create => "create",
        Verb::Update => "update",
    }
}

/// Names the missing right, and the command that shows whether it was granted.
fn forbidden(lease: &LeaseName, verb: Verb, failure: &Failure) -> Unusable {
    let as_user = as_user(&failure.message);
    let LeaseName { namespace, name } = lease;
    // The right to create cannot be limited to a name.
    let resource = match verb {
        Verb::Create => "leases.coordination.k8s.io".to_owned(),
        Verb::Get | Verb::Update => format!("leases.coordination.k8s.io/{name}"),
    };
    let (verb, resource, namespace) = (word(verb), shell_word(&resource), shell_word(namespace));
    let text = format!(
        "weir may not {verb} the Lease {lease} ({failure}): grant `get`, `create` and `update` on \
         `leases` of coordination.k8s.io, and see whether `kubectl auth can-i {verb} {resource} \
         --namespace {namespace}{as_user}` says yes"
    );
    Unusable { text, needs_a_person: true }
}

fn foreign(lease: &LeaseName, holder: &str) -> Unusable {
    let holder = text::words(holder, HOLDER_BYTES_MAX);
    let text = format!(
        "the Lease {lease} is not weir's: {holder} holds it, and it has no annotation \
         {MARK_ANNOTATION}: set lease.name to a \
         name that is free, or if that holder is gone, delete the Lease"
    );
    Unusable { text, needs_a_person: true }
}
