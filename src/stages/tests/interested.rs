//! Modules that say which events they are about.

use super::*;

/// Says in `configure` that it is about what `$in_type` and `$in_words` are given; each answers
/// whether that was taken. Fails where it is called.
pub(super) const INTERESTED: Guest<'static> = Guest {
    imports: r#"
        (import "weir:pipeline/interest@0.1.0" "in-type" (func $type (param i32 i32)))
        (import "weir:pipeline/interest@0.1.0" "in-words" (func $words (param i32 i32 i32)))"#,
    // The words `gpu` and `xid`, a list of each and one of both.
    items: r#"(data (i32.const 1024) "gpuxid")
        (data (i32.const 2048) "\00\04\00\00\03\00\00\00\03\04\00\00\03\00\00\00")
        (func $in_type (param $type i32) (result i32)
            (call $type (local.get $type) (i32.const 32))
            (i32.eqz (i32.load8_u (i32.const 32))))
        (func $in_words (param $first i32) (param $count i32) (result i32)
            (call $words (i32.add (i32.const 2048) (i32.mul (local.get $first) (i32.const 8)))
                (local.get $count) (i32.const 32))
            (i32.eqz (i32.load8_u (i32.const 32))))"#,
    configure: "",
    process: "(i32.const 1)",
};

const IN_WARNINGS: &str = "(if (i32.eqz (call $in_type (i32.const 1))) (then unreachable))";
pub(super) const IN_NORMAL: &str =
    "(if (i32.eqz (call $in_type (i32.const 0))) (then unreachable))";
const IN_EITHER: &str =
    "(if (i32.eqz (call $in_words (i32.const 0) (i32.const 2))) (then unreachable))";
pub(super) const IN_GPU: &str =
    "(if (i32.eqz (call $in_words (i32.const 0) (i32.const 1))) (then unreachable))";
const IN_XID: &str =
    "(if (i32.eqz (call $in_words (i32.const 1) (i32.const 1))) (then unreachable))";

fn about(event_type: &str, message: &str) -> String {
    event(&format!(r#""type":"{event_type}","message":"{message}""#))
}

/// Of which of these events the module was called, by the marks of its failures.
fn called(ran: &Ran) -> Vec<bool> {
    (0..ran.documents.len()).map(|number| !ran.errors(number).is_empty()).collect()
}

#[test]
fn a_module_is_called_for_the_events_alone_that_all_of_its_interest_is_in() {
    let events = [
        about("Warning", "no GPU"),
        about("Normal", "no GPU"),
        about("Warning", "Xid 79 of a GPU"),
        about("Warning", "nothing"),
    ];
    let cases: [(&[&str], &str, [bool; 4]); 5] = [
        (&[], "events", [true; 4]),
        (&[IN_WARNINGS], "Warning events", [true, false, true, true]),
        (&[IN_EITHER], "events that mention one of gpu, xid", [true, true, true, false]),
        (
            &[IN_WARNINGS, IN_WARNINGS, IN_EITHER],
            "Warning events that mention one of gpu, xid",
            [true, false, true, false],
        ),
        (
            &[IN_GPU, IN_XID, IN_GPU],
            "events that mention one of gpu and one of xid",
            [false, false, true, false],
        ),
    ];
    for (interest, shown, expected) in cases {
        let bench = Bench::new();
        let guest = Guest { configure: &interest.concat(), ..INTERESTED };
        let chain = bench.load(&[bench.stage("it", guest)]).unwrap();
        assert_eq!(chain.describe()[0].interest, shown);
        let ran = bench.run_chain(chain, &[events.to_vec()], 1);
        assert_eq!(called(&ran), expected, "{shown}");
        let calls = expected.iter().filter(|is_called| **is_called).count();
        let counted = format!(r#"weir_stage_calls_total{{stage="it"}} {calls}"#);
        assert!(bench.metrics.render().contains(&counted), "{shown}");
    }
}

#[test]
fn an_instance_that_is_made_for_an_event_says_first_what_it_is_about() {
    let bench = Bench::new();
    let guest = Guest { configure: IN_EITHER, ..INTERESTED };
    let chain = bench.load(&[bench.stage("it", guest)]).unwrap();
    let chunk = vec![about("Normal", "nothing"), about("Normal", "gpu"), about("Normal", "none")];
    // One instance is made at the start, so the second worker makes its own.
    let ran = bench.run_chain(chain, &vec![chunk; 30], 2);
    assert_eq!(called(&ran).into_iter().filter(|is_called| *is_called).count(), 30);
    assert!(bench.metrics.render().contains(r#"weir_stage_calls_total{stage="it"} 30"#));
}

#[test]
fn interest_is_in_what_earlier_stages_made_of_an_event() {
    let bench = Bench::new();
    let rewrites = Guest {
        imports: r#"(import "weir:pipeline/edit@0.1.0" "set-string" (func $set (param i32 i32 i32 i32 i32)))"#,
        items: r#"(data (i32.const 1024) "/message") (data (i32.const 1040) "a gpu")"#,
        configure: "",
        process: "(call $set (i32.const 1024) (i32.const 8) (i32.const 1040) (i32.const 5) (i32.const 32))
            (i32.load8_u (i32.const 32))",
    };
    let interested = Guest { configure: IN_EITHER, ..INTERESTED };
    let stages = [bench.stage("rewrites", rewrites), bench.stage("it", interested)];
    let ran = bench.run(&stages, &[vec![about("Normal", "nothing")]]);
    assert_eq!(called(&ran), [true]);
}

#[test]
fn a_second_type_no_words_and_interest_that_comes_too_late_are_refused() {
    let bench = Bench::new();
    let configure = format!(
        "{IN_WARNINGS}
        (if (call $in_type (i32.const 0)) (then unreachable))
        (if (call $in_words (i32.const 0) (i32.const 0)) (then unreachable))"
    );
    let process = "(if (call $in_type (i32.const 1)) (then unreachable))
        (if (call $in_words (i32.const 0) (i32.const 2)) (then unreachable))
        (i32.const 0)";
    let guest = Guest { configure: &configure, process, ..INTERESTED };
    let events = vec![about("Warning", "nothing"), about("Normal", "nothing")];
    let ran = bench.run(&[bench.stage("it", guest)], &[events]);
    assert_eq!(called(&ran), [false; 2]);
    assert!(bench.metrics.render().contains(r#"weir_stage_calls_total{stage="it"} 1"#));
}

#[test]
fn a_module_that_is_not_called_any_more_fails_only_the_events_that_it_is_about() {
    let bench = Bench::new();
    let guest = Guest { configure: IN_EITHER, process: "unreachable", ..INTERESTED };
    let events: Vec<String> =
        (0..400).map(|n| about("Normal", ["gpu", "nothing"][n % 2])).collect();
    let ran = bench.run(&[bench.stage("it", guest)], &[events]);
    for (number, is_marked) in called(&ran).into_iter().enumerate() {
        assert_eq!(is_marked, number % 2 == 0, "{number}");
    }
    assert!((0..400).any(|number| ran.errors(number) == ["it breaker"]));
}
