use super::*;
use proptest::prelude::*;

#[test]
fn a_run_ends_with_one_line() {
    let ledger = Ledger::default();
    let mut held = ledger.receive(3);
    let mut tally = Tally::default();
    tally.delivered(Delivered::Written, 1);
    tally.filtered(ledger.filter_reason("drop-normal", "normal"), 1);
    held.settle(&tally);
    assert_eq!(
        ledger.snapshot().to_string(),
        "ledger received=3 recovered=0 replayed=0 delivered=1 filtered=1 dead_lettered=0 in_flight=1"
    );
}

#[test]
fn events_that_are_dropped_without_an_outcome_unbalance_it() {
    let ledger = Ledger::default();
    drop(ledger.receive(2));
    assert!(!ledger.snapshot().is_balanced());
}

#[test]
fn events_that_a_run_leaves_behind_stay_in_flight() {
    let ledger = Ledger::default();
    let (before, after) = (ledger.receive(2), ledger.receive(3));
    drop(before);
    ledger.cut_short();
    drop(after);
    assert!(ledger.snapshot().is_balanced());
    assert_eq!(ledger.snapshot().in_flight, 5);
}

#[test]
#[should_panic(expected = "2 outcomes for 1 held")]
fn an_event_cannot_have_two_outcomes() {
    let mut tally = Tally::default();
    tally.delivered(Delivered::Created, 2);
    Ledger::default().receive(1).settle(&tally);
}

#[derive(Clone, Debug)]
enum Step {
    Receive(u8),
    Split(u8, u8),
    Settle(u8, u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Receive),
        any::<(u8, u8)>().prop_map(|(a, b)| Step::Split(a, b)),
        any::<(u8, u8, u8)>().prop_map(|(a, b, c)| Step::Settle(a, b, c)),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn it_balances_whatever_queues_do_with_what_they_hold(steps in steps()) {
        let ledger = Ledger::default();
        let filtered = ledger.filter_reason("s", "r");
        let dead = ledger.dead_letter_reason("sink", "document");
        let mut held: Vec<Held> = Vec::new();
        for step in steps {
            match step {
                Step::Receive(n) => held.push(ledger.receive(n.into())),
                Step::Split(i, n) if !held.is_empty() => {
                    let i = usize::from(i) % held.len();
                    let n = u64::from(n).min(held[i].count());
                    let part = held[i].split(n);
                    held.push(part);
                }
                Step::Settle(i, n, how) if !held.is_empty() => {
                    let i = usize::from(i) % held.len();
                    let n = u64::from(n).min(held[i].count());
                    let mut tally = Tally::default();
                    match how % 3 {
                        0 => tally.delivered(Delivered::Created, n),
                        1 => tally.filtered(filtered, n),
                        _ => tally.dead_lettered(dead, n),
                    }
                    held[i].settle(&tally);
                }
                _ => {}
            }
            let snapshot = ledger.snapshot();
            prop_assert!(snapshot.is_balanced());
            prop_assert_eq!(snapshot.in_flight, held.iter().map(Held::count).sum::<u64>());
        }
    }
}
