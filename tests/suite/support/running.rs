//! A weir that follows a file, for tests that need no server.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Folder, finish, until};

/// weir with its log in `log`.
pub(crate) struct Running<'f> {
    pub(crate) folder: &'f Folder,
    pub(crate) weir: Child,
    pub(crate) address: String,
}

impl<'f> Running<'f> {
    /// It follows the file `in` and writes to `out`. `top`: keys of the top level; `stages`: all
    /// `[[stage]]`.
    pub(crate) fn start(folder: &'f Folder, top: &str, stages: &str) -> Running<'f> {
        Running::with(folder, configuration(top, "out", stages))
    }

    /// The same; its admin address shows events.
    pub(crate) fn showing_events(folder: &'f Folder, stages: &str) -> Running<'f> {
        let (hidden, shown) = ("127.0.0.1:0'", "127.0.0.1:0', show_events = true");
        Running::with(folder, configuration("", "out", stages).replace(hidden, shown))
    }

    fn with(folder: &'f Folder, configuration: String) -> Running<'f> {
        folder.write("in", "");
        folder.write("pipeline.toml", configuration);
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = folder.command(&["run", "--config", "pipeline.toml"]);
        Running::of(folder, command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    pub(crate) fn of(folder: &'f Folder, weir: Child) -> Running<'f> {
        let address = |log: &str| {
            let line = log.lines().find(|line| line.contains("serving /metrics"))?;
            let (_, rest) = line.split_once("\"address\":\"")?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        until("it listens", || address(&folder.read("log")).is_some());
        let address = address(&folder.read("log")).unwrap();
        Running { folder, weir, address }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics");
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}")).rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    pub(crate) fn event(&self, name: &str, event_type: &str, reason: &str) {
        let mut events =
            OpenOptions::new().append(true).open(self.folder.path().join("in")).unwrap();
        writeln!(
            events,
            r#"{{"kind":"Event","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"n","uid":"{name}","resourceVersion":"1"}},"involvedObject":{{"kind":"Pod","name":"p"}},"type":"{event_type}","reason":"{reason}","lastTimestamp":"2026-01-02T03:04:05Z"}}"#
        )
        .unwrap();
    }

    /// One event that everything passes, and whatever was sent before it has its outcome then.
    pub(crate) fn pass(&self, name: &str) {
        self.event(name, "Warning", "Passes");
        let member = format!("\"name\":\"{name}\"");
        until("it is delivered", || self.folder.read("out").contains(&member));
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let out = self.folder.read("out");
        let name = |line: &str| {
            let document: serde_json::Value = serde_json::from_str(line).unwrap();
            document["metadata"]["name"].as_str().unwrap().to_owned()
        };
        out.lines().map(name).collect()
    }

    /// The most memory that was ever resident.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.weir.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.weir.id() as i32).unwrap(), signal).unwrap();
    }

    pub(crate) fn end(self) {
        self.signal(Signal::TERM);
        assert_eq!(finish(self.weir).status.code(), Some(0), "{}", self.folder.read("log"));
    }
}

/// A pipeline from the file `in` to the file `out`.
pub(crate) fn configuration(top: &str, out: &str, stages: &str) -> String {
    format!(
        "name = 'p'\ncache = 'cache'\n{top}\n\
         source = {{ kind = 'file', path = 'in', follow = true }}\nbuffer = {{ path = 'spool' }}\n\
         sink = {{ kind = 'file', path = '{out}' }}\nadmin = {{ listen = '127.0.0.1:0' }}\n{stages}"
    )
}
