//! The whole of weir in a simulated world: production's pure machines and its log, one thread,
//! simulated time, and a seeded schedule of everything that goes wrong with an API server, an
//! OpenSearch, a disk, a machine and a process.
//!
//! ```text
//!   seed ──> plan ──> world ─┬─> api_server, stream ──> feed ──> source ──> workers ─┐
//!                            ├─> opensearch ◀── sink ◀── buffer ◀────────────────────┘
//!                            ├─> leases ◀──> candidate ──> terms of a process
//!                            ├─> replica: disk, position_file ◀── buffer, keeper
//!                            └─> oracle: guarantees 1 and 2, the marks, the ledger, the bounds
//! ```
//!
//! - [`plan`] is what a seed decides beforehand; [`world`] the schedule; [`replica`] a machine, and
//!   [`process`] one life of weir on it; [`feed`] and [`candidate`] the exchanges of one source and
//!   of one replica with the API server.
//! - What is production's: the list/watch machine, framer and hand-over; the Lease's machine and
//!   record, what a term begins and ends with, what saving tells, the steps of a run's end; parsing
//!   and encoding; chunks, ledger and tracker; the position's keeper and record; the buffer's
//!   tiers, memory and log; the sink's sender, with all that it decides; which generation of the
//!   stages a worker runs. Most are driven through the `simulated` module of each part. What is
//!   not: sockets, threads, files, and WebAssembly.
//!
//! Invariant: one seed is one history. A seed that fails prints how to replay it, and what happened
//! last.
//!
//! `WEIR_SIM_SEEDS=N` runs N seeds, `WEIR_SIM_FIRST=N` begins with seed N, and `WEIR_SIM_SEED=N`
//! runs that one alone and tells what happened.

mod api_server;
mod candidate;
mod clock;
mod feed;
mod history;
mod home;
mod leases;
mod opensearch;
mod oracle;
mod plan;
mod position_file;
mod process;
mod replica;
mod shared;
mod stream;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::clock::{MILLISECOND, SECOND, Time};
use self::plan::SAVED_ONCE_EVERY;
use self::world::{Summary, World};
use crate::ledger::Ledger;
use crate::metrics::Metrics;

/// How many seeds a run has.
const SEEDS: u64 = 10_000;
/// Failing seeds that are told; then the run ends.
const FAILURES_MAX: usize = 3;

#[test]
fn whatever_goes_wrong_nothing_is_lost_and_nothing_is_stored_twice() {
    if let Some(seed) = setting("WEIR_SIM_SEED") {
        let metrics = metrics();
        let save_every = setting("WEIR_SIM_SAVE_MS").map(|ms| ms * MILLISECOND);
        let result = run(seed, save_every, &metrics, true);
        println!("seed {seed}: {result:?}");
        return assert!(result.is_ok());
    }
    let first = setting("WEIR_SIM_FIRST").unwrap_or(0);
    let seeds = setting("WEIR_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, failures, total) =
        (AtomicU64::new(first), Mutex::new(Vec::new()), Mutex::new(Summary::default()));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let metrics = metrics();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || failures.lock().unwrap().len() >= FAILURES_MAX {
                        return;
                    }
                    match run(seed, None, &metrics, false) {
                        Ok(summary) => total.lock().unwrap().add(&summary),
                        Err(why) => failures.lock().unwrap().push((seed, why)),
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!("{seeds} seeds in {:?}: {total:?}", begun.elapsed());
    let failures = failures.into_inner().unwrap();
    for (seed, why) in &failures {
        println!(
            "seed {seed}: {why}\n    WEIR_SIM_SEED={seed} cargo test --lib simulator -- --nocapture"
        );
    }
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
    let odd =
        [total.refused_requests, total.repeated_tokens, total.odd_letters, total.swaps, total.both];
    assert!(seeds < SEEDS || !odd.contains(&0), "some fault was never met: {odd:?}");
}

/// Histories in which a promise was broken once, with what production's interval between two saves
/// of the positions was then.
fn replay(save_every: Time, seeds: &[u64]) {
    for seed in seeds {
        let result = run(*seed, Some(save_every), &metrics(), false);
        assert!(result.is_ok(), "seed {seed}: {result:?}");
    }
}

#[test]
fn a_document_that_is_read_again_while_it_is_on_its_way_is_stored_once() {
    replay(SAVED_ONCE_EVERY, &[12_549]);
}

#[test]
fn a_lookup_that_is_refused_after_another_answer_told_where_writes_go_is_needed() {
    replay(SAVED_ONCE_EVERY, &[24_576]);
}

#[test]
fn what_the_next_leader_has_is_passed_by_one_that_stood_still_and_reads_on_behind_a_restore() {
    replay(SAVED_ONCE_EVERY, &[4_572]);
}

#[test]
fn a_leader_that_could_not_write_down_that_its_cluster_was_restored_knows_it_when_it_leads_again() {
    replay(SAVED_ONCE_EVERY, &[22_378]);
}

#[test]
fn a_leader_that_stood_still_takes_in_nothing_that_the_next_one_has_read() {
    replay(SAVED_ONCE_EVERY, &[23_026]);
}

#[test]
fn a_leader_that_stood_still_between_a_lookup_and_its_request_looks_again() {
    replay(SAVED_ONCE_EVERY, &[49_337, 50_639]);
}

#[test]
fn what_died_with_a_process_is_not_asked_of_a_list_that_could_not_notice_a_restore() {
    replay(SAVED_ONCE_EVERY, &[33_512]);
}

#[test]
fn something_that_refuses_requests_at_random_makes_no_letters() {
    replay(SAVED_ONCE_EVERY, &[11_657]);
}

#[test]
fn a_few_documents_that_are_refused_again_and_again_become_letters() {
    replay(SAVED_ONCE_EVERY, &[18_002]);
}

#[test]
fn a_success_of_before_a_mistake_in_a_template_does_not_hide_the_mistake() {
    replay(SAVED_ONCE_EVERY, &[17_584]);
}

#[test]
fn a_request_that_a_mistake_had_refused_is_answered_when_the_mistake_is_over() {
    replay(SECOND, &[1_138]);
}

#[test]
fn a_power_failure_behind_a_restore_brings_back_no_mark_of_before_it() {
    replay(SECOND, &[17_771]);
}

fn metrics() -> Metrics {
    Metrics::new(&Ledger::default()).unwrap()
}

/// Runs one seed; a panic is a failure like any other.
fn run(
    seed: u64,
    save_every: Option<Time>,
    metrics: &Metrics,
    is_traced: bool,
) -> Result<Summary, String> {
    let mut world = World::new(seed, save_every, metrics, is_traced);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    });
    if is_traced {
        println!("{}", world.trace());
    }
    result
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl Summary {
    fn add(&mut self, other: &Summary) {
        self.steps += other.steps;
        self.lives += other.lives;
        self.versions += other.versions;
        self.accepted += other.accepted;
        self.stored += other.stored;
        self.resent += other.resent;
        self.letters += other.letters;
        self.rolled += other.rolled;
        self.found += other.found;
        self.windows += other.windows;
        self.moved += other.moved;
        self.terms += other.terms;
        self.marks += other.marks;
        self.machines_gone += other.machines_gone;
        self.damaged += other.damaged;
        self.untold += other.untold;
        self.refused_requests += other.refused_requests;
        self.repeated_tokens += other.repeated_tokens;
        self.odd_letters += other.odd_letters;
        self.behind_damage += other.behind_damage;
        self.swaps += other.swaps;
        self.both += other.both;
    }
}
