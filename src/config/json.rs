//! `[stage.config]` as the one JSON object that its module gets. Dates and times become strings in
//! their TOML form (RFC 3339); what JSON cannot say is refused.

use serde_json::{Map, Number, Value};
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

/// JSON text of a TOML table. `wrong` is told, with a byte offset, what has no JSON.
pub(super) fn object(table: &DeTable<'_>, wrong: &mut dyn FnMut(usize, &str)) -> String {
    members(table, wrong).to_string()
}

fn members(table: &DeTable<'_>, wrong: &mut dyn FnMut(usize, &str)) -> Value {
    let mut members = Map::new();
    for (name, member) in table {
        members.insert(
            name.get_ref().to_string(),
            value(member.get_ref(), member.span().start, wrong),
        );
    }
    Value::Object(members)
}

fn value(toml: &DeValue<'_>, at: usize, wrong: &mut dyn FnMut(usize, &str)) -> Value {
    match toml {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Table(table) => members(table, wrong),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|i| value(i.get_ref(), i.span().start, wrong)).collect())
        }
        DeValue::Integer(number) => integer(number).map_or_else(
            || {
                wrong(at, "an integer must fit in 64 bits");
                Value::Null
            },
            Value::Number,
        ),
        DeValue::Float(number) => float(number).map_or_else(
            || {
                wrong(at, "a number must be finite: JSON has no nan and no inf");
                Value::Null
            },
            Value::Number,
        ),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Number> {
    let read = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
    i64::try_from(read).map(Number::from).or_else(|_| u64::try_from(read).map(Number::from)).ok()
}

fn float(number: &DeFloat<'_>) -> Option<Number> {
    Number::from_f64(number.as_str().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(toml: &str) -> (String, Vec<String>) {
        let table = DeTable::parse(toml).unwrap();
        let mut diagnostics = Vec::new();
        let json =
            object(table.get_ref(), &mut |at, text| diagnostics.push(format!("{at}: {text}")));
        (json, diagnostics)
    }

    #[test]
    fn every_toml_type_has_its_json() {
        let (json, diagnostics) = convert(
            "a = 'x'\nb = 1_000\nc = 1.5\nd = true\ne = [1, 'two']\nf = { g = {} }\n\
             h = 2024-01-02T03:04:05Z\ni = 0xff\nj = 1e3\n[k.l]\nm = 2024-01-02",
        );
        assert_eq!(diagnostics, Vec::<String>::new());
        insta::assert_snapshot!(json, @r#"{"a":"x","b":1000,"c":1.5,"d":true,"e":[1,"two"],"f":{"g":{}},"h":"2024-01-02T03:04:05Z","i":255,"j":1000.0,"k":{"l":{"m":"2024-01-02"}}}"#);
    }

    #[test]
    fn what_json_cannot_say_is_refused_wherever_it_is() {
        let (_, diagnostics) =
            convert("a = nan\nb = [inf, -inf]\nc = { d = 99999999999999999999 }");
        insta::assert_snapshot!(diagnostics.join("\n"), @r"
        4: a number must be finite: JSON has no nan and no inf
        13: a number must be finite: JSON has no nan and no inf
        18: a number must be finite: JSON has no nan and no inf
        34: an integer must fit in 64 bits
        ");
    }
}
