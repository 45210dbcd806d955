//! `resourceVersion`: how two of them compare.
//!
//! Versions of one resource type are integers that only grow, and may be compared as such
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>). An API server that
//! stores in something else may use other strings: those are sent back as they came and never
//! compared.

/// A `resourceVersion`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// An integer.
    Number(u64),
    /// Anything else: a watch can begin from it, and that is all it is good for.
    Opaque(String),
}

impl Version {
    /// Reads a version; `None` for the empty one, which means that there is none.
    pub(super) fn parse(text: &str) -> Option<Version> {
        let canonical = !text.is_empty() && !text.starts_with(['0', '+']);
        match text.parse() {
            Ok(number) if canonical => Some(Version::Number(number)),
            _ if text.is_empty() => None,
            _ => Some(Version::Opaque(text.to_owned())),
        }
    }

    /// The integer, where it is one.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Version::Number(number) => Some(*number),
            Version::Opaque(_) => None,
        }
    }

    /// Whether a watch may be at this version after it was at `other`: a number is followed only by
    /// numbers that are not below it. Anything else would hide that a later number is.
    pub(super) fn may_follow(&self, other: &Version) -> bool {
        match other {
            Version::Number(_) => self.number() >= other.number(),
            Version::Opaque(_) => true,
        }
    }

    /// Whether this is known to be older than `other`.
    pub(super) fn is_below(&self, other: &Version) -> bool {
        matches!((self, other), (Version::Number(a), Version::Number(b)) if a < b)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Version::Number(number) => write!(f, "{number}"),
            Version::Opaque(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_compared() {
        assert_eq!(Version::parse("41"), Some(Version::Number(41)));
        assert_eq!(Version::parse(""), None);
        for other in ["041", "+41", "0", "v41", "18446744073709551616"] {
            assert_eq!(Version::parse(other), Some(Version::Opaque(other.into())), "{other}");
        }
        assert!(Version::Number(9).is_below(&Version::Number(10)));
        assert!(!Version::Opaque("9".into()).is_below(&Version::Number(10)));
    }

    #[test]
    fn a_number_is_followed_by_no_lower_one_and_by_nothing_else() {
        let [nine, ten] = [Version::Number(9), Version::Number(10)];
        let [text, other] = ["x", "y"].map(|text| Version::Opaque(text.into()));
        let follow = [(&ten, &nine), (&nine, &nine), (&text, &other), (&nine, &text)];
        assert!(follow.iter().all(|(next, last)| next.may_follow(last)));
        assert!(!nine.may_follow(&ten) && !text.may_follow(&nine));
    }
}
