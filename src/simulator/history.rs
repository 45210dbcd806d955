//! The cluster's objects and all versions of them that ever were: what the oracle holds weir
//! against.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};

use super::clock::{Time, wall};
use super::plan::{Plan, happens};

/// What must become of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A document.
    Kept,
    /// The stage drops it.
    Filtered,
    /// OpenSearch can never store it.
    Poison,
    /// It is no valid event.
    Malformed,
}

/// One version of an event.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// `uid.resourceVersion`: after a restore two may share one.
    pub(super) id: String,
    pub(super) revision: u64,
    /// How often the server had been restored when it was written.
    pub(super) epoch: u32,
    pub(super) namespace: &'static str,
    pub(super) kind: Kind,
}

/// One entry of the server's present history.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) namespace: &'static str,
    pub(super) name: String,
    /// Which version; `None`: the object is deleted.
    pub(super) version: Option<usize>,
    /// Whether there was none before it.
    pub(super) is_new: bool,
    /// The object's members, without `kind` and `apiVersion`.
    pub(super) members: String,
}

#[derive(Clone, Debug)]
struct Object {
    uid: String,
    count: u32,
    created: Time,
}

/// Objects as they are now, and versions as they were.
#[derive(Debug, Default)]
pub(super) struct History {
    objects: BTreeMap<(&'static str, String), Object>,
    pub(super) versions: Vec<Version>,
    uids: u32,
}

const NAMESPACES: [&str; 3] = ["a", "a-b", "b"];

impl History {
    /// Writes a version of one of the plan's objects.
    pub(super) fn write(
        &mut self,
        plan: &Plan,
        (epoch, revision): (u32, u64),
        now: Time,
        random: &mut fastrand::Rng,
    ) -> Change {
        let number = random.usize(..plan.objects);
        let key = (NAMESPACES[number % NAMESPACES.len()], format!("e{number:02}"));
        let is_new = !self.objects.contains_key(&key);
        self.uids += u32::from(is_new);
        let uid = format!("u{}", self.uids);
        let object =
            self.objects.entry(key.clone()).or_insert(Object { uid, count: 0, created: now });
        object.count += 1;
        let kind = match random.u8(..4) {
            0 => Kind::Filtered,
            _ if happens(plan.poison, random) => {
                if random.bool() {
                    Kind::Poison
                } else {
                    Kind::Malformed
                }
            }
            _ => Kind::Kept,
        };
        let members = members(&key, object, revision, now, (kind, plan.text), random);
        let version = Version {
            id: format!("{}.{revision}", object.uid),
            revision,
            epoch,
            namespace: key.0,
            kind,
        };
        self.versions.push(version);
        let version = Some(self.versions.len() - 1);
        Change { revision, namespace: key.0, name: key.1, version, is_new, members }
    }

    /// One of the objects expires.
    pub(super) fn expire(&mut self, revision: u64, random: &mut fastrand::Rng) -> Option<Change> {
        let number = random.usize(..self.objects.len().max(1));
        let key = self.objects.keys().nth(number)?.clone();
        let object = self.objects.remove(&key)?;
        let members = members(&key, &object, revision, 0, (Kind::Kept, 1), random);
        Some(Change {
            revision,
            namespace: key.0,
            name: key.1,
            version: None,
            is_new: false,
            members,
        })
    }

    /// The objects are again what `changes` made of them.
    pub(super) fn restore(&mut self, changes: &[Change]) {
        self.objects.clear();
        for change in changes {
            let key = (change.namespace, change.name.clone());
            match change.version {
                None => {
                    self.objects.remove(&key);
                }
                Some(version) => {
                    let uid =
                        self.versions[version].id.split('.').next().unwrap_or_default().to_owned();
                    let object =
                        self.objects.entry(key).or_insert(Object { uid, count: 0, created: 0 });
                    object.count += 1;
                }
            }
        }
    }
}

fn members(
    key: &(&str, String),
    object: &Object,
    revision: u64,
    now: Time,
    (kind, text): (Kind, usize),
    random: &mut fastrand::Rng,
) -> String {
    let (namespace, name) = key;
    let Object { uid, count, created } = object;
    let reason = match kind {
        Kind::Kept | Kind::Poison => "\"Kept\"",
        Kind::Filtered => "\"Dropped\"",
        Kind::Malformed => "5",
    };
    let poison = if kind == Kind::Poison { "POISON " } else { "" };
    // Now and then somebody claims a time that nobody believes.
    let claimed = if random.u8(..20) == 0 { "2015-01-01T00:00:00Z".to_owned() } else { date(now) };
    let message = "m".repeat(random.usize(..=text));
    let created = date(*created);
    let named = format!(r#""name":"{name}","namespace":"{namespace}""#);
    let version = format!(r#""resourceVersion":"{revision}","creationTimestamp":"{created}""#);
    let text = format!(r#""reason":{reason},"message":"{poison}{message}","type":"Normal""#);
    [
        format!(r#""metadata":{{{named},"uid":"{uid}",{version}}},"#),
        format!(r#""involvedObject":{{"kind":"Pod",{named}}},{text},"#),
        format!(r#""count":{count},"lastTimestamp":"{claimed}""#),
    ]
    .concat()
}

/// In whole seconds, as the API server has it.
fn date(now: Time) -> String {
    let time = jiff::Timestamp::constant(wall(now) / 1_000_000, 0);
    format!("{time}")
}

/// The id of the version that some JSON is of; empty where it is of none.
pub(super) fn id_in(json: &[u8]) -> String {
    // Without anything generic: that would be slow in a build for tests.
    let member = |key: &str| {
        let start = memmem::find(json, key.as_bytes())? + key.len();
        let end = start + memchr(b'"', &json[start..])?;
        std::str::from_utf8(&json[start..end]).ok()
    };
    match (member(r#""uid":""#), member(r#""resourceVersion":""#)) {
        (Some(uid), Some(version)) => [uid, ".", version].concat(),
        _ => String::new(),
    }
}
