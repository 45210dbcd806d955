//! `field_selector`, read as an API server reads it, so that what it would refuse (with a 400, for
//! ever) is a diagnostic.
//!
//! Terms with commas between them must all hold. A term is `FIELD=VALUE`, `FIELD==VALUE` or
//! `FIELD!=VALUE`; in a value `\,`, `\=` and `\\` stand for what follows the backslash:
//! <https://pkg.go.dev/k8s.io/apimachinery/pkg/fields#ParseSelector>

use super::diagnostic::{nearest, quoted};

/// What the API server can select events of core/v1 by:
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/conversion.go>,
/// `AddFieldLabelConversionsForEvent`.
const FIELDS: [&str; 13] = [
    "type",
    "reason",
    "source",
    "reportingComponent",
    "metadata.name",
    "metadata.namespace",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
];

/// The longer ones first: `=` begins `==`.
const OPERATORS: [&str; 3] = ["!=", "==", "="];

/// What is wrong with a selector.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty: leave it out to select every event".into());
    }
    terms(text).into_iter().try_for_each(check_term)
}

/// What stands between the commas that no backslash precedes.
fn terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start) = (Vec::new(), 0);
    for at in unescaped(text).filter(|at| text[*at..].starts_with(',')) {
        terms.push(&text[start..at]);
        start = at + 1;
    }
    terms.push(&text[start..]);
    terms
}

/// Where the characters begin that no backslash precedes.
fn unescaped(text: &str) -> impl Iterator<Item = usize> {
    let mut characters = text.char_indices();
    std::iter::from_fn(move || {
        let (at, character) = characters.next()?;
        if character == '\\' {
            characters.next();
        }
        Some(at)
    })
}

fn check_term(term: &str) -> Result<(), String> {
    let operator = unescaped(term).find_map(|at| {
        let operator = OPERATORS.into_iter().find(|operator| term[at..].starts_with(operator))?;
        Some((&term[..at], &term[at + operator.len()..]))
    });
    let Some((field, value)) = operator else {
        return Err(format!(
            "must be FIELD=VALUE or FIELD!=VALUE, several with commas between them that must all \
             hold, and \"{}\" is not one",
            quoted(term)
        ));
    };
    if !FIELDS.contains(&field) {
        return Err(unknown(field));
    }
    check_value(value)
}

fn unknown(field: &str) -> String {
    let fields = FIELDS.map(|field| format!("`{field}`")).join(", ");
    let near = if FIELDS.contains(&field.trim()) {
        "; write it without spaces".to_owned()
    } else {
        let near = nearest(field, FIELDS).map(|near| format!("; did you mean `{near}`?"));
        near.unwrap_or_default()
    };
    format!("names \"{}\", and the API server selects events by {fields} only{near}", quoted(field))
}

fn check_value(value: &str) -> Result<(), String> {
    for at in unescaped(value) {
        let mut rest = value[at..].chars();
        let is_wrong = match rest.next() {
            Some('\\') => !matches!(rest.next(), Some('\\' | ',' | '=')),
            character => character == Some('='),
        };
        if is_wrong {
            return Err(format!(
                "has the value \"{}\": in a value, write `\\=`, `\\,` and `\\\\` for `=`, `,` \
                and `\\`, and no other backslash",
                quoted(value)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_core_v1_and_no_other_can_be_selected_by() {
        for field in FIELDS {
            for operator in OPERATORS {
                assert_eq!(check(&format!("{field}{operator}x")), Ok(()));
            }
        }
        for field in ["message", "Type", "reportingController", "regarding.kind", "count", ""] {
            assert!(check(&format!("{field}=x")).is_err(), "{field}");
        }
    }

    #[test]
    fn terms_are_joined_by_commas_and_values_escape_them() {
        for text in [
            "type!=Normal,reason!=Pulled",
            "reason=",
            r"reason=a\,b\=c\\",
            r"reason!=\,,type=Warning",
            "involvedObject.fieldPath=spec.containers{web}",
            "reason!=a!b c",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in [
            "",
            ",",
            "type=a,",
            "type",
            "type=a=b",
            r"type=\a",
            r"type=a\",
            "type in (a)",
            "type=a, reason=b",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
