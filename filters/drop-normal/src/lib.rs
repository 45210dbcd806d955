//! Drops events of type `Normal`, but for the reasons that its configuration keeps:
//!
//! ```toml
//! [stage.config]
//! keep_reasons = ["Killing", "NodeNotReady"]
//! ```

use serde::Deserialize;
use weir_filter::{Config, Error, Event, EventType, Reason, Stage, Verdict, interest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Reasons of Normal events that go on all the same.
    #[serde(default)]
    keep_reasons: Vec<String>,
}

struct DropNormal {
    keep_reasons: Vec<String>,
    normal: Reason,
}

impl Stage for DropNormal {
    fn configure(config: &Config) -> Result<Self, Error> {
        let Settings { keep_reasons } = config.parse()?;
        interest::in_type(EventType::Normal)?;
        Ok(Self { keep_reasons, normal: Reason::declare("normal")? })
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        // A question costs more than the answer: it is asked only when that matters.
        if !self.keep_reasons.is_empty() && self.keep_reasons.contains(&event.reason()) {
            return Ok(Verdict::Keep);
        }
        Ok(Verdict::Drop(self.normal))
    }
}

weir_filter::export!(DropNormal);

#[cfg(test)]
mod tests {
    use super::DropNormal;
    use weir_filter::testing::{Harness, Outcome};

    const KILLING: &str = r#"{"type":"Normal","reason":"Killing"}"#;
    const PULLED: &str = r#"{"type":"Normal","reason":"Pulled"}"#;
    const FAILED: &str = r#"{"type":"Warning","reason":"Failed"}"#;
    const UNTYPED: &str = r#"{"reason":"Pulled"}"#;

    fn filter(config: &str) -> Harness<DropNormal> {
        Harness::new(config).unwrap()
    }

    fn dropped() -> Outcome {
        Outcome::Dropped("normal".into())
    }

    #[test]
    fn normal_events_are_dropped_without_a_question() {
        let mut filter = filter("{}");
        assert_eq!(filter.process(PULLED), dropped());
        assert_eq!(filter.calls(), ["discard"]);
        assert_eq!(filter.process(KILLING), dropped());
    }

    #[test]
    fn for_any_other_type_the_filter_is_not_called() {
        let mut filter = filter(r#"{"keep_reasons":["Killing"]}"#);
        assert_eq!(filter.process(FAILED), Outcome::Kept(FAILED.into()));
        assert!(filter.calls().is_empty());
        assert_eq!(filter.process(UNTYPED), Outcome::Kept(UNTYPED.into()));
        assert_eq!(
            filter.process(r#"{"type":"normal"}"#),
            Outcome::Kept(r#"{"type":"normal"}"#.into())
        );
    }

    #[test]
    fn normal_events_of_a_kept_reason_are_kept() {
        let mut filter = filter(r#"{"keep_reasons":["Killing"]}"#);
        assert_eq!(filter.process(KILLING), Outcome::Kept(KILLING.into()));
        assert_eq!(filter.process(PULLED), dropped());
        assert_eq!(filter.process(r#"{"type":"Normal"}"#), dropped());
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_name() {
        let error = |config| Harness::<DropNormal>::new(config).err().unwrap_or_default();
        assert_eq!(
            error(r#"{"keep":["Killing"]}"#),
            "unknown field `keep`, expected `keep_reasons`"
        );
        assert_eq!(
            error(r#"{"keep_reasons":"Killing"}"#),
            "`keep_reasons`: invalid type: string \"Killing\", expected a sequence"
        );
    }
}
