//! One try to store a batch, request after request: where its documents may be stored already, a
//! refresh and lookups of their ids, and then a `_bulk` of those that are not there. Pure: the
//! requests are carried by others.
//!
//! Each lookup is of what a refresh has just shown: what a request of the same run stored a moment
//! ago is found too, whatever the index's own `refresh_interval` is.
//!
//! Invariant: a document in doubt goes into a `_bulk` only after a complete lookup has not found
//! it, and none that was made before a takeover: a process that stood still between a lookup and
//! its `_bulk`, for longer than its Lease, looks again. The one exception: it is not known whether
//! the writes move, and lookups are refused.

use std::collections::VecDeque;

use http::StatusCode;

use super::batch::Batch;
use super::in_doubt::InDoubt;
use super::lookup;
use super::request::Actions;
use super::suspicion::Form;
use crate::event::Micros;
use crate::opensearch::{
    Answer, BulkAnswers, Request, RequestError, Response, TransportError, bulk_filter_path,
    read_bulk,
};

/// Whether what is in doubt is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookUp {
    Never,
    /// Unless that is refused: it may not be needed.
    IfAllowed,
    Always,
}

/// What is known of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Nobody can have sent it before.
    New,
    /// It is in doubt, and was not looked up.
    Unchecked,
    /// It was looked up, and was not there.
    Absent,
    /// It was looked up, and is there.
    Stored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Refresh,
    Search,
    Bulk,
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Attempt {
    batch: Batch,
    actions: Actions,
    in_doubt: InDoubt,
    /// The takeover that `known` is about, in µs since the epoch.
    takeover: Micros,
    known: Vec<Known>,
    /// Documents that are still to be looked up, by their number.
    unchecked: VecDeque<usize>,
    look_up: LookUp,
    step: Step,
    /// Whether the answers to `_bulk` tell where documents went.
    tells_index: bool,
    /// 401 or 403: perhaps the password was changed.
    is_unauthorized: bool,
}

/// What follows from the answer to a request.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Another request is to be made.
    Continues(Attempt),
    Ended(Ended),
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(super) batch: Batch,
    /// One answer for each document; `None` for one that was found, and not sent.
    pub(super) reply: Result<Vec<Option<Answer>>, RequestError>,
    pub(super) learned: Learned,
    /// 401 or 403: perhaps the password was changed.
    pub(crate) is_unauthorized: bool,
}

/// What an attempt found out, beside the answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// Documents that were looked up and found.
    pub(super) stored: u64,
    /// Documents that were looked up and not found.
    pub(super) absent: u64,
    /// Of them, documents that this attempt created, ...
    pub(super) created_in_doubt: u64,
    /// ... and the index of the last document that is stored.
    pub(super) index: Option<String>,
}

impl Attempt {
    /// Sends `batch`, and looks up first what of it is in doubt. `now` is in µs since the epoch.
    /// With `tells_index` it learns where documents went.
    pub(super) fn new(
        batch: Batch,
        actions: Actions,
        (in_doubt, look_up): (&InDoubt, LookUp),
        tells_index: bool,
        now: Micros,
    ) -> Attempt {
        let mut attempt = Attempt {
            known: vec![Known::New; batch.entries.len()],
            batch,
            actions,
            in_doubt: in_doubt.clone(),
            takeover: 0,
            unchecked: VecDeque::new(),
            look_up,
            step: Step::Bulk,
            tells_index,
            is_unauthorized: false,
        };
        attempt.decide_lookups(now);
        attempt
    }

    /// Decides what is to be looked up, from the beginning. What was found stays found, and what
    /// was in doubt stays so.
    fn decide_lookups(&mut self, now: Micros) {
        self.takeover = self.in_doubt.takeover(now);
        self.unchecked.clear();
        if self.look_up != LookUp::Never {
            for (number, entry) in self.batch.entries.iter().enumerate() {
                let known = &mut self.known[number];
                if *known == Known::New && self.in_doubt.is_about(entry, now) {
                    *known = Known::Unchecked;
                }
                if matches!(*known, Known::Unchecked | Known::Absent) {
                    self.unchecked.push_back(number);
                }
            }
        }
        self.step = if self.unchecked.is_empty() { Step::Bulk } else { Step::Refresh };
    }

    /// The next request, which is sent at `now`, in µs since the epoch.
    pub(crate) fn request(&mut self, now: Micros) -> Request {
        if self.in_doubt.takeover(now) != self.takeover {
            self.decide_lookups(now);
        }
        match self.step {
            Step::Refresh => lookup::refresh(&self.actions.name()),
            Step::Search => {
                let ids: Vec<String> = self.chunk().map(|number| self.id(number)).collect();
                lookup::search(&self.actions.name(), &ids)
            }
            Step::Bulk => {
                let sent = self.batch.entries.iter().zip(&self.known);
                let sent = sent
                    .filter(|(_, known)| **known != Known::Stored)
                    .map(|(entry, _)| &entry.item);
                // Where nothing is looked up, ids keep out what is there.
                let is_repeatable = self.look_up == LookUp::Never;
                let body = self.actions.body(sent);
                Request::bulk(&bulk_filter_path(self.tells_index), body, is_repeatable)
            }
        }
    }

    /// How many documents the request stores that was made last; `None` for a lookup.
    pub(super) fn documents(&self) -> Option<usize> {
        (self.step == Step::Bulk).then(|| self.sent())
    }

    fn sent(&self) -> usize {
        self.known.iter().filter(|known| **known != Known::Stored).count()
    }

    fn chunk(&self) -> impl Iterator<Item = usize> + '_ {
        self.unchecked.iter().copied().take(lookup::IDS_MAX)
    }

    fn id(&self, number: usize) -> String {
        self.actions.id(&self.batch.entries[number].item)
    }

    /// The answer to the last request.
    pub(crate) fn answered(
        mut self,
        answer: Result<Response, TransportError>,
        host: &str,
    ) -> Progress {
        self.is_unauthorized |= matches!(&answer, Ok(answer)
            if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let next = match self.step {
            Step::Refresh => lookup::refreshed(answer, host).map(|()| Step::Search),
            Step::Search => lookup::found(answer, host).and_then(|found| self.found(&found, host)),
            Step::Bulk => {
                self.batch.form = answer.as_ref().ok().map(|answer| Form {
                    host: host.to_owned(),
                    is_compressed: answer.was_compressed,
                });
                let answers = read_bulk(answer, self.sent(), host);
                return Progress::Ended(self.end(answers));
            }
        };
        match next {
            Ok(Step::Bulk) if self.sent() == 0 => {
                Progress::Ended(self.end(Ok(BulkAnswers::default())))
            }
            Ok(step) => Progress::Continues(Attempt { step, ..self }),
            Err(RequestError::Refused(_))
                if self.look_up == LookUp::IfAllowed && status.is_some_and(refuses_lookups) =>
            {
                Progress::Continues(Attempt { step: Step::Bulk, ..self })
            }
            Err(error) => Progress::Ended(self.end(Err(error))),
        }
    }

    fn found(&mut self, found: &lookup::Found, host: &str) -> Result<Step, RequestError> {
        let asked: Vec<usize> =
            self.unchecked.drain(..self.unchecked.len().min(lookup::IDS_MAX)).collect();
        let count = asked.len();
        for &number in asked.iter().rev() {
            if found.ids.contains(&self.id(number)) {
                self.known[number] = Known::Stored;
            } else if found.is_cut {
                // It may be among those that there was no room for. Those that were found are not
                // asked again.
                self.unchecked.push_front(number);
            } else {
                self.known[number] = Known::Absent;
            }
        }
        // A lookup that goes on for ever would ask as fast as it is answered.
        let asks_again = self.unchecked.iter().take(count).eq(asked.iter());
        if found.is_cut && asks_again {
            return Err(RequestError::Outage(format!(
                "{host} finds more documents by their ids than it names, and none that it was \
                 asked for"
            )));
        }
        Ok(if self.unchecked.is_empty() { Step::Bulk } else { Step::Search })
    }

    fn end(self, answers: Result<BulkAnswers, RequestError>) -> Ended {
        let count = |which| self.known.iter().filter(|known| **known == which).count() as u64;
        let mut learned = Learned {
            stored: count(Known::Stored),
            absent: count(Known::Absent),
            ..Learned::default()
        };
        let reply = answers.map(|BulkAnswers { items, stored_in, .. }| {
            learned.index = stored_in;
            let mut items = items.into_iter();
            let mut reply = Vec::with_capacity(self.known.len());
            for known in &self.known {
                let answer = if *known == Known::Stored { None } else { items.next() };
                let is_created = answer.as_ref().is_some_and(|it| (200..300).contains(&it.status));
                learned.created_in_doubt += u64::from(is_created && *known == Known::Absent);
                reply.push(answer);
            }
            reply
        });
        Ended { batch: self.batch, reply, learned, is_unauthorized: self.is_unauthorized }
    }
}

/// Whether a status means that lookups are not allowed or not known there, and not that nothing is.
fn refuses_lookups(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::in_doubt::CLOCKS_APART;
    use super::super::tests::{Doc, entries};
    use super::*;
    use crate::handoff::Takeover;
    use crate::ledger::Ledger;
    use crate::sink::{IndexPattern, Mode};

    /// An attempt with this many documents, all of them in doubt.
    fn attempt(count: usize, look_up: LookUp) -> Attempt {
        attempt_after(Takeover::at(0), count, look_up)
    }

    fn attempt_after(takeover: Takeover, count: usize, look_up: LookUp) -> Attempt {
        let uids: Vec<String> = (0..count).map(|number| format!("u{number}")).collect();
        let docs: Vec<Doc<'_>> = uids.iter().map(|uid| Doc::object(uid, "1")).collect();
        let pattern = IndexPattern { prefix: "e".into(), date: None, suffix: String::new() };
        let in_doubt = InDoubt::new(takeover, CLOCKS_APART);
        let batch = Batch::new(entries(&Ledger::default(), &docs));
        let actions = Actions::new(pattern, Mode::History);
        Attempt::new(batch, actions, (&in_doubt, look_up), true, 0)
    }

    fn answer(attempt: Attempt, status: u16, body: &Value) -> Progress {
        let status = StatusCode::from_u16(status).unwrap();
        attempt.answered(
            Ok(Response { status, body: body.to_string().into_bytes(), ..Response::default() }),
            "h",
        )
    }

    fn goes_on(attempt: Attempt, body: &Value) -> Attempt {
        match answer(attempt, 200, body) {
            Progress::Continues(attempt) => attempt,
            Progress::Ended(ended) => panic!("it has ended: {ended:?}"),
        }
    }

    fn ends(attempt: Attempt, body: &Value) -> Ended {
        match answer(attempt, 200, body) {
            Progress::Ended(ended) => ended,
            Progress::Continues(attempt) => panic!("it goes on: {attempt:?}"),
        }
    }

    fn refreshed() -> Value {
        json!({ "_shards": { "failed": 0 } })
    }

    fn found(ids: &[String], total: usize) -> Value {
        let hits: Vec<Value> = ids.iter().map(|id| json!({ "_id": id })).collect();
        json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "total": { "value": total }, "hits": hits } })
    }

    fn asked(attempt: &mut Attempt) -> Vec<String> {
        let request = attempt.request(0);
        assert!(request.path.starts_with("/e/_search"), "{}", request.path);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        serde_json::from_value(body["query"]["ids"]["values"].clone()).unwrap()
    }

    #[test]
    fn what_is_found_is_not_sent_and_each_answer_is_its_documents() {
        let mut attempt = attempt(3, LookUp::Always);
        assert!(attempt.request(0).path.starts_with("/e/_refresh"));
        let mut attempt = goes_on(attempt, &refreshed());
        assert_eq!(asked(&mut attempt), ["u0.1", "u1.1", "u2.1"]);
        let mut attempt = goes_on(attempt, &found(&["u1.1".into()], 1));
        let request = attempt.request(0);
        assert!(!request.is_repeatable, "it would be there twice");
        let body = String::from_utf8(request.body.into()).unwrap();
        assert!(body.contains("u0.1") && !body.contains("u1.1") && body.contains("u2.1"), "{body}");
        let items = json!({ "items": [
            { "create": { "_index": "e-2", "status": 201 } },
            { "create": { "_index": "e-2", "status": 429 } },
        ] });
        let ended = ends(attempt, &items);
        let statuses: Vec<Option<u16>> =
            ended.reply.unwrap().iter().map(|answer| answer.as_ref().map(|it| it.status)).collect();
        assert_eq!(statuses, [Some(201), None, Some(429)]);
        let expected =
            Learned { stored: 1, absent: 2, created_in_doubt: 1, index: Some("e-2".into()) };
        assert_eq!(ended.learned, expected);
    }

    #[test]
    fn where_the_writes_stay_a_request_may_be_carried_out_twice() {
        assert!(attempt(1, LookUp::Never).request(0).is_repeatable);
    }

    #[test]
    fn where_all_is_found_nothing_is_sent() {
        let mut attempt = goes_on(attempt(2, LookUp::Always), &refreshed());
        let all = asked(&mut attempt);
        let reply = ends(attempt, &found(&all, 2)).reply.unwrap();
        assert_eq!(reply, [None, None]);
    }

    #[test]
    fn what_was_looked_up_before_a_takeover_is_looked_up_again() {
        let takeover = Takeover::at(0);
        takeover.lapses_at(Some(5));
        let attempt = attempt_after(takeover.clone(), 3, LookUp::Always);
        let mut attempt = goes_on(attempt, &refreshed());
        assert_eq!(asked(&mut attempt), ["u0.1", "u1.1", "u2.1"]);
        let mut attempt = goes_on(attempt, &found(&["u1.1".into()], 1));
        // The process stood still until another one may have stored what was absent.
        assert!(attempt.request(5).path.starts_with("/e/_refresh"));
        let mut attempt = goes_on(attempt, &refreshed());
        assert_eq!(asked(&mut attempt), ["u0.1", "u2.1"], "what is there stays there");
        takeover.record(9);
        assert!(attempt.request(9).path.starts_with("/e/_refresh"), "in the middle of it, too");
        let mut attempt = goes_on(attempt, &refreshed());
        asked(&mut attempt);
        let mut attempt = goes_on(attempt, &found(&["u2.1".into()], 1));
        assert!(attempt.request(9).path.starts_with("/_bulk"));
        assert_eq!(attempt.documents(), Some(1));
    }

    #[test]
    fn what_there_was_no_room_for_in_an_answer_is_asked_for_again() {
        let mut attempt = goes_on(attempt(lookup::IDS_MAX + 2, LookUp::Always), &refreshed());
        let first = asked(&mut attempt);
        assert_eq!(first.len(), lookup::IDS_MAX);
        // All of them are there, and only half of them fit.
        let mut attempt = goes_on(attempt, &found(&first[500..], 1000));
        let second = asked(&mut attempt);
        assert_eq!((second.len(), &second[..500]), (502, &first[..500]));
        let all = ends(attempt, &found(&second, second.len())).reply.unwrap();
        assert_eq!(all.len(), lookup::IDS_MAX + 2);
    }

    #[test]
    fn a_lookup_whose_total_never_ends_is_an_outage_and_not_asked_again_at_once() {
        let attempt = goes_on(attempt(3, LookUp::Always), &refreshed());
        // Each answer may bring something new as long as it brings something.
        let attempt = goes_on(attempt, &found(&["u1.1".into()], 9));
        let ended = ends(attempt, &found(&["foreign".into()], 9));
        let Err(RequestError::Outage(why)) = ended.reply else { panic!("{:?}", ended.reply) };
        insta::assert_snapshot!(why, @"h finds more documents by their ids than it names, and none that it was asked for");
    }

    #[test]
    fn a_lookup_that_fails_sends_nothing() {
        for look_up in [LookUp::Always, LookUp::IfAllowed] {
            let failed = json!({ "_shards": { "failed": 1 } });
            let ended = ends(attempt(2, look_up), &failed);
            assert!(matches!(ended.reply, Err(RequestError::Outage(_))));
            assert_eq!(ended.learned, Learned::default());
        }
    }

    #[test]
    fn a_lookup_that_is_refused_holds_only_what_needs_it() {
        let refusal = json!({ "error": { "type": "security_exception", "reason": "no" } });
        let must = answer(attempt(2, LookUp::Always), 403, &refusal);
        assert!(matches!(
            must,
            Progress::Ended(Ended {
                reply: Err(RequestError::Refused(_)),
                is_unauthorized: true,
                ..
            })
        ));
        let Progress::Continues(mut may) = answer(attempt(2, LookUp::IfAllowed), 403, &refusal)
        else {
            panic!("nobody knows whether it is needed")
        };
        assert!(may.request(0).path.starts_with("/_bulk"));
        assert_eq!(may.documents(), Some(2));
    }
}
