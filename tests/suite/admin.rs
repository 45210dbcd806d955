//! The admin port, and those who can reach it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::support::{Folder, finish, until};

const EVENT: &str = r#"{"kind":"Event","metadata":{"name":"a","namespace":"b","uid":"u","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"p"},"reason":"Failed","type":"Warning","lastTimestamp":"2026-01-02T03:04:05Z"}"#;

/// The file descriptors that weir may have: few, so that what takes them all is seen.
const DESCRIPTORS: u64 = 128;
const CONNECTIONS: usize = 10_000;

/// weir with so few descriptors; its log goes to `log`.
fn limited(folder: &Folder) -> Command {
    let weir = folder.command(&["run", "--config", "pipeline.toml"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$@\""), "sh"])
        .arg(weir.get_program())
        .args(weir.get_args())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.path().join("log")).unwrap());
    limited
}

fn address(folder: &Folder) -> Option<String> {
    let log = folder.read("log");
    let (_, rest) = log.split_once("\"address\":\"")?;
    rest.split_once('"').map(|(address, _)| address.to_owned())
}

#[test]
fn ten_thousand_idle_connections_do_not_keep_events_from_being_delivered() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(500);
    let connections = CONNECTIONS.min(usize::try_from(most).unwrap());

    let folder = Folder::with(&[(
        "pipeline.toml",
        "name = 'p'\nsource = { kind = 'file', path = 'in', follow = true }\nbuffer = { path = 'spool' }\n\
         sink = { kind = 'file', path = 'out' }\nadmin = { listen = '127.0.0.1:0' }\n",
    )]);
    folder.write("in", "");
    let weir = limited(&folder).spawn().unwrap();
    until("it listens", || address(&folder).is_some());
    let address = address(&folder).unwrap();

    let mut idle = Vec::new();
    for number in 0..connections {
        let mut stream = TcpStream::connect(&address).unwrap();
        if number % 2 == 0 {
            // It may be gone already.
            let _ = stream.write_all(b"GET /livez HTTP/1.1\r\n");
        }
        idle.push(stream);
        if number % (connections / 10) == 0 {
            let mut events =
                OpenOptions::new().append(true).open(folder.path().join("in")).unwrap();
            writeln!(events, "{EVENT}").unwrap();
        }
    }
    until("what came meanwhile is delivered", || folder.read("out").lines().count() >= 10);
    let mut probe = TcpStream::connect(&address).unwrap();
    probe.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n"), "{answer}");

    kill_process(Pid::from_raw(weir.id() as i32).unwrap(), Signal::TERM).unwrap();
    assert_eq!(finish(weir).status.code(), Some(0), "{}", folder.read("log"));
    assert!(!folder.read("log").contains("Too many open files"), "{}", folder.read("log"));
}
