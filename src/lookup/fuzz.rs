//! What the fuzz target of an object's metadata calls.

use std::sync::Arc;
use std::time::Duration;

use super::object::{Found, Object};
use super::{Resource, Settings};

/// What a document gets of an answer of the API server, by where; `None`: it is no object's
/// metadata.
pub fn members_of(answer: &[u8], dedot: bool) -> Option<Vec<(&'static str, String)>> {
    let settings = Settings {
        resources: Resource::parse("pods").into_iter().collect(),
        labels: true,
        annotations: vec!["team".to_owned(), "a.b/c".to_owned()],
        owners: true,
        dedot,
        timeout: Duration::from_secs(2),
        max_per_second: 20,
    };
    let found = Found::new(&[Arc::new(Object::read(answer, &settings)?)]);
    Some(found.members().map(|(at, json)| (at, json.to_owned())).collect())
}
