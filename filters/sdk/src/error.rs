//! What can go wrong.

use std::{borrow::Cow, fmt};

/// Why a stage could not be configured, or an event not processed.
///
/// From [`configure`](crate::Stage::configure) the text is shown to the operator. From
/// [`process`](crate::Stage::process) weir is told only that the event failed, because a text would
/// cost every call; [`Error::logged`] writes it to weir's log.
///
/// A string is an error: `Err("no such zone")?` and `.map_err(|e| format!("zone: {e}"))?` do.
///
/// ```
/// use weir_filter::{prelude::*, testing::{Harness, Outcome}};
///
/// /// Adds the zone of an event's node, which is the end of its name.
/// struct Zone;
///
/// impl Stage for Zone {
///     fn configure(config: &Config) -> Result<Self> {
///         config.expect_empty()?;
///         Ok(Self)
///     }
///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
///         let host = event.host();
///         let (_, zone) = host.rsplit_once('-').ok_or("the node's name has no zone")?;
///         event.set("/zone", zone)?;
///         Ok(Verdict::Keep)
///     }
/// }
///
/// let mut zone = Harness::<Zone>::new("{}").unwrap();
/// let outcome = zone.process(r#"{"source":{"host":"node1"}}"#);
/// assert_eq!(outcome, Outcome::Failed("the node's name has no zone".into()));
/// ```
#[derive(Debug)]
pub struct Error(Cow<'static, str>);

impl Error {
    /// An error that is also written to weir's log.
    pub fn logged(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        crate::log::error(&text);
        Self(text)
    }

    /// Its text, without the code that formatting takes, which is half of a small module.
    pub(crate) fn into_text(self) -> String {
        self.0.into_owned()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&'static str> for Error {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<Refused> for Error {
    fn from(Refused(text): Refused) -> Self {
        Self(text.into())
    }
}

/// Why weir refused an edit. The event is as it was before, and weir counts the refusal; whether it
/// matters is for the module to say (`?` makes it the event's failure).
///
/// ```
/// use weir_filter::{prelude::*, testing::Harness};
///
/// /// Tags what it can.
/// struct Tag;
///
/// impl Stage for Tag {
///     fn configure(_: &Config) -> Result<Self> {
///         Ok(Self)
///     }
///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
///         if let Err(refused) = event.append("/tags", "seen") {
///             log::debug(&refused.to_string()); // `/tags` is there, and no array.
///         }
///         Ok(Verdict::Keep)
///     }
/// }
///
/// let mut tag = Harness::<Tag>::new("{}").unwrap();
/// assert_eq!(tag.process(r#"{"tags":"none"}"#).get("/tags").as_deref(), Some("\"none\""));
/// assert_eq!(tag.process("{}").get("/tags").as_deref(), Some("[\"seen\"]"));
/// ```
#[derive(Debug)]
pub struct Refused(pub(crate) String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}
