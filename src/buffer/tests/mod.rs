//! The buffer between threads and a task.

use std::time::Duration;

use super::*;

use crate::event::Origin;
use crate::ledger::Ledger;

mod disk;
mod format;
mod marks;
mod spool;
mod steps;

/// Documents of these sizes.
pub(in crate::buffer) fn documents(sizes: &[usize]) -> Documents {
    let mut documents = Documents::default();
    for size in sizes {
        let start = documents.bytes.len();
        documents.bytes.resize(start + size, b'x');
        documents.docs.push(Document {
            body: start..start + size,
            origin: Origin::default(),
            identity: None,
            index_time: 0,
            event_time: None,
        });
    }
    documents
}

const LIMITS: BatchLimits = BatchLimits { bytes: 1 << 20, count: 1000 };
/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

fn buffer(memory: u64) -> (Ledger, Metrics, Writer, Reader) {
    let process = Process::default();
    let (writer, reader, _) = open(&Settings { memory, spool: None }, &process).unwrap();
    (process.ledger, process.metrics, writer, reader)
}

/// The next batch: a buffer that never gives it fails the test, and does not hang it.
async fn next(reader: &mut Reader, limits: BatchLimits) -> Option<Vec<Item>> {
    tokio::time::timeout(DEADLINE, reader.next(limits)).await.expect("something comes, or the end")
}

/// What a thread answers, which ends or fails the test.
fn join<T>(thread: std::thread::JoinHandle<T>) -> T {
    let begin = std::time::Instant::now();
    while !thread.is_finished() {
        assert!(begin.elapsed() < DEADLINE, "a thread still waits");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    thread.join().unwrap()
}

fn bytes(metrics: &Metrics) -> i64 {
    metrics.buffer_bytes.with_label_values(&["memory"]).get()
}

#[tokio::test]
async fn the_reader_ends_after_the_rest_when_the_last_writer_is_gone() {
    let (ledger, _, writer, mut reader) = buffer(1 << 20);
    let second = writer.clone();
    writer.put(documents(&[5]), ledger.receive(1)).unwrap();
    drop(writer);
    second.put(documents(&[6]), ledger.receive(1)).unwrap();
    drop(second);
    assert_eq!(next(&mut reader, LIMITS).await.unwrap().len(), 2);
    assert!(next(&mut reader, LIMITS).await.is_none());
}

#[tokio::test]
async fn a_writer_waits_for_room_until_the_last_item_of_documents_is_dropped() {
    let (ledger, metrics, writer, mut reader) = buffer(2000);
    writer.put(documents(&[500, 500]), ledger.receive(2)).unwrap();
    let held = ledger.receive(1);
    let waits = std::thread::spawn(move || writer.put(documents(&[1000]), held));
    let one = BatchLimits { bytes: 1, count: 1 };
    let first = next(&mut reader, one).await.unwrap();
    let second = next(&mut reader, one).await.unwrap();
    drop(first);
    let nothing = tokio::time::timeout(Duration::from_millis(20), reader.next(one)).await;
    assert!(nothing.is_err() && !waits.is_finished(), "half of the first documents is still held");
    drop(second);
    let third = next(&mut reader, one).await.unwrap();
    join(waits).unwrap();
    assert!(bytes(&metrics) >= 1000);
    drop(third);
    assert_eq!(bytes(&metrics), 0);
}

#[tokio::test]
async fn documents_larger_than_the_whole_buffer_pass_alone() {
    let (ledger, _, writer, mut reader) = buffer(1000);
    writer.put(documents(&[10]), ledger.receive(1)).unwrap();
    let held = ledger.receive(1);
    let waits = std::thread::spawn(move || writer.put(documents(&[50_000]), held));
    assert_eq!(next(&mut reader, LIMITS).await.unwrap()[0].body().len(), 10);
    assert_eq!(next(&mut reader, LIMITS).await.unwrap()[0].body().len(), 50_000);
    join(waits).unwrap();
}

#[tokio::test]
async fn a_writer_that_waits_is_told_when_the_reader_is_gone() {
    let (ledger, _, writer, reader) = buffer(1000);
    writer.put(documents(&[900]), ledger.receive(1)).unwrap();
    let (first, second) = (ledger.receive(1), ledger.receive(1));
    let waits = std::thread::spawn(move || {
        (writer.put(documents(&[900]), first), writer.put(documents(&[1]), second))
    });
    drop(reader);
    assert_eq!(join(waits), (Err(Closed), Err(Closed)));
}
