//! A stage's own configuration.

use serde_core::de::DeserializeOwned;

use crate::{Error, json};

/// The stage's `[stage.config]`, as one JSON object. Nothing is parsed until it is asked for.
#[derive(Debug)]
pub struct Config(String);

impl Config {
    pub(crate) fn new(json: String) -> Self {
        Self(json)
    }

    /// The configuration as a type of the module's own. Give that type
    /// `#[serde(deny_unknown_fields)]`, so that a misspelt key is refused by name, and
    /// `#[serde(default)]` where a key may be absent.
    ///
    /// ```
    /// use weir_filter::{prelude::*, testing::Harness};
    ///
    /// #[derive(serde::Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Settings {
    ///     zones: Vec<String>,
    /// }
    ///
    /// struct Zones(Settings);
    ///
    /// impl Stage for Zones {
    ///     fn configure(config: &Config) -> Result<Self> {
    ///         Ok(Self(config.parse()?))
    ///     }
    ///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
    ///         event.set("/zone", self.0.zones.first().map_or("", String::as_str))?;
    ///         Ok(Verdict::Keep)
    ///     }
    /// }
    ///
    /// let error = Harness::<Zones>::new(r#"{"zones":["a",1]}"#).err().unwrap();
    /// assert_eq!(error, "`zones[1]`: invalid type: integer `1`, expected a string");
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(json::from_str(&self.0)?)
    }

    /// For a module that has nothing to configure: refuses any key, so that no one believes that a
    /// key does something.
    pub fn expect_empty(&self) -> Result<(), Error> {
        if self.0.bytes().all(|byte| matches!(byte, b' ' | b'{' | b'}')) {
            return Ok(());
        }
        let mut text = String::from("this module has nothing to configure, and it was given ");
        text.push_str(&self.0);
        Err(text.into())
    }

    /// The JSON text itself.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Zones {
        #[serde(default)]
        zones: Vec<String>,
        #[allow(dead_code)]
        limit: u8,
    }

    fn error(json: &str) -> String {
        Config::new(json.into()).parse::<Zones>().unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_becomes_the_modules_own_type() {
        let zones: Zones = Config::new(r#"{"zones":["a"],"limit":1}"#.into()).parse().unwrap();
        assert_eq!(zones.zones, ["a"]);
    }

    #[test]
    fn an_error_names_the_key_and_what_it_may_be() {
        assert_eq!(
            error(r#"{"zone":[],"limit":1}"#),
            "unknown field `zone`, expected `zones` or `limit`"
        );
        assert_eq!(error("{}"), "missing field `limit`");
        assert_eq!(error(r#"{"limit":"x"}"#), "`limit`: invalid type: string \"x\", expected u8");
        assert_eq!(
            error(r#"{"limit":1,"zones":["a",2]}"#),
            "`zones[1]`: invalid type: integer `2`, expected a string"
        );
    }

    #[test]
    fn a_module_without_configuration_refuses_any_key() {
        assert!(Config::new("{}".into()).expect_empty().is_ok());
        assert!(Config::new("{ }".into()).expect_empty().is_ok());
        let error = Config::new(r#"{"keep":1}"#.into()).expect_empty().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"this module has nothing to configure, and it was given {"keep":1}"#
        );
    }
}
