//! What a weir filter is written with.
//!
//! A filter is a [`Stage`]: weir makes one of it with [`Stage::configure`], and calls
//! [`Stage::process`] once for every event. This is a whole one:
//!
//! ```
//! use weir_filter::prelude::*;
//!
//! struct DropNormal(Reason);
//!
//! impl Stage for DropNormal {
//!     fn configure(_: &Config) -> Result<Self> {
//!         Ok(Self(Reason::declare("normal")?))
//!     }
//!     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
//!         Ok(if event.is_normal() { Verdict::Drop(self.0) } else { Verdict::Keep })
//!     }
//! }
//!
//! export!(DropNormal);
//!
//! # use weir_filter::testing::{Harness, Outcome};
//! # let mut filter = Harness::<DropNormal>::new("{}").unwrap();
//! # assert_eq!(filter.process(r#"{"type":"Normal"}"#), Outcome::Dropped("normal".into()));
//! ```
//!
//! `weir filter build` makes a WebAssembly component of it, and `cargo test` runs the same
//! code natively, over an event that is held in memory ([`testing`]).
//!
//! **What a filter does not call it cannot do.** Every call here is one call to weir, made when
//! it is asked for and not before; a component imports only the calls that are in it. So a filter
//! that never calls [`Reason::declare`] cannot drop, and one that never calls [`Event::set`] and
//! its like cannot change anything: [`Verdict::Drop`] needs a [`Reason`], and a `Reason` carries
//! the way to drop with it.
//!
//! No type of the generated bindings is in this API.

#![deny(missing_docs)]

mod config;
mod error;
mod event;
pub mod interest;
mod json;
pub mod log;
mod metrics;
#[cfg(target_arch = "wasm32")]
mod panic;
pub mod prelude;
mod reason;
mod stage;
mod sys;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod words;

pub use config::Config;
pub use error::{Error, Refused};
pub use event::{Event, EventType, Value};
pub use metrics::Counter;
pub use reason::Reason;
pub use stage::{Stage, Verdict};
pub use words::Words;

/// What [`Stage`]'s functions answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The examples of this crate's own page are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Page;

/// So are the guide's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Guide;

/// So is the first filter that the repository's front page shows.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FrontPage;

/// What [`export!`] expands to. Not part of the API.
#[doc(hidden)]
pub mod __module {
    pub use crate::stage::{configure, process};
    #[cfg(target_arch = "wasm32")]
    pub use crate::sys::bindings;
}

/// Makes a [`Stage`] the one that this module exports. Once in a crate, whose `[lib]` has
/// `crate-type = ["cdylib"]`.
#[macro_export]
macro_rules! export {
    ($stage:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // The exported functions are, by what the component model's ABI is.
        const _: () = {
            struct Module;

            ::std::thread_local! {
                static STAGE: ::std::cell::RefCell<::std::option::Option<$stage>> =
                    const { ::std::cell::RefCell::new(None) };
            }

            impl $crate::__module::bindings::exports::weir::pipeline::stage::Guest for Module {
                fn configure(
                    config: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    let stage = $crate::__module::configure::<$stage>(config)?;
                    STAGE.set(Some(stage));
                    Ok(())
                }

                fn process() -> ::std::result::Result<(), ()> {
                    STAGE.with_borrow_mut(|stage| match stage {
                        Some(stage) => $crate::__module::process(stage).map_err(drop),
                        None => Err(()),
                    })
                }
            }

    $crate::__module::bindings::export_module!(Module with_types_in $crate::__module::bindings);
        };

        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || {
            fn is_a_stage<S: $crate::Stage>() {}
            is_a_stage::<$stage>();
        };
    };
}
