//! What must be true, held against the simulated servers' own records: the guarantees
//! against loss and duplicates (docs/architecture.md#guarantees), and the marks.
//!
//! A version is *excused* from having an outcome only by what the servers know of themselves: it
//! was overwritten or deleted when weir listed because it had been told to (410 in any form, a
//! restore, a silent watch, no position), or it was written after a restore that nobody could
//! notice.

use std::collections::{BTreeMap, BTreeSet};

use super::api_server::ApiServer;
use super::clock::Time;
use super::feed::Link;
use super::history::{Kind, Version};
use super::opensearch::{OpenSearch, Told};
use crate::buffer::simulated::{SimulatedDisk, unsettled_on};
use crate::sink::Mode;
use crate::sink::simulated::Counts;

/// What is known of one version, beside what the servers know.
#[derive(Clone, Debug, Default)]
struct Known {
    /// How often it went through the stages, in all lives.
    accepted: u32,
    /// The last life that it did in.
    life: u32,
    /// Whether stages have dropped it, and whether stages have kept it: these change.
    is_filtered: bool,
    is_kept: bool,
    /// Why it needs no outcome.
    excuse: Option<&'static str>,
    /// The restore of a backup made it never happen.
    is_cut: bool,
    /// A disk that had it was damaged there.
    is_damaged: bool,
}

/// Which mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Everything up to it has its outcome or is on this machine's disk.
    Read(usize),
    /// Everything up to it has its outcome.
    Settled,
}

impl Mark {
    fn index(self) -> usize {
        match self {
            Mark::Settled => 0,
            Mark::Read(machine) => 1 + machine,
        }
    }
}

/// What is known of one process.
#[derive(Clone, Debug, Default)]
struct Life {
    received: BTreeMap<String, u32>,
    /// How often everything may come once more: the server was restored, or it began to lead
    /// again.
    begun_again: usize,
    /// When its marks moved back, while nobody has been told.
    moved_back: Option<Time>,
    /// Where its documents went last, where that may change, as far as it was told.
    index: Option<String>,
}

/// The judge of a run.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    mode: Mode,
    known: Vec<Known>,
    /// Versions that no settled mark has passed, and no read mark of each machine: what it passes
    /// is found safe then.
    open: [Vec<usize>; 1 + MACHINES_MAX],
    by_id: BTreeMap<String, Vec<usize>>,
    /// Durable dead letters, by version.
    pub(super) letters: BTreeMap<String, u32>,
    /// Letters of documents with which nothing was wrong but the template: by life, and which
    /// mistake it was.
    good_letters: BTreeMap<(u32, u32), u32>,
    /// Letters of documents that were known only by others that passed or were stored.
    pub(super) odd_letters: u64,
    /// The processes that live.
    lives: BTreeMap<u32, Life>,
    /// Lives that ended without settling or securing everything.
    cut_short: BTreeSet<u32>,
    /// Those among them whose marks were rewound without anybody being told: whoever went on from
    /// the old ones may be behind what a restored server had.
    untold: BTreeSet<u32>,
    /// How many were accepted, over all lives.
    pub(super) accepted: u64,
    /// How often a leader's sources began.
    pub(super) terms: u64,
    /// How many versions' documents were damaged on disk.
    pub(super) damaged: u64,
    /// By machine whose disk was damaged at the end of its log: what it held then. Until something
    /// newer outlives a power failure there, one may cut off what is behind the damage as torn.
    damaged_ends: BTreeMap<usize, BTreeSet<String>>,
    /// Machines whose disks were damaged.
    damaged_machines: BTreeSet<usize>,
    /// How many versions a read mark has passed that stood behind such a damage.
    pub(super) behind_damage: u64,
    /// How many documents were counted as stored in another index than those before them.
    pub(super) moved: u64,
}

/// Good documents that may become dead letters before a mistake in a template is noticed: the
/// hundredth failure in a row is not believed.
const GOOD_LETTERS_MAX: u32 = 99;

const UNNOTICEABLE: &str = "written after a restore that could not be noticed";
const UNTOLD: &str =
    "accepted by a process that had noticed a restore and died before it could tell";

/// How many machines there are at most.
pub(super) const MACHINES_MAX: usize = 2;

/// A broken promise.
pub(super) type Violation = String;

impl Oracle {
    pub(super) fn new(mode: Mode) -> Oracle {
        Oracle { mode, ..Oracle::default() }
    }

    /// New versions were written.
    pub(super) fn learn(&mut self, server: &ApiServer) {
        for version in &server.history.versions[self.known.len()..] {
            self.by_id.entry(version.id.clone()).or_default().push(self.known.len());
            self.open.iter_mut().for_each(|open| open.push(self.known.len()));
            self.known.push(Known::default());
        }
    }

    /// The server was restored: later versions of the life before never happened.
    pub(super) fn restored(&mut self, server: &ApiServer) {
        self.lives.values_mut().for_each(|life| life.begun_again += 1);
        for (version, known) in server.history.versions.iter().zip(&mut self.known) {
            known.is_cut |= version.revision > server.revision && version.epoch < server.epoch;
        }
    }

    /// Whether only one version was ever written under an id.
    pub(super) fn is_alone(&self, id: &str) -> bool {
        self.by_id.get(id).is_some_and(|versions| versions.len() == 1)
    }

    /// A process begins.
    pub(super) fn life_begins(&mut self, life: u32) {
        self.lives.insert(life, Life::default());
    }

    /// A process's marks have moved back.
    pub(super) fn moved_back(&mut self, life: u32, now: Time) {
        self.lives.entry(life).or_default().moved_back.get_or_insert(now);
    }

    /// Where the next one looks, the marks of `time` are written.
    pub(super) fn told(&mut self, life: u32, time: Time) {
        if let Some(life) = self.lives.get_mut(&life) {
            life.moved_back.take_if(|since| *since <= time);
        }
    }

    /// A process leads: its sources begin.
    pub(super) fn term_begins(&mut self, life: u32) {
        self.terms += 1;
        self.reads_again(life);
    }

    /// A process reads from another mark, or everything once more.
    pub(super) fn reads_again(&mut self, life: u32) {
        self.lives.entry(life).or_default().begun_again += 1;
    }

    /// A disk was damaged where it had these. Whoever finds out lists, and what is not there any
    /// more is lost; of the last record nobody may find out, who takes it for torn. `end`: it was
    /// the last, and the log held these.
    pub(super) fn damaged(
        &mut self,
        machine: usize,
        ids: &BTreeSet<String>,
        end: Option<Vec<String>>,
    ) {
        self.damaged += ids.len() as u64;
        self.damaged_machines.insert(machine);
        let is_last = end.is_some();
        if let Some(before) = end {
            self.damaged_ends.entry(machine).or_default().extend(before);
        }
        for at in ids.iter().filter_map(|id| self.by_id.get(id)).flatten() {
            self.known[*at].is_damaged = true;
            if is_last {
                self.known[*at].excuse.get_or_insert("damaged at the end of a disk's log");
            }
        }
    }

    /// Whether a machine's disk was ever damaged.
    pub(super) fn was_damaged(&self, machine: usize) -> bool {
        self.damaged_machines.contains(&machine)
    }

    /// A machine has another disk, with nothing on it.
    pub(super) fn disk_is_gone(&mut self, machine: usize, lives: impl Iterator<Item = u32>) {
        self.open[Mark::Read(machine).index()] = (0..self.known.len()).collect();
        self.damaged_ends.remove(&machine);
        self.damaged_machines.remove(&machine);
        self.cut_short.extend(lives);
    }

    /// A process has ended with events that are nowhere but in its memory.
    pub(super) fn life_cut_short(&mut self, life: u32) {
        if self.lives.remove(&life).is_some_and(|life| life.moved_back.is_some()) {
            self.untold.insert(life);
        }
        self.cut_short.insert(life);
    }

    /// Something has come to the stages that is no event. A list that begins again cannot tell that
    /// it gave it.
    pub(super) fn accept_malformed(&mut self, id: &str, life: u32) -> usize {
        self.accepted += 1;
        let versions = self.by_id.get(id).map_or(&[][..], Vec::as_slice);
        for at in versions {
            self.known[*at].accepted += 1;
            self.known[*at].life = life;
        }
        versions.len()
    }

    /// An event has come to the stages.
    pub(super) fn accept(&mut self, id: &str, life: u32) -> Result<(), Violation> {
        let versions = self.accept_malformed(id, life);
        if versions == 0 {
            return Err(format!("{id} was received and never written"));
        }
        let of_life = self.lives.entry(life).or_default();
        let times = of_life.received.entry(id.to_owned()).or_default();
        *times += 1;
        if *times as usize > versions * (1 + of_life.begun_again) {
            return Err(format!("{id} was received {times} times by one process"));
        }
        Ok(())
    }

    /// The stages have kept an event, or dropped it.
    pub(super) fn judged(&mut self, id: &str, is_kept: bool) {
        for at in self.by_id.get(id).into_iter().flatten() {
            let known = &mut self.known[*at];
            known.is_kept |= is_kept;
            known.is_filtered |= !is_kept;
        }
    }

    /// How many versions some stages have dropped, and others kept.
    pub(super) fn kept_and_filtered(&self) -> u64 {
        self.known.iter().filter(|known| known.is_kept && known.is_filtered).count() as u64
    }

    /// Before it sends anything, a process was told where writes go now.
    pub(super) fn knows_index(&mut self, life: u32, index: Option<String>) {
        self.lives.entry(life).or_default().index = index;
    }

    /// Whether a process was told that its writes stay in the index of this name.
    pub(super) fn knows_fixed(&self, life: u32, name: &str) -> bool {
        self.lives.get(&life).is_some_and(|life| life.index.as_deref() == Some(name))
    }

    /// An attempt of a process has ended, and was told this by OpenSearch: it must have counted
    /// that, and noticed when the writes moved on.
    pub(super) fn attempt_ended(
        &mut self,
        life: u32,
        told: Told,
        counts: Counts,
    ) -> Result<(), Violation> {
        let life = self.lives.entry(life).or_default();
        let mut moved = 0;
        if let Some(index) = &told.index {
            let in_doubt = told.created.iter().filter(|id| told.absent.contains(*id)).count();
            if life.index.as_ref().is_some_and(|before| before != index) {
                moved = in_doubt as u64;
            }
            life.index = Some(index.clone());
        }
        let expected = (told.found.len() as u64, told.absent.len() as u64, moved);
        let counted = (counts.stored, counts.absent, counts.moved);
        if counted != expected {
            return Err(format!(
                "{counted:?} lookups were counted, and not {expected:?}: {told:?}"
            ));
        }
        self.moved += moved;
        Ok(())
    }

    /// A letter is durable.
    pub(super) fn dead_lettered(
        &mut self,
        id: String,
        life: u32,
        os: &OpenSearch,
        server: &ApiServer,
    ) -> Result<(), Violation> {
        let kinds =
            self.by_id.get(&id).into_iter().flatten().map(|at| server.history.versions[*at].kind);
        let is_right =
            kinds.clone().any(|kind| kind == Kind::Malformed) || os.refused.contains(&id);
        if !is_right {
            return Err(format!("{id} became a dead letter, and nobody had refused it"));
        }
        if !kinds.clone().any(|kind| matches!(kind, Kind::Malformed | Kind::Poison)) {
            let letters = self.good_letters.entry((life, os.bad_templates)).or_default();
            *letters += 1;
            if *letters > GOOD_LETTERS_MAX {
                return Err(format!(
                    "{letters} good documents became dead letters of one mistake in a template"
                ));
            }
        }
        *self.letters.entry(id).or_default() += 1;
        Ok(())
    }

    /// A list of version `upto` is complete, and replaces what happened behind `from`: what was
    /// overwritten by then is gone.
    pub(super) fn listed(
        &mut self,
        scope: &str,
        (from, upto): (Option<u64>, u64),
        server: &ApiServer,
    ) {
        let namespace = Some(scope).filter(|scope| *scope != "*");
        let current: BTreeSet<usize> = server.snapshot(namespace, upto).into_iter().collect();
        for (at, change) in server.changes.iter().enumerate() {
            let is_in_gap = change.revision > from.unwrap_or(0) && change.revision <= upto;
            let is_of_scope = namespace.is_none_or(|name| name == change.namespace);
            if let Some(version) = change.version
                && is_in_gap
                && is_of_scope
                && !current.contains(&at)
            {
                self.known[version].excuse.get_or_insert("overwritten when weir listed");
            }
        }
        let current: BTreeSet<usize> =
            current.into_iter().filter_map(|at| server.changes[at].version).collect();
        for (at, known) in self.known.iter_mut().enumerate().filter(|(_, known)| known.is_damaged) {
            let version = &server.history.versions[at];
            if is_of(version, scope) && version.revision <= upto && !current.contains(&at) {
                known.excuse.get_or_insert("damaged on disk, and overwritten when weir listed");
            }
        }
    }

    /// Everything up to `upto` is left out.
    pub(super) fn begun(&mut self, scope: &str, upto: u64, epoch: u32, server: &ApiServer) {
        for (at, version) in server.history.versions.iter().enumerate() {
            let is_before =
                version.epoch < epoch || (version.epoch == epoch && version.revision <= upto);
            if is_of(version, scope) && is_before {
                self.known[at].excuse.get_or_insert("before start = now");
            }
        }
    }

    /// The server was restored, and had come beyond what it had `told` weir, in a watch or a list,
    /// when weir first looked. What others have accepted does not help a process where it goes on
    /// from marks of its own; nor, where it is the only one, what earlier lives of it accepted
    /// beyond its cursor, and had not done with when they died.
    pub(super) fn unnoticeable(
        &mut self,
        scope: &str,
        (cursor, told, epoch): (Option<u64>, u64, u32),
        link: &Link,
        server: &ApiServer,
    ) {
        for (at, version) in server.history.versions.iter().enumerate() {
            let known = &mut self.known[at];
            let is_beyond = cursor.is_none_or(|cursor| version.revision > cursor);
            let is_others = link.life != known.life && (link.is_alone || link.is_only && is_beyond);
            if is_of(version, scope)
                && version.epoch <= epoch
                && version.revision <= told
                && (known.accepted == 0 || self.untold.contains(&known.life) || is_others)
            {
                let why = if self.untold.contains(&known.life) { UNTOLD } else { UNNOTICEABLE };
                known.excuse.get_or_insert(why);
            }
        }
    }

    fn is_stored(&self, version: &Version, os: &OpenSearch) -> bool {
        match self.mode {
            Mode::History => os.ids.contains_key(&version.id),
            Mode::Latest => {
                let uid = version.id.split('.').next().unwrap_or_default();
                let key = ("events-x".to_owned(), uid.to_owned());
                os.documents.get(&key).is_some_and(|stored| *stored >= version.revision)
            }
        }
    }

    fn has_outcome(&self, at: usize, version: &Version, os: &OpenSearch) -> bool {
        let has_letter = || self.letters.contains_key(&version.id);
        match version.kind {
            Kind::Kept => self.is_stored(version, os) || has_letter(),
            Kind::Filtered => {
                self.known[at].is_filtered || self.is_stored(version, os) || has_letter()
            }
            Kind::Poison | Kind::Malformed => has_letter(),
        }
    }

    /// A mark stands at `mark`: nothing up to it may be needed of what it does not count.
    pub(super) fn check_mark(
        &mut self,
        which: Mark,
        (scope, mark, epoch): (&str, u64, u32),
        server: &ApiServer,
        os: &OpenSearch,
        disk: &SimulatedDisk,
    ) -> Result<(), Violation> {
        let mut on_disk = None;
        // What a power failure now would leave.
        let durable = || ids_on(&disk.durable_copy()).into_iter().collect::<BTreeSet<String>>();
        let mut open = std::mem::take(&mut self.open[which.index()]);
        let mut violation = Ok(());
        let mut behind = Vec::new();
        let damaged_end = self.damaged_end(which, disk);
        open.retain(|at| {
            let (version, known) = (&server.history.versions[*at], &self.known[*at]);
            if version.epoch > epoch
                || version.revision > mark
                || known.is_cut
                || !is_of(version, scope)
            {
                return !known.is_cut;
            }
            let mut is_safe = known.excuse.is_some() || self.has_outcome(*at, version, os);
            if !is_safe && which != Mark::Settled {
                is_safe =
                    known.is_damaged || on_disk.get_or_insert_with(durable).contains(&version.id);
            }
            if !is_safe && damaged_end.as_ref().is_some_and(|ids| ids.contains(&version.id)) {
                behind.push(*at);
                is_safe = true;
            }
            if !is_safe {
                violation = Err(format!(
                    "the {which:?} mark {mark} of {scope} has passed {version:?} ({known:?})"
                ));
            }
            false
        });
        self.open[which.index()] = open;
        self.behind_damage += behind.len() as u64;
        for at in behind {
            self.known[at].excuse = Some("behind damage at the end of a disk's log");
        }
        violation
    }

    /// What is written to a disk whose log was damaged at its end, while that may count as torn.
    fn damaged_end(&mut self, which: Mark, disk: &SimulatedDisk) -> Option<BTreeSet<String>> {
        let Mark::Read(machine) = which else { return None };
        let before = self.damaged_ends.get(&machine)?;
        if ids_on(&disk.durable_copy()).iter().any(|id| !before.contains(id)) {
            self.damaged_ends.remove(&machine);
            return None;
        }
        Some(ids_on(&disk.copy()).into_iter().collect())
    }

    /// How many versions were lost because who had noticed a restore died before it could tell the
    /// next one.
    pub(super) fn lost_untold(&self, server: &ApiServer, os: &OpenSearch) -> u64 {
        let versions = server.history.versions.iter().enumerate();
        let lost = versions.filter(|(at, version)| {
            self.known[*at].excuse == Some(UNTOLD) && !self.has_outcome(*at, version, os)
        });
        lost.count() as u64
    }

    /// The world is at rest.
    pub(super) fn check_end(
        &self,
        scopes: &[&str],
        server: &ApiServer,
        os: &OpenSearch,
    ) -> Result<(), Violation> {
        for (at, version) in server.history.versions.iter().enumerate() {
            if !scopes.iter().any(|scope| is_of(version, scope)) {
                continue;
            }
            let known = &self.known[at];
            let is_alone = self.by_id[&version.id].len() == 1;
            // Of two versions with one id it is not known which of them was accepted.
            let was_lost_with_its_cluster = known.is_cut
                && (known.accepted == 0
                    || known.is_damaged
                    || !is_alone
                    || self.cut_short.contains(&known.life));
            if !self.has_outcome(at, version, os)
                && known.excuse.is_none()
                && !was_lost_with_its_cluster
            {
                return Err(format!("lost: {version:?} ({known:?})"));
            }
            let must_not_be = match version.kind {
                Kind::Filtered => !known.is_kept,
                kind => matches!(kind, Kind::Malformed | Kind::Poison),
            };
            if self.mode == Mode::History
                && must_not_be
                && is_alone
                && os.ids.contains_key(&version.id)
            {
                return Err(format!("stored, and should not be: {version:?}"));
            }
        }
        Ok(())
    }
}

fn is_of(version: &Version, scope: &str) -> bool {
    scope == "*" || scope == version.namespace
}

/// Versions whose documents a process would find on a disk that nobody has.
pub(super) fn ids_on(disk: &SimulatedDisk) -> Vec<String> {
    let bodies = unsettled_on(disk).unwrap_or_default();
    bodies.iter().map(|body| super::history::id_in(body)).collect()
}
