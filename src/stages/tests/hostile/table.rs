//! Modules that do what they should not, by what they do, and what comes of them.

use super::super::modules::Guest;
use crate::stages::failure::FailureKind;

/// What becomes of a module as a stage's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is not loaded, and this is said of it.
    Refused(&'static str),
    /// Its calls fail so.
    Fails(FailureKind),
    /// It is called, and changes nothing.
    Harmless,
    /// It is called, and what it may change it changes: `/a`.
    Edits,
}

/// A module, by what it does.
pub(super) type Villain = (&'static str, Vec<u8>, Fate);

use self::Fate::{Edits, Fails, Harmless, Refused};
use FailureKind::{Memory, Timeout, Trap};

const NONE: Guest<'static> =
    Guest { imports: "", items: "", configure: "", process: "(i32.const 0)" };

/// Everything that takes texts, and where its answer says that it was refused.
const IMPORTS: &str = r#"
    (import "weir:pipeline/event@0.1.0" "message" (func $message (param i32)))
    (import "weir:pipeline/event@0.1.0" "count" (func $count (result i32)))
    (import "weir:pipeline/event@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "weir:pipeline/words@0.1.0" "declare" (func $words (param i32 i32 i32)))
    (import "weir:pipeline/interest@0.1.0" "in-words" (func $in-words (param i32 i32 i32)))
    (import "weir:pipeline/words@0.1.0" "mentioned" (func $mentioned (param i32) (result i32)))
    (import "weir:pipeline/discard@0.1.0" "declare" (func $reason (param i32 i32 i32)))
    (import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))
    (import "weir:pipeline/metrics@0.1.0" "declare" (func $counter (param i32 i32 i32 i32 i32)))
    (import "weir:pipeline/metrics@0.1.0" "add" (func $add (param i32 i64)))
    (import "weir:pipeline/log@0.1.0" "error" (func $log (param i32 i32)))
    (import "weir:pipeline/panic@0.1.0" "panicked" (func $panicked (param i32 i32)))
    (import "weir:pipeline/edit@0.1.0" "set-string" (func $set-string (param i32 i32 i32 i32 i32)))
    (import "weir:pipeline/edit@0.1.0" "set-json" (func $set-json (param i32 i32 i32 i32 i32)))
    (import "weir:pipeline/edit@0.1.0" "append-string" (func $append (param i32 i32 i32 i32 i32)))
    (import "weir:pipeline/edit@0.1.0" "set-float" (func $set-float (param i32 i32 f64 i32)))
    (import "weir:pipeline/edit@0.1.0" "remove" (func $remove (param i32 i32 i32)))"#;

/// Texts at known places, and a trap where an answer was not a refusal.
const ITEMS: &str = r#"
    (data (i32.const 1024) "/a")
    (data (i32.const 1040) "\ff\fe\80")
    (data (i32.const 1056) "/metadata/uid")
    (data (i32.const 1072) "/metadata")
    (data (i32.const 1088) "{\"uid\":\"forged\",\"name\":\"forged\",\"namespace\":\"forged\"}")
    (data (i32.const 1152) "/meta~0data~1uid")
    (data (i32.const 1184) "/metadata/u~id")
    (data (i32.const 1216) "{\"a\":1}{\"metadata\":{}}")
    (data (i32.const 1248) "/involvedObject")
    (data (i32.const 1280) "/weir/errors")
    (data (i32.const 1296) "/@timestamp")
    (data (i32.const 1312) "0123456789")
    (data (i32.const 1328) "/message")
    ;; Lists of texts: two that are not UTF-8, and one of four gigabytes.
    (data (i32.const 1344) "\10\04\00\00\03\00\00\00\10\04\00\00\03\00\00\00")
    (data (i32.const 1360) "\00\00\00\00\ff\ff\ff\ff")
    (func $refused (if (i32.eqz (i32.load8_u (i32.const 32))) (then unreachable)))"#;

fn with(configure: &str, process: &str) -> Vec<u8> {
    Guest { imports: IMPORTS, items: ITEMS, configure, process }.component()
}

fn plain(items: &str, configure: &str, process: &str) -> Vec<u8> {
    Guest { items, configure, process, ..NONE }.component()
}

/// All of them.
pub(super) fn villains() -> Vec<Villain> {
    let mut all = time();
    all.extend(memory());
    all.extend(texts());
    all.extend(edits());
    all.extend(numbers());
    all.extend(abi());
    all.extend(compiler());
    all
}

const LOOP: &str = "(loop $again (br $again))";

fn time() -> Vec<Villain> {
    let loops = format!("{LOOP} (i32.const 0)");
    let starts = format!("(func $begin {LOOP}) (start $begin)");
    let post = |of: &str| {
        format!(r#"(func (export "cabi_post_weir:pipeline/stage@0.1.0#{of}") (param i32) {LOOP})"#)
    };
    let fills = "(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br $again)) \
                 (i32.const 0)";
    vec![
        ("loops", plain("", "", &loops), Fails(Timeout)),
        ("loops while it is configured", plain("", LOOP, "(i32.const 0)"), Refused("(timeout)")),
        ("loops in its start function", plain(&starts, "", "(i32.const 0)"), Refused("(timeout)")),
        (
            "loops after it was configured",
            plain(&post("configure"), "", "(i32.const 0)"),
            Refused("(timeout)"),
        ),
        ("loops after each call", plain(&post("process"), "", "(i32.const 0)"), Fails(Timeout)),
        ("fills its memory for ever", plain("", "", fills), Fails(Timeout)),
        (
            "calls itself for ever",
            plain(
                "(func $deeper (call $deeper) (call $deeper))",
                "",
                "(call $deeper) (i32.const 0)",
            ),
            Fails(Trap),
        ),
    ]
}

fn memory() -> Vec<Villain> {
    let grows = "(loop $again
            (local.set $i (memory.grow (i32.const 16)))
            (if (i32.eq (local.get $i) (i32.const -1)) (then unreachable))
            (i32.store (i32.mul (local.get $i) (i32.const 65536)) (i32.const 1))
            (br $again))";
    let table = "(loop $again
            (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1))))
        unreachable";
    vec![
        ("takes all memory", plain("", "", &format!("{grows} (i32.const 0)")), Fails(Memory)),
        ("takes all memory at once", plain("", grows, "(i32.const 0)"), Refused("(memory)")),
        (
            "takes tables for memory",
            plain("(table $t 1 funcref)", "", &format!("{table} (i32.const 0)")),
            Fails(Memory),
        ),
        ("is born too large", of_parts("(memory 60000)", 1), Refused("(memory)")),
        ("is born with a large table", of_parts("(table 9000000 funcref)", 1), Refused("(memory)")),
        ("has many memories", of_parts("(memory 64)", 5), Refused("4 memories")),
        ("has many tables", of_parts("(table 1 funcref)", 9), Refused("8 tables")),
        ("has many instances", of_parts("", 40), Refused("32 core instances")),
    ]
}

fn texts() -> Vec<Villain> {
    let invalid = "
        (call $get (i32.const 1040) (i32.const 3) (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then unreachable))
        (call $log (i32.const 1040) (i32.const 3))
        (call $set-string (i32.const 1024) (i32.const 2) (i32.const 1040) (i32.const 3) (i32.const 32))
        (call $refused)
        (call $set-string (i32.const 1040) (i32.const 3) (i32.const 1024) (i32.const 2) (i32.const 32))
        (call $refused)
        (i32.const 0)";
    let declares = "
        (call $reason (i32.const 1040) (i32.const 3) (i32.const 32)) (call $refused)
        (call $counter (i32.const 1040) (i32.const 3) (i32.const 1040) (i32.const 3) (i32.const 32))
        (call $refused)
        (call $words (i32.const 1344) (i32.const 2) (i32.const 32))
        (call $refused)
        (call $in-words (i32.const 1344) (i32.const 2) (i32.const 32))
        (call $refused)";
    let list = "(call $words (i32.const 0) (i32.const -1) (i32.const 32))";
    let interest = "(call $in-words (i32.const 0) (i32.const -1) (i32.const 32))";
    let word = "(call $words (i32.const 1360) (i32.const 1) (i32.const 32)) (call $refused)";
    // 64 words of 63 times `a` and another letter, and a message of `a` alone.
    let nearly = "(memory.fill (i32.const 16384) (i32.const 97) (i32.const 49152))
        (memory.fill (i32.const 10000) (i32.const 97) (i32.const 4096))
        (local.set $i (i32.const 64))
        (loop $again
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (i32.store8 (i32.add (i32.const 10063) (i32.mul (local.get $i) (i32.const 64)))
                (i32.add (i32.const 32) (local.get $i)))
            (i32.store (i32.add (i32.const 2048) (i32.mul (local.get $i) (i32.const 8)))
                (i32.add (i32.const 10000) (i32.mul (local.get $i) (i32.const 64))))
            (i32.store (i32.add (i32.const 2052) (i32.mul (local.get $i) (i32.const 8)))
                (i32.const 64))
            (br_if $again (local.get $i)))
        (call $words (i32.const 2048) (i32.const 64) (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then unreachable))";
    let looks =
        "(call $set-string (i32.const 1328) (i32.const 8) (i32.const 16384) (i32.const 49152)
            (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then unreachable))
        (loop $again (drop (call $mentioned (i32.const 0))) (br $again)) (i32.const 0)";
    let outside = "(call $log (i32.const 65530) (i32.const 100)) (i32.const 0)";
    let huge = "(call $log (i32.const 0) (i32.const -1)) (i32.const 0)";
    let floods = "(local.set $i (i32.const 100000))
        (loop $again (call $log (i32.const 1312) (i32.const 10))
            (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (i32.const 0)";
    let asks = "(loop $again
            (global.set $heap (i32.const 8192))
            (call $get (i32.const 1024) (i32.const 0) (i32.const 32))
            (br_if $again (i32.load8_u (i32.const 32))))
        (i32.const 0)";
    let panics = "(call $panicked (i32.const 0) (i32.const 65536)) unreachable";
    vec![
        ("says what is not UTF-8", with(declares, invalid), Harmless),
        ("points outside of its memory", with("", outside), Fails(Trap)),
        ("says four gigabytes", with("", huge), Fails(Trap)),
        ("declares four billion words", with(list, "(i32.const 0)"), Refused("(trap)")),
        ("is in four billion words", with(interest, "(i32.const 0)"), Refused("(trap)")),
        ("declares a word of four gigabytes", with(word, "(i32.const 0)"), Harmless),
        ("looks for ever for words that nearly are there", with(nearly, looks), Fails(Timeout)),
        ("floods the log", with("", floods), Harmless),
        ("asks for the event for ever", with("", asks), Harmless),
        ("panics at length", with("", panics), Fails(Trap)),
    ]
}

fn edits() -> Vec<Villain> {
    let set = |pointer: (u32, u32), value: (u32, u32), verb: &str| {
        format!(
            "(call ${verb} (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 32))",
            pointer.0, pointer.1, value.0, value.1
        )
    };
    let refused = |edit: String| format!("{edit} (call $refused) (i32.const 0)");
    let (a, uid, metadata, forged) = ((1024, 2), (1056, 13), (1072, 9), (1088, 54));
    let tilde = set((1184, 14), (1312, 10), "set-string");
    let escaped = set((1152, 16), (1312, 10), "set-string");
    let repeat = |count: u32, edit: &str| {
        format!(
            "(local.set $i (i32.const {count}))
            (loop $again {edit}
                (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))"
        )
    };
    let ok = set(a, (1312, 10), "set-string");
    vec![
        ("forges an id", with("", &refused(set(uid, (1312, 10), "set-string"))), Harmless),
        (
            "forges an id by its parent",
            with("", &refused(set(metadata, forged, "set-json"))),
            Harmless,
        ),
        (
            "removes what an event is about",
            with(
                "",
                "(call $remove (i32.const 1248) (i32.const 15) (i32.const 32)) (call $refused) (i32.const 0)",
            ),
            Harmless,
        ),
        ("escapes what needs no escape", with("", &refused(tilde)), Harmless),
        ("makes a member of an escaped name", with("", &format!("{escaped} (i32.const 0)")), Edits),
        ("gives two values for one", with("", &refused(set(a, (1216, 22), "set-json"))), Harmless),
        (
            "forges weir's own marks",
            with("", &refused(set((1280, 12), (1312, 10), "set-string"))),
            Harmless,
        ),
        (
            "forges the time",
            with("", &refused(set((1296, 11), (1312, 10), "set-string"))),
            Harmless,
        ),
        (
            "sets what is no number",
            with(
                "",
                "(call $set-float (i32.const 1024) (i32.const 2) (f64.const nan) (i32.const 32)) (call $refused) (i32.const 0)",
            ),
            Harmless,
        ),
        ("traps in the middle of its edits", with("", &format!("{ok} unreachable")), Fails(Trap)),
        (
            "edits, and answers an error",
            with("", &format!("{ok} (i32.const 1)")),
            Fails(FailureKind::Error),
        ),
        (
            "edits thousands of times",
            with("", &format!("{} (i32.const 0)", repeat(5_000, &ok))),
            Edits,
        ),
        (
            "appends for ever",
            with("", &format!("{} (i32.const 0)", repeat(5_000, &set(a, (1312, 10), "append")))),
            Edits,
        ),
    ]
}

fn numbers() -> Vec<Villain> {
    let letters = r#"(local.set $i (i32.const 3000))
        (loop $again
            (i32.store8 (i32.const 1312) (i32.add (i32.const 97) (i32.rem_u (local.get $i) (i32.const 26))))
            (i32.store8 (i32.const 1313) (i32.add (i32.const 97)
                (i32.rem_u (i32.div_u (local.get $i) (i32.const 26)) (i32.const 26))))
            (i32.store8 (i32.const 1314) (i32.add (i32.const 97) (i32.div_u (local.get $i) (i32.const 676))))
            DECLARE
            (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))"#;
    let reasons =
        letters.replace("DECLARE", "(call $reason (i32.const 1312) (i32.const 3) (i32.const 32))");
    let counters = letters.replace(
        "DECLARE",
        "(call $counter (i32.const 1312) (i32.const 3) (i32.const 1312) (i32.const 3) (i32.const 32))",
    );
    let early = "(drop (call $count)) (call $message (i32.const 32)) (call $discard (i32.const 0))
        (call $add (i32.const 0) (i64.const 1))";
    let undeclared =
        "(call $discard (i32.const 7)) (call $add (i32.const -1) (i64.const 1)) (i32.const 0)";
    let most = "(local.set $i (i32.const 1000))
        (loop $again (call $add (i32.const 0) (i64.const -1))
            (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (i32.const 0)";
    let one = "(call $counter (i32.const 1025) (i32.const 1) (i32.const 1025) (i32.const 1) (i32.const 32))";
    vec![
        ("declares thousands of reasons", with(&reasons, "(i32.const 0)"), Harmless),
        ("declares thousands of counters", with(&counters, "(i32.const 0)"), Harmless),
        ("asks and discards outside of a call", with(early, "(i32.const 0)"), Harmless),
        ("uses what it did not declare", with("", undeclared), Harmless),
        ("counts beyond all numbers", with(one, most), Harmless),
        ("answers what is no answer", with("", "(i32.const 7)"), Fails(Trap)),
    ]
}

/// A component that asks for the message, with this `cabi_realloc`.
fn reallocates(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
        (import "weir:pipeline/event@0.1.0" (instance $e (export "message" (func (result string)))))
        (core module $l (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) {body}))
        (core instance $l (instantiate $l))
        (core func $message (canon lower (func $e "message") (memory $l "m") (realloc (func $l "r"))))
        (core module $m
            (import "e" "message" (func $message (param i32)))
            (import "l" "m" (memory 1))
            (func (export "c") (param i32 i32) (result i32) i32.const 16)
            (func (export "p") (result i32) (call $message (i32.const 32)) i32.const 0))
        (core instance $i (instantiate $m
            (with "e" (instance (export "message" (func $message)))) (with "l" (instance $l))))
        (core module $a (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 8192))
        (core instance $a (instantiate $a))
        (func $c (param "config" string) (result (result (error string)))
            (canon lift (core func $i "c") (memory (core memory $l "m")) (realloc (core func $a "r"))))
        (func $p (result (result)) (canon lift (core func $i "p")))
        (instance $s (export "configure" (func $c)) (export "process" (func $p)))
        (export "weir:pipeline/stage@0.1.0" (instance $s)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn abi() -> Vec<Villain> {
    vec![
        ("has no room for an answer", reallocates("unreachable"), Fails(Trap)),
        ("puts an answer outside of its memory", reallocates("i32.const -16"), Fails(Trap)),
        (
            "loops where an answer would go",
            reallocates("(loop $again (br $again)) unreachable"),
            Fails(Timeout),
        ),
        ("puts every answer over its own data", reallocates("i32.const 0"), Harmless),
    ]
}

/// A component of the stage and `count` instances of a core module with these items.
fn of_parts(items: &str, count: usize) -> Vec<u8> {
    let parts =
        format!("(core module $p {items})") + &"(core instance (instantiate $p))".repeat(count);
    wat::parse_str(STAGE_OF_PARTS.replace("PARTS", &parts))
        .unwrap_or_else(|error| panic!("{error}"))
}

const STAGE_OF_PARTS: &str = r#"(component PARTS
    (core module $m (memory (export "m") 1)
        (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 8192)
        (func (export "c") (param i32 i32) (result i32) i32.const 16)
        (func (export "p") (result i32) i32.const 0))
    (core instance $i (instantiate $m))
    (func $c (param "config" string) (result (result (error string)))
        (canon lift (core func $i "c") (memory (core memory $i "m")) (realloc (core func $i "r"))))
    (func $p (result (result)) (canon lift (core func $i "p")))
    (instance $s (export "configure" (func $c)) (export "process" (func $p)))
    (export "weir:pipeline/stage@0.1.0" (instance $s)))"#;

/// What makes a compiler work; what no compiler gets through is in tests/suite/compile.rs, where
/// it has a process of its own to be bounded in.
fn compiler() -> Vec<Villain> {
    let blocks = format!("{}{}", "(block ".repeat(900), ")".repeat(900));
    let functions = "(func (param i32) (result i32) local.get 0)".repeat(2_000);
    let whole = plain("", "", "(i32.const 0)");
    let half = whole[..whole.len() / 2].to_vec();
    let mut torn = whole.clone();
    let at = torn.len() / 2;
    torn[at..at + 16].fill(0xff);
    vec![
        ("is nested deeply", plain("", "", &format!("{blocks} (i32.const 0)")), Harmless),
        ("has thousands of functions", plain(&functions, "", "(i32.const 0)"), Harmless),
        ("ends in the middle", half, Refused("it is not a valid component")),
        ("is torn in the middle", torn, Refused("it is not a valid component")),
        ("is nothing", Vec::new(), Refused("it is not WebAssembly")),
        ("is a text", b"(module)".to_vec(), Refused("it is not WebAssembly")),
    ]
}
