//! A pattern of `match`, for a whole text: `*` stands for any characters, line breaks too, `?` for
//! one. Nothing else is special, and nothing escapes these two.
//!
//! Constraints: nothing is allocated, and a text is read once for each part between two `*`, so
//! that no event can make a pattern slow. (A part with `?` behind a `*` is tried at each
//! character.)

use memchr::memmem::Finder;

/// One pattern, ready to be matched.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    /// `None`: it has neither `*` nor `?`.
    glob: Option<Glob>,
}

/// The parts between the `*`.
#[derive(Clone, Debug)]
struct Glob {
    /// What the text begins with.
    first: Part,
    /// What follows somewhere, in this order.
    middle: Vec<Part>,
    /// What it ends with; `None` where there is no `*`: then it ends where `first` does.
    last: Option<Part>,
}

/// Characters and `?`.
#[derive(Clone, Debug)]
enum Part {
    Literal(Box<Finder<'static>>),
    Wild { text: Vec<u8>, characters: usize },
}

impl Pattern {
    /// Any text is one.
    pub(super) fn new(text: String) -> Pattern {
        let glob = text.contains(['*', '?']).then(|| Glob::new(&text));
        Pattern { text, glob }
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is for this text, which is UTF-8.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        match &self.glob {
            None => self.text.as_bytes() == text,
            Some(glob) => glob.matches(text),
        }
    }
}

/// The rest is made of the text.
impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Glob {
    fn new(text: &str) -> Glob {
        let mut parts = text.split('*');
        let first = Part::new(parts.next().unwrap_or_default());
        let last = parts.next_back().map(Part::new);
        let middle = parts.filter(|part| !part.is_empty()).map(Part::new).collect();
        Glob { first, middle, last }
    }

    /// The first place for each part is the right one: it leaves most to the others.
    fn matches(&self, text: &[u8]) -> bool {
        let Some(mut rest) = self.first.behind(text) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        for part in &self.middle {
            match part.behind_first(rest) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        last.ends(rest)
    }
}

impl Part {
    fn new(text: &str) -> Part {
        match text.contains('?') {
            false => Part::Literal(Box::new(Finder::new(text.as_bytes()).into_owned())),
            true => Part::Wild { text: text.into(), characters: text.chars().count() },
        }
    }

    /// What stands behind it in a text that begins with it.
    fn behind<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        match self {
            Part::Literal(literal) => text.strip_prefix(literal.needle()),
            Part::Wild { text: wild, .. } => wild.iter().try_fold(text, |text, byte| match byte {
                b'?' => behind_character(text),
                byte => text.strip_prefix(std::slice::from_ref(byte)),
            }),
        }
    }

    /// What stands behind the first place where it is in the text.
    fn behind_first<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        match self {
            Part::Literal(literal) => {
                literal.find(text).map(|at| &text[at + literal.needle().len()..])
            }
            Part::Wild { .. } => std::iter::successors(Some(text), |text| behind_character(text))
                .find_map(|text| self.behind(text)),
        }
    }

    /// Whether the text ends with it.
    fn ends(&self, text: &[u8]) -> bool {
        match self {
            Part::Literal(literal) => text.ends_with(literal.needle()),
            Part::Wild { characters, .. } => {
                let starts = text.iter().enumerate().rev().filter(|(_, byte)| is_start(**byte));
                let start = starts.map(|(at, _)| at).nth(characters.saturating_sub(1));
                start.and_then(|at| self.behind(&text[at..])).is_some_and(<[u8]>::is_empty)
            }
        }
    }
}

/// The text without its first character.
fn behind_character(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = text.split_first()?;
    let end = rest.iter().position(|byte| is_start(*byte)).unwrap_or(rest.len());
    Some(&rest[end..])
}

/// Whether a character of UTF-8 begins with this byte.
fn is_start(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern.to_owned()).matches(text.as_bytes())
    }

    #[test]
    fn a_pattern_is_for_the_whole_text() {
        for (pattern, text) in [
            ("", ""),
            ("Pulled", "Pulled"),
            ("*", ""),
            ("*", "any\nthing"),
            ("kube-*", "kube-system"),
            ("kube-*", "kube-"),
            ("*-system", "kube-system"),
            ("*Xid*", "GPU 3: Xid 94"),
            ("a*b*c", "a-b-b-c"),
            ("a**c", "abc"),
            ("web-?", "web-ü"),
            ("?", "\n"),
            ("*?", "é"),
            ("*-??", "web-é1"),
            ("*b?d*", "aabcbxde"),
        ] {
            assert!(matches(pattern, text), "{pattern:?} {text:?}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("Pulled", "pulled"),
            ("Pulled", "Pulled "),
            ("kube-*", "a-kube-system"),
            ("*-system", "kube-systems"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("?", ""),
            ("?", "ab"),
            ("??", "é"),
            ("*?", ""),
            ("*b?d", "bcdd"),
            (r"\*", "*"),
        ] {
            assert!(!matches(pattern, text), "{pattern:?} {text:?}");
        }
    }

    /// The same, tried in every way that there is.
    fn model(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', pattern @ ..] => (0..=text.len()).any(|at| model(pattern, &text[at..])),
            ['?', pattern @ ..] => !text.is_empty() && model(pattern, &text[1..]),
            [one, pattern @ ..] => text.first() == Some(one) && model(pattern, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn it_matches_what_the_model_matches(pattern in "[ab\u{e9}\u{1f600}?*]{0,8}", text in "[ab\u{e9}\u{1f600}\n]{0,10}") {
            let [of, in_text] = [&pattern, &text].map(|text| text.chars().collect::<Vec<_>>());
            prop_assert_eq!(matches(&pattern, &text), model(&of, &in_text));
        }

        #[test]
        fn text_without_wildcards_matches_itself_alone(pattern in "[a-c\\\\]{0,3}", text in "[a-c\\\\]{0,3}") {
            prop_assert_eq!(matches(&pattern, &text), pattern == text);
        }
    }
}
