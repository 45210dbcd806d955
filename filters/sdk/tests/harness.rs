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
    let Outcome::Failed(why) = stage().process(r#"{"do":"declare"}"#) else { panic!("it was accepted") };
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
fn a_reason_of_another_stage_is_misuse() {
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
    let outcome = Harness::<Borrower>::new("{}").unwrap().process("{}");
    assert!(matches!(outcome, Outcome::Misused(_)), "{outcome:?}");
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
    for name in ["", "Normal", "not-ready", "code_1", &"a".repeat(65)] {
        assert!(declare(name).is_err(), "{name}");
    }
}
