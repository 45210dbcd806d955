//! What the tests are set up with: a folder, a namespace, an index, modules, and a running weir.

mod cluster;
mod folder;
mod ism;
#[allow(dead_code, reason = "shared with benches and unit tests, which use other parts")]
pub(crate) mod modules;
mod registry;
mod running;
mod search;
mod weir;

pub(crate) use cluster::{Cluster, client_as, id_of, send, version_of};
pub(crate) use folder::{Ended, Folder, finish};
pub(crate) use ism::Ism;
pub(crate) use registry::Registry;
pub(crate) use running::{Running, configuration};
pub(crate) use search::{OwnNode, Search};
pub(crate) use weir::{Weir, both_stages, stage};

use std::time::{Duration, Instant};

/// How long a test waits for what must come. Generous: two cores, and everything else that runs on
/// them.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Asks again until the answer is `Some`; fails with what was awaited.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begin.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The same without a runtime: asks again, as soon as can be, until it is so.
pub(crate) fn until(what: &str, mut ask: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ask() {
        assert!(begin.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Reports events with these numbers in their names, which no module filters.
pub(crate) async fn report(cluster: &Cluster, numbers: std::ops::Range<usize>) {
    for number in numbers {
        cluster.report(&format!("e{number}"), "Warning", "Failed", "no such image", 1).await;
    }
}

pub(crate) async fn until_stored(search: &Search, count: usize) {
    eventually(&format!("{count} documents"), async || {
        (search.documents().await.len() == count).then_some(())
    })
    .await;
}

/// A name that no other test run uses.
pub(crate) fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    format!("{prefix}-{since:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts the servers"))
}

pub(crate) fn repository() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}
