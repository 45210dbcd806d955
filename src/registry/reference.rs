//! `oci://REGISTRY/NAME:TAG@sha256:…`: what names a module in a registry. Pure.
//!
//! Constraint: the registry is always named. There is none that is meant when none is.
//!
//! The grammar is that of the [distribution specification][grammar]; a registry is told from the
//! first part of a name as container engines tell it: by a dot or a port in it, or as `localhost`.
//!
//! [grammar]: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::digest::{Digest, NoDigest};

/// How a module in a registry is told from a file.
pub(crate) const SCHEME: &str = "oci://";
/// With the registry, names beyond this are refused by some registries.
const NAME_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

/// Names a module in a registry, by a tag, a digest, or both: then the tag is for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// `HOST` or `HOST:PORT`.
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Another scheme, or none.
    #[error("must begin with {SCHEME}")]
    Scheme,
    /// The first part names no registry.
    #[error(
        "must name its registry first: a host with a dot or a port in it, such as \
         {SCHEME}registry.example/filters/noise:1, or localhost"
    )]
    Registry,
    /// It holds what a user's name and password look like.
    #[error("must not hold credentials: they stand in the file that `credentials` names")]
    Credentials,
    /// The name is none.
    #[error(
        "must have a name behind the registry, of a-z, 0-9 and single `.`, `_`, `-` between them, \
         with `/` between its parts"
    )]
    Repository,
    /// The tag is none.
    #[error("has a tag that is none: at most 128 of A-Z, a-z, 0-9, `_`, `.` and `-`")]
    Tag,
    /// The digest is none.
    #[error("has a digest that is none: {0}")]
    Digest(#[from] NoDigest),
    /// Neither tag nor digest.
    #[error("must end with a digest, @sha256:…, or with a tag, :TAG")]
    Neither,
}

impl Reference {
    /// Reads a reference with its scheme.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(crate) fn parse(text: &str) -> Result<Reference, ReferenceError> {
        let rest = text.strip_prefix(SCHEME).ok_or(ReferenceError::Scheme)?;
        let (registry, rest) = rest.split_once('/').ok_or(ReferenceError::Registry)?;
        if registry.contains('@') {
            return Err(ReferenceError::Credentials);
        }
        if !is_registry(registry) {
            return Err(ReferenceError::Registry);
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !is_repository(repository) || registry.len() + repository.len() > NAME_BYTES_MAX {
            return Err(ReferenceError::Repository);
        }
        if !tag.is_none_or(is_tag) {
            return Err(ReferenceError::Tag);
        }
        if tag.is_none() && digest.is_none() {
            return Err(ReferenceError::Neither);
        }
        let (registry, repository) = (registry.to_owned(), repository.to_owned());
        Ok(Reference { registry, repository, tag: tag.map(str::to_owned), digest })
    }

    /// The same of a command's argument, which may lack the scheme.
    ///
    /// # Errors
    ///
    /// As [`Reference::parse`].
    pub(crate) fn of_argument(text: &str) -> Result<Reference, ReferenceError> {
        match text.starts_with(SCHEME) {
            true => Reference::parse(text),
            false => Reference::parse(&format!("{SCHEME}{text}")),
        }
    }

    /// `HOST` or `HOST:PORT`.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The name in the registry.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    /// For people, or for want of a digest.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// What is meant, whatever the tag leads to by now.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// How the registry is asked for it: by its digest, or for want of one by its tag.
    pub(super) fn asked_by(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_default(),
        }
    }

    /// The same with this digest.
    pub(crate) fn at(&self, digest: Digest) -> Reference {
        Reference { digest: Some(digest), ..self.clone() }
    }

    /// The same without a digest, if it has a tag.
    pub(crate) fn by_tag(&self) -> Option<Reference> {
        self.tag.as_ref().map(|_| Reference { digest: None, ..self.clone() })
    }

    /// The same in another registry, `REGISTRY` or `REGISTRY/PREFIX`.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(crate) fn in_registry(&self, registry: &str) -> Result<Reference, ReferenceError> {
        let here = format!("{}/", self.registry);
        let behind = self.of_engines().split_off(here.len());
        Reference::of_argument(&format!("{}/{behind}", registry.trim_end_matches('/')))
    }

    /// Whether the registry is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(host_of(&self.registry))
    }

    /// Without the scheme: how container engines write it.
    pub(crate) fn of_engines(&self) -> String {
        self.to_string().split_off(SCHEME.len())
    }

    /// The last part of the name: what it is called where there is no other name for it.
    pub(crate) fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn host_of(registry: &str) -> &str {
    match registry.rfind(']') {
        Some(end) => &registry[..=end],
        None => registry.split(':').next().unwrap_or_default(),
    }
}

fn is_registry(text: &str) -> bool {
    let host = host_of(text);
    let port = &text[host.len()..];
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0);
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()) && is_port(port));
    let is_label = |label: &str| {
        let is_in = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && label.bytes().all(is_in)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    let is_told = host.contains(['.', '[']) || !port.is_empty() || host == "localhost";
    // Addresses and international names have rules of their own.
    is_port && is_host && is_told && reqwest::Url::parse(&format!("https://{text}/")).is_ok()
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`
fn is_repository(text: &str) -> bool {
    text.split('/').all(is_part)
}

fn is_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !is_word(*first) || !is_word(*last) {
        return false;
    }
    let mut separators = bytes.split(|b| is_word(*b)).filter(|between| !between.is_empty());
    separators
        .all(|between| matches!(between, b"." | b"_" | b"__") || between.iter().all(|b| *b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=TAG_BYTES_MAX).contains(&text.len())
        && is_word(text.as_bytes()[0])
        && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_has_a_registry_a_name_and_a_tag_or_a_digest() {
        for (text, registry, repository, tag) in [
            ("oci://registry.example/noise:1", "registry.example", "noise", Some("1")),
            ("oci://localhost/a/b:v1.2_3-x", "localhost", "a/b", Some("v1.2_3-x")),
            ("oci://registry:5000/a.b_c__d---e:1", "registry:5000", "a.b_c__d---e", Some("1")),
            ("oci://[::1]:5000/a:1", "[::1]:5000", "a", Some("1")),
            ("oci://127.0.0.1:5000/a:1", "127.0.0.1:5000", "a", Some("1")),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!((reference.registry(), reference.repository()), (registry, repository));
            assert_eq!((reference.tag(), reference.digest()), (tag, None));
            let by_digest = Reference::parse(&format!("{text}@{DIGEST}")).unwrap();
            assert_eq!(by_digest.asked_by(), DIGEST);
            assert_eq!(by_digest.to_string(), format!("{text}@{DIGEST}"));
        }
        let bare = Reference::of_argument(&format!("registry.example/a/noise@{DIGEST}")).unwrap();
        assert_eq!((bare.tag(), bare.short_name()), (None, "noise"));
        assert_eq!(bare.of_engines(), format!("registry.example/a/noise@{DIGEST}"));
        let there = |registry| bare.in_registry(registry).map(|of| of.of_engines());
        assert_eq!(there("localhost:5000"), Ok(format!("localhost:5000/a/noise@{DIGEST}")));
        assert_eq!(there("r.example/m/"), Ok(format!("r.example/m/a/noise@{DIGEST}")));
        assert_eq!(there("mirror"), Err(ReferenceError::Registry));
    }

    #[test]
    fn what_is_no_reference_is_told_why() {
        use ReferenceError::*;
        for (text, why) in [
            ("docker://registry.example/a:1", Scheme),
            ("oci://noise:1", Registry),
            ("oci://team/noise:1", Registry),
            ("oci://registry.example", Registry),
            ("oci:///a:1", Registry),
            ("oci://registry.example:0/a:1", Registry),
            ("oci://registry.example:+1/a:1", Registry),
            ("oci://registry..example/a:1", Registry),
            ("oci://1.2.3.256/a:1", Registry),
            ("oci://registry.example:x/a:1", Registry),
            ("oci://[::g]/a:1", Registry),
            ("oci://me:secret@registry.example/a:1", Credentials),
            ("oci://registry.example/:1", Repository),
            ("oci://registry.example/A:1", Repository),
            ("oci://registry.example/a//b:1", Repository),
            ("oci://registry.example/a._b:1", Repository),
            ("oci://registry.example/../b:1", Repository),
            ("oci://registry.example/a:", Tag),
            ("oci://registry.example/a:-x", Tag),
            ("oci://registry.example/a:1:2", Tag),
            ("oci://registry.example/a", Neither),
            ("oci://registry.example/a@sha256:1", Digest(NoDigest)),
            ("oci://registry.example/a:1@", Digest(NoDigest)),
        ] {
            assert_eq!(Reference::parse(text), Err(why), "{text}");
        }
        let long = format!("oci://registry.example/{}:1", "x".repeat(255));
        assert_eq!(Reference::parse(&long), Err(Repository));
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        let is_loopback = |registry: &str| {
            Reference::parse(&format!("oci://{registry}/a:1")).unwrap().is_loopback()
        };
        assert!(
            ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "127.9.9.9"]
                .into_iter()
                .all(is_loopback)
        );
        assert!(
            !["registry.example", "localhost.example", "10.0.0.1", "[::2]:5000"]
                .into_iter()
                .any(is_loopback)
        );
    }

    fn any_reference() -> impl Strategy<Value = Reference> {
        let registry = "[a-z][a-z0-9]{0,9}\\.[a-z]{2,5}(:[1-9][0-9]{0,3})?";
        let repository = "[a-z0-9]{1,6}([._-][a-z0-9]{1,6}){0,2}(/[a-z0-9]{1,6}){0,3}";
        let tag = prop::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}");
        let digest = prop::option::of(any::<[u8; 4]>().prop_map(|bytes| super::Digest::of(&bytes)));
        (registry, repository, tag, digest)
            .prop_filter("one of them", |(_, _, tag, digest)| tag.is_some() || digest.is_some())
            .prop_map(|(registry, repository, tag, digest)| Reference {
                registry,
                repository,
                tag,
                digest,
            })
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_what_it_was(reference in any_reference()) {
            prop_assert_eq!(Reference::parse(&reference.to_string()), Ok(reference.clone()));
            prop_assert_eq!(Reference::of_argument(&reference.of_engines()), Ok(reference));
        }

        #[test]
        fn no_text_makes_it_panic_and_what_it_takes_it_shows_as_it_was(text in ".{0,60}") {
            let text = format!("oci://{text}");
            if let Ok(reference) = Reference::parse(&text) {
                prop_assert_eq!(reference.to_string(), text);
            }
        }

        #[test]
        fn no_part_can_lead_elsewhere_in_a_url(text in "[a-z.:/@%?#\\[\\]1-9-]{0,40}") {
            if let Ok(reference) = Reference::parse(&format!("oci://{text}")) {
                let url = format!(
                    "https://{}/v2/{}/manifests/{}",
                    reference.registry(), reference.repository(), reference.asked_by()
                );
                let parsed: reqwest::Url = url.parse().unwrap();
                prop_assert_eq!(parsed.path(), &url[url.find("/v2").unwrap()..]);
            }
        }
    }
}
