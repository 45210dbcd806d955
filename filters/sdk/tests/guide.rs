//! The guide's first filter, whole: `guide/first.rs` is what its reader has after following it.

#[rustfmt::skip] // As the guide shows it.
#[path = "guide/first.rs"]
mod first;

const GUIDE: &str = include_str!("../../README.md");
const FIRST: &str = include_str!("guide/first.rs");

#[test]
fn the_guide_shows_this_filter_and_this_test() {
    let (filter, test) = FIRST.split_at(FIRST.find("#[cfg(test)]").expect("there is a test"));
    assert!(GUIDE.contains(&format!("```rust\n{}\n```", filter.trim())), "{filter}");
    assert!(GUIDE.contains(&format!("```rust,ignore\n{}\n```", test.trim())), "{test}");
}
