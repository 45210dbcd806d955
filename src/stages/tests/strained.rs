//! Modules that work, but at the edge of what they may have, or not for every event: they are
//! tolerated.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::stages::failure::FailureKind;
use crate::stages::stage::Cause;

/// Is refused memory in each call, and does without.
pub(super) const COPES: Guest<'static> = Guest {
    imports: "",
    items: "(table 1 funcref)",
    configure: "",
    process: "(drop (table.grow (ref.null func) (i32.const 100000000)))
        (drop (memory.grow (i32.const 60000))) (i32.const 0)",
};

/// Each look at the clock is a second after the one before, and none of it is CPU time.
pub(super) fn a_second_a_look() -> Reading {
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    let wall = Duration::from_secs(1) * LOOKS.fetch_add(1, Ordering::Relaxed);
    Reading { cpu: Duration::ZERO, wall }
}

fn a_clock_that_stands() -> Reading {
    Reading::default()
}

fn events(count: usize) -> Vec<String> {
    (0..count).map(|_| event("")).collect()
}

#[test]
fn a_module_that_copes_without_more_memory_is_replaced_and_its_verdict_counts() {
    let bench = Bench { clock: a_second_a_look, ..Bench::new() };
    let ran = bench.run(&[bench.stage("full", COPES)], &[events(4)]);
    assert_eq!(ran.chain.0.stages[0].starts(Cause::Memory), 3);
    assert!((0..4).all(|n| ran.errors(n).is_empty()));
}

#[test]
fn a_module_that_is_always_full_is_never_cut_off_and_replaced_only_once_in_a_while() {
    let bench = Bench { clock: a_clock_that_stands, ..Bench::new() };
    let ran = bench.run(&[bench.stage("full", COPES)], &[events(250), events(250)]);
    let stage = &ran.chain.0.stages[0];
    assert_eq!(stage.starts(Cause::Memory), 1);
    assert_eq!((stage.failures(FailureKind::Breaker), stage.failures(FailureKind::Memory)), (0, 0));
    assert!((0..500).all(|n| ran.errors(n).is_empty()));
}

#[test]
fn what_configure_was_refused_says_nothing_about_the_calls_after_it() {
    let bench = Bench::new();
    let configure = "(drop (memory.grow (i32.const 60000)))";
    let copes = Guest { configure, ..Guest::default() };
    let traps = Guest { configure, process: "unreachable", ..Guest::default() };
    let ran = bench.run(&[bench.stage("copes", copes), bench.stage("traps", traps)], &[events(4)]);
    assert_eq!(ran.chain.0.stages[0].starts(Cause::Memory), 0);
    assert_eq!(ran.errors(0), ["traps trap"]);
}

#[test]
fn a_module_that_answers_nothing_but_errors_is_soon_no_longer_called() {
    let bench = Bench::new();
    let refuses = Guest { process: "(i32.const 1)", ..Guest::default() };
    let ran = bench.run(&[bench.stage("refuses", refuses)], &[events(3_000)]);
    let errors = ran.chain.0.stages[0].failures(FailureKind::Error);
    assert!((1_000..1_010).contains(&errors), "{errors}"); // A few are probes, if the test is slow.
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Breaker), 3_000 - errors);
    assert_eq!(ran.errors(999), ["refuses error"]);
    assert_eq!(ran.errors(1_000), ["refuses breaker"]);
}

#[test]
fn a_module_that_answers_errors_to_some_events_only_is_always_called() {
    let bench = Bench::new();
    let refuses_normal = Guest {
        imports: r#"(import "weir:pipeline/event@0.1.0" "type" (func $type (result i32)))"#,
        process: "(i32.eqz (call $type))",
        ..Guest::default()
    };
    let kind = |n: usize| if n.is_multiple_of(900) { "Warning" } else { "Normal" };
    let events = (0..3_600).map(|n| event(&format!(r#""type":"{}""#, kind(n)))).collect();
    let ran = bench.run(&[bench.stage("some", refuses_normal)], &[events]);
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Error), 3_596);
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Breaker), 0);
}

#[test]
fn a_module_that_takes_long_to_start_over_is_cut_off_sooner() {
    /// Making an instance takes 12 ms of CPU time.
    fn clock() -> Reading {
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        let cpu = Duration::from_millis(12) * LOOKS.fetch_add(1, Ordering::Relaxed);
        Reading { cpu, wall: Duration::ZERO }
    }
    let bench = Bench { clock, ..Bench::new() };
    let traps = Guest { process: "unreachable", ..Guest::default() };
    let ran = bench.run(&[bench.stage("traps", traps)], &[events(100)]);
    // Each trap counts 6 ms, each instance 12 ms, and 90 ms open the breaker; the traps alone would
    // be 15.
    let traps = ran.chain.0.stages[0].failures(FailureKind::Trap);
    assert!((3..=10).contains(&traps), "{traps}");
}

#[test]
fn a_counter_never_goes_backwards() {
    let bench = Bench::new();
    let counts = Guest {
        imports: r#"
            (import "weir:pipeline/metrics@0.1.0" "declare" (func $declare (param i32 i32 i32 i32 i32)))
            (import "weir:pipeline/metrics@0.1.0" "add" (func $add (param i32 i64)))"#,
        items: r#"(data (i32.const 1024) "seenhelp")"#,
        configure: "(call $declare (i32.const 1024) (i32.const 4) (i32.const 1028) (i32.const 4) (i32.const 32))",
        process: "(call $add (i32.const 0) (i64.const 0x8000000000000000)) (i32.const 0)",
    };
    bench.run(&[bench.stage("counts", counts)], &[events(1), events(1), events(1)]);
    let most = r#"weir_module_counter_total{counter="seen",stage="counts"} 18446744073709552000"#;
    assert!(bench.metrics.render().contains(most));
}
