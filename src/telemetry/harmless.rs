//! Lines of the log whose texts are harmless, in both forms: a message and each field stand on one
//! line, are bounded, and steer no terminal, whoever wrote them.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::text::{self, LINE_BYTES_MAX};

/// The message and the fields of a line for people: `message name=value name="text"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct HumanFields;

impl<'w> FormatFields<'w> for HumanFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = HumanLine { writer, is_first: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct HumanLine<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl HumanLine<'_> {
    fn write(&mut self, name: &str, value: &str) -> fmt::Result {
        if !std::mem::replace(&mut self.is_first, false) {
            self.writer.write_char(' ')?;
        }
        match (name, self.writer.has_ansi_escapes()) {
            ("message", _) => self.writer.write_str(value),
            // The name in italics, as the library does it.
            (name, true) => write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
            (name, false) => write!(self.writer, "{name}={value}"),
        }
    }
}

impl Visit for HumanLine<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.record_debug(field, &format_args!("{value}")),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What came from the `log` crate has its place in the code here, which is not shown.
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let value = text::one_line(format_args!("{value:?}"), LINE_BYTES_MAX);
        self.result = self.write(field.name(), &value);
    }
}

/// A format of lines that are JSON, with every string in them made harmless.
#[derive(Debug)]
pub(super) struct HarmlessJson<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for HarmlessJson<F>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{}", harmless_strings(line.trim_end()))
    }
}

/// Valid JSON with its strings made harmless; what stands between them stays as it is.
fn harmless_strings(json: &str) -> String {
    let mut out = String::with_capacity(json.len().min(LINE_BYTES_MAX));
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let (before, string) = rest.split_at(start);
        let (string, behind) = string.split_at(string_bytes(string));
        out.push_str(before);
        out.push_str(&harmless_string(string));
        rest = behind;
    }
    out + rest
}

/// How long the string is that begins here, with its quotes.
fn string_bytes(json: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            _ => is_escaped = byte == b'\\' && !is_escaped,
        }
    }
    json.len()
}

fn harmless_string(json: &str) -> String {
    // It has just been written: it can be read.
    let text: String = serde_json::from_str(json).unwrap_or_default();
    serde_json::Value::from(text::one_line(text, LINE_BYTES_MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn json_stays_what_it_is_but_for_what_its_strings_hold(
            key in "[a-z\"\\\\]{0,5}", value in any::<String>(), number in any::<i64>(),
        ) {
            let line = serde_json::json!({
                "message": value, "n": number, &key: { "a": [value], "b": null }
            });
            let shown = harmless_strings(&line.to_string());
            prop_assert!(!shown.contains(text::is_harmful));
            let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
            prop_assert_eq!(&read["message"], &text::one_line(&value, LINE_BYTES_MAX));
            prop_assert_eq!(&read["n"], &line["n"]);
            let inner = serde_json::json!({
                "a": [text::one_line(&value, LINE_BYTES_MAX)], "b": null
            });
            prop_assert_eq!(&read[key.as_str()], &inner);
        }
    }
}
