//! Reads a TOML table as its declaration says: every value in its type, defaults where keys are
//! absent, and a diagnostic for everything that is wrong.
//!
//! Invariant: a key that is required or has a default, and yet is missing in the [`Section`] that
//! comes out, has been diagnosed, or may not stand beside a flag that is true.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{nearest, quoted};
use super::input::Input;
use super::keys::ROOT;
use super::scalar;
use super::section::{At, Section, Value};
use super::table::{Key, Presence, Table, Type};

/// Reads a table whose header is at byte offset `at`.
pub(super) fn read(input: &mut Input<'_>, spec: &Table, table: &DeTable<'_>, at: usize) -> Section {
    let mut section = Section { at, values: BTreeMap::new(), in_file: BTreeSet::new() };
    let kind = kind_of(spec, table);
    for (name, value) in table {
        let Some(key) = spec.key(name.get_ref()) else {
            input.error_with(name.span().start, || unknown(spec, name.get_ref()));
            continue;
        };
        if let Some(why) = out_of_place(key, kind, table) {
            input.error(name.span().start, why);
            continue;
        }
        section.in_file.insert(key.name);
        let at = value.span().start;
        if let Some(value) = self::value(input, key, value) {
            section.values.insert(key.name, At { value, at, given: true });
        }
        if let Some(needed) =
            key.needs.filter(|needed| is_set(table, key.name) && lacks(table, needed))
        {
            let text =
                format!("`{} = true` needs a `{needed}` that is not empty beside it", key.name);
            input.error(at, text);
        }
    }
    for key in spec.keys.iter().filter(|key| !table.contains_key(key.name)) {
        if key.unless.is_some_and(|flag| is_set(table, flag)) {
            continue;
        }
        if let Some(value) = absent(input, spec, key, kind, at) {
            section.values.insert(key.name, At { value, at, given: false });
        }
    }
    section
}

fn value(input: &mut Input<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Value> {
    let at = value.span().start;
    match (&key.kind, value.get_ref()) {
        (Type::Section(spec), DeValue::Table(table)) => {
            Some(Value::Section(read(input, spec, table, at)))
        }
        (Type::Sections(spec), DeValue::Array(items)) => {
            read_all(input, spec, items).map(Value::Sections)
        }
        (Type::Alternatives(spec), DeValue::Table(_)) => {
            alternatives(input, key, spec, std::slice::from_ref(value)).map(Value::Sections)
        }
        (Type::Alternatives(_), DeValue::Array(items)) if items.is_empty() => {
            input.error(at, format!("`{}` must not be an empty list", key.name));
            None
        }
        (Type::Alternatives(spec), DeValue::Array(items)) => {
            alternatives(input, key, spec, items).map(Value::Sections)
        }
        _ => scalar::read(input, key, value),
    }
}

/// The tables of an array of tables.
fn read_all(
    input: &mut Input<'_>,
    spec: &Table,
    items: &[Spanned<DeValue<'_>>],
) -> Option<Vec<Section>> {
    let mut sections = Vec::new();
    for item in items {
        let at = item.span().start;
        match item.get_ref().as_table() {
            Some(table) => sections.push(read(input, spec, table, at)),
            None => input.error(at, format!("must be a table: write {}", spec.header)),
        }
    }
    (sections.len() == items.len()).then_some(sections)
}

/// The tables of a key that takes one or several.
fn alternatives(
    input: &mut Input<'_>,
    key: &Key,
    spec: &Table,
    items: &[Spanned<DeValue<'_>>],
) -> Option<Vec<Section>> {
    let mut sections = Vec::new();
    for item in items {
        let at = item.span().start;
        match item.get_ref() {
            DeValue::Table(table) if table.is_empty() => {
                input.error(
                    at,
                    format!(
                        "`{}` must not be an empty table: it would except every event",
                        key.name
                    ),
                );
            }
            DeValue::Table(table) => sections.push(read(input, spec, table, at)),
            other => {
                let (name, found) = (key.name, scalar::described(other));
                input.error(at, format!("an entry of `{name}` must be a table, not {found}"));
            }
        }
    }
    (sections.len() == items.len()).then_some(sections)
}

/// What stands for a key that is not in the file.
fn absent(
    input: &mut Input<'_>,
    spec: &Table,
    key: &Key,
    kind: Option<&str>,
    at: usize,
) -> Option<Value> {
    match (&key.presence, &key.kind) {
        (Presence::Default(toml), _) => {
            let default = DeValue::parse(toml);
            debug_assert!(default.is_ok(), "the default of {} is TOML", key.name);
            value(input, key, &default.ok()?)
        }
        (Presence::Required, Type::Section(section)) => {
            let text = format!("missing required section {}: {}", section.header, section.doc);
            input.error(at, text);
            None
        }
        (Presence::Required, _) => {
            // Without a kind nobody can say whether a key of only some kinds is missing.
            let is_missing = key.only.is_empty() || kind.is_some_and(|kind| applies(key, kind));
            if is_missing {
                let (name, place) = (key.name, spec.place());
                input.error(at, format!("missing required key `{name}` {place}: {}", key.doc));
            }
            None
        }
        // A section that is left out has its keys' defaults. Where one has none, nothing stands for
        // the section.
        (Presence::Optional, Type::Section(section)) => {
            let has_all = section.keys.iter().all(|key| key.presence != Presence::Required);
            has_all.then(|| Value::Section(read(input, section, &DeTable::new(), at)))
        }
        (Presence::Optional | Presence::Off, _) => None,
    }
}

fn unknown(spec: &Table, name: &str) -> String {
    let mut text = format!("unknown key `{}` {}", quoted(name), spec.place());
    if let Some(near) = nearest(name, spec.keys.iter().map(|key| key.name)) {
        text += &format!("; did you mean `{near}`?");
    } else if let Some(owner) = owner(&ROOT, name) {
        text += &format!("; it belongs {}", owner.place());
    } else {
        let known: Vec<String> = spec.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        text += &format!("; there are {}", known.join(", "));
    }
    text
}

/// Why a key may not stand in this table, if it may not.
fn out_of_place(key: &Key, kind: Option<&str>, table: &DeTable<'_>) -> Option<String> {
    let name = key.name;
    if let Some(kind) = kind.filter(|kind| !applies(key, kind)) {
        let only = key.only.join("\" or \"");
        return Some(format!("`{name}` is for kind = \"{only}\", and this kind is \"{kind}\""));
    }
    let flag = key.unless.filter(|flag| is_set(table, flag))?;
    Some(format!("`{name}` may not stand beside `{flag} = true`: leave one of them out"))
}

/// Whether a flag is true.
fn is_set(table: &DeTable<'_>, flag: &str) -> bool {
    table.get(flag).and_then(|value| value.get_ref().as_bool()) == Some(true)
}

/// Whether a table is not there, or empty.
fn lacks(table: &DeTable<'_>, name: &str) -> bool {
    let inner = table.get(name).map(|value| value.get_ref());
    inner.is_none_or(|value| value.as_table().is_some_and(|inner| inner.is_empty()))
}

/// The table's `kind`, given or default, where it is one that there is.
fn kind_of(spec: &Table, table: &DeTable<'_>) -> Option<&'static str> {
    let key = spec.key("kind")?;
    let Type::OneOf(kinds) = &key.kind else { return None };
    let kind = match table.get("kind") {
        Some(kind) => kind.get_ref().as_str()?,
        None => key.default_word()?,
    };
    kinds.iter().map(|known| known.text).find(|known| *known == kind)
}

fn applies(key: &Key, kind: &str) -> bool {
    key.only.is_empty() || key.only.contains(&kind)
}

/// The only table that has a key of that name.
fn owner(spec: &'static Table, name: &str) -> Option<&'static Table> {
    let mut owners = Vec::new();
    let mut left = vec![spec];
    while let Some(table) = left.pop() {
        owners.extend(table.key(name).map(|_| table));
        left.extend(table.keys.iter().filter_map(|key| match key.kind {
            Type::Section(inner) | Type::Sections(inner) => Some(inner),
            _ => None,
        }));
    }
    match owners[..] {
        [one] => Some(one),
        _ => None,
    }
}
