//! weir's lives: the real binary, started and killed; what each counted, as long as it could be asked.
//!
//! One weir at a time. When the Lease can be had, this is where the second replica goes: a `Fleet` of two, whose lane kills
//! the one that `/readyz?verbose` says is the leader.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::eventually;
use crate::links::{Link, Links};
use crate::load::NAMESPACES;
use crate::oracle::Gap;
use crate::plan::Scale;
use crate::reference::History;
use crate::search::INDEX_PREFIX;
use crate::servers::{Servers, repository};

/// How often the living one is asked.
const READING_INTERVAL: Duration = Duration::from_millis(50);

/// What one life has counted, when it was last asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) number: usize,
    log: PathBuf,
    /// 0: it never answered.
    pub(crate) readings: u64,
    pub(crate) received: u64,
    pub(crate) recovered: u64,
    pub(crate) created: u64,
    pub(crate) duplicates: u64,
    pub(crate) in_flight: u64,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    lives: Vec<Life>,
    kills: u64,
    drains: u64,
    problems: Vec<String>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    admin: Option<String>,
}

pub(crate) struct Fleet {
    folder: PathBuf,
    weir: PathBuf,
    kubeconfig: PathBuf,
    logs: PathBuf,
    state: Arc<Mutex<State>>,
    reader: JoinHandle<()>,
}

impl Fleet {
    pub(crate) fn new(scale: &Scale, servers: &Servers, links: &Links) -> Fleet {
        let folder = servers.folder().join("weir");
        std::fs::create_dir(&folder).unwrap();
        let namespaces: &[&str] = if scale.is_one_scope() { &[] } else { &NAMESPACES };
        std::fs::write(folder.join("pipeline.toml"), config(namespaces, links.address(Link::OpenSearch)))
            .unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        // `make chaos` runs a release build under the same driver.
        let weir = std::env::var_os("WEIR_CHAOS_WEIR")
            .map_or_else(|| env!("CARGO_BIN_EXE_weir").into(), PathBuf::from);
        Fleet {
            folder,
            weir,
            kubeconfig: servers.kubeconfig_through(links.address(Link::ApiServer)),
            logs: servers.log("weir").parent().unwrap().to_owned(),
            reader: tokio::spawn(read_for_ever(state.clone())),
            state,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A new life.
    pub(crate) fn start(&self) {
        let mut state = self.lock();
        assert!(state.running.is_none(), "weir runs already");
        let number = state.lives.len() + 1;
        let log = self.logs.join(format!("weir-{number}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = Command::new(&self.weir)
            .args(["run", "--config"])
            .arg(self.folder.join("pipeline.toml"))
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        // As `Servers::adopt` does: it ends with the servers.
        let pids = self.logs.parent().unwrap().join("pids");
        let line = format!("weir-{number} {}\n", child.id());
        let mut pids = std::fs::OpenOptions::new().append(true).open(pids).unwrap();
        std::io::Write::write_all(&mut pids, line.as_bytes()).unwrap();
        state.lives.push(Life { number, log, ..Life::default() });
        state.running = Some(Running { child, admin: None });
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        let mut state = self.lock();
        let Some(mut running) = state.running.take() else { return };
        match running.child.try_wait().unwrap() {
            Some(status) => state.ended_by_itself(status),
            None => {
                running.child.kill().unwrap();
                running.child.wait().unwrap();
                state.kills += 1;
            }
        }
    }

    /// SIGTERM; whether it ends in good order before [`kill`](Fleet::kill) is not said.
    pub(crate) fn terminate(&self) {
        let mut state = self.lock();
        let Some(running) = &mut state.running else { return };
        match running.child.try_wait().unwrap() {
            Some(status) => {
                state.running = None;
                state.ended_by_itself(status);
            }
            None => running.signal(Signal::TERM),
        }
    }

    /// After [`terminate`](Fleet::terminate): SIGKILL where the drain is not over.
    pub(crate) fn kill_in_the_drain(&self) {
        let ended = self.lock().running.as_mut().and_then(|running| running.child.try_wait().unwrap());
        let Some(status) = ended else { return self.kill() };
        let mut state = self.lock();
        state.running = None;
        state.drains += 1;
        // Killed by SIGTERM: it had not come so far as to handle it.
        if !status.success() && status.signal() != Some(Signal::TERM.as_raw()) {
            let life = state.lives.len();
            state.problems.push(format!("life {life} did not end well after SIGTERM: {status}"));
        }
    }

    /// The first one, before anything fails: where it is saved that everything before it is done with.
    pub(crate) async fn until_position_is_saved(&self) {
        let position = self.position();
        eventually("weir saves a position", async || {
            let mut state = self.lock();
            let ended = state.running.as_mut().and_then(|running| running.child.try_wait().unwrap());
            assert!(ended.is_none(), "weir does not start: {}", state.lives[0].text());
            position.exists().then_some(())
        })
        .await;
    }

    /// The saved position is behind everything that was written.
    pub(crate) fn has_passed(&self, history: &History) -> bool {
        let text = std::fs::read_to_string(self.position()).unwrap_or_default();
        let record: Value = serde_json::from_str(&text).unwrap_or_default();
        let mark =
            |scope: &str| record["positions"][scope].as_str().and_then(|text| text.parse::<u64>().ok());
        history.values().all(|object| {
            let mark = mark("*").or_else(|| mark(&object.namespace));
            mark >= object.versions.keys().next_back().copied()
        })
    }

    fn position(&self) -> PathBuf {
        self.folder.join("spool/position.json")
    }

    /// The living one has nothing without an outcome, from now on.
    pub(crate) async fn is_idle(&self) -> bool {
        let last = || self.lock().lives.last().cloned().unwrap_or_default();
        // A reading that was under way may be of before.
        let fresh = last().readings + 2;
        eventually("weir is asked", async || (last().readings >= fresh).then_some(())).await;
        last().in_flight == 0
    }

    /// The end of the last life, in good order and with a whole account. With problems it is not drained.
    pub(crate) async fn end(&self, problems: &[String]) {
        self.reader.abort();
        if !problems.is_empty() {
            return self.kill();
        }
        self.terminate();
        let status = eventually("weir ends", async || {
            self.lock()
                .running
                .as_mut()
                .map_or(Some(None), |running| running.child.try_wait().unwrap().map(Some))
        })
        .await;
        let mut state = self.lock();
        state.running = None;
        let log = state.lives.last().unwrap().text();
        let ledger = log.lines().rev().find(|line| line.starts_with("ledger ")).unwrap_or("no ledger line");
        if !status.is_some_and(|status| status.success()) || !ends_balanced(ledger) {
            let problem = format!("the last life ended with {status:?}, and with {ledger}");
            state.problems.push(problem);
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let state = self.lock();
        let letters = std::fs::read_dir(self.folder.join("dead")).into_iter().flatten().flatten();
        let letters = letters.filter(|entry| entry.path().extension().is_some_and(|of| of == "jsonl"));
        let letters = letters.filter(|entry| entry.metadata().is_ok_and(|of| of.len() > 0));
        let letters = letters.map(|entry| format!("there are dead letters: {}", entry.path().display()));
        let panics = state.lives.iter().filter(|life| life.text().contains("panicked"));
        let panics = panics.map(|life| format!("life {} panicked", life.number));
        state.problems.iter().cloned().chain(panics).chain(letters).collect()
    }

    pub(crate) fn lives(&self) -> Vec<Life> {
        self.lock().lives.clone()
    }

    /// SIGKILLs that hit a living weir, and drains that were over before.
    pub(crate) fn ends(&self) -> (u64, u64) {
        let state = self.lock();
        (state.kills, state.drains)
    }

    /// What could not be seen, as weir itself says in its logs.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.lock().lives.iter().flat_map(Life::gaps).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.reader.abort();
        self.kill();
    }
}

impl State {
    fn ended_by_itself(&mut self, status: ExitStatus) {
        let life = self.lives.last().unwrap();
        let last: Vec<String> = life.text().lines().rev().take(3).map(str::to_owned).collect();
        self.problems.push(format!("life {} ended by itself: {status}: {last:#?}", life.number));
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        let _ = kill_process(pid, signal);
    }
}

impl Life {
    fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn admin_address(&self) -> Option<String> {
        let text = self.text();
        let at = text.find("\"address\":\"127.0.0.1:")? + "\"address\":\"".len();
        let end = text[at..].find('"')?;
        Some(text[at..at + end].to_owned())
    }

    fn gaps(&self) -> Vec<Gap> {
        let lines = self.text();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let listed = lines.filter(|line| line["message"] == "listed" && line["state"] == "listing");
        listed.map(|line| gap(self.number, &line)).collect()
    }

    /// Takes a reading of `/metrics` in; an error is what is wrong with it.
    fn read(&mut self, text: &str) -> Result<(), String> {
        let mut families: BTreeMap<&str, u64> = BTreeMap::new();
        let mut samples: BTreeMap<&str, u64> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let value = value.parse::<f64>().unwrap_or_default() as u64;
            *families.entry(name.split('{').next().unwrap_or_default()).or_default() += value;
            samples.insert(name, value);
        }
        let sum = |names: &[&str]| names.iter().filter_map(|name| families.get(name)).sum::<u64>();
        let entered =
            sum(&["weir_events_received_total", "weir_events_recovered_total", "weir_events_replayed_total"]);
        let left = sum(&[
            "weir_events_delivered_total",
            "weir_events_filtered_total",
            "weir_events_dead_lettered_total",
            "weir_events_in_flight",
        ]);
        self.readings += 1;
        self.received = sum(&["weir_events_received_total"]);
        self.recovered = sum(&["weir_events_recovered_total"]);
        self.in_flight = sum(&["weir_events_in_flight"]);
        let delivered = |how: &str| {
            samples.get(format!("weir_events_delivered_total{{result=\"{how}\"}}").as_str()).copied()
        };
        self.created = delivered("created").unwrap_or_default();
        self.duplicates = delivered("duplicate").unwrap_or_default();
        if entered != left {
            return Err(format!(
                "life {}: the ledger does not balance: {entered} entered, {left} left",
                self.number
            ));
        }
        match sum(&["weir_events_dead_lettered_total"]) {
            0 => Ok(()),
            count => Err(format!("life {}: {count} dead letters", self.number)),
        }
    }
}

/// The log line of a completed list. Where it left lines of its kind out, gaps are not known.
fn gap(life: usize, line: &Value) -> Gap {
    let version = |name: &str| line[name].as_str().and_then(|text| text.parse().ok());
    assert_eq!(line["suppressed"], Value::Null, "life {life} left out how it listed: {line}");
    Gap {
        life,
        namespace: line["scope"]
            .as_str()
            .and_then(|scope| scope.strip_prefix("namespace "))
            .map(str::to_owned),
        since: version("since").unwrap_or(0),
        version: version("version").unwrap_or_else(|| panic!("a list without a version: {line}")),
    }
}

async fn read_for_ever(state: Arc<Mutex<State>>) {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    loop {
        tokio::time::sleep(READING_INTERVAL).await;
        let asked = {
            let mut state = state.lock().unwrap();
            let State { running, lives, .. } = &mut *state;
            let (Some(running), Some(life)) = (running, lives.last()) else { continue };
            running.admin = running.admin.take().or_else(|| life.admin_address());
            running.admin.clone().map(|admin| (lives.len() - 1, admin))
        };
        let Some((life, admin)) = asked else { continue };
        let Ok(answer) = client.get(format!("http://{admin}/metrics")).send().await else { continue };
        let Ok(text) = answer.text().await else { continue };
        let mut state = state.lock().unwrap();
        if let Err(problem) = state.lives[life].read(&text)
            && state.problems.len() < 20
        {
            state.problems.push(problem);
        }
    }
}

/// `ledger received=1 recovered=0 … in_flight=0`
fn ends_balanced(line: &str) -> bool {
    let value = |name: &str| {
        let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.and_then(|text| text.parse::<u64>().ok())
    };
    let sum = |names: &[&str]| names.iter().map(|name| value(name)).sum::<Option<u64>>();
    value("in_flight") == Some(0)
        && sum(&["received", "recovered", "replayed"]) == sum(&["delivered", "filtered", "dead_lettered"])
}

fn config(namespaces: &[&str], opensearch: &str) -> String {
    let stage = |name: &str, more: &str| {
        let module = module(name);
        format!("[[stage]]\nname = {name:?}\nmodule = {module:?}\n{more}")
    };
    let stages = stage("drop-normal", "[stage.config]\nkeep_reasons = [\"Killing\"]\n")
        + &stage("tag-gpu-failures", "");
    // The smallest memory there may be: an outage of some seconds fills it.
    format!(
        "name = \"chaos\"\ncluster = \"chaos\"\n\
         [source]\nkind = \"kubernetes\"\nnamespaces = {namespaces:?}\n{stages}\
         [buffer]\nmemory = \"4MiB\"\npath = \"spool\"\ndisk = \"256MiB\"\n\
         [sink]\nkind = \"opensearch\"\nhosts = [\"http://{opensearch}\"]\nindex = \"{INDEX_PREFIX}-{{yyyy.MM.dd}}\"\n\
         [dead_letter]\npath = \"dead\"\n[admin]\nlisten = \"127.0.0.1:0\"\n"
    )
}

fn module(name: &str) -> PathBuf {
    let module = Path::new(repository()).join("filters/dist").join(format!("{name}.wasm"));
    assert!(module.exists(), "{} is missing: run `make filters`", module.display());
    module
}
