//! The rules for texts in `pipeline.toml`. A rule's message says what is wrong and what would be
//! right.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;

use super::table::Rule;
use super::{field_selector, index};
use crate::lookup::{LAST_APPLIED, Resource};
use crate::opensearch::{ProxySetting, is_username};

/// Any text.
pub(super) const ANY: Rule = Rule { check: |_| Ok(()), pattern: None };

/// Some text.
pub(super) const NOT_EMPTY: Rule = Rule { check: not_empty, pattern: Some("^.+$") };

/// The pipeline's name: also a Lease's, so a DNS label.
pub(super) const NAME: Rule =
    Rule { check: label, pattern: Some("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$") };

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>
pub(super) const NAMESPACE: Rule = NAME;

/// The same, where people expect patterns.
pub(super) const EXACT_NAMESPACE: Rule = Rule { check: exact_namespace, pattern: NAME.pattern };

/// A stage's name: a metric label. It stands beside `source` and `sink` as what refused a dead
/// letter.
pub(super) const STAGE_NAME: Rule = Rule { check: stage_name, pattern: Some("^[a-z0-9-]{1,63}$") };

/// Text of one line that goes into every document.
pub(super) const CLUSTER: Rule =
    Rule { check: cluster, pattern: Some("^[^\\u0000-\\u001f]{1,256}$") };

/// `ADDRESS:PORT`
pub(super) const ADDRESS: Rule = Rule { check: address, pattern: Some("^.+:[0-9]{1,5}$") };

/// The base URL of a node.
pub(super) const HOST: Rule = Rule { check: host, pattern: Some("^https?://[^@?#]+$") };

/// The name in basic auth, which ends at the first colon:
/// <https://www.rfc-editor.org/rfc/rfc7617#section-2>
pub(super) const USERNAME: Rule = Rule { check: username, pattern: Some("^[^:\\u0000-\\u001f]+$") };

/// A proxy's URL, or `none`.
pub(super) const PROXY: Rule = Rule {
    check: |text| {
        let named = ProxySetting::parse(text).map(|_| ());
        named.map_err(|error| format!("names no proxy: {error}"))
    },
    pattern: None,
};

/// What the API server is asked to send.
pub(super) const FIELD_SELECTOR: Rule = Rule { check: field_selector::check, pattern: None };

/// A region of AWS.
pub(super) const REGION: Rule =
    Rule { check: region, pattern: Some("^[a-z][a-z0-9]*(-[a-z0-9]+)+$") };

/// An index name with at most one date.
pub(super) const INDEX: Rule = Rule { check: |text| index::parse(text).map(|_| ()), pattern: None };

/// A resource, by RBAC's name.
pub(super) const RESOURCE: Rule =
    Rule { check: |text| Resource::parse(text).map(|_| ()), pattern: None };

/// The name of an annotation.
pub(super) const ANNOTATION: Rule = Rule { check: annotation, pattern: Some("^[^*?\\s]{1,317}$") };

/// The name of one index.
pub(super) const LETTER_INDEX: Rule = Rule { check: letter_index, pattern: None };

const NAME_BYTES_MAX: usize = 63;
const CLUSTER_BYTES_MAX: usize = 256;
const ANNOTATION_BYTES_MAX: usize = 317;

fn not_empty(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("must not be empty".into()) } else { Ok(()) }
}

fn letter_index(text: &str) -> Result<(), String> {
    if text.contains(['{', '}']) {
        return Err(
            "must be the name of one index, without a date: a letter stays until it is dealt with"
                .into(),
        );
    }
    index::parse(text).map(|_| ())
}

/// Whether this can be the name of an annotation that is looked up.
pub(crate) fn annotation(text: &str) -> Result<(), String> {
    if text == LAST_APPLIED {
        return Err(format!(
            "must not be \"{LAST_APPLIED}\": it holds the whole object, with what its author may \
             want nobody to see"
        ));
    }
    let is_name = (1..=ANNOTATION_BYTES_MAX).contains(&text.len())
        && !text.contains(|c: char| matches!(c, '*' | '?') || c.is_whitespace());
    if is_name {
        return Ok(());
    }
    Err("must be the whole name of an annotation, such as \"example.com/team\", without patterns"
        .into())
}

fn username(text: &str) -> Result<(), String> {
    if !is_username(text) {
        return Err(
            "must be a name without `:` and control characters: basic auth cannot carry them"
                .into(),
        );
    }
    Ok(())
}

fn region(text: &str) -> Result<(), String> {
    let mut parts = text.split('-');
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && is_word(text) && parts.all(|part| !part.is_empty()) && text.contains('-') {
        return Ok(());
    }
    Err("must be a region of AWS, such as \"eu-central-1\"".into())
}

fn label(text: &str) -> Result<(), String> {
    if is_word(text) && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(());
    }
    Err("must be 1 to 63 of a-z, 0-9 and `-`, and neither begin nor end with `-`".into())
}

fn exact_namespace(text: &str) -> Result<(), String> {
    if text.contains(['*', '?']) {
        return Err(
            "must be the exact name of a namespace: for a pattern, write a [[stage]] with \
                    `drop = true` and `match = { namespace = [\"kube-*\"] }`"
                .into(),
        );
    }
    label(text)
}

fn stage_name(text: &str) -> Result<(), String> {
    if matches!(text, "source" | "sink") {
        return Err(format!(
            "must not be \"{text}\": dead letters could not tell the stage from the {text}"
        ));
    }
    if is_word(text) { Ok(()) } else { Err("must be 1 to 63 of a-z, 0-9 and `-`".into()) }
}

fn is_word(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn cluster(text: &str) -> Result<(), String> {
    if (1..=CLUSTER_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err("must be 1 to 256 bytes of text without control characters".into())
}

fn address(text: &str) -> Result<(), String> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err("must be an IP address and a port, such as \"0.0.0.0:9464\", \
                       \"127.0.0.1:0\" or \"[::]:9464\""
            .into()),
    }
}

/// The message never repeats the text: it could hold a password.
fn host(text: &str) -> Result<(), String> {
    let wrong =
        |what: &str| Err(format!("{what}; a host looks like \"https://opensearch.example:9200\""));
    let Ok(uri) = text.parse::<Uri>() else { return wrong("is not a URL") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return wrong("must begin with http:// or https://");
    }
    let Some(authority) = uri.authority() else { return wrong("names no host") };
    if authority.as_str().contains('@') {
        return Err("must not hold credentials: use the keys `username` and `password`".into());
    }
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if authority.host().is_empty()
        || (!after_host.is_empty() && authority.port_u16().is_none_or(|p| p == 0))
    {
        return wrong("does not name a valid host and port");
    }
    if !is_host(authority.host()) {
        return wrong("names a host that cannot exist");
    }
    if uri.path().split('/').any(|part| part.starts_with('_')) {
        return wrong("must not name an API such as /_bulk: weir adds that itself");
    }
    if uri.query().is_some() || text.contains('#') {
        return wrong("must not have a query or a fragment");
    }
    Ok(())
}

/// An address, or a name as DNS has them: no server has any other that a URL may hold. A name whose
/// last part is a number is an address with a mistake:
/// <https://url.spec.whatwg.org/#ends-in-a-number-checker>
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let is_name = labels.all(|label| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    });
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit());
    is_name && (!is_number || host.parse::<Ipv4Addr>().is_ok())
}

/// What two spellings of one host have in common.
pub(super) fn same_host(text: &str) -> String {
    let text = text.trim_end_matches('/').to_ascii_lowercase();
    let port = if text.starts_with("https:") { ":443" } else { ":80" };
    text.strip_suffix(port).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for name in ["a", "events", "prod-2", &"x".repeat(63)] {
            assert!(label(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "a.b", "ä", &"x".repeat(64)] {
            assert!(label(name).is_err(), "{name}");
        }
        assert!(stage_name("-a-").is_ok());
    }

    #[test]
    fn a_stage_is_not_called_like_the_source_or_the_sink() {
        for name in ["source", "sink"] {
            assert!(stage_name(name).unwrap_err().contains("dead letters"), "{name}");
        }
        assert!(stage_name("sinks").is_ok());
    }

    #[test]
    fn hosts_are_plain_base_urls() {
        for url in [
            "http://a",
            "https://a_1.b.:9200",
            "https://a/prefix",
            "http://[::1]:9200/",
            "http://10.0.0.1:1",
        ] {
            assert_eq!(host(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "a:9200",
            "ftp://a",
            "http://",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "http://a/?q",
            "http://a/#f",
            "http://a b",
            "http://*.a",
            "http://..",
            "http://a..b",
            "http://256.1.1.1",
            "http://1.2.3",
            "http://[::g]",
            "http://a/_bulk",
        ] {
            assert!(host(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_host_with_credentials_is_refused_without_showing_them() {
        let message = host("https://me:hunter2@opensearch.example").unwrap_err();
        assert!(message.contains("`password`") && !message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_region_has_its_parts() {
        for text in ["eu-central-1", "us-gov-west-1", "cn-north-1"] {
            assert_eq!(region(text), Ok(()), "{text}");
        }
        for text in ["", "eu", "eu-", "-eu-1", "eu--1", "EU-central-1", "Frankfurt (eu)"] {
            assert!(region(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        for text in ["0.0.0.0:9464", "127.0.0.1:0", "[::]:9464"] {
            assert_eq!(address(text), Ok(()), "{text}");
        }
        for text in ["", ":9464", "localhost:9464", "0.0.0.0", "0.0.0.0:70000"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
