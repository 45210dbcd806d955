use weir_filter::prelude::*;

struct Filter(Reason);

impl Stage for Filter {
    fn configure(_: &Config) -> Result<Self> {
        Ok(Self(Reason::declare("normal")?))
    }
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        Ok(if event.is_normal() { Verdict::Drop(self.0) } else { Verdict::Keep })
    }
}

export!(Filter);

#[cfg(test)]
mod tests {
    use super::Filter;
    use weir_filter::testing::{Harness, Outcome};

    #[test]
    fn normal_events_are_dropped_and_warnings_kept() {
        let mut filter = Harness::<Filter>::new("{}").unwrap();
        assert_eq!(filter.process(r#"{"type":"Normal"}"#), Outcome::Dropped("normal".into()));
        assert_ne!(filter.process(r#"{"type":"Warning"}"#), Outcome::Dropped("normal".into()));
    }
}
