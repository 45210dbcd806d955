//! What nearly every filter names: `use weir_filter::prelude::*;`
//!
//! [`Result`] is here with [`Error`] as its error, where another is not named: `Result<T, E>` is
//! what it always is.

#[doc(no_inline)]
pub use crate::{
    Config, Counter, Error, Event, EventType, Reason, Refused, Result, Stage, Verdict, Words,
    export, interest, log,
};
