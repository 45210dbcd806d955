//! `pipeline.toml`.
//!
//! - What is refused is refused with a place in the file for each mistake, in lines that nothing in
//!   the file has begun, and not in more of them than a person reads.
//! - What is taken is TOML, and written in TOML's other forms it means the same.

use std::path::Path;

use weir::internals::config::{Environment, parse};

use crate::heap;

/// A configuration's tree, and what is said of it.
const HEAP_BYTES: usize = 4 << 20;
/// A hundred mistakes, each in a line or some more.
const SHOWN_BYTES_MAX: usize = 128 << 10;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = Path::new("etc/pipeline.toml");
    let environment = Environment { cache: "/cache".into() };
    let parsed = heap::at_most(HEAP_BYTES + 2048 * text.len(), || parse(file, text, &environment));
    // No place counts a mark before the first character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match parsed {
        Ok(config) => {
            let table: toml::Table = toml::from_str(text).expect("what is taken is TOML");
            let written = toml::to_string(&table).unwrap();
            let again = parse(file, &written, &environment);
            let again = again.unwrap_or_else(|why| panic!("{why}\n{written}"));
            assert_eq!(config.settings, again.settings, "{written}");
        }
        Err(diagnostics) => {
            for diagnostic in diagnostics.iter() {
                let place = &diagnostic.location;
                let line = text.split('\n').nth(place.line - 1);
                let line = line.unwrap_or_else(|| panic!("no line {}", place.line));
                assert!((1..=line.chars().count() + 1).contains(&place.column), "{diagnostic}");
                assert!(!diagnostic.text.is_empty());
            }
            assert_shown(&diagnostics.to_string());
        }
    }
}

fn assert_shown(shown: &str) {
    assert!(shown.len() <= SHOWN_BYTES_MAX, "{} bytes", shown.len());
    for line in shown.lines() {
        assert!(line.starts_with("etc/pipeline.toml:") || line.starts_with(' '), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
