//! What is kept of an object's metadata, and what becomes of it in a document.
//!
//! Constraint: whatever the object holds, this is bounded, and its JSON has no key twice:
//! OpenSearch refuses a document that has.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Settings;
use super::address::Reference;

/// Labels, and allowed annotations, that are kept of an object: the first in the order of keys.
const PAIRS_MAX: usize = 64;
/// A key has a prefix of 253 bytes, a slash and a name of 63:
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
const KEY_BYTES_MAX: usize = 317;
/// A label's value has 63 bytes at most, an annotation's as many as fit into the object.
const VALUE_BYTES_MAX: usize = 1 << 10;
/// Owner references that are kept of an object.
const OWNERS_MAX: usize = 8;
/// Of each text in one.
const OWNER_TEXT_BYTES_MAX: usize = 253;

/// What `kubectl apply` writes: the whole object, and what its author wants nobody to see.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Where a static Pod's object in the API has the uid that its kubelet has, which is a hash of its
/// manifest, and stands in that kubelet's events:
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror>
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The metadata of one object, as far as it is kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) uid: String,
    /// A static Pod's other uid; else empty.
    mirrored: String,
    pub(super) labels: Pairs,
    pub(super) annotations: Pairs,
    pub(super) owners: Vec<Owner>,
}

/// Labels or annotations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs {
    /// By their own keys.
    pub(super) pairs: BTreeMap<String, String>,
    /// As documents have them; empty when there are none.
    pub(super) json: String,
}

/// A reference to an owner:
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/#System>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Owner {
    /// `apps/v1`
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Whether it is the one that manages the object; one at most is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) controller: bool,
}

/// What of the answer is read.
#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<Owner>>,
}

impl Object {
    /// What the settings keep of a PartialObjectMetadata; `None`: it is none.
    pub(super) fn read(json: &[u8], settings: &Settings) -> Option<Object> {
        let Answer { metadata } = serde_json::from_slice(json).ok()?;
        let labels = metadata.labels.filter(|_| settings.labels).unwrap_or_default();
        let mut annotations = metadata.annotations.unwrap_or_default();
        let mut mirrored = annotations.get(MIRROR).cloned().unwrap_or_default();
        if mirrored.len() > OWNER_TEXT_BYTES_MAX {
            mirrored.clear();
        }
        annotations.retain(|key, _| key != LAST_APPLIED && settings.annotations.contains(key));
        let owners = metadata.owner_references.filter(|_| settings.owners).unwrap_or_default();
        Some(Object {
            uid: metadata.uid,
            mirrored,
            labels: Pairs::new(labels, settings.dedot),
            annotations: Pairs::new(annotations, settings.dedot),
            owners: owners.into_iter().filter(Owner::is_bounded).take(OWNERS_MAX).collect(),
        })
    }

    /// Whether somebody means it by this uid; empty: whichever has the name.
    pub(super) fn is_known_as(&self, uid: &str) -> bool {
        uid.is_empty() || self.uid == uid || self.mirrored == uid
    }

    /// The owner that manages it.
    pub(super) fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }

    /// Bytes that it takes, nearly.
    pub(super) fn bytes(&self) -> usize {
        let pairs = |pairs: &Pairs| {
            let texts = pairs.pairs.iter().map(|(key, value)| 64 + key.len() + value.len());
            pairs.json.len() + texts.sum::<usize>()
        };
        let owners = self.owners.iter().map(Owner::bytes).sum::<usize>();
        let texts = self.uid.len() + self.mirrored.len();
        size_of::<Object>() + texts + pairs(&self.labels) + pairs(&self.annotations) + owners
    }
}

impl Pairs {
    fn new(mut pairs: BTreeMap<String, String>, dedot: bool) -> Pairs {
        pairs.retain(|key, _| key.len() <= KEY_BYTES_MAX);
        if let Some(first_left_out) = pairs.keys().nth(PAIRS_MAX).cloned() {
            drop(pairs.split_off(&first_left_out));
        }
        for value in pairs.values_mut() {
            value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
        }
        let json = match (pairs.is_empty(), dedot) {
            (true, _) => String::new(),
            (false, false) => json(&pairs),
            (false, true) => json(&without_dots(&pairs)),
        };
        Pairs { pairs, json }
    }
}

/// The same with `_` for each dot in a key. Where two become one, the one without dots stays.
fn without_dots(pairs: &BTreeMap<String, String>) -> BTreeMap<String, &str> {
    let (dotted, plain): (Vec<_>, Vec<_>) = pairs.iter().partition(|(key, _)| key.contains('.'));
    let mut undotted = BTreeMap::new();
    for (key, value) in plain.into_iter().chain(dotted) {
        undotted.entry(key.replace('.', "_")).or_insert(value.as_str());
    }
    undotted
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps of strings, and structs of strings and flags")
}

impl Owner {
    fn is_bounded(&self) -> bool {
        let texts = [&self.api_version, &self.kind, &self.name, &self.uid];
        texts.iter().all(|text| text.len() <= OWNER_TEXT_BYTES_MAX)
    }

    fn bytes(&self) -> usize {
        let texts = [&self.api_version, &self.kind, &self.name, &self.uid];
        size_of::<Owner>() + texts.iter().map(|text| text.len()).sum::<usize>()
    }

    /// Of an object in this namespace.
    pub(super) fn reference<'a>(&'a self, namespace: &'a str) -> Reference<'a> {
        Reference {
            api_version: &self.api_version,
            kind: &self.kind,
            namespace,
            name: &self.name,
            uid: &self.uid,
        }
    }
}

/// A regarded object that was found, with those that control it.
#[derive(Debug)]
pub(crate) struct Found {
    object: Arc<Object>,
    /// Its controlling owner, that one's, and so on.
    controllers: Vec<Owner>,
    /// As documents have them: the object's own references, and then the controlling owners of its
    /// controlling owner. Empty when there are none.
    owners_json: String,
}

impl Found {
    /// Of the object, its controlling owner, that one's, and so on, as far as they were looked up.
    pub(super) fn new(chain: &[Arc<Object>]) -> Found {
        let object = chain.first().cloned().unwrap_or_default();
        let controllers: Vec<Owner> =
            chain.iter().map_while(|object| object.controller()).cloned().collect();
        let mut owners = object.owners.clone();
        owners.extend(controllers.iter().skip(1).cloned());
        let owners_json = if owners.is_empty() { String::new() } else { json(&owners) };
        Found { object, controllers, owners_json }
    }

    /// What documents get, by where: a JSON pointer, and the value's text.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let members = [
            ("/involvedObject/labels", &self.object.labels.json),
            ("/involvedObject/annotations", &self.object.annotations.json),
            ("/involvedObject/ownerReferences", &self.owners_json),
        ];
        members
            .into_iter()
            .map(|(at, json)| (at, json.as_str()))
            .filter(|(_, json)| !json.is_empty())
    }

    /// The value of a label, by its own key.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.object.labels.pairs.get(key).map(String::as_str)
    }

    /// The value of an allowed annotation, by its own key.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.object.annotations.pairs.get(key).map(String::as_str)
    }

    /// All labels by their own keys, as a JSON object.
    pub(crate) fn labels(&self) -> String {
        json(&self.object.labels.pairs)
    }

    /// Its controlling owner, that one's, and so on.
    pub(crate) fn controllers(&self) -> &[Owner] {
        &self.controllers
    }

    /// The object that is referred to and those that control it, with what of them is known here,
    /// as an API server would have them. The topmost is left out: it is in the reference to it.
    pub(crate) fn objects(&self, of: Reference<'_>) -> Vec<Value> {
        let uid = if of.uid.is_empty() { &self.object.uid } else { of.uid };
        let mut object = of_object(Reference { uid, ..of }, &self.object.owners);
        for (key, of) in
            [("labels", &self.object.labels), ("annotations", &self.object.annotations)]
        {
            if !of.pairs.is_empty() {
                object["metadata"][key] = json!(of.pairs);
            }
        }
        let above = self
            .controllers
            .windows(2)
            .map(|pair| of_object(pair[0].reference(of.namespace), std::slice::from_ref(&pair[1])));
        std::iter::once(object).chain(above).collect()
    }

    /// Bytes that it takes, nearly.
    pub(super) fn bytes(&self) -> usize {
        let controllers = self.controllers.iter().map(Owner::bytes).sum::<usize>();
        size_of::<Found>() + self.object.bytes() + controllers + self.owners_json.len()
    }
}

/// An object with these owners.
fn of_object(of: Reference<'_>, owners: &[Owner]) -> Value {
    let mut metadata = json!({ "name": of.name, "uid": of.uid });
    if !of.namespace.is_empty() {
        metadata["namespace"] = json!(of.namespace);
    }
    if !owners.is_empty() {
        metadata["ownerReferences"] = json!(owners);
    }
    json!({ "apiVersion": of.api_version, "kind": of.kind, "metadata": metadata })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(dedot: bool) -> Settings {
        let annotations = vec!["team".to_owned(), "a.b/c".to_owned()];
        Settings { annotations, dedot, ..Settings::for_tests(&["pods", "replicasets.apps"]) }
    }

    fn read(metadata: Value, settings: &Settings) -> Object {
        Object::read(json!({ "metadata": metadata }).to_string().as_bytes(), settings).unwrap()
    }

    fn members(objects: Vec<Object>) -> Vec<(String, Value)> {
        let chain: Vec<_> = objects.into_iter().map(Arc::new).collect();
        let found = Found::new(&chain);
        let parse = |(at, json): (&str, &str)| (at.into(), serde_json::from_str(json).unwrap());
        found.members().map(parse).collect()
    }

    #[test]
    fn a_document_gets_labels_allowed_annotations_and_the_owners_up_to_the_topmost() {
        let owner = |kind: &str, controller: bool| {
            json!({"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": kind,
                   "controller": controller, "blockOwnerDeletion": true})
        };
        let pod = read(
            json!({"uid": "1", "labels": {"app": "web", "a.b/c": "d"}, "annotations":
                {"team": "x", "secret": "y", LAST_APPLIED: "{}"}, "managedFields": [{}],
                "ownerReferences": [owner("Other", false), owner("ReplicaSet", true)]}),
            &settings(false),
        );
        let set = read(
            json!({"uid": "2", "labels": {"not": "shown"}, "ownerReferences":
                [owner("Other", false), owner("Deployment", true)]}),
            &settings(false),
        );
        let reference = |kind: &str| json!({"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": kind, "controller": true});
        let mut other = reference("Other");
        other.as_object_mut().unwrap().remove("controller");
        assert_eq!(
            members(vec![pod, set]),
            [
                ("/involvedObject/labels".into(), json!({"a.b/c": "d", "app": "web"})),
                ("/involvedObject/annotations".into(), json!({"team": "x"})),
                (
                    "/involvedObject/ownerReferences".into(),
                    json!([other, reference("ReplicaSet"), reference("Deployment")])
                ),
            ]
        );
    }

    #[test]
    fn an_object_without_any_of_it_changes_nothing() {
        assert_eq!(members(vec![read(json!({"uid": "1"}), &settings(false))]), []);
        let null =
            json!({"uid": "1", "labels": null, "annotations": null, "ownerReferences": null});
        assert_eq!(members(vec![read(null, &settings(false))]), []);
        let all = json!({"uid": "1", "labels": {"a": "b"}, "annotations": {"team": "x"},
            "ownerReferences": [{"kind": "A", "name": "a", "uid": "2", "apiVersion": "v1"}]});
        let none =
            Settings { labels: false, owners: false, annotations: vec![], ..settings(false) };
        assert_eq!(members(vec![read(all, &none)]), []);
        assert!(Object::read(b"<html>", &settings(false)).is_none());
        assert!(Object::read(b"{\"metadata\":{}}", &settings(false)).is_none());
    }

    #[test]
    fn a_static_pod_is_known_by_what_its_kubelet_calls_it_and_the_annotation_is_not_kept() {
        let pod = read(json!({"uid": "7f", "annotations": {MIRROR: "abc"}}), &settings(false));
        assert_eq!(
            ["", "7f", "abc", "ab"].map(|uid| pod.is_known_as(uid)),
            [true, true, true, false]
        );
        assert_eq!(pod.annotations, Pairs::default());
        let other = read(json!({"uid": "7f"}), &settings(false));
        assert_eq!(["", "7f", "abc"].map(|uid| other.is_known_as(uid)), [true, true, false]);
    }

    #[test]
    fn the_last_applied_configuration_is_not_kept_even_if_it_is_listed() {
        let listed = Settings { annotations: vec![LAST_APPLIED.into()], ..settings(false) };
        let object = read(json!({"uid": "1", "annotations": {LAST_APPLIED: "{}"}}), &listed);
        assert_eq!(object.annotations, Pairs::default());
    }

    #[test]
    fn without_dots_no_key_stands_twice_and_modules_still_ask_for_the_own_one() {
        let labels = json!({"a.b": "1", "a_b": "2", "c.d.e": "3", "c.d_e": "4"});
        let object = read(json!({"uid": "1", "labels": labels}), &settings(true));
        assert_eq!(object.labels.json, r#"{"a_b":"2","c_d_e":"3"}"#);
        let found = Found::new(&[Arc::new(object)]);
        assert_eq!(found.label("a.b"), Some("1"));
        assert_eq!(found.label("c_d_e"), None);
    }

    #[test]
    fn what_an_object_holds_is_bounded() {
        let many = |length: usize| -> BTreeMap<String, String> {
            (0..200).map(|number| (format!("k{number:03}"), "é".repeat(length))).collect()
        };
        let owners: Vec<_> = (0..20)
            .map(|n| json!({"apiVersion": "v1", "kind": "A", "name": "a".repeat(n * 20), "uid": "u"}))
            .collect();
        let object = read(
            json!({"uid": "1", "labels": many(1000), "ownerReferences": owners}),
            &settings(false),
        );
        assert_eq!(object.labels.pairs.len(), PAIRS_MAX);
        assert!(object.labels.pairs.values().all(|value| value.len() == VALUE_BYTES_MAX));
        assert!(
            object.labels.pairs.contains_key("k000") && !object.labels.pairs.contains_key("k064")
        );
        assert_eq!(object.owners.len(), OWNERS_MAX);
        let long = json!({"uid": "1", "labels": {"k".repeat(400): "v"}});
        assert_eq!(read(long, &settings(false)).labels, Pairs::default());
    }

    proptest! {
        #[test]
        fn whatever_the_keys_are_the_json_has_each_once(
            keys in prop::collection::vec("[a-b._/]{1,6}", 0..20), dedot: bool,
        ) {
            let labels: BTreeMap<String, String> =
                keys.iter().map(|key| (key.clone(), key.clone())).collect();
            let object = read(json!({"uid": "1", "labels": labels}), &settings(dedot));
            if labels.is_empty() {
                prop_assert_eq!(object.labels.json, "");
                return Ok(());
            }
            let members = object.labels.json.matches("\":\"").count();
            let parsed: BTreeMap<String, String> = serde_json::from_str(&object.labels.json).unwrap();
            prop_assert_eq!(members, parsed.len());
            for (key, value) in &parsed {
                prop_assert!(!dedot || !key.contains('.'));
                prop_assert_eq!(if dedot { value.replace('.', "_") } else { value.clone() }, key.clone());
            }
        }
    }
}
