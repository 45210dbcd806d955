//! Waits until weir has delivered what it owes, or its time is up, and judges the result.

use std::time::{Duration, Instant};

use crate::World;
use crate::load::Written;
use crate::oracle::{self, Judgement};
use crate::plan::Scale;
use crate::search;

#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) judgement: Judgement,
    pub(crate) documents: usize,
    pub(crate) acknowledged: usize,
    /// The whole run, without starting the servers.
    pub(crate) took: Duration,
    pub(crate) settled_after: Duration,
    pub(crate) problems: Vec<String>,
}

/// Judges a run that began at `began` and whose faults are over.
pub(crate) async fn reach(
    world: &World,
    written: &[Written],
    began: Instant,
    deadline: Duration,
) -> Verdict {
    let begin = Instant::now();
    let history = world.history.history(world.fleet.namespaces());
    let compacted = world.servers.compacted();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let is_over = begin.elapsed() > deadline;
        // Before the documents are read: what is missing then will not come any more.
        let is_done = world.fleet.has_passed(&history).await && world.fleet.is_idle().await;
        if !is_done && !is_over {
            continue;
        }
        let stored = match search::documents(world.servers.opensearch()).await {
            Ok(stored) => stored,
            Err(why) if is_over => panic!("OpenSearch does not tell what it has: {why}"),
            Err(why) => {
                eprintln!("chaos: OpenSearch does not tell yet what it has: {why}");
                continue;
            }
        };
        let judgement = oracle::judge(&history, &world.fleet.gaps(), &compacted, &stored);
        let mut problems = judgement.problems();
        if !is_done {
            problems.push(format!("weir has not come to the end within {deadline:?}"));
        }
        let created: u64 = world.fleet.lives().iter().map(|life| life.created).sum();
        if created > stored.len() as u64 {
            problems.push(format!(
                "weir counts {created} documents as created, and there are {}",
                stored.len()
            ));
        }
        let settled_after = begin.elapsed();
        return Verdict {
            judgement,
            documents: stored.len(),
            acknowledged: written.len(),
            took: began.elapsed(),
            settled_after,
            problems,
        };
    }
}

/// What the run showed, in numbers.
pub(crate) fn summary(scale: &Scale, world: &World, verdict: &Verdict) -> String {
    let lives = world.fleet.lives();
    let (kills, leaders, drains) = world.fleet.ends();
    let sum = |of: fn(&crate::life::Life) -> u64| lives.iter().map(of).sum::<u64>();
    let Judgement { kept, excused, filtered, lost, doubled, unknown, changed } = &verdict.judgement;
    let terms = lives.iter().map(crate::life::Life::terms);
    let (taken, expired) = terms.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    let gaps = world.fleet.gaps();
    let relists = gaps.iter().filter(|gap| gap.since > 0).count();
    let longest = lives.iter().map(|life| life.received).max().unwrap_or_default();
    format!(
        "chaos: SEED={} {} replicas, {} in {:.0} s, of which the last {:.1} s to settle\n\
         \x20 faults     {kills} SIGKILLs of weir ({leaders} of a leader), {drains} drains; {} restarts of servers, {} compactions, {} link faults\n\
         \x20 terms      {taken} begun, {expired} ended because the Lease could not be renewed; {} cuts of the leader's link alone\n\
         \x20 written    {} acknowledged; {kept} owed and stored, {filtered} filtered, {excused} overwritten and compacted unseen\n\
         \x20 stored     {} documents: {} lost, {} twice, {} unknown, {} changed\n\
         \x20 lives      {} of weir, {} asked; at most {longest} received in one; {} recovered from disk, {} created, {} sent again\n\
         \x20 lists      {}, {relists} of them with a position",
        scale.seed,
        scale.replicas,
        if scale.is_one_scope() { "one scope" } else { "a scope for each namespace" },
        verdict.took.as_secs_f64(),
        verdict.settled_after.as_secs_f64(),
        world.servers.restarts(),
        world.servers.compacted().len(),
        world.links.harms(),
        world.links.cuts(),
        verdict.acknowledged,
        verdict.documents,
        lost.len(),
        doubled.len(),
        unknown.len(),
        changed.len(),
        lives.len(),
        lives.iter().filter(|life| life.readings > 0).count(),
        sum(|life| life.recovered),
        sum(|life| life.created),
        sum(|life| life.duplicates),
        gaps.len(),
    )
}
