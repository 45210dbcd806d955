//! Plays a case of `tests/conformance/edits.json` as a guest: its configuration is the case. The
//! first event of an instance goes through the case's steps. The second one carries away what they
//! answered, as `/results`: so nothing but the case itself touches the first document, and the case
//! may use up every limit.

use serde::Deserialize;
use serde_json::{Value, json};
use weir_filter::{Config, Error, Event, EventType, Reason, Stage, Verdict, Words};

#[derive(Deserialize)]
struct Case {
    steps: Vec<Step>,
    #[serde(default)]
    end: End,
}

/// One call; what it should answer is for the runner to compare.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Step {
    op: String,
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    value: Value,
    /// The value is this string, so many times over.
    value_times: Option<usize>,
    /// The call is made so many times.
    times: Option<usize>,
    /// The value is an array of words, and these they are.
    #[serde(skip)]
    words: Option<Words>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    #[default]
    Keep,
    Discard,
    Error,
}

struct Conformance {
    case: Case,
    reason: Reason,
    results: Option<Vec<Value>>,
}

impl Stage for Conformance {
    fn configure(config: &Config) -> Result<Self, Error> {
        let mut case: Case = config.parse()?;
        for step in case.steps.iter_mut().filter(|step| step.op == "mentioned") {
            let words = step.value.as_array().into_iter().flatten();
            let words: Vec<&str> = words.filter_map(Value::as_str).collect();
            step.words = Some(Words::declare(&words)?);
        }
        Ok(Self { case, reason: Reason::declare("conformance")?, results: None })
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        if let Some(results) = self.results.take() {
            event.set_json("/results", &Value::from(results).to_string())?;
            return Ok(Verdict::Keep);
        }
        self.results = Some(self.case.steps.iter().map(|step| step.repeated(event)).collect());
        match self.case.end {
            End::Keep => Ok(Verdict::Keep),
            End::Discard => Ok(Verdict::Drop(self.reason)),
            End::Error => Err("the case ends with an error".into()),
        }
    }
}

weir_filter::export!(Conformance);

impl Step {
    /// What all calls answered; `"mixed"` when they did not agree.
    fn repeated(&self, event: &mut Event) -> Value {
        let first = self.play(event);
        let same = (1..self.times.unwrap_or(1)).all(|_| self.play(event) == first);
        if same { first } else { json!("mixed") }
    }

    fn play(&self, event: &mut Event) -> Value {
        match self.edit(event) {
            Some(true) => json!("ok"),
            Some(false) => json!("refused"),
            None => self.ask(event),
        }
    }

    /// Whether the edit was accepted; `None` when the step is not an edit.
    fn edit(&self, event: &mut Event) -> Option<bool> {
        let pointer = &self.pointer;
        let text = || self.value.as_str().unwrap_or_default().repeat(self.value_times.unwrap_or(1));
        let answer = match self.op.as_str() {
            "set-string" => event.set(pointer, text()),
            "set-bool" => event.set(pointer, self.value == Value::Bool(true)),
            "set-integer" => event.set(pointer, self.value.as_i64().unwrap_or_default()),
            "set-float" => event.set(pointer, self.float()),
            "set-json" => event.set_json(pointer, &text()),
            "append-string" => event.append(pointer, &text()),
            "add-string" => event.add(pointer, &text()),
            "append-json" => event.append_json(pointer, &text()),
            "remove" => event.remove(pointer),
            _ => return None,
        };
        Some(answer.is_ok())
    }

    /// JSON has no NaN and no infinity: the case writes them as strings.
    fn float(&self) -> f64 {
        self.value.as_f64().or_else(|| self.value.as_str()?.parse().ok()).unwrap_or_default()
    }

    fn ask(&self, event: &Event) -> Value {
        match self.op.as_str() {
            "get" => event.get(&self.pointer).into(),
            "mentioned" => self.words.map(|words| event.mentions(words)).into(),
            "type" => match event.event_type() {
                EventType::Normal => json!("normal"),
                EventType::Warning => json!("warning"),
                EventType::Other => json!("other"),
            },
            "type-text" => event.type_text().into(),
            "reason" => event.reason().into(),
            "message" => event.message().into(),
            "action" => event.action().into(),
            "count" => event.count().into(),
            "namespace" => event.namespace().into(),
            "name" => event.name().into(),
            "uid" => event.uid().into(),
            "first-seen" => event.first_seen().into(),
            "last-seen" => event.last_seen().into(),
            "component" => event.component().into(),
            "host" => event.host().into(),
            "regarding-kind" => event.regarding_kind().into(),
            "regarding-namespace" => event.regarding_namespace().into(),
            "regarding-name" => event.regarding_name().into(),
            "regarding-uid" => event.regarding_uid().into(),
            "regarding-api-version" => event.regarding_api_version().into(),
            "regarding-field-path" => event.regarding_field_path().into(),
            unknown => format!("there is no `{unknown}`").into(),
        }
    }
}

#[cfg(test)]
mod tests;
