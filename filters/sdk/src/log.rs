//! Lines in weir's own log, under the stage's name: at most 16 of 1 KiB a call, and bounded in
//! rate.
//!
//! ```
//! use weir_filter::{prelude::*, testing::{Harness, Outcome}};
//!
//! struct Says;
//!
//! impl Stage for Says {
//!     fn configure(_: &Config) -> Result<Self> {
//!         Ok(Self)
//!     }
//!     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
//!         match event.message().as_str() {
//!             "" => Err(Error::logged("an event without a message")),
//!             message => {
//!                 log::debug(message);
//!                 Ok(Verdict::Keep)
//!             }
//!         }
//!     }
//! }
//!
//! let mut says = Harness::<Says>::new("{}").unwrap();
//! assert!(matches!(says.process("{}"), Outcome::Failed(_)));
//! assert_eq!(says.log(), ["error: an event without a message"]);
//! ```

use crate::sys;

/// For whoever writes the module; off by default.
pub fn debug(line: &str) {
    sys::log_debug(line);
}

/// Something worth knowing.
pub fn info(line: &str) {
    sys::log_info(line);
}

/// Something that is not as it should be.
pub fn warn(line: &str) {
    sys::log_warn(line);
}

/// Something that failed.
pub fn error(line: &str) {
    sys::log_error(line);
}
