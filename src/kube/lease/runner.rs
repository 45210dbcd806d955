//! The I/O of the machine: sends its requests, tells it what was answered and when a deadline has
//! passed, and tells the pipeline who leads.
//!
//! Constraint: the end of a term is reported whatever a request is doing, so requests run alongside
//! the clock.

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use kube::Client;
use kube::api::{GetParams, PostParams};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::machine::Machine;
use super::report::Reporter;
use super::step::{Action, Input, LeaseName, Moment, Verb};
use super::{Candidate, Leadership, Renewal};
use crate::answers::not_json;
use crate::kube::{ReadError, message_of, read, read_refusal, with_causes};

/// Who the API server writes down as having written: `metadata.managedFields`.
const FIELD_MANAGER: &str = "weir";
/// A Lease has some hundred bytes; an object's annotations have 256 KiB at most.
const LEASE_BYTES_MAX: usize = 1 << 20;

type Answer = Pin<Box<dyn Future<Output = Input> + Send>>;

/// The task of one candidate.
pub(super) struct Runner {
    lease: LeaseName,
    client: Client,
    machine: Machine,
    reporter: Reporter,
    leadership: watch::Sender<Leadership>,
    candidate: Box<dyn Candidate>,
    orders: Orders,
}

/// What it may be told from outside.
pub(super) struct Orders {
    /// To renew before the time.
    pub(super) renewal: Renewal,
    /// To give the Lease up.
    pub(super) release: CancellationToken,
}

impl Runner {
    /// A runner at the machine's beginning.
    pub(super) fn new(
        lease: LeaseName,
        client: Client,
        machine: Machine,
        reporter: Reporter,
        leadership: watch::Sender<Leadership>,
        candidate: Box<dyn Candidate>,
        orders: Orders,
    ) -> Runner {
        Runner { lease, client, machine, reporter, leadership, candidate, orders }
    }

    /// Follows and leads until it is told to give the Lease up.
    pub(super) async fn run(mut self) {
        let Orders { renewal, release } = &self.orders;
        let (renewal, release) = (renewal.clone(), release.clone());
        let mut releasing = false;
        let mut answer: Option<Answer> = None;
        let mut action = self.handle(Input::Start);
        loop {
            match action {
                Action::Get => answer = Some(self.send(Verb::Get, None)),
                Action::Create(object) => answer = Some(self.send(Verb::Create, Some(object))),
                Action::Update(object) => answer = Some(self.send(Verb::Update, Some(object))),
                Action::Sleep => answer = None,
                Action::Wait => {}
                Action::End => break,
            }
            let deadline = self.machine.deadline().map_or_else(Instant::now, Instant::from_std);
            let input = tokio::select! {
                biased;
                () = release.cancelled(), if !releasing => {
                    releasing = true;
                    Input::Release
                }
                input = answered(&mut answer) => {
                    answer = None;
                    input
                }
                // Kept until it may: an answer on its way says nothing of what has changed since.
                () = renewal.wanted(), if self.machine.may_renew() => Input::Renew,
                () = tokio::time::sleep_until(deadline) => Input::Deadline,
            };
            action = self.handle(input);
        }
        self.reporter.ended();
    }

    fn handle(&mut self, input: Input) -> Action {
        let moment = Moment {
            now: now(),
            wall: Timestamp::now(),
            random: fastrand::u64(..),
            mark: self.machine.term().and_then(|term| self.candidate.mark(term)),
        };
        let step = self.machine.handle(&moment, input);
        let leadership = self.machine.leadership();
        self.reporter.step(&step.notes, &leadership, self.machine.is_well());
        let wall = Timestamp::now();
        let left = self.machine.term_end().map(|end| end.saturating_duration_since(now()));
        self.candidate.told(&leadership, left, wall);
        self.leadership.send_if_modified(|shown| {
            let changed = *shown != leadership;
            *shown = leadership;
            changed
        });
        step.action
    }

    fn send(&self, verb: Verb, object: Option<Value>) -> Answer {
        let request = self.request(verb, object.as_ref());
        let client = self.client.clone();
        Box::pin(async move {
            match request {
                Ok(request) => carry(verb, request, &client).await,
                Err(why) => Input::Failed(Failure::of_status(400, &why)),
            }
        })
    }

    /// The HTTP request; an error for what cannot be a URL.
    fn request(
        &self,
        verb: Verb,
        object: Option<&Value>,
    ) -> Result<http::Request<Vec<u8>>, String> {
        let LeaseName { namespace, name } = &self.lease;
        let url = kube::core::Request::new(format!(
            "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        ));
        let body = object.map(Value::to_string).unwrap_or_default().into_bytes();
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made = match verb {
            Verb::Get => url.get(name, &GetParams::default()),
            Verb::Create => url.create(&params, body),
            Verb::Update => url.replace(name, &params, body),
        };
        made.map_err(|error| error.to_string())
    }
}

/// The answer, if one is waited for.
async fn answered(answer: &mut Option<Answer>) -> Input {
    match answer {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}

/// Sends a request, and reads what is answered.
async fn carry(verb: Verb, request: http::Request<Vec<u8>>, client: &Client) -> Input {
    let answer = match client.send(request.map(Body::from)).await {
        Ok(answer) => answer,
        Err(error) => return Input::Failed(Failure::connection(with_causes(&error))),
    };
    let status = answer.status();
    if !status.is_success() {
        let mut text = Vec::new();
        read_refusal(answer.into_body(), &mut text).await;
        return match (verb, status.as_u16()) {
            (Verb::Get | Verb::Update, 404) => Input::Absent,
            (Verb::Create | Verb::Update, 409) => Input::Conflict,
            (_, code) => Input::Failed(Failure::of_status(code, &message_of(&text))),
        };
    }
    let text = match read(answer.into_body(), LEASE_BYTES_MAX).await {
        Ok(text) => text,
        Err(error @ ReadError::TooLong(_)) => {
            return Input::Failed(Failure::protocol(&error.to_string()));
        }
        Err(ReadError::Broken(why)) => return Input::Failed(Failure::connection(why)),
    };
    match (verb, serde_json::from_slice(&text)) {
        (Verb::Get, Ok(object)) => Input::Found(object),
        (Verb::Create | Verb::Update, Ok(object)) => Input::Written(object),
        (_, Err(_)) => {
            Input::Failed(Failure::protocol(&format!("the answer is {}", not_json(&text))))
        }
    }
}

/// The clock that never jumps; tokio's, so that tests can turn it.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
