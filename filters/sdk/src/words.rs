//! Words that weir looks for in an event.

use crate::{Error, sys};

/// Words that weir looks for in what an event says: [`Event::mentions`](crate::Event::mentions).
///
/// For filters that are about several things, each of which they know by a word: one that is about
/// events with some words alone says so ([`interest::in_words`](crate::interest::in_words)), and is
/// not called for the others. The question is answered in weir, which costs less than to be handed
/// the reason and the message of each event and search them.
///
/// ```
/// use weir_filter::{prelude::*, testing::Harness};
///
/// /// Tags events that speak of a disk.
/// struct TagDisks(Words);
///
/// impl Stage for TagDisks {
///     fn configure(_: &Config) -> Result<Self> {
///         Ok(Self(Words::declare(&["disk", "ephemeral-storage", "no space left"])?))
///     }
///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
///         if event.mentions(self.0) {
///             event.append("/tags", "disk")?;
///         }
///         Ok(Verdict::Keep)
///     }
/// }
///
/// let mut tag = Harness::<TagDisks>::new("{}").unwrap();
/// let outcome = tag.process(r#"{"reason":"Failed","message":"write: No space left on device"}"#);
/// assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["disk"]"#));
/// let outcome = tag.process(r#"{"reason":"NodeHasDiskPressure"}"#);
/// assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["disk"]"#));
/// let outcome = tag.process(r#"{"message":"out of memory"}"#);
/// assert_eq!(outcome.get("/tags"), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Words(u32);

impl Words {
    /// Declares words: 1 to 64 of them, each of 1 to 64 bytes of any text. Letters of ASCII stand
    /// for both cases. A stage may have 16 such sets. Only in
    /// [`configure`](crate::Stage::configure).
    pub fn declare(words: &[&str]) -> Result<Self, Error> {
        Ok(Self(sys::declare_words(words)?))
    }

    pub(crate) fn are_mentioned(self) -> bool {
        sys::mentioned(self.0)
    }
}
