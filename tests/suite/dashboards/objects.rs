//! The saved objects of `deploy/opensearch/dashboards.ndjson`, or of another such file.

use serde_json::Value;

use crate::support::repository;

/// A saved object, whose members that hold JSON as text are parsed.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) help: String,
    pub(super) references: Vec<(String, String)>,
    pub(super) attributes: Value,
}

/// The file that users load.
pub(super) fn ours() -> Vec<Object> {
    read(&text("deploy/opensearch/dashboards.ndjson"))
}

/// A file of the repository.
pub(super) fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The objects of such a file, an object a line.
pub(super) fn read(ndjson: &str) -> Vec<Object> {
    ndjson.lines().map(|line| Object::of(serde_json::from_str(line).unwrap())).collect()
}

impl Object {
    fn of(object: Value) -> Object {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reference = |value: &Value| (text(&value["type"]), text(&value["id"]));
        Object {
            id: text(&object["id"]),
            kind: text(&object["type"]),
            title: text(&object["attributes"]["title"]),
            help: text(&object["attributes"]["description"]),
            references: object["references"].as_array().unwrap().iter().map(reference).collect(),
            attributes: object["attributes"].clone(),
        }
    }

    /// A member that holds JSON as text.
    pub(super) fn json(&self, pointer: &str) -> Value {
        let text = self.attributes.pointer(pointer).and_then(Value::as_str);
        let text = text.unwrap_or_else(|| panic!("{} has no {pointer}", self.id));
        serde_json::from_str(text).unwrap()
    }

    pub(super) fn search_source(&self) -> Value {
        self.json("/kibanaSavedObjectMeta/searchSourceJSON")
    }

    /// The aggregations of a visualization, in their order.
    pub(super) fn aggregations(&self) -> Vec<Value> {
        self.json("/visState")["aggs"].as_array().unwrap().clone()
    }
}

/// The one of this id.
pub(super) fn find<'a>(objects: &'a [Object], id: &str) -> &'a Object {
    objects.iter().find(|o| o.id == id).unwrap_or_else(|| panic!("there is no object {id}"))
}

/// Those of this type.
pub(super) fn of_kind<'a>(
    objects: &'a [Object],
    kind: &'a str,
) -> impl Iterator<Item = &'a Object> {
    objects.iter().filter(move |object| object.kind == kind)
}
