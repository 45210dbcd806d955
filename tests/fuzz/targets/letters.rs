//! A folder of dead letters whose file holds anything.
//!
//! - Every line that is not empty is read under its number, and its letter is what serde_json
//!   reads.
//! - Opening the folder to write moves a torn last line aside, and loses and changes nothing else.
//! - A document of an index gives a line that is read as the same letter.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;
use weir::internals::dead_letter::{DeadLetters, LetterStore};
use weir::internals::fuzz::{line_of_document, source_of};
use weir::internals::health::Health;
use weir::internals::ledger::Ledger;
use weir::internals::shutdown::Shutdown;

use crate::heap;

/// The reader's buffer of 256 KiB, and more.
const HEAP_BYTES: usize = 1 << 20;

/// In memory where there is such a place: each input is written to it.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("weir-fuzz").tempdir_in(place).unwrap()
});

pub(crate) fn run(input: &[u8]) {
    let file = |name: &str| FOLDER.path().join(name);
    let _ = std::fs::remove_file(file("00000001.torn"));
    std::fs::write(file("00000001.jsonl"), input).unwrap();

    let lines = read();
    let expected = input.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let expected: Vec<(String, &[u8])> = expected
        .filter(|(line, _)| *line != b"\n")
        .map(|(line, number)| (format!("00000001:{number}"), line))
        .collect();
    assert!(lines.iter().map(|(id, line)| (id.clone(), &line[..])).eq(expected));
    for (_, line) in &lines {
        assert_letter(line.strip_suffix(b"\n").unwrap_or(line));
    }

    open_to_write();
    let whole = std::fs::read(file("00000001.jsonl")).unwrap();
    let torn = std::fs::read(file("00000001.torn")).unwrap_or_default();
    assert_eq!([&whole[..], &torn].concat(), input, "bytes that are gone");
    assert!(!torn.contains(&b'\n') && whole.last().is_none_or(|last| *last == b'\n'));
    let left = lines.iter().filter(|(_, line)| line.ends_with(b"\n"));
    assert!(read().iter().eq(left));
}

/// Ids and lines, with their line breaks.
fn read() -> Vec<(String, Vec<u8>)> {
    let store = LetterStore::Folder(FOLDER.path().to_owned());
    let letters = store.look(false).unwrap().letters(None);
    letters
        .map(|line| line.unwrap())
        .map(|mut line| {
            assert_eq!(line.record().is_ok(), line.is_whole && source_of(&line.text).is_ok());
            line.text.extend(line.is_whole.then_some(b'\n'));
            (line.id.to_string(), line.text)
        })
        .collect()
}

fn open_to_write() {
    let store = LetterStore::Folder(FOLDER.path().to_owned());
    DeadLetters::open(Some(&store), &Ledger::default(), &Health::default(), &Shutdown::default())
        .unwrap();
}

fn assert_letter(line: &[u8]) {
    let source = heap::at_most(HEAP_BYTES + 16 * line.len(), || source_of(line));
    let of_document = line_of_document(line);
    if let (Ok(source), Ok(letter)) = (source, serde_json::from_slice::<Value>(line))
        && let Some(text) = letter.get("source").and_then(Value::as_str)
    {
        assert_eq!(source, text.as_bytes());
    }
    if of_document != line {
        let document: Value = serde_json::from_slice(line).unwrap();
        if let (Some(text), Ok(source)) =
            (document.get("source").and_then(Value::as_str), source_of(&of_document))
        {
            assert_eq!(source, text.as_bytes());
        }
    }
}
