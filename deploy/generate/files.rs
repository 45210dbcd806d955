//! Which files are made, and from what.

use std::path::Path;

use super::{grafana, opensearch};

const OPENSEARCH: &str = "deploy/opensearch/dashboards.toml";
const GRAFANA: &str = "deploy/grafana/weir.toml";

/// Every file that is made, relative to the repository at `root`, with its text.
pub(crate) fn all(root: &Path) -> Result<Vec<(String, String)>, String> {
    let read = |path: &str| {
        std::fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
    };
    let at = |path: &'static str| move |error: toml::de::Error| format!("{path}: {error}");
    let opensearch = opensearch::Source::parse(&read(OPENSEARCH)?).map_err(at(OPENSEARCH))?;
    let grafana = grafana::Source::parse(&read(GRAFANA)?).map_err(at(GRAFANA))?;
    let mut files = vec![
        ("deploy/opensearch/dashboards.ndjson".to_owned(), opensearch.dashboards()?),
        ("deploy/grafana/weir.json".to_owned(), grafana.dashboard()),
    ];
    let monitors = opensearch.monitors()?.into_iter();
    files.extend(
        monitors.map(|(name, text)| (format!("deploy/opensearch/monitors/{name}.json"), text)),
    );
    Ok(files)
}
