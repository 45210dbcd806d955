//! What is said about modules while they run.

use tracing::Level;

use super::*;

/// Text that a subscriber writes.
#[derive(Clone, Default)]
pub(super) struct Log(std::sync::Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while these events, each a chunk, run through the stage.
pub(super) fn log_of(bench: &Bench, stage: ModuleSettings, chunks: &[Vec<String>]) -> String {
    log_at(Level::INFO, bench, stage, chunks)
}

/// The same, with what is for debugging.
fn log_of_all(bench: &Bench, stage: ModuleSettings, chunks: &[Vec<String>]) -> String {
    log_at(Level::DEBUG, bench, stage, chunks)
}

fn log_at(level: Level, bench: &Bench, stage: ModuleSettings, chunks: &[Vec<String>]) -> String {
    let chain = bench.load(&[stage]).unwrap_or_else(|e| panic!("{e:?}"));
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_max_level(level)
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || bench.run_chain(chain, chunks, 1));
    let log = log.0.lock().unwrap().clone();
    String::from_utf8(log).unwrap()
}

fn events(count: usize) -> Vec<String> {
    (0..count).map(|_| event("")).collect()
}

#[test]
fn failures_are_logged_once_in_a_while_the_first_with_the_guests_backtrace_and_the_rest_at_the_end()
{
    let bench = Bench::new();
    let explodes = Guest {
        items: "(func $explode unreachable)",
        process: "(call $explode) (i32.const 0)",
        ..Guest::default()
    };
    let log = log_of(&bench, bench.stage("explodes", explodes), &[events(5)]);
    insta::assert_snapshot!(log, @r#"
    WARN a call failed: wasm trap: wasm `unreachable` instruction executed stage="explodes" kind="trap" on_error=Keep backtrace="explode < function 2"
    WARN there were more failures than were logged stage="explodes" kind="trap" unsaid=4
    "#);
}

#[test]
fn a_module_that_is_no_longer_called_is_said() {
    let bench = Bench::new();
    let traps = Guest { process: "unreachable", ..Guest::default() };
    let log = log_of(&bench, bench.stage("traps", traps), &[events(500)]);
    assert!(log.contains("the module fails too often"), "{log}");
}

#[test]
fn misuse_is_not_said_to_have_failed_the_call() {
    let bench = Bench::new();
    let misuses = Guest {
        imports: r#"(import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))"#,
        process: "(call $discard (i32.const 7)) (i32.const 0)",
        ..Guest::default()
    };
    let log = log_of(&bench, bench.stage("misuses", misuses), &[events(1)]);
    insta::assert_snapshot!(log, @r#" WARN the module misused what it imports: `discard(7)` has no effect: that number was not declared in `configure` stage="misuses" kind="misuse" unsaid=0"#);
}

#[test]
fn words_are_declared_before_events_come_and_asked_for_in_calls_alone() {
    let bench = Bench::new();
    let misuses = Guest {
        imports: r#"
            (import "weir:pipeline/words@0.1.0" "declare" (func $declare (param i32 i32 i32)))
            (import "weir:pipeline/words@0.1.0" "mentioned" (func $mentioned (param i32) (result i32)))"#,
        // A list of `n`.
        items: r#"(data (i32.const 1024) "n") (data (i32.const 2048) "\00\04\00\00\01\00\00\00")
            (func $declares (result i32)
                (call $declare (i32.const 2048) (i32.const 1) (i32.const 32))
                (i32.eqz (i32.load8_u (i32.const 32))))"#,
        configure: "(if (i32.eqz (call $declares)) (then unreachable))",
        process: "(if (i32.eqz (call $mentioned (i32.const 0))) (then unreachable))
            (if (call $mentioned (i32.const 7)) (then unreachable))
            (if (call $declares) (then unreachable))
            (i32.const 0)",
    };
    let early = Guest {
        configure: "(if (i32.eqz (call $declares)) (then unreachable))
            (if (call $mentioned (i32.const 0)) (then unreachable))",
        process: "(i32.const 0)",
        ..misuses
    };
    bench.load(&[bench.stage("early", early)]).unwrap_or_else(|e| panic!("{e:?}"));
    let event = event(r#""reason":"n""#);
    let log = log_of(&bench, bench.stage("misuses", misuses), &[vec![event]]);
    insta::assert_snapshot!(log, @r#" WARN the module misused what it imports: `mentioned(7)` has no effect: that number was not declared in `configure` stage="misuses" kind="misuse" unsaid=0"#);
}

#[test]
fn a_module_that_reaches_its_memory_is_said_to_once() {
    let bench = Bench { clock: strained::a_second_a_look, ..Bench::new() };
    let log = log_of(&bench, bench.stage("full", strained::COPES), &[events(4)]);
    insta::assert_snapshot!(log, @r#" INFO the module reached its `memory`, 16777216 bytes, and was replaced by a new instance: what it remembered is lost (this is logged once) stage="full""#);
}

#[test]
fn lines_that_are_cut_or_are_not_utf_8_are_counted() {
    let bench = Bench::new();
    let chatters = Guest {
        imports: r#"(import "weir:pipeline/log@0.1.0" "info" (func $info (param i32 i32)))"#,
        items: r#"(data (i32.const 1024) "\ff")"#,
        process: "(call $info (i32.const 1024) (i32.const 1))
            (memory.fill (i32.const 2048) (i32.const 97) (i32.const 1025))
            (call $info (i32.const 2048) (i32.const 1024))
            (call $info (i32.const 2048) (i32.const 1025))
            (i32.const 0)",
        ..Guest::default()
    };
    let log = log_of(&bench, bench.stage("chatters", chatters), &[events(1)]);
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(
        bench
            .metrics
            .render()
            .contains(r#"weir_stage_log_lines_dropped_total{stage="chatters"} 2"#)
    );
}

/// Says why it panics, as the SDK does, and traps.
const PANICS: Guest<'static> = Guest {
    imports: r#"(import "weir:pipeline/panic@0.1.0" "panicked" (func $panicked (param i32 i32)))"#,
    items: r#"(data (i32.const 1024) "src/lib.rs:12:9: no such zonesrc/lib.rs:1:1: later")
        (func $panic (call $panicked (i32.const 1024) (i32.const 29))
            (call $panicked (i32.const 1053) (i32.const 21)) unreachable)"#,
    process: "(call $panic) (i32.const 0)",
    configure: "",
};

#[test]
fn a_panic_is_said_with_its_text_file_and_line_and_the_backtrace_is_for_debugging() {
    let bench = Bench::new();
    let log = log_of(&bench, bench.stage("panics", PANICS), &[events(1)]);
    insta::assert_snapshot!(log, @r#" WARN a call failed: it panicked at src/lib.rs:12:9: no such zone stage="panics" kind="trap" on_error=Keep unsaid=0"#);
    let log = log_of_all(&bench, bench.stage("panics", PANICS), &[events(1)]);
    let (panic, backtrace) = log.split_once('\n').unwrap();
    assert!(panic.contains("src/lib.rs:12:9: no such zone"), "{log}");
    assert!(backtrace.starts_with("DEBUG where it failed"), "{log}");
    assert!(backtrace.contains(r#"backtrace="panic < "#), "{log}");
}

#[test]
fn a_panic_in_configure_is_the_reason_that_the_module_cannot_be_started() {
    let bench = Bench::new();
    let guest = Guest { configure: "(call $panic)", process: "(i32.const 0)", ..PANICS };
    let error = bench.load(&[bench.stage("panics", guest)]).err().unwrap();
    let error = error[0].to_string();
    assert!(error.contains("it panicked at src/lib.rs:12:9: no such zone"), "{error}");
    assert!(!error.contains("(in "), "{error}");
}

#[test]
fn what_a_module_said_of_a_panic_explains_that_calls_trap_alone() {
    let bench = Bench::new();
    let says = "(call $panicked (i32.const 1024) (i32.const 29))";
    let guest = Guest { configure: says, process: "unreachable", ..PANICS };
    let log = log_of(&bench, bench.stage("later", guest), &[events(1)]);
    assert!(log.contains("a call failed: wasm trap: wasm `unreachable`"), "{log}");
    let process = format!("{says} (loop $again (br $again)) (i32.const 0)");
    let guest = Guest { process: &process, ..PANICS };
    let log = log_of(&bench, bench.stage("slow", guest), &[events(1)]);
    assert!(log.contains("used more CPU time than its `timeout`"), "{log}");
}
