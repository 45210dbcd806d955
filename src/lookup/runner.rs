//! The I/O of the machine: sends its requests, tells it what was answered, and wakes the workers.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::address::Address;
use super::machine::Known;
use super::object::Object;
use super::report::Reporter;
use crate::kube::{MetadataAnswer, MetadataReader};

/// How long nothing is asked for where the API server says that it has too much to do, and not how
/// long; and the most that it is believed. An event does not wait for as long.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The task that asks.
pub(super) struct Runner {
    shared: Arc<Shared>,
    reader: MetadataReader,
    reporter: Reporter,
    /// On their way.
    requests: JoinSet<(Address, MetadataAnswer)>,
}

impl Runner {
    pub(super) fn new(shared: Arc<Shared>, reader: MetadataReader) -> Runner {
        Runner { shared, reader, reporter: Reporter::default(), requests: JoinSet::new() }
    }

    /// Asks until it is aborted.
    pub(super) async fn run(mut self) {
        loop {
            let next = self.shared.machine.lock().next(now());
            self.shared.ring(next.finished);
            for address in next.send {
                self.send(address);
            }
            tokio::select! {
                Some(answered) = self.requests.join_next() => match answered {
                    Ok((address, answer)) => self.answered(&address, answer),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = self.shared.asked.notified() => {}
                () = until(next.wake) => {}
            }
        }
    }

    fn send(&mut self, address: Address) {
        let (reader, path) = (self.reader.clone(), address.path(&self.shared.settings.resources));
        let timeout = self.shared.settings.timeout;
        self.requests.spawn(async move {
            let answer = tokio::time::timeout(timeout, reader.metadata(&path)).await;
            let late = |_| MetadataAnswer::Failed(format!("no answer within {timeout:?}"));
            (address, answer.unwrap_or_else(late))
        });
    }

    fn answered(&mut self, address: &Address, answer: MetadataAnswer) {
        let settings = &self.shared.settings;
        let (known, pause) = match answer {
            MetadataAnswer::Object(json) => match Object::read(&json, settings) {
                Some(object) => (Some(Known::Found(Arc::new(object))), None),
                None => {
                    self.reporter.failed("the answer is no object's metadata");
                    (None, None)
                }
            },
            MetadataAnswer::Absent => (Some(Known::Missing), None),
            MetadataAnswer::Forbidden(why) => {
                self.reporter.forbidden(&settings.resources[address.resource], &why);
                (Some(Known::Forbidden), None)
            }
            MetadataAnswer::Busy { retry_after, why } => {
                self.reporter.failed(&why);
                (None, Some(retry_after.unwrap_or(PAUSE).min(PAUSE_MAX)))
            }
            MetadataAnswer::Failed(why) => {
                self.reporter.failed(&why);
                (None, None)
            }
        };
        self.shared.machine.lock().answered(address, known, pause, now());
    }
}

/// The clock that never jumps; tokio's, so that tests can turn it.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn until(wake: Option<std::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(Instant::from_std(wake)).await,
        None => std::future::pending().await,
    }
}
