//! Carries the schedule out: each lane its own faults one after the other, all lanes at once. A
//! lane ends with everything it broke whole again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::World;
use crate::links::Link;
use crate::plan::{Cut, Harm, Kill, Schedule, Step, Stop};

/// So many versions are written before etcd is compacted under a weir that does not see them.
const VERSIONS_UNSEEN: u64 = 30;
/// While nobody leads, nobody is cut off as the leader; somebody soon does, unless the API server
/// is away.
const LEADER_WAIT: Duration = Duration::from_secs(30);
/// While the API server is away, none are.
const UNSEEN_WAIT: Duration = Duration::from_secs(5);

/// All of it.
pub(crate) async fn run(schedule: &Schedule, world: &Arc<World>) {
    let begin = Instant::now();
    tokio::join!(
        lane(begin, &schedule.kills, async |step| kill(world, step).await),
        lane(begin, &schedule.opensearch, async |step| restart_opensearch(world, step).await),
        lane(begin, &schedule.api_server, async |step| restart_api_server(world, step).await),
        lane(begin, &schedule.compactions, async |_| world
            .servers
            .compact(world.history.cursor())
            .await),
        lane(begin, &schedule.to_api_server, async |step| harm(world, Link::ApiServer, step).await),
        lane(begin, &schedule.to_opensearch, async |step| harm(world, Link::OpenSearch, step)
            .await),
        lane(begin, &schedule.leader_cuts, async |step| cut_leader(world, step).await),
    );
}

/// After the last fault: nothing is waited for that is stuck on an old connection.
pub(crate) async fn heal(world: &World) {
    world.links.renew().await;
}

async fn lane<F: std::fmt::Debug>(begin: Instant, steps: &[Step<F>], act: impl AsyncFn(&Step<F>)) {
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

/// The scripts block.
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

/// The leader stops leading, and another one begins.
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
