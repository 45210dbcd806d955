//! Reports the condition of the sink: always in `/readyz`, and at a bounded rate in the log.

use std::time::Duration;

use tokio::time::Instant;

use crate::health::{Condition, Health};
use crate::log_limit::{LogLimiter, Rate};
use crate::opensearch::Unavailable;
use crate::sink::PART;

/// The first of many is logged at once, and what goes on unchanged a minute later.
pub(super) const LINES: Rate = Rate { burst: 1, interval: Duration::from_secs(60) };

/// Follows why OpenSearch takes nothing, or not everything.
#[derive(Debug)]
pub(super) struct Reporter {
    health: Health,
    /// Since when (for people and for us), and what.
    current: Option<(jiff::Timestamp, Instant, Unavailable)>,
    lines: LogLimiter<Instant>,
}

impl Reporter {
    pub(super) fn new(health: Health) -> Reporter {
        Reporter { health, current: None, lines: LogLimiter::new(LINES) }
    }

    /// It is now this; `None`: OpenSearch takes everything.
    pub(super) fn update(&mut self, why: Option<Unavailable>, now: Instant) {
        let Some(why) = why else {
            if let Some((_, since, _)) = self.current.take() {
                tracing::info!(for_s = (now - since).as_secs(), "OpenSearch takes documents again");
                self.lines = LogLimiter::new(LINES);
            }
            return self.health.set(PART, Condition::Ready);
        };
        let new_kind = !matches!(
            (&self.current, &why),
            (Some((_, _, Unavailable::Outage(_))), Unavailable::Outage(_))
                | (Some((_, _, Unavailable::Refused(_))), Unavailable::Refused(_))
        );
        if new_kind {
            self.lines = LogLimiter::new(LINES);
        }
        let (wall, since) = match &self.current {
            Some((wall, since, _)) => (*wall, *since),
            None => (jiff::Timestamp::now(), now),
        };
        self.log(&why, now, since);
        self.health.set(PART, condition(&why, wall));
        self.current = Some((wall, since, why));
    }

    fn log(&mut self, why: &Unavailable, now: Instant, since: Instant) {
        if self.lines.admit(1, now).is_none() {
            return;
        }
        let for_s = (now - since).as_secs();
        match why {
            Unavailable::Outage(why) => {
                tracing::warn!(for_s, "OpenSearch takes no documents for now: {why}; trying again");
            }
            Unavailable::Refused(why) => {
                tracing::error!(
                    for_s,
                    "OpenSearch refuses: {why}; events are held, and it is tried again"
                );
            }
        }
    }
}

fn condition(why: &Unavailable, since: jiff::Timestamp) -> Condition {
    match why {
        Unavailable::Outage(why) => {
            Condition::Note(format!("since {since:.0}: {why}; trying again"))
        }
        Unavailable::Refused(why) => Condition::NotReady(format!(
            "since {since:.0}: {why}; events are held, and it is tried again"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_a_note_and_a_refusal_fails_readiness() {
        let health = Health::default();
        let mut reporter = Reporter::new(health.clone());
        let mut lines = |why| {
            reporter.update(why, Instant::now());
            let report = health.readiness();
            let line = report.lines[0].clone();
            (report.ok, line.split_once("Z: ").map_or(line.clone(), |(_, rest)| rest.to_owned()))
        };
        assert_eq!(lines(None), (true, "sink: ok".into()));
        assert_eq!(
            lines(Some(Unavailable::Outage("gone".into()))),
            (true, "gone; trying again)".into())
        );
        let (ok, line) = lines(Some(Unavailable::Refused("401".into())));
        assert!(!ok);
        assert_eq!(line, "401; events are held, and it is tried again");
    }
}
