//! Texts that come from a module, made fit to be shown.
//!
//! Invariant: whatever a module says, it cannot begin a line of its own in a log or a diagnostic,
//! nor move or colour what a terminal shows.

/// What stands before each further line of a text that keeps its lines.
const INDENT: &str = "\n    ";

/// A guest's text on one line.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect()
}

/// A guest's text with its line breaks, each further line indented; empty lines are left out.
pub(super) fn indented(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| printable(line).trim_end().to_owned()).collect::<Vec<_>>().join(INDENT)
}

/// Control characters, and those that end a line or turn the direction of writing.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_kept_only_where_they_cannot_be_taken_for_others() {
        let forged =
            "`keep` is wrong\r\n\n/etc/weir.toml:1:1: error: forged\u{1b}[31m\u{7}\u{202e}\n";
        assert_eq!(
            printable(forged),
            "`keep` is wrong   /etc/weir.toml:1:1: error: forged [31m   "
        );
        assert_eq!(indented(forged), "`keep` is wrong\n    /etc/weir.toml:1:1: error: forged [31m");
    }

    proptest! {
        #[test]
        fn every_further_line_is_indented(text in any::<String>()) {
            let shown = indented(&text);
            prop_assert!(shown.split('\n').skip(1).all(|line| line.starts_with("    ")));
            prop_assert!(shown.chars().all(|c| c == '\n' || !is_harmful(c)));
        }
    }
}
