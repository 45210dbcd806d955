//! Compiling modules in a child: what it answers, and that it is given up when it takes too much.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use weir::internals::ledger::Ledger;
use weir::internals::metrics::Metrics;
use weir::internals::stages::{
    COMPILE_COMMAND, CompileLimits, Compiler, LoadContext, Match, ModuleSettings, OnError, Wasi,
    load,
};

use crate::support::finish;
use crate::support::modules::{self, Guest};

/// Gives `module` to the hidden subcommand that compiles in a child: its exit code, and what it
/// wrote.
fn compile_child(module: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    compile_child_of(std::process::id(), module)
}

/// The same of a child that is told that this process has started it.
fn compile_child_of(parent: u32, module: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args([COMPILE_COMMAND, "4294967296", "60", &parent.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that has ended reads nothing.
    let _ = child.stdin.take().unwrap().write_all(module);
    let output = finish(child);
    (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_child_compiles_what_it_is_given_or_says_what_is_wrong_with_it() {
    let (code, compiled, _) = compile_child(&modules::DROP_NORMAL.component());
    assert_eq!(code, Some(0));
    assert!(compiled.starts_with(b"\x7fELF"));
    let (code, compiled, why) = compile_child(b"\0asm\x0d\0\x01\0\xff\xff");
    assert_eq!(code, Some(3));
    assert!(compiled.is_empty());
    insta::assert_snapshot!(why, @"failed to parse WebAssembly module: malformed section id (at offset 0x8)");
}

#[test]
fn a_child_whose_parent_ended_before_it_could_be_ended_with_it_ends_by_itself() {
    let (code, compiled, why) = compile_child_of(1, &modules::DROP_NORMAL.component());
    assert_eq!((code, compiled.len()), (Some(1), 0));
    insta::assert_snapshot!(why, @"its parent has ended");
}

/// A function that takes a compiler some seconds and some hundred MiB, of less than 1 MiB of
/// WebAssembly.
pub(crate) fn hard_to_compile(lines: usize) -> Vec<u8> {
    let mut items = String::from("(func $hard (param i32) (result i32) (local i32 i32 i32 i32)");
    for n in 0..lines {
        let (to, from) = (1 + n % 4, 1 + (n * 7 + 1) % 4);
        let _ = write!(
            items,
            "(if (i32.eq (local.get {from}) (i32.const {n})) (then (local.set {to} (i32.mul (local.get {from}) (local.get 0)))))"
        );
    }
    items.push_str(
        "(i32.add (local.get 1) (i32.add (local.get 2) (i32.add (local.get 3) (local.get 4)))))",
    );
    Guest {
        items: &items,
        process: "(drop (call $hard (i32.const 1))) (i32.const 0)",
        ..Guest::default()
    }
    .component()
}

pub(crate) const LINES: usize = 16_000;

/// What is said about the module when compiling it may take this much.
fn refusal(module: &[u8], limits: CompileLimits) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.wasm");
    std::fs::write(&path, module).unwrap();
    let stage = ModuleSettings {
        name: "it".to_owned(),
        module: path.into(),
        matches: Match::default(),
        timeout: Duration::from_secs(5),
        memory: 16 << 20,
        on_error: OnError::Keep,
        wasi: Wasi::None,
        config: "{}".to_owned(),
        shadow: None,
    };
    let ledger = Ledger::default();
    let context = LoadContext {
        pulled: Default::default(),
        instances: 1,
        keeps: true,
        cache: folder.path().join("cache"),
        compiler: Compiler::Child { weir: Some(env!("CARGO_BIN_EXE_weir").into()), limits },
        metrics: Metrics::new(&ledger).unwrap().stage,
        ledger,
    };
    let errors = load(&[stage.into()], context).err()?;
    let folder = format!("{}/", folder.path().display());
    Some(errors.iter().map(|error| error.to_string().replace(&folder, "")).collect())
}

#[test]
fn a_module_that_takes_too_much_to_compile_is_refused_and_the_limit_named() {
    let (module, limits) = (hard_to_compile(LINES), CompileLimits::default());
    assert_eq!(refusal(&module, limits), None);
    insta::assert_snapshot!(refusal(&module, CompileLimits { memory_bytes: 192 << 20, ..limits }).unwrap(), @"stage `it`: it.wasm: compiling it takes more than 192 MiB of memory, which is the limit: make it smaller");
    insta::assert_snapshot!(refusal(&module, CompileLimits { cpu_seconds: 1, ..limits }).unwrap(), @"stage `it`: it.wasm: compiling it takes more than 1 s of CPU time, which is the limit: make it smaller");
    let wall = Duration::from_millis(100);
    insta::assert_snapshot!(refusal(&module, CompileLimits { wall, ..limits }).unwrap(), @"stage `it`: it.wasm: compiling it took more than 100ms: the machine is overloaded, or its CPU limit too low");
}
