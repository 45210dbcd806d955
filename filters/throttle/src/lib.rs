//! Holds back repeats of one object's reason: of all that happen within a window, the first goes
//! on.
//!
//! ```toml
//! [[stage]]
//! name = "throttle"
//! module = "throttle.wasm"
//! [stage.config]
//! window = "10m"
//! ```
//!
//! Nothing is lost unseen: the next event that goes on says how many were held back since when, and
//! a counter has all of them.

mod memory;
mod time;

use memory::{Memory, Seen};
use serde::Deserialize;
use weir_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How long after (or before) an event that went on its repeats are held back: `90s`, `10m`,
    /// `1h`.
    window: String,
    /// The reasons whose repeats are held back; all when it is empty.
    #[serde(default)]
    reasons: Vec<String>,
    /// How many pairs of an object and a reason are remembered.
    #[serde(default = "objects_max")]
    objects_max: u32,
}

fn objects_max() -> u32 {
    4096
}

struct Throttle {
    window: u64,
    reasons: Vec<String>,
    memory: Memory,
    repeated: Reason,
    held_back: Counter,
    forgotten: Counter,
}

impl Stage for Throttle {
    fn configure(config: &Config) -> Result<Self> {
        let Settings { window, reasons, objects_max } = config.parse()?;
        let wrong = || format!("`window`: `{window}` is no time between 1s and 24h, such as `10m`");
        if !(1..=memory::OBJECTS_MAX).contains(&objects_max) {
            Err(format!("`objects_max`: it must be from 1 to {}", memory::OBJECTS_MAX))?;
        }
        Ok(Self {
            window: time::window(&window).ok_or_else(wrong)?,
            reasons,
            memory: Memory::new(objects_max),
            repeated: Reason::declare("repeated")?,
            held_back: Counter::declare("held_back", "Repeats that were held back.")?,
            forgotten: Counter::declare(
                "forgotten",
                "Repeats that were held back and that no later event tells of, for want of room.",
            )?,
        })
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        let reason = event.reason();
        if !self.reasons.is_empty() && !self.reasons.contains(&reason) {
            return Ok(Verdict::Keep);
        }
        let Some(now) = event.last_seen() else { return Ok(Verdict::Keep) };
        let key = key(event, &reason);
        let seen = match self.memory.find(key) {
            Ok(seen) => seen,
            Err(free) => {
                self.forgotten.add(free.take(now));
                return Ok(Verdict::Keep);
            }
        };
        // By the distance: a relist is not in the order of time.
        if now.abs_diff(seen.went_on) < self.window {
            seen.hold_back(now);
            self.held_back.add(1);
            return Ok(Verdict::Drop(self.repeated));
        }
        seen.went_on = now;
        tell(event, seen);
        Ok(Verdict::Keep)
    }
}

export!(Throttle);

/// What is held back together. No Kubernetes name has the separator.
fn key(event: &Event, reason: &str) -> String {
    let mut key = event.regarding_kind();
    for part in [&event.regarding_namespace(), &event.regarding_name(), reason] {
        key.push('\n');
        key.push_str(part);
    }
    key
}

/// Says on the event what was held back before it. Where that is refused, the next one says it.
fn tell(event: &mut Event, seen: &mut Seen) {
    if seen.held_back == 0 {
        return;
    }
    let since = time::rfc3339(seen.since);
    let told = event
        .set("/throttle/heldBack", seen.held_back)
        .and_then(|()| event.set("/throttle/since", since));
    if told.is_ok() {
        seen.held_back = 0;
    }
}

#[cfg(test)]
mod tests;
