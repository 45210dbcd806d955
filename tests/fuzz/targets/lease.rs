//! The Lease as an object, and a candidate whose API server answers anything.
//!
//! An input is objects of JSON, a line each, and behind the first empty line what happens: a byte
//! each for what, and for how much time.
//!
//! - What is written over an object is a Lease that says what was meant, with all else as it was.
//! - The candidate writes over what it read last, and not over what another holds that has not
//!   expired; it leads for as long as a term may last; it always has a deadline, and a near one.

use std::time::Duration;

use serde_json::{Value, json};
use weir::internals::fuzz::{
    Candidate, LEASE_DURATION, LEASE_IDENTITY, LeaseEvent, LeaseRecord, LeaseThen,
};
use weir::internals::kube::MARK_ANNOTATION;

use crate::bytes::Bytes;
use crate::heap;

pub(crate) fn run(input: &[u8]) {
    let end = memchr::memmem::find(input, b"\n\n").unwrap_or(input.len());
    let objects: Vec<Value> = input[..end]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    for object in &objects {
        assert_record(object, input.len());
    }
    let program = &input[input.len().min(end + 2)..];
    drive(&objects, &mut Bytes::new(program));
}

fn assert_record(object: &Value, length: usize) {
    let Some(record) = LeaseRecord::parse(object.clone()) else { return };
    let seconds = object.pointer("/spec/leaseDurationSeconds").and_then(Value::as_u64);
    assert_eq!(
        record.duration.map(|it| it.as_secs()),
        seconds.filter(|it| (1..=0x7fff_ffff).contains(it))
    );
    let written =
        heap::at_most((64 << 10) + 512 * length, || LeaseRecord::written(object.clone(), "mark"));
    let [taken, renewed, released] = written.expect("a Lease that is parsed is parsed again");
    let said = |holder: &str, seconds, mark: Option<&str>| LeaseRecord {
        holder: holder.to_owned(),
        duration: Some(Duration::from_secs(seconds)),
        mark: mark.map(str::to_owned),
    };
    let duration = LEASE_DURATION.as_secs();
    let reads = |object: &Value| LeaseRecord::parse(object.clone()).unwrap();
    assert_eq!(reads(&taken), said(LEASE_IDENTITY, duration, record.mark.as_deref()));
    assert_eq!(reads(&renewed), said(LEASE_IDENTITY, duration, Some("mark")));
    assert_eq!(reads(&released), said("", 1, Some("mark")));
    for written in [taken, renewed, released] {
        assert_eq!(without_ours(written), without_ours(object.clone()), "the rest of {object}");
    }
}

/// What weir never changes of an object.
fn without_ours(mut object: Value) -> Value {
    // What was absent or null has been made.
    for path in ["/spec", "/metadata/annotations"] {
        if object.pointer(path).is_none_or(Value::is_null) {
            let (parent, key) = path.rsplit_once('/').unwrap_or_default();
            if let Some(parent) = object.pointer_mut(parent) {
                parent[key] = json!({});
            }
        }
    }
    let ours =
        ["holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime", "leaseTransitions"];
    let spec = object.pointer_mut("/spec").and_then(Value::as_object_mut);
    spec.into_iter().for_each(|spec| spec.retain(|key, _| !ours.contains(&key.as_str())));
    let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    annotations.into_iter().for_each(|them| drop(them.remove(MARK_ANNOTATION)));
    object
}

/// What a model knows of the candidate.
#[derive(Default)]
struct Model<'a> {
    /// The Lease that it has seen last, and for how long that has said the same.
    seen: Option<(&'a Value, Duration)>,
    /// Since when it has asked for its last write, for whom, and since when for the last one that
    /// succeeded.
    sent: Duration,
    holder: String,
    succeeded: Option<Duration>,
}

impl<'a> Model<'a> {
    fn pass(&mut self, time: Duration) {
        self.seen.iter_mut().for_each(|(_, same)| *same += time);
        self.sent += time;
        self.succeeded.iter_mut().for_each(|since| *since += time);
    }

    fn see(&mut self, object: &'a Value) {
        let same = match self.seen {
            Some((before, same)) if before.get("spec") == object.get("spec") => same,
            _ => Duration::ZERO,
        };
        self.seen = Some((object, same));
    }

    fn send(&mut self, written: &Value) {
        self.sent = Duration::ZERO;
        let holder = written.pointer("/spec/holderIdentity").and_then(Value::as_str);
        self.holder = holder.unwrap_or_default().to_owned();
    }

    fn assert_update(&self, update: &Value) {
        let Some((seen, same)) = self.seen else { panic!("it replaces what it has not read") };
        for of_object in ["/metadata/resourceVersion", "/metadata/uid"] {
            assert_eq!(update.pointer(of_object), seen.pointer(of_object));
        }
        let record = LeaseRecord::parse(seen.clone()).unwrap();
        let is_held = !record.holder.is_empty() && record.holder != LEASE_IDENTITY;
        let duration = record.duration.unwrap_or(LEASE_DURATION);
        assert!(!is_held || same >= duration, "it takes a Lease that is {}'s", record.holder);
    }
}

fn drive(objects: &[Value], program: &mut Bytes<'_>) {
    let mut candidate = Candidate::begin();
    let mut model = Model::default();
    while !program.is_empty() {
        let (what, time) = (program.byte(), program.byte());
        let time = match time {
            // Exactly until it does something of itself.
            255 => candidate.deadline().unwrap_or_default(),
            _ => Duration::from_millis(u64::from(time) * 100),
        };
        candidate.pass(time);
        model.pass(time);
        let object = objects.get(usize::from(what >> 4) % objects.len().max(1));
        let event = event(what % 16, object);
        match (&event, object) {
            (LeaseEvent::Found(_), Some(object))
                if LeaseRecord::parse(object.clone()).is_some() =>
            {
                model.see(object)
            }
            (LeaseEvent::Written(_), Some(object)) if is_as_written(&candidate, &model, object) => {
                model.succeeded = Some(model.sent);
                model.see(object);
            }
            _ => {}
        }
        match candidate.happens(event, u64::from(what)) {
            LeaseThen::Updates(update) => {
                model.assert_update(&update);
                model.send(&update);
            }
            LeaseThen::Creates(new) => model.send(&new),
            LeaseThen::Reads | LeaseThen::Waits | LeaseThen::Ended => {}
        }
        if candidate.leads() {
            let since = model.succeeded.expect("it leads, and has written nothing");
            assert!(since < LEASE_DURATION * 2 / 3, "it leads {since:?} after its last write");
        }
        match candidate.deadline() {
            None => return,
            Some(deadline) => assert!(deadline <= LEASE_DURATION, "it waits for {deadline:?}"),
        }
    }
}

/// Whether the answer to a write shows it done.
fn is_as_written(candidate: &Candidate, model: &Model<'_>, answer: &Value) -> bool {
    let record = LeaseRecord::parse(answer.clone());
    candidate.is_writing() && record.is_some_and(|record| record.holder == model.holder)
}

fn event(what: u8, object: Option<&Value>) -> LeaseEvent {
    match (what, object) {
        (0..=4, Some(object)) => LeaseEvent::Found(object.clone()),
        (5..=8, Some(object)) => LeaseEvent::Written(object.clone()),
        (0..=9, _) => LeaseEvent::Absent,
        (10, _) => LeaseEvent::Conflict,
        (11, _) => LeaseEvent::Failed,
        (12, _) => LeaseEvent::Renew,
        (13, _) => LeaseEvent::Release,
        _ => LeaseEvent::Deadline,
    }
}
