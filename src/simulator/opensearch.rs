//! An OpenSearch cluster: indices of documents by id, external versions, a data stream that rolls
//! over, and everything that a request can meet. It keeps its own record of what it did, for the
//! oracle.
//!
//! What is written is found by a search only after a refresh that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use super::clock::{MILLISECOND, NEVER, SECOND, Time};
use super::history::id_in;
use super::plan::{Gateway, Plan, Poisoning, around, happens};
use crate::sink::simulated::{Ended, Kind, Request as Asked};

/// A request on its way. The process that sent it may be gone when it arrives.
#[derive(Debug)]
pub(super) struct Request {
    /// Which process sent it, and its number there.
    pub(super) life: u32,
    pub(super) number: u64,
    asked: Asked,
    /// When it is carried out, if it is and was not yet.
    apply_at: Option<Time>,
    /// When its end is seen.
    pub(super) ends_at: Time,
    fate: Fate,
    answer: Option<Ended>,
    /// What the answer tells, if it comes.
    told: Told,
}

/// What an attempt was told by the requests of it that were answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Ids that a lookup found.
    pub(super) found: BTreeSet<String>,
    /// Ids that a lookup did not find.
    pub(super) absent: BTreeSet<String>,
    /// Ids that the request created.
    pub(super) created: Vec<String>,
    /// Where the last document of it is stored.
    pub(super) index: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Carried out, and the answer is late.
    LateAnswer,
    /// Carried out, and the answer is lost.
    LostAnswer,
    /// Not carried out.
    Lost,
    /// Not carried out, with this status.
    Refused(u16),
    /// Carried out, and the answer is of no use.
    Garbled,
    /// Carried out, and the answer has another number of items.
    Miscounted,
}

/// The cluster.
#[derive(Debug)]
pub(super) struct OpenSearch {
    /// External versions, by index and id; 0 in `history` mode.
    pub(super) documents: BTreeMap<(String, String), u64>,
    /// In how many indices each id is.
    pub(super) ids: BTreeMap<String, u32>,
    /// Versions that it has ever refused for their content.
    pub(super) refused: BTreeSet<String>,
    pub(super) requests: Vec<Request>,
    /// Away until then.
    pub(super) down_until: Time,
    /// Refuses every document for its content until then; how often that began.
    pub(super) bad_template_until: Time,
    pub(super) bad_templates: u32,
    pub(super) is_calm: bool,
    /// What it found out that must not be.
    pub(super) violations: Vec<String>,
    /// Ids that are in more indices than one, and no lookup excuses it.
    pub(super) stored_twice: Vec<String>,
    /// How often a document was sent that was stored already.
    pub(super) resent: u64,
    /// How often the data stream was rolled over.
    pub(super) generation: u64,
    /// What the attempts were told that have not ended, by life and number.
    told: BTreeMap<(u32, u64), Told>,
    /// Lives that cannot know yet whether a data stream is what they write to.
    uncertain: BTreeSet<u32>,
    /// Ids that a search finds.
    visible: BTreeSet<String>,
    /// Ids that were on their way in one request when another one was told that they are not
    /// there.
    on_their_way: BTreeSet<(u32, u64, String)>,
    /// When a request had what was stored shown.
    refreshed: BTreeMap<(u32, u64), Time>,
    /// As of when a request was told that an id is not there.
    absent: BTreeMap<(u32, u64, String), Time>,
    /// When an id was stored last, and by which process.
    created: BTreeMap<String, (Time, u32)>,
    /// How many documents a search has found.
    pub(super) found: u64,
    /// How many documents were stored in a second index because they were on their way when they
    /// were looked up.
    pub(super) windows: u64,
    plan: Plan,
    random: fastrand::Rng,
    gateway_random: fastrand::Rng,
    /// From then on, what can never be stored is told by a listed error.
    pub(super) mended_at: Time,
    /// How many requests were refused whatever was in them.
    pub(super) refused_requests: u64,
}

const GARBLED: &[u8] = b"<html>502 Bad Gateway</html>";
/// What a document can never be stored with.
const POISON: &[u8] = b"POISON ";
/// A body larger than this is refused.
const BODY_BYTES_MAX: usize = 60_000;

impl OpenSearch {
    pub(super) fn new(plan: &Plan, random: fastrand::Rng) -> OpenSearch {
        OpenSearch {
            documents: BTreeMap::new(),
            ids: BTreeMap::new(),
            refused: BTreeSet::new(),
            requests: Vec::new(),
            down_until: 0,
            bad_template_until: 0,
            bad_templates: 0,
            is_calm: false,
            violations: Vec::new(),
            stored_twice: Vec::new(),
            resent: 0,
            generation: 0,
            told: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            visible: BTreeSet::new(),
            on_their_way: BTreeSet::new(),
            refreshed: BTreeMap::new(),
            absent: BTreeMap::new(),
            created: BTreeMap::new(),
            found: 0,
            windows: 0,
            plan: plan.clone(),
            random,
            gateway_random: fastrand::Rng::with_seed(plan.odd_seed),
            mended_at: NEVER,
            refused_requests: 0,
        }
    }

    /// A process asks what the index stands for, before it sends anything; `None`: it is away. Of
    /// an index with a date nobody asks.
    pub(super) fn kind(&mut self, life: u32, now: Time) -> Option<Option<Kind>> {
        if now < self.down_until {
            return None;
        }
        let name = self.plan.pattern().name();
        let is_there = !self.documents.is_empty();
        let is_told = self.random.u8(..4) > 0;
        let kind = match (self.plan.roll_every.is_some(), is_there, is_told) {
            _ if self.plan.pattern().date.is_some() => return Some(None),
            (_, _, false) => Kind::Unknown,
            (false, true, true) => Kind::Index,
            (false, false, true) => Kind::Absent,
            (true, false, true) if self.random.bool() => Kind::FutureDataStream,
            (true, false, true) => Kind::Absent,
            (true, true, true) => {
                let index = self.index_of(&name);
                match self.random.u8(..3) {
                    0 => Kind::Alias,
                    1 => Kind::WritesTo(index),
                    _ => Kind::DataStream(Some(index)),
                }
            }
        };
        if matches!(kind, Kind::Unknown | Kind::Absent) {
            self.uncertain.insert(life);
        }
        Some(Some(kind))
    }

    /// The index that writes to this name go to now.
    fn index_of(&self, name: &str) -> String {
        match self.plan.roll_every {
            Some(_) => format!("{name}-{}", self.generation),
            None => name.to_owned(),
        }
    }

    /// An attempt has ended: what it was told.
    pub(super) fn take_told(&mut self, life: u32, number: u64) -> Told {
        let told = self.told.remove(&(life, number)).unwrap_or_default();
        if told.index.is_some() {
            self.uncertain.remove(&life);
        }
        told
    }

    /// Whether a process that cannot know yet where writes go has another attempt than this one on
    /// its way.
    pub(super) fn sends_in_the_dark(&self, life: u32, number: u64) -> bool {
        let is_other = |request: &Request| request.life == life && request.number != number;
        self.uncertain.contains(&life) && self.requests.iter().any(is_other)
    }

    /// A process sends a request.
    pub(super) fn send(&mut self, life: u32, number: u64, asked: Asked, now: Time) {
        let bytes = if let Asked::Bulk(body, _) = &asked { body.len() } else { 0 };
        let mut fate = self.fate(bytes, now);
        if let Asked::Bulk(body, _) = &asked
            && self.is_refused(body, asked.is_compressed(), now)
        {
            fate = Fate::Refused(400);
        }
        if bytes == 0 && self.uncertain.contains(&life) && matches!(fate, Fate::Refused(403 | 404))
        {
            // Who does not know whether a lookup is needed goes on without, if it is refused.
            fate = Fate::Refused(401);
        }
        let wait = around(20 * MILLISECOND, &mut self.random);
        let applies = matches!(
            fate,
            Fate::Answered | Fate::LateAnswer | Fate::LostAnswer | Fate::Garbled | Fate::Miscounted
        );
        let is_late = fate == Fate::LateAnswer || (fate == Fate::Lost && self.random.u8(..4) == 0);
        let mut ends_at = if is_late { now + 30 * SECOND } else { now + 2 * wait };
        if self.plan.has_bad_template && fate == Fate::Answered && self.random.u8(..16) == 0 {
            // A slow way back: others are answered before it.
            ends_at += self.random.u64(..10 * SECOND);
        }
        let apply_at = applies.then_some(now + wait);
        self.requests.push(Request {
            life,
            number,
            asked,
            apply_at,
            ends_at,
            fate,
            answer: None,
            told: Told::default(),
        });
    }

    /// How it tells now that a document can never be stored.
    pub(super) fn poisoning(&self, now: Time) -> Poisoning {
        if now < self.mended_at { self.plan.poisoning } else { Poisoning::Listed }
    }

    /// Whether what stands before it refuses a `_bulk`.
    fn is_refused(&mut self, body: &[u8], is_compressed: bool, now: Time) -> bool {
        let is_refused = !self.is_calm
            && match self.plan.gateway {
                None => false,
                Some(Gateway::Compressed) => is_compressed,
                Some(Gateway::AtTimes(length)) => (now / length).is_multiple_of(2),
                Some(Gateway::Some(of_a_thousand)) => {
                    happens(of_a_thousand, &mut self.gateway_random)
                }
            };
        self.refused_requests += u64::from(is_refused);
        let has_poison =
            self.poisoning(now) == Poisoning::Request && memmem::find(body, POISON).is_some();
        if has_poison {
            // Of its documents, those are refused that spoil it, and no other.
            let text = String::from_utf8_lossy(body);
            let documents = text.lines().skip(1).step_by(2);
            let spoil = documents.filter(|it| memmem::find(it.as_bytes(), POISON).is_some());
            self.refused.extend(spoil.map(|document| id_in(document.as_bytes())));
        }
        is_refused || has_poison
    }

    fn fate(&mut self, bytes: usize, now: Time) -> Fate {
        let random = &mut self.random;
        if now < self.down_until {
            return [Fate::Lost, Fate::Refused(503), Fate::Refused(502)][random.usize(..3)];
        }
        if bytes > BODY_BYTES_MAX {
            return Fate::Refused(413);
        }
        if self.is_calm || !happens(self.plan.sink_faults, random) {
            return Fate::Answered;
        }
        match random.u8(..9) {
            0 => Fate::LateAnswer,
            1 => Fate::LostAnswer,
            2 => Fate::Lost,
            3 => Fate::Garbled,
            4 => Fate::Miscounted,
            5 => Fate::Refused(429),
            6 => Fate::Refused([500, 503, 504][random.usize(..3)]),
            7 => Fate::Refused([401, 403, 302, 404][random.usize(..4)]),
            _ => Fate::Answered,
        }
    }

    /// When something is to be done next.
    pub(super) fn due(&self) -> Option<Time> {
        self.requests.iter().map(|request| request.apply_at.unwrap_or(request.ends_at)).min()
    }

    /// Does it. The ends of requests are for the process that sent them.
    pub(super) fn act(&mut self, now: Time) -> Option<(u32, u64, Ended)> {
        let at = (0..self.requests.len()).min_by_key(|at| {
            let request = &self.requests[*at];
            request.apply_at.unwrap_or(request.ends_at)
        })?;
        if self.requests[at].apply_at.is_some_and(|apply_at| apply_at <= now) {
            self.requests[at].apply_at = None;
            let asked = std::mem::replace(&mut self.requests[at].asked, Asked::Refresh);
            let of = (self.requests[at].life, self.requests[at].number);
            let fate = self.requests[at].fate;
            let mut told = Told::default();
            let body = match asked {
                Asked::Bulk(body, is_named) => {
                    let items = self.bulk((&body, is_named), of, &mut told, now);
                    answer(fate, items)
                }
                _ if fate == Fate::Garbled => GARBLED.to_vec(),
                Asked::Refresh => {
                    self.refreshed.insert(of, now);
                    self.refresh(fate)
                }
                Asked::Search(body) => self.search(&body, of, fate, &mut told),
            };
            self.requests[at].told = told;
            self.requests[at].answer = Some(Ended::Answered(200, body));
            return None;
        }
        if self.requests[at].ends_at > now {
            return None;
        }
        let mut request = self.requests.swap_remove(at);
        if request.fate == Fate::Answered {
            self.tell((request.life, request.number), std::mem::take(&mut request.told));
        }
        let ended = match request.fate {
            Fate::Answered | Fate::Garbled | Fate::Miscounted => {
                request.answer.take().unwrap_or(Ended::Broke)
            }
            Fate::LateAnswer => Ended::TimedOut,
            Fate::LostAnswer => Ended::Broke,
            Fate::Lost if self.random.bool() => Ended::TimedOut,
            Fate::Lost => Ended::Broke,
            Fate::Refused(status) => Ended::Answered(status, b"{\"error\":\"refused\"}".to_vec()),
        };
        Some((request.life, request.number, ended))
    }

    fn tell(&mut self, attempt: (u32, u64), told: Told) {
        let known = self.told.entry(attempt).or_default();
        known.found.extend(told.found);
        known.absent.extend(told.absent);
        // It was asked again.
        known.absent.retain(|id| !known.found.contains(id));
        known.created.extend(told.created);
        known.index = told.index.or(known.index.take());
    }

    /// The data stream's writes go to another index from now on.
    pub(super) fn roll_over(&mut self) {
        self.generation += 1;
    }

    /// `Miscounted` is here: not every shard.
    fn refresh(&mut self, fate: Fate) -> Vec<u8> {
        let failed = u8::from(fate == Fate::Miscounted);
        if failed == 0 {
            self.visible.extend(self.ids.keys().cloned());
        }
        format!(r#"{{"_shards":{{"failed":{failed}}}}}"#).into_bytes()
    }

    fn search(
        &mut self,
        body: &[u8],
        (life, number): (u32, u64),
        fate: Fate,
        told: &mut Told,
    ) -> Vec<u8> {
        let as_of = self.refreshed.get(&(life, number)).copied().unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let ids = body["query"]["ids"]["values"].as_array().into_iter().flatten();
        let ids = ids.filter_map(|id| id.as_str());
        let (found, absent): (Vec<&str>, Vec<&str>) =
            ids.partition(|id| self.visible.contains(*id));
        for id in &absent {
            self.absent.insert((life, number, (*id).to_owned()), as_of);
            let quoted = format!("\"_id\":\"{id}\"");
            let is_on_its_way = self.requests.iter().any(|request| match &request.asked {
                Asked::Bulk(body, _) => {
                    request.apply_at.is_some() && memmem::find(body, quoted.as_bytes()).is_some()
                }
                _ => false,
            });
            if is_on_its_way {
                self.on_their_way.insert((life, number, (*id).to_owned()));
            }
        }
        self.found += found.len() as u64;
        let failed = u8::from(fate == Fate::Miscounted);
        let total = found.len();
        // Now and then there is no room for all.
        let room = if total > 1 && self.random.u8(..8) == 0 { total / 2 } else { total };
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        told.found = owned(&found[..room]);
        if room == total {
            told.absent = owned(&absent);
        }
        let hits: Vec<String> =
            found[..room].iter().map(|id| format!(r#"{{"_id":"{id}"}}"#)).collect();
        let hits = format!(r#"{{"total":{{"value":{total}}},"hits":[{}]}}"#, hits.join(","));
        format!(r#"{{"timed_out":false,"_shards":{{"failed":{failed}}},"hits":{hits}}}"#)
            .into_bytes()
    }

    /// Carries a `_bulk` body out; answers one item each, which names its index if that is asked.
    fn bulk(
        &mut self,
        (body, is_named): (&[u8], bool),
        of: (u32, u64),
        told: &mut Told,
        now: Time,
    ) -> Vec<String> {
        let text = String::from_utf8_lossy(body);
        let mut lines = text.lines();
        let mut items = Vec::new();
        while let (Some(action), Some(source)) = (lines.next(), lines.next()) {
            // {"create":{"_index":"I","_id":"X"}} or
            // {"index":{"_index":"I","_id":"X","version_type":"external","version":V}}
            let parts: Vec<&str> = action.split('"').collect();
            let (operation, index, id) = (parts[1], parts[5], parts[9]);
            let version =
                action.rsplit(':').next().and_then(|text| text.trim_end_matches('}').parse().ok());
            let index = self.index_of(index);
            let status = self.item((index.clone(), id), version, source.as_bytes(), of, now);
            let named = is_named.then_some(index.as_str());
            items.push(item(operation, status, named));
            if status == 201 {
                told.created.push(id.to_owned());
            }
            if is_named && matches!(status, 200 | 201 | 409) {
                told.index = Some(index);
            }
        }
        items
    }

    fn item(
        &mut self,
        (index, id): (String, &str),
        version: Option<u64>,
        source: &[u8],
        request: (u32, u64),
        now: Time,
    ) -> u16 {
        let of = id_in(source);
        if !self.is_calm && happens(self.plan.item_faults, &mut self.random) {
            return [429, 503, 403][self.random.usize(..3)];
        }
        if now < self.bad_template_until {
            self.refused.insert(of);
            return 400;
        }
        if memmem::find(source, POISON).is_some() {
            self.refused.insert(of);
            return match self.poisoning(now) {
                Poisoning::Listed => 400,
                Poisoning::Unlisted | Poisoning::Request => 418,
            };
        }
        let key = (index, id.to_owned());
        let Some(version) = version else { return self.create(key, &of, request, now) };
        match self.documents.get_mut(&key) {
            Some(stored) if *stored >= version => {
                self.resent += u64::from(*stored == version);
                409
            }
            found => {
                let status = if found.is_some() { 200 } else { 201 };
                self.documents.insert(key, version);
                status
            }
        }
    }

    fn create(
        &mut self,
        key: (String, String),
        of: &str,
        (life, number): (u32, u64),
        now: Time,
    ) -> u16 {
        if key.1 != of {
            self.violations.push(format!("the document of {of} is stored as {}", key.1));
        }
        match self.documents.get(&key) {
            Some(_) => {
                self.resent += 1;
                409
            }
            None => {
                let indices = self.ids.entry(key.1.clone()).or_default();
                *indices += 1;
                let own = (life, number, key.1.clone());
                // Another replica was sending it at the same moment: no lookup can see what comes
                // after it.
                let is_late = self.created.get(&key.1).is_some_and(|(at, by)| {
                    *by != life && self.absent.get(&own).is_some_and(|as_of| as_of <= at)
                });
                self.created.insert(key.1.clone(), (now, life));
                if *indices > 1 && (is_late || self.on_their_way.contains(&own)) {
                    self.windows += 1;
                } else if *indices > 1 {
                    self.stored_twice.push(key.1.clone());
                }
                self.documents.insert(key, 0);
                201
            }
        }
    }
}

fn item(operation: &str, status: u16, index: Option<&str>) -> String {
    let index = index.map(|index| format!(r#""_index":"{index}","#)).unwrap_or_default();
    let (kind, reason) = match status {
        200 | 201 => return format!(r#"{{"{operation}":{{{index}"status":{status}}}}}"#),
        400 => ("mapper_parsing_exception", "failed to parse field [message]"),
        403 => {
            ("cluster_block_exception", "index [x] blocked by: [FORBIDDEN/8/index write (api)];")
        }
        418 => ("of_a_plugin_exception", "it does not like it"),
        409 => ("version_conflict_engine_exception", "version conflict, document already exists"),
        429 => ("rejected_execution_exception", "rejected execution of coordinating operation"),
        _ => ("unavailable_shards_exception", "primary shard is not active"),
    };
    let error = format!(r#"{{"type":"{kind}","reason":"{reason}"}}"#);
    format!(r#"{{"{operation}":{{{index}"status":{status},"error":{error}}}}}"#)
}

fn answer(fate: Fate, mut items: Vec<String>) -> Vec<u8> {
    match fate {
        Fate::Garbled => return GARBLED.to_vec(),
        Fate::Miscounted if items.len() > 1 => {
            items.pop();
        }
        Fate::Miscounted => items.push(item("create", 201, None)),
        _ => {}
    }
    format!(r#"{{"items":[{}]}}"#, items.join(",")).into_bytes()
}
