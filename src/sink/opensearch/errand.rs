//! What is asked of OpenSearch for one parcel, request after request: where its documents may be
//! stored already, a refresh and lookups of their ids, and then a `_bulk` of those that are not
//! there. Pure: the requests are carried by others.
//!
//! Each lookup is of what a refresh has just shown: what a request of the same run stored a moment
//! ago is found too, whatever the index's own `refresh_interval` is. (A document may be there twice
//! on its way: two lives may have spooled it.)
//!
//! Invariant: a document that is in doubt is in no `_bulk` before a lookup that was complete has
//! not found it.

use std::collections::VecDeque;

use super::client::{Response, TransportError};
use super::doubt::Doubt;
use super::failure::read;
use super::lane::Failure;
use super::lookup::{self, Ask};
use super::parcel::Parcel;
use super::request::Actions;
use super::response::{self, Answer};
use crate::event::Micros;

/// What is known of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Nobody can have sent it before.
    New,
    /// It is to be looked up, or was not found.
    Absent,
    /// It was found.
    Stored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Refresh,
    Search,
    Bulk,
}

/// One parcel on its way.
#[derive(Debug)]
pub(super) struct Errand {
    parcel: Parcel,
    actions: Actions,
    known: Vec<Known>,
    /// Documents in doubt that no lookup has answered yet, by their number.
    unasked: VecDeque<usize>,
    step: Step,
    /// Whether the answers to `_bulk` tell where documents went.
    tells_index: bool,
    index: Option<String>,
}

/// What came of an errand, beside the answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// Documents that were looked up and found.
    pub(super) stored: u64,
    /// Documents that were looked up and not found.
    pub(super) absent: u64,
    /// Of them, documents that this errand created, ...
    pub(super) created_in_doubt: u64,
    /// ... and the index of the last document of the answer.
    pub(super) index: Option<String>,
}

impl Errand {
    /// Sends `parcel`, and looks up first what of it `doubt` is about. `now` is in µs since the
    /// epoch.
    pub(super) fn new(
        parcel: Parcel,
        actions: Actions,
        doubt: Option<&Doubt>,
        now: Micros,
    ) -> Errand {
        let known = |entry| match doubt {
            Some(doubt) if doubt.is_about(entry, now) => Known::Absent,
            _ => Known::New,
        };
        let known: Vec<Known> = parcel.entries.iter().map(known).collect();
        let numbers = known.iter().enumerate().filter(|(_, known)| **known == Known::Absent);
        let unasked: VecDeque<usize> = numbers.map(|(number, _)| number).collect();
        let step = if unasked.is_empty() { Step::Bulk } else { Step::Refresh };
        Errand { parcel, actions, known, unasked, step, tells_index: false, index: None }
    }

    /// The same errand, which learns where the documents went.
    pub(super) fn telling_index(self, tells_index: bool) -> Errand {
        Errand { tells_index, ..self }
    }

    /// The next request.
    pub(super) fn ask(&mut self) -> Ask {
        match self.step {
            Step::Refresh => lookup::refresh(&self.actions.name()),
            Step::Search => {
                let ids: Vec<String> = self.chunk().map(|number| self.id(number)).collect();
                lookup::search(&self.actions.name(), &ids)
            }
            Step::Bulk => {
                let sent = self.parcel.entries.iter().zip(&self.known);
                let sent = sent
                    .filter(|(_, known)| **known != Known::Stored)
                    .map(|(entry, _)| &entry.item);
                Ask {
                    method: http::Method::POST,
                    path: format!("/_bulk?filter_path={}", response::filter_path(self.tells_index)),
                    content_type: "application/x-ndjson",
                    body: self.actions.body(sent),
                }
            }
        }
    }

    /// How many documents the next request stores.
    pub(super) fn documents(&self) -> Option<usize> {
        (self.step == Step::Bulk).then(|| self.sent())
    }

    fn sent(&self) -> usize {
        self.known.iter().filter(|known| **known != Known::Stored).count()
    }

    fn chunk(&self) -> impl Iterator<Item = usize> + '_ {
        self.unasked.iter().copied().take(lookup::IDS_MAX)
    }

    fn id(&self, number: usize) -> String {
        self.actions.id(&self.parcel.entries[number].item)
    }

    /// The answer to it. Answers what that means for the parcel, one answer a document, when no
    /// other request is to come.
    pub(super) fn answered(
        &mut self,
        answer: Result<Response, TransportError>,
        host: &str,
    ) -> Option<Result<Vec<Answer>, Failure>> {
        let next = match self.step {
            Step::Refresh => lookup::refreshed(answer, host).map(|()| Step::Search),
            Step::Search => lookup::found(answer, host).map(|found| self.found(&found)),
            Step::Bulk => return Some(self.bulk(answer, host)),
        };
        match next {
            Err(failure) => Some(Err(failure)),
            Ok(step) => {
                self.step = step;
                (step == Step::Bulk && self.sent() == 0).then(|| Ok(self.answers(Vec::new())))
            }
        }
    }

    fn found(&mut self, found: &lookup::Found) -> Step {
        let asked: Vec<usize> =
            self.unasked.drain(..self.unasked.len().min(lookup::IDS_MAX)).collect();
        for number in asked.into_iter().rev() {
            if found.ids.contains(&self.id(number)) {
                self.known[number] = Known::Stored;
            } else if found.is_cut {
                // It may be among those that there was no room for. Those that were found are not
                // asked again.
                self.unasked.push_front(number);
            }
        }
        if self.unasked.is_empty() { Step::Bulk } else { Step::Search }
    }

    fn bulk(
        &mut self,
        answer: Result<Response, TransportError>,
        host: &str,
    ) -> Result<Vec<Answer>, Failure> {
        if let (true, Ok(answer)) = (self.tells_index, &answer) {
            self.index = response::index_of_stored(&answer.body);
        }
        let answers = read(answer, self.sent(), host)?;
        Ok(self.answers(answers))
    }

    /// One answer for each document: that it is there for those that were found.
    fn answers(&self, sent: Vec<Answer>) -> Vec<Answer> {
        let mut sent = sent.into_iter();
        let answer = |known: &Known| match known {
            Known::Stored => Some(Answer { status: 409, error: None }),
            Known::New | Known::Absent => sent.next(),
        };
        self.known.iter().filter_map(answer).collect()
    }

    /// The parcel, and what was learned beside what became of it.
    pub(super) fn finish(self, reply: &Result<Vec<Answer>, Failure>) -> (Parcel, Learned) {
        let count = |which| self.known.iter().filter(|known| **known == which).count() as u64;
        let answers = reply.as_deref().unwrap_or_default().iter();
        let created = answers.zip(&self.known).filter(|(answer, known)| {
            **known == Known::Absent && (200..300).contains(&answer.status)
        });
        let learned = Learned {
            stored: count(Known::Stored),
            absent: count(Known::Absent) - self.unasked.len() as u64,
            created_in_doubt: created.count() as u64,
            index: self.index,
        };
        (self.parcel, learned)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::{Value, json};

    use super::super::doubt::CLOCKS_APART;
    use super::super::tests::{Doc, entries};
    use super::*;
    use crate::handoff::Takeover;
    use crate::ledger::Ledger;
    use crate::sink::{IndexPattern, Mode};

    /// An errand with so many documents, all of them in doubt.
    fn errand(count: usize) -> Errand {
        let uids: Vec<String> = (0..count).map(|number| format!("u{number}")).collect();
        let docs: Vec<Doc<'_>> = uids.iter().map(|uid| Doc::object(uid, "1")).collect();
        let pattern = IndexPattern { prefix: "e".into(), date: None, suffix: String::new() };
        let doubt = Doubt::new(Takeover::at(0), CLOCKS_APART);
        let parcel = Parcel::new(entries(&Ledger::default(), &docs));
        Errand::new(parcel, Actions::new(pattern, Mode::History), Some(&doubt), 0)
            .telling_index(true)
    }

    fn answer(errand: &mut Errand, body: Value) -> Option<Result<Vec<Answer>, Failure>> {
        let response = Response { status: StatusCode::OK, body: body.to_string().into_bytes() };
        errand.answered(Ok(response), "h")
    }

    fn refreshed() -> Value {
        json!({ "_shards": { "failed": 0 } })
    }

    fn found(ids: &[String], total: usize) -> Value {
        let hits: Vec<Value> = ids.iter().map(|id| json!({ "_id": id })).collect();
        json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "total": { "value": total }, "hits": hits } })
    }

    fn asked(errand: &mut Errand) -> Vec<String> {
        let ask = errand.ask();
        assert!(ask.path.starts_with("/e/_search"), "{}", ask.path);
        let body: Value = serde_json::from_slice(&ask.body).unwrap();
        serde_json::from_value(body["query"]["ids"]["values"].clone()).unwrap()
    }

    #[test]
    fn what_is_found_is_not_sent_and_each_answer_is_its_documents() {
        let mut errand = errand(3);
        assert!(errand.ask().path.starts_with("/e/_refresh"));
        assert_eq!(answer(&mut errand, refreshed()), None);
        assert_eq!(asked(&mut errand), ["u0.1", "u1.1", "u2.1"]);
        assert_eq!(answer(&mut errand, found(&["u1.1".into()], 1)), None);
        let body = String::from_utf8(errand.ask().body).unwrap();
        assert!(body.contains("u0.1") && !body.contains("u1.1") && body.contains("u2.1"), "{body}");
        let items = json!({ "items": [
            { "create": { "_index": "e-2", "status": 201 } },
            { "create": { "_index": "e-2", "status": 429 } },
        ] });
        let reply = answer(&mut errand, items).unwrap();
        let statuses: Vec<u16> =
            reply.as_ref().unwrap().iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [201, 409, 429]);
        let (_, learned) = errand.finish(&reply);
        let expected =
            Learned { stored: 1, absent: 2, created_in_doubt: 1, index: Some("e-2".into()) };
        assert_eq!(learned, expected);
    }

    #[test]
    fn where_all_is_found_nothing_is_sent() {
        let mut errand = errand(2);
        answer(&mut errand, refreshed());
        let all = asked(&mut errand);
        let reply = answer(&mut errand, found(&all, 2)).unwrap().unwrap();
        assert!(reply.iter().all(|answer| answer.status == 409) && reply.len() == 2);
    }

    #[test]
    fn what_there_was_no_room_for_in_an_answer_is_asked_for_again() {
        let mut errand = errand(lookup::IDS_MAX + 2);
        answer(&mut errand, refreshed());
        let first = asked(&mut errand);
        assert_eq!(first.len(), lookup::IDS_MAX);
        // All of them are there, and only half of them fit.
        assert_eq!(answer(&mut errand, found(&first[500..], 1000)), None);
        let second = asked(&mut errand);
        assert_eq!((second.len(), &second[..500]), (502, &first[..500]));
        let all = answer(&mut errand, found(&second, second.len())).unwrap().unwrap();
        assert_eq!(all.len(), lookup::IDS_MAX + 2);
    }

    #[test]
    fn a_lookup_that_fails_sends_nothing() {
        let mut errand = errand(2);
        let failed = json!({ "_shards": { "failed": 1 } });
        let reply = answer(&mut errand, failed).unwrap();
        assert!(matches!(reply, Err(Failure::Outage(_))));
        assert_eq!(errand.finish(&reply).1, Learned::default());
    }
}
