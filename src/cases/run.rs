//! Has the events of a case run, as a run has them: framed as a file source frames them, through a
//! worker with its instances, into documents.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::mpsc;

use super::read::{Case, Line, Outcome};
use super::{CasesError, Tested};
use crate::dead_letter::{DeadLetterError, DeadLetters};
use crate::event::{Chunk, Documents, EncodeSettings, Head};
use crate::handoff::{Closed, Outbox, Work};
use crate::health::Health;
use crate::ledger::{Delivered, Held, Ledger, Tally};
use crate::lookup::{self, Lookups};
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use crate::source::framer::{FrameType, Framer, Other, Rejected, Visitor};
use crate::stages::{self, Chain, Compiler, Description, LoadContext, Worker, WorkerError};

/// What became of one event.
#[derive(Debug)]
pub(super) struct Happened {
    /// The line of the events that it was in.
    pub(super) line: usize,
    pub(super) outcome: Outcome,
    /// Who filtered or dead-lettered it.
    pub(super) stage: Option<String>,
    pub(super) reason: Option<String>,
    /// What a dead letter says besides.
    pub(super) detail: Option<String>,
    /// The document, as it would be sent.
    pub(super) document: Option<String>,
}

impl Happened {
    /// The document's JSON; `None` where there is none.
    pub(super) fn json(&self) -> Option<Value> {
        // The encoder writes JSON: docs/delivery.md#the-document.
        self.document.as_deref().and_then(|document| serde_json::from_str(document).ok())
    }
}

/// What runs the events of one case.
pub(super) struct Host {
    ledger: Ledger,
    metrics: Metrics,
    chain: Chain,
    worker: Worker,
    dead_letters: DeadLetters,
    health: Health,
    encode: EncodeSettings,
}

impl Host {
    pub(super) fn of(case: &Case, tested: Tested<'_>) -> Result<Host, CasesError> {
        let process = |error: &dyn std::fmt::Display| CasesError::Process(error.to_string());
        let ledger = Ledger::default();
        let metrics = Metrics::new(&ledger).map_err(|error| process(&error))?;
        let context = LoadContext {
            pulled: tested.pulled(),
            instances: 1,
            cache: tested.cache(),
            keeps: true,
            compiler: Compiler::child(),
            ledger: ledger.clone(),
            metrics: metrics.stage.clone(),
        };
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
        let chain = stages::load(&stages, context)
            .map_err(|errors| CasesError::Modules { case: case.name.clone(), errors })?;
        let lookups = lookups(case, tested, &metrics)?;
        let (health, shutdown) = (Health::default(), Shutdown::default());
        let dead_letters = DeadLetters::open(None, &ledger, &health, &shutdown);
        Ok(Host {
            worker: chain.worker(0, 1).with_lookups(lookups.as_ref()),
            dead_letters: dead_letters.map_err(|error| process(&error))?,
            chain,
            ledger,
            metrics,
            health,
            encode,
        })
    }

    /// What becomes of the events of a line: of most lines one.
    pub(super) fn outcomes(&mut self, line: &Line) -> Result<Vec<Happened>, CasesError> {
        let mut happened = Vec::new();
        for mut chunk in frame(&line.bytes) {
            for rejection in std::mem::take(&mut chunk.rejections) {
                let mut alone = Chunk::default();
                alone.rejections.push(rejection);
                happened.push(self.outcome(alone, line.number)?);
            }
            for event in &chunk.events {
                happened.push(self.outcome(chunk.alone(event), line.number)?);
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

    fn outcome(&mut self, chunk: Chunk, line: usize) -> Result<Happened, CasesError> {
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
            line,
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
            Err(error) => return Err(CasesError::Process(error.to_string())),
        }
        if let Some(document) = kept.0.into_inner() {
            return Ok(Happened { document: Some(document), ..happened(Outcome::Delivered) });
        }
        let before = filtered_before.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
        let filtered = self.ledger.snapshot().filtered;
        let by = filtered.into_iter().zip(before).find(|((_, now), before)| now > before);
        let (stage, reason) = match by {
            Some(((labels, _), _)) => labels,
            None => return Err(CasesError::Process("an event has no outcome".to_owned())),
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
    let settings = match tested {
        Tested::Module { .. } if objects.is_empty() => None,
        Tested::Module { .. } => {
            let annotations = objects.iter().flat_map(|object| object.annotations.iter().cloned());
            Some(lookup::Settings::of_all(annotations.collect()))
        }
        Tested::Pipeline(config) => config.settings.lookup.clone(),
    };
    let Some(settings) = settings else {
        return match objects.first() {
            None => Ok(None),
            Some(object) => {
                let text = "the pipeline looks nothing up: it has no [lookup]";
                Err(CasesError::Settings(object.location.error(text).into()))
            }
        };
    };
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
            return Err(CasesError::Settings(object.location.error(text).into()));
        }
    }
    Ok(Some(lookups))
}

/// The events of a line, and what was to be one.
fn frame(line: &[u8]) -> Vec<Chunk> {
    let (mut framer, mut chunks) = (Framer::new(), Vec::new());
    let (mut chunk, mut rest) = (Chunk::default(), line);
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
