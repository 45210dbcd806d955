//! Modules that are not loaded, and what is said about them.

use std::os::unix::fs::PermissionsExt as _;

use super::modules::of_wit;
use super::*;

/// What is said about a module, without the path of the test's folder.
fn refusal(bench: &Bench, stages: &[ModuleSettings]) -> String {
    let errors = bench.load(stages).map(|_| ()).unwrap_err();
    let folder = format!("{}/", bench.folder.path().display());
    errors.iter().map(|error| error.to_string().replace(&folder, "")).collect::<Vec<_>>().join("\n")
}

fn refusal_of(module: &[u8]) -> String {
    let bench = Bench::new();
    let stage = bench.stage_of("it", module);
    refusal(&bench, &[stage])
}

#[test]
fn files_that_are_no_component() {
    insta::assert_snapshot!(refusal_of(b"#!/bin/sh"), @"stage `it`: it.wasm: it is not WebAssembly");
    insta::assert_snapshot!(refusal_of(&wat::parse_str("(module)").unwrap()), @"stage `it`: it.wasm: it is a core module, and weir needs a component: run `weir filter build` on its source");
    insta::assert_snapshot!(refusal_of(b"\0asm\x0d\0\x01\0\xff\xff"), @"stage `it`: it.wasm: it is not a valid component: failed to parse WebAssembly module: malformed section id (at offset 0x8)");
    let bench = Bench::new();
    let mut missing = bench.stage("it", Guest::default());
    missing.module = bench.folder.path().join("no.wasm").into();
    let mut folder = missing.clone();
    folder.module = bench.folder.path().to_owned().into();
    insta::assert_snapshot!(refusal(&bench, &[missing, folder]).replace(&bench.folder.path().display().to_string(), "FOLDER"), @r"
    stage `it`: no.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
    stage `it`: FOLDER: it is not a file
    ");
}

#[test]
fn all_imports_that_are_not_offered_are_said_at_once() {
    let wit = r#"
        package acme:it@1.0.0;
        world module {
            import wasi:cli/environment@0.2.6;
            import wasi:clocks/wall-clock@0.2.6;
            import weir:pipeline/event@0.1.7;
            import weir:pipeline/forecast@0.1.0;
            import weir:pipeline/discard@0.2.0;
            import acme:things/shop;
            import now: func() -> u64;
            export weir:pipeline/stage@0.1.0;
        }
        package wasi:cli@0.2.6 { interface environment {
            get-environment: func() -> list<tuple<string, string>>; get-arguments: func() -> list<string>; } }
        package wasi:clocks@0.2.6 { interface wall-clock { now: func() -> u64; } }
        package weir:pipeline@0.1.7 { interface event { reason: func() -> string; mood: func() -> string; } }
        package weir:pipeline@0.1.0 {
            interface forecast { weather: func() -> string; }
            interface stage { configure: func(config: string) -> result<_, string>; process: func() -> result; } }
        package weir:pipeline@0.2.0 { interface discard { discard: func(reason: u32); } }
        package acme:things { interface shop { buy: func(); } }
    "#;
    insta::assert_snapshot!(refusal_of(&of_wit(wit, "module")), @r#"
    stage `it`: it.wasm: it imports what modules do not get:
      `wasi:cli/environment@0.2.6` (get-environment, get-arguments): modules get no WASI: build for wasm32-unknown-unknown, or set `wasi = "stub"` in its [[stage]]
      `wasi:clocks/wall-clock@0.2.6` (now): modules get no WASI: build for wasm32-unknown-unknown, or set `wasi = "stub"` in its [[stage]]
      `weir:pipeline/event@0.1.7` (mood): it needs weir ≥ 0.1.7, this is 0.1.0: update weir, or build the module with this weir's SDK
      `weir:pipeline/forecast@0.1.0` (weather): this weir's weir:pipeline 0.1.0 does not have it: update weir, or build the module with this weir's SDK
      `weir:pipeline/discard@0.2.0` (discard): it needs weir ≥ 0.2.0, this is 0.1.0: update weir, or build the module with this weir's SDK
      `acme:things/shop` (buy): modules get the interfaces of weir:pipeline only
      `now`: modules get the interfaces of weir:pipeline only
    "#);
}

#[test]
fn components_that_are_no_stage() {
    let other = "package acme:it; world module { export run: func(); }";
    insta::assert_snapshot!(refusal_of(&of_wit(other, "module")), @"stage `it`: it.wasm: it does not export `weir:pipeline/stage@0.1.0`, so it is not a weir module: filters/README.md in weir's source says how to make one");
    let newer = "package weir:pipeline@0.2.0; interface stage { process: func(); } world module { export stage; }";
    insta::assert_snapshot!(refusal_of(&of_wit(newer, "module")), @"stage `it`: it.wasm: it exports `weir:pipeline/stage@0.2.0`, and it needs weir ≥ 0.2.0, this is 0.1.0: update weir, or build the module with this weir's SDK");
    let half = "package weir:pipeline@0.1.0; interface stage { process: func() -> result; } world module { export stage; }";
    insta::assert_snapshot!(refusal_of(&of_wit(half, "module")), @"stage `it`: it.wasm: its `weir:pipeline/stage` does not have `configure` as version 0.1.0 defines it: build the module with this weir's SDK");
    let wrong = "package weir:pipeline@0.1.0;
        interface stage { configure: func(config: string) -> result<_, string>; process: func() -> u32; }
        world module { export stage; }";
    insta::assert_snapshot!(refusal_of(&of_wit(wrong, "module")), @"stage `it`: it.wasm: its `weir:pipeline/stage` does not have `process` as version 0.1.0 defines it: build the module with this weir's SDK");
    let typed = "package weir:pipeline@0.1.0;
        interface event { reason: func() -> u32; }
        interface stage { configure: func(config: string) -> result<_, string>; process: func() -> result; }
        world module { import event; export stage; }";
    insta::assert_snapshot!(refusal_of(&of_wit(typed, "module")), @"stage `it`: it.wasm: a function that it imports has another type than this weir's: component imports instance `weir:pipeline/event@0.1.0`, but a matching implementation was not found in the linker: instance export `reason` has the wrong type: type mismatch with results: expected `string` found `u32`: build the module with this weir's SDK");
}

#[test]
fn modules_that_do_not_start_are_said_all_at_once() {
    let bench = Bench::new();
    let refuses = Guest {
        items: r#"(data (i32.const 1024) "`keep`: what is that?")"#,
        configure: "(i32.store8 (i32.const 16) (i32.const 1))
            (i32.store (i32.const 20) (i32.const 1024)) (i32.store (i32.const 24) (i32.const 21))",
        ..Guest::default()
    };
    let loops = Guest { configure: "(loop $again (br $again))", ..Guest::default() };
    let traps = Guest { configure: "unreachable", ..Guest::default() };
    let mut small = bench.stage("small", Guest::default());
    small.memory = 1_000;
    let stages = [
        bench.stage("refuses", refuses),
        bench.stage("fine", Guest::default()),
        bench.stage("loops", loops),
        bench.stage("traps", traps),
        small,
    ];
    insta::assert_snapshot!(refusal(&bench, &stages), @"
    stage `refuses`: refuses.wasm: it refused [stage.config]: `keep`: what is that?
    stage `loops`: loops.wasm: it failed to start (timeout): it used more CPU time than its `timeout`, 30ms (in function 1)
    stage `traps`: traps.wasm: it failed to start (trap): wasm trap: wasm `unreachable` instruction executed (in function 1)
    stage `small`: small.wasm: it failed to start (memory): it needs more than its `memory`, 1000 bytes: memory minimum size of 1 pages exceeds memory limits
    ");
}

#[test]
fn declared_names_are_bounded_in_form_and_number() {
    let bench = Bench::new();
    // Declares `a`, `b`, ... until it is refused, and traps unless that is after 26, when the
    // letters end.
    let declares = Guest {
        imports: r#"(import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))"#,
        configure: "(local.set $i (i32.const 97))
            (loop $again
                (i32.store8 (i32.const 1024) (local.get $i))
                (call $declare (i32.const 1024) (i32.const 1) (i32.const 32))
                (if (i32.eqz (i32.load8_u (i32.const 32)))
                    (then (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $again))))
            (if (i32.ne (local.get $i) (i32.const 123)) (then unreachable))
            ;; Then `aa`, `ba`, ...: six more.
            (i32.store8 (i32.const 1025) (i32.const 97))
            (local.set $i (i32.const 97))
            (loop $again
                (i32.store8 (i32.const 1024) (local.get $i))
                (call $declare (i32.const 1024) (i32.const 2) (i32.const 32))
                (if (i32.eqz (i32.load8_u (i32.const 32)))
                    (then (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $again))))
            (if (i32.ne (local.get $i) (i32.const 103)) (then unreachable))",
        ..Guest::default()
    };
    let chain =
        bench.load(&[bench.stage("declares", declares)]).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(chain.describe()[0].reasons.len(), 32);
}

#[test]
fn declared_words_are_bounded_in_number_and_size() {
    let bench = Bench::new();
    let declares = Guest {
        imports: r#"(import "weir:pipeline/words@0.1.0" "declare" (func $declare (param i32 i32 i32)))"#,
        // A list of 65 texts, each of as many bytes as `$list` says, and the same for all.
        items: r#"(func $list (param $bytes i32) (local $i i32)
            (local.set $i (i32.const 520))
            (loop $again
                (local.set $i (i32.sub (local.get $i) (i32.const 8)))
                (i32.store (i32.add (i32.const 2048) (local.get $i)) (i32.const 1024))
                (i32.store (i32.add (i32.const 2052) (local.get $i)) (local.get $bytes))
                (br_if $again (local.get $i))))
            (func $is (param $words i32) (param $refused i32)
                (call $declare (i32.const 2048) (local.get $words) (i32.const 32))
                (if (i32.ne (i32.load8_u (i32.const 32)) (local.get $refused)) (then unreachable)))
            (func $fill (param $letter i32)
                (memory.fill (i32.const 1024) (local.get $letter) (i32.const 65)))"#,
        configure: "(call $fill (i32.const 97))
            (call $list (i32.const 0)) (call $is (i32.const 1) (i32.const 1))
            (call $list (i32.const 65)) (call $is (i32.const 1) (i32.const 1))
            (call $list (i32.const 64)) (call $is (i32.const 65) (i32.const 1))
            (call $is (i32.const 0) (i32.const 1))
            (call $is (i32.const 64) (i32.const 0))
            ;; 15 more.
            (local.set $i (i32.const 98))
            (loop $again
                (call $fill (local.get $i))
                (call $is (i32.const 1) (i32.const 0))
                (if (i32.ne (i32.load (i32.const 36)) (i32.sub (local.get $i) (i32.const 97)))
                    (then unreachable))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 113))))
            (call $fill (local.get $i))
            (call $is (i32.const 1) (i32.const 1))
            ;; The same words as before have the number that they had.
            (call $fill (i32.const 98))
            (call $is (i32.const 1) (i32.const 0))
            (if (i32.ne (i32.load (i32.const 36)) (i32.const 1)) (then unreachable))",
        ..Guest::default()
    };
    bench.load(&[bench.stage("declares", declares)]).unwrap_or_else(|e| panic!("{e:?}"));
}

#[test]
fn why_words_are_refused_is_said() {
    let refused = |bytes: u32, count: u32| {
        let bench = Bench::new();
        let configure = format!(
            "(memory.fill (i32.const 1024) (i32.const 120) (i32.const 65))
            (i32.store (i32.const 2048) (i32.const 1024))
            (i32.store (i32.const 2052) (i32.const {bytes}))
            (call $declare (i32.const 2048) (i32.const {count}) (i32.const 16))"
        );
        let declares = Guest {
            imports: r#"(import "weir:pipeline/words@0.1.0" "declare" (func $declare (param i32 i32 i32)))"#,
            configure: &configure,
            ..Guest::default()
        };
        refusal(&bench, &[bench.stage("it", declares)])
    };
    insta::assert_snapshot!(refused(0, 1), @"stage `it`: it.wasm: it refused [stage.config]: `` is no word: 1 to 64 bytes");
    insta::assert_snapshot!(refused(65, 1), @"stage `it`: it.wasm: it refused [stage.config]: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is no word: 1 to 64 bytes");
    insta::assert_snapshot!(refused(1, 0), @"stage `it`: it.wasm: it refused [stage.config]: no words are declared");
    insta::assert_snapshot!(refused(1, 65), @"stage `it`: it.wasm: it refused [stage.config]: 65 words are more than 64");
}

/// The folder of compiled modules, and the only one in it.
fn compiled(bench: &Bench) -> PathBuf {
    let names = std::fs::read_dir(bench.folder.path().join("cache/compiled")).unwrap();
    let mut names = names.map(|entry| entry.unwrap().path());
    names.find(|path| path.extension().is_some_and(|e| e == "cwasm")).unwrap()
}

#[test]
fn a_compiled_module_that_was_tampered_with_is_compiled_again() {
    let bench = Bench::new();
    let stage = bench.stage("it", Guest::default());
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    let compiled = compiled(&bench);
    let whole = std::fs::read(&compiled).unwrap();
    std::fs::remove_file(compiled.with_extension("sha256")).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", &[&whole[..], b"x"].concat()] {
        std::fs::write(&compiled, damaged).unwrap();
        bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!(std::fs::read(&compiled).unwrap(), whole);
    }
    let folder = compiled.parent().unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn a_compiled_module_that_others_may_write_to_or_that_is_a_link_is_compiled_again() {
    let bench = Bench::new();
    let stage = bench.stage("it", Guest::default());
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    let (compiled, elsewhere) = (compiled(&bench), bench.folder.path().join("elsewhere"));
    std::fs::set_permissions(&compiled, std::fs::Permissions::from_mode(0o660)).unwrap();
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(compiled.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::rename(&compiled, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &compiled).unwrap();
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(!compiled.is_symlink());
}

#[test]
fn a_cache_that_a_mount_widened_is_emptied_and_ours_alone_again() {
    let bench = Bench::new();
    let stage = bench.stage("it", Guest::default());
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    let compiled = compiled(&bench);
    let folder = compiled.parent().unwrap();
    std::fs::write(folder.join("theirs"), "").unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o2770)).unwrap();
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!folder.join("theirs").exists() && compiled.exists());
}

#[test]
fn what_a_process_left_that_was_killed_while_it_wrote_is_removed_and_what_one_writes_is_not() {
    let bench = Bench::new();
    let stage = bench.stage("it", Guest::default());
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    let folder = compiled(&bench).parent().unwrap().to_owned();
    std::fs::write(folder.join(".1-0.tmp"), "half").unwrap();
    let writing = std::fs::File::create(folder.join(".1-1.tmp")).unwrap();
    writing.lock().unwrap();
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    assert!(!folder.join(".1-0.tmp").exists() && folder.join(".1-1.tmp").exists());
}

#[test]
fn without_a_cache_modules_run_from_memory() {
    let bench = Bench::new();
    let stage = bench.stage("it", Guest::default());
    let cache = bench.folder.path().join("cache");
    std::fs::write(&cache, "").unwrap();
    let ran =
        bench.run(std::slice::from_ref(&stage), &[vec![modules::event(1, "Normal", "Started")]]);
    assert_eq!(ran.ledger.received, 1);
    std::fs::remove_file(&cache).unwrap();
    // What is compiled cannot be kept, as on a full disk.
    bench.load(std::slice::from_ref(&stage)).unwrap_or_else(|e| panic!("{e:?}"));
    let compiled = compiled(&bench);
    std::fs::remove_file(&compiled).unwrap();
    std::fs::create_dir(&compiled).unwrap();
    bench.load(&[stage]).unwrap_or_else(|e| panic!("{e:?}"));
}

#[test]
fn what_a_module_says_cannot_be_taken_for_other_diagnostics() {
    let bench = Bench::new();
    let refuses = Guest {
        items: r#"(data (i32.const 1024) "bad\nweir.toml:1:1: error: x\1b[31m\07\n")"#,
        configure: "(i32.store8 (i32.const 16) (i32.const 1))
            (i32.store (i32.const 20) (i32.const 1024)) (i32.store (i32.const 24) (i32.const 35))",
        ..Guest::default()
    };
    insta::assert_snapshot!(refusal(&bench, &[bench.stage("it", refuses)]), @r"
    stage `it`: it.wasm: it refused [stage.config]: bad
        weir.toml:1:1: error: x\u{1b}[31m\u{7}
        \u{0}
    ");
    let imports = r#"(component
        (core module $m (import "a\0a\1b[31mweir.toml:1:1: error: x" "b" (func)))
        (core instance (instantiate $m)))"#;
    insta::assert_snapshot!(refusal_of(&wat::parse_str(imports).unwrap()), @r"stage `it`: it.wasm: it is not a valid component: failed to parse WebAssembly module: missing module instantiation argument named `a\n\u{1b}[31mweir.toml:1:1: error: x` (at offset 0x4c)");
}

#[test]
fn a_pipe_is_no_module() {
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let bench = Bench::new();
        let mut stage = bench.stage("it", Guest::default());
        let pipe = bench.folder.path().join("pipe.wasm");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        stage.module = pipe.into();
        answer.send(refusal(&bench, &[stage]))
    });
    let answer = answered.recv_timeout(Duration::from_secs(60)).expect("it waits for a writer");
    insta::assert_snapshot!(answer, @"stage `it`: pipe.wasm: it is not a file");
}

#[test]
fn a_component_for_several_versions_is_taken_for_the_one_that_fits() {
    let dual = r#"(component
        (core module $m (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 8192)
            (func (export "c") (param i32 i32) (result i32) i32.const 16)
            (func (export "p") (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func $c (param "config" string) (result (result (error string)))
            (canon lift (core func $i "c") (memory (core memory $i "m")) (realloc (core func $i "r"))))
        (func $p (result (result)) (canon lift (core func $i "p")))
        (instance $s (export "configure" (func $c)) (export "process" (func $p)))
        (export "weir:pipeline/stage@0.FIRST.0" (instance $s))
        (export "weir:pipeline/stage@0.SECOND.0" (instance $s)))"#;
    let bench = Bench::new();
    for (first, second) in [("1", "2"), ("2", "1")] {
        let dual = dual.replace("FIRST", first).replace("SECOND", second);
        let stage = bench.stage_of("dual", &wat::parse_str(dual).unwrap());
        bench.load(&[stage]).unwrap_or_else(|e| panic!("{e:?}"));
    }
}

/// A component that consists of this many instances of a core module with these items, besides the
/// one that is the stage.
fn component_of(count: usize, items: &str) -> Vec<u8> {
    let parts =
        format!("(core module $p {items})") + &"(core instance (instantiate $p))".repeat(count);
    let text = format!(
        r#"(component
        {parts}
        (core module $m (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 8192)
            (func (export "c") (param i32 i32) (result i32) i32.const 16)
            (func (export "p") (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func $c (param "config" string) (result (result (error string)))
            (canon lift (core func $i "c") (memory (core memory $i "m")) (realloc (core func $i "r"))))
        (func $p (result (result)) (canon lift (core func $i "p")))
        (instance $s (export "configure" (func $c)) (export "process" (func $p)))
        (export "weir:pipeline/stage@0.1.0" (instance $s)))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_component_of_too_many_parts_is_refused_and_the_bound_named() {
    let bench = Bench::new();
    for (most, items) in [(31, ""), (3, "(memory 0)"), (8, "(table 0 funcref)")] {
        let stage = bench.stage_of("it", &component_of(most, items));
        bench.load(&[stage]).unwrap_or_else(|e| panic!("{items}: {e:?}"));
    }
    insta::assert_snapshot!(refusal_of(&component_of(32, "")), @"stage `it`: it.wasm: it exceeds what a module may hold (32 core instances, 4 memories, 8 tables, 64 handles): resource limit exceeded: instance count too high at 33");
    insta::assert_snapshot!(refusal_of(&component_of(4, "(memory 0)")), @"stage `it`: it.wasm: it exceeds what a module may hold (32 core instances, 4 memories, 8 tables, 64 handles): resource limit exceeded: memory count too high at 5");
    insta::assert_snapshot!(refusal_of(&component_of(9, "(table 0 funcref)")), @"stage `it`: it.wasm: it exceeds what a module may hold (32 core instances, 4 memories, 8 tables, 64 handles): resource limit exceeded: table count too high at 9");
}

/// A component whose `configure` makes this many handles of a resource of its own.
fn holds_handles(count: usize) -> Vec<u8> {
    let text = format!(
        r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core instance $host (export "new" (func $new)))
        (core module $m (import "host" "new" (func $new (param i32) (result i32)))
            (memory (export "m") 1)
            (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 8192)
            (func (export "c") (param i32 i32) (result i32) (local $i i32)
                (loop $again
                    (drop (call $new (local.get $i)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const {count}))))
                i32.const 16)
            (func (export "p") (result i32) i32.const 0))
        (core instance $i (instantiate $m (with "host" (instance $host))))
        (func $c (param "config" string) (result (result (error string)))
            (canon lift (core func $i "c") (memory (core memory $i "m")) (realloc (core func $i "r"))))
        (func $p (result (result)) (canon lift (core func $i "p")))
        (instance $s (export "configure" (func $c)) (export "process" (func $p)))
        (export "weir:pipeline/stage@0.1.0" (instance $s)))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn a_module_that_holds_too_many_handles_is_refused_and_the_bound_named() {
    let bench = Bench::new();
    bench.load(&[bench.stage_of("it", &holds_handles(64))]).unwrap_or_else(|e| panic!("{e:?}"));
    insta::assert_snapshot!(refusal_of(&holds_handles(65)), @"stage `it`: it.wasm: it exceeds what a module may hold (32 core instances, 4 memories, 8 tables, 64 handles): cannot allocate another handle: store handle limit exceeded");
}

#[test]
fn imports_and_exports_that_are_wrong_are_said_together() {
    let wit = "package acme:it; world module { import now: func() -> u64; export run: func(); }";
    insta::assert_snapshot!(refusal_of(&of_wit(wit, "module")), @"
    stage `it`: it.wasm: it imports what modules do not get:
      `now`: modules get the interfaces of weir:pipeline only
    stage `it`: it.wasm: it does not export `weir:pipeline/stage@0.1.0`, so it is not a weir module: filters/README.md in weir's source says how to make one
    ");
}

#[test]
fn of_many_imports_the_first_are_named_and_the_others_counted() {
    let functions = |count: usize| -> String {
        (0..count).map(|n| format!("(import \"f{n}\" (func))")).collect()
    };
    let said = refusal_of(&wat::parse_str(format!("(component {})", functions(10_000))).unwrap());
    assert_eq!(said.lines().count(), 1 + 20 + 1 + 1, "{said:.3000}");
    assert!(said.contains("\n  `f19`: ") && said.contains("\n  and 9980 more\n"), "{said:.3000}");
    let exports: String = (0..10_000).map(|n| format!("(export \"f{n}\" (func))")).collect();
    let one = format!("(component (import \"a:b/c\" (instance {exports})))");
    let said = refusal_of(&wat::parse_str(one).unwrap());
    insta::assert_snapshot!(said.lines().nth(1).unwrap(), @"  `a:b/c` (f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 9990 more): modules get the interfaces of weir:pipeline only");
}

#[test]
fn a_module_that_did_not_get_the_cpu_is_not_said_to_have_used_it() {
    let bench = Bench { clock: strained::a_second_a_look, ..Bench::new() };
    let loops = Guest { configure: "(loop $again (br $again))", ..Guest::default() };
    insta::assert_snapshot!(refusal(&bench, &[bench.stage("it", loops)]), @"stage `it`: it.wasm: it failed to start (timeout): it took 20 times its `timeout`, 30ms, without getting that much CPU time: the machine is overloaded, or its CPU limit too low (in function 1)");
}

#[test]
fn the_reason_of_dropped_failures_is_not_for_modules() {
    let bench = Bench::new();
    let declares = Guest {
        imports: r#"(import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))"#,
        items: r#"(data (i32.const 1024) "error")"#,
        // The answer, refusal and text alike, is laid out as that of `configure`.
        configure: "(call $declare (i32.const 1024) (i32.const 5) (i32.const 16))",
        ..Guest::default()
    };
    insta::assert_snapshot!(refusal(&bench, &[bench.stage("it", declares)]), @r#"stage `it`: it.wasm: it refused [stage.config]: `error` is the reason of events that `on_error = "drop"` drops: name another"#);
}
