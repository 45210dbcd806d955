use weir_filter::prelude::*;

struct DropNormal(Reason);

impl Stage for DropNormal {
    fn configure(_: &Config) -> Result<Self> {
        Ok(Self(Reason::declare("normal")?))
    }
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        Ok(if event.is_normal() { Verdict::Drop(self.0) } else { Verdict::Keep })
    }
}

export!(DropNormal);

#[cfg(test)]
mod tests {
    use super::*;
    use weir_filter::testing::{Harness, Outcome};

    #[test]
    fn normal_events_are_dropped() {
        let mut filter = Harness::<DropNormal>::new("{}").unwrap();
        assert_eq!(filter.process(r#"{"type":"Normal"}"#), Outcome::Dropped("normal".into()));
        assert_eq!(filter.calls(), ["type", "discard"]);
    }
}
