//! wasmtime's engine, set up the same way in the daemon and in the child that compiles: a compiled
//! module fits only an engine with the same settings. The one that counts is for
//! [measures](super::measure) alone.

use wasmtime::{Config, Engine, WasmBacktraceDetails};

/// Stack that one call may use, host functions included. A guest's deeper recursion is a trap. The
/// threads that call modules have 2 MiB (Rust's default), four times this.
const STACK_BYTES: usize = 512 << 10;

/// An engine for components without WASI, interruptible by epochs.
///
/// Linear memories keep wasmtime's default reservation of 4 GiB: it is address space only, costs no
/// memory, and lets the compiler leave out every bounds check.
pub(super) fn engine() -> wasmtime::Result<Engine> {
    Engine::new(config().epoch_interruption(true))
}

/// The same, but it counts what is executed (as fuel), and no time interrupts it: what is counted
/// is the same on each machine and each time.
pub(super) fn counting_engine() -> wasmtime::Result<Engine> {
    Engine::new(config().consume_fuel(true))
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .max_wasm_stack(STACK_BYTES)
        .wasm_memory64(false)
        // Function names only: a hostile module's DWARF would be parsed in the daemon, without
        // bounds.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}
