//! `weir filter diff`: the last few events on which a stage's shadow does otherwise than its
//! module, side by side, as a running weir tells them at its admin address.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::{self, AskError, Url};
use crate::text::{self, REASON_BYTES_MAX};

/// What `weir filter diff` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The stage's name
    stage: String,
    /// The admin address of a running weir; behind `kubectl port-forward`, this machine's
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    admin: Url,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Deserialize, Serialize)]
struct Differences {
    stage: String,
    differences: Vec<Difference>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Difference {
    time: String,
    result: String,
    event: Value,
    live: Answered,
    candidate: Answered,
}

/// What one of the two did.
#[derive(Debug, Deserialize, Serialize)]
struct Answered {
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Value>,
}

/// Asks, and answers what to say.
pub(super) async fn diff(args: &DiffArgs) -> Result<String, AskError> {
    let found: Differences = admin::ask(&args.admin, &["shadow", &args.stage]).await?;
    Ok(match args.json {
        true => serde_json::to_string(&found).unwrap_or_default(),
        false => shown(&found),
    })
}

/// For people: an event a paragraph, the newest last.
fn shown(found: &Differences) -> String {
    let stage = text::one_line(&found.stage, REASON_BYTES_MAX);
    if found.differences.is_empty() {
        return format!("{stage}: its shadow has done the same so far");
    }
    let mut out = match found.differences.len() {
        1 => format!("{stage}: the event on which its shadow did otherwise"),
        count => format!("{stage}: the last {count} events on which its shadow did otherwise"),
    };
    for difference in &found.differences {
        let Difference { time, result, event, live, candidate } = difference;
        // Writing to a String cannot fail.
        let _ = write!(out, "\n\n{time} {result}: {}", about(event));
        match (&live.document, &candidate.document) {
            (Some(live), Some(candidate)) => compare(live, candidate, "", &mut out),
            _ => line(&mut out, "outcome", Some(&live.told()), Some(&candidate.told())),
        }
    }
    out
}

impl Answered {
    fn told(&self) -> String {
        let more = self.reason.as_ref().or(self.detail.as_ref());
        more.map_or_else(|| self.outcome.clone(), |more| format!("{}: {more}", self.outcome))
    }
}

/// Which event it is.
fn about(event: &Value) -> String {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let regarded = format!(
        "{} {}/{}",
        text("/involvedObject/kind"),
        text("/involvedObject/namespace"),
        text("/involvedObject/name")
    );
    text::one_line(format_args!("{} {regarded}", text("/reason")), REASON_BYTES_MAX)
}

/// The members that are not the same in two documents.
fn compare(live: &Value, candidate: &Value, path: &str, out: &mut String) {
    let (Value::Object(of_live), Value::Object(of_candidate)) = (live, candidate) else {
        if live != candidate {
            line(out, path, Some(&live.to_string()), Some(&candidate.to_string()));
        }
        return;
    };
    for (name, live) in of_live {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match of_candidate.get(name) {
            Some(candidate) => compare(live, candidate, &path, out),
            None => line(out, &path, Some(&live.to_string()), None),
        }
    }
    for (name, candidate) in of_candidate.iter().filter(|(name, _)| !of_live.contains_key(*name)) {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        line(out, &path, None, Some(&candidate.to_string()));
    }
}

fn line(out: &mut String, path: &str, live: Option<&str>, candidate: Option<&str>) {
    let shown = |text: Option<&str>| {
        text.map_or_else(|| "nothing".to_owned(), |text| text::one_line(text, REASON_BYTES_MAX))
    };
    let path = text::one_line(path, REASON_BYTES_MAX);
    let _ =
        write!(out, "\n  {path}\n    module: {}\n    shadow: {}", shown(live), shown(candidate));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_stands_side_by_side() {
        let kept = |document: Value| Answered {
            outcome: "kept".into(),
            reason: None,
            detail: None,
            document: Some(document),
        };
        let dropped = |reason: &str| Answered {
            outcome: "dropped".into(),
            reason: Some(reason.into()),
            detail: None,
            document: None,
        };
        let event = json!({"reason": "Failed", "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1\u{1b}[2J"}});
        let of = |result: &str, live, candidate| Difference {
            time: "2026-01-02T03:04:05Z".into(),
            result: result.into(),
            event: event.clone(),
            live,
            candidate,
        };
        let found = Differences {
            stage: "tag".into(),
            differences: vec![
                of(
                    "edits",
                    kept(json!({"a": 1, "gpu": {"cause": "device"}, "tags": ["x"]})),
                    kept(json!({"a": 1, "gpu": {"cause": "runtime", "b/c": true}})),
                ),
                of("verdict", kept(json!({})), dropped("noise")),
            ],
        };
        insta::assert_snapshot!(shown(&found), @r#"
        tag: the last 2 events on which its shadow did otherwise

        2026-01-02T03:04:05Z edits: Failed Pod shop/web-1\u{1b}[2J
          /gpu/cause
            module: "device"
            shadow: "runtime"
          /gpu/b~1c
            module: nothing
            shadow: true
          /tags
            module: ["x"]
            shadow: nothing

        2026-01-02T03:04:05Z verdict: Failed Pod shop/web-1\u{1b}[2J
          outcome
            module: kept
            shadow: dropped: noise
        "#);
        let none = Differences { stage: "tag".into(), differences: Vec::new() };
        assert_eq!(shown(&none), "tag: its shadow has done the same so far");
    }
}
