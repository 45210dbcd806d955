//! Against a simple world of objects, in simulated time.

use proptest::prelude::*;
use serde_json::json;

use super::super::address::Reference;
use super::*;

mod crowd;

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
    /// 0: missing, 1: answers an error; else there.
    fate: u8,
    owner: Option<usize>,
    latency_ms: u64,
}

#[derive(Clone, Debug)]
struct World {
    objects: Vec<Real>,
    /// Whether pods, and whether ReplicaSets may not be read.
    forbidden: [bool; 2],
}

const PODS: usize = 6;
const OBJECTS_THERE_ARE: usize = 9;

fn kind_of(number: usize) -> &'static str {
    if number < PODS { "Pod" } else { "ReplicaSet" }
}

fn any_real() -> impl Strategy<Value = Real> {
    let owner = prop::option::weighted(0.7, PODS..OBJECTS_THERE_ARE);
    let latency_ms = prop_oneof![4 => 0u64..200, 1 => 0u64..3_500];
    (0u8..9, owner, latency_ms).prop_map(|(fate, owner, latency_ms)| Real {
        fate,
        owner,
        latency_ms,
    })
}

fn any_world() -> impl Strategy<Value = World> {
    let forbidden = [prop::bool::weighted(0.2), prop::bool::weighted(0.2)];
    let objects = prop::collection::vec(any_real(), OBJECTS_THERE_ARE);
    (objects, forbidden).prop_map(|(objects, forbidden)| World { objects, forbidden })
}

impl World {
    fn is_forbidden(&self, number: usize) -> bool {
        self.forbidden[usize::from(number >= PODS)]
    }

    /// What it has of an object.
    fn truth(&self, number: usize) -> Option<Known> {
        let Real { fate, owner, .. } = self.objects[number];
        let owner = owner.map(|owner| owner.to_string());
        let controller = owner.as_deref().map(|owner| ("ReplicaSet", owner));
        match fate {
            _ if self.is_forbidden(number) => Some(Known::Forbidden),
            0 => Some(Known::Missing),
            1 => None,
            _ => Some(object(&number.to_string(), controller)),
        }
    }

    /// The objects that are asked for, from this one upwards.
    fn chain_of(&self, number: usize) -> Vec<usize> {
        let (mut chain, mut at) = (vec![number], number);
        while !self.is_forbidden(at) && self.objects[at].fate > 1 && chain.len() < CHAIN_MAX {
            let Some(owner) = self.objects[at].owner else { break };
            chain.push(owner);
            at = owner;
        }
        chain
    }

    /// What is said of it where there is time and room for all of it.
    fn whole(&self, number: usize) -> String {
        let chain = self.chain_of(number);
        let last = chain[chain.len() - 1];
        let last_owner = Some(last).filter(|_| chain.len() == CHAIN_MAX);
        let beyond = last_owner.filter(|last| matches!(self.truth(*last), Some(Known::Found(_))));
        let beyond = beyond.and_then(|last| self.objects[last].owner);
        match self.truth(number) {
            Some(Known::Missing) => "missing".into(),
            Some(Known::Forbidden) => "forbidden".into(),
            None => "timeout".into(),
            Some(Known::Found(_)) => {
                let all = chain.iter().copied().chain(beyond);
                all.map(|number| number.to_string()).collect::<Vec<_>>().join(" < ")
            }
        }
    }

    /// Whether it takes too long, or longer than that, to find the whole chain; what is not
    /// answered is not remembered, and so asked for again.
    fn is_slow(&self, number: usize) -> bool {
        let chain = self.chain_of(number);
        let took: u64 = chain.iter().map(|number| self.objects[*number].latency_ms).sum();
        took >= 2_000
    }

    /// Whether an answer is right; a part of the truth is, where there is an `excuse`.
    fn check(&self, number: usize, answer: &str, excuse: bool) -> Result<(), TestCaseError> {
        let whole = self.whole(number);
        let is_part = answer == "timeout" || whole.starts_with(answer);
        prop_assert!(
            answer == whole || (is_part && excuse),
            "{number} is {answer}, and without an excuse it is {whole}"
        );
        Ok(())
    }
}

/// Whether there was a second with no turn left, from then on.
fn was_crowded(sent: &[Instant], max_per_second: usize, since: Instant) -> bool {
    sent.windows(max_per_second)
        .any(|all| all[max_per_second - 1] < all[0] + SECOND && all[0] + SECOND > since)
}

/// A question that waits: what it is about, when that was asked first, and its ticket.
type Open = (usize, Instant, Ticket);

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_question_is_answered_in_time_and_rightly_and_the_server_is_spared(
        world in any_world(),
        max_per_second in prop_oneof![1u32..6, Just(20u32)],
        asks in prop::collection::vec((0usize..OBJECTS_THERE_ARE, 0u64..1_500), 1..60),
    ) {
        let settings = settings(max_per_second);
        let timeout = settings.timeout;
        let mut machine = Machine::new(settings);
        let mut now = Instant::now();
        let (mut open, mut in_flight, mut sent) = (Vec::<Open>::new(), Vec::<(Instant, Address)>::new(), vec![]);
        // Until when a part of the truth may be remembered.
        let mut partly = HashMap::<usize, Instant>::new();
        let mut last_full = None;
        let mut asks = asks.into_iter();
        let mut next_ask = Some(now);
        loop {
            let next = machine.next(now);
            for address in next.send {
                prop_assert!(in_flight.iter().all(|(_, other)| *other != address));
                sent.push(now);
                let number: usize = address.name.parse().unwrap();
                in_flight.push((now + Duration::from_millis(world.objects[number].latency_ms), address));
            }
            prop_assert!(in_flight.len() <= IN_FLIGHT_MAX);
            if in_flight.len() == IN_FLIGHT_MAX {
                last_full = Some(now);
            }
            let mut still_open = Vec::new();
            for (number, asked, ticket) in open {
                let Some(answer) = ticket.answer() else {
                    prop_assert!(now < asked + timeout, "nobody answered");
                    still_open.push((number, asked, ticket));
                    continue;
                };
                let excuse = world.is_slow(number)
                    || last_full.is_some_and(|at| at >= asked)
                    || was_crowded(&sent, max_per_second as usize, asked);
                world.check(number, &said(answer), excuse)?;
                if said(answer) != world.whole(number) {
                    partly.insert(number, now + PARTLY_FOUND_FOR);
                }
            }
            open = still_open;
            let first = in_flight.iter().map(|(at, _)| *at).min();
            let Some(then) = [next.wake, first, next_ask].into_iter().flatten().min() else { break };
            now = now.max(then);
            if let Some(at) = in_flight.iter().position(|(at, _)| *at <= now) {
                let (_, address) = in_flight.swap_remove(at);
                let known = world.truth(address.name.parse().unwrap());
                machine.answered(&address, known, None, now);
            } else if next_ask.is_some_and(|at| at <= now) {
                let ask = asks.next();
                next_ask = ask.map(|(_, gap_ms)| now + Duration::from_millis(gap_ms));
                let Some((number, _)) = ask else { continue };
                match machine.ask(&address(kind_of(number), &number.to_string()), now) {
                    Asked::Waits(ticket) => {
                        let same = open.iter().find(|(other, _, _)| *other == number);
                        let asked = same.map_or(now, |(_, asked, _)| *asked);
                        open.push((number, asked, ticket));
                    }
                    Asked::Known(answer) => {
                        let crowded = was_crowded(&sent, max_per_second as usize, now)
                            || !machine.queue.is_empty();
                        if crowded {
                            partly.insert(number, now + PARTLY_FOUND_FOR);
                        }
                        let excuse = partly.get(&number).is_some_and(|until| now < *until);
                        world.check(number, &said(&answer), excuse)?;
                    }
                    Asked::Nothing => unreachable!(),
                }
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
