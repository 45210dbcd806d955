//! Signals at every moment of a run.

use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::compile::{LINES, hard_to_compile};
use crate::support::{Folder, finish, until};

const EVENT: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a","namespace":"b","uid":"u","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"Failed","type":"Warning","lastTimestamp":"2026-01-02T03:04:05Z"}"#;

fn start(folder: &Folder) -> Child {
    let mut command = folder.command(&["run", "--config", "pipeline.toml"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
}

/// What the kernel says of a process behind its name: its state, its parent and so on; nothing, if
/// there is no such process. See <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
fn stat(process: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').map(str::to_owned).collect()
}

/// CPU time that it has used, in hundredths of a second.
fn cpu(process: u32) -> u32 {
    stat(process).get(11).map_or(0, |time| time.parse().unwrap())
}

/// The processes that this one has started, and that have not ended.
fn children(of: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |number: &u32| {
        is_there(*number) && stat(*number).get(1).is_some_and(|parent| *parent == of.to_string())
    };
    numbers.filter(is_child).collect()
}

fn is_there(process: u32) -> bool {
    !matches!(stat(process)[0].as_str(), "" | "Z")
}

/// How long the module takes to compile, at the very least.
const COMPILING: Duration = Duration::from_secs(8);

/// A run that compiles for so long, and the child that does it.
fn compiling() -> (Folder, Child, u32) {
    let folder = Folder::with(&[(
        "pipeline.toml",
        "name = 'stops'\ncache = 'cache'\nsource = { kind = 'stdin' }\nsink = { kind = 'stdout' }\n[[stage]]\nname = 'hard'\nmodule = 'hard.wasm'\n",
    )]);
    folder.write("hard.wasm", hard_to_compile(4 * LINES));
    let weir = start(&folder);
    let mut found = Vec::new();
    until("it compiles, and does not read any more", || {
        found = children(weir.id());
        found.first().is_some_and(|compiler| cpu(*compiler) > 50)
    });
    (folder, weir, found[0])
}

fn left_in_cache(folder: &Folder) -> usize {
    std::fs::read_dir(folder.path().join("cache/compiled")).unwrap().count()
}

#[test]
fn a_stop_while_a_module_is_compiled_ends_the_run_well_and_at_once_and_leaves_nothing() {
    for stop in [Signal::TERM, Signal::INT] {
        let (folder, weir, compiler) = compiling();
        signal(&weir, stop);
        let output = finish(weir);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(stderr.lines().last().unwrap().starts_with("ledger received=0 "), "{stderr}");
        assert!(!is_there(compiler), "it is ended, and waited for");
        assert_eq!(left_in_cache(&folder), 0);
    }
}

#[test]
fn a_kill_while_a_module_is_compiled_ends_the_child_too_and_leaves_nothing() {
    let (folder, weir, compiler) = compiling();
    let begin = Instant::now();
    signal(&weir, Signal::KILL);
    finish(weir);
    until("the child has ended", || !is_there(compiler));
    // It has the signal by the time at which its parent can be waited for.
    assert!(begin.elapsed() < COMPILING / 4, "it ended because it had compiled");
    assert_eq!(left_in_cache(&folder), 0);
}

#[test]
fn a_hangup_has_the_sinks_file_opened_again_and_ends_nothing() {
    let folder = Folder::with(&[
        (
            "pipeline.toml",
            "name = 'hup'\nsource = { kind = 'file', path = 'in', follow = true }\nsink = { kind = 'file', path = 'out' }\n",
        ),
        ("in", ""),
    ]);
    let weir = start(&folder);
    let append = || {
        let file = std::fs::OpenOptions::new().append(true).open(folder.path().join("in"));
        writeln!(file.unwrap(), "{EVENT}").unwrap();
    };
    append();
    until("the first is written", || folder.read("out").lines().count() == 1);
    std::fs::rename(folder.path().join("out"), folder.path().join("out.1")).unwrap();
    signal(&weir, Signal::HUP);
    append();
    until("the second is written", || folder.read("out").lines().count() == 1);
    signal(&weir, Signal::HUP);
    append();
    until("the third is written", || folder.read("out").lines().count() == 2);
    signal(&weir, Signal::TERM);
    let output = finish(weir);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("delivered=3 "), "{stderr}");
    assert_eq!(folder.read("out.1").lines().count(), 1);
    // The second time for no other reason than the signal.
    assert_eq!(stderr.matches("the sink's file is opened again").count(), 2, "{stderr}");
}

/// A run whose API server's credentials come from a program that does not end.
fn waiting_for_a_plugin(folder: &Folder) -> Child {
    let mut command = folder.command(&["run", "--config", "pipeline.toml"]);
    command.env("KUBECONFIG", folder.path().join("kubeconfig"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.unwrap()
}

#[test]
fn a_stop_while_a_credential_plugin_hangs_ends_the_run_well_and_at_once() {
    let folder = Folder::with(&[
        (
            "pipeline.toml",
            "name = 'stops'\nsource = { kind = 'kubernetes' }\nsink = { kind = 'stdout' }\n\
             dead_letter = { path = 'letters' }\n",
        ),
        (
            "kubeconfig",
            "current-context: c\n\
             contexts: [{name: c, context: {cluster: c, user: u}}]\n\
             clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
             users: [{name: u, user: {exec: {command: sleep, args: ['600']}}}]\n",
        ),
    ]);
    let weir = waiting_for_a_plugin(&folder);
    let mut found = Vec::new();
    until("the plugin is asked", || {
        found = children(weir.id());
        !found.is_empty()
    });
    let begin = Instant::now();
    signal(&weir, Signal::TERM);
    let output = finish(weir);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{stderr}");
    until("the plugin has ended", || !is_there(found[0]));
}
