//! What one instance executes and exchanges with weir, counted.

use std::ops::{Add, AddAssign};

use serde::Serialize;

use super::Workload;
use crate::event::EventView;
use crate::stages::current::original;
use crate::stages::instance::{Failure, Instance, Processed};
use crate::stages::interest::Gate;
use crate::stages::load::load_counting;
use crate::stages::loaded::Chain;
use crate::stages::stage::Cause;
use crate::stages::{LoadContext, LoadError, ModuleSettings};

/// Fuel for each millisecond of a stage's `timeout`: no core executes that much, so only a call
/// that a run would end, too, comes to its end here.
const FUEL_PER_MS: u64 = 10_000_000;

/// What some calls cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cost {
    /// As wasmtime counts it, about one an instruction:
    /// <https://docs.rs/wasmtime/latest/wasmtime/struct.Store.html#method.set_fuel>
    pub(crate) fuel: u64,
    /// Calls of weir; those that `wasi = "stub"` answers are not counted.
    pub(crate) host_calls: u64,
    /// Bytes of the texts in them, both ways.
    pub(crate) text_bytes: u64,
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost {
            fuel: self.fuel + other.fuel,
            host_calls: self.host_calls + other.host_calls,
            text_bytes: self.text_bytes + other.text_bytes,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        *self = *self + other;
    }
}

/// What came of counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Making and configuring an instance; each one, where calls that failed cost some.
    pub(crate) start: Cost,
    /// All calls for events.
    pub(crate) events: Cost,
    /// Events that `match` lets the module see, and that it is interested in.
    pub(crate) calls: u64,
    /// Calls that failed.
    pub(crate) failed: u64,
}

/// Counts what a module costs over some events, in an instance that has seen none.
///
/// # Errors
///
/// When the module does not load.
pub(crate) fn count(
    settings: &ModuleSettings,
    context: &LoadContext,
    workload: &Workload,
) -> Result<Counted, Vec<LoadError>> {
    let timeout_ms = u64::try_from(settings.timeout.as_millis()).unwrap_or(u64::MAX);
    let call_fuel = timeout_ms.saturating_mul(FUEL_PER_MS);
    let chain = load_counting(&[settings.clone().into()], context, call_fuel)?;
    let mut instances = Instances { chain: &chain, call_fuel, instance: None };
    let mut counted = Counted::default();
    let mut gate = None;
    workload.each(|event| {
        let of = original(event.chunk, event.index);
        if !settings.matches.accepts(EventView { of, edits: event.edits }) {
            return;
        }
        let mut is_called = true;
        let processed = instances.with(&mut counted.start, |instance| {
            let gate = gate.get_or_insert_with(|| Gate::new(instance.interest()));
            is_called = gate.admits(EventView { of, edits: event.edits });
            if !is_called {
                return Ok(Processed::Kept);
            }
            let found = event.found.as_ref();
            let processed = instance.process(event.chunk, event.index, event.edits, found);
            counted.events += instance.take_cost(call_fuel);
            processed
        });
        counted.calls += u64::from(is_called);
        counted.failed +=
            u64::from(!matches!(processed, Ok(Processed::Kept | Processed::Dropped(_))));
    });
    Ok(counted)
}

/// The instance of a chain's only module, made anew after a failure.
struct Instances<'c> {
    chain: &'c Chain,
    call_fuel: u64,
    instance: Option<Instance>,
}

impl Instances<'_> {
    fn with(
        &mut self,
        start: &mut Cost,
        call: impl FnOnce(&mut Instance) -> Result<Processed, Failure>,
    ) -> Result<Processed, Failure> {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => {
                let shared = &self.chain.0;
                // There is one stage, which was loaded.
                let (stage, loaded) = (&shared.stages[0], &shared.loaded[0]);
                let (mut instance, _) =
                    loaded.template.start(&shared.engine, stage, Cause::Start)?;
                *start += instance.take_cost(self.call_fuel);
                none.insert(instance)
            }
        };
        let processed = call(instance);
        if processed.is_err() {
            self.instance = None;
        }
        processed
    }
}
