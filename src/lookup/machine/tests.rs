//! Against a simple world of objects, in simulated time.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::super::address::Reference;
use super::*;

fn settings(max_per_second: u32) -> Settings {
    Settings { max_per_second, ..Settings::for_tests(&["pods", "replicasets.apps"]) }
}

fn address(kind: &str, name: &str) -> Address {
    let api_version = if kind == "Pod" { "v1" } else { "apps/v1" };
    let reference = Reference { api_version, kind, namespace: "shop", name, uid: name };
    let mut address = Address::default();
    assert!(address.set(&settings(1).resources, reference));
    address
}

/// An object whose uid is its name, as is the value of its only label, and who controls it.
fn object(name: &str, controller: Option<(&str, &str)>) -> Known {
    let reference = |(kind, name): (&str, &str)| json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": true});
    let owners: Vec<_> = controller.map(reference).into_iter().collect();
    let metadata = json!({"uid": name, "labels": {"is": name}, "ownerReferences": owners});
    let json = json!({ "metadata": metadata }).to_string();
    Known::Found(Arc::new(Object::read(json.as_bytes(), &settings(1)).unwrap()))
}

fn waits(asked: Asked) -> Ticket {
    match asked {
        Asked::Waits(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// An answer in a few words: the label, and the controllers.
fn said(answer: &Answer) -> String {
    match answer {
        Answer::Found(found) => {
            let controllers = found.controllers().iter().map(|owner| owner.name.as_str());
            let names: Vec<&str> = found.label("is").into_iter().chain(controllers).collect();
            names.join(" < ")
        }
        Answer::Missing => "missing".into(),
        Answer::Forbidden => "forbidden".into(),
        Answer::Timeout => "timeout".into(),
    }
}

fn told(ticket: &Ticket) -> String {
    ticket.answer().map_or_else(|| "nothing yet".into(), said)
}

fn names(next: &Next) -> Vec<&str> {
    next.send.iter().map(|address| address.name.as_str()).collect()
}

#[test]
fn a_pod_is_found_with_its_replica_set_and_the_deployment_that_is_not_looked_up_itself() {
    let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
    let (pod, set) = (address("Pod", "p"), address("ReplicaSet", "r"));
    let ticket = waits(machine.ask(&pod, now));
    assert_eq!(names(&machine.next(now)), ["p"]);
    machine.answered(&pod, Some(object("p", Some(("ReplicaSet", "r")))), None, now);
    assert_eq!(told(&ticket), "nothing yet");
    assert_eq!(names(&machine.next(now)), ["r"]);
    machine.answered(&set, Some(object("r", Some(("Deployment", "d")))), None, now);
    assert_eq!(told(&ticket), "p < r < d");
    assert!(machine.next(now).finished);
    assert!(matches!(machine.ask(&pod, now), Asked::Known(Answer::Found(_))));
    // The next pod of the same ReplicaSet costs one request.
    let (other, ticket) = (address("Pod", "q"), waits(machine.ask(&address("Pod", "q"), now)));
    assert_eq!(names(&machine.next(now)), ["q"]);
    machine.answered(&other, Some(object("q", Some(("ReplicaSet", "r")))), None, now);
    assert_eq!(told(&ticket), "q < r < d");
    assert!(machine.next(now).send.is_empty());
    let later = now + FOUND_FOR;
    assert!(matches!(machine.ask(&pod, later), Asked::Waits(_)), "labels may have changed");
}

#[test]
fn what_does_not_answer_in_time_is_gone_on_without_and_known_when_it_answers_late() {
    let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
    let pod = address("Pod", "p");
    let ticket = waits(machine.ask(&pod, now));
    let next = machine.next(now);
    assert_eq!(next.wake, Some(now + settings(1).timeout));
    let late = now + settings(1).timeout;
    assert!(machine.next(late).finished);
    assert_eq!(told(&ticket), "timeout");
    // It is on its way, so it is not asked for again.
    let second = waits(machine.ask(&pod, late));
    assert!(machine.next(late).send.is_empty());
    machine.next(late + settings(1).timeout);
    machine.answered(&pod, Some(object("p", None)), None, late + settings(1).timeout);
    assert_eq!(told(&second), "timeout");
    let Asked::Known(answer) = machine.ask(&pod, late + settings(1).timeout) else { panic!() };
    assert_eq!(said(&answer), "p");
}

#[test]
fn an_owner_that_does_not_answer_leaves_what_was_found_and_is_asked_for_again_soon() {
    let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
    let (pod, set) = (address("Pod", "p"), address("ReplicaSet", "r"));
    let ticket = waits(machine.ask(&pod, now));
    machine.next(now);
    machine.answered(&pod, Some(object("p", Some(("ReplicaSet", "r")))), None, now);
    machine.next(now);
    machine.answered(&set, None, None, now);
    assert_eq!(told(&ticket), "p < r");
    assert!(matches!(machine.ask(&pod, now), Asked::Known(_)));
    assert!(matches!(machine.ask(&pod, now + PARTLY_FOUND_FOR), Asked::Waits(_)));
}

#[test]
fn what_is_missing_or_forbidden_is_asked_for_again_after_a_minute() {
    for (known, expected) in [(Known::Missing, "missing"), (Known::Forbidden, "forbidden")] {
        let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
        let pod = address("Pod", "p");
        let ticket = waits(machine.ask(&pod, now));
        machine.next(now);
        machine.answered(&pod, Some(known), None, now);
        assert_eq!(told(&ticket), expected);
        let Asked::Known(answer) = machine.ask(&pod, now) else { panic!() };
        assert_eq!(said(&answer), expected);
        assert!(matches!(machine.ask(&pod, now + UNKNOWN_FOR), Asked::Waits(_)));
    }
}

#[test]
fn another_object_of_the_same_name_is_not_it() {
    let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
    let pod = address("Pod", "p");
    let ticket = waits(machine.ask(&pod, now));
    machine.next(now);
    machine.answered(&pod, Some(object("the-next-p", None)), None, now);
    assert_eq!(told(&ticket), "missing");
}

#[test]
fn owners_that_own_each_other_are_followed_a_few_times_only() {
    let (mut machine, mut now) = (Machine::new(settings(20)), Instant::now());
    let pod = address("Pod", "p");
    let ticket = waits(machine.ask(&pod, now));
    for _ in 0..10 {
        for asked in machine.next(now).send {
            let owner = if asked.name == "a" { "b" } else { "a" };
            let object = object(&asked.name.clone(), Some(("ReplicaSet", owner)));
            machine.answered(&asked, Some(object), None, now);
        }
        now += Duration::from_millis(1);
    }
    assert_eq!(told(&ticket), "p < a < b < a < b < a");
}

#[test]
fn what_cannot_have_its_turn_in_time_goes_on_at_once() {
    let (mut machine, now) = (Machine::new(settings(2)), Instant::now());
    let asked: Vec<_> =
        (0..10).map(|n| machine.ask(&address("Pod", &format!("p{n}")), now)).collect();
    // Two a second, for two seconds.
    let at_once = |asked: &Asked| matches!(asked, Asked::Known(Answer::Timeout));
    assert_eq!(
        asked.iter().map(at_once).collect::<Vec<_>>(),
        [vec![false; 4], vec![true; 6]].concat()
    );
    assert_eq!(names(&machine.next(now)), ["p0", "p1"]);
    assert_eq!(machine.next(now).wake, Some(now + SECOND));
    assert_eq!(names(&machine.next(now + SECOND)), ["p2", "p3"]);
}

#[test]
fn a_server_that_has_too_much_to_do_is_left_alone() {
    let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
    let ticket = waits(machine.ask(&address("Pod", "p"), now));
    machine.next(now);
    machine.answered(&address("Pod", "p"), None, Some(SECOND), now);
    assert_eq!(told(&ticket), "timeout");
    let _waits = waits(machine.ask(&address("Pod", "q"), now));
    let next = machine.next(now);
    assert!(next.send.is_empty() && next.wake == Some(now + SECOND), "{next:?}");
    assert_eq!(names(&machine.next(now + SECOND)), ["q"]);
    machine.answered(&address("Pod", "q"), None, Some(SECOND * 30), now + SECOND);
    assert!(matches!(
        machine.ask(&address("Pod", "r"), now + SECOND),
        Asked::Known(Answer::Timeout)
    ));
}

/// One object of the world: pods 0 to 5, and ReplicaSets 6 to 8.
#[derive(Clone, Copy, Debug)]
struct Real {
    /// 0: missing, 1: forbidden, 2: answers an error; else there.
    fate: u8,
    owner: Option<usize>,
    latency_ms: u64,
}

const PODS: usize = 6;
const OBJECTS_THERE_ARE: usize = 9;

fn kind_of(number: usize) -> &'static str {
    if number < PODS { "Pod" } else { "ReplicaSet" }
}

fn any_real() -> impl Strategy<Value = Real> {
    let owner = prop::option::weighted(0.7, PODS..OBJECTS_THERE_ARE);
    (0u8..9, owner, 0u64..3_500).prop_map(|(fate, owner, latency_ms)| Real {
        fate,
        owner,
        latency_ms,
    })
}

/// What the world has of an object.
fn truth(world: &[Real], number: usize) -> Option<Known> {
    let Real { fate, owner, .. } = world[number];
    let owner = owner.map(|owner| owner.to_string());
    let controller = owner.as_deref().map(|owner| ("ReplicaSet", owner));
    match fate {
        0 => Some(Known::Missing),
        1 => Some(Known::Forbidden),
        2 => None,
        _ => Some(object(&number.to_string(), controller)),
    }
}

/// All of an object's controllers, up to the one that is not there.
fn chain_of(world: &[Real], number: usize) -> String {
    let (mut names, mut at) = (vec![number.to_string()], number);
    while let Some(owner) = world[at].owner.filter(|_| names.len() <= CHAIN_MAX) {
        names.push(owner.to_string());
        if world[owner].fate < 3 {
            break;
        }
        at = owner;
    }
    names.join(" < ")
}

fn check_answer(world: &[Real], number: usize, answer: &str) -> Result<(), TestCaseError> {
    let whole = chain_of(world, number);
    match (answer, world[number].fate) {
        ("timeout", _) | ("missing", 0) | ("forbidden", 1) => {}
        (found, 3..) => prop_assert!(whole.starts_with(found), "{found}, and it is {whole}"),
        wrong => prop_assert!(false, "{wrong:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_question_is_answered_in_time_and_rightly_and_the_server_is_spared(
        world in prop::collection::vec(any_real(), OBJECTS_THERE_ARE),
        max_per_second in 1u32..6,
        asks in prop::collection::vec((0usize..OBJECTS_THERE_ARE, 0u64..1_500), 1..60),
    ) {
        let settings = settings(max_per_second);
        let timeout = settings.timeout;
        let mut machine = Machine::new(settings);
        let mut now = Instant::now();
        let (mut open, mut in_flight, mut sent) = (Vec::new(), Vec::<(Instant, Address)>::new(), vec![]);
        let mut asks = asks.into_iter();
        let mut next_ask = Some(now);
        loop {
            let next = machine.next(now);
            for address in next.send {
                prop_assert!(in_flight.iter().all(|(_, other)| *other != address));
                sent.push(now);
                let number: usize = address.name.parse().unwrap();
                in_flight.push((now + Duration::from_millis(world[number].latency_ms), address));
            }
            prop_assert!(in_flight.len() <= IN_FLIGHT_MAX);
            let mut late = HashSet::new();
            for (at, (number, deadline, ticket)) in open.iter().enumerate() {
                let ticket: &Ticket = ticket;
                match ticket.answer() {
                    Some(answer) => check_answer(&world, *number, &said(answer))?,
                    None => prop_assert!(now < *deadline, "nobody answered"),
                }
                if ticket.answer().is_some() {
                    late.insert(at);
                }
            }
            let mut at = 0;
            open.retain(|_| {
                at += 1;
                !late.contains(&(at - 1))
            });
            let first = in_flight.iter().map(|(at, _)| *at).min();
            let Some(then) = [next.wake, first, next_ask].into_iter().flatten().min() else { break };
            now = now.max(then);
            if let Some(at) = in_flight.iter().position(|(at, _)| *at <= now) {
                let (_, address) = in_flight.swap_remove(at);
                let known = truth(&world, address.name.parse().unwrap());
                machine.answered(&address, known, None, now);
            } else if next_ask.is_some_and(|at| at <= now) {
                next_ask = asks.next().map(|(number, gap_ms)| {
                    let address = address(kind_of(number), &number.to_string());
                    match machine.ask(&address, now) {
                        Asked::Waits(ticket) => open.push((number, now + timeout, ticket)),
                        Asked::Known(answer) => check_answer(&world, number, &said(&answer)).unwrap(),
                        Asked::Nothing => unreachable!(),
                    }
                    now + Duration::from_millis(gap_ms)
                });
            }
        }
        prop_assert!(open.is_empty(), "{open:?}");
        for second in sent.windows(max_per_second as usize + 1) {
            prop_assert!(*second.last().unwrap() - second[0] >= SECOND);
        }
        prop_assert!(machine.jobs.is_empty() && machine.requests.is_empty());
        prop_assert!(machine.queue.is_empty() && machine.in_flight == 0);
    }
}
