//! The tier on disk, with the real log in a temporary folder.

use std::path::Path;

use super::*;
use crate::health::Health;
use crate::ledger::{Delivered, Tally};
use crate::position::Position;
use crate::shutdown::Shutdown;

/// A buffer of a process, and what it is accounted in.
struct Run {
    ledger: Ledger,
    tracker: Tracker,
    health: Health,
    shutdown: Shutdown,
    writer: Option<Writer>,
    reader: Reader,
    handle: Handle,
}

impl Run {
    fn start(folder: &Path, memory: u64) -> Run {
        let process = Process::default();
        let spool = SpoolSettings { path: folder.to_owned(), disk: 64 << 20 };
        let settings = Settings { memory, spool: Some(spool) };
        let (writer, reader, handle) = open(&settings, &process).unwrap();
        let Process { ledger, tracker, health, shutdown, .. } = process;
        Run { ledger, tracker, health, shutdown, writer: Some(writer), reader, handle }
    }

    /// A document of each of these sizes, which together reach `position`.
    fn put(&self, sizes: &[usize], position: u64) {
        let count = sizes.len() as u64;
        let ticket = self.tracker.issue("all", count, Some(position.to_string().into())).unwrap();
        let held = self.ledger.receive(count).with_ticket(ticket);
        let (writer, documents) = (self.writer.clone().unwrap(), documents(sizes));
        join(std::thread::spawn(move || writer.put(documents, held))).unwrap();
    }

    /// Takes this many documents; their sizes, in order.
    async fn take(&mut self, count: usize) -> (Vec<usize>, Vec<Item>) {
        let mut items = Vec::new();
        while items.len() < count {
            let limits = BatchLimits { bytes: 1 << 20, count: count - items.len() };
            items.extend(next(&mut self.reader, limits).await.expect("it has not ended"));
        }
        (items.iter().map(|item| item.body().len()).collect(), items)
    }

    /// Takes and settles this many, as many at once as fit into memory; their sizes, in order.
    async fn deliver(&mut self, count: usize) -> Vec<usize> {
        let mut delivered = Vec::new();
        while delivered.len() < count {
            let (sizes, items) = self.take(1).await;
            delivered.extend(sizes);
            settle(items);
        }
        delivered
    }

    fn mark(&self) -> Option<String> {
        self.tracker.marks().remove("all").map(String::from)
    }

    async fn until_mark(&self, position: &str) {
        let begin = std::time::Instant::now();
        while self.mark().as_deref() != Some(position) {
            assert!(begin.elapsed() < DEADLINE, "it stands at {:?}", self.mark());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// As SIGKILL would, but for the lock: nothing more is written.
    fn kill(self) {
        drop(self.writer);
        drop(self.reader);
        self.handle.close();
    }
}

pub(super) fn settle(items: Vec<Item>) {
    let mut tally = Tally::default();
    tally.delivered(Delivered::Created, items.len() as u64);
    Item::settle_all(items, &tally);
}

#[tokio::test]
async fn while_the_reader_keeps_up_nothing_goes_to_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 1 << 20);
    run.put(&[10, 20], 1);
    let (sizes, items) = run.take(2).await;
    assert_eq!(sizes, [10, 20]);
    assert_eq!(run.mark(), None, "nobody has settled them");
    settle(items);
    assert_eq!(run.mark().as_deref(), Some("1"));
    assert_eq!(run.handle.documents_on_disk(), 0);
    run.kill();
}

#[tokio::test]
async fn what_does_not_fit_into_memory_waits_on_disk_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 20_000);
    for number in 0..100 {
        run.put(&[1000 + number], number as u64 + 1);
    }
    assert_eq!(run.deliver(100).await, (1000..1100).collect::<Vec<_>>());
    run.until_mark("100").await;
    assert_eq!(run.ledger.snapshot().in_flight, 0);
    assert!(run.ledger.snapshot().is_balanced());
    run.kill();
}

#[tokio::test]
async fn what_is_on_disk_is_recovered_and_what_was_settled_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 10_000);
    for number in 0..50 {
        run.put(&[1000 + number], number as u64 + 1);
    }
    run.deliver(20).await;
    run.handle.secure();
    run.until_mark("50").await;
    assert_eq!(run.handle.documents_on_disk(), 30);
    run.kill();

    let mut run = Run::start(folder.path(), 1 << 20);
    assert_eq!(run.ledger.snapshot().recovered, 30);
    run.put(&[7], 51);
    let (sizes, items) = run.take(31).await;
    assert_eq!(sizes, (1020..1050).chain([7]).collect::<Vec<_>>(), "first what was there");
    settle(items);
    assert!(run.ledger.snapshot().is_balanced());
    assert_eq!((run.ledger.snapshot().in_flight, run.handle.documents_on_disk()), (0, 0));
    run.kill();

    let run = Run::start(folder.path(), 1 << 20);
    assert_eq!(run.ledger.snapshot().recovered, 0);
    run.kill();
}

#[tokio::test]
async fn what_waits_for_long_is_copied_and_read_once_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 1 << 20);
    run.put(&[10, 20], 1);
    run.put(&[30], 2);
    let (_, sent) = run.take(1).await;
    run.handle.secure();
    assert_eq!(run.mark().as_deref(), Some("2"), "no crash can lose them any more");
    assert_eq!(run.handle.documents_on_disk(), 3);
    let (sizes, rest) = run.take(2).await;
    assert_eq!(sizes, [20, 30]);
    settle(sent);
    settle(rest);
    assert_eq!((run.ledger.snapshot().in_flight, run.handle.documents_on_disk()), (0, 0));
    run.put(&[40], 3);
    assert_eq!(run.take(1).await.0, [40], "the copies are not read");
    run.kill();
}

#[tokio::test]
async fn copies_are_recovered_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 1 << 20);
    run.put(&[10, 20], 1);
    let (_, _in_vain) = run.take(1).await;
    run.handle.secure();
    run.kill();
    let mut run = Run::start(folder.path(), 1 << 20);
    assert_eq!(run.ledger.snapshot().recovered, 2);
    assert_eq!(run.take(2).await.0, [10, 20]);
    run.kill();
}

#[tokio::test]
async fn the_settled_marks_never_pass_what_is_only_on_this_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 5_000);
    run.put(&[100], 1);
    let (_, items) = run.take(1).await;
    settle(items);
    assert_eq!(run.handle.settled_marks(&run.tracker).get("all").map(Position::as_str), Some("1"));
    for number in 2..=20 {
        run.put(&[1000], number);
    }
    run.handle.secure();
    run.until_mark("20").await;
    let settled = run.handle.settled_marks(&run.tracker);
    assert_eq!(settled.get("all").map(Position::as_str), Some("1"), "nor does it go back");
    run.deliver(19).await;
    assert_eq!(run.handle.settled_marks(&run.tracker).get("all").map(Position::as_str), Some("20"));
    run.kill();
}

#[tokio::test]
async fn in_a_drain_the_disk_is_left_to_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 10_000);
    for number in 0..200 {
        run.put(&[1000], number + 1);
    }
    run.shutdown.drain.cancel();
    run.writer = None;
    let mut taken = 0;
    while let Some(items) = next(&mut run.reader, LIMITS).await {
        taken += items.len();
        settle(items);
    }
    assert!(taken < 200);
    run.handle.secure();
    assert_eq!(run.handle.documents_on_disk(), 200 - taken as u64);
    assert_eq!(run.ledger.snapshot().in_flight, 200 - taken as u64);
    run.kill();
}

#[tokio::test]
async fn a_source_that_ends_has_the_disk_emptied_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 10_000);
    for number in 0..200 {
        run.put(&[1000], number + 1);
    }
    run.writer = None;
    let mut taken = 0;
    while let Some(items) = next(&mut run.reader, LIMITS).await {
        taken += items.len();
        settle(items);
    }
    assert_eq!(taken, 200);
    run.kill();
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), 10_000);
    let error = lock(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(run.health.readiness().ok);
    run.kill();
    lock(folder.path()).unwrap();
}

#[tokio::test]
async fn what_the_disk_has_of_an_earlier_term_holds_no_mark_of_this_one_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), 5_000);
    for number in 1..=20 {
        run.put(&[1000], number);
    }
    run.handle.secure();
    let settled =
        |run: &Run| run.handle.settled_marks(&run.tracker).0.remove("all").map(String::from);
    assert_eq!(settled(&run), None);
    // Another replica has led meanwhile, and has settled everything up to 200.
    let marks = Positions::from([("all".to_owned(), "200".into())]);
    run.tracker.begin(marks.clone());
    run.handle.begin(marks);
    assert_eq!(settled(&run).as_deref(), Some("200"));
    run.put(&[1000], 201);
    run.handle.secure();
    assert_eq!(run.mark().as_deref(), Some("201"), "it is safe on this disk");
    assert_eq!(settled(&run).as_deref(), Some("200"), "and on no other");
    run.deliver(20).await;
    assert_eq!(settled(&run).as_deref(), Some("200"));
    run.deliver(1).await;
    assert_eq!(settled(&run).as_deref(), Some("201"));
    run.kill();
}

#[tokio::test]
async fn marks_that_an_earlier_run_wrote_beside_its_records_are_no_settled_marks() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), 1 << 20);
    for number in 1..=4 {
        run.put(&[1000], number);
        run.handle.secure();
    }
    run.kill();

    // It may have lost one of them, and have ended before that was read again.
    let mut run = Run::start(folder.path(), 1 << 20);
    run.tracker.begin(Positions::from([("all".to_owned(), Position::Nowhere)]));
    run.deliver(3).await;
    assert_eq!(run.handle.settled_marks(&run.tracker).get("all"), None);
    run.put(&[1000], 5);
    run.deliver(2).await;
    assert_eq!(run.handle.settled_marks(&run.tracker).get("all").map(Position::as_str), Some("5"));
    run.kill();
}

#[tokio::test]
async fn documents_that_were_damaged_on_disk_are_counted_and_the_source_is_told_to_read_them_again()
{
    let folder = tempfile::tempdir().unwrap();
    let run = Run::start(folder.path(), 1 << 20);
    run.put(&[1000], 1);
    run.put(&[2000], 2);
    run.handle.secure();
    run.kill();
    let mut files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.extension().is_some_and(|is| is == "segment")).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the payload of the first record: behind the file's head and the record's.
    bytes[100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let mut run = Run::start(folder.path(), 1 << 20);
    assert_eq!(run.take(1).await.0, [2000]);
    let told = run.tracker.losses();
    let begin = std::time::Instant::now();
    while *told.borrow() == 0 {
        assert!(begin.elapsed() < DEADLINE, "nobody is told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(run.tracker.losses().has_changed().unwrap(), "who comes later is told as well");
    let reason = ("buffer".to_owned(), "damaged".to_owned());
    assert_eq!(run.ledger.snapshot().dead_lettered, [(reason, 1)]);
    run.kill();
}
