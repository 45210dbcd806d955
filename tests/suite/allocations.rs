//! What an event that a module drops allocates: nothing, but the string that wasmtime needs for
//! each string getter.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use weir::internals::dead_letter::DeadLetters;
use weir::internals::event::{Documents, EncodeSettings};
use weir::internals::handoff::{Closed, Outbox, SourceSender};
use weir::internals::health::Health;
use weir::internals::ledger::{Held, Ledger};
use weir::internals::metrics::Metrics;
use weir::internals::shutdown::Shutdown;
use weir::internals::stages::{Compiler, LoadContext, Match, ModuleSettings, OnError, Wasi, load};

use crate::support::modules;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what each thread allocates.
struct Counting;

// SAFETY: everything is passed on to the system's allocator as it came; counting touches a
// thread-local of a type without a destructor, which is valid for as long as its thread runs code.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Events are dropped, so nothing comes here.
struct Nothing;

impl Outbox for Nothing {
    fn put(&self, documents: Documents, _held: Held) -> Result<(), Closed> {
        panic!("{} documents of events that are dropped", documents.docs.len());
    }
}

/// What a worker allocates with an instance of `module` that runs one chunk of `events` Normal
/// events.
fn allocations(module: &[u8], config: &str, events: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("module.wasm");
    std::fs::write(&path, module).unwrap();
    let settings = ModuleSettings {
        name: "drop-normal".to_owned(),
        module: path.into(),
        matches: Match::default(),
        timeout: Duration::from_secs(1),
        memory: 16 << 20,
        on_error: OnError::Keep,
        wasi: Wasi::None,
        config: config.to_owned(),
        shadow: None,
    };
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).unwrap().stage;
    let cache = folder.path().join("cache");
    let context = LoadContext {
        pulled: Default::default(),
        instances: 1,
        keeps: true,
        cache,
        compiler: Compiler::InProcess,
        ledger: ledger.clone(),
        metrics,
    };
    let chain = load(&[settings.into()], context).unwrap_or_else(|errors| panic!("{errors:?}"));
    let (sender, mut works) = SourceSender::new(ledger.clone(), Default::default(), 1, 1);
    sender
        .send(modules::chunk((0..events).map(|n| modules::event(n, "Normal", "Pulled"))))
        .unwrap();
    drop(sender);
    let (work, worker) = (works.remove(0), chain.worker(0, 1));
    let (encode, health) = (EncodeSettings::default(), Health::default());
    let dead_letters = DeadLetters::open(None, &ledger, &health, &Shutdown::default()).unwrap();

    let before = ALLOCATIONS.get();
    worker.run(work, &Nothing, &dead_letters, &encode, &health).unwrap();
    let allocated = ALLOCATIONS.get() - before;
    assert_eq!(
        ledger.snapshot().filtered.iter().map(|(_, count)| count).sum::<u64>(),
        events as u64
    );
    allocated
}

/// How many more allocations a thousand more events make.
fn allocations_of_a_thousand(module: &[u8], config: &str) -> u64 {
    allocations(module, config, 1); // What a thread allocates once, it has now.
    let of_one = allocations(module, config, 1);
    allocations(module, config, 1_001) - of_one
}

/// `filters/drop-normal`, which `make filters` builds.
fn drop_normal() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/filters/dist/drop-normal.wasm");
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}: run `make filters`"))
}

#[test]
fn an_event_that_is_dropped_by_its_type_allocates_nothing() {
    assert_eq!(allocations_of_a_thousand(&modules::DROP_NORMAL.component(), "{}"), 0);
    assert_eq!(allocations_of_a_thousand(&drop_normal(), "{}"), 0);
}

#[test]
fn an_event_that_is_asked_for_its_reason_and_dropped_allocates_one_string() {
    assert_eq!(allocations_of_a_thousand(&modules::DROP_NORMAL_BY_REASON.component(), "{}"), 1_000);
    assert_eq!(allocations_of_a_thousand(&drop_normal(), r#"{"keep_reasons":["Killing"]}"#), 1_000);
}
