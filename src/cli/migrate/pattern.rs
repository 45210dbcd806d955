//! From the exporter's regular expressions to weir's patterns, which are for the whole text and
//! know `*` and `?` alone.
//!
//! Invariant: what comes out matches exactly what the expression does, in texts of the kind that it
//! is for; an expression that cannot be said so is refused.

use regex_syntax::hir::{Class, Dot, Hir, HirKind, Look};

use super::{scan, variables};

/// One expression becomes so many patterns at most.
const PATTERNS_MAX: usize = 64;
/// A class of so many characters becomes as many patterns.
const CLASS_MAX: usize = 8;
/// Of `x{2,5}`.
const REPETITIONS_MAX: u32 = 8;
/// Go has no expression that repeats something more often than that, by all its repetitions.
const PIECES_MAX: usize = 1000;

/// What an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// A text without line breaks: a name, a reason; or one of which too much may be found.
    OneLine,
    /// A text that may have some, at which `.` stops, and `*` and `?` do not.
    Lines,
}

/// Why there is no pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// The exporter could not read the expression, and so it never matched.
    Invalid,
    /// weir has no such pattern, and why.
    Inexpressible(&'static str),
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    One(char),
    Any(Reach),
    Many(Reach),
    /// Any number of something: where anything may follow or stand before, that is nothing.
    More,
    Start,
    End,
}

/// What a `.` matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// All but a line break.
    Line,
    /// With the flag `s`: any character.
    All,
}

type Pieces = Vec<Piece>;

/// The patterns that together match what a regular expression of Go finds in such a text.
pub(super) fn patterns(expression: &str, text: Text) -> Result<Vec<String>, PatternError> {
    if variables::are_in(expression) {
        return Err(PatternError::Inexpressible("variables of the environment"));
    }
    scan::check(expression)?;
    let hir = regex_syntax::ParserBuilder::new().build().parse(expression);
    // Go may take it.
    let hir = hir.map_err(|_| PatternError::Inexpressible("what only Go's expressions have"))?;
    let mut patterns = Vec::new();
    for pieces in expand(&hir)? {
        let pattern = written(&pieces, text)?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

fn expand(hir: &Hir) -> Result<Vec<Pieces>, PatternError> {
    let one = |pieces: Pieces| Ok(vec![pieces]);
    match hir.kind() {
        HirKind::Empty => one(Vec::new()),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0);
            let text = text.map_err(|_| PatternError::Inexpressible("bytes that are no text"))?;
            one(text.chars().map(Piece::One).collect())
        }
        HirKind::Look(Look::Start) => one(vec![Piece::Start]),
        HirKind::Look(Look::End) => one(vec![Piece::End]),
        HirKind::Look(_) => Err(PatternError::Inexpressible("borders of words and lines")),
        HirKind::Class(class) => match reach(hir) {
            Some(reach) => one(vec![Piece::Any(reach)]),
            None => expand_class(class),
        },
        HirKind::Capture(capture) => expand(&capture.sub),
        HirKind::Concat(parts) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                all = product(&all, &expand(part)?)?;
            }
            Ok(all)
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(expand(part)?);
                check_count(&all)?;
            }
            Ok(all)
        }
        HirKind::Repetition(repetition) => {
            match (repetition.min, repetition.max, reach(&repetition.sub)) {
                (min, None, Some(reach)) if min <= REPETITIONS_MAX => {
                    let mut pieces = vec![Piece::Any(reach); min as usize];
                    pieces.push(Piece::Many(reach));
                    one(pieces)
                }
                (min, Some(max), _) if max <= REPETITIONS_MAX => {
                    let sub = expand(&repetition.sub)?;
                    let (mut all, mut times) = (Vec::new(), vec![Vec::new()]);
                    for count in 0..=max {
                        if count >= min {
                            all.extend(times.iter().cloned());
                        }
                        times = product(&times, &sub)?;
                    }
                    check_count(&all)?;
                    Ok(all)
                }
                (0, None, _) => one(vec![Piece::More]),
                (1, None, _) => product(&expand(&repetition.sub)?, &[vec![Piece::More]]),
                _ => Err(PatternError::Inexpressible("a repetition without end")),
            }
        }
    }
}

/// What it matches, if it is a `.`.
fn reach(hir: &Hir) -> Option<Reach> {
    let dots = [(Dot::AnyCharExceptLF, Reach::Line), (Dot::AnyChar, Reach::All)];
    dots.into_iter().find(|(dot, _)| *hir == Hir::dot(*dot)).map(|(_, reach)| reach)
}

fn expand_class(class: &Class) -> Result<Vec<Pieces>, PatternError> {
    let Class::Unicode(class) = class else {
        return Err(PatternError::Inexpressible("bytes that are no text"));
    };
    let characters = class.iter().flat_map(|range| range.start()..=range.end());
    let pieces: Vec<Pieces> = characters.take(CLASS_MAX + 1).map(|c| vec![Piece::One(c)]).collect();
    match pieces.len() > CLASS_MAX {
        true => Err(PatternError::Inexpressible("a class of many characters")),
        false => Ok(pieces),
    }
}

fn product(heads: &[Pieces], tails: &[Pieces]) -> Result<Vec<Pieces>, PatternError> {
    let mut all = Vec::new();
    for head in heads {
        all.extend(tails.iter().map(|tail| [head.as_slice(), tail].concat()));
        check_count(&all)?;
    }
    Ok(all)
}

fn check_count(all: &[Pieces]) -> Result<(), PatternError> {
    if all.len() > PATTERNS_MAX {
        return Err(PatternError::Inexpressible("more than 64 alternatives"));
    }
    match all.iter().any(|pieces| pieces.len() > PIECES_MAX) {
        true => Err(PatternError::Inexpressible("more than 1000 characters")),
        false => Ok(()),
    }
}

fn written(pieces: &[Piece], text: Text) -> Result<String, PatternError> {
    let starts = pieces.iter().take_while(|piece| **piece == Piece::Start).count();
    let ends = pieces.iter().rev().take_while(|piece| **piece == Piece::End).count();
    let mut inner = pieces.get(starts..pieces.len() - ends).unwrap_or_default();
    // Anything, line breaks too, may stand in front of what need not begin the text.
    while let (0, [Piece::More | Piece::Many(_), rest @ ..]) = (starts, inner) {
        inner = rest;
    }
    while let (0, [rest @ .., Piece::More | Piece::Many(_)]) = (ends, inner) {
        inner = rest;
    }
    let mut pattern = String::new();
    if starts == 0 {
        pattern.push('*');
    }
    for piece in inner {
        match piece {
            Piece::One('*' | '?') => {
                return Err(PatternError::Inexpressible("the characters * and ? themselves"));
            }
            Piece::One(c) => pattern.push(*c),
            Piece::Any(Reach::Line) | Piece::Many(Reach::Line) if text == Text::Lines => {
                return Err(PatternError::Inexpressible("a . that stops at a line break"));
            }
            Piece::Any(_) => pattern.push('?'),
            Piece::Many(_) if pattern.ends_with('*') => {}
            Piece::Many(_) => pattern.push('*'),
            Piece::More => {
                return Err(PatternError::Inexpressible("a repetition without end"));
            }
            Piece::Start | Piece::End => {
                return Err(PatternError::Inexpressible("an anchor in its middle"));
            }
        }
    }
    if ends == 0 && !pattern.ends_with('*') {
        pattern.push('*');
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(expression: &str) -> Vec<String> {
        patterns(expression, Text::OneLine)
            .unwrap_or_else(|error| panic!("{expression}: {error:?}"))
    }

    #[test]
    fn an_expression_becomes_patterns_for_the_whole_text() {
        assert_eq!(of("kube-system"), ["*kube-system*"]);
        assert_eq!(of("^kube-system$"), ["kube-system"]);
        assert_eq!(of("^kube-.*"), ["kube-*"]);
        assert_eq!(of("Pod|Deployment|^Job$"), ["*Pod*", "*Deployment*", "Job"]);
        assert_eq!(of("^(a|b)-(c|d)$"), ["a-c", "a-d", "b-c", "b-d"]);
        assert_eq!(of("^v1\\.2.$"), ["v1.2?"]);
        assert_eq!(of("^a.+b$"), ["a?*b"]);
        assert_eq!(of("^[Ff]ailed$"), ["Failed", "failed"]);
        assert_eq!(of("^https?$"), ["http", "https"]);
        assert_eq!(of("kube-*"), ["*kube*"], "any number of dashes is none, too");
        assert_eq!(of(""), ["*"]);
        assert_eq!(of("^$"), [""]);
    }

    #[test]
    fn what_cannot_be_said_as_a_pattern_is_refused() {
        for expression in [
            r"\d+",
            "(?i)abcdefgh",
            "^a-*b$",
            r"\bx",
            "a^b",
            r"a\*b",
            "[a-z]",
            "unable {foo}",
            r"\Qa.b\E",
            "^${TEAM}$",
            "a{1,3}(((b{8}){8}){8}){8}",
        ] {
            assert!(is_inexpressible(expression, Text::OneLine), "{expression}");
        }
    }

    fn is_inexpressible(expression: &str, text: Text) -> bool {
        matches!(patterns(expression, text), Err(PatternError::Inexpressible(_)))
    }

    #[test]
    fn a_dot_stops_at_a_line_break_where_there_may_be_one() {
        for expression in ["^Failed.*denied$", "Failed.*denied", "^.*a", "a.*$", "a.b", ".+a"] {
            assert!(is_inexpressible(expression, Text::Lines), "{expression}");
            assert!(!is_inexpressible(expression, Text::OneLine), "{expression}");
        }
        for (expression, expected) in
            [(".*denied.*", "*denied*"), ("(?s)^Failed.*denied$", "Failed*denied"), (".*", "*")]
        {
            assert_eq!(patterns(expression, Text::Lines).unwrap(), [expected]);
        }
    }

    /// Whether a pattern of weir's matches, as docs/configuration.md#what-a-stage-sees says.
    fn matches(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                matches(&pattern[1..], text) || (!text.is_empty() && matches(pattern, &text[1..]))
            }
            (Some('?'), Some(_)) => matches(&pattern[1..], &text[1..]),
            (Some(p), Some(t)) => p == t && matches(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        /// Of what Go and Rust read in the same way: `scan` refuses the rest.
        #[test]
        fn the_patterns_match_what_the_expression_does(
            parts in prop::collection::vec(prop::sample::select(vec![
                "a", "b", "-", ".", ".*", ".+", "(a|b)", "b?", "[ab]", "a*", "|", "^", "$", "a{1,2}",
                "(?s)", "(?:.b)?", "\n",
            ]), 1..6),
            text in "[ab\n-]{0,6}",
        ) {
            let expression = parts.concat();
            let Ok(patterns) = patterns(&expression, Text::Lines) else { return Ok(()) };
            let Ok(regex) = regex::Regex::new(&expression) else { return Ok(()) };
            let text_chars: Vec<char> = text.chars().collect();
            let found = patterns.iter().any(|pattern| {
                matches(&pattern.chars().collect::<Vec<_>>(), &text_chars)
            });
            prop_assert_eq!(found, regex.is_match(&text), "{} {:?} {}", expression, patterns, text);
        }
    }
}
