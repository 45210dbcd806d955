//! The last few events on which candidates did otherwise than their stages' modules.
//!
//! They quote what clusters and modules wrote, so they are kept only where `[admin] show_events`
//! wants it, and only a few of bounded size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::text::{self, REASON_BYTES_MAX};

/// Events kept of each stage.
const KEPT_MAX: usize = 16;
/// Stages that are named where one has no shadow.
const STAGES_SHOWN_MAX: usize = 20;
/// A larger document is left out of what is kept.
const DOCUMENT_BYTES_MAX: usize = 64 << 10;

/// What is kept, of all stages by name; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Differences(Arc<Mutex<BTreeMap<String, VecDeque<Value>>>>);

/// One event that came out otherwise.
pub(super) struct Difference<'a> {
    /// How, as the metric says it.
    pub(super) compared: &'static str,
    /// Its bytes.
    pub(super) event: &'a [u8],
    pub(super) live: Answered,
    pub(super) candidate: Answered,
}

/// What one of the two modules did.
pub(super) enum Answered {
    /// The event was kept, as this document.
    Kept(Vec<u8>),
    /// It was dropped, for a reason.
    Dropped(Option<String>),
    /// It failed, and why.
    Failed(Option<String>),
}

impl Differences {
    /// Keeps one more, and forgets the oldest of the stage.
    pub(super) fn keep(&self, stage: &str, difference: Difference<'_>) {
        let shown = json!({
            "time": jiff::Timestamp::now().to_string(),
            "result": difference.compared,
            "event": shown(difference.event),
            "live": difference.live.shown(),
            "candidate": difference.candidate.shown(),
        });
        let mut kept = self.0.lock();
        let of_stage = kept.entry(stage.to_owned()).or_default();
        if of_stage.len() == KEPT_MAX {
            of_stage.pop_front();
        }
        of_stage.push_back(shown);
    }

    /// A stage has a shadow, which did the same so far.
    pub(super) fn begin(&self, stage: &str) {
        self.0.lock().entry(stage.to_owned()).or_default();
    }

    /// Those of one stage, the oldest first, as JSON.
    ///
    /// # Errors
    ///
    /// What to say where it never had a shadow.
    pub(crate) fn of(&self, stage: &str) -> Result<String, String> {
        let kept = self.0.lock();
        let Some(of_stage) = kept.get(stage) else {
            let stage = text::one_line(stage, REASON_BYTES_MAX);
            return Err(match kept.is_empty() {
                true => format!("the stage `{stage}` has no shadow, nor has any other\n"),
                false => {
                    let others = text::first(kept.keys(), STAGES_SHOWN_MAX);
                    format!("the stage `{stage}` has no shadow; these have: {others}\n")
                }
            });
        };
        Ok(json!({ "stage": stage, "differences": of_stage }).to_string())
    }
}

impl Answered {
    fn shown(&self) -> Value {
        match self {
            Answered::Kept(document) => json!({ "outcome": "kept", "document": shown(document) }),
            Answered::Dropped(reason) => json!({ "outcome": "dropped", "reason": reason }),
            Answered::Failed(why) => json!({ "outcome": "failed", "detail": why }),
        }
    }
}

/// A JSON text as a value; null where it is too large to be kept.
fn shown(text: &[u8]) -> Value {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Value::Null;
    }
    serde_json::from_slice(text).unwrap_or_default()
}
