//! Candidates that are called beside a stage's module.

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::stages::generations::Generations;
use crate::stages::shadow::Shadows;

const APPEND: &str = r#"(import "weir:pipeline/edit@0.1.0" "append-string" (func $append (param i32 i32 i32 i32 i32)))"#;
const DISCARD: &str = r#"(import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))
    (import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))"#;

/// Appends `a` to `/tags`.
const TAGS: Guest<'static> = Guest {
    imports: APPEND,
    items: r#"(data (i32.const 1024) "/tagsab")"#,
    configure: "",
    process: "(call $append (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const 1) \
              (i32.const 32)) (i32.load8_u (i32.const 32))",
};
/// Appends `b`.
const TAGS_OTHERWISE: Guest<'static> = Guest {
    process: "(call $append (i32.const 1024) (i32.const 5) (i32.const 1030) (i32.const 1) \
              (i32.const 32)) (i32.load8_u (i32.const 32))",
    ..TAGS
};
/// Drops for the reason `a`.
const DROPS: Guest<'static> = Guest {
    imports: DISCARD,
    items: r#"(data (i32.const 1024) "ab")"#,
    configure: "(call $declare (i32.const 1024) (i32.const 1) (i32.const 32))",
    process: "(call $discard (i32.load (i32.const 36))) (i32.const 0)",
};
/// Drops for the reason `b`.
const DROPS_OTHERWISE: Guest<'static> =
    Guest { configure: "(call $declare (i32.const 1025) (i32.const 1) (i32.const 32))", ..DROPS };
const KEEPS: Guest<'static> =
    Guest { imports: "", items: "", configure: "", process: "(i32.const 0)" };
const TRAPS: Guest<'static> = Guest { process: "unreachable", ..KEEPS };
const HANGS: Guest<'static> = Guest { process: "(loop $again (br $again)) unreachable", ..KEEPS };

pub(super) struct Shadowed {
    pub(super) bench: Bench,
    shadows: Shadows,
}

impl Shadowed {
    pub(super) fn new() -> Shadowed {
        let bench = Bench::new();
        let shadows = Shadows::new(&bench.metrics.stage, true);
        Shadowed { bench, shadows }
    }

    /// A stage of one module, with another in its shadow.
    fn stage(&self, live: Guest<'_>, candidate: Guest<'_>) -> ModuleSettings {
        self.stage_of(live, &candidate.component())
    }

    pub(super) fn stage_of(&self, live: Guest<'_>, candidate: &[u8]) -> ModuleSettings {
        let module = self.bench.write("candidate", candidate);
        let shadow =
            Some(Box::new(ShadowSettings { module: module.into(), config: "{}".to_owned() }));
        ModuleSettings { shadow, ..self.bench.stage("it", live) }
    }

    /// Runs chunks of events, and waits until the candidate has seen all that it is to see.
    pub(super) fn run(&self, stage: ModuleSettings, chunks: &[Vec<String>]) -> Vec<Value> {
        self.run_all(&[stage], chunks)
    }

    fn run_all(&self, stages: &[ModuleSettings], chunks: &[Vec<String>]) -> Vec<Value> {
        let events = chunks.iter().map(|events| events.len() as u64).sum();
        self.run_until(stages, chunks, events)
    }

    /// Until so many events were compared or skipped.
    fn run_until(
        &self,
        stages: &[ModuleSettings],
        chunks: &[Vec<String>],
        compared: u64,
    ) -> Vec<Value> {
        let chain = self.bench.load(stages).unwrap();
        let generations = Generations::with_shadows(chain, self.shadows.clone());
        let outbox = Collect::default();
        let (encode, health) = (EncodeSettings::default(), Health::default());
        let dead_letters =
            DeadLetters::open(None, &self.bench.ledger, &health, &Shutdown::default()).unwrap();
        let (ledger, tracker) = (self.bench.ledger.clone(), Default::default());
        let (sender, mut works) = SourceSender::new(ledger, tracker, chunks.len(), 1);
        for events in chunks {
            sender.send(chunk(events)).unwrap();
        }
        drop(sender);
        let worker = generations.worker(0, 1);
        worker.run(works.remove(0), &outbox, &dead_letters, &encode, &health).unwrap();
        until(|| self.counts().iter().map(|(_, count)| count).sum::<u64>() >= compared);
        outbox.0.into_inner().unwrap()
    }

    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let labels = ["same", "verdict", "edits", "failed", "skipped"];
        let of =
            |label| self.bench.metrics.stage.shadow_events.with_label_values(&["it", label]).get();
        labels.map(|label| (label, of(label))).into_iter().filter(|(_, n)| *n > 0).collect()
    }

    /// What the metrics have of failed calls.
    pub(super) fn failures(&self) -> Vec<String> {
        let metrics = self.bench.metrics.render();
        let failures =
            metrics.lines().filter(|line| line.starts_with("weir_stage_failures_total{"));
        failures.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
    }

    fn differences(&self) -> Vec<Value> {
        let shown = self.shadows.differences().unwrap().of("it").unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        shown["differences"].as_array().unwrap().clone()
    }
}

fn events(count: usize) -> Vec<String> {
    (0..count).map(|number| modules::event(number, "Warning", "BackOff")).collect()
}

#[test]
fn what_a_candidate_would_change_is_counted_by_kind_and_changes_nothing() {
    let cases: [(Guest<'_>, Guest<'_>, &str); 8] = [
        (KEEPS, KEEPS, "same"),
        (TAGS, TAGS, "same"),
        (DROPS, DROPS, "same"),
        (TAGS, TAGS_OTHERWISE, "edits"),
        (TAGS, KEEPS, "edits"),
        (TAGS, DROPS, "verdict"),
        (DROPS, DROPS_OTHERWISE, "verdict"),
        (TAGS, TRAPS, "failed"),
    ];
    for (live, candidate, expected) in cases {
        let alone = Shadowed::new();
        let stage = alone.bench.stage("it", live);
        let without = alone.bench.run(&[stage], &[events(3)]).documents;
        let shadowed = Shadowed::new();
        let stage = shadowed.stage(live, candidate);
        assert_eq!(shadowed.run(stage, &[events(3)]), without, "{expected}");
        assert_eq!(shadowed.counts(), [(expected, 3)]);
        assert_eq!(shadowed.failures(), Vec::<String>::new(), "they are not the stage's");
        let kept = if expected == "same" { 0 } else { 3 };
        assert_eq!(shadowed.differences().len(), kept, "{expected}");
    }
}

#[test]
fn events_that_neither_of_the_two_is_about_are_not_compared() {
    let about = |letter: u8| {
        format!(
            "(call $words (i32.const {}) (i32.const 1) (i32.const 32))
            (if (i32.load8_u (i32.const 32)) (then unreachable))",
            2048 + 8 * u32::from(letter - b'a')
        )
    };
    let imports = format!(
        r#"{APPEND} (import "weir:pipeline/interest@0.1.0" "in-words" (func $words (param i32 i32 i32)))"#
    );
    // The words `a7` and `b7`.
    let items = format!(
        r#"{} (data (i32.const 1536) "a7b7")
        (data (i32.const 2048) "\00\06\00\00\02\00\00\00\02\06\00\00\02\00\00\00")"#,
        TAGS.items
    );
    let guest = |configure| Guest { imports: &imports, items: &items, configure, ..TAGS };
    let (a, b) = (about(b'a'), about(b'b'));
    let events: Vec<String> = ["a7", "b7", "a7 b7", "none"]
        .map(|message| event(&format!(r#""message":"{message}""#)))
        .into();
    let shadowed = Shadowed::new();
    let stage = shadowed.stage(guest(&a), guest(&b));
    let documents = shadowed.run_until(&[stage], &[events], 3);
    let is_tagged: Vec<bool> =
        documents.iter().map(|document| document["tags"].is_array()).collect();
    assert_eq!(is_tagged, [true, false, true, false]);
    assert_eq!(shadowed.counts(), [("same", 1), ("edits", 2)]);
}

#[test]
fn a_difference_says_what_each_of_the_two_did() {
    let shadowed = Shadowed::new();
    shadowed.run(shadowed.stage(TAGS, TAGS_OTHERWISE), &[events(1)]);
    let difference = &shadowed.differences()[0];
    assert_eq!(difference["result"], "edits");
    assert_eq!(difference["event"]["reason"], "BackOff");
    assert_eq!(difference["live"]["document"]["tags"], serde_json::json!(["a"]));
    assert_eq!(difference["candidate"]["document"]["tags"], serde_json::json!(["b"]));

    let shadowed = Shadowed::new();
    shadowed.run(shadowed.stage(DROPS, TRAPS), &[events(1)]);
    let difference = &shadowed.differences()[0];
    assert_eq!(difference["live"]["reason"], "a");
    let detail = difference["candidate"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("trap: "), "{detail}");
}

#[test]
fn it_sees_the_edits_of_the_stages_before_and_no_others() {
    let shadowed = Shadowed::new();
    let first = ModuleSettings { name: "first".into(), ..shadowed.bench.stage("first", TAGS) };
    let chain = [first, shadowed.stage(TAGS_OTHERWISE, TAGS)];
    let chain = shadowed.bench.load(&chain).unwrap();
    let generations = Generations::with_shadows(chain, shadowed.shadows.clone());
    let (ledger, tracker) = (shadowed.bench.ledger.clone(), Default::default());
    let (sender, mut works) = SourceSender::new(ledger, tracker, 1, 1);
    sender.send(chunk(events(1))).unwrap();
    drop(sender);
    let (encode, health, outbox) = Default::default();
    let outbox: Collect = outbox;
    let dead_letters =
        DeadLetters::open(None, &shadowed.bench.ledger, &health, &Shutdown::default()).unwrap();
    let worker = generations.worker(0, 1);
    worker.run(works.remove(0), &outbox, &dead_letters, &encode, &health).unwrap();
    until(|| !shadowed.differences().is_empty());
    let difference = &shadowed.differences()[0];
    assert_eq!(difference["live"]["document"]["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(difference["candidate"]["document"]["tags"], serde_json::json!(["a", "a"]));
}

#[test]
fn a_candidate_that_hangs_holds_nothing_up_and_what_it_has_no_time_for_is_skipped() {
    let shadowed = Shadowed::new();
    // Each event of the first chunks would take it a timeout; the pipeline has many more of them.
    let chunks: Vec<_> = (0..40).map(|_| events(2)).collect();
    let documents = shadowed.run(shadowed.stage(TAGS, HANGS), &chunks);
    assert_eq!(documents.len(), 80);
    let counts = shadowed.counts();
    let [("failed", failed), ("skipped", skipped)] = counts[..] else { panic!("{counts:?}") };
    assert_eq!(failed + skipped, 80);
    assert!(skipped >= 2, "no more wait than there is room for: {counts:?}");
}

#[test]
fn what_is_noted_of_a_chunk_is_bounded_and_the_rest_is_skipped() {
    let shadowed = Shadowed::new();
    // What lies there is 1,900 zeros, each an escape of six bytes: 11,400 of text in each of an
    // event's two copies, of which 1 MiB holds 45.
    let long = Guest {
        process: "(call $append (i32.const 1024) (i32.const 5) (i32.const 2048) (i32.const 1900) \
                  (i32.const 32)) (i32.load8_u (i32.const 32))",
        ..TAGS
    };
    let first = ModuleSettings { name: "first".into(), ..shadowed.bench.stage("first", long) };
    let events = events(1_000);
    let documents = shadowed.run_all(&[first, shadowed.stage(TAGS, TAGS)], &[events]);
    assert_eq!(documents.len(), 1_000);
    let counts = shadowed.counts();
    let [("same", same), ("skipped", skipped)] = counts[..] else { panic!("{counts:?}") };
    assert_eq!(same + skipped, 1_000);
    assert!((30..=45).contains(&same), "{counts:?}");
}

/// A clock that cannot be read where candidates are called.
fn panics_in_a_shadow() -> Reading {
    assert_ne!(std::thread::current().name(), Some("shadow"), "this panic is the test's");
    Reading::now()
}

#[test]
fn a_panic_of_a_shadows_thread_ends_it_alone() {
    let mut shadowed = Shadowed::new();
    // It is read at the first tick of a call.
    shadowed.bench.clock = panics_in_a_shadow;
    let chunks: Vec<_> = (0..3).map(|_| events(2)).collect();
    assert_eq!(shadowed.run(shadowed.stage(TAGS, HANGS), &chunks).len(), 6);
    assert_eq!(shadowed.counts(), [("skipped", 6)]);
}

#[test]
fn what_is_kept_of_differences_is_the_last_few() {
    let shadowed = Shadowed::new();
    shadowed.run(shadowed.stage(TAGS, KEEPS), &[events(100)]);
    let differences = shadowed.differences();
    assert_eq!(differences.len(), 16);
    assert_eq!(differences[15]["event"]["metadata"]["name"], "web-99.17c9a8b1");
    let unseen = Shadows::new(&shadowed.bench.metrics.stage, false);
    assert!(unseen.differences().is_none(), "nothing is kept that nobody may see");
}

#[test]
fn a_stage_does_not_start_with_a_candidate_that_cannot() {
    let shadowed = Shadowed::new();
    let module = PathBuf::from("not-there.wasm").into();
    let missing = ShadowSettings { module, config: "{}".to_owned() };
    let stage =
        ModuleSettings { shadow: Some(Box::new(missing)), ..shadowed.bench.stage("it", KEEPS) };
    let errors = shadowed.bench.load(&[stage]).err().unwrap();
    let [error @ LoadError::Shadow { .. }] = &errors[..] else { panic!("{errors:?}") };
    assert!(error.to_string().starts_with("stage `it`: its shadow not-there.wasm: "), "{error}");
}

#[test]
fn its_thread_ends_with_the_chain() {
    let shadowed = Shadowed::new();
    let chain = shadowed.bench.load(&[shadowed.stage(TAGS, TAGS)]).unwrap();
    let ticker = Arc::downgrade(&chain.0.ticker);
    let generations = Generations::with_shadows(chain, shadowed.shadows.clone());
    assert!(ticker.strong_count() > 1, "the thread has it, too");
    drop(generations);
    until(|| ticker.strong_count() == 0);
}
