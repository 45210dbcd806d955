//! Writes what weir looked up of an event's regarded object into the event, as `/looked-up`, and
//! drops what has the label `drop`: for the tests of `[lookup]`.

use serde_json::{Value, json};
use weir_filter::{Config, Error, Event, Reason, Stage, Verdict};

struct LookedUp {
    labelled: Reason,
}

impl Stage for LookedUp {
    fn configure(config: &Config) -> Result<Self, Error> {
        config.expect_empty()?;
        Ok(Self { labelled: Reason::declare("labelled")? })
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        if event.object_label("drop").is_some() {
            return Ok(Verdict::Drop(self.labelled));
        }
        event.set_json("/looked-up", &looked_up(event).to_string())?;
        Ok(Verdict::Keep)
    }
}

weir_filter::export!(LookedUp);

fn looked_up(event: &Event) -> Value {
    let controller = |level| {
        json!({
            "apiVersion": event.controller_api_version(level),
            "kind": event.controller_kind(level),
            "name": event.controller_name(level),
            "uid": event.controller_uid(level),
        })
    };
    json!({
        "found": event.object_found(),
        "app": event.object_label("app.kubernetes.io/name"),
        // As text: an index would make fields of them, and of dots in their names objects.
        "labels": json!(event.object_labels()).to_string(),
        "team": event.object_annotation("example.com/team"),
        "controllers": (0..event.controllers()).map(controller).collect::<Vec<_>>(),
        "beyond": event.controller_kind(event.controllers()),
        // What documents get, as any later stage may read it.
        "document": json!(event.get_as::<Value>("/involvedObject/labels")).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use weir_filter::testing::{Controller, Harness, Object, Outcome};

    use super::*;

    #[test]
    fn what_was_looked_up_is_answered_and_nothing_without() {
        let mut guest = Harness::<LookedUp>::new("{}").unwrap();
        let nothing = json!({"found": false, "app": null, "labels": "{}", "team": null,
            "controllers": [], "beyond": "", "document": "null"});
        let looked_up = |outcome: Outcome| -> Value {
            serde_json::from_str(&outcome.get("/looked-up").unwrap()).unwrap()
        };
        assert_eq!(looked_up(guest.process("{}")), nothing);
        let set = Controller {
            api_version: "apps/v1".into(),
            kind: "ReplicaSet".into(),
            name: "web-1".into(),
            uid: "u".into(),
        };
        let labels = [("app.kubernetes.io/name".to_owned(), "web".to_owned())];
        guest.look_up(Some(Object {
            labels: labels.into(),
            annotations: [("example.com/team".to_owned(), "shop".to_owned())].into(),
            controllers: vec![set],
        }));
        let found = looked_up(guest.process("{}"));
        assert_eq!(found["app"], "web");
        assert_eq!(found["team"], "shop");
        assert_eq!(found["labels"], r#"{"app.kubernetes.io/name":"web"}"#);
        let set =
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u"});
        assert_eq!(found["controllers"], json!([set]));
        guest.look_up(Some(Object {
            labels: [("drop".to_owned(), String::new())].into(),
            ..Object::default()
        }));
        assert_eq!(guest.process("{}"), Outcome::Dropped("labelled".into()));
        guest.look_up(None);
        assert_eq!(looked_up(guest.process("{}")), nothing);
    }
}
