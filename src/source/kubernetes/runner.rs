//! The I/O of one machine: sends its requests, reads answers into chunks, tells it what happened.
//!
//! Constraints: an event of a watch goes on as soon as the bytes that end it have come, but that chunks follow each other at
//! least [`WATCH_PACE`] apart: in a burst, waking three threads for each event would be most of its cost. What the machine has accepted is handed on whatever becomes of the answer; ending this task may drop a chunk, of
//! which nothing was counted as received. A watch that finds no room is closed within [`WATCH_ROOM_WAIT`], a list within
//! [`LIST_ROOM_WAIT`].

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyDataStream, BodyExt};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;

use super::super::Start;
use super::super::context::Context;
use super::super::framer::Framer;
use super::frames::{FrameCounts, Frames};
use super::machine::Machine;
use super::report::Reporter;
use super::scope::Scope;
use super::step::{Action, Input, Request};
use super::version::Version;
use crate::event::Chunk;
use crate::handoff::Closed;
use crate::kube::with_causes;

/// How long an open watch may go unread: the API server keeps what it cannot send in memory.
const WATCH_ROOM_WAIT: Duration = Duration::from_secs(1);
/// How long a page may stay half-read. It is one answer of known size, so it may wait longer.
const LIST_ROOM_WAIT: Duration = Duration::from_secs(10);
/// How long a list's items may wait for more to come, so that they go on together.
const LIST_PATIENCE: Duration = Duration::from_millis(20);
/// The least time between two chunks of a watch; the first event after quiet does not wait. Well below the 50 ms between two
/// requests of the sink, so that nothing is stored later for it.
const WATCH_PACE: Duration = Duration::from_millis(20);
/// What is cheap to copy from one chunk to the next.
const CARRIED_BYTES_MAX: usize = 64 << 10;
/// How often a task that waits says that it is alive.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);
/// No object is larger (etcd's limit for a request is 1.5 MiB).
const OBJECT_BYTES_MAX: usize = 2 << 20;
/// What is read of a refusal, for its message.
const REFUSAL_BYTES_MAX: usize = 16 << 10;
/// How long the text of a refusal is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// One scope's task.
pub(super) struct Runner {
    scope: Scope,
    client: Client,
    context: Context,
    start: Start,
    machine: Machine,
    reporter: Reporter,
    counts: FrameCounts,
    /// The machine's cursor that was told last.
    told: Option<Version>,
    /// Its name for the liveness probe.
    task: String,
}

impl Runner {
    /// A runner that goes on where an earlier run was.
    pub(super) fn new(
        scope: Scope,
        start: Start,
        client: Client,
        context: Context,
        reporter: Reporter,
    ) -> Runner {
        let machine = Machine::new(Instant::now().into_std());
        let counts = FrameCounts::new(&context.metrics);
        let task = format!("source ({scope})");
        Runner { scope, client, context, start, machine, reporter, counts, told: None, task }
    }

    /// Lists and watches until the drain begins, or the next part of the pipeline has ended.
    pub(super) async fn run(mut self) -> Result<(), Closed> {
        let drain = self.context.shutdown.drain.clone();
        let mut action = self.handle(Input::Start);
        while action != Action::End {
            let input = tokio::select! {
                biased;
                () = drain.cancelled() => Input::Stop,
                input = self.perform(&action) => input?,
            };
            action = self.handle(input);
        }
        self.context.health.finished(&self.task);
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Action {
        let step = self.machine.handle(Instant::now().into_std(), random(), input);
        for note in step.notes {
            self.reporter.note(note);
        }
        self.reporter.state(self.machine.state());
        self.context.health.progress(&self.task);
        // Everything that was accepted before has been handed on: reading ends with that.
        self.tell_cursor();
        step.action
    }

    async fn perform(&mut self, action: &Action) -> Result<Input, Closed> {
        match action {
            Action::Request(Request::Identity) => Ok(self.identify().await),
            Action::Request(request) => self.exchange(request).await,
            Action::Save => Ok(self.save().await),
            Action::AwaitRoom => {
                // Given back at once: it only shows that there is one.
                let pool = self.context.outlet.pool().clone();
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
                Err(_) => self.context.health.progress(&self.task),
            }
        }
    }

    async fn identify(&mut self) -> Input {
        let http = match self.scope.request(&Request::Identity) {
            Ok(http) => http,
            Err(why) => return Input::Refused { status: 400, retry_after: None, message: why },
        };
        let answer = match tokio::time::timeout_at(self.deadline(), self.client.send(http)).await {
            Err(_) => return Input::Deadline,
            Ok(Err(error)) => return Input::Broke(with_causes(&error)),
            Ok(Ok(answer)) => answer,
        };
        let uid = match answer.status().as_u16() {
            200 => match uid_of(answer.into_body()).await {
                Some(uid) => Some(uid),
                None => return Input::Nonsense("the answer was not the namespace kube-system"),
            },
            // It may not be read, or is not there: then one cluster cannot be told from another.
            403 | 404 => None,
            _ => return refusal(answer).await,
        };
        let keeper = &self.context.keeper;
        keeper.source_is(uid);
        let saved = self.context.outlet.start_of(self.scope.key());
        self.told = saved.as_deref().and_then(Version::parse);
        let start = if keeper.is_lost() { Start::All } else { self.start };
        Input::Identified { cursor: self.told.clone(), start }
    }

    async fn save(&self) -> Input {
        let keeper = self.context.keeper.clone();
        match tokio::task::spawn_blocking(move || keeper.save(true)).await {
            Ok(Ok(())) => Input::Saved,
            Ok(Err(error)) => Input::Broke(error.to_string()),
            // Nobody cancels it: it panicked, and so do we.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn deadline(&self) -> Instant {
        self.machine.deadline().map_or_else(Instant::now, Instant::from_std)
    }

    /// Asks, and reads the answer to its end or until the machine wants to do something else.
    async fn exchange(&mut self, request: &Request) -> Result<Input, Closed> {
        let http = match self.scope.request(request) {
            Ok(http) => http,
            Err(why) => return Ok(Input::Refused { status: 400, retry_after: None, message: why }),
        };
        let answer = tokio::time::timeout_at(self.deadline(), self.client.send(http)).await;
        match answer {
            Err(_) => Ok(Input::Deadline),
            Ok(Err(error)) => Ok(Input::Broke(with_causes(&error))),
            Ok(Ok(answer)) if answer.status() == http::StatusCode::OK => {
                self.handle(Input::Opened);
                self.read(request, answer.into_body()).await
            }
            Ok(Ok(answer)) => Ok(refusal(answer).await),
        }
    }

    async fn read(&mut self, request: &Request, body: Body) -> Result<Input, Closed> {
        let mut reading = Reading::new(body, matches!(request, Request::List { .. }));
        let input = self.read_to_end(&mut reading).await?;
        // Also what a broken answer gave before it broke: the machine has judged it.
        self.hand_on(&mut reading)?;
        Ok(input)
    }

    async fn read_to_end(&mut self, reading: &mut Reading) -> Result<Input, Closed> {
        loop {
            let bytes = match self.next_piece(reading).await? {
                None => return Ok(Input::Deadline),
                Some(None) => return Ok(Input::Ended { whole: reading.is_whole() }),
                Some(Some(Err(error))) => return Ok(Input::Broke(with_causes(&error))),
                Some(Some(Ok(bytes))) => bytes,
            };
            self.machine.stirred(Instant::now().into_std());
            self.context.health.progress(&self.task);
            if let Some(input) = self.take_in(reading, &bytes).await? {
                return Ok(input);
            }
        }
    }

    /// The next piece of the body; the outer `None`: the deadline has passed. What has been read is handed on before a
    /// wait.
    async fn next_piece(&mut self, reading: &mut Reading) -> Result<Option<Piece>, Closed> {
        if reading.chunk.is_some() {
            // hyper decodes one piece at a time, in a task of its own: let it, so that pieces that are here already share a
            // chunk. The API server writes a list in pieces of a few items.
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
            if !reading.is_inside_a_huge_object() {
                self.hand_on(reading)?;
            }
        }
        Ok(tokio::time::timeout_at(self.deadline(), reading.body.next()).await.ok())
    }

    /// Takes some bytes of the answer in. `Some`: reading is over.
    async fn take_in(&mut self, reading: &mut Reading, mut bytes: &[u8]) -> Result<Option<Input>, Closed> {
        loop {
            if reading.chunk.is_none() {
                let room_wait = if reading.is_list { LIST_ROOM_WAIT } else { WATCH_ROOM_WAIT };
                match tokio::time::timeout(room_wait, self.context.outlet.pool().take()).await {
                    Ok(chunk) => reading.chunk = Some(chunk),
                    Err(_) => return Ok(Some(Input::NoRoom)),
                }
            }
            let Some(chunk) = &mut reading.chunk else { continue };
            let mut frames = Frames::new(&mut self.machine, &self.counts, &self.scope);
            let push = reading.framer.push(bytes, chunk, &mut frames);
            let seen = frames.seen();
            reading.list_end |= seen.list_end;
            bytes = &bytes[push.taken..];
            if push.is_full {
                self.hand_on(reading)?;
            }
            if seen.over.is_some() || !push.is_full {
                return Ok(seen.over);
            }
        }
    }

    /// Sends what was framed. The cursor is behind all of it: in a list it stands still, on a watch it is the last frame's.
    fn hand_on(&mut self, reading: &mut Reading) -> Result<(), Closed> {
        let Some(mut chunk) = reading.chunk.take() else { return Ok(()) };
        reading.framer.detach(&mut chunk);
        if chunk.received() == 0 {
            self.tell_cursor();
            return Ok(());
        }
        reading.handed_on = Some(Instant::now());
        self.told = self.machine.cursor().cloned();
        let reaches = self.told.as_ref().map(Version::to_string);
        self.context.outlet.send_of(chunk, self.scope.key(), reaches)
    }

    fn tell_cursor(&mut self) {
        if let Some(cursor) = self.machine.cursor()
            && self.told.as_ref() != Some(cursor)
        {
            self.context.outlet.reached(self.scope.key(), cursor.to_string());
            self.told = Some(cursor.clone());
        }
    }
}

/// A piece of a body, or its end.
type Piece = Option<Result<Bytes, kube::Error>>;

/// An answer that is being read.
struct Reading {
    body: BodyDataStream<Body>,
    framer: Framer,
    /// What was framed and not handed on yet.
    chunk: Option<Chunk>,
    /// When a chunk was handed on last.
    handed_on: Option<Instant>,
    is_list: bool,
    list_end: bool,
}

impl Reading {
    fn new(body: Body, is_list: bool) -> Reading {
        Reading {
            body: body.into_data_stream(),
            framer: Framer::new(),
            chunk: None,
            handed_on: None,
            is_list,
            list_end: false,
        }
    }

    /// Whether the chunk holds nothing but the beginning of a huge object: carrying that from chunk to chunk would copy it
    /// for every piece.
    fn is_inside_a_huge_object(&self) -> bool {
        self.chunk
            .as_ref()
            .is_some_and(|chunk| chunk.received() == 0 && chunk.bytes.len() > CARRIED_BYTES_MAX)
    }

    /// Whether the answer could end here.
    fn is_whole(&self) -> bool {
        let none = Chunk::default();
        let chunk = self.chunk.as_ref().unwrap_or(&none);
        self.framer.is_between_objects(chunk) && self.list_end == self.is_list
    }
}

/// The UID in an object's metadata.
async fn uid_of(body: Body) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(serde::Deserialize)]
    struct Metadata {
        uid: String,
    }
    let text = http_body_util::Limited::new(body, OBJECT_BYTES_MAX).collect().await.ok()?.to_bytes();
    serde_json::from_slice(&text).ok().map(|object: Object| object.metadata.uid)
}

/// What an answer that is not 200 says.
async fn refusal(answer: http::Response<Body>) -> Input {
    let status = answer.status().as_u16();
    // The API server only sends seconds, never a date.
    let retry_after = answer.headers().get(http::header::RETRY_AFTER);
    let retry_after =
        retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    let mut body = http_body_util::Limited::new(answer.into_body(), REFUSAL_BYTES_MAX);
    let mut text = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        }
    };
    // Half of it is good enough.
    let _ = tokio::time::timeout(REFUSAL_WAIT, read).await;
    Input::Refused { status, retry_after, message: message_of(&text) }
}

/// The message of a Status object, or the beginning of what is none.
fn message_of(text: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(text) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(&text[..text.len().min(200)]).trim().to_owned(),
    }
}

/// Jitter needs no more than to differ from process to process and from call to call.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_refusal_is_the_status_objects_or_the_text() {
        assert_eq!(message_of(br#"{"kind":"Status","message":"Unauthorized","code":401}"#), "Unauthorized");
        assert_eq!(message_of(b"upstream connect error\n"), "upstream connect error");
    }
}
