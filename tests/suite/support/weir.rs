//! The real binary, run with a configuration of the test's own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

use super::{eventually, repository};

pub(crate) struct Weir {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    admin: String,
    /// Its configuration, and what it keeps; none when it was handed on.
    folder: Option<tempfile::TempDir>,
}

impl Weir {
    /// Starts it and waits until its admin address is known. `config` is the part of
    /// `pipeline.toml` without name and admin; and without dead letters, if they are to lie in
    /// a folder.
    pub(crate) async fn start(config: &str) -> Weir {
        Weir::start_with(config, &[]).await
    }

    pub(crate) async fn start_with(config: &str, variables: &[(&str, &str)]) -> Weir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pipeline.toml"), Weir::text(config)).unwrap();
        Weir::run_in(folder, variables).await
    }

    /// Starts it with these files beside its configuration.
    pub(crate) async fn start_in(config: &str, files: &[(&str, Vec<u8>)]) -> Weir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        std::fs::write(folder.path().join("pipeline.toml"), Weir::text(config)).unwrap();
        Weir::run_in(folder, &[]).await
    }

    /// The whole of `pipeline.toml`.
    fn text(config: &str) -> String {
        let letters =
            if config.contains("[dead_letter]") { "" } else { "[dead_letter]\npath = \"dead\"\n" };
        format!(
            "name = \"e2e\"\ncluster = \"e2e-cluster\"\n{config}\n{letters}[admin]\nlisten = \"127.0.0.1:0\"\n"
        )
    }

    async fn run_in(folder: tempfile::TempDir, variables: &[(&str, &str)]) -> Weir {
        let path = folder.path().join("pipeline.toml");
        let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "--config"])
            .arg(&path)
            .env("KUBECONFIG", super::variable("WEIR_TEST_KUBECONFIG"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut weir = Weir { child, log, admin: String::new(), folder: Some(folder) };
        weir.admin = eventually("weir logs its admin address", async || weir.admin_address()).await;
        weir
    }

    /// SIGKILL; what it left is for [`Weir::start_again`].
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.folder.take().unwrap()
    }

    /// Runs again what was killed or stopped.
    pub(crate) async fn start_again(folder: tempfile::TempDir) -> Weir {
        Weir::run_in(folder, &[]).await
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// The address of `/metrics`.
    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    fn admin_address(&self) -> Option<String> {
        let log = self.log();
        let at = log.find("\"address\":\"127.0.0.1:")? + "\"address\":\"".len();
        let end = log[at..].find('"')?;
        Some(log[at..at + end].to_owned())
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let Ok(response) = reqwest::get(format!("http://{}{path}", self.admin)).await else {
            return (0, String::new());
        };
        (response.status().as_u16(), response.text().await.unwrap_or_default())
    }

    /// `/readyz?verbose`
    pub(crate) async fn readiness(&self) -> (u16, String) {
        self.get("/readyz?verbose").await
    }

    pub(crate) async fn until_ready(&self) {
        eventually("weir is ready", async || (self.readiness().await.0 == 200).then_some(())).await;
    }

    /// All samples of `/metrics`, by `name{labels}`.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, f64> {
        let (_, text) = self.get("/metrics").await;
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(k, v)| (k.to_owned(), v.parse().unwrap()))
            .collect()
    }

    /// The sum of a family's samples.
    pub(crate) async fn metric(&self, family: &str) -> f64 {
        let samples = self.metrics().await;
        let of_family = |name: &str| name.split('{').next() == Some(family);
        samples.iter().filter(|(name, _)| of_family(name)).map(|(_, value)| value).sum()
    }

    pub(crate) fn dead_letters(&self) -> Vec<serde_json::Value> {
        let Ok(folder) = std::fs::read_dir(self.folder().join("dead")) else { return Vec::new() };
        let mut letters = Vec::new();
        for path in folder
            .map(|entry| entry.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        {
            let lines = BufReader::new(File::open(path).unwrap()).lines();
            letters
                .extend(lines.map(|line| {
                    serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap()
                }));
        }
        letters
    }

    /// `/metrics` balances, now.
    pub(crate) async fn assert_balanced(&self) {
        let m = self.metrics().await;
        let sum = |family: &str| -> f64 {
            m.iter().filter(|(k, _)| k.split('{').next() == Some(family)).map(|(_, v)| v).sum()
        };
        let entered = sum("weir_events_received_total")
            + sum("weir_events_recovered_total")
            + sum("weir_events_replayed_total");
        let settled = sum("weir_events_delivered_total")
            + sum("weir_events_filtered_total")
            + sum("weir_events_dead_lettered_total");
        assert!(entered > 0.0, "nothing was received");
        assert_eq!(entered, settled + sum("weir_events_in_flight"), "{m:#?}");
    }

    /// SIGTERM; it drains, ends well, and its last ledger has nothing in flight.
    pub(crate) async fn stop(self) -> String {
        let (ledger, _) = self.end().await;
        assert!(ledger.ends_with("in_flight=0"), "{ledger}");
        ledger
    }

    /// SIGTERM; it drains and ends well. Its last ledger, and what it left.
    pub(crate) async fn end(mut self) -> (String, tempfile::TempDir) {
        self.assert_balanced().await;
        self.signal(Signal::TERM);
        let status = eventually("weir ends", async || self.child.try_wait().unwrap()).await;
        let log = self.log();
        assert!(status.success(), "{status}: {log}");
        let ledger = log
            .lines()
            .rev()
            .find(|line| line.starts_with("ledger "))
            .expect("a last ledger line")
            .to_owned();
        (ledger, self.folder.take().unwrap())
    }

    /// Waits until it has ended on its own: its exit code and its log.
    pub(crate) async fn until_it_ends(&mut self) -> (Option<i32>, String) {
        let status = eventually("weir ends", async || self.child.try_wait().unwrap()).await;
        (status.code(), self.log())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- weir's log\n{}", self.log());
        }
    }
}

/// `[[stage]]`s of both modules that the repository ships.
pub(crate) fn both_stages() -> String {
    ["drop-normal", "tag-gpu-failures"].map(stage).concat()
}

/// One `[[stage]]` of a module in `filters/dist`.
pub(crate) fn stage(name: &str) -> String {
    let module = repository().join("filters/dist").join(format!("{name}.wasm"));
    assert!(module.exists(), "{} is missing: run `make filters`", module.display());
    format!("[[stage]]\nname = {name:?}\nmodule = {module:?}\n")
}
