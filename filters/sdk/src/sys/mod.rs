//! weir, as a module sees it: the functions of `wit/`, one to one.
//!
//! On wasm32 they are the generated bindings. Elsewhere they are [`native`]: the same rules over
//! an event held in memory, so that a module runs in its own unit tests. Everything above this
//! fence is the same code on both.

#[cfg(target_arch = "wasm32")]
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all)] // Generated.
#[rustfmt::skip]
pub mod bindings;
#[cfg(any(test, all(target_arch = "wasm32", target_os = "unknown", feature = "allocator")))]
#[allow(unsafe_code)] // An allocator is made of pointers.
mod allocator;
#[cfg(target_arch = "wasm32")]
mod runtime;
#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
mod clock;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod document;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod native;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
