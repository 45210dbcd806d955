//! Which events a stage is about. For any other [`process`](crate::Stage::process) is not called,
//! and the event goes on as it came.
//!
//! To be called costs more than a look at a type, or a search for words, in weir. So a stage that
//! is about few events says so, in [`configure`](crate::Stage::configure). All that it says holds:
//! an event has to be of the type, *and* to have one of the words.
//!
//! ```
//! use weir_filter::{prelude::*, testing::{Harness, Outcome}};
//!
//! /// Drops what is usual about images.
//! struct DropPulls(Reason);
//!
//! impl Stage for DropPulls {
//!     fn configure(_: &Config) -> Result<Self> {
//!         interest::in_type(EventType::Normal)?;
//!         interest::in_words(&["pulling", "pulled"])?;
//!         Ok(Self(Reason::declare("pull")?))
//!     }
//!     fn process(&mut self, _: &mut Event) -> Result<Verdict> {
//!         Ok(Verdict::Drop(self.0))
//!     }
//! }
//!
//! let mut drop = Harness::<DropPulls>::new("{}").unwrap();
//! let outcome = drop.process(r#"{"type":"Normal","reason":"Pulled"}"#);
//! assert_eq!(outcome, Outcome::Dropped("pull".into()));
//! let others = [
//!     r#"{"type":"Normal","reason":"Started"}"#,
//!     r#"{"type":"Warning","message":"Failed while pulling"}"#,
//! ];
//! for other in others {
//!     assert_eq!(drop.process(other), Outcome::Kept(other.into()));
//! }
//! ```

use crate::{Error, EventType, sys};

/// In events of this type alone.
///
/// # Errors
///
/// For a second type, since no event is of two, and outside of `configure`.
pub fn in_type(event_type: EventType) -> Result<(), Error> {
    Ok(sys::interest_in_type(event_type)?)
}

/// In events alone that have one of the words in their reason or message, anywhere and in any case:
/// as [`Event::mentions`](crate::Event::mentions), and with the bounds of
/// [`Words::declare`](crate::Words::declare), to which they count as one set. After several calls,
/// of which there may be four, an event has to have one word of each.
///
/// # Errors
///
/// For words that may not be declared, and outside of `configure`.
pub fn in_words(words: &[&str]) -> Result<(), Error> {
    Ok(sys::interest_in_words(words)?)
}
