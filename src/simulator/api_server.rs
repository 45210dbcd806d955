//! A Kubernetes API server: one history over all kinds of objects, of which events are a part;
//! paged lists in key order from a snapshot; watches from a revision; compaction, and everything
//! with which a real one refuses.

use std::collections::BTreeMap;

use super::clock::{MILLISECOND, NEVER, SECOND, Time};
use super::history::{Change, History};
use super::plan::{Plan, around, happens};
use super::stream::{End, Sender, Stream, Watch};

/// How it answers.
#[derive(Debug)]
pub(super) enum Reply {
    /// A status that is not 200, with `Retry-After` in seconds. Whether it is 410.
    Status(u16, Option<u64>),
    /// 200, and a body.
    Body(Stream),
    /// The cluster's identity.
    Identity(Option<String>),
    /// The connection breaks.
    Breaks,
    /// Nothing, for ever.
    Never,
}

/// The server.
#[derive(Debug)]
pub(super) struct ApiServer {
    pub(super) history: History,
    /// The present history.
    pub(super) changes: Vec<Change>,
    pub(super) revision: u64,
    pub(super) compacted: u64,
    /// How often it was restored.
    pub(super) epoch: u32,
    /// Stopped until then.
    pub(super) down_until: Time,
    /// It does everything right.
    pub(super) is_calm: bool,
    pub(super) plan: Plan,
    pub(super) random: fastrand::Rng,
    odd_random: fastrand::Rng,
    /// How often it has given a token again.
    pub(super) repeated_tokens: u64,
    /// When it was asked with which token last, by path: the first time, and how often.
    tokens: BTreeMap<String, (String, Time, u32)>,
    /// What must not be.
    pub(super) violation: Option<String>,
}

/// With one token it is asked again after failures, which have waits of half a second on average at
/// first; and of those there are some that are no failures of a list.
const SAME_TOKEN_MAX: u32 = 10;

impl ApiServer {
    pub(super) fn new(plan: &Plan, random: fastrand::Rng) -> ApiServer {
        ApiServer {
            history: History::default(),
            changes: Vec::new(),
            revision: 1_000,
            compacted: 1_000,
            epoch: 0,
            down_until: 0,
            is_calm: false,
            plan: plan.clone(),
            random,
            odd_random: fastrand::Rng::with_seed(!plan.odd_seed),
            repeated_tokens: 0,
            tokens: BTreeMap::new(),
            violation: None,
        }
    }

    /// An event is written, and other objects with it.
    pub(super) fn write(&mut self, now: Time) {
        self.revision += self.random.u64(1..40);
        let at = (self.epoch, self.revision);
        let change = if self.random.u8(..8) == 0 {
            self.history.expire(self.revision, &mut self.random)
        } else {
            Some(self.history.write(&self.plan, at, now, &mut self.random))
        };
        self.changes.extend(change);
    }

    /// What is old is compacted.
    pub(super) fn compact(&mut self) {
        let back = if self.random.bool() { 0 } else { self.random.u64(..500) };
        self.compacted = self.compacted.max(self.revision.saturating_sub(back));
    }

    /// Its store is what it was some changes ago. Answers how many versions are gone.
    pub(super) fn restore(&mut self, now: Time) {
        let lost = self.random.usize(..=self.changes.len().min(30));
        self.changes.truncate(self.changes.len() - lost);
        self.epoch += 1;
        self.revision = self.changes.last().map_or(1_000, |change| change.revision);
        self.compacted = self.compacted.min(self.revision);
        self.history.restore(&self.changes);
        self.down_until = now + around(SECOND, &mut self.random);
    }

    /// Every object at a revision, in key order, of one namespace or all: which change made it.
    pub(super) fn snapshot(&self, namespace: Option<&str>, revision: u64) -> Vec<usize> {
        let mut objects = BTreeMap::new();
        for (at, change) in self.changes.iter().enumerate() {
            if change.revision > revision || namespace.is_some_and(|name| name != change.namespace)
            {
                continue;
            }
            let key = format!("{}/{}", change.namespace, change.name);
            match change.version {
                Some(_) => objects.insert(key, at),
                None => objects.remove(&key),
            };
        }
        objects.into_values().collect()
    }

    /// Answers a request, after some time.
    pub(super) fn ask(&mut self, uri: &str, now: Time) -> (Time, Reply) {
        let wait = around(20 * MILLISECOND, &mut self.random);
        if now < self.down_until {
            return (wait, Reply::Breaks);
        }
        if !self.is_calm
            && happens(self.plan.api_faults, &mut self.random)
            && let Some(reply) = self.fault()
        {
            return (wait, reply);
        }
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let value =
            |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        let namespace =
            path.strip_prefix("/api/v1/namespaces/").and_then(|rest| rest.split_once('/'));
        let namespace = namespace.map(|(name, _)| name.to_owned());
        let number = |key: &str| value(key).and_then(|text| text.parse::<u64>().ok());
        let reply = if path.ends_with("/kube-system") {
            Reply::Identity(Some("cluster".to_owned()))
        } else if value("watch").is_some() {
            let until = now + number("timeoutSeconds").unwrap_or(300) * SECOND;
            self.watch(namespace, number("resourceVersion").unwrap_or_default(), now, until)
        } else {
            self.count_token(path, value("continue"), now);
            self.list(namespace.as_deref(), number("limit"), value("continue"))
        };
        (wait, reply)
    }

    /// Something else than the right answer; `None`: the right one, only to break later.
    fn fault(&mut self) -> Option<Reply> {
        Some(match self.random.u8(..14) {
            0 => Reply::Status(401, None),
            1 => Reply::Status(403, None),
            2 => Reply::Status(429, Some(self.random.u64(..20))),
            3 => Reply::Status(500, None),
            4 => Reply::Status(503, None),
            5 => Reply::Status(504, None),
            6 if self.random.u8(..4) == 0 => Reply::Never,
            7 => Reply::Body(Stream::of("upstream connect error".to_owned(), self.epoch)),
            8 | 9 => Reply::Breaks,
            _ => return None,
        })
    }

    /// Whether an answer that is given out breaks before its end.
    fn breaks_after(&mut self, length: usize) -> Option<usize> {
        let breaks = !self.is_calm && happens(self.plan.api_faults / 2, &mut self.random);
        breaks.then(|| self.random.usize(..=length))
    }

    /// A token that is asked with again and again is followed for ever.
    fn count_token(&mut self, path: &str, token: Option<&str>, now: Time) {
        let Some(token) = token else { return };
        let begun = (token.to_owned(), now, 0);
        let last = self.tokens.entry(path.to_owned()).or_insert_with(|| begun.clone());
        if last.0 != token || now - last.1 > SECOND {
            *last = begun;
        }
        last.2 += 1;
        if last.2 > SAME_TOKEN_MAX {
            self.violation = Some(format!("{path} is asked with {token} again and again"));
        }
    }

    fn list(&mut self, namespace: Option<&str>, limit: Option<u64>, token: Option<&str>) -> Reply {
        // A token says of which revision the snapshot is, and how many items came before. (The
        // epoch is for people who read a trace: a server does not know it.)
        let parsed = token.and_then(|token| {
            let mut parts = token.split('-').map(str::parse::<u64>);
            Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
        });
        let (epoch, revision, from) = parsed.unwrap_or((u64::from(self.epoch), self.revision, 0));
        if revision > self.revision {
            // etcd's "required revision is a future revision", which the API server passes on.
            return Reply::Status(500, None);
        }
        if revision < self.compacted {
            return Reply::Status(410, None);
        }
        let limit = limit.map_or(self.plan.page, |limit| self.plan.page.min(limit as usize));
        let items = self.snapshot(namespace, revision);
        let rest = &items[items.len().min(from as usize)..];
        let page = &rest[..rest.len().min(limit)];
        let next = if rest.len() > page.len() {
            format!("{epoch}-{revision}-{}", from as usize + page.len())
        } else {
            String::new()
        };
        let is_odd = !self.is_calm && happens(self.plan.repeated_tokens, &mut self.odd_random);
        let next = match token.filter(|_| is_odd) {
            Some(token) => {
                self.repeated_tokens += 1;
                token.to_owned()
            }
            None => next,
        };
        let objects: Vec<String> =
            page.iter().map(|at| format!("{{{}}}", self.changes[*at].members)).collect();
        let metadata = format!(r#"{{"resourceVersion":"{revision}","continue":"{next}"}}"#);
        let body = format!(
            r#"{{"kind":"EventList","apiVersion":"v1","metadata":{metadata},"items":[{}]}}"#,
            objects.join(",")
        );
        let breaks = self.breaks_after(body.len());
        let said = body.find("\"items\"").unwrap_or_default();
        let mut stream = Stream::of(body + "\n", self.epoch);
        stream.list_version = Some((revision, said));
        stream.breaks_after = breaks;
        Reply::Body(stream)
    }

    fn watch(&mut self, namespace: Option<String>, from: u64, now: Time, until: Time) -> Reply {
        if from < self.compacted {
            return match self.random.u8(..3) {
                0 => Reply::Status(410, None),
                1 => {
                    let mut stream = Stream::of(EXPIRED.to_owned(), self.epoch);
                    stream.is_stale = true;
                    Reply::Body(stream)
                }
                _ => {
                    let mut stream = Stream::of(String::new(), self.epoch);
                    stream.is_stale = true;
                    Reply::Body(stream)
                }
            };
        }
        let mut stream = Stream::of(String::new(), self.epoch);
        let calm = self.is_calm;
        let mut watch = Watch { namespace, sent: from, until, lies_from: NEVER, slow: 0 };
        if !calm && happens(self.plan.api_faults / 4, &mut self.random) {
            match self.random.u8(..4) {
                // A server that shuts down ends its watches in good order.
                0 => watch.until = now + around(SECOND, &mut self.random),
                1 => watch.lies_from = now + around(2 * SECOND, &mut self.random),
                _ => watch.slow = around(SECOND, &mut self.random),
            }
        }
        stream.breaks_after = self.breaks_after(8_000);
        stream.end = End::Watch(watch);
        Reply::Body(stream)
    }
}

impl Sender for ApiServer {
    fn is_up(&self, epoch: u32, now: Time) -> bool {
        self.epoch == epoch && now >= self.down_until
    }

    /// Frames of what happened behind `sent`.
    fn frames(&self, watch: &mut Watch) -> String {
        let mut frames = String::new();
        let first = self.changes.partition_point(|change| change.revision <= watch.sent);
        for change in &self.changes[first..] {
            watch.sent = change.revision;
            if watch.namespace.as_deref().is_some_and(|name| name != change.namespace) {
                continue;
            }
            let kind = match (change.version, change.is_new) {
                (None, _) => "DELETED",
                (Some(_), true) => "ADDED",
                (Some(_), false) => "MODIFIED",
            };
            let object = format!(r#"{{"kind":"Event","apiVersion":"v1",{}}}"#, change.members);
            frames.push_str(&format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"));
        }
        frames
    }

    fn has_frames(&self, watch: &Watch) -> bool {
        self.changes.last().is_some_and(|change| change.revision > watch.sent)
    }
}

const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"#,
    r#""status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);
