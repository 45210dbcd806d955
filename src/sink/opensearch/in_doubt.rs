//! Whether a document may have been stored before it is sent. Pure: time is a parameter.
//!
//! Behind a data stream or an alias the writes move from index to index, and `create` refuses an id
//! only inside one. What may be in an index before the present one is in doubt, and looked up by id
//! before it is sent ([`attempt`](super::attempt)). That is every document but those that nobody
//! can have sent, which are known by what they carry:
//!
//! - The API server wrote this version [`CLOCKS_APART`] or more after this process took over
//!   ([`Takeover`]): after it started, became leader, lost that, or learned of a restored cluster.
//!   So neither an earlier life, nor another replica, nor this process itself can have read it
//!   before; what comes out of the spool, a relist, a file or a dead letter is judged in the same
//!   way, without being marked on its way here.
//! - No attempt of ours with it has ended without telling whether it was stored.
//!
//! So a stream of new events costs no lookups, and for some minutes after each takeover every
//! document costs one.
//!
//! What remains is a request of an earlier life that is still on its way when its document is
//! looked up, and the writes moving on before the document is sent again: then both may be stored.
//! (A document that is on its way in a request of this process waits until that has ended:
//! [`in_flight`](super::in_flight).) Documents that were looked up, not found, and stored in
//! another index than those before are counted as `moved` in `weir_sink_lookups_total`: they are
//! all that this can have happened to.

use std::time::Duration;

use super::batch::Entry;
use crate::event::{Micros, written_at};
use crate::handoff::Takeover;

/// How far the API server's clock may be from ours. Five minutes is what Kerberos allows.
pub(super) const CLOCKS_APART: Duration = Duration::from_secs(300);

/// Tells which documents are in doubt.
#[derive(Clone, Debug)]
pub(super) struct InDoubt {
    takeover: Takeover,
    /// How far the API server's clock may be from ours, in µs.
    apart: Micros,
    /// How many rewinds are known.
    rewinds: u64,
}

impl InDoubt {
    pub(super) fn new(takeover: Takeover, apart: Duration) -> InDoubt {
        InDoubt { takeover, apart: apart.as_micros() as Micros, rewinds: 0 }
    }

    /// The source's marks have been rewound `rewinds` times by `now`. After a rewind, what was read
    /// before is read again.
    pub(super) fn rewound(&mut self, rewinds: u64, now: Micros) {
        if std::mem::replace(&mut self.rewinds, rewinds) != rewinds {
            self.takeover.record(now);
        }
    }

    /// When this process last took over, or may have been taken over from, as seen at `now`.
    pub(super) fn takeover(&self, now: Micros) -> Micros {
        self.takeover.time(now)
    }

    /// Whether it may have been stored before `now`, in µs since the epoch.
    pub(super) fn is_about(&self, entry: &Entry, now: Micros) -> bool {
        let documents = entry.item.documents();
        let written = || written_at(&documents.source(entry.item.document()));
        entry.is_in_doubt || !written().is_some_and(|written| self.is_new(written, now))
    }

    fn is_new(&self, written: Micros, now: Micros) -> bool {
        // A time that is still to come says nothing.
        written > self.takeover(now).saturating_add(self.apart)
            && written <= now.saturating_add(self.apart)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Doc, entries};
    use super::*;
    use crate::ledger::Ledger;

    const SECOND: Micros = 1_000_000;

    fn entry(created: Option<Micros>) -> Entry {
        let body = created.map_or("{}".to_owned(), |at| {
            let at = jiff::Timestamp::from_microsecond(at).unwrap();
            format!(r#"{{"metadata":{{"creationTimestamp":"{at}"}}}}"#)
        });
        entries(&Ledger::default(), &[Doc { body: &body, ..Doc::object("u", "1") }]).remove(0)
    }

    fn in_doubt(takeover: Micros) -> InDoubt {
        InDoubt::new(Takeover::at(takeover), CLOCKS_APART)
    }

    #[test]
    fn only_what_was_written_well_after_the_takeover_was_sent_by_nobody() {
        let (in_doubt, apart) =
            (in_doubt(1_801_000_000 * SECOND), CLOCKS_APART.as_micros() as Micros);
        let at = |time: Micros| in_doubt.is_about(&entry(Some(time)), 1_801_001_000 * SECOND);
        assert!(at(0) && at(1_801_000_000 * SECOND) && at(1_801_000_000 * SECOND + apart));
        assert!(!at(1_801_000_000 * SECOND + apart + SECOND) && !at(1_801_001_000 * SECOND));
        assert!(at(1_801_001_001 * SECOND + apart), "it was written in the future");
        assert!(
            in_doubt.is_about(&entry(None), 1_801_001_000 * SECOND),
            "nobody knows when it was written"
        );
    }

    #[test]
    fn what_an_attempt_left_in_doubt_stays_so_whenever_it_was_written() {
        let mut entry = entry(Some(1_801_001_000 * SECOND));
        assert!(!in_doubt(0).is_about(&entry, 1_801_001_000 * SECOND));
        entry.is_in_doubt = true;
        assert!(in_doubt(0).is_about(&entry, 1_801_001_000 * SECOND));
    }

    #[test]
    fn a_takeover_puts_everything_until_then_in_doubt_again() {
        let in_doubt = in_doubt(0);
        let entry = entry(Some(1_801_001_000 * SECOND));
        in_doubt.takeover.record(1_801_000_900 * SECOND);
        assert!(in_doubt.is_about(&entry, 1_801_001_000 * SECOND));
        in_doubt.takeover.record(0);
        assert_eq!(in_doubt.takeover.time(0), 1_801_000_900 * SECOND, "it moves on only");
    }

    #[test]
    fn a_restored_cluster_puts_everything_until_then_in_doubt_again() {
        let mut in_doubt = in_doubt(0);
        let entry = entry(Some(1_801_001_000 * SECOND));
        in_doubt.rewound(0, 1_801_001_010 * SECOND);
        assert!(!in_doubt.is_about(&entry, 1_801_001_010 * SECOND));
        in_doubt.rewound(1, 1_801_001_010 * SECOND);
        assert!(in_doubt.is_about(&entry, 1_801_001_010 * SECOND));
        in_doubt.rewound(1, 1_802_001_010 * SECOND);
        assert_eq!(in_doubt.takeover.time(0), 1_801_001_010 * SECOND, "once");
    }
}
