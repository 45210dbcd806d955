//! More objects than there are turns.

use super::*;

/// A server that answers all after the same time: a Pod `pN` belongs to the ReplicaSet `rN`, and
/// that to the Deployment `dN`.
struct Crowd {
    machine: Machine,
    began: Instant,
    now: Instant,
    latency: Duration,
    /// With what the names of those begin that may not be read.
    forbidden: &'static str,
    in_flight: Vec<(Instant, Address)>,
    /// What was asked for, and when.
    sent: Vec<(Duration, String)>,
    open: Vec<(String, Ticket)>,
    /// What was answered, and when.
    answers: Vec<(String, Duration)>,
}

fn in_namespace(kind: &str, namespace: &str, name: &str) -> Address {
    Address { namespace: namespace.into(), ..address(kind, name) }
}

impl Crowd {
    fn new(max_per_second: u32) -> Crowd {
        let now = Instant::now();
        Crowd {
            machine: Machine::new(settings(max_per_second)),
            began: now,
            now,
            latency: Duration::from_millis(10),
            forbidden: "",
            in_flight: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn ask(&mut self, namespace: &str, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let name = format!("p{number}");
            match self.machine.ask(&in_namespace("Pod", namespace, &name), self.now) {
                Asked::Waits(ticket) => self.open.push((name, ticket)),
                Asked::Known(answer) => self.answers.push((said(&answer), self.now - self.began)),
                Asked::Nothing => unreachable!(),
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.machine.next(self.now);
            let since = self.now - self.began;
            for address in next.send {
                self.sent.push((since, address.name.clone()));
                self.in_flight.push((self.now + self.latency, address));
            }
            let answers = &mut self.answers;
            self.open.retain(|(_, ticket)| {
                answers.extend(ticket.answer().map(|answer| (said(answer), since)));
                ticket.answer().is_none()
            });
            let first = self.in_flight.iter().map(|(at, _)| *at).min();
            let then = [next.wake, first, Some(end)].into_iter().flatten().min().unwrap();
            self.now = self.now.max(then);
            let (answered, rest) = self.in_flight.drain(..).partition(|(at, _)| *at <= self.now);
            self.in_flight = rest;
            let answered: Vec<(Instant, Address)> = answered;
            if self.now >= end && answered.is_empty() {
                return;
            }
            for (_, address) in answered {
                let is_forbidden =
                    !self.forbidden.is_empty() && address.name.starts_with(self.forbidden);
                let known = if is_forbidden { Known::Forbidden } else { known_of(&address.name) };
                self.machine.answered(&address, Some(known), None, self.now);
            }
        }
    }

    /// How many were found up to the Deployment, and when the last one of them was.
    fn whole(&self) -> (usize, Duration) {
        let whole = self.answers.iter().filter(|(said, _)| said.contains('d'));
        (whole.clone().count(), whole.map(|(_, at)| *at).max().unwrap_or_default())
    }
}

fn known_of(name: &str) -> Known {
    let (kind, number) = name.split_at(1);
    match kind {
        "p" => object(name, Some(("ReplicaSet", &format!("r{number}")))),
        _ => object(name, Some(("Deployment", &format!("d{number}")))),
    }
}

#[test]
fn of_a_burst_as_many_are_found_up_to_their_deployment_as_there_are_turns_for() {
    let mut crowd = Crowd::new(20);
    crowd.ask("shop", 0..40);
    crowd.run(Duration::from_secs(4));
    assert_eq!(crowd.answers.len(), 40);
    // 40 turns in 2 s, and each Pod takes two.
    let (whole, last) = crowd.whole();
    assert_eq!(whole, 20);
    assert!(last < Duration::from_millis(1_100), "{last:?}");
    for (said, at) in crowd.answers.iter().filter(|(said, _)| !said.contains('d')) {
        // When the last ones went before it.
        assert!(said == "timeout" && *at < Duration::from_millis(1_100), "{said} at {at:?}");
    }
}

#[test]
fn what_has_been_asked_for_is_not_asked_for_again_before_its_owner() {
    let (mut machine, now) = (Machine::new(settings(20)), Instant::now());
    let (pod, set) = (address("Pod", "p1"), address("ReplicaSet", "r1"));
    waits(machine.ask(&pod, now));
    machine.next(now);
    machine.answered(&pod, Some(known_of("p1")), None, now);
    machine.next(now);
    machine.answered(&set, None, None, now);
    let later = now + PARTLY_FOUND_FOR;
    let ticket = waits(machine.ask(&pod, later));
    assert_eq!(names(&machine.next(later)), ["r1"]);
    machine.answered(&set, Some(known_of("r1")), None, later);
    assert_eq!(told(&ticket), "p1 < r1 < d1");
}

#[test]
fn a_namespace_in_which_much_happens_leaves_the_others_their_turns() {
    let mut crowd = Crowd::new(20);
    for second in 0..5 {
        crowd.ask("noisy", second * 1_000..second * 1_000 + 500);
        crowd.ask("quiet", 90_000 + second..90_001 + second);
        crowd.run(SECOND);
    }
    crowd.run(SECOND * 2);
    assert_eq!(crowd.answers.len(), 5 * 501);
    let quiet = |said: &&(String, Duration)| said.0.contains(" < d9000");
    assert_eq!(crowd.answers.iter().filter(quiet).count(), 5, "up to their Deployments");
    let (whole, _) = crowd.whole();
    assert!(whole >= 50, "the noisy one has the rest: {whole}");
}

#[test]
fn what_may_not_be_read_costs_one_request_a_minute_for_each_resource_in_a_namespace() {
    let mut crowd = Crowd::new(20);
    crowd.forbidden = "r";
    crowd.ask("shop", 0..30);
    crowd.run(SECOND * 3);
    let sets = |crowd: &Crowd| crowd.sent.iter().filter(|(_, name)| name.starts_with('r')).count();
    let found = crowd.answers.iter().filter(|(said, _)| said.contains('r')).count();
    assert_eq!((found, crowd.answers.len()), (30, 30), "all turns are for Pods");
    assert!(sets(&crowd) <= IN_FLIGHT_MAX, "those that were on their way");
    let before = sets(&crowd);
    crowd.ask("shop", 30..40);
    crowd.run(SECOND * 3);
    assert_eq!(sets(&crowd), before);
    crowd.ask("other", 40..41);
    crowd.run(SECOND);
    assert_eq!(sets(&crowd), before + 1);
    crowd.run(UNKNOWN_FOR);
    crowd.forbidden = "";
    crowd.ask("shop", 41..42);
    crowd.run(SECOND);
    assert_eq!(crowd.answers.last().map(|(said, _)| said.as_str()), Some("p41 < r41 < d41"));
}

#[test]
fn what_waits_for_a_server_that_wants_to_be_left_alone_for_longer_goes_on_at_once() {
    let (mut machine, now) = (Machine::new(settings(1)), Instant::now());
    let first = address("Pod", "p1");
    waits(machine.ask(&first, now));
    machine.next(now);
    let second = waits(machine.ask(&address("Pod", "p2"), now));
    machine.answered(&first, None, Some(SECOND * 3), now);
    assert!(machine.next(now).finished);
    assert_eq!(told(&second), "timeout");
}

#[test]
fn an_owner_that_waits_already_moves_up_when_a_pod_was_paid_for() {
    let (mut machine, now) = (Machine::new(settings(1)), Instant::now());
    let pod = address("Pod", "p1");
    waits(machine.ask(&pod, now));
    machine.next(now);
    waits(machine.ask(&address("Pod", "p2"), now));
    let later = now + Duration::from_millis(20);
    let set = waits(machine.ask(&address("ReplicaSet", "r1"), later));
    machine.answered(&pod, Some(known_of("p1")), None, later);
    assert!(machine.next(later).finished, "the other Pod has no turn any more");
    assert_eq!(names(&machine.next(now + SECOND)), ["r1"]);
    machine.answered(&address("ReplicaSet", "r1"), Some(known_of("r1")), None, now + SECOND);
    assert_eq!(told(&set), "r1 < d1");
}
