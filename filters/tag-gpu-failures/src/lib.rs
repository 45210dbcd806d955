//! Tags events that tell of a GPU failure, and says why:
//!
//! - `/tags` gains `gpu-failure`;
//! - `/gpu/cause` is `device`, `runtime`, `admission` or `unschedulable`, the first that holds;
//! - `/gpu/resource` is the first GPU resource that the message names, where it names one.
//!
//! Nearly every event is about something else, so that is what must be cheap: weir is asked whether
//! one of a few words is there at all, and only then for the message, which is looked at once, and
//! the reason, which is short.

mod cause;
mod names;
mod resource;
mod signs;
mod vector;
mod words;
mod writers;

use cause::Cause;
use signs::Signs;
use weir_filter::{Config, Error, Event, Stage, Verdict, Words};

const TAG: &str = "gpu-failure";

/// Without one of these no event is tagged, in its message or its reason.
const WORDS: &[&str] = &[
    "gpu",
    "nvidia",
    "nvlink",
    "nvswitch",
    "nvrm",
    "nvml",
    "xid",
    "dcgm",
    "fallen off the bus",
    "[drm",
    "fabricmanager",
    "i915",
    "rocm",
];

struct TagGpuFailures(Words);

impl Stage for TagGpuFailures {
    fn configure(config: &Config) -> Result<Self, Error> {
        config.expect_empty()?;
        Ok(Self(Words::declare(WORDS)?))
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        if !event.mentions(self.0) {
            return Ok(Verdict::Keep);
        }
        let message = event.message();
        let message = message.as_bytes();
        let signs = Signs::in_message(message);
        if let Some(cause) = Cause::of(&signs, message, || event.reason()) {
            tag(event, cause, signs.resource.and_then(|name| str::from_utf8(name).ok()));
        }
        Ok(Verdict::Keep)
    }
}

weir_filter::export!(TagGpuFailures);

/// An edit is refused where an event holds something else at these places. weir counts that, and
/// what can still be said is said.
fn tag(event: &mut Event, cause: Cause, resource: Option<&str>) {
    if !event.get("/tags").is_some_and(|tags| holds_string(&tags, TAG)) {
        event.append("/tags", TAG).ok();
    }
    event.set("/gpu/cause", cause.as_str()).ok();
    if let Some(resource) = resource {
        event.set("/gpu/resource", resource).ok();
    }
}

/// Whether an array, as JSON text, has `string` as an element of its own.
fn holds_string(array: &str, string: &str) -> bool {
    let (array, string) = (array.as_bytes(), string.as_bytes());
    let mut depth = 0;
    let mut rest = array;
    while let [sign, after @ ..] = rest {
        rest = after;
        match sign {
            b'"' => {
                let end = end_of_string(after);
                if depth == 1 && array.starts_with(b"[") && words::part(after, ..end) == string {
                    return true;
                }
                rest = after.get(end + 1..).unwrap_or_default();
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// Where the quote is that ends a JSON string.
fn end_of_string(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
