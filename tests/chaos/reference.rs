//! What the API server was given: a watch of all events that goes past the proxy, and reconnects
//! from the last version that it saw. It has no gap, because etcd is only compacted up to there.
//! The load's events are not all: an API server writes some of its own, for one when its allocators
//! are not ready as it starts.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

use crate::eventually;
use crate::load::Written;
use crate::servers::Servers;

/// What one version of an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) count: i64,
    pub(crate) message: Digest,
    /// By the rule of the modules that the run has.
    pub(crate) is_filtered: bool,
}

/// A text too long to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn of(text: &str) -> Digest {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Digest(hasher.finish())
    }
}

/// One event's life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) namespace: String,
    /// What it became at each version; `None`: deleted.
    pub(crate) versions: BTreeMap<u64, Option<Content>>,
}

/// All events' lives, by uid.
pub(crate) type History = BTreeMap<String, Object>;

#[derive(Debug, Default)]
struct State {
    history: History,
    cursor: u64,
}

pub(crate) struct Reference {
    state: Arc<Mutex<State>>,
    watcher: JoinHandle<()>,
}

impl Reference {
    /// Before the load's first event is written.
    pub(crate) async fn begin(servers: &Servers) -> Reference {
        let events: Api<Event> = Api::all(servers.client().await);
        let list = events.list(&ListParams::default()).await.unwrap();
        let cursor = list.metadata.resource_version.unwrap().parse().unwrap();
        let mut state = State { history: History::new(), cursor };
        for event in list.items {
            state.see(event, false);
        }
        let state = Arc::new(Mutex::new(state));
        let watcher = tokio::spawn(watch(events, state.clone()));
        Reference { state, watcher }
    }

    /// Everything up to here has been seen.
    pub(crate) fn cursor(&self) -> u64 {
        assert!(!self.watcher.is_finished(), "the reference watch has ended");
        self.state.lock().unwrap().cursor
    }

    /// Of the namespaces that weir watches; `None`: all.
    pub(crate) fn history(&self, namespaces: Option<&[&str]>) -> History {
        let mut history = self.state.lock().unwrap().history.clone();
        history.retain(|_, object| {
            namespaces.is_none_or(|watched| watched.contains(&&*object.namespace))
        });
        history
    }

    /// Waits until it has seen all that was acknowledged. That it has: each by its id.
    pub(crate) async fn until_behind(&self, written: &[Written]) {
        let last = written.iter().map(|written| written.version).max().unwrap_or_default();
        eventually("the reference sees the last write", async || {
            (self.cursor() >= last).then_some(())
        })
        .await;
        let state = self.state.lock().unwrap();
        for Written { uid, version } in written {
            let known =
                state.history.get(uid).is_some_and(|object| object.versions.contains_key(version));
            assert!(known, "the reference has missed {uid}.{version}");
        }
    }
}

async fn watch(events: Api<Event>, state: Arc<Mutex<State>>) {
    loop {
        let from = state.lock().unwrap().cursor.to_string();
        if let Ok(frames) = events.watch(&WatchParams::default().timeout(240), &from).await {
            pin_mut!(frames);
            while let Some(Ok(frame)) = frames.next().await {
                match frame {
                    WatchEvent::Error(status) if status.code == 410 => {
                        panic!("the reference has a gap: {status:?}")
                    }
                    WatchEvent::Error(_) => break,
                    WatchEvent::Bookmark(_) => {}
                    WatchEvent::Added(event) | WatchEvent::Modified(event) => {
                        state.lock().unwrap().see(event, false)
                    }
                    WatchEvent::Deleted(event) => state.lock().unwrap().see(event, true),
                }
            }
        }
        // The API server is away.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl State {
    fn see(&mut self, event: Event, is_deleted: bool) {
        let version = event.metadata.resource_version.unwrap().parse().unwrap();
        self.cursor = self.cursor.max(version);
        let object = self.history.entry(event.metadata.uid.unwrap()).or_default();
        object.namespace = event.metadata.namespace.unwrap();
        let is_filtered =
            event.type_.as_deref() == Some("Normal") && event.reason.as_deref() != Some("Killing");
        let content = Content {
            count: event.count.unwrap_or_default().into(),
            message: Digest::of(&event.message.unwrap_or_default()),
            is_filtered,
        };
        object.versions.insert(version, (!is_deleted).then_some(content));
    }
}
