//! The metadata of an object that is looked up, against serde_json: what documents get of it stands
//! there, is bounded, and has no key twice.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use weir::internals::fuzz::members_of;

use crate::heap;

/// 64 pairs of a key of 317 bytes and a value of 1 KiB, each byte an escape of six.
const BYTES_MAX: usize = 64 * 6 * (317 + 1024 + 8);

pub(crate) fn run(input: &[u8]) {
    for dedot in [false, true] {
        let members = heap::at_most((1 << 20) + 128 * input.len(), || members_of(input, dedot));
        let Some(members) = members else { continue };
        // What serde_json makes no value of (`1e999`) may stand where nobody looks.
        let Ok(whole) = serde_json::from_slice::<Value>(input) else { continue };
        // serde reads a list of a struct's members, too, which no API server sends.
        let owners = whole["metadata"]["ownerReferences"].as_array();
        if !whole["metadata"].is_object() || !owners.into_iter().flatten().all(Value::is_object) {
            continue;
        }
        for (at, json) in members {
            assert!(json.len() <= BYTES_MAX, "{at}: {} bytes", json.len());
            let key = at.rsplit('/').next().unwrap();
            let theirs = &whole["metadata"][key];
            match key {
                "ownerReferences" => assert_owners(&json, theirs),
                _ => assert_pairs(&json, theirs, dedot),
            }
        }
    }
}

fn assert_pairs(json: &str, theirs: &Value, dedot: bool) {
    let ours: BTreeMap<String, String> = serde_json::from_str(json).unwrap();
    let raw: Vec<(String, &RawValue)> = members(json);
    assert_eq!(raw.len(), ours.len(), "a key stands twice: {json}");
    let theirs = theirs.as_object().expect("it has some");
    for (key, value) in ours {
        assert!(!dedot || !key.contains('.'));
        let is_it = |(their_key, their_value): (&String, &Value)| {
            let their_key = if dedot { their_key.replace('.', "_") } else { their_key.clone() };
            their_key == key && their_value.as_str().is_some_and(|whole| whole.starts_with(&value))
        };
        assert!(theirs.iter().any(is_it), "{key}: {value}");
    }
}

/// The members as they stand there, also one that stands twice.
fn members(json: &str) -> Vec<(String, &RawValue)> {
    struct InOrder;
    impl<'de> serde::de::Visitor<'de> for InOrder {
        type Value = Vec<(String, &'de RawValue)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde::Deserializer::deserialize_map(&mut deserializer, InOrder).unwrap()
}

fn assert_owners(json: &str, theirs: &Value) {
    let ours: Vec<Value> = serde_json::from_str(json).unwrap();
    let theirs = theirs.as_array().expect("it has some");
    assert!(!ours.is_empty() && ours.len() <= 8);
    for owner in ours {
        for key in ["apiVersion", "kind", "name", "uid"] {
            assert!(owner[key].as_str().is_some_and(|text| text.len() <= 253));
        }
        let name = &owner["name"];
        assert!(theirs.iter().any(|their| their.get("name").unwrap_or(&"".into()) == name));
    }
}
