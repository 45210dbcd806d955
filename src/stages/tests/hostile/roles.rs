//! Every module of the [`table`](super::table) in each of the roles that a module can have: as a
//! stage's module, as the candidate of a swap, and in a shadow. None holds anything up, changes
//! what it may not, or does harm to what runs beside it.

use std::time::Instant;

use serde_json::Value;

use super::super::shadowed::Shadowed;
use super::table::{Fate, Villain, villains};
use super::*;
use crate::stages::generations::Generations;

const EVENTS: usize = 6;
/// For the events of one module; those that are stopped take some timeouts.
const LONG: Duration = Duration::from_secs(30);

fn events() -> Vec<String> {
    let types = ["Normal", "Warning"];
    (0..EVENTS).map(|number| modules::event(number, types[number % 2], "Pulled")).collect()
}

/// What becomes of the events without any hostile module.
fn untouched() -> Vec<Value> {
    let bench = Bench::new();
    bench.run(&[bench.stage("drop-normal", DROP_NORMAL)], &[events()]).documents
}

/// The documents without what the module may have added, and without weir's mark that it failed.
fn without_additions(documents: &[Value], fate: Fate) -> Vec<Value> {
    let mut documents = documents.to_vec();
    for members in documents.iter_mut().filter_map(Value::as_object_mut) {
        members.remove("weir");
        if fate == Fate::Edits {
            members.remove("a");
            members.remove("meta~data/uid");
        }
    }
    documents
}

/// Tries every module, and tells of all with which `tried` finds something wrong.
fn each(tried: impl Fn(&Villain, &[Value]) -> Result<(), String>) {
    let (villains, untouched) = (villains(), untouched());
    assert!(villains.len() >= 30, "{}", villains.len());
    let mut wrong = Vec::new();
    for villain in &villains {
        let started = Instant::now();
        if let Err(why) = tried(villain, &untouched) {
            wrong.push(format!("{}: {why}", villain.0));
        }
        if started.elapsed() > LONG {
            wrong.push(format!("{}: held the pipeline up", villain.0));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(holds: bool, why: impl std::fmt::Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{why:?}")) }
}

/// Whether it was refused as it should be; `None`: it should run.
fn refused(errors: Option<Vec<LoadError>>, fate: Fate) -> Option<Result<(), String>> {
    match (errors.as_deref(), fate) {
        (None, fate) if !matches!(fate, Fate::Refused(_)) => None,
        (Some([error]), Fate::Refused(why)) => {
            Some(check(error.to_string().contains(why), error.to_string()))
        }
        (errors, _) => Some(Err(format!("{errors:?}"))),
    }
}

#[test]
fn as_a_stage_none_stalls_the_pipeline_or_changes_what_it_may_not() {
    each(|(_, module, fate), untouched| {
        let bench = Bench::new();
        let stages = [bench.stage_of("it", module), bench.stage("drop-normal", DROP_NORMAL)];
        let chain = match bench.load(&stages) {
            Ok(chain) if !matches!(fate, Fate::Refused(_)) => chain,
            loaded => return refused(loaded.err(), *fate).unwrap_or(Ok(())),
        };
        let ran = bench.run_chain(chain, &[events()], 1);
        check(ran.filtered("drop-normal", "normal") == EVENTS as u64 / 2, "the next stage")?;
        check(without_additions(&ran.documents, *fate) == untouched, &ran.documents)?;
        for number in 0..ran.documents.len() {
            let errors = ran.errors(number);
            let is_as_expected = match fate {
                // After some failures it is not called any more.
                Fate::Fails(kind) => errors
                    .iter()
                    .all(|error| *error == format!("it {}", kind.label()) || error == "it breaker"),
                _ => errors.is_empty(),
            };
            check(is_as_expected, errors)?;
        }
        let has_failed = match fate {
            Fate::Fails(kind) => ran.chain.0.stages[0].failures(*kind) > 0,
            _ => true,
        };
        check(has_failed, "it has not failed")
    });
}

#[test]
fn as_the_candidate_of_a_swap_each_that_does_harm_is_refused() {
    each(|(_, module, fate), untouched| {
        let bench = Bench::new();
        let drop_normal = bench.stage("drop-normal", DROP_NORMAL);
        let running = bench.load(std::slice::from_ref(&drop_normal));
        let generations = Generations::new(running.map_err(|errors| format!("{errors:?}"))?);
        check(run(&bench, &generations) == untouched, "before")?;
        let stages = [bench.stage_of("it", module).into(), drop_normal.into()];
        let prepared = generations.prepare(&stages, &bench.context(), &CancellationToken::new());
        let may_run = matches!(fate, Fate::Harmless | Fate::Edits);
        match prepared {
            Ok(chain) if may_run => {
                generations.publish(chain);
            }
            Err(_) if !may_run => {}
            prepared => return Err(format!("{:?}", prepared.err())),
        }
        let documents = run(&bench, &generations);
        check(without_additions(&documents, *fate) == untouched, documents)
    });
}

/// The documents of the events, run through what runs now.
fn run(bench: &Bench, generations: &Generations) -> Vec<Value> {
    let outbox = Collect::default();
    let (encode, health) = (EncodeSettings::default(), Health::default());
    let dead_letters =
        DeadLetters::open(None, &bench.ledger, &health, &Shutdown::default()).unwrap();
    let (sender, mut works) = SourceSender::new(bench.ledger.clone(), Default::default(), 1, 1);
    sender.send(chunk(events())).unwrap();
    drop(sender);
    let worker = generations.worker(0, 1);
    worker.run(works.remove(0), &outbox, &dead_letters, &encode, &health).unwrap();
    outbox.0.into_inner().unwrap()
}

#[test]
fn in_a_shadow_none_changes_anything() {
    each(|(_, module, fate), untouched| {
        let shadowed = Shadowed::new();
        let stage = shadowed.stage_of(DROP_NORMAL, module);
        if let Fate::Refused(_) = fate {
            let errors = shadowed.bench.load(&[stage]).err();
            let is_of_shadow = matches!(errors.as_deref(), Some([LoadError::Shadow { .. }]));
            check(is_of_shadow, &errors)?;
            return refused(errors, *fate).unwrap_or(Ok(()));
        }
        let documents = shadowed.run(stage, &[events()]);
        check(documents == untouched, documents)?;
        let counts = shadowed.counts();
        check(counts.iter().map(|(_, count)| count).sum::<u64>() == EVENTS as u64, &counts)?;
        let has_failed = counts.iter().any(|(label, _)| *label == "failed");
        check(has_failed == matches!(fate, Fate::Fails(_)), &counts)?;
        check(shadowed.failures().is_empty(), shadowed.failures())
    });
}
