//! `wasi = "stub"`: what a module gets that imports WASI, and that it cannot make the host do more.
//!
//! The modules here import what wit-component's adapters import, in WebAssembly text.
//! `tests/suite/guests.rs` has a real one.

use super::said::log_of;
use super::*;
use crate::stages::failure::FailureKind;

/// Parts of WASI 0.2 (<https://github.com/WebAssembly/wasi-cli>), of version VERSION.
const WASI: &str = "
    package acme:it;
    world module {
        include weir:pipeline/both@0.1.0;
        import wasi:cli/environment@VERSION;
        import wasi:cli/exit@VERSION;
        import wasi:cli/stdin@VERSION;
        import wasi:cli/stdout@VERSION;
        import wasi:cli/stderr@VERSION;
        import wasi:cli/terminal-stdout@VERSION;
        import wasi:clocks/monotonic-clock@VERSION;
        import wasi:clocks/wall-clock@VERSION;
        import wasi:filesystem/preopens@VERSION;
        import wasi:random/random@VERSION;
        import wasi:random/insecure-seed@VERSION;
        import wasi:sockets/instance-network@VERSION;
        import wasi:sockets/ip-name-lookup@VERSION;
    }
    package wasi:io@VERSION {
        interface error { resource error { to-debug-string: func() -> string; } }
        interface poll {
            resource pollable { ready: func() -> bool; block: func(); }
            poll: func(in: list<borrow<pollable>>) -> list<u32>;
        }
        interface streams {
            use error.{error};
            use poll.{pollable};
            variant stream-error { last-operation-failed(error), closed }
            resource input-stream { read: func(len: u64) -> result<list<u8>, stream-error>; }
            resource output-stream {
                check-write: func() -> result<u64, stream-error>;
                write: func(contents: list<u8>) -> result<_, stream-error>;
            }
        }
    }
    package wasi:cli@VERSION {
        interface environment {
            get-environment: func() -> list<tuple<string, string>>;
            get-arguments: func() -> list<string>;
            initial-cwd: func() -> option<string>;
        }
        interface exit { exit: func(status: result); }
        interface stdin { use wasi:io/streams@VERSION.{input-stream}; get-stdin: func() -> input-stream; }
        interface stdout { use wasi:io/streams@VERSION.{output-stream}; get-stdout: func() -> output-stream; }
        interface stderr { use wasi:io/streams@VERSION.{output-stream}; get-stderr: func() -> output-stream; }
        interface terminal-output { resource terminal-output; }
        interface terminal-stdout {
            use terminal-output.{terminal-output};
            get-terminal-stdout: func() -> option<terminal-output>;
        }
    }
    package wasi:clocks@VERSION {
        interface monotonic-clock {
            use wasi:io/poll@VERSION.{pollable};
            now: func() -> u64;
            subscribe-duration: func(when: u64) -> pollable;
        }
        interface wall-clock {
            record datetime { seconds: u64, nanoseconds: u32 }
            now: func() -> datetime;
        }
    }
    package wasi:filesystem@VERSION {
        interface types { resource descriptor { sync: func() -> result; } }
        interface preopens {
            use types.{descriptor};
            get-directories: func() -> list<tuple<descriptor, string>>;
        }
    }
    package wasi:random@VERSION {
        interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
        interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }
    }
    package wasi:sockets@VERSION {
        interface network { resource network; enum error-code { unknown, access-denied, not-supported } }
        interface instance-network { use network.{network}; instance-network: func() -> network; }
        interface ip-name-lookup {
            use network.{network, error-code};
            resource resolve-address-stream;
            resolve-addresses: func(network: borrow<network>, name: string)
                -> result<resolve-address-stream, error-code>;
        }
    }
";

/// What a test's module may call: `$put` writes `/NAME` of one letter.
const IMPORTS: &str = r#"
    (import "weir:pipeline/edit@0.1.0" "set-integer" (func $set-integer (param i32 i32 i64 i32)))
    (import "wasi:cli/environment@VERSION" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/environment@VERSION" "get-arguments" (func $arguments (param i32)))
    (import "wasi:cli/environment@VERSION" "initial-cwd" (func $cwd (param i32)))
    (import "wasi:cli/exit@VERSION" "exit" (func $exit (param i32)))
    (import "wasi:cli/stdin@VERSION" "get-stdin" (func $stdin (result i32)))
    (import "wasi:cli/stdout@VERSION" "get-stdout" (func $stdout (result i32)))
    (import "wasi:cli/stderr@VERSION" "get-stderr" (func $stderr (result i32)))
    (import "wasi:io/streams@VERSION" "[method]input-stream.read" (func $read (param i32 i64 i32)))
    (import "wasi:io/streams@VERSION" "[method]output-stream.check-write" (func $check-write (param i32 i32)))
    (import "wasi:io/streams@VERSION" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@VERSION" "[resource-drop]output-stream" (func $drop (param i32)))
    (import "wasi:io/poll@VERSION" "poll" (func $poll (param i32 i32 i32)))
    (import "wasi:io/poll@VERSION" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:clocks/monotonic-clock@VERSION" "now" (func $monotonic (result i64)))
    (import "wasi:clocks/monotonic-clock@VERSION" "subscribe-duration" (func $sleep (param i64) (result i32)))
    (import "wasi:clocks/wall-clock@VERSION" "now" (func $wall (param i32)))
    (import "wasi:cli/terminal-stdout@VERSION" "get-terminal-stdout" (func $terminal (param i32)))
    (import "wasi:filesystem/preopens@VERSION" "get-directories" (func $directories (param i32)))
    (import "wasi:random/random@VERSION" "get-random-u64" (func $random (result i64)))
    (import "wasi:random/random@VERSION" "get-random-bytes" (func $random-bytes (param i64 i32)))
    (import "wasi:random/insecure-seed@VERSION" "insecure-seed" (func $seed (param i32)))
    (import "wasi:sockets/instance-network@VERSION" "instance-network" (func $network (result i32)))
    (import "wasi:sockets/ip-name-lookup@VERSION" "resolve-addresses"
        (func $resolve (param i32 i32 i32 i32)))"#;

const ITEMS: &str = r#"
    (func $put (param $name i32) (param $value i64)
        (i32.store8 (i32.const 1024) (i32.const 47))
        (i32.store8 (i32.const 1025) (local.get $name))
        (call $set-integer (i32.const 1024) (i32.const 2) (local.get $value) (i32.const 64)))
    (func $print (param $stream i32) (param $at i32) (param $size i32)
        (call $write (local.get $stream) (local.get $at) (local.get $size) (i32.const 64))
        (call $drop (local.get $stream)))"#;

/// A stage of a module that imports WASI of this version, and does this in `process`.
fn stage(bench: &Bench, version: &str, items: &str, process: &str) -> ModuleSettings {
    let imports = IMPORTS.replace("VERSION", version);
    let process = format!("{process} (i32.const 0)");
    let items = format!("{ITEMS}{items}");
    let guest = Guest { imports: &imports, items: &items, process: &process, ..Guest::default() };
    let module = guest.component_of_wit(&WASI.replace("VERSION", version), "module");
    ModuleSettings { wasi: Wasi::Stub, ..bench.stage_of("it", &module) }
}

fn at(time: &str) -> String {
    event(&format!(r#""lastTimestamp":"{time}""#))
}

#[test]
fn a_module_of_any_wasi_0_2_finds_nothing_behind_it_but_the_events_time() {
    let reports = "
        (call $environment (i32.const 32)) (call $put (i32.const 97) (i64.load32_u (i32.const 36)))
        (call $arguments (i32.const 32)) (call $put (i32.const 98) (i64.load32_u (i32.const 36)))
        (call $cwd (i32.const 32)) (call $put (i32.const 99) (i64.load8_u (i32.const 32)))
        (call $directories (i32.const 32)) (call $put (i32.const 100) (i64.load32_u (i32.const 36)))
        (call $terminal (i32.const 32)) (call $put (i32.const 101) (i64.load8_u (i32.const 32)))
        (call $read (call $stdin) (i64.const 10) (i32.const 32))
        (call $put (i32.const 102)
            (i64.or (i64.shl (i64.load8_u (i32.const 32)) (i64.const 8)) (i64.load8_u (i32.const 36))))
        (call $wall (i32.const 32)) (call $put (i32.const 103) (i64.load (i32.const 32)))
        (call $put (i32.const 104) (i64.load32_u (i32.const 40)))
        (call $put (i32.const 105) (call $monotonic))
        (call $resolve (call $network) (i32.const 1024) (i32.const 2) (i32.const 32))
        (call $put (i32.const 106)
            (i64.or (i64.shl (i64.load8_u (i32.const 32)) (i64.const 8)) (i64.load8_u (i32.const 36))))
        (call $check-write (call $stdout) (i32.const 32)) (call $put (i32.const 107) (i64.load (i32.const 40)))
        (call $put (i32.const 108) (i64.shr_u (call $random) (i64.const 11)))
        (call $block (call $sleep (i64.const 0x7fffffffffffffff)))
        (i32.store (i32.const 1032) (call $sleep (i64.const 1)))
        (call $poll (i32.const 1032) (i32.const 1) (i32.const 32))
        (call $put (i32.const 109) (i64.load32_u (i32.const 36)))
        (call $seed (i32.const 32)) (call $put (i32.const 110) (i64.load (i32.const 32)))";
    let mut random = Vec::new();
    for version in ["0.2.0", "0.2.3", "0.2.6", "0.2.12"] {
        let bench = Bench::new();
        let stage = stage(&bench, version, "", reports);
        let ran = bench
            .run(&[stage], &[vec![at("2026-01-02T03:04:05.678901Z"), at("1969-12-31T23:59:59Z")]]);
        assert!(ran.errors(0).is_empty(), "{:?}", ran.errors(0));
        let of = |document: usize, name: &str| ran.documents[document][name].as_u64().unwrap();
        for nothing in ["a", "b", "c", "d", "e"] {
            assert_eq!(of(0, nothing), 0, "{nothing}");
        }
        assert_eq!(of(0, "f"), 0x101, "stdin is not `closed`");
        assert_eq!(of(0, "j"), 0x102, "looking up a name is not `not-supported`");
        assert_eq!((of(0, "g"), of(0, "h")), (1_767_323_045, 678_901_000));
        assert_eq!(of(0, "i"), 1_767_323_045_678_901_000);
        assert_eq!((of(1, "g"), of(1, "h"), of(1, "i")), (0, 0, 1), "0 is no time to Go");
        assert_eq!((of(0, "k"), of(0, "m")), (4096, 1));
        random.push((of(0, "l"), of(1, "l"), of(0, "n")));
    }
    assert_ne!(random[0].0, random[0].1);
    random.dedup();
    assert_eq!(random.len(), 1, "random numbers differ from run to run");
}

#[test]
fn what_is_written_to_stdout_and_stderr_goes_to_the_log_within_its_bounds() {
    let bench = Bench::new();
    let prints = r#"(data (i32.const 2048) "one\n\ntwo, in\08 pie")
        (data (i32.const 2080) "ces\nfrom stderr\nno end\ff")"#;
    let process = "
        (call $print (call $stdout) (i32.const 2048) (i32.const 17))
        (call $print (call $stdout) (i32.const 2080) (i32.const 4))
        (call $print (call $stderr) (i32.const 2084) (i32.const 19))
        (memory.fill (i32.const 4096) (i32.const 97) (i32.const 1030))
        (call $print (call $stdout) (i32.const 4096) (i32.const 1030))";
    let log = log_of(&bench, stage(&bench, "0.2.6", prints, process), &[vec![event("")]]);
    let log = log.replace(&"a".repeat(1024), "a 1024 times");
    insta::assert_snapshot!(log, @r#"
    INFO one stage="it"
    INFO two, in\u{8} pieces stage="it"
    WARN from stderr stage="it"
    INFO a 1024 times stage="it"
    WARN no end� stage="it"
    "#);
    let process = "(loop $again
        (call $print (call $stdout) (i32.const 2048) (i32.const 4))
        (br_if $again (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))";
    let log = log_of(&bench, stage(&bench, "0.2.6", prints, process), &[vec![event("")]]);
    assert_eq!(log.lines().count(), 16, "{log}");
    let dropped = r#"weir_stage_log_lines_dropped_total{stage="it"} 5"#;
    assert!(bench.metrics.render().contains(dropped), "the end of one, and four of twenty");
}

/// The failure of one event in such a module, and what was logged about it.
fn failure(process: &str) -> String {
    let bench = Bench::new();
    let stage = stage(&bench, "0.2.6", "", process);
    let log = log_of(
        &bench,
        ModuleSettings { memory: 64 << 20, timeout: Duration::from_secs(5), ..stage },
        &[vec![event("")]],
    );
    let counted = r#"weir_stage_failures_total{kind="trap",stage="it"} 1"#;
    assert!(bench.metrics.render().contains(counted), "{log}");
    log.split(" stage=").next().unwrap().trim_start_matches(' ').to_owned()
}

#[test]
fn what_wasi_has_no_error_for_is_a_trap_and_so_is_more_than_the_host_takes() {
    insta::assert_snapshot!(failure("(call $exit (i32.const 0))"), @r#"WARN a call failed: the module called `exit` of wasi:cli/exit: `wasi = "stub"` has nothing behind it"#);
    insta::assert_snapshot!(failure("(call $print (call $stdout) (i32.const 0) (i32.const 4097))"), @"WARN a call failed: the module wrote 4097 bytes at once, and a stream takes 4096");
    insta::assert_snapshot!(failure("(call $random-bytes (i64.const 4097) (i32.const 32))"), @"WARN a call failed: the module asked for 4097 random bytes at once, and 4096 are the most");
    let handles = "(loop $again
        (drop (call $stdout))
        (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 65))))";
    insta::assert_snapshot!(failure(handles), @"WARN a call failed: cannot allocate another handle: store handle limit exceeded");
    let megabytes = "(drop (memory.grow (i32.const 130)))
        (call $resolve (call $network) (i32.const 0) (i32.const 8388608) (i32.const 32))";
    insta::assert_snapshot!(failure(megabytes), @"WARN a call failed: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted");
}

#[test]
fn a_call_that_exits_is_counted_as_a_trap_and_what_it_printed_before_is_logged() {
    let bench = Bench::new();
    let items = r#"(data (i32.const 2048) "so long")"#;
    let process =
        "(call $print (call $stderr) (i32.const 2048) (i32.const 7)) (call $exit (i32.const 1))";
    let log = log_of(&bench, stage(&bench, "0.2.6", items, process), &[vec![event("")]]);
    assert!(log.starts_with(" WARN so long"), "{log}");
    let ran = bench.run(&[stage(&bench, "0.2.6", items, process)], &[vec![event("")]]);
    assert_eq!(ran.errors(0), ["it trap"]);
    assert_eq!(ran.chain.0.stages[0].failures(FailureKind::Trap), 2);
}

#[test]
fn without_the_key_a_module_that_imports_wasi_is_refused_and_told_of_it() {
    let bench = Bench::new();
    let stage = ModuleSettings {
        wasi: Wasi::None,
        ..stage(&bench, "0.2.6", "", "(call $exit (i32.const 0))")
    };
    let errors = bench.load(&[stage]).map(|_| ()).unwrap_err();
    let text = errors[0].to_string();
    assert!(text.contains("`wasi:cli/exit@0.2.6` (exit): modules get no WASI"), "{text}");
    assert!(text.contains(r#"or set `wasi = "stub"` in its [[stage]]"#), "{text}");
}

#[test]
fn other_wasi_is_refused_with_the_key_too() {
    let wit = "
        package acme:it;
        world module {
            import wasi:http/types@0.2.6;
            import wasi:cli/environment@0.3.0;
            import wasi:cli/stdout@0.2.0-rc-2023-12-05;
            import wasi:random/random@0.2.6;
            import weir:pipeline/event@0.1.0;
            export weir:pipeline/stage@0.1.0;
        }
        package wasi:http@0.2.6 { interface types { resource fields { count: func() -> u32; } } }
        package wasi:cli@0.3.0 { interface environment { get-arguments: func() -> list<string>; } }
        package wasi:cli@0.2.0-rc-2023-12-05 { interface stdout { get-stdout: func() -> u32; } }
        package wasi:random@0.2.6 { interface random { get-random-u64: func() -> string; } }
        package weir:pipeline@0.1.0 {
            interface event { reason: func() -> string; }
            interface stage { configure: func(config: string) -> result<_, string>; process: func() -> result; } }
    ";
    let refusal = |wit: &str| {
        let bench = Bench::new();
        let stage = bench.stage_of("it", &modules::of_wit(wit, "module"));
        let errors =
            bench.load(&[ModuleSettings { wasi: Wasi::Stub, ..stage }]).map(|_| ()).unwrap_err();
        errors[0].to_string().replace(&format!("{}/", bench.folder.path().display()), "")
    };
    insta::assert_snapshot!(refusal(wit), @r#"
    stage `it`: it.wasm: it imports what modules do not get:
      `wasi:http/types@0.2.6` ([method]fields.count): of WASI, `wasi = "stub"` has cli, clocks, filesystem, io, random and sockets in version 0.2
      `wasi:cli/environment@0.3.0` (get-arguments): of WASI, `wasi = "stub"` has cli, clocks, filesystem, io, random and sockets in version 0.2
      `wasi:cli/stdout@0.2.0-rc-2023-12-05` (get-stdout): of WASI, `wasi = "stub"` has cli, clocks, filesystem, io, random and sockets in version 0.2
    "#);
    let only_random = |line: &&str| !line.contains("import wasi:") || line.contains("random");
    let random = wit.lines().filter(only_random).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(refusal(&random), @"stage `it`: it.wasm: a function that it imports has another type than this weir's: component imports instance `wasi:random/random@0.2.6`, but a matching implementation was not found in the linker: instance export `get-random-u64` has the wrong type: type mismatch with results: expected `u64` found `string`: build the module with this weir's SDK");
}
