//! TOML as it is written, and whether weir's own configuration takes it.

use std::path::Path;

use super::routes::{Keys, Stage};
use crate::config::{self, Environment};

/// A text in TOML.
pub(super) fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's, which also wants one for DEL.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A list of texts.
pub(super) fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

/// A stage without a module.
pub(super) fn stage(name: &str, stage: &Stage) -> String {
    let matches = match stage {
        Stage::Drop(keys) => table(keys),
        Stage::Only(alternatives) => {
            let tables: Vec<String> = alternatives.iter().map(table).collect();
            match &tables[..] {
                [one] => format!("{{ not = {one} }}"),
                many => format!("{{ not = [\n  {},\n] }}", many.join(",\n  ")),
            }
        }
    };
    format!("[[stage]]\nname = {}\ndrop = true\nmatch = {matches}\n", quoted(name))
}

fn table(keys: &Keys) -> String {
    let keys: Vec<String> =
        keys.iter().map(|(key, patterns)| format!("{key} = {}", list(patterns))).collect();
    format!("{{ {} }}", keys.join(", "))
}

/// Why a whole configuration would be refused, in a sentence.
pub(super) fn refusal(toml: &str) -> Option<String> {
    let refused = config::parse(Path::new("pipeline.toml"), toml, &Environment::default()).err()?;
    let refused = refused.to_string();
    let first = refused.lines().next().unwrap_or_default();
    Some(first.split_once("error: ").map_or(first, |(_, text)| text).to_owned())
}

/// Why a key of the top level would be.
pub(super) fn refusal_of(key: &str, value: &str) -> Option<String> {
    refusal(&format!(
        "name = 'p'\nsource.kind = 'kubernetes'\nsink.kind = 'stdout'\n{key} = {value}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_text_in_toml() {
        for text in ["", "a\"b\\c", "\u{7f}\u{0}\u{1b}\n\t", "é\u{2028}\u{1f600}", "''", "${A}"] {
            let toml = format!(
                "name = 'p'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n[[stage]]\nname = 'a'\n\
                 drop = true\nmatch = {{ reason = [{}] }}",
                quoted(text)
            );
            assert_eq!(refusal(&toml), None, "{text:?}");
        }
    }
}
