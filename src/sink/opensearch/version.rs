//! Which server it is that documents go to, as `GET /` tells. Pure.
//!
//! Anything that answers as OpenSearch does is used: an older one, or another product, is told, so
//! that what it refuses later is understood.

use serde::Deserialize;

use crate::text;

/// The least version: it is the first that has `flat_object` fields, which the index template uses
/// (<https://docs.opensearch.org/latest/mappings/supported-field-types/flat-object/>).
const LEAST: (u32, u32) = (2, 7);
/// No version is longer.
const NUMBER_BYTES_MAX: usize = 40;

/// What `GET /` answers, as far as it is needed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Root {
    /// The cluster's identity.
    pub(super) cluster_uuid: Option<String>,
    #[serde(default)]
    version: Option<Version>,
}

#[derive(Debug, Deserialize)]
struct Version {
    number: Option<String>,
    distribution: Option<String>,
}

impl Root {
    /// Of a collection of OpenSearch Serverless, which has no `GET /`.
    pub(super) fn of_collection(name: &str) -> Root {
        Root { cluster_uuid: Some(name.to_owned()), version: None }
    }

    /// What it says of its version.
    pub(super) fn number(&self) -> Option<String> {
        let number = self.version.as_ref()?.number.as_deref()?;
        Some(text::words(number, NUMBER_BYTES_MAX))
    }

    /// What there is to warn of, if anything.
    pub(super) fn warning(&self) -> Option<String> {
        // Who says nothing of it may be anything.
        let version = self.version.as_ref()?;
        let number = &text::words(version.number.as_deref()?, NUMBER_BYTES_MAX);
        if version.distribution.as_deref() != Some("opensearch") {
            return Some(format!(
                "it is no OpenSearch (it says version {number}): weir is made for OpenSearch 2.7 \
                 and later"
            ));
        }
        let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        ((major, minor) < LEAST).then(|| {
            format!(
                "it is OpenSearch {number}, and weir needs 2.7 or later: before that, the index \
                 template cannot be installed (its `flat_object` fields are unknown). Upgrade it, \
                 or install a template of your own and set sink.template = \"skip\""
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(version: &str) -> Option<String> {
        let json = format!(r#"{{"cluster_uuid":"u","version":{version}}}"#);
        serde_json::from_str::<Root>(&json).unwrap().warning()
    }

    #[test]
    fn an_older_opensearch_and_another_product_are_told() {
        let of = |number: &str| {
            warning(&format!(r#"{{"distribution":"opensearch","number":"{number}"}}"#))
        };
        assert_eq!(of("2.7.0"), None);
        assert_eq!(of("2.19.4"), None);
        assert_eq!(of("3.4.0"), None);
        // With compatibility.override_main_response_version.
        assert_eq!(of("7.10.2"), None);
        insta::assert_snapshot!(of("2.6.0").unwrap(), @r#"it is OpenSearch 2.6.0, and weir needs 2.7 or later: before that, the index template cannot be installed (its `flat_object` fields are unknown). Upgrade it, or install a template of your own and set sink.template = "skip""#);
        assert!(of("1.3.20").is_some());
        insta::assert_snapshot!(warning(r#"{"number":"8.17.0"}"#).unwrap(), @"it is no OpenSearch (it says version 8.17.0): weir is made for OpenSearch 2.7 and later");
        for unknown in ["null", "{}", r#"{"distribution":"opensearch","number":"main"}"#] {
            assert_eq!(warning(unknown), None, "{unknown}");
        }
    }
}
