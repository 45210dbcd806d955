//! The folder of dead letters, and its records.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::folders::Folder;

const LETTER: Letter<'static> = Letter {
    part: Where::Source,
    reason: "syntax",
    detail: "line 7, column 12: expected `:`",
    source: b"{\"a\" 1}",
    document: None,
    identity: None,
};

fn open(path: &Path) -> Result<DeadLetters, DeadLetterError> {
    open_with(Some(path), &Ledger::default())
}

fn open_with(path: Option<&Path>, ledger: &Ledger) -> Result<DeadLetters, DeadLetterError> {
    let store = path.map(|path| LetterStore::Folder(path.to_owned()));
    DeadLetters::open(store.as_ref(), ledger, &Health::default(), &Shutdown::default())
}

fn file(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("00000001.jsonl")).unwrap()
}

fn record(letter: &Letter<'_>) -> String {
    let mut out = Vec::new();
    record::encode(
        letter,
        jiff::Timestamp::from_microsecond(1_760_000_000_000_001).unwrap(),
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn a_record_is_one_line_that_says_what_where_why_and_when() {
    insta::assert_snapshot!(record(&LETTER), @r#"{"version":1,"time":"2025-10-09T08:53:20.000001Z","where":"source","reason":"syntax","detail":"line 7, column 12: expected `:`","source":"{\"a\" 1}"}"#);
    let letter = Letter {
        part: Where::Stage("redact"),
        reason: "trap",
        source: b"{\"a\":\"\xff\n\"}",
        document: Some(br#"{"a":1.50}"#),
        ..LETTER
    };
    insta::assert_snapshot!(record(&letter), @r#"{"version":1,"time":"2025-10-09T08:53:20.000001Z","where":"stage","stage":"redact","reason":"trap","detail":"line 7, column 12: expected `:`","source_base64":"eyJhIjoi/woifQ==","document":{"a":1.50}}"#);
}

#[test]
fn letters_are_appended_and_counted_by_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/dead-letter");
    let ledger = Ledger::default();
    let letters = open_with(Some(&path), &ledger).unwrap();
    letters.write_all("task", &[LETTER]).unwrap();
    letters.write_all("task", &[LETTER, Letter { part: Where::Sink, ..LETTER }]).unwrap();
    assert_eq!(letters.reason(&LETTER), ledger.dead_letter_reason("source", "syntax"));
    assert_eq!(file(&path).lines().count(), 3);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("00000001.jsonl")), 0o600);
}

#[test]
fn a_second_process_is_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
    drop(first);
    open(folder.path()).unwrap();
}

#[test]
fn a_lock_whose_holder_has_not_said_its_number_says_how_to_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path()).unwrap();
    std::fs::write(folder.path().join("lock"), "").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("`fuser {}/lock` shows which", folder.path().display())),
        "{error}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = open(&file.join("dead-letter")).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(&folder.path().display().to_string(), "FOLDER"), @"cannot write the dead letters in FOLDER/file/dead-letter: Not a directory (os error 20): dead_letter.path must name a folder that weir may write to, or could make, on a disk with room; no event is lost by this");
}

#[test]
fn a_torn_last_line_is_moved_aside_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).unwrap().write_all("task", &[LETTER]).unwrap();
    let whole = file(folder.path());
    std::fs::write(folder.path().join("00000001.jsonl"), format!("{whole}{{\"vers")).unwrap();
    open(folder.path()).unwrap().write_all("task", &[LETTER]).unwrap();
    assert_eq!(file(folder.path()).lines().count(), 2);
    assert!(file(folder.path()).starts_with(&whole));
    assert_eq!(std::fs::read_to_string(folder.path().join("00000001.torn")).unwrap(), "{\"vers");
}

#[test]
fn a_full_folder_is_an_error_until_somebody_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store::Store::open(folder.path(), 100).unwrap();
    let line = |out: &mut Vec<u8>| out.extend_from_slice(&[b'x'; 60]);
    store.append(line).unwrap();
    insta::assert_snapshot!(
        store.append(line).unwrap_err().to_string().replace(&folder.path().display().to_string(), "FOLDER"),
        @"the dead letters in FOLDER are full (60 bytes of at most 100), and none is ever thrown away: find out why so many events fail, and move the folder's *.jsonl files elsewhere"
    );
    std::fs::remove_file(folder.path().join("00000001.jsonl")).unwrap();
    store.append(line).unwrap();
}

#[test]
fn what_a_failed_fsync_may_have_lost_is_written_again_to_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store::Store::open(folder.path(), 1000).unwrap();
    let line = |text: &'static str| move |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
    store.append(line("durable\n")).unwrap();
    store.sync().unwrap();
    store.append(line("first\n")).unwrap();
    // A pipe cannot be synced.
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(std::io::pipe().unwrap().1));
    let file = std::mem::replace(&mut store.file, pipe);
    store.sync().unwrap_err();
    // The kernel tells a failure once: the next fsync of the same file says that all is well.
    store.file = file;
    store.append(line("second\n")).unwrap();
    store.sync().unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.path().join("00000002.jsonl")).unwrap(),
        "first\nsecond\n"
    );
}

#[test]
fn without_a_folder_the_first_letter_is_an_error_that_says_what_to_set() {
    let letters = open_with(None, &Ledger::default()).unwrap();
    insta::assert_snapshot!(letters.write_all("task", &[LETTER]).unwrap_err(), @r#"an event needs the dead letters (source: syntax: line 7, column 12: expected `:`), and the configuration has no place for them: set dead_letter.path to a folder that weir may write to, or dead_letter.kind = "index" to keep them in the OpenSearch of the sink"#);
}

/// Letters in a folder that has room for one of them.
fn with_room_for_one(folder: &Path) -> (DeadLetters, Health, Shutdown) {
    let (health, shutdown) = (Health::default(), Shutdown::default());
    let store = store::Store::open(folder, record(&LETTER).len() as u64 + 10).unwrap();
    (
        DeadLetters::of(
            Some(Kept::Folder(Mutex::new(store))),
            &Ledger::default(),
            &health,
            &shutdown,
        ),
        health,
        shutdown,
    )
}

fn wait_until_paused(health: &Health) {
    while health.readiness().ok {
        std::thread::yield_now();
    }
}

#[test]
fn when_it_is_full_writers_wait_readiness_says_so_and_nothing_is_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (letters, health, _shutdown) = with_room_for_one(folder.path());
    let writer = std::thread::spawn(move || letters.write_all("task", &[LETTER, LETTER]));
    wait_until_paused(&health);
    let said =
        health.readiness().lines.join("\n").replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(said, @"dead letters: not ok: the dead letters in FOLDER are full (150 bytes of at most 160), and none is ever thrown away: find out why so many events fail, and move the folder's *.jsonl files elsewhere");
    assert_eq!(health.liveness(std::time::Instant::now()).lines, ["task: ok"]);
    let aside = folder.path().join("dealt-with");
    std::fs::rename(folder.path().join("00000001.jsonl"), &aside).unwrap();
    writer.join().unwrap().unwrap();
    assert!(health.readiness().ok);
    assert_eq!(std::fs::read_to_string(aside).unwrap().lines().count(), 1);
    let second = std::fs::read_to_string(folder.path().join("00000002.jsonl")).unwrap();
    assert_eq!(second.lines().count(), 1);
}

#[test]
fn the_end_of_the_run_ends_the_wait_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let (letters, health, shutdown) = with_room_for_one(folder.path());
    let writer = std::thread::spawn(move || letters.write_all("task", &[LETTER, LETTER]));
    wait_until_paused(&health);
    shutdown.abort.cancel();
    assert!(matches!(writer.join().unwrap(), Err(DeadLetterError::Full { .. })));
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let letter = Letter {
        part: Where::Stage("redact"),
        source: b"{\"a\":\"\xff\n\"}",
        document: Some(br#"{"a":1.50,"b":"\u0041"}"#),
        ..LETTER
    };
    let read = Record::parse(record(&letter).trim_end().as_bytes()).unwrap();
    assert_eq!((read.part, read.stage.as_deref()), (Part::Stage, Some("redact")));
    assert_eq!((read.reason.as_str(), read.detail.as_str()), (letter.reason, letter.detail));
    assert_eq!(
        (read.source.as_slice(), read.document.as_deref()),
        (letter.source, letter.document)
    );
    let read = Record::parse(record(&LETTER).trim_end().as_bytes()).unwrap();
    assert_eq!((read.source.as_slice(), read.document), (LETTER.source, None));
}

#[test]
fn what_is_no_record_says_why() {
    let why = |line: &str| Record::parse(line.as_bytes()).unwrap_err().to_string();
    insta::assert_snapshot!(why("{}"), @"it is not a dead letter: missing field `version` at line 1 column 2");
    insta::assert_snapshot!(why(r#"{"version":2,"anything":true}"#), @"a newer weir wrote it (version 2 of the records; this weir reads up to 1): use that one");
    insta::assert_snapshot!(why(r#"{"version":1,"time":"t","where":"sink","reason":"r","detail":"d"}"#), @"it is not a dead letter: it has no source");
    insta::assert_snapshot!(why(r#"{"version":1,"time":"t","where":"moon","reason":"r","detail":"d","source":""}"#), @"it is not a dead letter: unknown variant `moon`, expected one of `source`, `stage`, `sink` at line 1 column 38");
    insta::assert_snapshot!(why(r#"{"version":1,"time":"t","where":"sink","reason":"r","detail":"d","source_base64":"*"}"#), @"it is not a dead letter: its source_base64 is not base64: Invalid symbol 42, offset 0.");
    // In a member that nobody reads, too.
    let text =
        br#"{"version":1,"time":"t","where":"sink","reason":"r","detail":"d","source":"","x":"?"}"#;
    let text = text.map(|byte| if byte == b'?' { 0xff } else { byte });
    let error = Record::parse(&text).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"it is not a dead letter: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 82");
}

#[test]
fn a_letter_that_was_cut_is_known_by_its_reason_or_its_length() {
    let of = |part, reason, length: usize| {
        let source = vec![b'x'; length];
        let letter = Letter { part, reason, source: &source, ..LETTER };
        Record::parse(record(&letter).trim_end().as_bytes()).unwrap().is_cut()
    };
    assert!(of(Where::Source, "too_large", 10));
    assert!(of(Where::Source, "syntax", 64 << 10));
    assert!(!of(Where::Source, "syntax", 10));
    assert!(!of(Where::Sink, "too_large", 10), "as a request, and it is there whole");
}

fn all_parts(replay: &Replay) -> Vec<u64> {
    replay.parts(&Selection::All(Filter::default()))
}

#[test]
fn a_replay_reads_what_is_there_and_what_fails_again_goes_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).unwrap().write_all("task", &[LETTER, LETTER]).unwrap();
    let mut letters = open(folder.path()).unwrap();
    let replay = letters.begin_replay().unwrap();
    assert!(letters.is_replay());
    assert_eq!(all_parts(&replay), [1]);
    letters.write_all("task", &[LETTER]).unwrap();
    assert_eq!(file(folder.path()).lines().count(), 2);
    let second = std::fs::read_to_string(folder.path().join("00000002.jsonl")).unwrap();
    assert_eq!(second.lines().count(), 1);
    drop(letters);
    // A file without letters is used again.
    std::fs::write(folder.path().join("00000002.jsonl"), "").unwrap();
    assert_eq!(all_parts(&open(folder.path()).unwrap().begin_replay().unwrap()), [1]);
    assert_eq!(folder::look(&Folder::open(folder.path()).unwrap()).unwrap().numbers, [1, 2]);
}

#[test]
fn letters_of_a_full_folder_have_room_to_fail_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store::Store::open(folder.path(), 100).unwrap();
    let line = |out: &mut Vec<u8>| out.extend_from_slice(&[b'x'; 90]);
    store.append(line).unwrap();
    assert!(store.append(line).is_err());
    store.begin_replay().unwrap();
    store.append(line).unwrap();
}

#[test]
fn a_letter_whose_file_is_moved_just_after_it_was_written_is_in_the_next_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    let mut store = store::Store::open(folder.path(), 1000).unwrap();
    let first = folder.path().join("00000001.jsonl");
    // Between the look whether it was moved and the write.
    let letter = |out: &mut Vec<u8>| out.extend_from_slice(b"letter\n");
    let moved = || std::fs::rename(&first, aside.path().join("00000001.jsonl")).unwrap();
    store.append_after(letter, moved).unwrap();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(text(&aside.path().join("00000001.jsonl")), "letter\n");
    assert_eq!(text(&folder.path().join("00000002.jsonl")), "letter\n");
}

#[test]
fn a_file_that_is_larger_than_weir_writes_one_is_an_error_and_is_not_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("00000001.jsonl")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("it is larger than weir writes one: move it away"), "{error}");
    // Nor is a line that has no end.
    file.set_len(65 << 20).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("its last line is longer than weir writes one"), "{error}");
    assert!(!folder.path().join("00000001.torn").exists());
}

#[test]
fn a_file_of_letters_that_is_a_link_is_refused_and_what_it_leads_to_stays() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    for name in ["lock", "00000001.jsonl"] {
        std::fs::write(&precious, "precious").unwrap();
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("it is a link, and what it leads to is left alone"), "{error}");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
        std::fs::remove_file(&link).unwrap();
    }
}
