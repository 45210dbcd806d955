//! The file sink.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::buffer;
use crate::event::{Document, Documents, Origin};
use crate::handoff::{Outbox, Stored};
use crate::ledger::Ledger;

fn documents(bodies: &[(&str, bool)]) -> Documents {
    let mut documents = Documents::default();
    for (body, line_break) in bodies {
        let start = documents.bytes.len();
        documents.bytes.extend_from_slice(body.as_bytes());
        let end = documents.bytes.len();
        documents.bytes.extend_from_slice(if *line_break { b"\n" } else { b"#" });
        documents.docs.push(Document {
            body: start..end,
            origin: Origin::default(),
            identity: None,
            index_time: 0,
            event_time: Some(0),
        });
    }
    documents
}

async fn write(path: &Path, bodies: &[&str]) -> Result<Ledger, SinkError> {
    let process = Process::default();
    let (writer, reader) = buffer::in_memory(&process);
    let documents = documents(&bodies.iter().map(|body| (*body, true)).collect::<Vec<_>>());
    writer.put(documents, process.ledger.receive(bodies.len() as u64)).unwrap();
    drop(writer);
    run(Target::File(path.to_owned()), reader, &process).await?;
    Ok(process.ledger)
}

#[tokio::test]
async fn documents_are_appended_as_lines_and_counted_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    write(&path, &["{\"a\":1}"]).await.unwrap();
    let ledger = write(&path, &["{\"b\":2}", "{\"c\":3}"]).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
    let snapshot = ledger.snapshot();
    assert_eq!((snapshot.delivered[Delivered::Written as usize], snapshot.in_flight), (2, 0));
}

#[tokio::test]
async fn a_line_torn_by_a_crash_is_cut_off_before_appending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    std::fs::write(&path, "{\"a\":1}\n{\"b\":").unwrap();
    write(&path, &["{\"c\":3}"]).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
}

#[tokio::test]
async fn a_file_whose_last_line_is_not_a_torn_document_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for precious in ["precious text", "{\"a\":1}\nprecious {text}"] {
        std::fs::write(&path, precious).unwrap();
        let error = write(&path, &["{\"c\":3}"]).await.unwrap_err();
        assert!(matches!(error, SinkError::NotOurs(_)), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), precious);
    }
}

#[tokio::test]
async fn a_file_that_another_process_writes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let _theirs = Output::open(Target::File(path.clone())).unwrap_or_else(|e| panic!("{e}"));
    let error = write(&path, &["{}"]).await.unwrap_err();
    assert!(matches!(error, SinkError::Locked(_)));
}

/// A sink at work, that documents are put before one by one.
struct AtWork {
    process: Process,
    writer: buffer::Writer,
    sink: tokio::task::JoinHandle<Result<(), SinkError>>,
}

impl AtWork {
    fn on(path: &Path) -> AtWork {
        let process = Process::default();
        let (writer, reader) = buffer::in_memory(&process);
        let (target, of_sink) = (Target::File(path.to_owned()), process.clone());
        let sink = tokio::spawn(async move { run(target, reader, &of_sink).await });
        AtWork { process, writer, sink }
    }

    /// Returns when the document counts as delivered.
    async fn deliver(&self, document: &str) {
        let delivered = || self.process.ledger.snapshot().delivered[Delivered::Written as usize];
        let before = delivered();
        self.writer.put(documents(&[(document, true)]), self.process.ledger.receive(1)).unwrap();
        while delivered() == before {
            assert!(!self.sink.is_finished());
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        drop(self.writer);
        self.sink.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_comes_after_a_rotation_is_in_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (folder.path().join("out.jsonl"), folder.path().join("out.jsonl.1"));
    let sink = AtWork::on(&path);
    sink.deliver("{\"a\":1}").await;
    std::fs::rename(&path, &rotated).unwrap();
    sink.deliver("{\"b\":2}").await;
    std::fs::remove_file(&path).unwrap();
    sink.deliver("{\"c\":3}").await;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "{\"theirs\":1}\n").unwrap();
    sink.deliver("{\"d\":4}").await;
    sink.end().await;
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(text(&rotated), "{\"a\":1}\n");
    assert_eq!(text(&path), "{\"theirs\":1}\n{\"d\":4}\n");
}

#[tokio::test]
async fn on_a_hangup_the_same_file_is_opened_again_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let sink = AtWork::on(&path);
    sink.deliver("{\"a\":1}").await;
    // A torn line is cut off when the file is opened, and at no other time.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"torn").unwrap();
    sink.process.shutdown.reload.ask();
    sink.deliver("{\"b\":2}").await;
    sink.end().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n");
}

#[test]
fn a_batch_that_went_into_a_removed_file_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let output = Output::open(Target::File(path.clone())).unwrap_or_else(|e| panic!("{e}"));
    std::fs::remove_file(&path).unwrap();
    let written = output.write(items(documents(&[("{}", true)])));
    assert_eq!(written.unwrap_or_else(|e| panic!("{e}")).1.len(), 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
}

#[test]
fn a_file_that_is_made_has_its_mode_whatever_the_umask_and_one_that_is_there_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    // More than any usual umask leaves, which is the process's and no test's to change.
    let path = folder.path().join("out.jsonl");
    make(&path, 0o666).unwrap();
    assert_eq!(mode(&path), 0o666);
    std::fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    make(&path, MODE).unwrap();
    assert_eq!(mode(&path), 0o604);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("there"), &link).unwrap();
    make(&link, MODE).unwrap();
    assert!(folder.path().join("there").is_file());
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_is_settled() {
    let process = Process::default();
    let (writer, reader) = buffer::in_memory(&process);
    writer.put(documents(&[("{}", true)]), process.ledger.receive(1)).unwrap();
    let error = run(Target::File("/dev/full".into()), reader, &process).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot write the sink's file /dev/full: No space left on device (os error 28): its folder must exist, weir must have the right to write to it, and its disk must have room; nothing that was not written counts as delivered");
    assert_eq!(process.ledger.snapshot().delivered, [0; 4]);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named() {
    let error = write(Path::new("/nowhere/out.jsonl"), &["{}"]).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot write the sink's file /nowhere/out.jsonl: No such file or directory (os error 2): its folder must exist, weir must have the right to write to it, and its disk must have room; nothing that was not written counts as delivered");
}

/// Counts calls, because the price of the file sink is the number of its writes.
#[derive(Default)]
struct Writes(Vec<Vec<u8>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn items(documents: Documents) -> Vec<Item> {
    let held = Ledger::default().receive(documents.docs.len() as u64);
    Item::all_of(Arc::new(Stored::new(documents, held, ()))).collect()
}

#[test]
fn documents_that_lie_side_by_side_are_written_together() {
    let mut all = items(documents(&[("{\"a\":1}", true), ("{\"b\":2}", true)]));
    all.extend(items(documents(&[("{\"c\":3}", true)])));
    let mut writes = Writes::default();
    write_lines(&all, &mut writes).unwrap();
    assert_eq!(writes.0, [&b"{\"a\":1}\n{\"b\":2}\n"[..], b"{\"c\":3}\n"]);
}

proptest! {
    #[test]
    fn every_document_is_one_line_however_they_lie(
        bodies in proptest::collection::vec(("[a-z]{0,5}", any::<bool>()), 0..10),
        skip in proptest::collection::vec(any::<bool>(), 10),
    ) {
        let borrowed: Vec<(&str, bool)> = bodies.iter().map(|(body, end)| (body.as_str(), *end)).collect();
        let mut all = items(documents(&borrowed));
        let mut keep = skip.iter();
        all.retain(|_| *keep.next().unwrap_or(&true));
        let mut out = Vec::new();
        write_lines(&all, &mut out).unwrap();
        let expected: String =
            bodies.iter().zip(&skip).filter(|(_, keep)| **keep).map(|((body, _), _)| format!("{body}\n")).collect();
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
