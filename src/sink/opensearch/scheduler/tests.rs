//! The scheduler against targets that answer anything.

use proptest::prelude::*;

use super::super::batch::Entry;
use super::super::tests::{Doc, entries};
use super::*;
use crate::ledger::{Delivered, Ledger, Tally};
use crate::opensearch::{Answer, BACKOFF, ItemError, RequestError};

fn batch(ledger: &Ledger, names: &[String]) -> Batch {
    let docs: Vec<Doc<'_>> = names.iter().map(|name| Doc::object(name, "1")).collect();
    Batch::new(entries(ledger, &docs))
}

fn names(from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|number| number.to_string()).collect()
}

/// The number in a document's uid.
fn name(item: &Item) -> usize {
    let Some(crate::event::DocumentIdentity::Object { uid, .. }) = &item.document().identity else {
        panic!("a test's document has a uid")
    };
    std::str::from_utf8(&item.documents().bytes[uid.clone()]).unwrap().parse().unwrap()
}

fn answer(status: u16, kind: &str) -> Option<Answer> {
    let error = (status >= 400).then(|| ItemError { kind: kind.into(), ..ItemError::default() });
    Some(Answer { status, error })
}

fn settle(done: Completion) -> (Vec<usize>, Vec<usize>) {
    let names: (Vec<usize>, Vec<usize>) = (
        done.delivered.iter().map(name).collect(),
        done.dead.iter().map(|dead| name(&dead.item)).collect(),
    );
    let mut tally = Tally::default();
    tally.delivered(Delivered::Created, done.delivered.len() as u64);
    Item::settle_all(done.delivered, &tally);
    let mut tally = Tally::default();
    tally.delivered(Delivered::Written, done.dead.len() as u64);
    Item::settle_all(done.dead.into_iter().map(|dead| dead.item).collect(), &tally);
    names
}

fn sent(turn: Turn) -> Batch {
    match turn {
        Turn::Send(batch) => batch,
        other => panic!("nothing to send: {other:?}"),
    }
}

fn waits(turn: Turn) -> Instant {
    match turn {
        // It may take one document more, to have another to probe with.
        Turn::Wait(Some(until)) | Turn::Fetch(BatchLimits { count: 1, .. }, Some(until)) => until,
        other => panic!("it should wait: {other:?}"),
    }
}

fn outage() -> Result<Vec<Option<Answer>>, RequestError> {
    Err(RequestError::Outage("gone".into()))
}

#[tokio::test(start_paused = true)]
async fn the_first_after_quiet_goes_at_once_and_the_next_waits_for_the_interval() {
    let (ledger, mut scheduler, now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    scheduler.admit(batch(&ledger, &names(0, 1)));
    assert_eq!(sent(scheduler.next(now)).entries.len(), 1);
    scheduler.admit(batch(&ledger, &names(1, 1)));
    let Turn::Fetch(_, Some(wake)) = scheduler.next(now) else { panic!("it should wait for more") };
    assert_eq!(wake, now + MIN_INTERVAL);
    scheduler.admit(batch(&ledger, &names(2, 1)));
    assert_eq!(sent(scheduler.next(wake)).entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn behind_a_request_of_many_more_are_gathered() {
    let (ledger, mut scheduler, now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    scheduler.admit(batch(&ledger, &names(0, MANY)));
    assert_eq!(sent(scheduler.next(now)).entries.len(), MANY);
    scheduler.admit(batch(&ledger, &names(MANY, 1)));
    let Turn::Fetch(_, Some(wake)) = scheduler.next(now) else { panic!("it should wait for more") };
    assert_eq!(wake, now + BUSY_INTERVAL);
    assert_eq!(sent(scheduler.next(wake)).entries.len(), 1);
    scheduler.admit(batch(&ledger, &names(MANY + 1, 1)));
    let Turn::Fetch(_, Some(next)) = scheduler.next(wake) else { panic!("it should wait") };
    assert_eq!(next, wake + MIN_INTERVAL, "few came");
    scheduler.admit(batch(&ledger, &names(0, REQUEST_DOCUMENTS_MAX)));
    assert_eq!(sent(scheduler.next(wake)).entries.len(), REQUEST_DOCUMENTS_MAX, "it is full");
}

#[tokio::test(start_paused = true)]
async fn a_full_request_goes_at_once_and_only_so_many_are_in_flight() {
    let (ledger, mut scheduler, now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    for _ in 0..IN_FLIGHT_MAX {
        scheduler.admit(batch(&ledger, &names(0, REQUEST_DOCUMENTS_MAX)));
        assert_eq!(sent(scheduler.next(now)).entries.len(), REQUEST_DOCUMENTS_MAX);
    }
    scheduler.admit(batch(&ledger, &names(0, REQUEST_DOCUMENTS_MAX)));
    assert!(matches!(scheduler.next(now), Turn::Wait(None)));
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_one_document_probes_and_then_the_rest_follows() {
    let (ledger, mut scheduler, mut now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    scheduler.admit(batch(&ledger, &names(0, 10)));
    let all = sent(scheduler.next(now));
    settle(scheduler.completed(all, outage(), now, 0));
    for _ in 0..20 {
        let until = waits(scheduler.next(now));
        assert!(until > now && until <= now + BACKOFF.max);
        now = until;
        let probe = sent(scheduler.next(now));
        assert_eq!(probe.entries.len(), 1);
        assert!(matches!(scheduler.next(now), Turn::Wait(None)), "one probe, and nothing else");
        settle(scheduler.completed(probe, outage(), now, u64::MAX / 2));
        assert_eq!(scheduler.unavailable(), Some(Unavailable::Outage("gone".into())));
    }
    let until = waits(scheduler.next(now));
    let probe = sent(scheduler.next(until));
    settle(scheduler.completed(probe, Ok(vec![answer(201, "")]), until, 0));
    assert_eq!(scheduler.unavailable(), None);
    assert_eq!(sent(scheduler.next(until)).entries.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_mistake_holds_everything_and_probes_until_it_is_mended() {
    let (ledger, mut scheduler, mut now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    scheduler.admit(batch(&ledger, &names(0, 150)));
    scheduler.end();
    let all = sent(scheduler.next(now));
    let refusals = vec![answer(400, "mapper_parsing_exception"); 150];
    assert_eq!(settle(scheduler.completed(all, Ok(refusals), now, 0)), (vec![], vec![]));
    for _ in 0..200 {
        let until = waits(scheduler.next(now));
        now = until;
        let probe = sent(scheduler.next(now));
        assert_eq!(probe.entries.len(), 1);
        let refusal = vec![answer(400, "mapper_parsing_exception")];
        assert_eq!(settle(scheduler.completed(probe, Ok(refusal), now, 0)), (vec![], vec![]));
        assert!(matches!(scheduler.unavailable(), Some(Unavailable::Refused(_))));
    }
    let mut stored = 0;
    while !scheduler.is_done() {
        match scheduler.next(now) {
            Turn::Send(batch) => {
                let reply = Ok(vec![answer(201, ""); batch.entries.len()]);
                stored += settle(scheduler.completed(batch, reply, now, 0)).0.len();
            }
            Turn::Wait(Some(until)) | Turn::Fetch(_, Some(until)) => now = until,
            other => panic!("stuck: {other:?}"),
        }
    }
    assert_eq!(stored, 150);
}

#[tokio::test(start_paused = true)]
async fn one_document_that_answers_500_while_others_are_stored_is_dead_after_a_time_and_not_before()
{
    let (ledger, mut scheduler, mut now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    let start = now;
    scheduler.admit(batch(&ledger, &names(0, 1)));
    let mut dead = Vec::new();
    for number in 1.. {
        scheduler.admit(batch(&ledger, &names(number, 1)));
        now += Duration::from_secs(15);
        while let Turn::Send(batch) = scheduler.next(now) {
            let status = |entry: &Entry| if name(&entry.item) == 0 { 500 } else { 201 };
            let answers = batch.entries.iter().map(|entry| answer(status(entry), "boom")).collect();
            dead.extend(settle(scheduler.completed(batch, Ok(answers), now, 0)).1);
        }
        if !dead.is_empty() {
            break;
        }
        assert!(now - start < FAILING_FOR * 2);
    }
    assert_eq!(dead, [0]);
    assert!(now - start >= FAILING_FOR);
}

#[tokio::test(start_paused = true)]
async fn a_document_whose_index_answers_500_or_that_an_outage_kept_waiting_is_not_dead() {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    let (ledger, mut scheduler, mut now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    // Of tomorrow's index, which does not come up.
    let tomorrow = |names: &[String]| {
        let docs: Vec<Doc<'_>> =
            names.iter().map(|name| Doc { time: DAY, ..Doc::object(name, "1") }).collect();
        Batch::new(entries(&ledger, &docs))
    };
    scheduler.admit(tomorrow(&names(0, 1)));
    for number in 1..100 {
        scheduler.admit(batch(&ledger, &names(number, 1)));
        now += Duration::from_secs(15);
        while let Turn::Send(batch) = scheduler.next(now) {
            let status = |entry: &Entry| if name(&entry.item) == 0 { 500 } else { 201 };
            let answers = batch.entries.iter().map(|entry| answer(status(entry), "boom")).collect();
            assert!(settle(scheduler.completed(batch, Ok(answers), now, 0)).1.is_empty());
        }
    }

    // One answer before an outage and one after it are no row of answers.
    let mut scheduler = Scheduler::new(Some(DateFormat::Day));
    scheduler.admit(batch(&ledger, &names(0, 1)));
    let one = sent(scheduler.next(now));
    scheduler.completed(one, Ok(vec![answer(503, "boom")]), now, 0);
    now += Duration::from_secs(10);
    let again = sent(scheduler.next(now));
    scheduler.completed(again, Err(RequestError::Outage("away".into())), now, 0);
    now += FAILING_FOR * 2;
    scheduler.admit(batch(&ledger, &names(1, 1)));
    for _ in 0..4 {
        now += Duration::from_secs(10);
        while let Turn::Send(batch) = scheduler.next(now) {
            let status = |entry: &Entry| if name(&entry.item) == 0 { 503 } else { 201 };
            let answers = batch.entries.iter().map(|entry| answer(status(entry), "boom")).collect();
            assert!(settle(scheduler.completed(batch, Ok(answers), now, 0)).1.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_one_document_gets_is_that_documents_after_a_time_and_what_is_the_indexs_never() {
    let cases = [
        (400, "script_exception", Some(Refusal::UnknownError)),
        (418, "", Some(Refusal::UnknownError)),
        (409, "of_a_plugin", Some(Refusal::UnknownError)),
        (302, "", Some(Refusal::UnknownError)),
        (0, "", Some(Refusal::UnknownError)),
        (500, "boom", Some(Refusal::ServerError)),
        (403, "cluster_block_exception", None),
        (404, "index_not_found_exception", None),
        (429, "rejected_execution_exception", None),
    ];
    for (status, kind, expected) in cases {
        let (ledger, mut scheduler, mut now) =
            (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
        let start = now;
        scheduler.admit(batch(&ledger, &names(0, 1)));
        let mut refusal = None;
        for number in 1..100 {
            scheduler.admit(batch(&ledger, &names(number, 1)));
            now += Duration::from_secs(15);
            while let Turn::Send(batch) = scheduler.next(now) {
                let bad = |entry: &Entry| name(&entry.item) == 0;
                let answers = batch.entries.iter().map(|entry| match bad(entry) {
                    true => answer(status, kind).map(|it| Answer { status, ..it }),
                    false => answer(201, ""),
                });
                let answers = answers.collect();
                let done = scheduler.completed(batch, Ok(answers), now, 0);
                refusal = refusal.or(done.dead.first().map(|dead| dead.refusal));
                assert!(refusal.is_none() || now - start >= FAILING_FOR, "{status} {kind}");
                settle(done);
            }
        }
        assert_eq!(refusal, expected, "{status} {kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_every_document_of_an_index_gets_is_no_documents_however_long() {
    let (ledger, mut scheduler, mut now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    scheduler.admit(batch(&ledger, &names(0, 20)));
    let end = now + 10 * FAILING_FOR;
    while now < end {
        now += Duration::from_secs(5);
        while let Turn::Send(batch) = scheduler.next(now) {
            let answers = vec![answer(400, "script_exception"); batch.entries.len()];
            assert!(settle(scheduler.completed(batch, Ok(answers), now, 0)).1.is_empty());
        }
        assert!(matches!(scheduler.unavailable(), Some(Unavailable::Refused(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_stored_all_the_same_is_in_doubt() {
    let now = Instant::now();
    let text = || "no".to_owned();
    let answers = |status| Ok(vec![answer(status, "")]);
    let cases = [
        (Err(RequestError::Outage(text())), true),
        (Err(RequestError::Timeout(text())), true),
        (Err(RequestError::Refused(text())), true),
        (answers(503), true),
        (Err(RequestError::TooMany(text())), false),
        (answers(429), false),
        (answers(403), false),
    ];
    for (reply, is_in_doubt) in cases {
        let (ledger, mut scheduler) = (Ledger::default(), Scheduler::new(Some(DateFormat::Day)));
        scheduler.admit(batch(&ledger, &names(0, 1)));
        let one = sent(scheduler.next(now));
        let what = format!("{reply:?}");
        scheduler.completed(one, reply, now, 0);
        let again = sent(scheduler.next(now + Duration::from_secs(10)));
        assert_eq!(again.entries[0].is_in_doubt, is_in_doubt, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn documents_that_the_target_refuses_wait_while_others_are_stored_and_it_shows() {
    let (ledger, mut scheduler, now) =
        (Ledger::default(), Scheduler::new(Some(DateFormat::Day)), Instant::now());
    scheduler.admit(batch(&ledger, &names(0, 2)));
    let both = sent(scheduler.next(now));
    let answers = vec![answer(201, ""), answer(403, "cluster_block_exception")];
    assert_eq!(settle(scheduler.completed(both, Ok(answers), now, 0)).0, [0]);
    assert_eq!(
        scheduler.unavailable(),
        Some(Unavailable::Refused("403 cluster_block_exception".into()))
    );
    scheduler.admit(batch(&ledger, &names(2, 1)));
    assert_eq!(sent(scheduler.next(now + MIN_INTERVAL)).entries.len(), 1);
}

/// What a target may do with one request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// Each item by its number and this.
    Items(u8),
    Outage,
    Timeout,
    TooMany,
    TooLarge,
    Refused,
}

fn deeds() -> impl Strategy<Value = Vec<(Deed, u16)>> {
    let deed = prop_oneof![
        6 => any::<u8>().prop_map(Deed::Items),
        1 => Just(Deed::Outage),
        1 => Just(Deed::Timeout),
        1 => Just(Deed::TooMany),
        1 => Just(Deed::TooLarge),
        1 => Just(Deed::Refused),
    ];
    proptest::collection::vec((deed, any::<u16>()), 0..60)
}

fn reply(deed: Deed, batch: &Batch) -> Result<Vec<Option<Answer>>, RequestError> {
    let text = || "no".to_owned();
    match deed {
        Deed::Items(salt) => Ok(batch
            .entries
            .iter()
            .map(|entry| match (name(&entry.item) * 7 + usize::from(salt)) % 9 {
                0 => answer(400, "mapper_parsing_exception"),
                1 => answer(403, "cluster_block_exception"),
                2 => answer(429, "rejected_execution_exception"),
                3 => answer(503, "unavailable_shards_exception"),
                4 => answer(409, "version_conflict_engine_exception"),
                _ => answer(201, ""),
            })
            .collect()),
        Deed::Outage => Err(RequestError::Outage(text())),
        Deed::Timeout => Err(RequestError::Timeout(text())),
        Deed::TooMany => Err(RequestError::TooMany(text())),
        Deed::TooLarge => Err(RequestError::Rejected(Refusal::TooLarge, text())),
        Deed::Refused => Err(RequestError::Refused(text())),
    }
}

proptest! {
    #[test]
    fn every_document_gets_exactly_one_outcome_whatever_the_target_does(
        arrivals in proptest::collection::vec(1usize..40, 1..8),
        deeds in deeds(),
    ) {
        let ledger = Ledger::default();
        let (mut scheduler, mut now) = (Scheduler::new(Some(DateFormat::Day)), Instant::now());
        let mut arrivals = arrivals.into_iter();
        let mut deeds = deeds.into_iter();
        let (mut outcomes, mut in_flight, mut admitted) = (Vec::new(), Vec::new(), 0);
        for _ in 0..10_000 {
            if scheduler.is_done() {
                break;
            }
            let wake = match scheduler.next(now) {
                Turn::Send(batch) => {
                    in_flight.push(batch);
                    prop_assert!(in_flight.len() <= IN_FLIGHT_MAX);
                    if in_flight.iter().any(|batch: &Batch| batch.is_probe) {
                        prop_assert_eq!(in_flight.len(), 1);
                        prop_assert_eq!(in_flight[0].entries.len(), 1);
                    }
                    continue;
                }
                Turn::Fetch(limits, wake) => match arrivals.next() {
                    Some(count) => {
                        let count = count.min(limits.count);
                        scheduler.admit(batch(&ledger, &names(admitted, count)));
                        admitted += count;
                        continue;
                    }
                    None => {
                        scheduler.end();
                        wake
                    }
                },
                Turn::Wait(wake) => wake,
            };
            let Some((deed, which)) = deeds.next().or(Some((Deed::Items(3), 0))) else { break };
            if in_flight.is_empty() {
                now = wake.unwrap_or(now);
                continue;
            }
            now += Duration::from_millis(u64::from(which) % 100);
            let batch = in_flight.remove(usize::from(which) % in_flight.len());
            let reply = if deeds.len() == 0 {
                Ok(vec![answer(201, ""); batch.entries.len()])
            } else {
                reply(deed, &batch)
            };
            let (delivered, dead) = settle(scheduler.completed(batch, reply, now, u64::MAX / 3));
            outcomes.extend(delivered);
            outcomes.extend(dead);
            let open: usize = in_flight.iter().map(|batch| batch.entries.len()).sum();
            prop_assert!(outcomes.len() + open <= admitted);
            prop_assert!(ledger.snapshot().is_balanced());
        }
        prop_assert!(scheduler.is_done(), "it never came to an end");
        outcomes.sort_unstable();
        prop_assert_eq!(outcomes, (0..admitted).collect::<Vec<_>>());
        prop_assert_eq!(ledger.snapshot().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_index_without_a_date_todays_documents_speak_against_one_of_yesterday() {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    for (date, expected) in [(None, 1), (Some(DateFormat::Month), 1), (Some(DateFormat::Day), 0)] {
        let (ledger, mut scheduler) = (Ledger::default(), Scheduler::new(date));
        let mut now = Instant::now();
        let one = |uid: &str, time| {
            Batch::new(entries(&ledger, &[Doc { time, ..Doc::object(uid, "1") }]))
        };
        scheduler.admit(one("0", 10 * DAY));
        let (end, mut dead) = (now + FAILING_FOR * 2, 0);
        while now < end {
            now += Duration::from_secs(5);
            scheduler.admit(one("1", 11 * DAY));
            while let Turn::Send(batch) = scheduler.next(now) {
                let is_old = |entry: &Entry| entry.item.document().index_time == 10 * DAY;
                let status = |entry| if is_old(entry) { 418 } else { 201 };
                let answers = batch.entries.iter().map(|entry| answer(status(entry), ""));
                let answers = answers.collect();
                dead += settle(scheduler.completed(batch, Ok(answers), now, 0)).1.len();
            }
        }
        assert_eq!(dead, expected, "{date:?}");
    }
}
