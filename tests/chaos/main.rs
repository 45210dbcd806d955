//! Chaos: the real weir between a real API server and a real OpenSearch, while everything fails at
//! random moments.
//!
//! ```text
//! load ──────────> kube-apiserver ──[toxiproxy]──> weir ──[toxiproxy]──> OpenSearch
//!                   │      ▲                        ▲                        ▲    │
//! reference <───────┘      └──────── faults ────────┴────────────────────────┘    └──> oracle
//! ```
//!
//! - [`plan`]: what happens when, from one seed; pure. [`faults`] injects it.
//! - [`load`] creates, updates and deletes events; [`reference`](mod@reference) watches them
//!   without a proxy and without a gap.
//! - [`servers`], [`links`], [`fleet`] of [`replica`]s and their [`life`]s, [`search`]: the servers
//!   of this run alone, the connections, weir, the documents.
//! - [`oracle`]: what must be stored, and what may not; pure.
//!
//! Invariants of a run: every document that weir owes is stored, each once, none that nobody wrote;
//! what weir counted as created is never more than what is stored; every reading of a ledger
//! balances; weir never exits on its own; a replica that is cut off from the API server stops
//! leading.
//!
//! `make test` runs a short form; `make chaos` the long one. The variables are those of
//! [`plan::Scale`].

#![allow(clippy::unwrap_used, missing_docs, reason = "what cannot be set up fails")]

mod faults;
mod fleet;
mod life;
mod links;
mod load;
mod oracle;
mod plan;
mod reference;
mod replica;
mod search;
mod servers;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use fleet::Fleet;
use links::Links;
use plan::{Scale, Schedule};
use servers::Servers;

/// How long recovery may take after the last fault: longer than a watch may be silent.
const SETTLE_DEADLINE: Duration = Duration::from_secs(600);

/// Everything of one run.
pub(crate) struct World {
    pub(crate) servers: Servers,
    pub(crate) links: Links,
    pub(crate) fleet: Fleet,
    pub(crate) history: reference::Reference,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_stored_twice_whatever_fails() {
    let scale = Scale::of_environment();
    eprintln!("chaos: SEED={} {scale:?}", scale.seed);
    let schedule = Schedule::of(&scale);
    let world = Arc::new(World::begin(&scale).await);
    let began = std::time::Instant::now();
    let load = load::Load::begin(&world.servers, scale.writes_per_second).await;
    world.fleet.start();
    world.fleet.until_position_is_saved().await;

    faults::run(&schedule, &world).await;

    let written = load.end().await;
    faults::heal(&world).await;
    world.history.until_behind(&written).await;
    let verdict = verdict::reach(&world, &written, began, SETTLE_DEADLINE).await;
    world.fleet.end(&verdict.problems).await;
    eprintln!("{}", verdict::summary(&scale, &world, &verdict));
    let problems: Vec<String> =
        verdict.problems.iter().cloned().chain(world.fleet.problems()).collect();
    if !problems.is_empty() {
        let account =
            format!("{:#?}\ncompacted {:?}", verdict.judgement, world.servers.compacted());
        let kept = world.servers.keep_evidence(scale.seed, &account);
        panic!(
            "{}\nlogs: {}\nthe same schedule again: SEED={}",
            problems.join("\n"),
            kept.display(),
            scale.seed
        );
    }
}

impl World {
    async fn begin(scale: &Scale) -> World {
        // The error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let servers = tokio::task::spawn_blocking(Servers::start).await.unwrap();
        let links = Links::start(&servers, scale.replicas).await;
        load::make_namespaces(&servers).await;
        let history = reference::Reference::begin(&servers).await;
        let fleet = Fleet::new(scale, &servers, &links).await;
        World { servers, links, fleet, history }
    }
}

/// Asks again until the answer is `Some`; fails with what was awaited.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = std::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begin.elapsed() < SETTLE_DEADLINE, "not within {SETTLE_DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
