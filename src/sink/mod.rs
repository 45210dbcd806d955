//! Where documents go: OpenSearch, a file, stdout.

use std::path::PathBuf;

use crate::secret::Secret;

/// `[sink]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `kind = "opensearch"`
    OpenSearch(OpenSearchSettings),
    /// `kind = "file"`: one document a line, appended.
    File {
        /// Where to.
        path: PathBuf,
    },
    /// `kind = "stdout"`
    Stdout,
}

/// How to reach OpenSearch, and what to store there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSearchSettings {
    /// Base URLs, `http://` or `https://`, of nodes of one cluster. At least one.
    pub hosts: Vec<String>,
    /// Basic auth.
    pub username: Option<String>,
    /// Basic auth.
    pub password: Option<Secret>,
    /// PEM file with the certificates to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Index name; in `history` mode it may hold a date placeholder such as `{yyyy.MM.dd}`.
    pub index: IndexPattern,
    /// What a document is.
    pub mode: Mode,
    /// Whether to install the index template when it is missing.
    pub template: Template,
}

/// An index name with at most one date placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPattern {
    /// Text before the placeholder, or the whole name.
    pub prefix: String,
    /// The placeholder.
    pub date: Option<DateFormat>,
    /// Text behind the placeholder.
    pub suffix: String,
}

/// The date placeholders there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `{yyyy.MM.dd}`
    Day,
    /// `{yyyy.MM}`
    Month,
    /// `{yyyy}`
    Year,
}

/// `mode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One document for each version of an event.
    #[default]
    History,
    /// One document an event: its latest version.
    Latest,
}

/// `template`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// Install it when it is missing.
    #[default]
    Install,
    /// Leave templates alone.
    Skip,
}
