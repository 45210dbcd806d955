//! One instance of a module: made and configured, called, and given up once it has failed.
//!
//! A trap leaves a guest in any state, so an instance that trapped, ran out of time or reached its
//! memory's high-water mark is never called again.

use std::sync::Arc;
use std::time::Duration;

use rustc_demangle::demangle;
use wasmtime::component::{ComponentExportIndex, InstancePre, TypedFunc};
use wasmtime::{Engine, FrameInfo, Store, Trap, UpdateDeadline, WasmBacktrace};

use super::clock::{AtTick, Budget, Reading, WALL_FACTOR};
use super::crossing::Crossed;
use super::current::{Current, Phase};
use super::failure::FailureKind;
use super::interest::Interest;
use super::limits::HANDLES_MAX;
use super::measure::Cost;
use super::stage::{Cause, Stage};
use super::{Wasi, wasi};
use crate::event::{Chunk, Edits};
use crate::ledger::ReasonId;
use crate::lookup::Found;
use crate::text::{self, REASON_BYTES_MAX};

/// Bytes of a module's own error that are shown.
const ERROR_BYTES_MAX: usize = 4 << 10;
/// Bytes of a guest's function name that are shown in a backtrace; a longer one is not.
const NAME_BYTES_MAX: usize = 512;

/// A module that was compiled and linked: what instances are made from.
pub(super) struct Template {
    pub(super) pre: InstancePre<Current>,
    pub(super) configure: ComponentExportIndex,
    pub(super) process: ComponentExportIndex,
    /// Fuel for one call, in an engine that counts.
    pub(super) call_fuel: Option<u64>,
}

/// `process: func() -> result`, looked up once an instance.
type Process = TypedFunc<(), (Result<(), ()>,)>;

/// An instance that was configured.
pub(super) struct Instance {
    store: Store<Current>,
    process: Process,
}

/// Why a call failed, or why no instance could be made.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// What happened, for people.
    pub(super) detail: String,
    /// Where in the guest.
    pub(super) trace: Option<Trace>,
}

/// The guest's functions at a failure, the innermost first.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) functions: String,
    /// Whether they are all that tells where it was. A panic has a file and a line besides.
    pub(super) is_needed: bool,
}

/// How `process` ended.
#[derive(Debug)]
pub(super) enum Processed {
    /// The event goes on.
    Kept,
    /// It is dropped for a declared reason.
    Dropped(ReasonId),
    /// The module answered an error; the instance lives on.
    Refused,
}

impl Template {
    /// Makes an instance and configures it. Answers the CPU time that it took, too.
    pub(super) fn start(
        &self,
        engine: &Engine,
        stage: &Arc<Stage>,
        cause: Cause,
    ) -> Result<(Instance, Duration), Failure> {
        let began = (stage.clock)().cpu;
        let mut store = new_store(engine, stage);
        if let Some(fuel) = self.call_fuel {
            // It fails only in an engine that does not count.
            let _ = store.set_fuel(fuel);
        }
        store.data_mut().begin(Phase::Idle);
        store.set_epoch_deadline(1);
        let started = self.configure(&mut store);
        store.data_mut().end();
        match started {
            Ok(Ok(process)) => {
                stage.count_start(cause);
                Ok((Instance { store, process }, (stage.clock)().cpu.saturating_sub(began)))
            }
            Ok(Err(refusal)) => {
                Err(Failure { kind: FailureKind::Error, detail: refusal, trace: None })
            }
            Err(error) => Err(failure(&error, store.data())),
        }
    }

    /// Instantiates and configures; the inner error is the module's own.
    fn configure(&self, store: &mut Store<Current>) -> wasmtime::Result<Result<Process, String>> {
        let instance = self.pre.instantiate(&mut *store)?;
        let configure = instance
            .get_typed_func::<(&str,), (Result<(), String>,)>(&mut *store, self.configure)?;
        let process = instance.get_typed_func(&mut *store, self.process)?;
        store.data_mut().begin(Phase::Configure);
        store.set_epoch_deadline(1);
        let stage = store.data().stage.clone();
        let (answer,) = configure.call(&mut *store, (&stage.settings.config,))?;
        Ok(answer.map(|()| process).map_err(|answer| {
            let answer = text::cut(answer, ERROR_BYTES_MAX);
            text::block(&answer)
        }))
    }
}

fn new_store(engine: &Engine, stage: &Arc<Stage>) -> Store<Current> {
    let mut store = Store::new(engine, Current::new(stage));
    store.limiter(|current| &mut current.limiter);
    store.set_max_component_handles(HANDLES_MAX);
    if stage.settings.wasi == Wasi::Stub {
        store.set_hostcall_fuel(wasi::CALL_BYTES_MAX);
    }
    store.epoch_deadline_callback(|mut store| {
        let current = store.data_mut();
        let now = (current.stage.clock)();
        Ok(match current.deadline.tick(now) {
            AtTick::Extend => UpdateDeadline::Continue(1),
            AtTick::Kill => UpdateDeadline::Interrupt,
        })
    });
    store
}

impl Instance {
    /// Calls `process` for one event, with the edits made so far and what was looked up of what it
    /// regards. After an error the instance must be dropped.
    pub(super) fn process(
        &mut self,
        chunk: &Arc<Chunk>,
        index: usize,
        edits: &mut Box<Edits>,
        found: Option<&Arc<Found>>,
    ) -> Result<Processed, Failure> {
        let current = self.store.data_mut();
        current.begin_event(chunk, index, found);
        std::mem::swap(&mut current.edits, edits);
        self.store.set_epoch_deadline(1);
        let answer = self.process.call(&mut self.store, ());
        let current = self.store.data_mut();
        std::mem::swap(&mut current.edits, edits);
        current.end();
        match (answer, current.discard) {
            (Ok((Ok(()),)), None) => {
                edits.commit();
                Ok(Processed::Kept)
            }
            (Ok((Ok(()),)), Some(reason)) => {
                edits.rollback();
                Ok(Processed::Dropped(reason))
            }
            (Ok((Err(()),)), _) => {
                edits.rollback();
                Ok(Processed::Refused)
            }
            (Err(error), _) => {
                edits.rollback();
                Err(failure(&error, current))
            }
        }
    }

    /// What it is called for.
    pub(super) fn interest(&self) -> &Interest {
        self.store.data().interest()
    }

    /// When the first tick of the last call was, if it lasted that long.
    pub(super) fn first_tick(&self) -> Option<Reading> {
        self.store.data().deadline.first_tick()
    }

    /// Whether its last call wanted more memory than it may have: it goes on, but will not get
    /// more.
    pub(super) fn is_full(&self) -> bool {
        self.store.data().limiter.has_refused()
    }

    /// Gives back what it holds of the chunk.
    pub(super) fn end_chunk(&mut self) {
        self.store.data_mut().end_chunk();
    }

    /// Bytes that its memories and tables have, which is the most that they ever had.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.store.data().limiter.used()
    }

    /// Takes what was counted since the last time, and fills up the fuel to `call_fuel`. Nothing is
    /// counted but in an engine that counts.
    pub(super) fn take_cost(&mut self, call_fuel: u64) -> Cost {
        // Both fail only in an engine that does not count.
        let left = self.store.get_fuel().unwrap_or(call_fuel);
        let _ = self.store.set_fuel(call_fuel);
        let Crossed { calls, text_bytes } = std::mem::take(&mut self.store.data_mut().crossed);
        Cost { fuel: call_fuel.saturating_sub(left), host_calls: calls, text_bytes }
    }
}

fn failure(error: &wasmtime::Error, current: &Current) -> Failure {
    let trap = error.downcast_ref::<Trap>();
    let kind = match trap {
        Some(Trap::Interrupt) => FailureKind::Timeout,
        _ if current.limiter.has_refused() => FailureKind::Memory,
        _ => FailureKind::Trap,
    };
    let settings = &current.stage.settings;
    let cause = || {
        trap.map_or_else(|| text::one_line(error.root_cause(), REASON_BYTES_MAX), Trap::to_string)
    };
    let detail = match kind {
        FailureKind::Timeout if current.deadline.used() == Some(Budget::Wall) => format!(
            "it took {WALL_FACTOR} times its `timeout`, {:?}, without getting that much CPU time: \
             the machine is overloaded, or its CPU limit too low",
            settings.timeout
        ),
        FailureKind::Timeout => {
            format!("it used more CPU time than its `timeout`, {:?}", settings.timeout)
        }
        FailureKind::Memory => {
            format!("it needs more than its `memory`, {} bytes: {}", settings.memory, cause())
        }
        _ => cause(),
    };
    // What it said explains a trap, and no other failure.
    let panicked = current.panicked.as_ref().filter(|_| kind == FailureKind::Trap);
    let detail = panicked.map_or(detail, |text| {
        format!("it panicked at {}", text::one_line(text, REASON_BYTES_MAX))
    });
    let trace = error
        .downcast_ref::<WasmBacktrace>()
        .map(|backtrace| Trace { functions: functions(backtrace), is_needed: panicked.is_none() });
    Failure { kind, detail, trace }
}

/// The guest's functions from the innermost outwards, on one line. Their names are the guest's:
/// they are bounded.
fn functions(backtrace: &WasmBacktrace) -> String {
    let name = |frame: &FrameInfo| match frame.func_name() {
        Some(name) if name.len() <= NAME_BYTES_MAX => {
            text::one_line(format_args!("{:#}", demangle(name)), REASON_BYTES_MAX)
        }
        _ => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().map(name).collect::<Vec<_>>().join(" < ")
}
