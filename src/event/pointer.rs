//! JSON pointers (RFC 6901) and the pointers that no module may edit.
//!
//! A pointer is checked once and then walked step by step; nothing is allocated but for a step with
//! a `~` escape. Protected pointers are compared step by step, decoded, so no spelling passes by
//! them.

use std::borrow::Cow;

/// A pointer of valid syntax.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pointer<'p> {
    /// Without its first `/`; `None` is the empty pointer, the whole document.
    rest: Option<&'p str>,
    len: usize,
    /// Whether a step has an escape.
    is_escaped: bool,
}

impl<'p> Pointer<'p> {
    /// Checks the syntax; the error says what is wrong with it.
    pub(super) fn parse(text: &'p str) -> Result<Pointer<'p>, &'static str> {
        if text.is_empty() {
            return Ok(Pointer { rest: None, len: 0, is_escaped: false });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err("it does not begin with `/`");
        };
        let bytes = rest.as_bytes();
        // Byte by byte: pointers are short, and a search by vectors begins slowly. So do the steps.
        let (mut len, mut is_escaped) = (1, false);
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'/' => len += 1,
                b'~' if !matches!(bytes.get(at + 1), Some(b'0' | b'1')) => {
                    return Err("a `~` must be followed by `0` or `1`");
                }
                b'~' => is_escaped = true,
                _ => {}
            }
        }
        Ok(Pointer { rest: Some(rest), len, is_escaped })
    }

    /// The decoded steps from the root.
    pub(super) fn steps(self) -> impl Iterator<Item = Cow<'p, str>> {
        let mut rest = self.rest;
        std::iter::from_fn(move || {
            let text = rest?;
            let (step, behind) = match text.bytes().position(|byte| byte == b'/') {
                Some(at) => (&text[..at], Some(&text[at + 1..])),
                None => (text, None),
            };
            rest = behind;
            Some(if self.is_escaped { decode(step) } else { Cow::Borrowed(step) })
        })
    }

    /// How many steps: how deep the value lies.
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The protected pointer that this one equals, is a prefix of, or extends.
    ///
    /// Protected is what weir's guarantees rest on (docs/modules.md#reading-and-editing): the
    /// object's identity, what it is about, its times, and weir's own members. The empty pointer is
    /// not asked about: it is no edit.
    pub(super) fn protected(self) -> Option<&'static str> {
        let mut steps = self.steps();
        let root = steps.next()?;
        Some(match &*root {
            "apiVersion" => "/apiVersion",
            "kind" => "/kind",
            "firstTimestamp" => "/firstTimestamp",
            "lastTimestamp" => "/lastTimestamp",
            "eventTime" => "/eventTime",
            "series" => "/series",
            "@timestamp" => "/@timestamp",
            "clusterName" => "/clusterName",
            "weir" => "/weir",
            "metadata" => match steps.next().as_deref() {
                None | Some("uid") => "/metadata/uid",
                Some("resourceVersion") => "/metadata/resourceVersion",
                Some("name") => "/metadata/name",
                Some("namespace") => "/metadata/namespace",
                Some("creationTimestamp") => "/metadata/creationTimestamp",
                Some("managedFields") => "/metadata/managedFields",
                Some(_) => return None,
            },
            "involvedObject" => match steps.next().as_deref() {
                None | Some("kind") => "/involvedObject/kind",
                Some("namespace") => "/involvedObject/namespace",
                Some("name") => "/involvedObject/name",
                Some("uid") => "/involvedObject/uid",
                Some(_) => return None,
            },
            _ => return None,
        })
    }
}

/// A step as an array's index: digits without leading zeros. A number beyond `usize` is past any
/// end.
pub(super) fn array_index(step: &str) -> Option<usize> {
    let digits = !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit());
    if !digits || (step.len() > 1 && step.starts_with('0')) {
        return None;
    }
    Some(step.parse().unwrap_or(usize::MAX))
}

fn decode(step: &str) -> Cow<'_, str> {
    // In this order, so that `~01` becomes `~1` (RFC 6901 section 4).
    Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<String> {
        Pointer::parse(text).unwrap().steps().map(Cow::into_owned).collect()
    }

    #[test]
    fn steps_are_decoded_as_rfc_6901_says() {
        assert!(steps("").is_empty());
        assert_eq!(steps("/"), [""]);
        assert_eq!(steps("/foo/0"), ["foo", "0"]);
        assert_eq!(steps("/a~1b/m~0n/~01"), ["a/b", "m~n", "~1"]);
        assert_eq!(steps("//é/"), ["", "é", ""]);
        assert_eq!(Pointer::parse("/a//b").unwrap().len(), 3);
    }

    #[test]
    fn bad_syntax_is_an_error() {
        for bad in ["a", "a/b", "#/a", "/a~", "/a~2", "/~/x", "/~~0"] {
            assert!(Pointer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_protected_pointer_its_parents_and_its_children_are_protected() {
        let of = |text: &str| Pointer::parse(text).unwrap().protected();
        let metadata =
            ["uid", "resourceVersion", "name", "namespace", "creationTimestamp", "managedFields"];
        let regarded = ["kind", "namespace", "name", "uid"];
        let times = ["firstTimestamp", "lastTimestamp", "eventTime", "series"];
        let own = ["apiVersion", "kind", "@timestamp", "clusterName", "weir"];
        let under = |root: &str, key: &str| format!("{root}/{key}");
        let mut all: Vec<_> = metadata.map(|key| under("/metadata", key)).to_vec();
        all.extend(regarded.map(|key| under("/involvedObject", key)));
        all.extend(times.iter().chain(&own).map(|key| under("", key)));
        for text in all {
            assert_eq!(of(&text), Some(text.as_str()));
            assert_eq!(of(&format!("{text}/x/y")), Some(text.as_str()));
        }
        assert_eq!(of("/metadata"), Some("/metadata/uid"));
        assert_eq!(of("/involvedObject"), Some("/involvedObject/kind"));
        let free = [
            "/metadata/labels",
            "/metadata/",
            "/involvedObject/fieldPath",
            "/kin",
            "/kind2",
            "/",
            "/type",
        ];
        for text in free {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn array_indices_have_no_leading_zeros() {
        assert_eq!(array_index("0"), Some(0));
        assert_eq!(array_index("10"), Some(10));
        assert_eq!(array_index("99999999999999999999999"), Some(usize::MAX));
        for bad in ["", "-", "01", "+1", "-1", "1e0", "١"] {
            assert_eq!(array_index(bad), None, "{bad}");
        }
    }
}
