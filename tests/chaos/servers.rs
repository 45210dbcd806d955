//! The servers of this run alone: started, killed and started again by the scripts of `tests/env`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

/// A small node is enough, and leaves memory to the tests of others.
const OPENSEARCH_HEAP: &str = "256m";

/// Stopped by `up.sh`'s watcher when this process ends, however it ends.
pub(crate) struct Servers {
    values: BTreeMap<String, String>,
    compacted: Mutex<Vec<u64>>,
    restarts: AtomicU64,
}

impl Servers {
    /// etcd and the API server, without controllers, so that every event is the load's; and
    /// OpenSearch.
    pub(crate) fn start() -> Servers {
        let output = Command::new(repository().join("tests/env/up.sh"))
            .args([
                "--owner",
                &std::process::id().to_string(),
                "--private",
                "kubernetes",
                "opensearch",
            ])
            // Only this run compacts, and never what the reference has not seen yet.
            .envs([
                ("COMPONENTS", ""),
                ("COMPACTION", "0"),
                ("EVENT_TTL", "24h"),
                ("OS_HEAP", OPENSEARCH_HEAP),
            ])
            .stderr(std::process::Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the servers did not start");
        let lines = String::from_utf8(output.stdout).unwrap();
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        Servers {
            values: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            compacted: Mutex::default(),
            restarts: AtomicU64::new(0),
        }
    }

    fn value(&self, name: &str) -> &str {
        self.values.get(name).unwrap_or_else(|| panic!("up.sh did not print {name}="))
    }

    pub(crate) fn opensearch(&self) -> &str {
        self.value("opensearch")
    }

    /// `https://127.0.0.1:PORT`
    pub(crate) fn api_server(&self) -> &str {
        self.value("server")
    }

    /// Where files of this run may lie.
    pub(crate) fn folder(&self) -> &Path {
        Path::new(self.value("dir"))
    }

    fn control_plane(&self) -> PathBuf {
        self.folder().join("kubernetes")
    }

    /// For a process whose log is `log(name)`: it ends with the servers.
    pub(crate) fn adopt(&self, name: &str, pid: u32) {
        use std::io::Write as _;
        let pids = self.control_plane().join("pids");
        let mut pids = std::fs::OpenOptions::new().append(true).open(pids).unwrap();
        writeln!(pids, "{name} {pid}").unwrap();
    }

    /// Where [`Servers::adopt`] looks for logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.control_plane().join("log")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// Not through the proxy.
    pub(crate) async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.value("kubeconfig")).unwrap();
        let config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Client::try_from(config.unwrap()).unwrap()
    }

    /// A kubeconfig of this name for the API server behind `address`, whose certificate does not
    /// know that name.
    pub(crate) fn kubeconfig_through(&self, address: &str, name: &str) -> PathBuf {
        let text = std::fs::read_to_string(self.value("kubeconfig")).unwrap();
        let server = format!("server: \"{}\"", self.api_server());
        assert!(text.contains(&server), "{text}");
        let proxied = format!("server: \"https://{address}\", tls-server-name: kubernetes");
        let path = self.folder().join(format!("{name}.kubeconfig"));
        std::fs::write(&path, text.replace(&server, &proxied)).unwrap();
        path
    }

    /// With KILL or TERM.
    pub(crate) fn stop_api_server(&self, signal: &str) {
        self.component(&["stop", signal]);
    }

    pub(crate) fn start_api_server(&self) {
        self.component(&["start"]);
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    fn component(&self, order: &[&str]) {
        let folder = self.control_plane();
        let mut command = Command::new(repository().join("tests/env/kubernetes/component.sh"));
        run(command.arg(folder).arg("kube-apiserver").args(order));
    }

    pub(crate) fn kill_opensearch(&self) {
        let mut command = Command::new(repository().join("tests/env/opensearch/down.sh"));
        run(command.arg(self.value("opensearch_dir")).env("KEEP", "1").env("HARD", "1"));
    }

    pub(crate) fn start_opensearch(&self) {
        let port = self.opensearch().rsplit(':').next().unwrap();
        let mut command = Command::new(repository().join("tests/env/opensearch/up.sh"));
        command.args([port, self.value("opensearch_dir")]).env("OS_HEAP", OPENSEARCH_HEAP);
        // Its watcher is that of all.
        run(command.env_remove("WEIR_TEST_OWNER"));
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a server was started again.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Has etcd forget everything that was overwritten before `version`.
    pub(crate) async fn compact(&self, version: u64) {
        let body = json!({"revision": version.to_string(), "physical": true}).to_string();
        let url = format!("{}/v3/kv/compaction", self.value("etcd"));
        let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        // Nothing was written since the last time.
        let is_done = text.contains("has been compacted");
        assert!(status.is_success() || is_done, "etcd does not compact: {status}: {text}");
        self.compacted.lock().unwrap().push(version);
    }

    /// The versions that etcd was compacted at.
    pub(crate) fn compacted(&self) -> Vec<u64> {
        self.compacted.lock().unwrap().clone()
    }

    /// Copies logs and weir's folder to where they outlive this run, and writes what came of it
    /// beside them.
    pub(crate) fn keep_evidence(&self, seed: u64, account: &str) -> PathBuf {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}"));
        let _ = std::fs::remove_dir_all(&kept);
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::write(kept.join("account.txt"), account).unwrap();
        let sources = [self.control_plane().join("log"), self.folder().join("weir")];
        let _ = Command::new("cp").arg("-r").args(sources).arg(&kept).status();
        kept
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
