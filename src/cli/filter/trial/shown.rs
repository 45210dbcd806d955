//! What becomes of an event, for people and for programs.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::edits::{self, Edit};
use crate::cases::{Happened, Outcome, Recorded};
use crate::event::{Edits, EventView, Field, Original};
use crate::text::{self, LINE_BYTES_MAX, REASON_BYTES_MAX};

/// What people see of an event's message.
const MESSAGE_BYTES_MAX: usize = 160;
/// The reason of events that `on_error = "drop"` dropped.
const ERROR_REASON: &str = "error";
/// Who dead-letters what is no event.
const SOURCE: &str = "source";

/// What became of an event.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    verdict: Verdict,
    /// Why it was dropped; how the module failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Not of what is no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<About>,
    edits: Vec<Edit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Kept,
    Dropped,
    /// The module failed on it, whatever became of it then.
    Failed,
    /// It is no event.
    Rejected,
}

/// Which event it is.
#[derive(Debug, Serialize)]
struct About {
    namespace: String,
    name: String,
    #[serde(rename = "type")]
    event_type: String,
    reason: String,
    message: String,
    /// Of what it regards.
    kind: String,
    object: String,
}

impl About {
    fn of(event: Original<'_>) -> About {
        let edits = Edits::default();
        let view = EventView { of: event, edits: &edits };
        let text = |field| view.text(field).into_owned();
        About {
            namespace: text(Field::Namespace),
            name: text(Field::Name),
            event_type: text(Field::Type),
            reason: text(Field::Reason),
            message: text(Field::Message),
            kind: text(Field::RegardingKind),
            object: text(Field::RegardingName),
        }
    }
}

impl Shown {
    /// `plain` is the document that it would be without the module.
    pub(super) fn of(
        event: Option<Original<'_>>,
        happened: &Happened,
        plain: Option<Value>,
    ) -> Shown {
        let document = happened.json();
        let failure = document.as_ref().and_then(|of| of.pointer("/weir/errors/0/kind")?.as_str());
        let (verdict, reason) = match happened.outcome {
            Outcome::Delivered => match failure {
                Some(kind) => (Verdict::Failed, Some(kind.to_owned())),
                None => (Verdict::Kept, None),
            },
            Outcome::Filtered => {
                let is_failure = happened.reason.as_deref() == Some(ERROR_REASON);
                let verdict = if is_failure { Verdict::Failed } else { Verdict::Dropped };
                (verdict, happened.reason.clone())
            }
            Outcome::DeadLettered => {
                let is_rejected = happened.stage.as_deref() == Some(SOURCE);
                let verdict = if is_rejected { Verdict::Rejected } else { Verdict::Failed };
                (verdict, happened.reason.clone())
            }
        };
        let edits = match (verdict, plain, &document) {
            (Verdict::Kept, Some(plain), Some(document)) => edits::between(&plain, document),
            _ => Vec::new(),
        };
        let (event, detail) = (event.map(About::of), happened.detail.clone());
        Shown { verdict, reason, detail, event, edits }
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        // Texts and values are always JSON.
        text::json(&serde_json::to_string(self).unwrap_or_default()).into_owned()
    }

    /// A line, and one for each edit.
    pub(super) fn for_people(&self, has_colours: bool) -> String {
        let paint = |colour: Colour, text: &str| match has_colours {
            true => format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8),
            false => text.to_owned(),
        };
        let (word, colour) = match self.verdict {
            Verdict::Kept => ("kept", Colour::Green),
            Verdict::Dropped => ("dropped", Colour::Yellow),
            Verdict::Failed => ("FAILED", Colour::Red),
            Verdict::Rejected => ("REJECTED", Colour::Red),
        };
        let why = self.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let about = self.event.as_ref().map_or_else(|| "no event".to_owned(), About::to_string);
        let detail = self.detail.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let verdict = text::one_line(format_args!("{word}{why}"), LINE_BYTES_MAX);
        let rest = text::one_line(format_args!("{about}{detail}"), LINE_BYTES_MAX);
        let mut shown = format!("{} {rest}\n", paint(colour, &format!("{verdict:<18}")));
        for edit in &self.edits {
            let (mark, colour) = match (&edit.was, &edit.value) {
                (None, _) => ('+', Colour::Green),
                (Some(_), Some(_)) => ('~', Colour::Cyan),
                (Some(_), None) => ('-', Colour::Red),
            };
            let line = text::one_line(edit, LINE_BYTES_MAX);
            shown += &format!("  {}\n", paint(colour, &format!("{mark} {line}")));
        }
        shown
    }
}

/// Of a terminal: <https://en.wikipedia.org/wiki/ANSI_escape_code#Colors>
#[derive(Clone, Copy)]
enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About { namespace, name, event_type, reason, message, kind, object } = self;
        let message = text::words(message, MESSAGE_BYTES_MAX);
        write!(f, "{namespace}/{name}  {event_type} {reason}  {kind} {object}: {message}")
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |value: &Value| text::one_line(value, REASON_BYTES_MAX);
        f.write_str(&self.path)?;
        if let Some(value) = &self.value {
            write!(f, " = {}", cut(value))?;
        }
        match &self.was {
            Some(was) => write!(f, " (was {})", cut(was)),
            None => Ok(()),
        }
    }
}

/// How many events had which verdict.
#[derive(Debug, Default)]
pub(super) struct Tally {
    kept: u64,
    dropped: u64,
    pub(super) failed: u64,
    rejected: u64,
}

impl Tally {
    pub(super) fn count(&mut self, shown: &Shown) {
        *match shown.verdict {
            Verdict::Kept => &mut self.kept,
            Verdict::Dropped => &mut self.dropped,
            Verdict::Failed => &mut self.failed,
            Verdict::Rejected => &mut self.rejected,
        } += 1;
    }

    /// All of them.
    pub(super) fn events(&self) -> u64 {
        self.kept + self.dropped + self.failed + self.rejected
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { kept, dropped, failed, rejected } = self;
        let events = if self.events() == 1 { "event" } else { "events" };
        write!(f, "{} {events}: {kept} kept, {dropped} dropped, {failed} failed", self.events())?;
        match rejected {
            0 => Ok(()),
            rejected => write!(f, ", {rejected} rejected"),
        }
    }
}

/// What is to be said of a case that was recorded.
pub(super) fn recorded(recorded: &Recorded, left_out: u64) -> String {
    let Recorded { events, differ, dir, name } = recorded;
    let case = text::one_line(dir.join(name).display(), LINE_BYTES_MAX);
    let mut said = format!("recorded {events} events as the case {case}");
    if left_out > 0 {
        said += &format!("; {left_out} more did not fit into it");
    }
    if *differ > 0 {
        said += &format!(
            "; {differ} of what was seen came out otherwise from its files, and is recorded so"
        );
    }
    said
}
