use super::*;
use crate::config::table::{Key, Presence, Table, Type};
use std::collections::BTreeSet;

const DEMO: &str = include_str!("../../../config/demo.toml");

/// `text` with every commented default uncommented.
fn with_defaults(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|l| line(l) + "\n").collect()
}

/// Each `# [section]` block: the header and its lines, uncommented.
fn alternatives() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut lines = EXAMPLE.lines();
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix("# ").filter(|text| text.starts_with('[')) {
            let body = lines
                .by_ref()
                .map_while(|line| line.strip_prefix("# ").or((line == "#").then_some("")));
            found.push((header.to_owned(), body.map(|line| line.to_owned() + "\n").collect()));
        }
    }
    found
}

/// The example with one section replaced; without `[lookup]` where it is the source that the
/// lookups would be for.
fn with_section(header: &str, body: &str) -> String {
    let (before, after) = around(EXAMPLE, header);
    let replaced = format!("{before}\n{header}\n{body}\n[{after}");
    if header != "[source]" {
        return replaced;
    }
    let (before, after) = around(&replaced, "[lookup]");
    format!("{before}\n[{after}")
}

/// What stands before a section, and what is behind it.
fn around<'t>(text: &'t str, header: &str) -> (&'t str, &'t str) {
    let (before, rest) = text.split_once(&format!("\n{header}\n")).unwrap();
    (before, rest.split_once("\n[").unwrap().1)
}

#[test]
fn its_commented_defaults_are_the_defaults() {
    let uncommented = with_defaults(EXAMPLE);
    assert_ne!(uncommented, EXAMPLE);
    assert_eq!(parse_toml(&uncommented), parse_toml(EXAMPLE));
    parse_toml(EXAMPLE).unwrap();
}

#[test]
fn its_other_kinds_are_valid_and_their_commented_defaults_are_the_defaults() {
    let alternatives = alternatives();
    let headers: Vec<&str> = alternatives.iter().map(|(header, _)| header.as_str()).collect();
    assert_eq!(headers, ["[source]", "[source]", "[sink]", "[sink]", "[dead_letter]"]);
    for (header, body) in &alternatives {
        let plain = parse_toml(&with_section(header, body)).unwrap();
        assert_eq!(plain, parse_toml(&with_section(header, &with_defaults(body))).unwrap());
    }
}

#[test]
fn every_key_with_a_default_shows_it_and_every_other_key_appears() {
    let mut missing = BTreeSet::new();
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    each_key(&keys::ROOT, &mut |key| {
        let shown = |prefix: &str, value: &str| {
            let start = format!("{prefix}{} = {value}", key.name);
            lines.iter().any(|line| line.starts_with(&start))
        };
        let is_there = match (&key.presence, &key.kind) {
            (_, Type::Section(_) | Type::Sections(_) | Type::Free) => {
                EXAMPLE.contains(&format!(".{}]", key.name))
                    || EXAMPLE.contains(&format!("[{}]", key.name))
                    || shown("", "")
                    || shown("# ", "{")
            }
            (Presence::Default(value), _) => shown("#", value) || shown("# #", value),
            _ => shown("", "") || shown("# ", "") || EXAMPLE.contains(&format!("`{}`", key.name)),
        };
        if !is_there {
            missing.insert(key.name);
        }
    });
    assert_eq!(missing, BTreeSet::new());
}

fn each_key(table: &Table, visit: &mut dyn FnMut(&Key)) {
    for key in table.keys {
        visit(key);
        if let Type::Section(inner) | Type::Sections(inner) = &key.kind {
            each_key(inner, visit);
        }
    }
}

#[test]
fn the_demo_is_valid() {
    let settings = parse_toml(DEMO).unwrap();
    let names: Vec<&str> = settings.stages.iter().map(|stage| stage.name()).collect();
    assert_eq!(names, ["drop-normal", "tag-gpu-failures"]);
}
