//! The harness keeps weir's rules. What editing and reading mean is in `tests/conformance`.

#![allow(clippy::unwrap_used)] // Every function here is a test's.

use std::cell::Cell;

use weir_filter::{
    Config, Counter, Error, Event, Reason, Stage, Verdict, log,
    testing::{Harness, Outcome},
};

/// Does what the event's `/do` says.
struct Obedient {
    reason: Reason,
    seen: Counter,
    events: u64,
}

impl Stage for Obedient {
    fn configure(config: &Config) -> Result<Self, Error> {
        config.expect_empty()?;
        let seen = Counter::declare("seen", "Events that this stage has seen.")?;
        Ok(Self { reason: Reason::declare("told_to")?, seen, events: 0 })
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        self.events += 1;
        self.seen.add(1);
        event.set("/events", self.events as i64)?;
        match event.get_as::<String>("/do").as_deref() {
            Some("drop") => return Ok(Verdict::Drop(self.reason)),
            Some("fail") => return Err("told to".into()),
            Some("fail loudly") => return Err(Error::logged("told to")),
            Some("edit what weir owns") => event.set("/kind", "x")?,
            Some("declare") => drop(Reason::declare("late")?),
            Some("log") => log::warn("a line"),
            _ => {}
        }
        Ok(Verdict::Keep)
    }
}

fn stage() -> Harness<Obedient> {
    Harness::new("{}").unwrap()
}

#[test]
fn a_kept_event_has_its_edits() {
    assert_eq!(stage().process(r#"{ "a": 1.0 }"#), Outcome::Kept(r#"{"a":1.0,"events":1}"#.into()));
}

#[test]
fn a_dropped_event_names_its_reason() {
    assert_eq!(stage().process(r#"{"do":"drop"}"#), Outcome::Dropped("told_to".into()));
}

#[test]
fn an_error_is_a_failure_and_is_logged_only_when_asked_for() {
    let mut stage = stage();
    assert_eq!(stage.process(r#"{"do":"fail"}"#), Outcome::Failed("told to".into()));
    assert!(stage.log().is_empty());
    assert_eq!(stage.process(r#"{"do":"fail loudly"}"#), Outcome::Failed("told to".into()));
    assert_eq!(stage.log(), ["error: told to"]);
}

#[test]
fn a_refused_edit_says_why() {
    let mut stage = stage();
    let why = "`/kind` is protected: weir owns `/kind`";
    assert_eq!(stage.process(r#"{"do":"edit what weir owns"}"#), Outcome::Failed(why.into()));
    assert_eq!(stage.refused(), [why]);
}

#[test]
fn reasons_are_declared_only_in_configure() {
    let Outcome::Failed(why) = stage().process(r#"{"do":"declare"}"#) else {
        panic!("it was accepted")
    };
    assert_eq!(why, "`late` is declared outside of `configure`");
}

#[test]
fn state_counters_and_calls_are_seen() {
    let mut stage = stage();
    let _ = stage.process("{}");
    let outcome = stage.process(r#"{"do":"log"}"#);
    assert_eq!(outcome.get("/events").as_deref(), Some("2"));
    assert_eq!(stage.counter("seen"), Some(2));
    assert_eq!(stage.counter("unseen"), None);
    assert_eq!(stage.log(), ["warn: a line"]);
    assert_eq!(stage.calls(), ["add", "set-integer", "get", "log"]);
}

#[test]
fn a_reason_of_another_stage_is_misuse_and_has_no_effect() {
    struct Borrower;

    thread_local! {
        static LENT: Cell<Option<Reason>> = const { Cell::new(None) };
    }

    impl Stage for Borrower {
        fn configure(_: &Config) -> Result<Self, Error> {
            Ok(Self)
        }

        fn process(&mut self, _: &mut Event) -> Result<Verdict, Error> {
            Ok(LENT.get().map_or(Verdict::Keep, Verdict::Drop))
        }
    }

    struct Lender;

    impl Stage for Lender {
        fn configure(_: &Config) -> Result<Self, Error> {
            LENT.set(Some(Reason::declare("mine")?));
            Ok(Self)
        }

        fn process(&mut self, _: &mut Event) -> Result<Verdict, Error> {
            Ok(Verdict::Keep)
        }
    }

    Harness::<Lender>::new("{}").unwrap();
    let mut borrower = Harness::<Borrower>::new("{}").unwrap();
    assert_eq!(borrower.process("{}"), Outcome::Kept("{}".into()), "the event goes on");
    assert_eq!(
        borrower.misuse(),
        ["`discard(0)` has no effect: that number was not declared in `configure`"]
    );
}

#[test]
fn names_of_reasons_and_counters_are_checked() {
    struct Named;

    impl Stage for Named {
        fn configure(config: &Config) -> Result<Self, Error> {
            Reason::declare(&config.parse::<String>()?)?;
            Ok(Self)
        }

        fn process(&mut self, _: &mut Event) -> Result<Verdict, Error> {
            Ok(Verdict::Keep)
        }
    }

    let declare = |name: &str| Harness::<Named>::new(&format!("{name:?}")).map(drop);
    assert!(declare("not_ready").is_ok());
    assert!(declare(&"a".repeat(64)).is_ok());
    for name in ["error", "", "Normal", "not-ready", "code_1", &"a".repeat(65)] {
        assert!(declare(name).is_err(), "{name}");
    }
}

/// Does to an event what a test says.
struct Does(Deed);

type Deed = fn(&mut Event) -> Result<(), Error>;

thread_local! {
    static DOES: Cell<Deed> = const { Cell::new(|_| Ok(())) };
}

impl Stage for Does {
    fn configure(_: &Config) -> Result<Self, Error> {
        Ok(Self(DOES.get()))
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        (self.0)(event)?;
        Ok(Verdict::Keep)
    }
}

fn does(to: Deed, event: &str) -> Outcome {
    DOES.set(to);
    Harness::<Does>::new("{}").unwrap().process(event)
}

#[test]
fn get_may_scan_64_times_the_event_in_a_call() {
    let event = format!(r#"{{"a":{{"b":"{}"}}}}"#, "x".repeat(1000));
    let ask = |event: &mut Event| {
        let found = (0..100).take_while(|_| event.get("").is_some()).count();
        let after = event.get("/a/b").is_some();
        event.set("/found", found)?;
        event.set("/after", after)?;
        Ok(())
    };
    let outcome = does(ask, &event);
    assert_eq!(outcome.get("/found").as_deref(), Some("64"));
    assert_eq!(outcome.get("/after").as_deref(), Some("false"));
}

#[test]
fn every_plain_value_can_be_set() {
    let set = |event: &mut Event| {
        event.set("/v/string", String::from("s"))?;
        event.set("/v/cow", std::borrow::Cow::Borrowed("c"))?;
        event.set("/v/f32", 0.1_f32)?;
        event.set("/v/large", 1e30_f32)?;
        event.set("/v/u64", 7_u64)?;
        event.set("/v/usize", 8_usize)?;
        event.set("/v/isize", -9_isize)?;
        Ok(())
    };
    assert_eq!(
        does(set, "{}").get("/v").as_deref(),
        Some(r#"{"string":"s","cow":"c","f32":0.1,"large":1e30,"u64":7,"usize":8,"isize":-9}"#)
    );
}

#[test]
fn a_number_that_weir_cannot_hold_is_refused() {
    let Outcome::Failed(why) = does(|event| Ok(event.set("/a", u64::MAX)?), "{}") else {
        panic!("it was set");
    };
    assert_eq!(why, "`/a`: 18446744073709551615 is not within what an i64 holds");
    assert!(matches!(does(|event| Ok(event.set("/a", f32::NAN)?), "{}"), Outcome::Failed(_)));
}

#[test]
#[should_panic(expected = "write it as one of core/v1")]
fn an_event_with_names_that_no_filter_sees_is_a_wrong_test() {
    let _ = does(|_| Ok(()), r#"{"apiVersion":"events.k8s.io/v1","note":"x"}"#);
}
