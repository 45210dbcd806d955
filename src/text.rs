//! Text that others wrote (a server, an event, a module, the name of a file), made fit to be shown.
//! Pure.
//!
//! Constraint: only what is printed, logged or answered to a probe goes through here. What is
//! stored (documents, letters' sources) stays byte for byte.
//!
//! Invariants: what comes out of [`one_line`] and [`words`] has no line break, no control character
//! and none that turns the direction of writing, so it cannot begin a line that weir did not write,
//! nor move or colour what a terminal shows; and it is bounded, however long the text was. A
//! command that people are told to copy has foreign text as one [`shell_word`].

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// A line: of the log (its message, or one of its fields), of `/readyz`, of what a command prints.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 10;
/// What one server, module or library gives as its reason, inside a line that says what to do, too.
pub(crate) const REASON_BYTES_MAX: usize = 1 << 10;
/// Lines of a text that may have several.
const BLOCK_LINES_MAX: usize = 50;
/// What stands before each further line of such a text.
const INDENT: &str = "    ";

/// The text on one line: what would end the line, or steer a terminal, is shown as an escape, and
/// what is longer than `bytes_max` ends in an ellipsis. A longer one is not even formatted to its
/// end.
pub(crate) fn one_line(text: impl Display, bytes_max: usize) -> String {
    let mut line = Line { out: String::new(), bytes_max, is_full: false };
    // Full is the only error there is.
    let _ = write!(line, "{text}");
    line.out
}

/// The same with single spaces for whatever white space there is, line breaks included.
pub(crate) fn words(text: &str, bytes_max: usize) -> String {
    let mut line = Line { out: String::new(), bytes_max, is_full: false };
    for (number, word) in text.split_whitespace().enumerate() {
        let gap = if number > 0 { " " } else { "" };
        if write!(line, "{gap}{word}").is_err() {
            break;
        }
    }
    line.out
}

/// A text of several lines: each is made fit as [`one_line`] does, each but the first is indented,
/// so that it cannot be taken for one that weir begins, and empty ones are left out.
pub(crate) fn block(text: impl Display) -> String {
    let text = text.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut out = String::new();
    for line in lines.by_ref().take(BLOCK_LINES_MAX) {
        if !out.is_empty() {
            out.push('\n');
            out.push_str(if line.starts_with(' ') { "" } else { INDENT });
        }
        out += &one_line(line.trim_end(), LINE_BYTES_MAX);
    }
    match lines.count() {
        0 => out,
        more => format!("{out}\n{INDENT}and {more} more lines"),
    }
}

/// The first of some things, and how many more there are: `a, b and 7 more`.
pub(crate) fn first<T: Display>(items: impl IntoIterator<Item = T>, shown_max: usize) -> String {
    let mut items = items.into_iter();
    let shown: Vec<String> = items.by_ref().take(shown_max).map(|item| item.to_string()).collect();
    match items.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A text of at most so many bytes.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// JSON of the same meaning on one line, in which every harmful character is an escape. `json` is
/// valid JSON.
pub(crate) fn json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for c in json.chars() {
        match c {
            '"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = in_string && c == '\\' && !is_escaped;
        match is_harmful(c) {
            true if in_string => json_escape(c, &mut out),
            // White space between tokens.
            true => out.push(' '),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A harmful character as a string of JSON may have it. All of them are of the basic plane.
pub(crate) fn json_escape(c: char, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// The text as one word of a shell's command line, whatever it holds: a command with it does
/// nothing but what it says. Control characters are escapes, in the quotes that bash, zsh and
/// POSIX.1-2024 have for them.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+:,./-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.contains(is_harmful) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => word.extend(['\\', c]),
            c if is_harmful(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Three digits: nothing that follows can be taken for another one.
                    let _ = write!(word, "\\{byte:03o}");
                }
            }
            c => word.push(c),
        }
    }
    word.push('\'');
    word
}

/// Control characters (C0, DEL and C1), those that end a line or mark the direction of writing
/// (<https://unicode.org/reports/tr9/>), and those of format that are not to be seen.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// What is written to it, made harmless, until it is full.
struct Line {
    out: String,
    bytes_max: usize,
    is_full: bool,
}

impl Line {
    fn push(&mut self, shown: &str) -> fmt::Result {
        if self.is_full || self.out.len() + shown.len() > self.bytes_max {
            if !std::mem::replace(&mut self.is_full, true) {
                self.out.push('…');
            }
            return Err(fmt::Error);
        }
        self.out.push_str(shown);
        Ok(())
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = [0; 4];
        text.chars().try_for_each(|c| {
            if is_harmful(c) {
                self.push(&c.escape_default().to_string())
            } else {
                self.push(c.encode_utf8(&mut bytes))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_forge_a_line_or_steer_a_terminal_is_shown_and_not_sent() {
        let hostile = "a\r\nsink: ok\u{1b}[2J\u{9b}31m\u{7f}\u{202e}b\u{2028}\u{61c}ü";
        assert_eq!(
            one_line(hostile, 200),
            "a\\r\\nsink: ok\\u{1b}[2J\\u{9b}31m\\u{7f}\\u{202e}b\\u{2028}\\u{61c}ü"
        );
        assert_eq!(words(" a\r\n \tb\u{7}c \n", 200), r"a b\u{7}c");
    }

    #[test]
    fn what_is_too_long_is_cut_and_not_formatted_to_its_end() {
        struct Endless;
        impl Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("ab")?;
                }
            }
        }
        assert_eq!(one_line(Endless, 5), "ababa…");
        assert_eq!(one_line("abcde", 5), "abcde");
        assert_eq!(one_line("abcdü", 5), "abcd…");
        assert_eq!(words("abc  def ghi", 8), "abc def …");
        assert_eq!(cut("abcdü".into(), 5), "abcd");
    }

    #[test]
    fn lines_are_kept_only_where_they_cannot_be_taken_for_others() {
        let forged = "`keep` is wrong\r\n\n/etc/weir.toml:1:1: error: forged\u{1b}[31m\n  b\n";
        assert_eq!(
            block(forged),
            "`keep` is wrong\n    /etc/weir.toml:1:1: error: forged\\u{1b}[31m\n  b"
        );
        let many = block("x\n".repeat(BLOCK_LINES_MAX + 3));
        assert_eq!(many.lines().count(), BLOCK_LINES_MAX + 1);
        assert!(many.ends_with("\n    and 3 more lines"), "{many}");
    }

    #[test]
    fn of_many_things_the_first_are_named_and_the_others_counted() {
        assert_eq!(first(["a"], 2), "a");
        assert_eq!(first(["a", "b"], 2), "a, b");
        assert_eq!(first(0..1000, 2), "0, 1 and 998 more");
        assert_eq!(first([""; 0], 2), "");
    }

    #[test]
    fn a_word_for_a_shell_is_quoted_as_far_as_it_must_be() {
        let user = "system:serviceaccount:weir:weir";
        assert_eq!(shell_word(user), user);
        assert_eq!(shell_word("x; rm -rf ~ #"), "'x; rm -rf ~ #'");
        assert_eq!(shell_word("a'b`c$(d)"), r"'a'\''b`c$(d)'");
        assert_eq!(shell_word("a\nb'\u{9b}1"), r"$'a\012b\'\302\2331'");
        assert_eq!(shell_word(""), "''");
    }

    /// Harmful characters more often than chance has them.
    fn hostile() -> impl Strategy<Value = String> {
        let harmful = prop::sample::select(vec![
            '\n', '\r', '\t', '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{61c}', '\u{200e}',
            '\u{2028}', '\u{202e}', '\u{2069}', '\u{feff}', '"', '\\', '\'', '$', ';', ' ',
        ]);
        prop::collection::vec(prop_oneof![any::<char>(), harmful], 0..60)
            .prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_shell_reads_the_word_as_the_text_and_as_one_word(text in hostile()) {
            // No argument can hold it.
            let text = text.replace('\0', "");
            let command = format!("printf %s {}", shell_word(&text));
            prop_assert!(!command.contains(is_harmful));
            let said = std::process::Command::new("bash").args(["-c", &command]).output().unwrap();
            prop_assert_eq!(said.stdout, text.into_bytes());
        }
    }

    proptest! {
        #[test]
        fn whatever_the_text_is_what_is_shown_is_one_harmless_line_of_bounded_length(
            text in hostile(), bytes_max in 0usize..200,
        ) {
            for shown in [one_line(&text, bytes_max), words(&text, bytes_max)] {
                prop_assert!(!shown.contains(is_harmful), "{shown:?}");
                prop_assert!(shown.len() <= bytes_max + '…'.len_utf8());
            }
            if !text.contains(is_harmful) && text.len() <= bytes_max {
                prop_assert_eq!(one_line(&text, bytes_max), text);
            }
        }

        #[test]
        fn every_further_line_is_indented(text in hostile()) {
            let shown = block(&text);
            prop_assert!(shown.split('\n').skip(1).all(|line| line.starts_with(' ')));
            prop_assert!(shown.chars().all(|c| c == '\n' || !is_harmful(c)));
        }

        #[test]
        fn json_keeps_its_meaning_and_has_nothing_harmful(key in hostile(), value in hostile()) {
            let object = serde_json::json!({ key: [value, 1.5, null] });
            for text in [object.to_string(), format!("{object:#}")] {
                let shown = json(&text);
                prop_assert!(!shown.contains(is_harmful), "{shown:?}");
                let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
                prop_assert_eq!(&read, &object);
            }
        }
    }
}
