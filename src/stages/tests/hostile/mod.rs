//! Modules that do what they should not: each is contained and counted, and the events go on.

mod roles;
mod table;

use super::modules::DROP_NORMAL;
use super::*;
use crate::stages::failure::FailureKind;
use crate::stages::stage::Cause;

/// Runs `count` events, every second one Normal, through the hostile module and then drop-normal,
/// and checks that the latter was not disturbed.
fn run_beside_healthy(
    bench: &Bench,
    mut hostile: ModuleSettings,
    count: usize,
    on_error: OnError,
) -> Ran {
    hostile.on_error = on_error;
    let types = ["Normal", "Warning"];
    let events: Vec<String> =
        (0..count).map(|n| modules::event(n, types[n % 2], "Pulled")).collect();
    let chunks: Vec<Vec<String>> = events.chunks(50).map(<[String]>::to_vec).collect();
    let ran = bench.run(&[hostile, bench.stage("drop-normal", DROP_NORMAL)], &chunks);
    if on_error == OnError::Keep {
        assert_eq!(ran.filtered("drop-normal", "normal"), count as u64 / 2);
        assert_eq!(ran.documents.len(), count / 2);
    }
    ran
}

const LOOPS: Guest<'static> = Guest {
    process: "(loop $again (br $again)) (i32.const 0)",
    imports: "",
    items: "",
    configure: "",
};
const TRAPS: Guest<'static> = Guest { process: "unreachable", ..LOOPS };

#[test]
fn a_module_that_loops_for_ever_is_stopped_and_soon_no_longer_called() {
    let bench = Bench::new();
    let started = std::time::Instant::now();
    let ran = run_beside_healthy(&bench, bench.stage("loops", LOOPS), 2_000, OnError::Keep);
    let stage = &ran.chain.0.stages[0];
    let timeouts = stage.failures(FailureKind::Timeout);
    assert!((2..=20).contains(&timeouts), "{timeouts}");
    assert_eq!(stage.failures(FailureKind::Breaker), 2_000 - timeouts);
    assert_eq!(ran.errors(0), ["loops timeout"]);
    assert_eq!(ran.errors(999), ["loops breaker"]);
    assert!(started.elapsed() < Duration::from_secs(30), "the pipeline was held up");
}

#[test]
fn a_module_that_traps_is_replaced_and_soon_no_longer_called() {
    let bench = Bench::new();
    let ran = run_beside_healthy(&bench, bench.stage("traps", TRAPS), 2_000, OnError::Keep);
    let stage = &ran.chain.0.stages[0];
    let traps = stage.failures(FailureKind::Trap);
    assert!((15..=200).contains(&traps), "{traps}");
    assert_eq!(stage.starts(Cause::Trap), traps - 1);
    assert_eq!(stage.failures(FailureKind::Breaker), 2_000 - traps);
    assert_eq!(ran.errors(0), ["traps trap"]);
}

#[test]
fn a_module_that_recurses_traps() {
    let bench = Bench::new();
    let recurses = Guest {
        items: "(func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))",
        process: "(call $deeper (i32.const 0))",
        ..Guest::default()
    };
    let ran = run_beside_healthy(&bench, bench.stage("recurses", recurses), 4, OnError::Keep);
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Trap), 4);
}

#[test]
fn a_module_that_allocates_without_end_is_refused_and_replaced() {
    let bench = Bench::new();
    // Grows until it is refused, writing into every page, and then traps as an allocator would.
    let grows = Guest {
        process: "(loop $again
                (local.set $i (memory.grow (i32.const 1)))
                (if (i32.eq (local.get $i) (i32.const -1)) (then unreachable))
                (i32.store (i32.mul (local.get $i) (i32.const 65536)) (i32.const 1))
                (br $again))
            (i32.const 0)",
        ..Guest::default()
    };
    let ran = run_beside_healthy(&bench, bench.stage("grows", grows), 4, OnError::Keep);
    let stage = &ran.chain.0.stages[0];
    assert_eq!(stage.failures(FailureKind::Memory), 4);
    assert_eq!(stage.starts(Cause::Memory), 3);
    assert_eq!(ran.errors(0), ["grows memory"]);
}

#[test]
fn megabytes_sent_into_each_import_are_refused_or_cut() {
    let bench = Bench::new();
    // Eight MiB of `a`, given to everything that takes a string.
    let shouts = Guest {
        imports: r#"
            (import "weir:pipeline/event@0.1.0" "get" (func $get (param i32 i32 i32)))
            (import "weir:pipeline/words@0.1.0" "declare" (func $words (param i32 i32 i32)))
            (import "weir:pipeline/discard@0.1.0" "declare" (func $reason (param i32 i32 i32)))
            (import "weir:pipeline/metrics@0.1.0" "declare" (func $counter (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/log@0.1.0" "debug" (func $debug (param i32 i32)))
            (import "weir:pipeline/log@0.1.0" "info" (func $info (param i32 i32)))
            (import "weir:pipeline/log@0.1.0" "warn" (func $warn (param i32 i32)))
            (import "weir:pipeline/log@0.1.0" "error" (func $error (param i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "set-string" (func $set-string (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "set-json" (func $set-json (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "append-string" (func $append-string (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "append-json" (func $append-json (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "set-bool" (func $set-bool (param i32 i32 i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "set-integer" (func $set-integer (param i32 i32 i64 i32)))
            (import "weir:pipeline/edit@0.1.0" "set-float" (func $set-float (param i32 i32 f64 i32)))
            (import "weir:pipeline/edit@0.1.0" "remove" (func $remove (param i32 i32 i32)))"#,
        items: r#"
            (global $at (mut i32) (i32.const 0)) (global $size i32 (i32.const 8388608))
            (data (i32.const 1024) "/a")
            (func $refused (if (i32.eqz (i32.load8_u (i32.const 32))) (then unreachable)))"#,
        configure: "
            (global.set $at (i32.mul (memory.grow (i32.const 130)) (i32.const 65536)))
            (memory.fill (global.get $at) (i32.const 97) (global.get $size))
            ;; The same text 64 times.
            (local.set $i (i32.const 512))
            (loop $again
                (local.set $i (i32.sub (local.get $i) (i32.const 8)))
                (i32.store (i32.add (i32.const 2048) (local.get $i)) (global.get $at))
                (i32.store (i32.add (i32.const 2052) (local.get $i)) (global.get $size))
                (br_if $again (local.get $i)))
            (call $words (i32.const 2048) (i32.const 64) (i32.const 32)) (call $refused)
            (call $reason (global.get $at) (global.get $size) (i32.const 32)) (call $refused)
            (call $counter (global.get $at) (global.get $size) (global.get $at) (global.get $size) (i32.const 32))
            (call $refused)",
        process: "
            (call $get (global.get $at) (global.get $size) (i32.const 32))
            (if (i32.load8_u (i32.const 32)) (then unreachable))
            (call $debug (global.get $at) (global.get $size)) (call $info (global.get $at) (global.get $size))
            (call $warn (global.get $at) (global.get $size)) (call $error (global.get $at) (global.get $size))
            (call $set-string (i32.const 1024) (i32.const 2) (global.get $at) (global.get $size) (i32.const 32))
            (call $refused)
            (call $set-json (i32.const 1024) (i32.const 2) (global.get $at) (global.get $size) (i32.const 32))
            (call $refused)
            (call $append-string (i32.const 1024) (i32.const 2) (global.get $at) (global.get $size) (i32.const 32))
            (call $refused)
            (call $append-json (i32.const 1024) (i32.const 2) (global.get $at) (global.get $size) (i32.const 32))
            (call $refused)
            (call $set-string (global.get $at) (global.get $size) (i32.const 1024) (i32.const 2) (i32.const 32))
            (call $refused)
            (call $set-bool (global.get $at) (global.get $size) (i32.const 1) (i32.const 32)) (call $refused)
            (call $set-integer (global.get $at) (global.get $size) (i64.const 1) (i32.const 32)) (call $refused)
            (call $set-float (global.get $at) (global.get $size) (f64.const 1) (i32.const 32)) (call $refused)
            (call $remove (global.get $at) (global.get $size) (i32.const 32)) (call $refused)
            (i32.const 0)",
    };
    let mut stage = bench.stage("shouts", shouts);
    stage.timeout = Duration::from_secs(5);
    let ran = run_beside_healthy(&bench, stage, 4, OnError::Keep);
    assert!(ran.errors(0).is_empty(), "{:?}", ran.errors(0));
    assert_eq!(ran.documents[0].get("a"), None);
    assert!(
        bench.metrics.render().contains(r#"weir_stage_edits_refused_total{stage="shouts"} 36"#)
    );
}

#[test]
fn edits_of_a_protected_member_or_its_parent_are_refused_and_counted() {
    let bench = Bench::new();
    let edits = Guest {
        imports: r#"
            (import "weir:pipeline/edit@0.1.0" "remove" (func $remove (param i32 i32 i32)))
            (import "weir:pipeline/edit@0.1.0" "set-bool" (func $set (param i32 i32 i32 i32)))"#,
        items: r#"(data (i32.const 1024) "/metadata/uid/x")
            (func $refused (if (i32.eqz (i32.load8_u (i32.const 32))) (then unreachable)))"#,
        process: "
            (call $remove (i32.const 1024) (i32.const 13) (i32.const 32)) (call $refused)
            (call $remove (i32.const 1024) (i32.const 9) (i32.const 32)) (call $refused)
            (call $set (i32.const 1024) (i32.const 15) (i32.const 1) (i32.const 32)) (call $refused)
            (call $set (i32.const 1024) (i32.const 0) (i32.const 1) (i32.const 32)) (call $refused)
            (i32.const 0)",
        ..Guest::default()
    };
    let ran = run_beside_healthy(&bench, bench.stage("edits", edits), 4, OnError::Keep);
    assert!(ran.errors(0).is_empty());
    assert!(ran.documents[0]["metadata"]["uid"].is_string());
    assert!(bench.metrics.render().contains(r#"weir_stage_edits_refused_total{stage="edits"} 16"#));
}

#[test]
fn numbers_that_were_not_declared_have_no_effect_and_count_as_misuse() {
    let bench = Bench::new();
    let misuses = Guest {
        imports: r#"
            (import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))
            (import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))
            (import "weir:pipeline/metrics@0.1.0" "add" (func $add (param i32 i64)))"#,
        items: r#"(data (i32.const 1024) "late")"#,
        configure: "(call $discard (i32.const 0)) (call $add (i32.const 0) (i64.const 1))",
        process: "(call $discard (i32.const 7)) (call $add (i32.const -1) (i64.const 1))
            (call $declare (i32.const 1024) (i32.const 4) (i32.const 32))
            (i32.eqz (i32.load8_u (i32.const 32)))",
    };
    let ran = run_beside_healthy(&bench, bench.stage("misuses", misuses), 4, OnError::Drop);
    assert_eq!(ran.documents.len(), 2);
    assert!(ran.errors(0).is_empty());
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Misuse), 2 + 4 * 2);
    assert!(ran.chain.describe()[0].reasons.is_empty());
}

#[test]
fn a_module_that_logs_without_end_is_cut() {
    let bench = Bench::new();
    let chatters = Guest {
        imports: r#"(import "weir:pipeline/log@0.1.0" "info" (func $info (param i32 i32)))"#,
        process: "(local.set $i (i32.const 100))
            (loop $again (call $info (i32.const 1024) (i32.const 9))
                (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
            (i32.const 0)",
        ..Guest::default()
    };
    let ran = run_beside_healthy(&bench, bench.stage("chatters", chatters), 2, OnError::Keep);
    assert!(ran.errors(0).is_empty());
    assert!(
        bench
            .metrics
            .render()
            .contains(r#"weir_stage_log_lines_dropped_total{stage="chatters"} 168"#)
    );
}

#[test]
fn a_module_that_searches_without_end_is_told_nothing() {
    let bench = Bench::new();
    // Asks for the whole event until it is told nothing; each answer counts as much as the event is
    // long.
    let searches = Guest {
        imports: r#"(import "weir:pipeline/event@0.1.0" "get" (func $get (param i32 i32 i32)))"#,
        process: "(loop $again
                (global.set $heap (i32.const 8192))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (call $get (i32.const 1024) (i32.const 0) (i32.const 32))
                (br_if $again (i32.load8_u (i32.const 32))))
            (i32.or (i32.lt_u (local.get $i) (i32.const 60)) (i32.gt_u (local.get $i) (i32.const 66)))",
        ..Guest::default()
    };
    let ran = run_beside_healthy(&bench, bench.stage("searches", searches), 2, OnError::Keep);
    assert!(ran.errors(0).is_empty());
}

#[test]
fn on_error_drop_filters_and_dead_letter_keeps_a_dead_letter() {
    let bench = Bench::new();
    let ran = run_beside_healthy(&bench, bench.stage("drops", TRAPS), 4, OnError::Drop);
    assert_eq!(ran.filtered("drops", "error"), 4);
    assert!(ran.documents.is_empty());

    let bench = Bench::new();
    let ran =
        run_beside_healthy(&bench, bench.stage("dead-letters", TRAPS), 4, OnError::DeadLetter);
    assert_eq!(ran.dead_lettered("dead-letters", "trap"), 4);
    assert!(ran.documents.is_empty());
}

#[test]
fn an_event_for_which_there_is_no_dead_letter_is_given_back_and_the_others_have_their_outcomes() {
    let bench = Bench::new();
    let mut traps = bench.stage("traps", TRAPS);
    traps.on_error = OnError::DeadLetter;
    traps.matches.keys = [(MatchKey::Reason, vec!["Bad".to_owned()])].into_iter().collect();
    let chain = bench
        .load(&[bench.stage("drop-normal", DROP_NORMAL), traps])
        .unwrap_or_else(|e| panic!("{e:?}"));
    let events = ["Good", "Bad", "Good"].map(|reason| modules::event(1, "Warning", reason));
    let events = chunk(std::iter::once(modules::event(0, "Normal", "Bad")).chain(events));
    let (ran, ends) = bench.run_chunks(chain, vec![events], 1, None);
    assert_eq!((ran.documents.len(), ran.filtered("drop-normal", "normal")), (2, 1));
    assert_eq!(ran.ledger.in_flight, 1, "the event alone");
    insta::assert_snapshot!(ends[0].as_ref().unwrap_err(), @r#"an event needs the dead letters (traps: trap: wasm trap: wasm `unreachable` instruction executed), and the configuration has no place for them: set dead_letter.path to a folder that weir may write to, or dead_letter.kind = "index" to keep them in the OpenSearch of the sink"#);
}

#[test]
fn a_new_instance_that_cannot_be_configured_opens_the_breaker() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    static IS_SLOW: AtomicBool = AtomicBool::new(false);
    /// Stands still at first; later, each look at it is a timeout after the one before.
    fn clock() -> Reading {
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        let looks =
            if IS_SLOW.load(Ordering::Relaxed) { LOOKS.fetch_add(1, Ordering::Relaxed) } else { 0 };
        Reading { cpu: TIMEOUT * looks, wall: Duration::ZERO }
    }
    let mut bench = Bench::new();
    bench.clock = clock;
    // Configuring takes some ticks, which is well as long as the clock stands still.
    let module = Guest {
        configure: "(local.set $i (i32.const 200000000))
            (loop $again (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))",
        ..TRAPS
    };
    let chain = bench.load(&[bench.stage("slow", module)]).unwrap_or_else(|e| panic!("{e:?}"));
    IS_SLOW.store(true, Ordering::Relaxed);
    let ran = bench.run_chain(chain, &[vec![event(""), event(""), event(""), event("")]], 1);
    let errors: Vec<String> = (0..4).flat_map(|n| ran.errors(n)).collect();
    assert_eq!(errors, ["slow trap", "slow timeout", "slow breaker", "slow breaker"]);
}
