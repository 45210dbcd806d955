//! A stage in its own unit tests, with weir's rules: no component, no weir, plain `cargo test`.
//!
//! ```
//! use weir_filter::testing::{Harness, Outcome};
//! # use weir_filter::{Config, Error, Event, Stage, Verdict};
//! # struct TagNode;
//! # impl Stage for TagNode {
//! #     fn configure(_: &Config) -> Result<Self, Error> { Ok(Self) }
//! #     fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
//! #         let node = event.host();
//! #         event.set("/node", &node)?;
//! #         Ok(Verdict::Keep)
//! #     }
//! # }
//! let mut filter = Harness::<TagNode>::new("{}").unwrap();
//! let outcome = filter.process(r#"{"source":{"host":"node-1"}}"#);
//! assert_eq!(outcome.get("/node").as_deref(), Some("\"node-1\""));
//! assert_eq!(filter.calls(), ["host", "set-string"]);
//! ```
//!
//! Three things are weir's alone: limits of time and memory, and the names of events.k8s.io/v1.
//! Such an event has its members renamed before a filter sees it (`note` is `message`, `regarding`
//! is `involvedObject`), so tests are given events of core/v1. A panic is the test's own.

use std::collections::BTreeMap;

use crate::{
    stage,
    stage::Stage,
    sys::{
        document,
        native::{Host, Phase},
    },
};

/// What weir found of an event's regarded object, where `[lookup]` is configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Those of its annotations that `[lookup]` lists.
    pub annotations: BTreeMap<String, String>,
    /// Its controlling owner, that one's, and so on.
    pub controllers: Vec<Controller>,
}

/// An owner that controls an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Controller {
    /// `apps/v1`
    pub api_version: String,
    /// `ReplicaSet`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// One configured stage, and the weir that it sees.
pub struct Harness<S> {
    stage: S,
    host: Host,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome {
    /// It goes on: the document as JSON text, with the edits made to it.
    Kept(String),
    /// It ended here, for this reason.
    Dropped(String),
    /// `process` answered this error; edits are thrown away.
    Failed(String),
}

impl Outcome {
    /// A member of the kept document as JSON text; `None` also when the event was not kept.
    pub fn get(&self, pointer: &str) -> Option<String> {
        match self {
            Self::Kept(document) => document::get(document, pointer).map(str::to_owned),
            _ => None,
        }
    }
}

impl<S: Stage> Harness<S> {
    /// Configures the stage with `config`, one JSON object; the error is what an operator reads.
    pub fn new(config: &str) -> Result<Self, String> {
        let mut host = Host::default();
        let stage =
            host.run(Phase::Configure, "{}", || stage::configure::<S>(config.to_owned()))?;
        Ok(Self { stage, host })
    }

    /// From now on, that was looked up for each event: `None`, as before the first call, for what
    /// is gone, or where `[lookup]` is not configured. Documents have it in weir only, not here.
    pub fn look_up(&mut self, object: Option<Object>) {
        self.host.object = object;
    }

    /// Has the stage process one event, a JSON object, if the stage is interested in it. State is
    /// kept from call to call.
    ///
    /// # Panics
    /// When `event` is not a JSON object, or has events.k8s.io/v1 names: the test is wrong then.
    pub fn process(&mut self, event: &str) -> Outcome {
        let event = document::compact(event)
            .unwrap_or_else(|error| panic!("the event of this test: {error}"));
        assert!(event.starts_with('{'), "the event of this test is not an object: {event}");
        assert!(
            document::get(&event, "/apiVersion") != Some(r#""events.k8s.io/v1""#),
            "the event of this test has names that no filter sees: write it as one of core/v1: \
             {event}"
        );
        let Self { stage, host } = self;
        if !host.is_interested_in(&event) {
            host.run(Phase::Idle, &event, || ());
            return Outcome::Kept(event);
        }
        let answer = host.run(Phase::Process, &event, || stage::process(stage));
        match (answer, host.discarded.and_then(|reason| host.reason(reason))) {
            (Err(error), _) => Outcome::Failed(error.to_string()),
            (Ok(()), Some(reason)) => Outcome::Dropped(reason.to_owned()),
            (Ok(()), None) => Outcome::Kept(host.document().to_owned()),
        }
    }

    /// How the contract was misused in the last call: a reason, a counter or words that another
    /// stage declared, or that were used in `configure`. Such a call has no effect and the event
    /// goes on; weir counts it as a failure of kind `misuse`.
    pub fn misuse(&self) -> &[String] {
        &self.host.misuse
    }

    /// The calls that the last event cost, by their names in `wit/`.
    pub fn calls(&self) -> &[&'static str] {
        &self.host.calls
    }

    /// Why edits of the last event were refused.
    pub fn refused(&self) -> &[String] {
        &self.host.refused
    }

    /// What was logged about the last event, each line as `level: text`.
    pub fn log(&self) -> &[String] {
        &self.host.log
    }

    /// The value of a counter, from all events so far; `None` when it was not declared.
    pub fn counter(&self, name: &str) -> Option<u64> {
        self.host.counters.iter().find(|(counter, _)| counter == name).map(|(_, value)| *value)
    }
}
