//! The I/O of one machine: sends its requests, reads answers into chunks, tells it what happened.
//!
//! Constraints: an event of a watch is passed on as soon as its last byte has been read (a busy
//! connection is read at a pace: [`kube`](crate::kube)), except that chunks are at least
//! [`WATCH_PACE`] apart: in a burst, waking three threads for each event would be most of its cost.
//! What the machine has accepted is handed on, whatever becomes of the answer. A watch that finds
//! no room is closed within [`WATCH_ROOM_WAIT`], a list within [`LIST_ROOM_WAIT`].

use crate::handoff::SourceSender;
use crate::position::Keeper;
use crate::process::Process;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyDataStream, BodyExt};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;

use super::super::{KubernetesSettings, Start};
use super::frames::FrameCounts;
use super::intake::Intake;
use super::report::Reporter;
use super::scope::Scope;
use super::step::{Action, Input, Request};
use crate::answers::is_html_page;
use crate::blocking::blocking;
use crate::handoff::{Closed, now};
use crate::kube::{HTML_PAGE, message_of, read, read_refusal, tls_fault, with_causes};

/// How long an open watch may go unread: the API server keeps what it cannot send in memory.
pub(super) const WATCH_ROOM_WAIT: Duration = Duration::from_secs(1);
/// How long a page may stay half-read. It is one answer of known size, so it may wait longer.
pub(super) const LIST_ROOM_WAIT: Duration = Duration::from_secs(10);
/// How long a list's items may wait for more to come, so that they go on together.
const LIST_PATIENCE: Duration = Duration::from_millis(20);
/// The least time between two chunks of a watch; the first event after quiet does not wait. Well
/// below the 50 ms between two requests of the sink, so that nothing is stored later for it.
const WATCH_PACE: Duration = Duration::from_millis(20);
/// How often a task that waits says that it is alive.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);
/// No object is larger (etcd's limit for a request is 1.5 MiB).
const OBJECT_BYTES_MAX: usize = 2 << 20;
/// How long the text of a refusal is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// One scope's task.
pub(super) struct Runner {
    client: Client,
    keeper: Keeper,
    process: Process,
    start: Start,
    /// The field selector of lists and watches.
    selector: Option<String>,
    intake: Intake,
    reporter: Reporter,
    /// Its name for the liveness probe.
    task: String,
}

impl Runner {
    /// A runner that goes on where an earlier run was.
    pub(super) fn new(
        scope: Scope,
        settings: &KubernetesSettings,
        client: Client,
        (sender, keeper): (SourceSender, Keeper),
        process: Process,
        reporter: Reporter,
    ) -> Runner {
        let counts = FrameCounts::new(&process.metrics.source);
        let task = format!("source ({scope})");
        let intake = Intake::new(scope, sender, counts, Instant::now().into_std());
        let (start, selector) = (settings.start, settings.selector());
        Runner { client, keeper, process, start, selector, intake, reporter, task }
    }

    /// Lists and watches until the drain begins, or the next part of the pipeline has ended.
    pub(super) async fn run(mut self) -> Result<(), Closed> {
        let drain = self.process.shutdown.drain.clone();
        let mut losses = self.intake.sender().losses();
        let mut action = self.handle(Input::Start)?;
        while action != Action::End {
            let input = tokio::select! {
                biased;
                () = drain.cancelled() => Input::Stop,
                // The other end lives as long as the sender.
                Ok(()) = losses.changed() => Input::Lost,
                input = self.perform(&action) => input?,
            };
            action = self.handle(input)?;
        }
        self.process.health.finished(&self.task);
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Result<Action, Closed> {
        let step = self.intake.handle(Instant::now().into_std(), random(), input)?;
        for note in step.notes {
            self.reporter.note(note);
        }
        self.reporter.state(self.intake.machine().state());
        self.process.health.progress(&self.task);
        Ok(step.action)
    }

    async fn perform(&mut self, action: &Action) -> Result<Input, Closed> {
        match action {
            Action::Request(Request::Identity) => Ok(self.identify().await),
            Action::Request(request) => self.exchange(request).await,
            Action::Save => Ok(self.save().await),
            Action::AwaitRoom => {
                // Given back at once: it only shows that there is one.
                let pool = self.intake.sender().pool().clone();
                drop(self.alive_while(pool.take()).await);
                Ok(Input::Room)
            }
            // Reading is part of the exchange; `run` does not come here to end.
            Action::Sleep | Action::Read | Action::End => {
                let until = self.deadline();
                self.alive_while(tokio::time::sleep_until(until)).await;
                Ok(Input::Deadline)
            }
        }
    }

    /// Waits for something that may take long, and says meanwhile that this task is alive.
    async fn alive_while<T>(&self, wait: impl Future<Output = T>) -> T {
        tokio::pin!(wait);
        loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut wait).await {
                Ok(done) => return done,
                Err(_) => self.process.health.progress(&self.task),
            }
        }
    }

    async fn identify(&mut self) -> Input {
        let http = match self.intake.scope().request(&Request::Identity, None) {
            Ok(http) => http,
            Err(why) => return Input::Refused { status: 400, retry_after: None, message: why },
        };
        let deadline = self.deadline();
        let answer = match tokio::time::timeout_at(deadline, self.client.send(http)).await {
            Err(_) => return Input::Deadline,
            Ok(Err(error)) => return broke(&error),
            Ok(Ok(answer)) => answer,
        };
        let uid = match answer.status().as_u16() {
            200 => match tokio::time::timeout_at(deadline, uid_of(answer.into_body())).await {
                Err(_) => return Input::Deadline,
                Ok(Ok(uid)) => Some(uid),
                Ok(Err(why)) => return Input::Nonsense(why),
            },
            // It may not be read, or is not there: then one cluster cannot be told from another.
            403 | 404 => None,
            _ => return refusal(answer).await,
        };
        self.intake.identified(&self.keeper, uid, self.start)
    }

    async fn save(&self) -> Input {
        let keeper = self.keeper.clone();
        match blocking(move || keeper.save(true)).await {
            Ok(()) => Input::Saved,
            Err(error) => Input::Broke(error.to_string()),
        }
    }

    fn deadline(&self) -> Instant {
        self.intake.machine().deadline().map_or_else(Instant::now, Instant::from_std)
    }

    /// Asks, and reads the answer to its end or until the machine wants to do something else.
    async fn exchange(&mut self, request: &Request) -> Result<Input, Closed> {
        let http = match self.intake.scope().request(request, self.selector.as_deref()) {
            Ok(http) => http,
            Err(why) => return Ok(Input::Refused { status: 400, retry_after: None, message: why }),
        };
        let answer = tokio::time::timeout_at(self.deadline(), self.client.send(http)).await;
        match answer {
            Err(_) => Ok(Input::Deadline),
            Ok(Err(error)) => Ok(broke(&error)),
            Ok(Ok(answer)) if answer.status() == http::StatusCode::OK => {
                self.handle(Input::Opened)?;
                self.read(request, answer.into_body()).await
            }
            Ok(Ok(answer)) => Ok(refusal(answer).await),
        }
    }

    async fn read(&mut self, request: &Request, body: Body) -> Result<Input, Closed> {
        let is_list = matches!(request, Request::List { .. });
        let mut reading = Reading { body: body.into_data_stream(), handed_on: None, is_list };
        self.intake.begin(is_list);
        self.read_to_end(&mut reading).await
    }

    async fn read_to_end(&mut self, reading: &mut Reading) -> Result<Input, Closed> {
        loop {
            let bytes = match self.next_piece(reading).await? {
                None => return Ok(Input::Deadline),
                Some(None) => return Ok(Input::Ended { whole: self.intake.is_whole() }),
                Some(Some(Err(error))) => return Ok(broke(&error)),
                Some(Some(Ok(bytes))) => bytes,
            };
            // What is taken in was written before the Lease lapsed: the next leader knows that it
            // may have been sent already.
            if self.process.takeover.has_lapsed(now()) {
                return Ok(Input::Lapsed);
            }
            self.intake.stirred(Instant::now().into_std());
            self.process.health.progress(&self.task);
            if let Some(input) = self.take_in(reading, &bytes).await? {
                return Ok(input);
            }
        }
    }

    /// The next piece of the body; the outer `None`: the deadline has passed. What has been read is
    /// handed on before a wait.
    async fn next_piece(&mut self, reading: &mut Reading) -> Result<Option<Piece>, Closed> {
        if !self.intake.needs_chunk() {
            // hyper decodes one piece at a time, in a task of its own: let it, so that pieces that
            // are here already share a chunk. The API server writes a list in pieces of
            // a few items.
            let patience = if reading.is_list { LIST_PATIENCE } else { Duration::ZERO };
            match reading.handed_on {
                Some(last) if !reading.is_list && last.elapsed() < WATCH_PACE => {
                    tokio::time::sleep_until(last + WATCH_PACE).await;
                }
                _ => tokio::task::yield_now().await,
            }
            if let Ok(piece) = tokio::time::timeout(patience, reading.body.next()).await {
                return Ok(Some(piece));
            }
            if !self.intake.is_inside_a_huge_object() {
                self.hand_on(reading)?;
            }
        }
        Ok(tokio::time::timeout_at(self.deadline(), reading.body.next()).await.ok())
    }

    /// Takes some bytes of the answer in. `Some`: reading is over.
    async fn take_in(
        &mut self,
        reading: &mut Reading,
        mut bytes: &[u8],
    ) -> Result<Option<Input>, Closed> {
        loop {
            if self.intake.needs_chunk() {
                let room_wait = if reading.is_list { LIST_ROOM_WAIT } else { WATCH_ROOM_WAIT };
                match tokio::time::timeout(room_wait, self.intake.sender().pool().take()).await {
                    Ok(chunk) => self.intake.give_chunk(chunk),
                    Err(_) => return Ok(Some(Input::NoRoom)),
                }
            }
            let taken = self.intake.take_in(Instant::now().into_std(), bytes);
            bytes = &bytes[taken.bytes..];
            if taken.is_full {
                self.hand_on(reading)?;
            }
            if taken.over.is_some() || !taken.is_full {
                return Ok(taken.over);
            }
        }
    }

    fn hand_on(&mut self, reading: &mut Reading) -> Result<(), Closed> {
        if self.intake.hand_on()? {
            reading.handed_on = Some(Instant::now());
        }
        Ok(())
    }
}

/// A piece of a body, or its end.
type Piece = Option<Result<Bytes, kube::Error>>;

/// An answer that is being read.
struct Reading {
    body: BodyDataStream<Body>,
    /// When a chunk was handed on last.
    handed_on: Option<Instant>,
    is_list: bool,
}

/// The UID in an object's metadata; else why there is none.
async fn uid_of(body: Body) -> Result<String, &'static str> {
    #[derive(serde::Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        uid: String,
    }
    const OTHER: &str = "the answer was not the namespace kube-system";
    let text = read(body, OBJECT_BYTES_MAX).await.map_err(|_| OTHER)?;
    match serde_json::from_slice(&text) {
        Ok(Object { metadata }) => Ok(metadata.uid),
        Err(_) if is_html_page(&text) => Err(HTML_PAGE),
        Err(_) => Err(OTHER),
    }
}

/// Why there is no answer, or no more of it.
fn broke(error: &kube::Error) -> Input {
    tls_fault(error).map_or_else(|| Input::Broke(with_causes(error)), Input::Untrusted)
}

/// What an answer that is not 200 says.
async fn refusal(answer: http::Response<Body>) -> Input {
    let status = answer.status().as_u16();
    // The API server only sends seconds, never a date.
    let retry_after = answer.headers().get(http::header::RETRY_AFTER);
    let retry_after = retry_after
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let mut text = Vec::new();
    // Half of it is good enough.
    let _ = tokio::time::timeout(REFUSAL_WAIT, read_refusal(answer.into_body(), &mut text)).await;
    Input::Refused { status, retry_after, message: message_of(&text) }
}

/// Jitter needs no more than to differ from process to process and from call to call.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
