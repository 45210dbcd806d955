//! Stages and modules that change while weir runs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::modules::{DROP_NORMAL, Guest};
use crate::support::{Folder, Running, configuration, until};

fn drops(reason: &str) -> String {
    format!("[[stage]]\nname = 'noise'\ndrop = true\nmatch = {{ reason = ['{reason}'] }}\n")
}

#[test]
fn a_changed_file_is_taken_up_and_a_wrong_one_or_one_that_needs_a_restart_is_not() {
    let folder = Folder::new();
    let weir = Running::start(&folder, "", &drops("A"));
    weir.event("a1", "Warning", "A");
    weir.pass("first");
    assert_eq!(weir.metric("weir_config_generation"), 1);

    weir.folder.write("pipeline.toml", configuration("", "out", &drops("B")));
    until("it is taken up", || weir.metric("weir_config_generation") == 2);
    weir.event("a2", "Warning", "A");
    weir.event("b2", "Warning", "B");
    weir.pass("second");
    assert_eq!(weir.names(), ["first", "a2", "second"]);
    let applied = "weir_config_swaps_total{result=\"applied\"}";
    let refused = "weir_config_swaps_total{result=\"refused\"}";
    assert_eq!((weir.metric(applied), weir.metric(refused)), (1, 0));

    weir.folder.write("pipeline.toml", configuration("", "out", "[[stage]]\nname = 'noise'\n"));
    until("it is refused", || weir.metric(refused) == 1);
    let ready = weir.get("/readyz?verbose");
    assert!(ready.starts_with("HTTP/1.0 200") || ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains("modules: ok (the last change is refused: "), "{ready}");
    assert!(ready.contains("pipeline.toml:"), "{ready}");
    weir.event("b3", "Warning", "B");
    weir.pass("third");

    weir.folder.write("pipeline.toml", configuration("workers = 2", "other", &drops("C")));
    until("it says so", || weir.metric("weir_config_restart_needed") == 1);
    assert_eq!((weir.metric(applied), weir.metric(refused)), (1, 2));
    let ready = weir.get("/readyz?verbose");
    assert!(
        ready.contains("modules: ok (the change of sink.path, workers needs a restart)"),
        "{ready}"
    );
    weir.event("b4", "Warning", "B");
    weir.event("c4", "Warning", "C");
    weir.pass("fourth");
    assert_eq!(weir.names(), ["first", "a2", "second", "third", "c4", "fourth"]);

    let remark = format!("# a remark\n{}", configuration("", "out", &drops("B")));
    weir.folder.write("pipeline.toml", &remark);
    until("it is as it was", || weir.metric("weir_config_restart_needed") == 0);
    assert_eq!(weir.metric("weir_config_generation"), 2, "modules keep what they remember");

    weir.folder.write("pipeline.toml", configuration("", "out", &drops("C")));
    until("it is taken up", || weir.metric("weir_config_generation") == 3);
    assert_eq!(weir.metric("weir_config_restart_needed"), 0);
    assert!(weir.get("/readyz?verbose").contains("modules: ok\n"));
    weir.end();
    assert!(folder.read("log").contains("ledger received=10 "), "{}", folder.read("log"));
}

#[test]
fn a_changed_module_is_taken_up_at_a_hangup_and_one_that_fails_on_recent_events_is_refused() {
    let stages = "[[stage]]\nname = 'filter'\nmodule = 'filter.wasm'\n";
    let folder = Folder::new();
    folder.write("filter.wasm", Guest::default().component());
    let weir = Running::start(&folder, "reload = 'signal'", stages);
    weir.event("n1", "Normal", "Pulled");
    weir.pass("first");
    assert_eq!(weir.names(), ["n1", "first"]);

    weir.folder
        .write("filter.wasm", Guest { process: "(unreachable)", ..Guest::default() }.component());
    weir.signal(Signal::HUP);
    let refused = "weir_config_swaps_total{result=\"refused\"}";
    until("it is refused", || weir.metric(refused) == 1);
    let ready = weir.get("/readyz?verbose");
    assert!(ready.contains("stage `filter` failed (trap) on "), "{ready}");
    weir.pass("second");
    assert!(!weir.folder.read("out").contains("errors"), "the old one goes on");

    weir.folder.write("filter.wasm", DROP_NORMAL.component());
    weir.signal(Signal::HUP);
    until("it is taken up", || weir.metric("weir_config_generation") == 2);
    weir.event("n3", "Normal", "Pulled");
    weir.pass("third");
    assert_eq!(weir.names(), ["n1", "first", "second", "third"]);
    weir.signal(Signal::HUP);
    weir.pass("fourth");
    assert_eq!(weir.metric("weir_config_generation"), 2, "nothing has changed");
    weir.end();
}

/// Appends this to `/tags`.
fn tags(tag: &str) -> Vec<u8> {
    let items = format!(r#"(data (i32.const 1024) "/tags{tag}")"#);
    let process = format!(
        "(call $append (i32.const 1024) (i32.const 5) (i32.const 1029) (i32.const {}) \
         (i32.const 32)) (i32.load8_u (i32.const 32))",
        tag.len()
    );
    let imports = r#"(import "weir:pipeline/edit@0.1.0" "append-string" (func $append (param i32 i32 i32 i32 i32)))"#;
    Guest { imports, items: &items, process: &process, configure: "" }.component()
}

/// Writes events to weir's stdin until it is told to end, so many a second. Answers how many.
fn feed(mut stdin: ChildStdin, a_second: usize, is_over: &AtomicBool) -> usize {
    let (began, mut sent) = (Instant::now(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * a_second as f64) as usize;
        let mut lines = String::new();
        for number in sent..due {
            let pod = number % 100;
            lines += &format!(
                r#"{{"kind":"Event","apiVersion":"v1","metadata":{{"name":"e{number}","namespace":"n","uid":"u{number}","resourceVersion":"1"}},"involvedObject":{{"kind":"Pod","name":"p{pod}"}},"type":"Warning","reason":"Failed","message":"as many events have a message of about this length, or of twice that","lastTimestamp":"2026-01-02T03:04:05Z"}}"#
            );
            lines.push('\n');
        }
        stdin.write_all(lines.as_bytes()).unwrap();
        sent = due;
        std::thread::park_timeout(Duration::from_millis(5));
    }
    sent
}

/// Reads documents to their end: which generations they passed, how many of each event.
fn read_all(stdout: ChildStdout) -> (BTreeMap<String, u64>, Vec<u8>) {
    let (mut generations, mut seen) = (BTreeMap::new(), Vec::new());
    for line in BufReader::new(stdout).lines() {
        let document: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let tags = document["tags"].as_array().unwrap();
        assert!(tags.len() == 2 && tags[0] == tags[1], "it passed parts of two: {document}");
        *generations.entry(tags[0].as_str().unwrap().to_owned()).or_default() += 1;
        let number: usize = document["metadata"]["name"].as_str().unwrap()[1..].parse().unwrap();
        seen.resize(seen.len().max(number + 1), 0);
        seen[number] += 1;
    }
    (generations, seen)
}

/// `WEIR_TEST_SWAPS` times; a few times without it. `make soak-swap` swaps a thousand times.
#[test]
fn swaps_under_ten_thousand_events_a_second_lose_and_double_none() {
    const MODULES: usize = 10;
    let swaps = std::env::var("WEIR_TEST_SWAPS").map_or(20, |swaps| swaps.parse().unwrap());
    let folder = Folder::new();
    let take = |number: usize| {
        for stage in ["first", "second"] {
            let (module, beside) = (format!("{stage}.wasm"), folder.path().join("beside"));
            std::fs::write(&beside, tags(&format!("g{}", number % MODULES))).unwrap();
            std::fs::rename(&beside, folder.path().join(module)).unwrap();
        }
    };
    take(0);
    folder.write(
        "pipeline.toml",
        "name = 'p'\ncache = 'cache'\nreload = 'signal'\nworkers = 2\nsource = { kind = 'stdin' }\n\
         sink = { kind = 'stdout' }\nadmin = { listen = '127.0.0.1:0' }\n\
         [[stage]]\nname = 'first'\nmodule = 'first.wasm'\n\
         [[stage]]\nname = 'second'\nmodule = 'second.wasm'\n",
    );
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = folder.command(&["run", "--config", "pipeline.toml"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    let mut weir = command.spawn().unwrap();
    let (stdin, stdout) = (weir.stdin.take().unwrap(), weir.stdout.take().unwrap());
    let mut running = Running::of(&folder, weir);
    until("it is ready", || running.get("/readyz").contains(" 200 "));

    let is_over = AtomicBool::new(false);
    let (sent, (generations, seen)) = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(stdin, 10_000, &is_over));
        let reading = scope.spawn(|| read_all(stdout));
        for swap in 1..=swaps {
            take(swap);
            running.signal(Signal::HUP);
            until("it is taken up", || running.metric("weir_config_generation") == swap as u64 + 1);
        }
        is_over.store(true, Ordering::Relaxed);
        (feeding.join().unwrap(), reading.join().unwrap())
    });
    assert_eq!(seen.len(), sent);
    assert!(seen.iter().all(|times| *times == 1), "each once");
    assert!(generations.len() > MODULES / 2, "{generations:?}");
    assert_eq!(running.weir.wait().unwrap().code(), Some(0), "{}", folder.read("log"));
    let ledger = format!("ledger received={sent} recovered=0 replayed=0 delivered={sent} ");
    assert!(folder.read("log").contains(&ledger), "{}", folder.read("log"));
    eprintln!("{swaps} swaps under {sent} events: {generations:?}");
}
