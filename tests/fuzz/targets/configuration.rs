//! `pipeline.toml`.
//!
//! - What is refused is refused with a place in the file for each mistake, at moderate length.
//! - What is taken is TOML, and written in TOML's other forms it means the same.

use std::path::Path;

use weir::internals::config::{Environment, parse};

use crate::heap;

/// A configuration's tree, and what is said of it.
const HEAP_BYTES: usize = 4 << 20;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = Path::new("etc/pipeline.toml");
    let environment = Environment { cache: "/cache".into() };
    let parsed = heap::at_most(HEAP_BYTES + 2048 * text.len(), || parse(file, text, &environment));
    // Line breaks are not counted twice, and a mark before the first character not at all.
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
            let mut bytes = 0;
            for diagnostic in diagnostics.iter() {
                let place = &diagnostic.location;
                let line = text.split('\n').nth(place.line - 1);
                let line = line.unwrap_or_else(|| panic!("no line {}", place.line));
                assert!((1..=line.chars().count() + 1).contains(&place.column), "{diagnostic}");
                assert!(!diagnostic.text.is_empty());
                bytes += diagnostic.to_string().len();
            }
            assert!(bytes > 0 && bytes <= (64 << 10) + 512 * text.len(), "{bytes} bytes");
        }
    }
}
