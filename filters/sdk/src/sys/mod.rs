//! weir, as a module sees it: the functions of `wit/`, one to one.
//!
//! On wasm32 they are the generated bindings. Elsewhere they are [`native`]: the same rules over
//! an event held in memory, so that a module runs in its own unit tests. Everything above this
//! fence is the same code on both.

#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "wasm32")]
pub use wasm::bindings;
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
