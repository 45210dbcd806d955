use weir_filter::prelude::*;

struct Enrich;

impl Stage for Enrich {
    fn configure(_: &Config) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        event.set("/metadata/labels/team", &event.namespace())?;
        Ok(Verdict::Keep)
    }
}

export!(Enrich);

#[cfg(test)]
mod tests {
    use super::Enrich;
    use weir_filter::testing::Harness;

    #[test]
    fn the_namespace_becomes_the_team() {
        let mut enrich = Harness::<Enrich>::new("{}").unwrap();
        let outcome = enrich.process(r#"{"metadata":{"namespace":"shop"}}"#);
        assert_eq!(outcome.get("/metadata/labels/team").as_deref(), Some("\"shop\""));
    }
}
