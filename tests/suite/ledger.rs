//! The last line of a run that failed or was cut short still accounts for every event.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{finish, until};

const EVENT: &str = r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a","namespace":"b","uid":"u","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"Failed","type":"Warning","lastTimestamp":"2026-01-02T03:04:05Z"}"#;

fn pipeline(folder: &Path, source: &str, sink: &str) -> Command {
    let config = folder.join("pipeline.toml");
    std::fs::write(
        &config,
        format!("name = \"t\"\nworkers = 2\n[source]\n{source}\n[sink]\n{sink}\n"),
    )
    .unwrap();
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
    weir.args(["run", "--config"]).arg(&config).stdin(Stdio::null()).stderr(Stdio::piped());
    weir
}

/// What a run that fails says on stderr.
fn failed(weir: &mut Command) -> String {
    let output = finish(weir.spawn().unwrap());
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// The counts of the last line, by name.
fn ledger(stderr: &str) -> impl Fn(&str) -> u64 {
    let line =
        stderr.lines().last().unwrap().strip_prefix("ledger ").expect("a ledger line").to_owned();
    move |name: &str| {
        let count = line.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        count.unwrap().parse().unwrap()
    }
}

fn assert_balanced(stderr: &str) {
    let of = ledger(stderr);
    let settled = of("delivered") + of("filtered") + of("dead_lettered");
    assert_eq!(of("received"), settled + of("in_flight"), "{stderr}");
}

#[test]
fn a_sink_that_cannot_be_written_leaves_its_events_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), format!("{EVENT}\n").repeat(5000)).unwrap();
    let mut weir = pipeline(folder.path(), "kind = \"file\"\npath = \"in\"", "kind = \"stdout\"");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let stderr = failed(weir.stdout(full));
    assert_balanced(&stderr);
    assert_eq!(ledger(&stderr)("delivered"), 0);
    assert!(ledger(&stderr)("in_flight") > 0);
}

#[test]
fn a_dead_letter_without_a_place_stops_the_run_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), format!("{EVENT}\nnot json\n{EVENT}\n")).unwrap();
    let mut weir = pipeline(
        folder.path(),
        "kind = \"file\"\npath = \"in\"",
        "kind = \"file\"\npath = \"out\"",
    );
    let stderr = failed(&mut weir);
    assert_balanced(&stderr);
    assert!(ledger(&stderr)("in_flight") >= 1);
    assert!(stderr.contains("dead_letter.path"), "{stderr}");
}

fn metrics(port: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_second_signal_ends_at_once_and_says_what_was_left() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), format!("{EVENT}\n").repeat(5000)).unwrap();
    // Nobody listens there: a drain cannot end.
    let sink = "kind = \"opensearch\"\nhosts = [\"http://127.0.0.1:1\"]\n[admin]\nlisten = \"127.0.0.1:0\"";
    let mut child =
        pipeline(folder.path(), "kind = \"file\"\npath = \"in\"", sink).spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32).unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut read_to = |what: &str| {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before `{what}`");
        }
        line
    };
    let serving = read_to("serving /metrics");
    let port = serving.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap();
    until("all are in flight", || metrics(port).contains("weir_events_in_flight 5000"));
    kill_process(pid, Signal::TERM).unwrap();
    read_to("a second signal ends at once");
    kill_process(pid, Signal::TERM).unwrap();
    let last = read_to("ledger received=");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_balanced(&last);
    assert_eq!(ledger(&last)("in_flight"), 5000);
}
