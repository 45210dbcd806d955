//! The lane against targets that answer anything.

use proptest::prelude::*;

use super::super::parcel::Entry;
use super::super::response::{Answer, ItemError};
use super::super::tests::{Doc, entries};
use super::*;
use crate::ledger::{Delivered, Ledger, Tally};

fn parcel(ledger: &Ledger, names: &[String]) -> Parcel {
    let docs: Vec<Doc<'_>> = names.iter().map(|name| Doc::object(name, "1")).collect();
    Parcel::new(entries(ledger, &docs))
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

fn answer(status: u16, kind: &str) -> Answer {
    let error = (status >= 400).then(|| ItemError { kind: kind.into(), ..ItemError::default() });
    Answer { status, error }
}

fn settle(done: Completion) -> (Vec<usize>, Vec<usize>) {
    let names: (Vec<usize>, Vec<usize>) = (
        done.delivered.iter().map(name).collect(),
        done.dead.iter().map(|(item, ..)| name(item)).collect(),
    );
    let mut tally = Tally::default();
    tally.delivered(Delivered::Created, done.delivered.len() as u64);
    Item::settle_all(done.delivered, &tally);
    let mut tally = Tally::default();
    tally.delivered(Delivered::Written, done.dead.len() as u64);
    Item::settle_all(done.dead.into_iter().map(|(item, ..)| item).collect(), &tally);
    names
}

fn sent(turn: Turn) -> Parcel {
    match turn {
        Turn::Send(parcel) => parcel,
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

fn outage() -> Result<Vec<Answer>, Failure> {
    Err(Failure::Outage("gone".into()))
}

#[tokio::test(start_paused = true)]
async fn the_first_after_quiet_goes_at_once_and_the_next_waits_for_the_interval() {
    let (ledger, mut lane, now) = (Ledger::default(), Lane::new(), Instant::now());
    lane.admit(parcel(&ledger, &names(0, 1)));
    assert_eq!(sent(lane.next(now)).entries.len(), 1);
    lane.admit(parcel(&ledger, &names(1, 1)));
    let Turn::Fetch(_, Some(wake)) = lane.next(now) else { panic!("it should wait for more") };
    assert_eq!(wake, now + MIN_INTERVAL);
    lane.admit(parcel(&ledger, &names(2, 1)));
    assert_eq!(sent(lane.next(wake)).entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_request_goes_at_once_and_only_so_many_are_in_flight() {
    let (ledger, mut lane, now) = (Ledger::default(), Lane::new(), Instant::now());
    for _ in 0..IN_FLIGHT_MAX {
        lane.admit(parcel(&ledger, &names(0, REQUEST_DOCUMENTS_MAX)));
        assert_eq!(sent(lane.next(now)).entries.len(), REQUEST_DOCUMENTS_MAX);
    }
    lane.admit(parcel(&ledger, &names(0, REQUEST_DOCUMENTS_MAX)));
    assert!(matches!(lane.next(now), Turn::Wait(None)));
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_one_document_probes_and_then_the_rest_follows() {
    let (ledger, mut lane, mut now) = (Ledger::default(), Lane::new(), Instant::now());
    lane.admit(parcel(&ledger, &names(0, 10)));
    let all = sent(lane.next(now));
    settle(lane.completed(all, outage(), now, 0.0));
    for _ in 0..20 {
        let until = waits(lane.next(now));
        assert!(until > now && until <= now + super::super::retry::BACKOFF_MAX);
        now = until;
        let probe = sent(lane.next(now));
        assert_eq!(probe.entries.len(), 1);
        assert!(matches!(lane.next(now), Turn::Wait(None)), "one probe, and nothing else");
        settle(lane.completed(probe, outage(), now, 0.5));
        assert_eq!(lane.trouble(), Some(Trouble::Outage("gone".into())));
    }
    let until = waits(lane.next(now));
    let probe = sent(lane.next(until));
    settle(lane.completed(probe, Ok(vec![answer(201, "")]), until, 0.0));
    assert_eq!(lane.trouble(), None);
    assert_eq!(sent(lane.next(until)).entries.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_halved_until_the_culprit_is_alone() {
    let (ledger, mut lane, now) = (Ledger::default(), Lane::new(), Instant::now());
    lane.admit(parcel(&ledger, &names(0, 9)));
    lane.end();
    let (mut stored, mut dead, mut requests) = (Vec::new(), Vec::new(), 0);
    while !lane.is_done() {
        let parcel = sent(lane.next(now));
        requests += 1;
        let has_culprit = parcel.entries.iter().any(|entry| name(&entry.item) == 6);
        let reply = match has_culprit {
            true => Err(Failure::Rejected(Refusal::TooLarge, "413".into())),
            false => Ok(vec![answer(201, ""); parcel.entries.len()]),
        };
        let (more_stored, more_dead) = settle(lane.completed(parcel, reply, now, 0.0));
        stored.extend(more_stored);
        dead.extend(more_dead);
    }
    stored.sort_unstable();
    assert_eq!((stored, dead), (vec![0, 1, 2, 3, 4, 5, 7, 8], vec![6]));
    assert!(requests <= 9);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_mistake_holds_everything_and_probes_until_it_is_mended() {
    let (ledger, mut lane, mut now) = (Ledger::default(), Lane::new(), Instant::now());
    lane.admit(parcel(&ledger, &names(0, 150)));
    lane.end();
    let all = sent(lane.next(now));
    let refusals = vec![answer(400, "mapper_parsing_exception"); 150];
    assert_eq!(settle(lane.completed(all, Ok(refusals), now, 0.0)), (vec![], vec![]));
    for _ in 0..200 {
        let until = waits(lane.next(now));
        now = until;
        let probe = sent(lane.next(now));
        assert_eq!(probe.entries.len(), 1);
        let refusal = vec![answer(400, "mapper_parsing_exception")];
        assert_eq!(settle(lane.completed(probe, Ok(refusal), now, 0.0)), (vec![], vec![]));
        assert!(matches!(lane.trouble(), Some(Trouble::Refused(_))));
    }
    let mut stored = 0;
    while !lane.is_done() {
        match lane.next(now) {
            Turn::Send(parcel) => {
                let reply = Ok(vec![answer(201, ""); parcel.entries.len()]);
                stored += settle(lane.completed(parcel, reply, now, 0.0)).0.len();
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
    let (ledger, mut lane, mut now) = (Ledger::default(), Lane::new(), Instant::now());
    let start = now;
    lane.admit(parcel(&ledger, &names(0, 1)));
    let mut dead = Vec::new();
    for number in 1.. {
        lane.admit(parcel(&ledger, &names(number, 1)));
        now += Duration::from_secs(15);
        while let Turn::Send(parcel) = lane.next(now) {
            let status = |entry: &Entry| if name(&entry.item) == 0 { 500 } else { 201 };
            let answers =
                parcel.entries.iter().map(|entry| answer(status(entry), "boom")).collect();
            dead.extend(settle(lane.completed(parcel, Ok(answers), now, 0.0)).1);
        }
        if !dead.is_empty() {
            break;
        }
        assert!(now - start < SERVER_ERROR_FOR * 2);
    }
    assert_eq!(dead, [0]);
    assert!(now - start >= SERVER_ERROR_FOR);
}

#[tokio::test(start_paused = true)]
async fn a_document_whose_index_answers_500_or_that_an_outage_kept_waiting_is_not_dead() {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    let (ledger, mut lane, mut now) = (Ledger::default(), Lane::new(), Instant::now());
    // Of tomorrow's index, which does not come up.
    let tomorrow = |names: &[String]| {
        let docs: Vec<Doc<'_>> =
            names.iter().map(|name| Doc { time: DAY, ..Doc::object(name, "1") }).collect();
        Parcel::new(entries(&ledger, &docs))
    };
    lane.admit(tomorrow(&names(0, 1)));
    for number in 1..100 {
        lane.admit(parcel(&ledger, &names(number, 1)));
        now += Duration::from_secs(15);
        while let Turn::Send(parcel) = lane.next(now) {
            let status = |entry: &Entry| if name(&entry.item) == 0 { 500 } else { 201 };
            let answers =
                parcel.entries.iter().map(|entry| answer(status(entry), "boom")).collect();
            assert!(settle(lane.completed(parcel, Ok(answers), now, 0.0)).1.is_empty());
        }
    }

    // One answer before an outage and one after it are no row of answers.
    let mut lane = Lane::new();
    lane.admit(parcel(&ledger, &names(0, 1)));
    let one = sent(lane.next(now));
    lane.completed(one, Ok(vec![answer(503, "boom")]), now, 0.0);
    now += Duration::from_secs(10);
    let again = sent(lane.next(now));
    lane.completed(again, Err(Failure::Outage("away".into())), now, 0.0);
    now += SERVER_ERROR_FOR * 2;
    lane.admit(parcel(&ledger, &names(1, 1)));
    for _ in 0..4 {
        now += Duration::from_secs(10);
        while let Turn::Send(parcel) = lane.next(now) {
            let status = |entry: &Entry| if name(&entry.item) == 0 { 503 } else { 201 };
            let answers =
                parcel.entries.iter().map(|entry| answer(status(entry), "boom")).collect();
            assert!(settle(lane.completed(parcel, Ok(answers), now, 0.0)).1.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_stored_all_the_same_is_open() {
    let now = Instant::now();
    let text = || "no".to_owned();
    let answers = |status| Ok(vec![answer(status, "")]);
    let cases = [
        (Err(Failure::Outage(text())), true),
        (Err(Failure::Timeout(text())), true),
        (Err(Failure::Refused(text())), true),
        (answers(503), true),
        (Err(Failure::TooMany(text())), false),
        (answers(429), false),
        (answers(403), false),
    ];
    for (reply, is_open) in cases {
        let (ledger, mut lane) = (Ledger::default(), Lane::new());
        lane.admit(parcel(&ledger, &names(0, 1)));
        let one = sent(lane.next(now));
        let what = format!("{reply:?}");
        lane.completed(one, reply, now, 0.0);
        let again = sent(lane.next(now + Duration::from_secs(10)));
        assert_eq!(again.entries[0].is_open, is_open, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn documents_that_the_target_refuses_wait_while_others_are_stored_and_it_shows() {
    let (ledger, mut lane, now) = (Ledger::default(), Lane::new(), Instant::now());
    lane.admit(parcel(&ledger, &names(0, 2)));
    let both = sent(lane.next(now));
    let answers = vec![answer(201, ""), answer(403, "cluster_block_exception")];
    assert_eq!(settle(lane.completed(both, Ok(answers), now, 0.0)).0, [0]);
    assert_eq!(lane.trouble(), Some(Trouble::Refused("403 cluster_block_exception: ".into())));
    lane.admit(parcel(&ledger, &names(2, 1)));
    assert_eq!(sent(lane.next(now + MIN_INTERVAL)).entries.len(), 1);
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

fn reply(deed: Deed, parcel: &Parcel) -> Result<Vec<Answer>, Failure> {
    let text = || "no".to_owned();
    match deed {
        Deed::Items(salt) => Ok(parcel
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
        Deed::Outage => Err(Failure::Outage(text())),
        Deed::Timeout => Err(Failure::Timeout(text())),
        Deed::TooMany => Err(Failure::TooMany(text())),
        Deed::TooLarge => Err(Failure::Rejected(Refusal::TooLarge, text())),
        Deed::Refused => Err(Failure::Refused(text())),
    }
}

proptest! {
    #[test]
    fn every_document_gets_exactly_one_outcome_whatever_the_target_does(
        arrivals in proptest::collection::vec(1usize..40, 1..8),
        deeds in deeds(),
    ) {
        let ledger = Ledger::default();
        let (mut lane, mut now) = (Lane::new(), Instant::now());
        let mut arrivals = arrivals.into_iter();
        let mut deeds = deeds.into_iter();
        let (mut outcomes, mut in_flight, mut admitted) = (Vec::new(), Vec::new(), 0);
        for _ in 0..10_000 {
            if lane.is_done() {
                break;
            }
            let wake = match lane.next(now) {
                Turn::Send(parcel) => {
                    in_flight.push(parcel);
                    prop_assert!(in_flight.len() <= IN_FLIGHT_MAX);
                    if in_flight.iter().any(|parcel: &Parcel| parcel.is_probe) {
                        prop_assert_eq!(in_flight.len(), 1);
                        prop_assert_eq!(in_flight[0].entries.len(), 1);
                    }
                    continue;
                }
                Turn::Fetch(limits, wake) => match arrivals.next() {
                    Some(count) => {
                        let count = count.min(limits.count);
                        lane.admit(parcel(&ledger, &names(admitted, count)));
                        admitted += count;
                        continue;
                    }
                    None => {
                        lane.end();
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
            let parcel = in_flight.remove(usize::from(which) % in_flight.len());
            let reply = if deeds.len() == 0 {
                Ok(vec![answer(201, ""); parcel.entries.len()])
            } else {
                reply(deed, &parcel)
            };
            let (delivered, dead) = settle(lane.completed(parcel, reply, now, 0.3));
            outcomes.extend(delivered);
            outcomes.extend(dead);
            let open: usize = in_flight.iter().map(|parcel| parcel.entries.len()).sum();
            prop_assert!(outcomes.len() + open <= admitted);
            prop_assert!(ledger.snapshot().is_balanced());
        }
        prop_assert!(lane.is_done(), "it never came to an end");
        outcomes.sort_unstable();
        prop_assert_eq!(outcomes, (0..admitted).collect::<Vec<_>>());
        prop_assert_eq!(ledger.snapshot().in_flight, 0);
    }
}
