//! `${VAR}` and `$(VAR)` in the file's texts: what a shell, envsubst or a pod's manifest would have
//! expanded, and weir does not. A name that is taken as it stands would be a cluster called
//! `${CLUSTER}`, or a password that nobody has, and be noticed much later.
//!
//! Constraint: what could be a secret is not shown.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::quoted;
use super::input::Input;
use super::table::{Key, Table, Type};

/// Notes every text that holds a variable, but where the declaration takes texts as they are.
pub(super) fn find(input: &mut Input<'_>, spec: &Table, table: &DeTable<'_>) {
    for (name, value) in table {
        // An unknown key is told as such.
        let Some(key) = spec.key(name.get_ref()).filter(|key| !key.is_literal) else { continue };
        match (&key.kind, value.get_ref()) {
            (Type::Section(inner) | Type::Alternatives(inner), DeValue::Table(table)) => {
                find(input, inner, table);
            }
            (Type::Sections(inner) | Type::Alternatives(inner), DeValue::Array(items)) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::Table(table) => find(input, inner, table),
                        _ => in_value(input, key, item),
                    }
                }
            }
            _ => in_value(input, key, value),
        }
    }
}

/// Looks at a text, and at those in a list or a table, whatever the key wants.
fn in_value(input: &mut Input<'_>, key: &Key, value: &Spanned<DeValue<'_>>) {
    match value.get_ref() {
        DeValue::String(text) => {
            if let Some(variable) = first(text) {
                input.variable(value.span().start, told(key, text, variable));
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| in_value(input, key, item)),
        DeValue::Table(table) => {
            // A secret's `env` is told that it is to be a name alone.
            let may_be_env = matches!(key.kind, Type::Secret | Type::Named(_));
            let is_env = |name: &str| may_be_env && name == "env";
            let members = table.iter().filter(|(name, _)| !is_env(name.get_ref()));
            members.for_each(|(_, value)| in_value(input, key, value));
        }
        _ => {}
    }
}

/// The first variable of a text, with its brackets.
fn first(text: &str) -> Option<&str> {
    text.match_indices('$').find_map(|(at, _)| {
        let variable = &text[at..];
        let end = match variable.as_bytes().get(1)? {
            b'{' => '}',
            b'(' => ')',
            _ => return None,
        };
        let begins = variable[2..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        begins.then(|| variable.find(end).map(|end| &variable[..=end])).flatten()
    })
}

fn told(key: &Key, text: &str, variable: &str) -> String {
    let name = key.name;
    if matches!(key.kind, Type::Secret) {
        return format!(
            "`{name}` holds what looks like a variable, which is not expanded here: write {{ env = \
             \"NAME\" }}, or {{ file = \"PATH\" }} if the secret itself has such a text"
        );
    }
    // A URL may hold a password.
    let shown =
        if text.contains('@') { "a variable".into() } else { format!("`{}`", quoted(variable)) };
    format!(
        "`{name}` holds {shown}, and variables are not expanded here: write the value itself, or \
         have the file filled in before weir reads it (envsubst, Helm)"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::keys::ROOT;
    use crate::config::{self, Environment};

    #[test]
    fn a_variable_has_a_name_and_brackets() {
        for (text, variable) in [
            ("${A}", "${A}"),
            ("a-$(b_1)-c", "$(b_1)"),
            ("$${A:-x}}", "${A:-x}"),
            ("$x ${} $() ${1} ${_x}", "${_x}"),
        ] {
            assert_eq!(first(text), Some(variable), "{text}");
        }
        for text in ["", "$", "$A", "{A}", "${}", "$( a)", "${A", "$(A}", "$}{A}", "{yyyy}"] {
            assert_eq!(first(text), None, "{text}");
        }
    }

    fn said(text: &str) -> String {
        let file = Path::new("p.toml");
        match config::parse(file, text, &Environment::default()) {
            Ok(_) => String::new(),
            Err(diagnostics) => diagnostics.to_string(),
        }
    }

    /// Every table with its keys, and whether it is within one that takes texts as they are.
    fn tables(spec: &'static Table, is_literal: bool, all: &mut Vec<(&'static Table, bool)>) {
        all.push((spec, is_literal));
        for key in spec.keys {
            if let Type::Section(inner) | Type::Sections(inner) | Type::Alternatives(inner) =
                key.kind
            {
                tables(inner, is_literal || key.is_literal, all);
            }
        }
    }

    #[test]
    fn a_variable_is_told_at_every_key_but_those_of_match_and_of_a_modules_settings() {
        let mut all = Vec::new();
        tables(&ROOT, false, &mut all);
        let (mut told, mut literal) = (0, 0);
        for (spec, is_literal) in all {
            for key in spec.keys {
                let (name, header) = (key.name, spec.header);
                let above = if header.starts_with("[stage.") { "[[stage]]\n" } else { "" };
                // In a section's table `file` would be an unknown key.
                let is_section = matches!(
                    key.kind,
                    Type::Section(_) | Type::Sections(_) | Type::Alternatives(_)
                );
                let values = ["'${VAR}'", "['a', 'b-$(VAR)']", "{ file = '/${VAR}/x' }"];
                for value in &values[..if is_section { 2 } else { 3 }] {
                    let text = format!("{above}{header}\n{name} = {value}");
                    let is_told = said(&text).contains("variable") && said(&text).contains(name);
                    assert_eq!(is_told, !(is_literal || key.is_literal), "{text}\n{}", said(&text));
                    if is_told { told += 1 } else { literal += 1 }
                }
            }
        }
        assert!(told > 100 && literal > 40, "{told} {literal}");
    }

    #[test]
    fn it_says_where_and_what_to_do_and_shows_nothing_that_could_be_a_secret() {
        let text = "name = 'p'\ncluster = '${CLUSTER}'\n[source]\nkind = 'kubernetes'\n\
                    namespaces = ['a', '$(NAMESPACE)']\n[sink]\nkind = 'opensearch'\n\
                    hosts = ['https://u:${HUNTER2}@h:9200']\nusername = '${USER:-x}'\n\
                    password = 'x${HUNTER2}'\n[[stage]]\nname = 'a'\nmodule = 'm'\n\
                    match = { reason = ['${A}'], not = { message = ['$(A)*'] } }\n\
                    config = { a = '${A}', b = ['$(A)'] }";
        insta::assert_snapshot!(said(text), @r#"
        p.toml:2:11: error: `cluster` holds `${CLUSTER}`, and variables are not expanded here: write the value itself, or have the file filled in before weir reads it (envsubst, Helm)
        p.toml:5:20: error: `namespaces` holds `$(NAMESPACE)`, and variables are not expanded here: write the value itself, or have the file filled in before weir reads it (envsubst, Helm)
        p.toml:8:10: error: `hosts` holds a variable, and variables are not expanded here: write the value itself, or have the file filled in before weir reads it (envsubst, Helm)
        p.toml:9:12: error: `username` holds `${USER:-x}`, and variables are not expanded here: write the value itself, or have the file filled in before weir reads it (envsubst, Helm)
        p.toml:10:12: error: `password` holds what looks like a variable, which is not expanded here: write { env = "NAME" }, or { file = "PATH" } if the secret itself has such a text
        "#);
        assert_eq!(
            said(
                "name = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\ndrop = true\nmatch = { reason = ['${A}'], not = [{ message = ['$(A)*'] }] }"
            ),
            ""
        );
    }
}
