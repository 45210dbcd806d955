//! Tags events that tell of a GPU failure, and says why:
//!
//! - `/tags` gains `gpu-failure`;
//! - `/gpu/cause` is `device`, `runtime`, `admission` or `unschedulable`, the first that holds; a
//!   scheduler that finds too few GPUs says `unschedulable`, whatever else it says of allocations;
//! - `/gpu/resource` is the first GPU resource that the message names, where it names one.
//!
//! Nearly every event is about something else, so that is what must be cheap: weir calls the filter
//! for those alone that have one of a few words. Of those the message is looked at once, and the
//! reason, which is short.

mod cause;
mod kinds;
mod names;
mod resource;
mod signs;
mod vector;
mod words;
mod writers;

use cause::Cause;
use signs::Signs;
use weir_filter::{Config, Error, Event, Stage, Verdict, interest};

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

struct TagGpuFailures;

impl Stage for TagGpuFailures {
    fn configure(config: &Config) -> Result<Self, Error> {
        config.expect_empty()?;
        interest::in_words(WORDS)?;
        Ok(Self)
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
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
    event.add("/tags", TAG).ok();
    event.set("/gpu/cause", cause.as_str()).ok();
    if let Some(resource) = resource {
        event.set("/gpu/resource", resource).ok();
    }
}

#[cfg(test)]
mod tests;
