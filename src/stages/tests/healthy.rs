//! Modules that do what they should.

use super::modules::{DROP_NORMAL, imports_everything};
use super::*;
use crate::stages::failure::FailureKind;
use crate::stages::stage::Cause;

fn normal(number: usize) -> String {
    modules::event(number, "Normal", "Pulled")
}

fn warning(number: usize) -> String {
    modules::event(number, "Warning", "BackOff")
}

/// Appends `"seen"` to `/tags`.
const TAG: Guest<'static> = Guest {
    imports: r#"(import "weir:pipeline/edit@0.1.0" "append-string" (func $append (param i32 i32 i32 i32 i32)))"#,
    items: r#"(data (i32.const 1024) "/tagsseen")"#,
    configure: "",
    process:
        "(call $append (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const 4) (i32.const 32))
        (i32.load8_u (i32.const 32))",
};

/// A `match` of these keys, each with an alternative that no event here has.
fn only(keys: &[(MatchKey, &str)]) -> Match {
    let list = |text: &str| vec!["Other".to_owned(), text.to_owned()];
    let keys = keys.iter().map(|(key, text)| (*key, list(text))).collect();
    Match { keys, not: Vec::new() }
}

#[test]
fn the_host_offers_every_function_that_the_contract_has() {
    let bench = Bench::new();
    let stage = bench.stage_of("all", &imports_everything());
    let errors = bench.load(&[stage]).map(|_| ()).unwrap_err();
    // It linked; its functions are made to trap.
    assert!(errors[0].to_string().contains("it failed to start (trap)"), "{}", errors[0]);
}

#[test]
fn events_that_a_module_drops_are_filtered_for_its_reason_and_the_rest_goes_on_in_order() {
    let bench = Bench::new();
    let stage = bench.stage("drop-normal", DROP_NORMAL);
    let chunks = [vec![normal(1), warning(2), normal(3)], vec![warning(4), normal(5)]];
    let ran = bench.run(&[stage], &chunks);
    assert_eq!(ran.filtered("drop-normal", "normal"), 3);
    let versions = ran.documents.iter().map(|d| d["metadata"]["resourceVersion"].as_str().unwrap());
    assert_eq!(versions.collect::<Vec<_>>(), ["2", "4"]);
    assert!(bench.metrics.render().contains(r#"weir_stage_calls_total{stage="drop-normal"} 5"#));
    assert_eq!(ran.chain.0.stages[0].starts(Cause::Start), 1);
}

#[test]
fn later_stages_see_what_earlier_ones_edited() {
    let bench = Bench::new();
    let stages = [bench.stage("one", TAG), bench.stage("two", TAG)];
    let ran = bench.run(&stages, &[vec![event(r#""tags":["a"]"#), event("")]]);
    assert_eq!(ran.documents[0]["tags"], serde_json::json!(["a", "seen", "seen"]));
    assert_eq!(ran.documents[1]["tags"], serde_json::json!(["seen", "seen"]));
}

#[test]
fn edits_of_a_call_that_answers_an_error_or_drops_do_not_count() {
    let bench = Bench::new();
    let failing = Guest {
        process: "(call $append (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const 4) (i32.const 32))
            (i32.const 1)",
        ..TAG
    };
    let ran =
        bench.run(&[bench.stage("fails", failing), bench.stage("tags", TAG)], &[vec![event("")]]);
    assert_eq!(ran.documents[0]["tags"], serde_json::json!(["seen"]));
    assert_eq!(ran.errors(0), ["fails error"]);
    assert_eq!(
        ran.chain.0.stages[0].starts(Cause::Start),
        1,
        "an error does not cost the instance"
    );
}

#[test]
fn what_does_not_match_is_not_called_and_matching_sees_edits() {
    let bench = Bench::new();
    let set_reason = Guest {
        imports: r#"(import "weir:pipeline/edit@0.1.0" "set-string" (func $set (param i32 i32 i32 i32 i32)))"#,
        items: r#"(data (i32.const 1024) "/reasonEdited")"#,
        process: "(call $set (i32.const 1024) (i32.const 7) (i32.const 1031) (i32.const 6) (i32.const 32))
            (i32.load8_u (i32.const 32))",
        ..Guest::default()
    };
    let mut edits = bench.stage("edits", set_reason);
    edits.matches = only(&[(MatchKey::Kind, "Pod"), (MatchKey::Component, "kubelet")]);
    let mut tags = bench.stage("tags", TAG);
    tags.matches = only(&[(MatchKey::Reason, "Edited"), (MatchKey::Type, "Warning")]);
    let pod = r#""involvedObject":{"kind":"Pod"},"type":"Warning""#;
    let events = vec![
        event(&format!(r#"{pod},"source":{{"component":"kubelet"}}"#)),
        event(&format!(r#"{pod},"reportingComponent":"kubelet""#)),
        event(pod),
        event(&format!(r#"{pod},"reason":"Edited""#)),
    ];
    let ran = bench.run(&[edits, tags], &[events]);
    let tagged: Vec<bool> = ran.documents.iter().map(|d| d.get("tags").is_some()).collect();
    assert_eq!(tagged, [true, true, false, true]);
    assert!(bench.metrics.render().contains(r#"weir_stage_calls_total{stage="edits"} 2"#));
}

#[test]
fn a_modules_counters_are_metrics() {
    let bench = Bench::new();
    let counts = Guest {
        imports: r#"
            (import "weir:pipeline/metrics@0.1.0" "declare" (func $declare (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/metrics@0.1.0" "add" (func $add (param i32 i64)))"#,
        items: r#"(data (i32.const 1024) "seenhelp")"#,
        configure: "(call $declare (i32.const 1024) (i32.const 4) (i32.const 1028) (i32.const 4) (i32.const 32))",
        process: "(call $add (i32.const 0) (i64.const 3)) (i32.const 0)",
    };
    let ran =
        bench.run(&[bench.stage("counts", counts)], &[vec![event(""), event("")], vec![event("")]]);
    assert!(
        bench
            .metrics
            .render()
            .contains(r#"weir_module_counter_total{counter="seen",stage="counts"} 9"#)
    );
    let described = ran.chain.describe();
    assert_eq!(described[0].counters, ["seen"]);
    assert_eq!(described[0].powers, ["metrics"]);
}

#[test]
fn workers_share_the_events_and_have_instances_of_their_own() {
    let bench = Bench::new();
    let stage = bench.stage("drop-normal", DROP_NORMAL);
    let events: Vec<String> =
        (0..400).map(|n| if n % 4 == 0 { warning(n) } else { normal(n) }).collect();
    let ran = bench.run_workers(&[stage], &[events], 3);
    assert_eq!(ran.filtered("drop-normal", "normal"), 300);
    assert_eq!(ran.documents.len(), 100);
    assert_eq!(ran.chain.0.stages[0].starts(Cause::Start), 3);
}

#[test]
fn what_the_source_refused_becomes_a_dead_letter_of_the_first_worker() {
    let bench = Bench::new();
    let chain = bench.load::<StageSettings>(&[]).unwrap_or_else(|e| panic!("{e:?}"));
    let mut events = chunk([event(r#""reason":"Good""#)]);
    let kind = crate::event::RejectionKind::Syntax;
    events.rejections.push(crate::event::Rejection::new(
        b"{",
        "line 7".into(),
        kind,
        "no end".into(),
    ));
    let letters = LetterStore::Folder(bench.folder.path().join("letters"));
    let (ran, ends) = bench.run_chunks(chain, vec![events], 2, Some(&letters));
    assert!(ends.iter().all(Result::is_ok));
    assert_eq!(ran.dead_lettered("source", "syntax"), 1);
    assert_eq!(ran.documents.len(), 1);
}

#[test]
fn getters_answer_nothing_outside_of_process() {
    let bench = Bench::new();
    let asks = Guest {
        imports: r#"
            (import "weir:pipeline/event@0.1.0" "reason" (func $reason (param i32)))
            (import "weir:pipeline/event@0.1.0" "count" (func $count (result i32)))
            (import "weir:pipeline/event@0.1.0" "type" (func $type (result i32)))"#,
        configure: "(call $reason (i32.const 48))
            (if (i32.load (i32.const 52)) (then unreachable))
            (if (i32.ne (call $count) (i32.const 1)) (then unreachable))
            (if (i32.ne (call $type) (i32.const 2)) (then unreachable))",
        process: "(call $reason (i32.const 48))
            (i32.ne (i32.load (i32.const 52)) (i32.const 6))",
        ..Guest::default()
    };
    let ran = bench.run(&[bench.stage("asks", asks)], &[vec![event(r#""reason":"Pulled""#)]]);
    assert!(ran.errors(0).is_empty());
}

#[test]
fn time_on_the_wall_is_not_time_on_the_cpu() {
    /// A core of which this thread gets a twentieth: each look at the clock is 10 ms of CPU and 200
    /// ms later.
    fn contended() -> Reading {
        use std::sync::atomic::{AtomicU32, Ordering};
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        let looks = LOOKS.fetch_add(1, Ordering::Relaxed);
        Reading { cpu: Duration::from_millis(10) * looks, wall: Duration::from_millis(200) * looks }
    }
    let mut bench = Bench::new();
    bench.clock = contended;
    // Runs for some 30 to 80 ms, which is a few looks at the clock.
    let spins = Guest {
        process: "(local.set $i (i32.const 100000000))
            (loop $again (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (i32.const 0)",
        ..Guest::default()
    };
    let mut stage = bench.stage("spins", spins);
    stage.timeout = Duration::from_millis(1_000);
    let ran = bench.run(&[stage], &[vec![event("")]]);
    assert!(ran.errors(0).is_empty());
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Timeout), 0);
}
