//! Explains common failures: `/explain/text` says in a sentence or two what an event usually means,
//! and `/explain/docs` names the page of Kubernetes' documentation about it.
//!
//! Nothing is explained that is not recognised: by the reason, and where one reason stands for many
//! failures, by words of the message.

mod table;

use weir_filter::prelude::*;

struct Explain;

impl Stage for Explain {
    fn configure(config: &Config) -> Result<Self> {
        config.expect_empty()?;
        interest::in_words(&table::reasons())?;
        Ok(Self)
    }

    /// The words of a reason may be in a message, too. An edit is refused where an event has
    /// something else at `/explain`: then it has that.
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        let reason = event.reason();
        if table::is_known(&reason)
            && let Some(found) = table::find(&reason, &event.message())
        {
            event.set("/explain/text", found.text).ok();
            event.set("/explain/docs", found.docs).ok();
        }
        Ok(Verdict::Keep)
    }
}

export!(Explain);

#[cfg(test)]
mod tests;
