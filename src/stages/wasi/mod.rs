//! `wasi = "stub"`: WASI 0.2 with nothing behind it, for toolchains whose components always import
//! it.
//!
//! - The environment, the arguments and the preopened folders are empty; stdin is closed.
//! - Lines on stdout and stderr go to the stage's log, at the levels info and warn and within its
//!   bounds.
//! - Both clocks stand at the time of the current event. Nothing is waited for: whatever is polled
//!   is ready.
//! - Random numbers come from a fixed seed, and are the same in every instance.
//! - All else answers an error, or nothing (an empty list, an absent option); where its type has
//!   neither, it traps.
//!
//! Functions are defined by the names that the component imports, so every patch version of WASI
//! 0.2 is taken.
//!
//! Invariant: the host keeps no state for a guest but `Stub`, which is bounded. A handle is a
//! number that means the same in every call, so there is no table behind it; wasmtime bounds the
//! guest's side of handles.

mod functions;
pub(super) mod stub;

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use self::functions::{define, resource};
use super::current::Current;

/// The packages of WASI 0.2 that the standard libraries of Rust, C, Go and others import.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Bytes that the host takes over from the guest in one call, as wasmtime counts them: the
/// arguments of functions that only answer an error are decoded all the same. A text given to
/// weir's own functions counts, too, though it is not copied: it may be four times an edited
/// document.
pub(super) const CALL_BYTES_MAX: usize = 4 << 20;

/// `wasi:cli/stdout@0.2.6` -> `cli/stdout`, for what is offered.
pub(super) fn interface(import: &str) -> Option<&str> {
    let (name, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    let is_offered = PACKAGES.contains(&name.split_once('/')?.0);
    (is_offered && !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

/// Defines all of WASI that `component` imports and [`interface`] knows.
pub(super) fn link(
    linker: &mut Linker<Current>,
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let Some(interface) = interface(import) else { continue };
        let ComponentItem::ComponentInstance(items) = item.ty else { continue };
        let mut instance = linker.instance(import)?;
        for (name, item) in items.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    instance.resource(name, resource(name), |_, _| Ok(()))?
                }
                ComponentItem::ComponentFunc(_) => define(&mut instance, interface, name)?,
                _ => {} // What else there may be is missing when it is linked, and said there.
            }
        }
    }
    Ok(())
}
