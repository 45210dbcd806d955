//! A module's deadline is CPU time: a process that the kernel stops most of the time, as under a CPU quota, does
//! not lose healthy modules.

#![allow(clippy::unwrap_used)] // A test that cannot be set up fails.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

#[allow(dead_code)] // Shared with other test crates, which use other parts.
#[path = "support/modules.rs"]
mod modules;

use modules::Guest;

/// Some milliseconds of CPU time a call: far below the deadline of 50 ms, far above it when 19 of 20 are taken away.
const BUSY: Guest<'static> = Guest {
    imports: "",
    items: "",
    configure: "",
    process: "(loop $again
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 20000000))))
        (i32.const 0)",
};
const EVENTS: usize = 20;
/// Of every 50 ms, 2.5 ms run.
const RUN: Duration = Duration::from_micros(2_500);
const STOPPED: Duration = Duration::from_micros(47_500);

#[test]
fn a_healthy_module_under_a_twentieth_of_a_core_is_not_timed_out() {
    let folder = tempfile::tempdir().unwrap();
    write_pipeline(folder.path());
    // Once at full speed: the module is compiled, and its calls are shown to be healthy.
    let output = start(folder.path()).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(folder.path().join("out.ndjson")).unwrap();

    let mut child = start(folder.path());
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    while child.try_wait().unwrap().is_none() {
        std::thread::park_timeout(RUN);
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::STOP);
        std::thread::park_timeout(STOPPED);
        let _ = kill_process(pid, Signal::CONT);
    }
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let documents = std::fs::read_to_string(folder.path().join("out.ndjson")).unwrap();
    assert_eq!(documents.lines().count(), EVENTS, "{log}");
    assert!(!documents.contains(r#""weir":{"errors""#), "{log}");
    assert!(!log.contains("timeout"), "{log}");
}

fn write_pipeline(folder: &Path) {
    std::fs::write(folder.join("busy.wasm"), BUSY.component()).unwrap();
    let events: String = (0..EVENTS).map(|n| modules::event(n, "Warning", "BackOff") + "\n").collect();
    std::fs::write(folder.join("events.jsonl"), events).unwrap();
    let config = "name = \"quota\"\nworkers = 1\ncache = \"cache\"\n[source]\nkind = \"file\"\npath = \"events.jsonl\"\n\
                  [[stage]]\nname = \"busy\"\nmodule = \"busy.wasm\"\n[sink]\nkind = \"file\"\npath = \"out.ndjson\"\n";
    std::fs::write(folder.join("pipeline.toml"), config).unwrap();
}

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--config"])
        .arg(folder.join("pipeline.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
