//! What `deploy/` has for OpenSearch Dashboards, OpenSearch Alerting, Grafana and Prometheus.
//!
//! OpenSearch Dashboards itself cannot be had here, so [`request`] makes of a saved object the
//! request that Dashboards makes, and the real node answers it, over documents that weir itself
//! stored there ([`documents`]). What it must answer is computed from the events that weir read.

mod about;
mod documents;
mod expected;
mod exporter;
mod fields;
mod loading;
mod made;
mod metrics;
mod monitors;
mod objects;
mod panels;
mod picture;
mod prometheus;
mod request;

#[path = "../../../deploy/generate/files.rs"]
mod files;
#[path = "../../../deploy/generate/grafana.rs"]
mod grafana;
#[path = "../../../deploy/generate/opensearch/mod.rs"]
mod opensearch;
