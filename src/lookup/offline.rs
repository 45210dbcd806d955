//! Lookups without an API server, for benches and for tests of modules: who sets them up says what
//! each object is, and that is known at once.

use std::sync::Arc;
use std::time::Instant;

use super::address::{Address, Reference};
use super::machine::Known;
use super::object::Object;
use super::{Lookups, Settings};
use crate::metrics::Metrics;

impl Lookups {
    /// Those that nobody answers.
    pub fn offline(settings: Settings, metrics: &Metrics) -> Lookups {
        Lookups::new(settings, &metrics.lookup)
    }

    /// An object is there, with this `metadata` in JSON. Answers whether it is one that is looked
    /// up.
    pub fn remember(&self, api_version: &str, kind: &str, namespace: &str, metadata: &str) -> bool {
        let json = format!("{{\"metadata\":{metadata}}}");
        let Some(object) = Object::read(json.as_bytes(), &self.0.settings) else { return false };
        let name = serde_json::from_str::<serde_json::Value>(metadata).unwrap_or_default();
        let name = name["name"].as_str().unwrap_or_default();
        let mut address = Address::default();
        let known = Known::Found(Arc::new(object));
        for uid in ["", known.uid()] {
            let reference = Reference { api_version, kind, namespace, name, uid };
            if !address.set(&self.0.settings.resources, reference) {
                return false;
            }
            self.0.machine.lock().learned(&address, known.clone(), Instant::now());
        }
        true
    }
}
