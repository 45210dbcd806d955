//! One replica: the real binary in a folder of its own, started and killed again and again.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

use crate::eventually;
use crate::life::{Life, ends_balanced};
use crate::servers::Servers;

/// How often `/metrics` is read while it runs.
const READING_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    lives: Vec<Life>,
    kills: u64,
    leaders_killed: u64,
    drains: u64,
    problems: Vec<String>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    admin: Option<String>,
}

pub(crate) struct Replica {
    name: String,
    folder: PathBuf,
    kubeconfig: PathBuf,
    logs: PathBuf,
    state: Arc<Mutex<State>>,
    reader: JoinHandle<()>,
}

impl Replica {
    /// Makes its folder; it does not run yet.
    pub(crate) fn new(name: String, config: &str, kubeconfig: &Path, servers: &Servers) -> Replica {
        let folder = servers.folder().join("weir").join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("pipeline.toml"), config).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        Replica {
            name,
            folder,
            kubeconfig: kubeconfig.to_owned(),
            logs: servers.logs(),
            reader: tokio::spawn(read_for_ever(state.clone())),
            state,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Starts a new life.
    pub(crate) fn start(&self) {
        let mut state = self.lock();
        assert!(state.running.is_none(), "weir runs already");
        let name = format!("{}-{}", self.name, state.lives.len() + 1);
        let log = self.logs.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = Command::new(weir())
            .args(["run", "--config"])
            .arg(self.folder.join("pipeline.toml"))
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        // So that it is stopped with the servers, as `Servers::adopt` explains.
        let pids = self.logs.parent().unwrap().join("pids");
        let line = format!("{name} {}\n", child.id());
        let mut pids = std::fs::OpenOptions::new().append(true).open(pids).unwrap();
        std::io::Write::write_all(&mut pids, line.as_bytes()).unwrap();
        state.lives.push(Life { name, log, ..Life::default() });
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
                state.leaders_killed +=
                    u64::from(state.lives.last().is_some_and(|life| life.leads));
            }
        }
    }

    /// SIGTERM. It may or may not have drained by the time of [`kill`](Replica::kill).
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

    /// After [`terminate`](Replica::terminate): SIGKILL, unless the drain is over.
    pub(crate) fn kill_in_the_drain(&self) {
        let ended =
            self.lock().running.as_mut().and_then(|running| running.child.try_wait().unwrap());
        let Some(status) = ended else { return self.kill() };
        let mut state = self.lock();
        state.running = None;
        state.drains += 1;
        // SIGTERM killed it: it came before the handler was installed.
        if !status.success() && status.signal() != Some(Signal::TERM.as_raw()) {
            let name = state.lives.last().map(|life| life.name.clone()).unwrap_or_default();
            state.problems.push(format!("{name} did not end well after SIGTERM: {status}"));
        }
    }

    /// The text of `position.json` beside its spool.
    pub(crate) fn position(&self) -> Option<String> {
        let mut state = self.lock();
        let ended = state.running.as_mut().and_then(|running| running.child.try_wait().unwrap());
        assert!(ended.is_none(), "weir has ended: {}", state.lives.last().unwrap().text());
        std::fs::read_to_string(self.folder.join("spool/position.json")).ok()
    }

    /// According to its last reading.
    pub(crate) fn leads(&self) -> bool {
        let state = self.lock();
        state.running.is_some() && state.lives.last().is_some_and(|life| life.leads)
    }

    /// Notes a problem if it leads after it was cut off from the API server for this long.
    pub(crate) async fn must_have_stopped_leading(&self, since: Duration) {
        let last = || self.lock().lives.last().cloned().unwrap_or_default();
        let cut = last();
        // A reading that was under way may be older. A life that began since then has not reached
        // the API server, and cannot lead.
        let fresh = cut.readings + 2;
        let is_asked = async || (last().readings >= fresh || last().name != cut.name).then_some(());
        eventually("weir is asked", is_asked).await;
        let now = last();
        if now.name == cut.name && self.leads() {
            let problem =
                format!("{} leads {since:?} after it was cut off from the API server", now.name);
            self.lock().problems.push(problem);
        }
    }

    /// Whether it has no event in flight, by a reading of from now on.
    pub(crate) async fn is_idle(&self) -> bool {
        let last = || self.lock().lives.last().cloned().unwrap_or_default();
        // A reading that was under way may be older.
        let fresh = last().readings + 2;
        eventually("weir is asked", async || (last().readings >= fresh).then_some(())).await;
        last().in_flight == 0
    }

    /// Ends the last life: it must drain, exit with success and account for every event. If there
    /// are problems already it is killed.
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
        let ledger =
            log.lines().rev().find(|line| line.starts_with("ledger ")).unwrap_or("no ledger line");
        if !status.is_some_and(|status| status.success()) || !ends_balanced(ledger) {
            let problem = format!("the last life ended with {status:?}, and with {ledger}");
            state.problems.push(problem);
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let state = self.lock();
        let letters = std::fs::read_dir(self.folder.join("dead")).into_iter().flatten().flatten();
        let letters =
            letters.filter(|entry| entry.path().extension().is_some_and(|of| of == "jsonl"));
        let letters = letters.filter(|entry| entry.metadata().is_ok_and(|of| of.len() > 0));
        let letters =
            letters.map(|entry| format!("there are dead letters: {}", entry.path().display()));
        let panics = state.lives.iter().filter(|life| life.text().contains("panicked"));
        let panics = panics.map(|life| format!("{} panicked", life.name));
        state.problems.iter().cloned().chain(panics).chain(letters).collect()
    }

    pub(crate) fn lives(&self) -> Vec<Life> {
        self.lock().lives.clone()
    }

    /// How many SIGKILLs hit a running weir, how many of those hit a leader, and how many drains
    /// were over before the SIGKILL.
    pub(crate) fn ends(&self) -> (u64, u64, u64) {
        let state = self.lock();
        (state.kills, state.leaders_killed, state.drains)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.reader.abort();
        self.kill();
    }
}

impl State {
    fn ended_by_itself(&mut self, status: ExitStatus) {
        let life = self.lives.last().unwrap();
        let last: Vec<String> = life.text().lines().rev().take(3).map(str::to_owned).collect();
        self.problems.push(format!("{} ended by itself: {status}: {last:#?}", life.name));
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        let _ = kill_process(pid, signal);
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
        let Ok(answer) = client.get(format!("http://{admin}/metrics")).send().await else {
            continue;
        };
        let Ok(text) = answer.text().await else { continue };
        let mut state = state.lock().unwrap();
        if let Err(problem) = state.lives[life].read(&text)
            && state.problems.len() < 20
        {
            state.problems.push(problem);
        }
    }
}

/// The binary to test: `make chaos` sets it to a release build.
fn weir() -> PathBuf {
    std::env::var_os("WEIR_CHAOS_WEIR")
        .map_or_else(|| env!("CARGO_BIN_EXE_weir").into(), PathBuf::from)
}
