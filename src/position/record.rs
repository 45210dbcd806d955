//! What is saved: the marks, and whose they are. Pure.
//!
//! Positions mean something only for the cluster that they were read from, and marks only for the
//! target that the events went to: so the record names both, and a run with a different cluster or
//! target never uses it silently.

use serde::{Deserialize, Serialize};

use super::Positions;

/// The `version` of the records that this weir writes and reads.
const VERSION: u32 = 1;

/// One pipeline's marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// Whose they are.
    #[serde(flatten)]
    pub identity: Identity,
    /// The marks by scope.
    pub positions: Positions,
}

/// Between what and what a pipeline carries events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The pipeline's `name`.
    pub pipeline: String,
    /// What is read: `kubernetes`, or the path of a file.
    pub source: String,
    /// The Kubernetes cluster: the UID of its namespace `kube-system`, where that may be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    /// Where events go.
    pub target: Target,
}

/// Where events go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// `opensearch`, `file` or `stdout`.
    pub kind: String,
    /// The OpenSearch cluster's `cluster_uuid`, once it has been reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    /// The index pattern, or the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub index: Option<String>,
    /// `history` or `latest`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<String>,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is no record, or a torn one.
    #[error("it is not a position record of weir's ({0})")]
    Corrupt(#[from] serde_json::Error),
    /// A newer weir wrote it.
    #[error("its version is {0}, and this weir knows version {VERSION}: a newer weir wrote it")]
    Newer(u32),
}

/// Why a record is not for this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The positions mean nothing here: another cluster, or another file.
    Source {
        /// What the record says.
        saved: String,
        /// What this run reads.
        now: String,
    },
    /// The events before the positions are not where this run sends the others.
    Target {
        /// What the record says.
        saved: String,
        /// What this run says.
        now: String,
    },
}

impl Record {
    /// A record of now.
    pub(crate) fn new(identity: Identity, positions: Positions) -> Record {
        Record { version: VERSION, identity, positions }
    }

    /// One line of JSON.
    pub(crate) fn encode(&self) -> String {
        // Strings and maps of strings: nothing that could fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    ///
    /// When it is no such thing, or of a newer version.
    pub(crate) fn decode(text: &str) -> Result<Record, RecordError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version > VERSION {
            return Err(RecordError::Newer(version));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// Whether it is for a run with this identity. What one of the two does not know, such as the
    /// UID of a cluster that is not reachable, is no difference.
    ///
    /// # Errors
    ///
    /// With the first difference: of the source, then of the target.
    pub(crate) fn fits(&self, now: &Identity) -> Result<(), Misfit> {
        let saved = &self.identity;
        let differ =
            |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        if saved.source != now.source || differ(&saved.cluster, &now.cluster) {
            return Err(Misfit::Source { saved: saved.source_text(), now: now.source_text() });
        }
        let (a, b) = (&saved.target, &now.target);
        let of_target = a.kind != b.kind || a.index != b.index || a.mode != b.mode;
        if saved.pipeline != now.pipeline || of_target || differ(&a.cluster, &b.cluster) {
            return Err(Misfit::Target { saved: saved.target_text(), now: now.target_text() });
        }
        Ok(())
    }
}

impl Identity {
    /// What is read, for people.
    pub(crate) fn source_text(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("{} (cluster {cluster})", self.source),
            None => self.source.clone(),
        }
    }

    /// Which pipeline sends where, for people.
    pub(crate) fn target_text(&self) -> String {
        let Target { kind, cluster, index, mode } = &self.target;
        let part = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(", {name} {value}")).unwrap_or_default()
        };
        let parts = part("index", index) + &part("mode", mode) + &part("cluster", cluster);
        format!("pipeline {}, {kind}{parts}", self.pipeline)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity() -> Identity {
        Identity {
            pipeline: "events".into(),
            source: "kubernetes".into(),
            cluster: Some("8a1f".into()),
            target: Target {
                kind: "opensearch".into(),
                cluster: Some("q2w3".into()),
                index: Some("kube-events-{yyyy.MM.dd}".into()),
                mode: Some("history".into()),
            },
        }
    }

    fn record() -> Record {
        Record::new(identity(), Positions::from([("all namespaces".into(), "41".into())]))
    }

    #[test]
    fn it_is_one_line_of_json_that_says_whose_it_is() {
        insta::assert_snapshot!(record().encode(), @r#"{"version":1,"pipeline":"events","source":"kubernetes","cluster":"8a1f","target":{"kind":"opensearch","cluster":"q2w3","index":"kube-events-{yyyy.MM.dd}","mode":"history"},"positions":{"all namespaces":"41"}}"#);
    }

    #[test]
    fn another_cluster_makes_positions_meaningless_and_another_target_is_for_a_person_to_decide() {
        let record = record();
        assert_eq!(record.fits(&identity()), Ok(()));
        let unknown = Identity { cluster: None, ..identity() };
        assert_eq!(record.fits(&unknown), Ok(()));
        let other = Identity { cluster: Some("ffff".into()), ..identity() };
        insta::assert_debug_snapshot!(record.fits(&other).unwrap_err(), @r#"
        Source {
            saved: "kubernetes (cluster 8a1f)",
            now: "kubernetes (cluster ffff)",
        }
        "#);
        let mut other = identity();
        other.target.index = Some("events".into());
        insta::assert_debug_snapshot!(record.fits(&other).unwrap_err(), @r#"
        Target {
            saved: "pipeline events, opensearch, index kube-events-{yyyy.MM.dd}, mode history, cluster q2w3",
            now: "pipeline events, opensearch, index events, mode history, cluster q2w3",
        }
        "#);
    }

    #[test]
    fn what_is_no_record_and_what_is_of_a_newer_weir_is_told_apart() {
        assert!(matches!(Record::decode("{\"vers"), Err(RecordError::Corrupt(_))));
        assert!(matches!(Record::decode("{\"version\":2,\"more\":1}"), Err(RecordError::Newer(2))));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(names in proptest::collection::btree_map(".*", ".*", 0..5)) {
            let names = names.into_iter().map(|(scope, mark)| (scope, mark.into()));
            let record = Record::new(identity(), names.collect());
            prop_assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        }

        #[test]
        fn nothing_makes_decoding_panic(text in ".*") {
            let _ = Record::decode(&text);
        }
    }
}
