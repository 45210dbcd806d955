//! A module's deadline is CPU time: a process that is stopped most of the time, by signals or by a
//! CPU quota, does not lose healthy modules.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::finish;
use crate::support::modules::{self, Guest};

/// Some milliseconds of CPU time a call: far below the deadline of 50 ms, far above it when 19 of
/// 20 are taken away.
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
fn a_healthy_module_that_is_stopped_nineteen_twentieths_of_the_time_is_not_timed_out() {
    let folder = warm();
    let mut child = start(folder.path());
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    while child.try_wait().unwrap().is_none() {
        std::thread::park_timeout(RUN);
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::STOP);
        std::thread::park_timeout(STOPPED);
        let _ = kill_process(pid, Signal::CONT);
    }
    is_healthy(folder.path(), child);
}

#[test]
fn a_healthy_module_under_a_cpu_quota_of_a_twentieth_of_a_core_is_not_timed_out() {
    let Some(quota) = Quota::new() else {
        eprintln!(
            "skipped: this process may not make a cgroup with a CPU quota; the test beside this one needs none"
        );
        return;
    };
    let folder = warm();
    let child = start(folder.path());
    quota.hold(&child);
    is_healthy(folder.path(), child);
    assert!(quota.has_throttled(), "the quota was never used up: this proves nothing");
}

/// A control group with a twentieth of a core: 5 ms in every 100 ms.
struct Quota(PathBuf);

impl Quota {
    /// Of whichever version is mounted, where this process may make one
    /// (<https://docs.kernel.org/scheduler/sched-bwc.html>, <https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu>).
    fn new() -> Option<Quota> {
        let name = format!("weir-quota-{}", std::process::id());
        let versions = [
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "5000"),
            ("/sys/fs/cgroup", "cpu.max", "5000 100000"),
        ];
        versions.into_iter().find_map(|(root, file, most)| {
            let quota = Quota(Path::new(root).join(&name));
            std::fs::create_dir(&quota.0).ok()?;
            // A folder that is no control group has no such file.
            let file = OpenOptions::new().write(true).open(quota.0.join(file));
            file.and_then(|mut file| file.write_all(most.as_bytes())).ok().map(|()| quota)
        })
    }

    fn hold(&self, child: &Child) {
        std::fs::write(self.0.join("cgroup.procs"), child.id().to_string()).unwrap();
    }

    fn has_throttled(&self) -> bool {
        let stat = std::fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        stat.lines()
            .any(|line| line.strip_prefix("nr_throttled ").is_some_and(|count| count != "0"))
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // It is empty when its process has ended; one that stays behind costs nothing.
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A folder with a pipeline that has run once at full speed: its module is compiled, and its calls
/// were healthy.
fn warm() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_pipeline(folder.path());
    let output = finish(start(folder.path()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_file(folder.path().join("out.ndjson")).unwrap();
    folder
}

fn is_healthy(folder: &Path, child: Child) {
    let output = finish(child);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let documents = std::fs::read_to_string(folder.join("out.ndjson")).unwrap();
    assert_eq!(documents.lines().count(), EVENTS, "{log}");
    assert!(!documents.contains(r#""weir":{"errors""#), "{log}");
    assert!(!log.contains("timeout"), "{log}");
}

fn write_pipeline(folder: &Path) {
    std::fs::write(folder.join("busy.wasm"), BUSY.component()).unwrap();
    let events: String =
        (0..EVENTS).map(|n| modules::event(n, "Warning", "BackOff") + "\n").collect();
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
