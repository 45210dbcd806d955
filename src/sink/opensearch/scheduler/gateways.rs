//! The scheduler behind gateways that refuse whole requests.

use super::super::suspicion::Form;
use super::super::tests::{Doc, entries};
use super::*;
use crate::ledger::Ledger;
use crate::opensearch::{Answer, GZIP_BYTES_MIN, ItemError, RequestError};

type Reply = Result<Vec<Option<Answer>>, RequestError>;

/// Documents of some sizes, a gateway, and a clock.
struct Bench {
    scheduler: Scheduler,
    ledger: Ledger,
    now: Instant,
    admitted: usize,
    requests: usize,
    witnesses: usize,
    stored: Vec<usize>,
    dead: Vec<usize>,
}

impl Bench {
    /// With so many bytes in each document.
    fn new(bytes: &[usize]) -> Bench {
        let mut scheduler = Scheduler::new(Some(DateFormat::Day));
        scheduler.may_resend(true);
        let mut bench = Bench {
            scheduler,
            ledger: Ledger::default(),
            now: Instant::now(),
            admitted: 0,
            requests: 0,
            witnesses: 0,
            stored: Vec::new(),
            dead: Vec::new(),
        };
        bench.admit(bytes);
        bench
    }

    fn admit(&mut self, bytes: &[usize]) {
        let numbers = self.admitted..self.admitted + bytes.len();
        self.admitted += bytes.len();
        let texts: Vec<(String, String)> = numbers
            .zip(bytes)
            .map(|(number, bytes)| (number.to_string(), format!("{number:0bytes$}")))
            .collect();
        let doc = |(name, body)| Doc { body, ..Doc::object(name, "1") };
        let docs: Vec<Doc<'_>> = texts.iter().map(|(name, body)| doc((name, body))).collect();
        self.scheduler.admit(Batch::new(entries(&self.ledger, &docs)));
    }

    /// Sends what is to be sent for so long; `gateway` answers.
    fn run_for(&mut self, time: Duration, mut gateway: impl FnMut(&Batch) -> Reply) {
        let end = self.now + time;
        while self.now < end && !self.scheduler.is_done() {
            let mut batch = match self.scheduler.next(self.now) {
                Turn::Send(batch) => batch,
                Turn::Fetch(_, until) | Turn::Wait(until) => {
                    // Nothing is in flight, so time must pass.
                    let until = until.map_or(end, |until| until.min(end));
                    assert!(until > self.now, "it asks again and again");
                    self.now = until;
                    continue;
                }
            };
            self.requests += 1;
            self.witnesses += usize::from(batch.is_witness);
            let is_compressed = batch.bytes() + 100 * batch.entries.len() >= GZIP_BYTES_MIN;
            batch.form = Some(Form { host: "h".into(), is_compressed });
            let reply = gateway(&batch);
            let done = self.scheduler.completed(batch, reply, self.now, u64::MAX / 2);
            self.stored.extend(done.delivered.iter().map(number));
            self.dead.extend(done.dead.iter().map(|dead| number(&dead.item)));
        }
        self.stored.sort_unstable();
    }

    /// To the end.
    fn run(&mut self, gateway: impl FnMut(&Batch) -> Reply) {
        self.scheduler.end();
        self.run_for(Duration::from_secs(600), gateway);
        assert!(self.scheduler.is_done(), "{:?}", self.scheduler.unavailable());
    }

    fn is_refused(&self) -> bool {
        matches!(self.scheduler.unavailable(), Some(Unavailable::Refused(_)))
    }
}

fn number(item: &Item) -> usize {
    str::from_utf8(item.body()).unwrap().parse().unwrap()
}

fn numbers(batch: &Batch) -> Vec<usize> {
    batch.entries.iter().map(|entry| number(&entry.item)).collect()
}

fn refusal(refusal: Refusal) -> Reply {
    Err(RequestError::Rejected(refusal, "no".into()))
}

fn bad_request() -> Reply {
    refusal(Refusal::Request)
}

fn created(batch: &Batch) -> Reply {
    // What was stored before answers 409, and so the real thing.
    let (status, error) = match batch.is_witness {
        true => (409, Some(ItemError::default())),
        false => (201, None),
    };
    Ok(vec![Some(Answer { status, error }); batch.entries.len()])
}

fn is_compressed(batch: &Batch) -> bool {
    batch.form.as_ref().is_some_and(|form| form.is_compressed)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_halved_until_the_culprit_is_alone() {
    let mut bench = Bench::new(&[10, 10, 10, 10, 10, 10, 30, 10, 10]);
    bench.run(|batch| match batch.bytes() < 30 {
        true => created(batch),
        false => refusal(Refusal::TooLarge),
    });
    assert_eq!((bench.stored, bench.dead), (vec![0, 1, 2, 3, 4, 5, 7, 8], vec![6]));
    assert!(bench.requests <= 15, "{} requests", bench.requests);
}

#[tokio::test(start_paused = true)]
async fn the_last_document_that_is_too_large_is_found_by_a_smaller_one_that_is_sent_again() {
    let mut bench = Bench::new(&[10]);
    let answer = |batch: &Batch| match batch.bytes() < 30 {
        true => created(batch),
        false => refusal(Refusal::TooLarge),
    };
    bench.run_for(Duration::from_secs(1), answer);
    bench.admit(&[40]);
    bench.run(answer);
    assert_eq!((bench.stored, bench.dead, bench.witnesses), (vec![0], vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_answers_413_to_everything_makes_no_letter() {
    let mut bench = Bench::new(&[10, 20, 30]);
    bench.run_for(Duration::from_secs(600), |_| refusal(Refusal::TooLarge));
    assert!(bench.dead.is_empty() && bench.is_refused());
    assert!(bench.requests < 600, "{} requests in ten minutes", bench.requests);
    bench.run(created);
    assert_eq!((bench.stored.len(), bench.dead.len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn one_document_that_spoils_whole_requests_is_found() {
    for culprit in [0, 3, 8] {
        let mut bench = Bench::new(&[10; 9]);
        bench.run(|batch| match numbers(batch).contains(&culprit) {
            true => bad_request(),
            false => created(batch),
        });
        let others: Vec<usize> = (0..9).filter(|number| *number != culprit).collect();
        assert_eq!((bench.stored, bench.dead), (others, vec![culprit]));
        assert!(bench.requests <= 30, "{} requests", bench.requests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_refuses_every_compressed_body_makes_no_letter() {
    let bytes: Vec<usize> = (0..200).map(|at| if at % 10 == 0 { 2000 } else { 200 }).collect();
    let mut bench = Bench::new(&bytes);
    bench.run_for(Duration::from_secs(1200), |batch| match is_compressed(batch) {
        true => bad_request(),
        false => created(batch),
    });
    assert_eq!((bench.stored.len(), bench.dead.len()), (180, 0), "what is small passes");
    assert!(bench.is_refused());
    bench.run(created);
    assert_eq!((bench.stored.len(), bench.dead.len()), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn when_nothing_passes_any_more_no_document_is_blamed_however_long_ago_the_last_one_passed() {
    let mut bench = Bench::new(&[10, 2000]);
    bench.run_for(Duration::from_secs(1), created);
    bench.now += Duration::from_secs(3600);
    bench.admit(&[10; 60]);
    bench.run_for(Duration::from_secs(3600), |_| bad_request());
    assert!(bench.dead.is_empty() && bench.is_refused());
    bench.run(created);
    assert_eq!((bench.stored.len(), bench.dead.len()), (62, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_document_of_all_is_blamed_when_what_was_stored_lately_passes_again() {
    let mut bench = Bench::new(&[2000, 10]);
    bench.run_for(Duration::from_secs(1), created);
    bench.admit(&[3000]);
    bench.run(|batch| match numbers(batch).contains(&2) {
        true => bad_request(),
        false => created(batch),
    });
    assert_eq!((bench.stored.as_slice(), bench.dead.as_slice()), (&[0, 1][..], &[2][..]));
    assert!(bench.witnesses > 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_witness_the_last_document_is_held_and_it_shows() {
    let mut bench = Bench::new(&[10]);
    // Where writes move, what is stored must not be sent again.
    bench.scheduler.may_resend(false);
    bench.run_for(Duration::from_secs(1), created);
    bench.admit(&[10]);
    bench.run_for(Duration::from_secs(3600), |_| bad_request());
    assert!(bench.dead.is_empty() && bench.is_refused());
    assert_eq!(bench.witnesses, 0);
    // Those that come are its witnesses.
    for _ in 0..20 {
        bench.admit(&[10]);
        bench.run_for(Duration::from_secs(10), |batch| match numbers(batch).contains(&1) {
            true => bad_request(),
            false => created(batch),
        });
    }
    assert_eq!((bench.stored.len(), bench.dead.as_slice()), (21, &[1][..]));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_refuses_requests_at_random_makes_no_letter() {
    for of_ten in [2, 5, 8] {
        let mut random = fastrand::Rng::with_seed(of_ten);
        let mut bench = Bench::new(&[300; 100]);
        bench.run(|batch| match random.u64(..10) < of_ten {
            true => bad_request(),
            false => created(batch),
        });
        assert_eq!((bench.stored.len(), bench.dead.len()), (100, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn many_that_spoil_whole_requests_are_found_and_do_not_hold_up_the_others() {
    let is_culprit = |number: usize| number.is_multiple_of(10);
    let mut bench = Bench::new(&[300; 200]);
    bench.run(|batch| match numbers(batch).into_iter().any(is_culprit) {
        true => bad_request(),
        false => created(batch),
    });
    assert_eq!(bench.stored.len(), 180);
    assert_eq!(bench.dead.len(), 20);
    assert!(bench.requests < 400, "{} requests", bench.requests);
}

#[tokio::test(start_paused = true)]
async fn of_dead_letters_a_refusal_is_believed_at_once() {
    let mut bench = Bench::new(&[10]);
    bench.scheduler = Scheduler::new(Some(DateFormat::Day)).of_dead_letters();
    bench.admit(&[10]);
    bench.run(|_| bad_request());
    assert_eq!((bench.dead, bench.requests), (vec![1], 1));
}
