//! Chains that are replaced while workers run them.

use std::sync::Arc;

use super::interested::{IN_GPU, IN_NORMAL, INTERESTED};
use super::looked_up::{LookingUp, about};
use super::*;
use crate::stages::generations::Generations;
use crate::stages::rehearsal::Refused;

/// Items and a process that append this to `/tags`.
fn tags(tag: &str) -> (String, String) {
    let items = format!(r#"(data (i32.const 1024) "/tags{tag}")"#);
    let process = format!(
        "(call $append (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const {}) \
         (i32.const 32)) (i32.load8_u (i32.const 32))",
        tag.len()
    );
    (items, process)
}

const APPEND: &str = r#"(import "weir:pipeline/edit@0.1.0" "append-string" (func $append (param i32 i32 i32 i32 i32)))"#;

/// Two stages that append this to `/tags`, and the first asks for what was looked up.
fn tagging(bench: &Bench, tag: &str) -> Vec<StageSettings> {
    let (items, process) = tags(tag);
    let of_lookup = r#"(import "weir:pipeline/lookup@0.1.0" "found" (func $found (result i32)))"#;
    let asking = format!("{APPEND}{of_lookup}");
    let asks = Guest {
        imports: &asking,
        items: &items,
        process: &format!("(drop (call $found)) {process}"),
        configure: "",
    };
    let plain = Guest { imports: APPEND, items: &items, process: &process, configure: "" };
    let named = |name: &str, guest| ModuleSettings {
        name: name.to_owned(),
        ..bench.stage(&format!("{name}-{tag}"), guest)
    };
    vec![named("first", asks).into(), named("second", plain).into()]
}

fn context(bench: &Bench, instances: usize) -> LoadContext {
    LoadContext {
        pulled: Default::default(),
        instances,
        keeps: true,
        cache: bench.folder.path().join("cache"),
        compiler: Compiler::InProcess,
        ledger: bench.ledger.clone(),
        metrics: bench.metrics.stage.clone(),
    }
}

fn prepare(
    bench: &Bench,
    generations: &Generations,
    stages: &[StageSettings],
) -> Result<Chain, Refused> {
    generations.prepare(stages, &context(bench, 2), &CancellationToken::new())
}

/// Two workers, and what is sent to them and swapped meanwhile. Answers the documents.
fn run(
    bench: &Bench,
    generations: &Generations,
    during: impl FnOnce(&SourceSender),
) -> Vec<serde_json::Value> {
    let outbox = Collect::default();
    let (encode, health) = (EncodeSettings::default(), Health::default());
    let dead_letters =
        DeadLetters::open(None, &bench.ledger, &health, &Shutdown::default()).unwrap();
    let (sender, works) = SourceSender::new(bench.ledger.clone(), Default::default(), 128, 2);
    std::thread::scope(|scope| {
        for (number, work) in works.into_iter().enumerate() {
            let worker = generations.worker(number, 2).with_lookups(bench.lookups.as_ref());
            let (outbox, dead_letters, encode, health) = (&outbox, &dead_letters, &encode, &health);
            scope.spawn(move || worker.run(work, outbox, dead_letters, encode, health).unwrap());
        }
        during(&sender);
        drop(sender);
    });
    let ledger = bench.ledger.snapshot();
    assert!(ledger.is_balanced() && ledger.in_flight == 0, "{ledger}");
    outbox.0.into_inner().unwrap()
}

#[test]
fn each_event_passes_one_generation_whole_and_those_sent_after_a_swap_pass_the_new_one() {
    const GENERATIONS: usize = 20;
    let bench = Bench::new();
    let first = bench.load(&tagging(&bench, "g0")).unwrap();
    let generations = Generations::new(first);
    let documents = run(&bench, &generations, |sender| {
        let mut number = 0;
        for generation in 0..GENERATIONS {
            if generation > 0 {
                let stages = tagging(&bench, &format!("g{generation}"));
                let chain = prepare(&bench, &generations, &stages).unwrap();
                assert_eq!(generations.publish(chain), generation as u64 + 1);
            }
            for _ in 0..5 {
                let events = (number..number + 20).map(|number| {
                    let pod = format!("pod-{}", number % 7);
                    about(number, "Warning", &format!("{pod}\",\"generation\":\"g{generation}"))
                });
                sender.send(chunk(events)).unwrap();
                number += 20;
            }
        }
    });
    assert_eq!(documents.len(), GENERATIONS * 100);
    let of = |name: &serde_json::Value| name.as_str().unwrap()[1..].parse::<usize>().unwrap();
    for document in &documents {
        let tags = document["tags"].as_array().unwrap();
        assert!(tags.len() == 2 && tags[0] == tags[1], "{document}");
        // Sent before a swap, it may be run after it.
        assert!(of(&tags[0]) >= of(&document["involvedObject"]["generation"]), "{document}");
    }
    let mut names: Vec<_> =
        documents.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), GENERATIONS * 100);
}

#[test]
fn an_event_that_waits_for_a_lookup_goes_on_in_the_generation_that_it_began_in() {
    let looking = LookingUp::new();
    let bench = &looking.bench;
    let generations = Generations::new(bench.load(&tagging(bench, "g0")).unwrap());
    let documents = run(bench, &generations, |sender| {
        sender.send(chunk([about(0, "Warning", "slow-1")])).unwrap();
        until(|| looking.requests() == 1);
        generations.publish(prepare(bench, &generations, &tagging(bench, "g1")).unwrap());
        let later = [about(1, "Warning", "slow-1"), about(2, "Warning", "quick")];
        sender.send(chunk(later)).unwrap();
    });
    let tags = |name: &str| {
        let document = documents.iter().find(|document| document["metadata"]["name"] == name);
        document.unwrap()["tags"].clone()
    };
    assert_eq!(tags("e0"), serde_json::json!(["g0", "g0"]));
    assert_eq!(tags("e1"), serde_json::json!(["g1", "g1"]));
    assert_eq!(tags("e2"), serde_json::json!(["g1", "g1"]));
}

#[test]
fn a_generation_that_nothing_waits_in_is_let_go() {
    let bench = Bench::new();
    let first = bench.load(&tagging(&bench, "g0")).unwrap();
    let old = Arc::downgrade(&first.0);
    let generations = Generations::new(first);
    run(&bench, &generations, |sender| {
        // About so many objects that each worker has some.
        let events = || (0..32).map(|number| about(number, "Warning", &format!("p{number}")));
        sender.send(chunk(events())).unwrap();
        generations.publish(prepare(&bench, &generations, &tagging(&bench, "g1")).unwrap());
        sender.send(chunk(events())).unwrap();
        until(|| old.upgrade().is_none());
    });
}

#[test]
fn what_fails_on_events_that_pass_the_running_modules_is_refused_and_leaves_no_trace() {
    let bench = Bench::new();
    let generations = Generations::new(bench.load(&tagging(&bench, "g0")).unwrap());
    run(&bench, &generations, |sender| {
        sender.send(chunk((0..40).map(|number| about(number, "Normal", "a")))).unwrap();
    });
    let counted = || {
        let metrics = bench.metrics.render();
        let lines = metrics.lines().filter(|line| line.starts_with("weir_")).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let before = counted();
    let process = "(if (call $type) (then (unreachable))) (unreachable)";
    let imports = r#"(import "weir:pipeline/event@0.1.0" "type" (func $type (result i32)))"#;
    let traps = bench.stage("traps", Guest { imports, process, ..Guest::default() });
    let spins =
        bench.stage("spins", Guest { process: "(loop (br 0)) (i32.const 0)", ..Guest::default() });
    let errs = bench.stage("errs", Guest { process: "(i32.const 1)", ..Guest::default() });
    for (stage, kind) in [(traps, "trap"), (spins, "timeout"), (errs, "error")] {
        let (name, dropping) = (stage.name.clone(), OnError::Drop);
        let refused = prepare(&bench, &generations, &[stage.clone().into()]).err().unwrap();
        assert_eq!(
            refused.to_string(),
            format!(
                "stage `{name}` failed ({kind}) on 1 of 1 recent events that the running modules \
                 pass without a failure"
            )
        );
        let drops = ModuleSettings { on_error: dropping, ..stage };
        assert!(prepare(&bench, &generations, &[drops.into()]).is_err(), "whatever is done then");
    }
    assert_eq!(counted(), before, "nothing is counted");
    assert!(prepare(&bench, &generations, &tagging(&bench, "g1")).is_ok());
}

#[test]
fn what_fails_on_events_that_the_running_modules_fail_on_too_may_be_run() {
    let bench = Bench::new();
    let errs = bench.stage("errs", Guest { process: "(i32.const 1)", ..Guest::default() });
    let generations = Generations::new(bench.load(std::slice::from_ref(&errs)).unwrap());
    run(&bench, &generations, |sender| {
        sender.send(chunk([about(0, "Normal", "a")])).unwrap();
    });
    assert!(prepare(&bench, &generations, &[errs.into()]).is_ok());
}

/// A module about events with the word `gpu` that passes them, one that fails on them, and such an
/// event.
fn of_gpus(bench: &Bench) -> (StageSettings, StageSettings, String) {
    let passes = Guest { configure: IN_GPU, process: "(i32.const 0)", ..INTERESTED };
    let fails = Guest { configure: IN_GPU, ..INTERESTED };
    let gpu = about(40, "Normal", "slow-1").replace(r#""type""#, r#""message":"GPU","type""#);
    (bench.stage("passes", passes).into(), bench.stage("fails", fails).into(), gpu)
}

#[test]
fn a_module_that_is_about_few_events_is_tried_on_one_of_them_however_rare_they_are() {
    let bench = Bench::new();
    let (passes, fails, gpu) = of_gpus(&bench);
    let common = Guest { configure: IN_NORMAL, process: "(i32.const 0)", ..INTERESTED };
    let common: StageSettings = bench.stage("common", common).into();
    let generations = Generations::new(bench.load(&[common.clone(), passes]).unwrap());
    run(&bench, &generations, |sender| {
        let plain = (0..40).map(|number| about(number, "Normal", "slow-1"));
        sender.send(chunk(plain.chain([gpu]))).unwrap();
    });
    let refused = prepare(&bench, &generations, &[common, fails]).err().unwrap().to_string();
    assert!(refused.starts_with("stage `fails` failed (error) on 1 of "), "{refused}");
}

#[test]
fn a_module_is_tried_on_what_had_to_wait_for_a_lookup_too() {
    let looking = LookingUp::new();
    let bench = &looking.bench;
    let (passes, fails, gpu) = of_gpus(bench);
    let asks = tagging(bench, "g0").remove(0);
    let generations = Generations::new(bench.load(&[passes, asks]).unwrap());
    run(bench, &generations, |sender| sender.send(chunk([gpu])).unwrap());
    assert_eq!(looking.requests(), 1);
    assert!(prepare(bench, &generations, &[fails]).is_err());
}
