//! Sets a member of an event by where it comes from: by the first row of a table that matches.
//!
//! ```toml
//! [[stage]]
//! name = "route"
//! module = "route.wasm"
//! [stage.config]
//! field = "/team"
//! default = "platform"
//! routes = [
//!     { namespace = ["shop", "shop-*"], to = "shop" },
//!     { reason = ["FailedScheduling"], kind = ["Pod"], to = "capacity" },
//! ]
//! ```

use serde::Deserialize;
use weir_filter::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    /// The member that is set, as a JSON pointer.
    field: String,
    /// What it is set to where no row matches; left out: nothing.
    #[serde(default)]
    default: Option<String>,
    /// The table; the first row that matches counts.
    routes: Vec<Row>,
}

/// A row matches where each list that it has does. In a list, `*` at the end stands for anything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Namespaces of what events are about; of objects of the cluster it is empty.
    #[serde(default)]
    namespace: Vec<String>,
    #[serde(default)]
    reason: Vec<String>,
    /// Kinds of what events are about.
    #[serde(default)]
    kind: Vec<String>,
    to: String,
}

impl Stage for Route {
    fn configure(config: &Config) -> Result<Self> {
        let route: Self = config.parse()?;
        if !route.field.starts_with('/') {
            Err(format!(
                "`field`: `{}` is not a JSON pointer: it must begin with `/`",
                route.field
            ))?;
        }
        let is_empty = |row: &Row| row.columns().iter().all(|(names, _)| names.is_empty());
        if let Some(at) = route.routes.iter().position(is_empty) {
            Err(format!(
                "`routes[{at}]`: it matches every event; give it `namespace`, `reason` or \
                 `kind`, or make it the `default`"
            ))?;
        }
        Ok(route)
    }

    /// An edit that is refused fails the event: a document that went astray is worse than one that
    /// says so.
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        let mut asked = Asked::default();
        let row = self.routes.iter().find(|row| row.matches(event, &mut asked));
        if let Some(to) = row.map(|row| &row.to).or(self.default.as_ref()) {
            event.set(&self.field, to)?;
        }
        Ok(Verdict::Keep)
    }
}

export!(Route);

/// What was asked of the event, by column: each at most once.
#[derive(Default)]
struct Asked([Option<String>; 3]);

type Ask = fn(&Event) -> String;

impl Row {
    fn columns(&self) -> [(&[String], Ask); 3] {
        [
            (&self.namespace, Event::regarding_namespace),
            (&self.reason, Event::reason),
            (&self.kind, Event::regarding_kind),
        ]
    }

    fn matches(&self, event: &Event, asked: &mut Asked) -> bool {
        self.columns().into_iter().zip(&mut asked.0).all(|((names, ask), asked)| {
            names.is_empty() || {
                let text = asked.get_or_insert_with(|| ask(event));
                names.iter().any(|name| is_named(text, name))
            }
        })
    }
}

fn is_named(text: &str, name: &str) -> bool {
    name.strip_suffix('*').map_or(text == name, |prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Every function here is a test's.

    use serde_json::json;
    use weir_filter::testing::{Harness, Outcome};

    use super::Route;

    const CONFIG: &str = r#"{"field":"/team","default":"platform","routes":[
        {"namespace":["shop","shop-*"],"to":"shop"},
        {"reason":["FailedScheduling"],"kind":["Pod"],"to":"capacity"},
        {"namespace":[""],"to":"nodes"}]}"#;

    fn team(
        route: &mut Harness<Route>,
        namespace: &str,
        reason: &str,
        kind: &str,
    ) -> Option<String> {
        let event = json!({"reason": reason,
            "involvedObject": {"kind": kind, "namespace": namespace, "name": "x"}});
        route.process(&event.to_string()).get("/team")
    }

    #[test]
    fn the_first_row_that_matches_counts_and_the_default_where_none_does() {
        let mut route = Harness::new(CONFIG).unwrap();
        for (namespace, reason, kind, expected) in [
            ("shop", "FailedScheduling", "Pod", "shop"),
            ("shop-eu", "BackOff", "Pod", "shop"),
            ("shopping", "BackOff", "Pod", "platform"),
            ("web", "FailedScheduling", "Pod", "capacity"),
            ("web", "FailedScheduling", "Job", "platform"),
            ("", "NodeNotReady", "Node", "nodes"),
        ] {
            let to = format!("{expected:?}");
            assert_eq!(team(&mut route, namespace, reason, kind), Some(to), "{namespace} {reason}");
        }
    }

    #[test]
    fn each_question_is_asked_once_and_only_where_a_row_needs_it() {
        let mut route = Harness::new(CONFIG).unwrap();
        team(&mut route, "shop", "BackOff", "Pod");
        assert_eq!(route.calls(), ["regarding-namespace", "set-string"]);
        team(&mut route, "web", "BackOff", "Pod");
        assert_eq!(route.calls(), ["regarding-namespace", "reason", "set-string"]);
    }

    #[test]
    fn without_a_default_what_no_row_matches_is_as_it_was() {
        let config = r#"{"field":"/team","routes":[{"kind":["Node"],"to":"nodes"}]}"#;
        let mut route = Harness::<Route>::new(config).unwrap();
        assert_eq!(route.process("{}"), Outcome::Kept("{}".into()));
    }

    #[test]
    fn a_wrong_configuration_is_refused_by_name() {
        let error = |config| Harness::<Route>::new(config).err().unwrap_or_default();
        assert_eq!(error(r#"{"field":"/a"}"#), "missing field `routes`");
        assert_eq!(
            error(r#"{"field":"/a","routes":[{"to":"x","kind":["Pod"]},{"kind":["Pod"]}]}"#),
            "`routes[1]`: missing field `to`"
        );
        assert!(error(r#"{"field":"a","routes":[]}"#).starts_with("`field`: `a` is not a JSON"));
        assert!(
            error(r#"{"field":"/a","routes":[{"to":"x"}]}"#).starts_with("`routes[0]`: it matches")
        );
    }
}
