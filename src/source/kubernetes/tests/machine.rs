//! The machine in the situations of docs/delivery.md#listing-and-watching, one by one.

use std::time::{Duration, Instant};

use super::super::failure::{Cause, Failure};
use super::super::machine::{Machine, QUIET_TIMEOUT, SILENCE_MAX};
use super::super::state::{State, Then};
use super::super::step::{Action, Input, Note, Request, Step};
use super::super::version::Version;
use crate::source::Start;

/// A machine and a clock that stands until it is moved.
struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    fn new(cursor: Option<u64>) -> (Bench, Action) {
        let now = Instant::now();
        let mut bench = Bench { machine: Machine::new(now), now };
        assert_eq!(bench.input(Input::Start).action, Action::Request(Request::Identity));
        let cursor = cursor.map(Version::Number);
        let action = bench.input(Input::Identified { cursor, start: Start::All }).action;
        (bench, action)
    }

    /// One that has listed nothing at version 100, and watches.
    fn watching() -> Bench {
        let (mut bench, _) = Bench::new(None);
        bench.list("100", "", &[]);
        bench.input(Input::Opened);
        bench
    }

    fn input(&mut self, input: Input) -> Step {
        self.machine.handle(self.now, 0, input)
    }

    fn refused(&mut self, status: u16) -> Step {
        self.input(Input::Refused { status, retry_after: None, message: String::new() })
    }

    /// A page with these items; answers which were accepted, and the step at its end.
    fn list(&mut self, version: &str, next: &str, items: &[(&str, &str)]) -> (Vec<bool>, Step) {
        self.input(Input::Opened);
        self.machine.list_metadata(version, next);
        let accepted =
            items.iter().map(|(name, version)| self.machine.listed("ns", name, version)).collect();
        (accepted, self.input(Input::Ended { whole: true }))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn frame(&mut self, version: &str) {
        self.machine.watched(self.now, version);
    }

    fn wait(&mut self) -> Action {
        self.now = self.machine.deadline().expect("it waits");
        self.input(Input::Deadline).action
    }
}

fn list() -> Action {
    Action::Request(Request::List { limit: 500, token: None })
}

fn check() -> Action {
    Action::Request(Request::List { limit: 1, token: None })
}

fn watch(from: u64) -> Action {
    Action::Request(Request::Watch {
        from: Version::Number(from),
        timeout: Duration::from_secs(240),
    })
}

#[test]
fn it_lists_page_by_page_and_then_watches_from_the_version_of_the_list() {
    let (mut bench, first) = Bench::new(None);
    assert_eq!(first, list());
    let (accepted, step) = bench.list("100", "next", &[("a", "7"), ("b", "90")]);
    assert_eq!(accepted, [true, true]);
    assert_eq!(bench.machine.cursor(), None, "a list's position moves only at its end");
    assert_eq!(
        step.action,
        Action::Request(Request::List { limit: 500, token: Some("next".into()) })
    );
    let (_, step) = bench.list("100", "", &[("c", "8")]);
    assert_eq!(step.action, watch(100));
    let listed = Note::Listed {
        first: true,
        accepted: 3,
        skipped: 0,
        since: None,
        version: Version::Number(100),
    };
    assert_eq!(step.notes, [listed]);
}

#[test]
fn a_watch_that_the_server_ends_is_opened_again_from_the_last_frame() {
    let mut bench = Bench::watching();
    bench.frame("120");
    bench.pass(Duration::from_secs(240));
    assert_eq!(bench.input(Input::Ended { whole: true }).action, watch(120));
}

#[test]
fn a_saved_cursor_is_watched_from_without_a_list_unless_the_server_was_restored() {
    let (mut bench, first) = Bench::new(Some(80));
    assert_eq!(first, check());
    let (accepted, step) = bench.list("100", "more", &[("a", "90")]);
    assert_eq!(accepted, [false], "a check gives nothing");
    assert_eq!(step.action, watch(80));

    let (mut bench, _) = Bench::new(Some(80));
    let (_, step) = bench.list("5", "", &[("a", "3")]);
    assert_eq!(step.action, list());
    let restored = Note::Restored { cursor: Version::Number(80), version: Version::Number(5) };
    assert_eq!(step.notes, [restored]);
    assert_eq!(bench.list("5", "", &[("a", "3")]).0, [true]);
}

#[test]
fn all_three_forms_of_410_mean_to_list_again_and_skip_what_is_not_above_the_cursor() {
    let gone_as_status = |bench: &mut Bench| {
        bench.pass(Duration::from_secs(240));
        bench.input(Input::Ended { whole: true });
        bench.refused(410).action
    };
    let gone_as_error_line = |bench: &mut Bench| bench.refused(410).action;
    let closed_at_once = |bench: &mut Bench| {
        bench.pass(Duration::from_secs(240));
        bench.input(Input::Ended { whole: true });
        bench.input(Input::Opened);
        bench.input(Input::Ended { whole: true }).action
    };
    let forms: [&dyn Fn(&mut Bench) -> Action; 3] =
        [&gone_as_status, &gone_as_error_line, &closed_at_once];
    for form in forms {
        let mut bench = Bench::watching();
        bench.frame("120");
        assert_eq!(form(&mut bench), list());
        let (accepted, step) = bench.list("200", "", &[("a", "120"), ("b", "121")]);
        assert_eq!(accepted, [false, true]);
        assert_eq!(step.action, watch(200));
    }
}

#[test]
fn a_server_that_always_closes_at_once_is_not_asked_in_a_tight_loop() {
    let mut bench = Bench::watching();
    let started = bench.now;
    let mut lists = 0;
    let mut action = bench.input(Input::Ended { whole: true }).action;
    while lists < 20 {
        match action {
            Action::Sleep => action = bench.machine_deadline_with_longest_wait(),
            Action::Request(Request::List { .. }) => {
                lists += 1;
                bench.list("100", "", &[]);
                bench.input(Input::Opened);
                action = bench.input(Input::Ended { whole: true }).action;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(bench.now - started > Duration::from_secs(5 * 60), "{:?}", bench.now - started);
}

impl Bench {
    /// Waits as long as a backoff can be: its jitter is from nothing to that.
    fn machine_deadline_with_longest_wait(&mut self) -> Action {
        let failures = match self.machine.state() {
            State::Backoff { .. } => Duration::from_secs(30),
            other => panic!("{other:?}"),
        };
        self.now += failures;
        self.input(Input::Deadline).action
    }
}

#[test]
fn a_list_that_loses_its_snapshot_begins_again_and_skips_what_it_gave() {
    let (mut bench, _) = Bench::new(None);
    bench.list("100", "next", &[("a", "7"), ("b", "90")]);
    assert_eq!(bench.refused(410).action, Action::Sleep);
    assert_eq!(bench.wait(), list(), "not the expired page, nor an inconsistent one");
    let (accepted, _) = bench.list("150", "next", &[("a", "7"), ("b", "140"), ("bb", "30")]);
    assert_eq!(accepted, [false, true, true]);
}

#[test]
fn versions_that_are_no_integers_are_all_accepted_and_watched_from_as_they_are() {
    let (mut bench, _) = Bench::new(None);
    let (_, step) = bench.list("v-x", "", &[("a", "v-a")]);
    let from = Version::Opaque("v-x".into());
    assert_eq!(
        step.action,
        Action::Request(Request::Watch { from, timeout: Duration::from_secs(240) })
    );
    bench.input(Input::Opened);
    bench.refused(410);
    assert_eq!(bench.list("v-y", "", &[("a", "v-a")]).0, [true]);
}

#[test]
fn a_watch_whose_versions_go_back_by_way_of_one_that_is_no_integer_leaves_the_cursor_where_it_was()
{
    let mut bench = Bench::watching();
    for (version, cursor) in [("248", 248), ("24x", 248), ("9", 248), ("", 248), ("250", 250)] {
        bench.frame(version);
        assert_eq!(bench.machine.cursor(), Some(&Version::Number(cursor)), "after {version:?}");
    }
}

#[test]
fn a_restored_server_that_says_its_version_behind_the_items_is_listed_again() {
    let mut bench = Bench::watching();
    bench.refused(410);
    bench.input(Input::Opened);
    assert!(!bench.machine.listed("ns", "a", "3"));
    bench.machine.list_metadata("5", "");
    assert_eq!(bench.input(Input::Ended { whole: true }).action, list());
    assert_eq!(bench.list("5", "", &[("a", "3")]).0, [true]);
}

#[test]
fn a_restore_in_the_middle_of_the_first_list_is_noticed_and_everything_is_given_again() {
    let (mut bench, _) = Bench::new(None);
    bench.list("100", "next", &[("a", "7"), ("b", "90")]);
    bench.refused(410);
    assert_eq!(bench.wait(), list());
    assert_eq!(bench.machine.restores(), 0);
    assert_eq!(bench.list("60", "", &[("a", "7"), ("c", "9")]).0, [true, true]);
    assert_eq!(bench.machine.restores(), 1);
}

#[test]
fn a_quiet_watch_is_listed_and_an_item_above_the_cursor_means_that_it_lied() {
    let mut bench = Bench::watching();
    bench.pass(Duration::from_secs(240));
    assert_eq!(bench.input(Input::Ended { whole: true }).action, watch(100));
    bench.input(Input::Opened);
    let quiet_since = bench.now - Duration::from_secs(240);
    let step = {
        bench.now = bench.machine.deadline().unwrap();
        bench.input(Input::Deadline)
    };
    assert_eq!(bench.now - quiet_since, QUIET_TIMEOUT, "an end in good order is no sign of life");
    assert_eq!((step.action, step.notes), (list(), vec![Note::Restarted(Cause::Quiet)]));
    let (accepted, step) = bench.list("150", "", &[("a", "50"), ("b", "150")]);
    assert_eq!(accepted, [false, true]);
    assert!(step.notes.contains(&Note::Lied { missed: 1 }));
}

#[test]
fn after_an_outage_the_watch_may_deliver_before_its_silence_counts() {
    let mut bench = Bench::watching();
    bench.input(Input::Broke("reset".into()));
    bench.pass(Duration::from_secs(3_600));
    bench.input(Input::Deadline);
    bench.list("300", "", &[]);
    bench.input(Input::Opened);
    let grace = bench.machine.deadline().unwrap() - bench.now;
    assert_eq!(grace, Duration::from_secs(10));
    // Still silent: it is listed, and what the list has is no lie of a watch that was not open.
    assert_eq!(bench.wait(), list());
    let (_, step) = bench.list("300", "", &[("a", "250")]);
    assert!(!step.notes.iter().any(|note| matches!(note, Note::Lied { .. })), "{:?}", step.notes);
}

#[test]
fn a_lost_connection_is_followed_by_a_look_at_the_servers_version() {
    let mut bench = Bench::watching();
    assert_eq!(bench.input(Input::Broke("reset".into())).action, Action::Sleep);
    assert_eq!(bench.wait(), check());
    bench.list("130", "more", &[]);
    assert_eq!(bench.machine.state(), &State::Opening);
}

#[test]
fn a_lapsed_lease_breaks_a_watch_which_goes_on_from_its_cursor() {
    let mut bench = Bench::watching();
    bench.frame("120");
    let step = bench.input(Input::Lapsed);
    assert_eq!(step.action, Action::Sleep);
    assert!(matches!(
        &step.notes[..],
        [Note::Failed { failure: Failure { cause: Cause::Lapsed, .. }, .. }]
    ));
    assert_eq!(bench.wait(), check());
    // It has still not been renewed.
    bench.input(Input::Opened);
    assert_eq!(bench.input(Input::Lapsed).action, Action::Sleep);
    assert_eq!(bench.wait(), check());
    let (_, step) = bench.list("130", "more", &[]);
    assert_eq!(step.action, watch(120));
}

#[test]
fn half_a_line_is_a_broken_watch_and_not_an_end_in_good_order() {
    let mut bench = Bench::watching();
    bench.frame("120");
    let step = bench.input(Input::Ended { whole: false });
    assert!(matches!(
        &step.notes[..],
        [Note::Failed { failure: Failure { cause: Cause::Connection, .. }, .. }]
    ));
}

#[test]
fn retry_after_is_honoured() {
    let (mut bench, _) = Bench::new(None);
    let after = Some(Duration::from_secs(17));
    bench.input(Input::Refused { status: 429, retry_after: after, message: "later".into() });
    assert!(bench.machine.deadline().unwrap() >= bench.now + Duration::from_secs(17));
    assert_eq!(bench.wait(), list());
}

#[test]
fn every_refusal_is_tried_again_by_what_it_needs() {
    let next = |status: u16| {
        let mut bench = Bench::watching();
        bench.refused(status);
        match bench.machine.state() {
            State::Backoff { cause, then, .. } => (*cause, *then),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(next(401), (Cause::Unauthorized, Then::Check));
    assert_eq!(next(403), (Cause::Forbidden, Then::Check));
    assert_eq!(next(429), (Cause::Throttled, Then::Check));
    assert_eq!(next(503), (Cause::ServerError, Then::Check));
}

#[test]
fn a_version_that_the_server_keeps_refusing_is_given_up_for_a_list() {
    let mut bench = Bench::watching();
    bench.pass(Duration::from_secs(240));
    let mut action = bench.input(Input::Ended { whole: true }).action;
    for _ in 0..2 {
        assert_eq!(action, watch(100));
        bench.refused(400);
        assert_eq!(bench.wait(), check());
        action = bench.list("130", "", &[]).1.action;
    }
    assert_eq!(action, watch(100));
    bench.refused(400);
    assert_eq!(bench.wait(), list());
}

#[test]
fn after_a_loss_everything_that_the_cluster_still_has_is_read_again() {
    let mut bench = Bench::watching();
    bench.frame("120");
    assert_eq!(bench.input(Input::Lost).action, Action::Sleep);
    assert_eq!(bench.machine.cursor(), None);
    bench.pass(Duration::from_secs(3));
    let step = bench.input(Input::Lost);
    assert_eq!((step.action, step.notes), (Action::Sleep, vec![Note::Restarted(Cause::Lost)]));
    assert_eq!(
        bench.machine.deadline(),
        Some(bench.now + Duration::from_secs(5)),
        "one list for all of them"
    );
    assert_eq!(bench.wait(), list());
    let (accepted, step) = bench.list("130", "", &[("a", "7"), ("b", "119")]);
    assert_eq!((&accepted[..], step.action), (&[true, true][..], watch(130)));
}

#[test]
fn a_loss_in_the_middle_of_a_list_begins_it_anew() {
    let (mut bench, _) = Bench::new(None);
    bench.list("100", "next", &[("a", "7")]);
    bench.input(Input::Lost);
    assert_eq!(bench.wait(), list());
    assert_eq!(bench.list("110", "", &[("a", "7")]).0, [true]);
}

#[test]
fn a_loss_before_the_cluster_is_known_changes_nothing_about_asking_for_it() {
    let now = Instant::now();
    let mut bench = Bench { machine: Machine::new(now), now };
    bench.input(Input::Start);
    bench.input(Input::Lost);
    bench.input(Input::Lost);
    assert_eq!(bench.wait(), Action::Request(Request::Identity));
    assert_eq!(bench.input(Input::Identified { cursor: None, start: Start::All }).action, list());
}

#[test]
fn refusals_of_another_version_do_not_count_after_a_list() {
    let mut bench = Bench::watching();
    bench.pass(Duration::from_secs(240));
    bench.input(Input::Ended { whole: true });
    for _ in 0..2 {
        bench.refused(400);
        bench.wait();
        bench.list("130", "", &[]);
    }
    bench.refused(410);
    bench.wait();
    bench.list("140", "", &[]);
    bench.refused(400);
    assert_eq!(bench.wait(), check(), "a list now would leave out what was overwritten behind 140");
}

#[test]
fn without_room_the_watch_is_closed_and_opened_again_from_the_last_frame() {
    let mut bench = Bench::watching();
    bench.frame("120");
    let step = bench.input(Input::NoRoom);
    assert_eq!((step.action, bench.machine.deadline()), (Action::AwaitRoom, None));
    assert_eq!(bench.input(Input::Room).action, check());
    assert_eq!(bench.list("130", "", &[]).1.action, watch(120));
}

#[test]
fn a_cluster_that_was_restored_while_there_was_no_room_is_noticed() {
    let mut bench = Bench::watching();
    bench.frame("120");
    bench.input(Input::NoRoom);
    assert_eq!(bench.input(Input::Room).action, check());
    let (_, step) = bench.list("110", "", &[]);
    assert_eq!((step.action, bench.machine.cursor()), (list(), None));
}

#[test]
fn a_page_that_is_asked_for_long_after_the_one_before_is_of_a_list_that_begins_again() {
    let (mut bench, _) = Bench::new(None);
    bench.list("100", "next", &[("a", "1"), ("b", "2")]);
    let next = Action::Request(Request::List { limit: 500, token: Some("next".into()) });
    // A flaky answer is asked for again.
    bench.refused(500);
    assert_eq!(bench.wait(), next);
    // For a restored server this version is one of the future.
    let mut action = next.clone();
    for _ in 0..10 {
        if action != next {
            break;
        }
        bench.pass(Duration::from_secs(3));
        bench.refused(500);
        action = bench.wait();
    }
    assert_eq!(action, list());
    assert_eq!(
        bench.list("130", "", &[("a", "1"), ("b", "120")]).0,
        [false, true],
        "what it gave is known"
    );
}

#[test]
fn without_room_a_list_is_abandoned_and_goes_on_at_the_same_page() {
    let (mut bench, _) = Bench::new(None);
    bench.list("100", "next", &[("a", "1")]);
    bench.input(Input::Opened);
    bench.machine.list_metadata("100", "");
    assert!(bench.machine.listed("ns", "b", "2"));
    assert_eq!(bench.input(Input::NoRoom).action, Action::AwaitRoom);
    let again = Action::Request(Request::List { limit: 500, token: Some("next".into()) });
    assert_eq!(bench.input(Input::Room).action, again);
    assert_eq!(bench.list("100", "", &[("b", "2"), ("c", "3")]).0, [false, true]);
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_its_own_limit() {
    let (mut bench, _) = Bench::new(None);
    assert_eq!(bench.machine.deadline(), Some(bench.now + SILENCE_MAX));
    bench.pass(Duration::from_secs(70));
    bench.input(Input::Opened);
    bench.machine.stirred(bench.now);
    assert_eq!(
        bench.machine.deadline(),
        Some(bench.now + SILENCE_MAX),
        "bytes that come move the limit"
    );
    assert_eq!(bench.wait(), Action::Sleep);
}

#[test]
fn an_answer_that_is_no_list_is_a_failure_and_not_an_empty_list() {
    let (mut bench, _) = Bench::new(None);
    bench.input(Input::Opened);
    let step = bench.input(Input::Ended { whole: true });
    assert!(matches!(
        &step.notes[..],
        [Note::Failed { failure: Failure { cause: Cause::Protocol, .. }, .. }]
    ));
}

/// A machine that is told to begin now.
fn beginning_now() -> Bench {
    let now = Instant::now();
    let mut bench = Bench { machine: Machine::new(now), now };
    bench.input(Input::Start);
    let step = bench.input(Input::Identified { cursor: None, start: Start::Now });
    assert_eq!(step.action, Action::Request(Request::List { limit: 1, token: None }));
    bench
}

#[test]
fn start_now_leaves_out_what_there_is_and_watches_when_the_position_is_saved() {
    let mut bench = beginning_now();
    let (accepted, step) = bench.list("100", "more", &[("a", "90")]);
    assert_eq!((accepted, step.action), (vec![false], Action::Save));
    assert_eq!(step.notes, [Note::Begun(Version::Number(100))]);
    let Action::Request(Request::Watch { from, .. }) = bench.input(Input::Saved).action else {
        panic!("it should watch")
    };
    assert_eq!(from, Version::Number(100));
}

#[test]
fn a_position_that_cannot_be_saved_is_no_reason_to_watch_or_to_give_up() {
    let mut bench = beginning_now();
    bench.list("100", "", &[]);
    assert_eq!(bench.input(Input::Broke("disk full".into())).action, Action::Sleep);
    assert_eq!(bench.wait(), Action::Request(Request::List { limit: 1, token: None }));
    let (_, step) = bench.list("120", "", &[]);
    assert_eq!(step.action, Action::Save, "behind what happened meanwhile, too");
}

#[test]
fn a_cluster_that_does_not_answer_is_asked_again_who_it_is() {
    let now = Instant::now();
    let mut bench = Bench { machine: Machine::new(now), now };
    bench.input(Input::Start);
    for _ in 0..3 {
        assert_eq!(bench.input(Input::Broke("refused".into())).action, Action::Sleep);
        assert_eq!(bench.wait(), Action::Request(Request::Identity));
    }
}
