//! Injects the faults of the schedule: those of one kind one after the other, all kinds at once.
//! Each undoes what it did before the next of its kind begins.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::World;
use crate::links::Link;
use crate::plan::{Cut, Harm, Kill, Schedule, Step, Stop};

/// How many versions are written, unseen by weir, before etcd is compacted.
const VERSIONS_UNSEEN: u64 = 30;
/// How long to wait for a leader to cut off. There soon is one, unless the API server is away.
const LEADER_WAIT: Duration = Duration::from_secs(30);
/// How long to wait for those versions: none are written while the API server is away.
const UNSEEN_WAIT: Duration = Duration::from_secs(5);

/// Injects all of them; returns when the last one is over.
pub(crate) async fn run(schedule: &Schedule, world: &Arc<World>) {
    let begin = Instant::now();
    tokio::join!(
        inject(begin, &schedule.kills, async |step| kill(world, step).await),
        inject(begin, &schedule.opensearch, async |step| restart_opensearch(world, step).await),
        inject(begin, &schedule.api_server, async |step| restart_api_server(world, step).await),
        inject(begin, &schedule.compactions, async |_| world
            .servers
            .compact(world.history.cursor())
            .await),
        inject(begin, &schedule.to_api_server, async |step| harm(world, Link::ApiServer, step)
            .await),
        inject(begin, &schedule.to_opensearch, async |step| harm(world, Link::OpenSearch, step)
            .await),
        inject(begin, &schedule.leader_cuts, async |step| cut_leader(world, step).await),
    );
}

/// After the last fault: renews the connections, so that nothing stays stuck on an old one.
pub(crate) async fn heal(world: &World) {
    world.links.renew().await;
}

async fn inject<F: std::fmt::Debug>(
    begin: Instant,
    steps: &[Step<F>],
    act: impl AsyncFn(&Step<F>),
) {
    for step in steps {
        tokio::time::sleep_until(begin + step.at).await;
        if std::env::var_os("WEIR_CHAOS_VERBOSE").is_some() {
            eprintln!("{:8.3} s  {step:?}", begin.elapsed().as_secs_f64());
        }
        act(step).await;
    }
}

async fn kill(world: &World, step: &Step<Kill>) {
    let before = world.history.cursor();
    let weir = world.fleet.victim(step.dice);
    match step.fault {
        Kill::AtOnce => {
            weir.kill();
            tokio::time::sleep(step.hold).await;
        }
        Kill::InTheDrain => {
            weir.terminate();
            tokio::time::sleep(step.hold / 4).await;
            weir.kill_in_the_drain();
        }
        Kill::AndCompact => {
            weir.kill();
            tokio::time::sleep(step.hold).await;
            compact_behind(world, before).await;
        }
    }
    weir.start();
}

async fn compact_behind(world: &World, before: u64) {
    let until = Instant::now() + UNSEEN_WAIT;
    while world.history.cursor() < before + VERSIONS_UNSEEN && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.servers.compact(world.history.cursor()).await;
}

async fn restart_opensearch(world: &Arc<World>, step: &Step<()>) {
    blocking(world, |world| world.servers.kill_opensearch()).await;
    tokio::time::sleep(step.hold).await;
    blocking(world, |world| world.servers.start_opensearch()).await;
}

async fn restart_api_server(world: &Arc<World>, step: &Step<Stop>) {
    let signal = if step.fault == Stop::Killed { "KILL" } else { "TERM" };
    blocking(world, move |world| world.servers.stop_api_server(signal)).await;
    tokio::time::sleep(step.hold).await;
    blocking(world, |world| world.servers.start_api_server()).await;
}

/// Runs what blocks, such as a script.
async fn blocking(world: &Arc<World>, work: impl FnOnce(&World) + Send + 'static) {
    let world = world.clone();
    tokio::task::spawn_blocking(move || work(&world)).await.unwrap();
}

async fn harm(world: &World, link: Link, step: &Step<Harm>) {
    let before = world.history.cursor();
    world.links.harm(link, step).await;
    tokio::time::sleep(step.hold).await;
    if step.fault == Harm::CutAndCompact {
        compact_behind(world, before).await;
    }
    world.links.heal(link, step).await;
}

/// Cuts the leader off: it must stop leading, and another one takes over.
async fn cut_leader(world: &World, step: &Step<Cut>) {
    let until = Instant::now() + LEADER_WAIT;
    while world.fleet.leader().is_none() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Some(leader) = world.fleet.leader() else { return };
    world.fleet.spare(Some(leader));
    world.links.cut(leader, step.fault).await;
    tokio::time::sleep(step.hold).await;
    world.fleet.must_have_stopped_leading(leader, step.hold).await;
    world.links.mend(leader, step.fault).await;
    world.fleet.spare(None);
}
