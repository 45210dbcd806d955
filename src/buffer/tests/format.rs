//! Spools that earlier versions wrote, in `fixtures/`: this one reads the same out of them.
//!
//! `half-sent` and `all-sent` are of format 1, as commit 7ca7b34 wrote it: 20 records of two
//! documents each, with marks of two scopes, one of which has rewound. Each folder has the spool as
//! it stood on disk, and what that commit read out of it. A new format adds folders, and leaves
//! these as they are.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::event::DocumentIdentity;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/buffer/tests/fixtures").join(name)
}

/// A copy that may be written to.
fn copy_of(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name).join("spool")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

/// All that a log holds, as text: each record's documents, and the settled marks behind it.
fn contents(folder: &Path) -> String {
    let opened = log::Log::<_, Contents>::open(
        Folder::new(folders::Folder::open(folder).unwrap()),
        Limits::new(1 << 20),
    )
    .unwrap();
    let read = show_marks(opened.marks.as_ref());
    let mut log = opened.log;
    format!("recovered {} read up to {read}{}", opened.recovered, contents_of(&mut log))
}

fn contents_of(log: &mut log::Log<Folder, Contents>) -> String {
    let mut text = "\n".to_owned();
    while let Some((seq, documents)) = log.read().unwrap() {
        writeln!(text, "record {}", seq.number()).unwrap();
        for document in &documents.docs {
            write_document(&documents, document, &mut text);
        }
        log.settle(seq, documents.docs.len() as u64);
        writeln!(text, "  settled up to {}", show_marks(log.settled_marks())).unwrap();
    }
    writeln!(text, "end record {}", log.end().number()).unwrap();
    text
}

fn show_marks(marks: Option<&Positions>) -> String {
    let all = marks.into_iter().flatten().map(|(scope, mark)| format!("{scope}={mark}"));
    all.collect::<Vec<_>>().join(" ")
}

fn write_document(documents: &Documents, document: &Document, text: &mut String) {
    let show = |range: &std::ops::Range<usize>| {
        String::from_utf8_lossy(&documents.bytes[range.clone()]).into_owned()
    };
    let identity = match &document.identity {
        None => "none".to_owned(),
        Some(DocumentIdentity::Object { uid, version }) => {
            format!("{} {}", show(uid), show(version))
        }
        Some(DocumentIdentity::Digest(hex)) => show(hex),
    };
    let source = String::from_utf8_lossy(&documents.source(document)).into_owned();
    let times = (document.index_time, document.event_time);
    writeln!(text, "  {}", show(&document.body)).unwrap();
    writeln!(text, "    of {identity}, {times:?}, source {:?}", source).unwrap();
}

#[test]
fn a_spool_that_was_half_sent_is_read_as_it_was_written() {
    let expected = std::fs::read_to_string(fixture("half-sent").join("contents.txt")).unwrap();
    assert_eq!(contents(copy_of("half-sent").path()), expected);
}

/// An older weir would take the newer records in it for damage.
#[test]
fn a_segment_of_an_older_format_is_not_appended_to() {
    let folder = copy_of("half-sent");
    let last = folder.path().join("00000003.19.38.segment");
    let before = std::fs::read(&last).unwrap();
    let opened = log::Log::<_, Contents>::open(
        Folder::new(folders::Folder::open(folder.path()).unwrap()),
        Limits::new(1 << 20),
    );
    let mut log = opened.unwrap().log;
    let (documents, marks) = (documents(&[7]), Positions::new());
    let mut encoder = record::Encoder::new();
    let payload = encoder.encode(&documents, &marks);
    let record = log::Record { payload, documents: 1, marks: &marks, is_copy: false };
    log.append(&record).unwrap();
    log.sync().unwrap();
    assert_eq!(std::fs::read(&last).unwrap(), before);
    assert_eq!(contents_of(&mut log).matches("\nrecord ").count(), 20);
}

#[test]
fn numbers_go_on_behind_a_spool_that_was_all_sent() {
    let expected = std::fs::read_to_string(fixture("all-sent").join("contents.txt")).unwrap();
    assert_eq!(contents(copy_of("all-sent").path()), expected);
}
