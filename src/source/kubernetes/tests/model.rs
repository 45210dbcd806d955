//! The machine against a model of an API server: history of all versions, compaction, paged lists
//! in key order from one snapshot, watches, and faults of every kind at every point.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::machine::Machine;
use super::super::state::State;
use super::super::step::{Action, Input, Note, Request};
use super::super::version::Version;
use crate::source::Start;

/// What happens to the server, or between it and the machine.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// An object is created or updated.
    Write { object: u8 },
    /// An object expires.
    Delete { object: u8 },
    /// Everything but the newest versions is compacted.
    Compact,
    /// The machine's next action is carried out, as far as this.
    Serve(Fault),
    /// weir is killed and started again, with the position that it had reached.
    Restart,
}

/// How an answer goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// Another status than 200.
    Status(u16),
    /// It breaks after this many items or frames.
    Breaks(u8),
    /// There is no room after this many items or frames.
    NoRoom(u8),
    /// A stale version is answered with a 200 that ends at once.
    EndsAtOnce,
    /// It ends in good order after this many frames, a watch only.
    Ends(u8),
    /// Nothing comes until the deadline.
    Silence,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        8 => Just(Fault::None),
        2 => prop::sample::select(vec![401u16, 403, 404, 429, 500, 503, 504]).prop_map(Fault::Status),
        3 => (0u8..6).prop_map(Fault::Breaks),
        3 => (0u8..6).prop_map(Fault::NoRoom),
        2 => Just(Fault::EndsAtOnce),
        2 => (0u8..6).prop_map(Fault::Ends),
        1 => Just(Fault::Silence),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0u8..12).prop_map(|object| Event::Write { object }),
        2 => (0u8..12).prop_map(|object| Event::Delete { object }),
        1 => Just(Event::Compact),
        8 => fault().prop_map(Event::Serve),
    ]
}

fn event_or_restart() -> impl Strategy<Value = Event> {
    prop_oneof![12 => event(), 1 => Just(Event::Restart)]
}

/// The server's history: for every revision, what happened to which object.
#[derive(Default)]
struct Server {
    /// Revision -> (object, written or deleted). The first revision is `base + 1`.
    history: BTreeMap<u64, (u8, bool)>,
    revision: u64,
    compacted: u64,
}

impl Server {
    fn write(&mut self, object: u8, exists: bool) {
        self.revision += 1;
        self.history.insert(self.revision, (object, exists));
    }

    /// The objects at a revision, in key order, each with its version.
    fn snapshot(&self, revision: u64) -> BTreeMap<u8, u64> {
        let mut objects = BTreeMap::new();
        for (version, (object, exists)) in self.history.range(..=revision) {
            if *exists {
                objects.insert(*object, *version);
            } else {
                objects.remove(object);
            }
        }
        objects
    }
}

fn name(object: u8) -> (&'static str, String) {
    (if object < 4 { "a" } else { "a-b" }, format!("o{object:02}"))
}

/// In key order: `a-b/…` sorts before `a/…`.
fn key_order(objects: &BTreeMap<u8, u64>) -> Vec<(u8, u64)> {
    let mut items: Vec<(u8, u64)> =
        objects.iter().map(|(object, version)| (*object, *version)).collect();
    items.sort_by_key(|(object, _)| format!("{}/{}", name(*object).0, name(*object).1));
    items
}

/// Everything about one run.
struct World {
    server: Server,
    machine: Machine,
    /// The position that a machine before this one had reached.
    saved: Option<Version>,
    action: Action,
    now: Instant,
    random: u64,
    /// Accepted versions, and how often.
    accepted: BTreeMap<u64, u32>,
    /// Intervals of versions that were compacted away before the machine could see them: (cursor,
    /// list version].
    gaps: Vec<(u64, u64)>,
    restored: u32,
}

/// Items that one page of the model holds: small, so that lists have several pages.
const PAGE: usize = 3;

impl World {
    fn new() -> World {
        let now = Instant::now();
        let mut world = World {
            server: Server { revision: 10, compacted: 10, ..Server::default() },
            machine: Machine::new(now),
            saved: None,
            action: Action::End,
            now,
            random: 7,
            accepted: BTreeMap::new(),
            gaps: Vec::new(),
            restored: 0,
        };
        world.input(Input::Start);
        world
    }

    fn restart(&mut self) {
        self.saved = self.machine.cursor().cloned().or(self.saved.take());
        self.machine = Machine::new(self.now);
        self.input(Input::Start);
    }

    fn cursor(&self) -> u64 {
        self.machine.cursor().and_then(Version::number).unwrap_or(0)
    }

    fn input(&mut self, input: Input) {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let before = self.cursor();
        let step = self.machine.handle(self.now, self.random >> 8, input);
        for note in step.notes {
            match note {
                Note::Listed { version, .. } => self.gaps.push((before, version.number().unwrap())),
                Note::Restored { .. } => self.restored += 1,
                _ => {}
            }
        }
        self.action = step.action;
    }

    fn accept(&mut self, version: u64) {
        *self.accepted.entry(version).or_default() += 1;
    }

    /// Carries out the machine's action once.
    fn serve(&mut self, fault: Fault) {
        match self.action.clone() {
            Action::Sleep => {
                self.now = self.machine.deadline().unwrap();
                self.input(Input::Deadline);
            }
            Action::AwaitRoom => self.input(Input::Room),
            Action::Request(_) if matches!(fault, Fault::Silence) => {
                self.now = self.machine.deadline().unwrap();
                self.input(Input::Deadline);
            }
            Action::Request(Request::Identity) => match fault {
                Fault::Status(status) => self.refuse(status),
                Fault::Breaks(_) => self.input(Input::Broke("reset".into())),
                _ => {
                    self.input(Input::Identified { cursor: self.saved.clone(), start: Start::All })
                }
            },
            Action::Save => unreachable!("it begins with everything"),
            Action::Request(Request::List { limit, token }) => self.serve_list(limit, token, fault),
            Action::Request(Request::Watch { from, .. }) => {
                self.serve_watch(from.number().unwrap(), fault);
            }
            Action::Read => self.read_watch(fault),
            Action::End => unreachable!("nobody stopped it"),
        }
    }

    fn refuse(&mut self, status: u16) {
        self.input(Input::Refused { status, retry_after: None, message: String::new() });
    }

    fn serve_list(&mut self, limit: u32, token: Option<String>, fault: Fault) {
        if let Fault::Status(status) = fault {
            return self.refuse(status);
        }
        // A token is "revision:how many items came before".
        let (revision, from) = match &token {
            Some(token) => token
                .split_once(':')
                .map(|(r, n)| (r.parse().unwrap(), n.parse().unwrap()))
                .unwrap(),
            None => (self.server.revision, 0usize),
        };
        if revision < self.server.compacted {
            return self.refuse(410);
        }
        let items = key_order(&self.server.snapshot(revision));
        let page = &items[from.min(items.len())..];
        let page = &page[..page.len().min(PAGE).min(limit as usize)];
        let next = if from + page.len() < items.len() {
            format!("{revision}:{}", from + page.len())
        } else {
            String::new()
        };
        self.input(Input::Opened);
        self.machine.list_metadata(&revision.to_string(), &next);
        for (index, (object, version)) in page.iter().enumerate() {
            match fault {
                Fault::Breaks(after) if index == after as usize => {
                    return self.input(Input::Ended { whole: false });
                }
                Fault::NoRoom(after) if index == after as usize => {
                    return self.input(Input::NoRoom);
                }
                _ => {}
            }
            let (namespace, name) = name(*object);
            if self.machine.listed(namespace, &name, &version.to_string()) {
                self.accept(*version);
            }
        }
        self.input(Input::Ended { whole: true });
    }

    fn serve_watch(&mut self, from: u64, fault: Fault) {
        if let Fault::Status(status) = fault {
            return self.refuse(status);
        }
        self.input(Input::Opened);
        if from < self.server.compacted {
            // One of the three ways to say it.
            return match fault {
                Fault::EndsAtOnce => self.input(Input::Ended { whole: true }),
                _ => self.refuse(410),
            };
        }
        self.read_watch(fault);
    }

    /// Delivers what the open watch has to deliver.
    fn read_watch(&mut self, fault: Fault) {
        assert!(
            matches!(self.machine.state(), State::Watching { .. }),
            "{:?}",
            self.machine.state()
        );
        let frames: Vec<(u64, bool)> = self
            .server
            .history
            .range(self.cursor() + 1..)
            .map(|(version, (_, exists))| (*version, *exists))
            .collect();
        for (index, (version, exists)) in frames.into_iter().enumerate() {
            match fault {
                Fault::Breaks(after) if index == after as usize => {
                    return self.input(Input::Broke("reset".into()));
                }
                Fault::NoRoom(after) if index == after as usize => {
                    return self.input(Input::NoRoom);
                }
                Fault::Ends(after) if index == after as usize => {
                    return self.input(Input::Ended { whole: true });
                }
                _ => {}
            }
            if exists {
                self.accept(version);
            }
            self.machine.watched(self.now, &version.to_string());
        }
        self.now += Duration::from_secs(1);
        match fault {
            Fault::Silence => {
                self.now = self.machine.deadline().unwrap();
                self.input(Input::Deadline);
            }
            Fault::Ends(_) => self.input(Input::Ended { whole: true }),
            _ => self.action = Action::Read,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Write { object } => self.server.write(object, true),
            Event::Delete { object } => self.server.write(object, false),
            Event::Compact => self.server.compacted = self.server.revision,
            Event::Serve(fault) => self.serve(fault),
            Event::Restart => self.restart(),
        }
    }

    /// Lets the machine work without faults until a watch has delivered everything.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let settled = matches!(self.machine.state(), State::Watching { .. });
            self.serve(Fault::None);
            if settled && self.action == Action::Read {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.machine);
    }

    /// Guarantee 1: what is not accepted was overwritten or deleted, inside a gap between the
    /// cursor and the list that closed it.
    fn lost(&self) -> Vec<u64> {
        let held: BTreeSet<u64> =
            self.server.snapshot(self.server.revision).into_values().collect();
        let missing = |version: &u64| !self.accepted.contains_key(version);
        let in_a_gap =
            |version: &u64| self.gaps.iter().any(|(from, to)| version > from && version <= to);
        let written = self
            .server
            .history
            .iter()
            .filter(|(_, (_, exists))| *exists)
            .map(|(version, _)| *version);
        written
            .filter(missing)
            .filter(|version| held.contains(version) || !in_a_gap(version))
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_goes_wrong_nothing_is_lost_and_nothing_is_accepted_twice(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(*event);
        }
        world.settle();
        prop_assert_eq!(world.lost(), Vec::<u64>::new());
        let twice: Vec<_> = world.accepted.iter().filter(|(_, times)| **times > 1).collect();
        prop_assert!(twice.is_empty(), "accepted more than once: {:?}", twice);
        prop_assert_eq!(world.restored, 0);
        prop_assert_eq!(world.cursor(), world.server.revision);
    }

    #[test]
    fn a_run_that_goes_on_from_the_cursor_of_the_one_before_loses_nothing(
        events in prop::collection::vec(event_or_restart(), 1..120),
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(*event);
        }
        world.settle();
        prop_assert_eq!(world.lost(), Vec::<u64>::new());
        prop_assert_eq!(world.cursor(), world.server.revision);
    }

    #[test]
    fn a_run_that_goes_on_with_a_position_asks_for_nothing_that_was_accepted(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut world = World::new();
        for event in &events {
            world.happen(*event);
        }
        world.settle();
        world.restart();
        world.settle();
        let twice: Vec<_> = world.accepted.iter().filter(|(_, times)| **times > 1).collect();
        prop_assert!(twice.is_empty(), "accepted more than once: {:?}", twice);
    }

    #[test]
    fn after_a_restore_everything_that_the_cluster_holds_is_accepted(
        before in prop::collection::vec(event(), 1..60), after in prop::collection::vec(event(), 0..20),
    ) {
        let mut world = World::new();
        for event in &before {
            world.happen(*event);
        }
        world.settle();
        let cursor = world.cursor();
        // Restored from a backup that is older than all that was seen; it must be noticed before
        // the new versions reach the old cursor, and lists only say where they are.
        world.server = Server { revision: 1, compacted: 1, ..Server::default() };
        world.server.write(1, true);
        world.accepted.clear();
        world.input(Input::Broke("the API server was stopped".into()));
        for event in after.iter().filter(|_| cursor > 40) {
            world.happen(*event);
        }
        world.settle();
        for version in world.server.snapshot(world.server.revision).into_values() {
            prop_assert!(world.accepted.contains_key(&version), "{} is missing", version);
        }
        if cursor > 40 {
            prop_assert_eq!(world.restored, 1);
        }
    }
}
