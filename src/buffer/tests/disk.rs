//! What the tier on disk owes to the account and to whoever watches it, beside keeping documents.

use std::sync::Mutex;

use super::*;
use crate::ledger::Snapshot;

fn spool(folder: &Path, memory: u64, process: &Process) -> (Writer, Reader, Handle) {
    let spool = SpoolSettings { path: folder.to_owned(), disk: 64 << 20 };
    open(&Settings { memory, spool: Some(spool) }, process).unwrap()
}

/// A spool with two records of a document each, of which the first one is damaged.
fn damaged() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::default();
    let ledger = process.ledger.clone();
    let (writer, reader, handle) = spool(folder.path(), 1 << 20, &process);
    for size in [1000, 2000] {
        writer.put(documents(&[size]), ledger.receive(1)).unwrap();
    }
    handle.secure();
    drop((writer, reader));
    handle.close();
    let mut files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.extension().is_some_and(|is| is == "segment")).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the payload of the first record: behind the file's head and the record's.
    bytes[100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    folder
}

/// A crash between the two would skip for ever what the disk has lost.
#[test]
fn what_a_damaged_disk_lost_has_an_outcome_only_after_the_marks_of_the_loss_are_saved() {
    let folder = damaged();
    let (ledger, tracker) = (Ledger::default(), Tracker::default());
    let saved = Arc::new(Mutex::new(Vec::new()));
    let (account, saving) = (ledger.clone(), saved.clone());
    tracker.on_loss(move || saving.lock().unwrap().push(account.snapshot()));
    let metrics = Metrics::new(&ledger).unwrap();
    let memory = memory(&Settings::default(), &metrics, true);
    let (disk, limits) =
        (Folder::new(folders::Folder::open(folder.path()).unwrap()), log::Limits::new(64 << 20));
    let (mut tiers, _) = tiers::Tiers::open(disk, limits, memory, tracker, &ledger).unwrap();
    tiers.fill_memory();
    let lost = |at: &Snapshot| {
        (at.in_flight, at.dead_lettered.iter().map(|(_, count)| count).sum::<u64>())
    };
    assert_eq!(saved.lock().unwrap().iter().map(lost).collect::<Vec<_>>(), [(2, 0)], "at saving");
    assert_eq!(lost(&ledger.snapshot()), (1, 1));
}

#[tokio::test]
async fn a_spool_that_nothing_was_put_into_shows_no_bytes() {
    let (folder, process) = (tempfile::tempdir().unwrap(), Process::default());
    let Process { ledger, metrics, .. } = process.clone();
    let (writer, reader, handle) = spool(folder.path(), 5_000, &process);
    let gauge = metrics.buffer_bytes.with_label_values(&["disk"]);
    // The thread overwrites it.
    gauge.set(7);
    until(|| gauge.get() == 0, "it shows none").await;
    assert!(metrics.render().contains("\nweir_buffer_bytes{tier=\"disk\"} 0\n"));
    for _ in 1..=20 {
        writer.put(documents(&[1000]), ledger.receive(1)).unwrap();
    }
    until(|| gauge.get() > 1000, "it shows what waits on disk").await;
    drop((writer, reader));
    handle.close();
}

async fn until(mut is_so: impl FnMut() -> bool, what: &str) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
