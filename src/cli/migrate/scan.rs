//! Which regular expressions Go's `regexp` takes and reads as Rust's does, before Rust's parser is
//! asked: each takes what the other refuses, and reads some differently.
//! <https://pkg.go.dev/regexp/syntax>
//!
//! Invariant: what is called invalid here, Go refuses; what is called good, and Rust takes, means
//! the same in both. All the rest is not said.

use std::iter::Peekable;
use std::str::Chars;

use super::pattern::PatternError;

/// Letters behind a backslash that mean the same, or so many characters that there is no pattern.
const ESCAPES: &str = "aftnrvAzbBdDsSwWx";
const ESCAPES_IN_CLASSES: &str = "aftnrvdDsSwWx";
/// Flags that do.
const FLAGS: &str = "imsU-";

const ESCAPE: PatternError = PatternError::Inexpressible("an escape of Go's own");
const BRACES: PatternError = PatternError::Inexpressible("braces that count nothing");
const GROUP: PatternError = PatternError::Inexpressible("a group with names or flags of its own");
const CLASS: PatternError = PatternError::Inexpressible("a class with brackets or operators in it");

/// What stands in front of an operator that repeats.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Atom,
    Repeated,
    /// `(?i)`: Go repeats what is in front of that.
    Flags,
}

struct Scan<'e> {
    rest: Peekable<Chars<'e>>,
    before: Before,
    depth: usize,
}

/// Whether Go takes an expression, and reads it as Rust's parser would.
pub(super) fn check(expression: &str) -> Result<(), PatternError> {
    let rest = expression.chars().peekable();
    let mut scan = Scan { rest, before: Before::Nothing, depth: 0 };
    while let Some(c) = scan.rest.next() {
        match c {
            '*' | '+' | '?' => scan.repeat()?,
            '{' => {
                scan.count()?;
                scan.repeat()?;
            }
            '(' => scan.open()?,
            ')' => {
                scan.depth = scan.depth.checked_sub(1).ok_or(PatternError::Invalid)?;
                scan.before = Before::Atom;
            }
            '|' => scan.before = Before::Nothing,
            '[' => {
                scan.class()?;
                scan.before = Before::Atom;
            }
            '\\' => {
                scan.escape(ESCAPES)?;
                scan.before = Before::Atom;
            }
            _ => scan.before = Before::Atom,
        }
    }
    match scan.depth {
        0 => Ok(()),
        _ => Err(PatternError::Invalid),
    }
}

impl Scan<'_> {
    /// Behind an operator that repeats. Go refuses one on another.
    fn repeat(&mut self) -> Result<(), PatternError> {
        match self.before {
            Before::Nothing | Before::Repeated => return Err(PatternError::Invalid),
            Before::Flags => return Err(GROUP),
            Before::Atom => {}
        }
        self.before = Before::Repeated;
        // As few as possible: that matches the same texts.
        self.rest.next_if_eq(&'?');
        Ok(())
    }

    /// Behind a brace: `2}`, `2,}` or `2,3}`. All else is text to Go.
    fn count(&mut self) -> Result<(), PatternError> {
        let mut inner = String::new();
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => inner.push(c),
                _ => return Err(BRACES),
            }
        }
        let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
        let is_number = |text: &str| text == "0" || !text.starts_with('0');
        let is_count = !least.is_empty() && !most.contains(',');
        match is_count && is_number(least) && is_number(most) {
            true => Ok(()),
            false => Err(BRACES),
        }
    }

    /// Behind a parenthesis.
    fn open(&mut self) -> Result<(), PatternError> {
        self.before = Before::Nothing;
        if self.rest.next_if_eq(&'?').is_none() {
            self.depth += 1;
            return Ok(());
        }
        loop {
            match self.rest.next() {
                Some(':') => {
                    self.depth += 1;
                    return Ok(());
                }
                Some(')') => {
                    self.before = Before::Flags;
                    return Ok(());
                }
                Some(c) if FLAGS.contains(c) => {}
                _ => return Err(GROUP),
            }
        }
    }

    /// Behind a bracket, up to the one that closes the class.
    fn class(&mut self) -> Result<(), PatternError> {
        self.rest.next_if_eq(&'^');
        let mut last = match self.rest.next_if_eq(&']') {
            Some(_) => ']', // The first one is text.
            None => '[',
        };
        loop {
            let c = self.rest.next().ok_or(PatternError::Invalid)?;
            match c {
                ']' => return Ok(()),
                '[' => return Err(CLASS),
                '&' | '-' | '~' if c == last => return Err(CLASS),
                '\\' => self.escape(ESCAPES_IN_CLASSES)?,
                _ => {}
            }
            last = c;
        }
    }

    /// Behind a backslash.
    fn escape(&mut self, letters: &str) -> Result<(), PatternError> {
        let c = self.rest.next().ok_or(PatternError::Invalid)?;
        if c == 'x' && self.rest.next_if_eq(&'{').is_some() {
            return match self.rest.find(|c| !c.is_ascii_hexdigit()) {
                Some('}') => Ok(()),
                _ => Err(ESCAPE),
            };
        }
        match c.is_ascii_punctuation() || c == ' ' || letters.contains(c) {
            true => Ok(()),
            false => Err(ESCAPE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::migrate::pattern::{Text, patterns};

    /// What Go 1.26 says of each, by `regexp.Compile`.
    #[test]
    fn what_go_refuses_is_invalid() {
        for expression in [
            "a**", "a++", "a?*", "a*??", "a+?+", "a{2}{3}", "a{2}*", "a*{2}", "a{2,}*", "x**?",
            "x*+", "[a]**", "(a)**", r"\***", "[]]**", "^**", "prod-**", "a**|b", "*a", "+a", "?a",
            "|*", "(*a)", "a|*b", "(?:*)", "(?i:*", "{2}", "(a", "a)", "(?:", "[a", r"\", "[",
            "[]", "*test*", "*",
        ] {
            assert_eq!(
                patterns(expression, Text::OneLine),
                Err(PatternError::Invalid),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_go_takes_is_not() {
        for expression in [
            "a*?",
            "a??",
            "{x}",
            "a{",
            "a{x}",
            "unable {foo}",
            "{",
            "}",
            "a{,3}",
            "a{ 2 }",
            r"\Qa.b\E",
            r"\Q**\E",
            r"\Qa",
            "^*",
            "$*",
            "a]",
            "]",
            "[]a]",
            "[a-]",
            r"\z",
            r"\A",
            r"\<",
            r"\pN",
            r"\p{Greek}",
            r"\_",
            r"\-",
            r"\x{41}",
            r"\x41",
            "(?i)a",
            "(?U)a*",
            "(?P<n>a)",
            "(?P<n>a)(?P<n>b)",
            "(?<n>a)",
            "[[:alpha:]]",
            "[a&&b]",
            "[a~~b]",
            "[[a]b]",
            "[a[b]",
            "(?:)",
            "(|a)",
            "a||b",
            r"\d",
            r"\/",
            r"\ ",
            r"\&",
            r"\141",
            r"\0",
            "[**]",
            r"\**",
            "[*][*]",
            r"[\]**]",
            "[^]**]",
            r"\Qa\E*",
            "a(?i)*",
            "a{1}?",
            "a{01}{2}",
        ] {
            assert_ne!(
                patterns(expression, Text::OneLine),
                Err(PatternError::Invalid),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_rust_reads_differently_is_not_said() {
        for expression in [
            "a{,3}",
            "a{ 2 }",
            "[a&&b]",
            "[a--b]",
            "[a~~b]",
            "[[a]b]",
            r"\u0041",
            r"\U00000041",
            "(?x)a b",
            "(?u)a",
            "(?R)a",
            r"\p{Greek}",
            r"\x{41",
            "(?<n>a)",
            r"\<a",
            "a{01}",
        ] {
            let patterns = patterns(expression, Text::OneLine);
            assert!(matches!(patterns, Err(PatternError::Inexpressible(_))), "{expression}");
        }
    }
}
