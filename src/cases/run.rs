//! Has the events of a case run, as a run has them: framed as a file source frames them, through a
//! worker with its instances, into documents.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;

use super::read::{Case, Line, Outcome};
use super::{CasesError, Tested};
use crate::config::{CaseObject, Diagnostics};
use crate::dead_letter::{DeadLetterError, DeadLetters};
use crate::event::{Chunk, Documents, EncodeSettings, Head};
use crate::handoff::{Closed, Outbox, Work};
use crate::health::Health;
use crate::ledger::{Delivered, Held, Ledger, Tally};
use crate::lookup::{self, Lookups};
use crate::metrics::Metrics;
use crate::registry::Pulled;
use crate::shutdown::Shutdown;
use crate::source::framer::{FrameType, Framer, Other, Rejected, Visitor};
use crate::stages::{
    self, Chain, Compiler, Description, LoadContext, LoadError, StageSettings, Worker, WorkerError,
};

/// What became of one event.
#[derive(Debug)]
pub(crate) struct Happened {
    /// The line of a case's events that it was in; else 0.
    pub(super) line: usize,
    pub(crate) outcome: Outcome,
    /// Who filtered or dead-lettered it.
    pub(crate) stage: Option<String>,
    pub(crate) reason: Option<String>,
    /// What a dead letter says besides.
    pub(crate) detail: Option<String>,
    /// The document, as it would be sent.
    pub(super) document: Option<String>,
}

impl Happened {
    /// The document's JSON; `None` where there is none.
    pub(crate) fn json(&self) -> Option<Value> {
        // The encoder writes JSON: docs/delivery.md#the-document.
        self.document.as_deref().and_then(|document| serde_json::from_str(document).ok())
    }
}

/// What runs events, one after the other, and says what becomes of each.
pub(crate) struct Host {
    ledger: Ledger,
    metrics: Metrics,
    chain: Chain,
    worker: Worker,
    dead_letters: DeadLetters,
    health: Health,
    encode: EncodeSettings,
}

/// Why there is no such host.
#[derive(Debug)]
pub(crate) enum HostError {
    /// Modules do not load.
    Modules(Vec<LoadError>),
    /// weir cannot be set up.
    Process(String),
}

impl Host {
    /// One with these stages, which looks nothing up.
    pub(crate) fn new(
        stages: &[StageSettings],
        pulled: Pulled,
        cache: PathBuf,
        encode: EncodeSettings,
    ) -> Result<Host, HostError> {
        let process = |error: &dyn std::fmt::Display| HostError::Process(error.to_string());
        let ledger = Ledger::default();
        let metrics = Metrics::new(&ledger).map_err(|error| process(&error))?;
        let context = LoadContext {
            pulled,
            instances: 1,
            cache,
            keeps: true,
            compiler: Compiler::child(),
            ledger: ledger.clone(),
            metrics: metrics.stage.clone(),
        };
        let chain = stages::load(stages, context).map_err(HostError::Modules)?;
        let (health, shutdown) = (Health::default(), Shutdown::default());
        let dead_letters = DeadLetters::open(None, &ledger, &health, &shutdown);
        Ok(Host {
            worker: chain.worker(0, 1),
            dead_letters: dead_letters.map_err(|error| process(&error))?,
            chain,
            ledger,
            metrics,
            health,
            encode,
        })
    }

    /// The same, and it looks up what events regard.
    pub(crate) fn with_lookups(self, lookups: Option<&Lookups>) -> Host {
        Host { worker: self.worker.with_lookups(lookups), ..self }
    }

    /// What it counts in.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether its modules ask for what is looked up.
    pub(crate) fn asks_for_lookups(&self) -> bool {
        !self.chain.asking_for_lookups().is_empty()
    }

    /// For a case of what is tested.
    pub(super) fn of(case: &Case, tested: Tested<'_>) -> Result<Host, CasesError> {
        let (stages, encode) = match tested {
            Tested::Module { .. } => {
                (case.settings.stage.iter().cloned().collect(), EncodeSettings::default())
            }
            Tested::Pipeline(config) => {
                let settings = &config.settings;
                let encode = EncodeSettings {
                    cluster: settings.cluster.clone(),
                    ..settings.sink.encode_settings()
                };
                (settings.stages.clone(), encode)
            }
        };
        let host = Host::new(&stages, tested.pulled(), tested.cache(), encode).map_err(
            |error| match error {
                HostError::Modules(errors) => {
                    CasesError::Modules { case: case.name.clone(), errors }
                }
                HostError::Process(why) => CasesError::Process(why),
            },
        )?;
        let lookups = lookups(case, tested, &host.metrics)?;
        Ok(host.with_lookups(lookups.as_ref()))
    }

    /// What becomes of the events of a line: of most lines one.
    pub(super) fn outcomes(&mut self, line: &Line) -> Result<Vec<Happened>, CasesError> {
        let mut happened = Vec::new();
        for chunk in frame(&line.bytes) {
            for alone in one_by_one(&chunk) {
                let of_event = self.outcome(alone).map_err(CasesError::Process)?;
                happened.push(Happened { line: line.number, ..of_event });
            }
        }
        Ok(happened)
    }

    /// The value of a counter that a stage's module declared; `None`: it declared none of the name.
    pub(super) fn counter(&self, stage: &str, name: &str) -> Option<u64> {
        let is_declared = |of: &Description| {
            of.name == stage && of.counters.iter().any(|counter| counter == name)
        };
        let counters = &self.metrics.stage.module_counter;
        let declared = self.chain.describe().iter().any(is_declared);
        declared.then(|| counters.with_label_values(&[stage, name]).get())
    }

    /// What becomes of a chunk's only event, or rejection. The error says why that is not known.
    pub(crate) fn outcome(&mut self, chunk: Chunk) -> Result<Happened, String> {
        let filtered_before = self.ledger.snapshot().filtered;
        let (sender, work) = mpsc::channel(1);
        let held = self.ledger.receive(1);
        // There is room for one, and `work` is here.
        let _ = sender.try_send(Work { chunk: Arc::new(chunk), held });
        drop(sender);
        let kept = Kept::default();
        let (letters, encode) = (&self.dead_letters, &self.encode);
        let ran = self.worker.run_chunks(work, &kept, letters, encode, &self.health);
        let happened = |outcome| Happened {
            line: 0,
            outcome,
            stage: None,
            reason: None,
            detail: None,
            document: None,
        };
        match ran {
            Ok(()) => {}
            Err(WorkerError::DeadLetter {
                error: DeadLetterError::NotConfigured { part, reason, detail },
                held,
            }) => {
                let mut tally = Tally::default();
                tally.dead_lettered(self.ledger.dead_letter_reason(&part, &reason), held.count());
                Held::settle_all([held], &tally);
                return Ok(Happened {
                    stage: Some(part),
                    reason: Some(reason),
                    detail: Some(detail),
                    ..happened(Outcome::DeadLettered)
                });
            }
            Err(error) => return Err(error.to_string()),
        }
        if let Some(document) = kept.0.into_inner() {
            return Ok(Happened { document: Some(document), ..happened(Outcome::Delivered) });
        }
        let before = filtered_before.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
        let filtered = self.ledger.snapshot().filtered;
        let by = filtered.into_iter().zip(before).find(|((_, now), before)| now > before);
        let (stage, reason) = match by {
            Some(((labels, _), _)) => labels,
            None => return Err("an event has no outcome".to_owned()),
        };
        Ok(Happened { stage: Some(stage), reason: Some(reason), ..happened(Outcome::Filtered) })
    }
}

/// What the case has of the API server's objects; `None`: nothing is looked up.
fn lookups(
    case: &Case,
    tested: Tested<'_>,
    metrics: &Metrics,
) -> Result<Option<Lookups>, CasesError> {
    let objects = &case.settings.objects;
    match tested {
        Tested::Module { .. } => Ok(lookups_of(objects, metrics)?),
        Tested::Pipeline(config) => match (&config.settings.lookup, objects.first()) {
            (Some(settings), _) => Ok(Some(offline(settings.clone(), objects, metrics)?)),
            (None, None) => Ok(None),
            (None, Some(object)) => {
                let text = "the pipeline looks nothing up: it has no [lookup]";
                Err(CasesError::Settings(object.location.error(text).into()))
            }
        },
    }
}

/// What there is for a module that is on its own; `None`: nothing.
pub(crate) fn lookups_of(
    objects: &[CaseObject],
    metrics: &Metrics,
) -> Result<Option<Lookups>, Diagnostics> {
    if objects.is_empty() {
        return Ok(None);
    }
    let annotations = objects.iter().flat_map(|object| object.annotations.iter().cloned());
    let settings = lookup::Settings::of_all(annotations.collect());
    offline(settings, objects, metrics).map(Some)
}

fn offline(
    settings: lookup::Settings,
    objects: &[CaseObject],
    metrics: &Metrics,
) -> Result<Lookups, Diagnostics> {
    // What is not in the case is not there, and nobody is going to say so.
    let settings = lookup::Settings { timeout: std::time::Duration::ZERO, ..settings };
    let lookups = Lookups::offline(settings, metrics);
    for object in objects {
        let is_looked_up = lookups.remember(
            &object.api_version,
            &object.kind,
            &object.namespace,
            &object.metadata,
        );
        if !is_looked_up {
            let text = format!("a {} of {} is not looked up", object.kind, object.api_version);
            return Err(object.location.error(text).into());
        }
    }
    Ok(lookups)
}

/// A chunk for each of a chunk's rejections and events.
pub(crate) fn one_by_one(chunk: &Chunk) -> impl Iterator<Item = Chunk> {
    let rejections = chunk.rejections.iter().map(|rejection| {
        let mut alone = Chunk::default();
        alone.rejections.push(rejection.clone());
        alone
    });
    rejections.chain(chunk.events.iter().map(|event| chunk.alone(event)))
}

/// The events in some bytes, and what was to be one, as a file source frames them.
pub(crate) fn frame(bytes: &[u8]) -> Vec<Chunk> {
    let (mut framer, mut chunks) = (Framer::new(), Vec::new());
    let (mut chunk, mut rest) = (Chunk::default(), bytes);
    loop {
        let push = framer.push(rest, &mut chunk, &mut All);
        rest = &rest[push.taken..];
        if !push.is_full {
            break;
        }
        framer.detach(&mut chunk);
        chunks.push(std::mem::take(&mut chunk));
    }
    framer.finish(&mut chunk, &mut All);
    framer.detach(&mut chunk);
    chunks.push(chunk);
    chunks
}

/// Takes every event.
struct All;

impl Visitor for All {
    fn event(&mut self, _: FrameType, _: &[u8], _: &Head) -> bool {
        true
    }

    fn other(&mut self, _: Other<'_>) {}

    fn reject(&mut self, rejected: &Rejected<'_>) -> Option<String> {
        Some(rejected.location.to_string())
    }
}

/// Keeps the document of an event.
#[derive(Default)]
struct Kept(Mutex<Option<String>>);

impl Outbox for Kept {
    fn put(&self, documents: Documents, held: Held) -> Result<(), Closed> {
        let mut tally = Tally::default();
        tally.delivered(Delivered::Written, held.count());
        Held::settle_all([held], &tally);
        let last = documents.docs.last();
        *self.0.lock() = last.map(|doc| String::from_utf8_lossy(documents.body(doc)).into_owned());
        Ok(())
    }
}
