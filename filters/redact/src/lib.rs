//! Replaces secrets in an event's message by `***`, and counts them.
//!
//! ```toml
//! [[stage]]
//! name = "redact"
//! module = "redact.wasm"
//! on_error = "dead-letter"
//! [stage.config]
//! names = ["license_key"]
//! ```
//!
//! What is found and what is not is in README.md. Nearly every message has no secret: it is looked
//! at once, and no edit is made.

mod forms;
mod names;
mod scan;
mod words;

use names::Names;
use serde::Deserialize;
use weir_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Members of an event that are searched besides `/message`, as JSON pointers.
    #[serde(default)]
    also: Vec<String>,
    /// Names whose values are secrets, besides the usual ones.
    #[serde(default)]
    names: Vec<String>,
}

struct Redact {
    also: Vec<String>,
    names: Names,
    secrets: Counter,
}

impl Stage for Redact {
    fn configure(config: &Config) -> Result<Self> {
        let Settings { also, names } = config.parse()?;
        if let Some(pointer) = also.iter().find(|pointer| !pointer.starts_with('/')) {
            Err(format!("`also`: `{pointer}` is not a JSON pointer: it must begin with `/`"))?;
        }
        Ok(Self {
            also,
            names: Names::new(&names)?,
            secrets: Counter::declare("secrets", "Secrets that were replaced in events.")?,
        })
    }

    /// An edit that is refused leaves the secret where it is, so it fails the event: `on_error`
    /// decides.
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        self.redact(event, "/message", event.message())?;
        for pointer in &self.also {
            if let Some(text) = event.get_as::<String>(pointer) {
                self.redact(event, pointer, text)?;
            }
        }
        Ok(Verdict::Keep)
    }
}

impl Redact {
    fn redact(&self, event: &mut Event, pointer: &str, text: String) -> Result<()> {
        let Some((redacted, count)) = scan::redacted(&text, &self.names) else { return Ok(()) };
        event.set(pointer, redacted)?;
        self.secrets.add(count);
        Ok(())
    }
}

export!(Redact);

#[cfg(test)]
mod tests;
