//! Which object a reference is to: one of those that are looked up, or none.
//!
//! Whoever may create events may write anything into them, and what is written there becomes a URL.
//! So a part that Kubernetes would not have names nothing.

use super::Resource;

/// No name of Kubernetes' is longer (a DNS subdomain).
const NAME_BYTES_MAX: usize = 253;

/// What an event says about its regarded object, or an owner reference about an owner.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reference<'a> {
    /// `apiVersion`; some reporters leave it out.
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
    /// Empty for what is in none.
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// Some reporters leave it out.
    pub(crate) uid: &'a str,
}

/// One object, as it is asked for and remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    /// Which of the configured resources.
    pub(super) resource: usize,
    pub(super) version: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Empty: whichever has the name now.
    pub(super) uid: String,
}

impl Address {
    /// Makes this the address of what is referred to, keeping its memory. `false`: that is not
    /// looked up, and this means nothing.
    pub(super) fn set(&mut self, resources: &[Resource], reference: Reference<'_>) -> bool {
        let Reference { api_version, kind, namespace, name, uid } = reference;
        let (group, version) = match api_version.rsplit_once('/') {
            Some((group, version)) => (Some(group), version),
            None if api_version.is_empty() => (None, ""),
            None => (Some(""), api_version),
        };
        let Some(index) = resources.iter().position(|resource| resource.is_of(group, kind)) else {
            return false;
        };
        let resource = &resources[index];
        let version = if version.is_empty() { resource.version() } else { version };
        let namespace = match resource.is_namespaced() {
            Some(false) => "",
            Some(true) if namespace.is_empty() => return false,
            _ => namespace,
        };
        let is_named = is_name(version)
            && is_name(name)
            && (namespace.is_empty() || is_name(namespace))
            && uid.len() <= NAME_BYTES_MAX;
        if !is_named {
            return false;
        }
        let uid = if resource.is_nodes() && uid == name { "" } else { uid };
        self.resource = index;
        for (part, text) in [
            (&mut self.version, version),
            (&mut self.namespace, namespace),
            (&mut self.name, name),
            (&mut self.uid, uid),
        ] {
            part.clear();
            part.push_str(text);
        }
        true
    }

    /// The URL to ask for it.
    pub(super) fn path(&self, resources: &[Resource]) -> String {
        resources[self.resource].path(&self.version, &self.namespace, &self.name)
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Address>()
            + self.version.len()
            + self.namespace.len()
            + self.name.len()
            + self.uid.len()
    }
}

/// Whether this can be one segment of a URL, and a name of Kubernetes':
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>
fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
        && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources() -> Vec<Resource> {
        ["pods", "nodes", "replicasets.apps"].map(|text| Resource::parse(text).unwrap()).into()
    }

    fn path(reference: Reference<'_>) -> Option<String> {
        let mut address = Address::default();
        address.set(&resources(), reference).then(|| address.path(&resources()))
    }

    const POD: Reference<'_> =
        Reference { api_version: "v1", kind: "Pod", namespace: "shop", name: "web-0", uid: "u" };

    #[test]
    fn only_what_is_listed_has_an_address() {
        assert_eq!(path(POD).unwrap(), "/api/v1/namespaces/shop/pods/web-0");
        let without_version = path(Reference { api_version: "", ..POD });
        assert_eq!(without_version.unwrap(), "/api/v1/namespaces/shop/pods/web-0");
        for other in [
            Reference::default(),
            Reference { kind: "Secret", ..POD },
            Reference { api_version: "apps/v1", ..POD },
            Reference { namespace: "", ..POD },
        ] {
            assert_eq!(path(other), None, "{other:?}");
        }
    }

    #[test]
    fn nothing_that_an_event_says_leads_to_another_url() {
        let long = "x".repeat(254);
        for text in ["..", ".", "", "a/b", "a?b", "a#b", "a%2fb", "a b", "ä", "\0", &long] {
            for hostile in [
                Reference { name: text, ..POD },
                Reference { namespace: text, name: if text.is_empty() { "/" } else { "a" }, ..POD },
            ] {
                assert_eq!(path(hostile), None, "{hostile:?}");
            }
            let version = format!("{text}/");
            let hostile = Reference { api_version: &version, ..POD };
            assert!(text.is_empty() || path(hostile).is_none(), "{hostile:?}");
        }
    }

    #[test]
    fn a_node_is_known_by_its_name_where_the_kubelet_writes_that_as_its_uid() {
        let node = Reference { kind: "Node", namespace: "", name: "n1", uid: "n1", ..POD };
        let mut address = Address::default();
        assert!(address.set(&resources(), node));
        assert_eq!(address.uid, "");
        assert!(address.set(&resources(), Reference { uid: "7f", ..node }));
        assert_eq!(address.uid, "7f");
    }
}
