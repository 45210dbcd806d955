//! The buffer between threads and a task.

use std::time::Duration;

use super::*;

mod disk;
mod spool;
use crate::event::Origin;
use crate::ledger::Ledger;

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

fn buffer(memory: u64) -> (Ledger, Metrics, Writer, Reader) {
    let ledger = Ledger::default();
    let metrics = Metrics::new(&ledger).unwrap();
    let (writer, reader) = channel(&Settings { memory, spool: None }, &metrics);
    (ledger, metrics, writer, reader)
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
    assert_eq!(reader.next(LIMITS).await.unwrap().len(), 2);
    assert!(reader.next(LIMITS).await.is_none());
}

#[tokio::test]
async fn a_writer_waits_for_room_until_the_last_item_of_documents_is_dropped() {
    let (ledger, metrics, writer, mut reader) = buffer(2000);
    writer.put(documents(&[500, 500]), ledger.receive(2)).unwrap();
    let held = ledger.receive(1);
    let waits = std::thread::spawn(move || writer.put(documents(&[1000]), held));
    let one = BatchLimits { bytes: 1, count: 1 };
    let first = reader.next(one).await.unwrap();
    let second = reader.next(one).await.unwrap();
    drop(first);
    let nothing = tokio::time::timeout(Duration::from_millis(20), reader.next(one)).await;
    assert!(nothing.is_err() && !waits.is_finished(), "half of the first documents is still held");
    drop(second);
    let third = reader.next(one).await.unwrap();
    waits.join().unwrap().unwrap();
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
    assert_eq!(reader.next(LIMITS).await.unwrap()[0].body().len(), 10);
    assert_eq!(reader.next(LIMITS).await.unwrap()[0].body().len(), 50_000);
    waits.join().unwrap().unwrap();
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
    assert_eq!(waits.join().unwrap(), (Err(Closed), Err(Closed)));
}
