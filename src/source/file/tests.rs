use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::file_position::FilePosition;
use super::*;
use crate::handoff::{Closed, SourceSender, Work};
use crate::ledger::Tally;
use crate::position::{Positions, Tracker};

/// A source's surroundings, with a worker that only takes notes.
struct Bench {
    sender: SourceSender,
    process: Process,
    work: mpsc::Receiver<Work>,
}

fn bench(chunks: usize) -> Bench {
    bench_over(Tracker::default(), chunks)
}

fn bench_over(tracker: Tracker, chunks: usize) -> Bench {
    let process = Process { tracker, ..Process::default() };
    let (ledger, tracker) = (process.ledger.clone(), process.tracker.clone());
    let (sender, mut workers) = SourceSender::new(ledger, tracker, chunks, 1);
    Bench { sender, process, work: workers.remove(0) }
}

impl Bench {
    /// What a source is given.
    fn ends(&self) -> (SourceSender, Process) {
        (self.sender.clone(), self.process.clone())
    }

    fn follow(&self, path: &Path) -> JoinHandle<Result<(), FileError>> {
        let (path, (sender, process)) = (path.to_owned(), self.ends());
        thread::spawn(move || run_file(&path, true, sender, process, |_| {}))
    }

    /// Waits for the next chunk and answers its events' names and its rejections' locations.
    fn next(&mut self) -> (Vec<String>, Vec<String>) {
        let mut work = self.work.blocking_recv().unwrap();
        work.held.settle(&Tally::default());
        notes(&work)
    }

    /// Everything that comes until the source has ended.
    fn rest(mut self) -> (Vec<String>, Vec<String>) {
        drop(self.sender);
        let mut all = (Vec::new(), Vec::new());
        while let Some(work) = self.work.blocking_recv() {
            let (names, locations) = notes(&work);
            all.0.extend(names);
            all.1.extend(locations);
        }
        all
    }
}

fn notes(work: &Work) -> (Vec<String>, Vec<String>) {
    let chunk = &work.chunk;
    let name = |event: &crate::event::Event| {
        let bytes = &chunk.event_bytes(event)[event.head.name.range()];
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    (
        chunk.events.iter().map(name).collect(),
        chunk.rejections.iter().map(|rejection| rejection.location.clone()).collect(),
    )
}

fn event(name: impl std::fmt::Display) -> String {
    format!("{{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"{name}\"}}}}\n")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_file_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    let names: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    fs::write(&path, names.iter().map(event).collect::<String>() + "oops\n" + &event("last")[..30])
        .unwrap();
    let bench = bench(64);
    let (sender, process) = bench.ends();
    let Process { ledger, metrics, .. } = process.clone();
    let mut read = 0;
    run_file(&path, false, sender, process, |bytes| read += bytes).unwrap();
    assert_eq!(read, fs::metadata(&path).unwrap().len());
    let snapshot = ledger.snapshot();
    assert_eq!((snapshot.received, snapshot.in_flight), (20_002, 20_002));
    let (found, locations) = bench.rest();
    assert_eq!(found, names);
    assert_eq!(locations, ["line 20001, column 1", "line 20002, column 1"]);
    assert!(
        metrics.render().contains("weir_source_frames_total{type=\"bare\"} 20002"),
        "{}",
        metrics.render()
    );
}

/// Reads a file of these bytes to its end: the names, the locations, and how it ended.
fn read_file(bytes: &[u8]) -> (Vec<String>, Vec<String>, Result<(), String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    fs::write(&path, bytes).unwrap();
    let bench = bench(64);
    let (sender, process) = bench.ends();
    let ended = run_file(&path, false, sender, process, |_| {});
    let ended = ended.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"));
    let (names, locations) = bench.rest();
    (names, locations, ended)
}

#[test]
fn a_file_is_read_whatever_it_is_written_or_packed_in() {
    let names: Vec<String> = (0..3_000).map(|n| format!("é{n}")).collect();
    let text: String = names.iter().map(event).collect();
    let marked = format!("\u{feff}{text}");
    let (head, tail) = text.split_at(text.floor_char_boundary(text.len() / 3));
    for bytes in [
        text.clone().into_bytes(),
        marked.clone().into_bytes(),
        utf16(&marked),
        marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        gzip(&text),
        [gzip(head), gzip(tail)].concat(),
        zstd(&text),
        [zstd(&marked), zstd("\u{feff}")].concat(),
    ] {
        assert_eq!(read_file(&bytes), (names.clone(), vec![], Ok(())));
    }
}

#[test]
fn files_that_were_joined_with_their_byte_order_marks_lose_no_event() {
    let part = |name: &str| format!("\u{feff}{}", event(name));
    let joined = part("a") + &part("b");
    for bytes in [
        joined.clone().into_bytes(),
        utf16(&joined),
        [gzip(&part("a")), gzip(&part("b"))].concat(),
        [zstd(&part("a")), gzip(&part("b"))].concat(),
    ] {
        assert_eq!(read_file(&bytes), (vec!["a".to_owned(), "b".to_owned()], vec![], Ok(())));
    }
}

#[test]
fn of_a_packed_file_that_ends_too_early_everything_before_its_end_is_read() {
    // Numbers that do not repeat, so that each event takes some bytes of what is packed.
    let names: Vec<String> = (0..20_000_u64).map(|n| (n * n * 2_654_435_761).to_string()).collect();
    let text: String = names.iter().map(event).collect();
    for (packed, form) in [(gzip(&text), "gzip"), (zstd(&text), "zstd")] {
        let end = packed.len() * 9 / 10;
        let (found, locations, ended) = read_file(&packed[..end]);
        assert!(found.len() > 16_000, "{} of {form}", found.len());
        assert_eq!(found, names[..found.len()]);
        // What its end cut in two.
        assert!(locations.len() <= 1, "{locations:?}");
        assert_eq!(
            ended.unwrap_err(),
            format!(
                "cannot go on reading FILE at byte {end}: it ends in the middle of what was \
                 packed; everything before that was read. `{form} -t` checks the whole of it: get \
                 it again from where it comes from"
            )
        );
    }
}

#[test]
fn a_packed_file_is_not_followed_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, form) in [(gzip(&event("a")), "gzip"), (zstd(&event("a")), "zstd")] {
        let path = folder.path().join(form);
        fs::write(&path, bytes).unwrap();
        let bench = bench(4);
        let error = bench.follow(&path).join().unwrap().unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot follow {}: it is compressed ({form}), and nobody appends to such a file; \
                 unpack it (`{form} -d`), or leave out `follow` in [source]",
                path.display()
            )
        );
        assert_eq!(bench.rest(), (vec![], vec![]));
    }
}

#[test]
fn a_followed_file_of_utf_16_is_read_on_from_where_the_run_before_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let add = |text: &str| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(&utf16(text)).unwrap();
    };
    let half = event("𝄞 in two halves");
    let (head, tail) = half.split_at(half.find('𝄞').unwrap());
    add(&format!("\u{feff}{}{}{head}", event("a"), event("é€𝄞")));
    let marks = follow_until(&path, Positions::new(), &["a", "é€𝄞"]);
    let at = FilePosition::parse(marks[SCOPE].as_str()).unwrap();
    // Two bytes for each unit, and what was not whole is read again.
    assert_eq!(at.offset, fs::metadata(&path).unwrap().len() - 2 * head.len() as u64);
    add(&format!("{tail}{}", event("b")));
    let marks = follow_until(&path, marks, &["𝄞 in two halves", "b"]);
    let at = FilePosition::parse(marks[SCOPE].as_str()).unwrap();
    assert!(fs::metadata(&path).unwrap().len() - at.offset <= 2);
}

#[test]
fn packed_live_input_is_handed_on_and_a_drain_loses_nothing_that_was_read() {
    let text = event("a") + &event("b") + &event("c")[..20];
    let part = zstd(&text);
    // Without its checksum and the end of its block, it is not whole.
    for packed in [gzip(&text), part, [gzip(&event("a")), gzip(&event("b"))].concat()] {
        let (input, mut output) = std::io::pipe().unwrap();
        let bench = bench(4);
        let source = drain_behind(input, bench.ends(), packed.len() as u64);
        output.write_all(&packed).unwrap();
        assert_eq!(bench.rest().0, ["a", "b"]);
        source.join().unwrap().unwrap();
    }
}

#[test]
fn the_first_bytes_of_live_input_may_come_one_by_one() {
    for (bytes, expected) in [(gzip(&event("a")), "a"), (event("b").into_bytes(), "b")] {
        let (input, mut output) = std::io::pipe().unwrap();
        let mut bench = bench(4);
        let (sender, process) = bench.ends();
        let source =
            thread::spawn(move || run_live("pipe".to_owned(), input, sender, process, |_| {}));
        for byte in bytes.chunks(1) {
            output.write_all(byte).unwrap();
        }
        assert_eq!(bench.next().0, [expected]);
        drop(output);
        source.join().unwrap().unwrap();
    }
}

/// Follows `path` from `marks` on until these have come and had their outcomes; answers how far it
/// then is.
fn follow_until(path: &Path, marks: Positions, names: &[&str]) -> Positions {
    let tracker = Tracker::default();
    tracker.begin(marks);
    let mut bench = bench_over(tracker.clone(), 4);
    let source = bench.follow(path);
    let mut seen = Vec::new();
    while seen.len() < names.len() {
        let mut work = bench.work.blocking_recv().unwrap();
        seen.extend(notes(&work).0);
        let mut tally = Tally::default();
        tally.delivered(crate::ledger::Delivered::Written, work.held.count());
        work.held.settle(&tally);
    }
    assert_eq!(seen, names);
    bench.process.shutdown.drain.cancel();
    source.join().unwrap().unwrap();
    tracker.marks()
}

#[test]
fn a_followed_file_is_read_on_from_where_the_run_before_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    let third = event("c");
    fs::write(&path, event("a") + &event("b") + &third[..20]).unwrap();
    let marks = follow_until(&path, Positions::new(), &["a", "b"]);
    append(&path, &third[20..]);
    let marks = follow_until(&path, marks, &["c"]);
    // Another file of that name, and one that became shorter, are read from their starts.
    fs::write(&path, event("d")).unwrap();
    let marks = follow_until(&path, marks, &["d"]);
    fs::rename(&path, folder.path().join("old")).unwrap();
    fs::write(&path, event("e") + &event("f")).unwrap();
    follow_until(&path, marks, &["e", "f"]);
}

#[test]
fn a_file_larger_than_the_pool_waits_for_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    fs::write(&path, (0..20_000).map(event).collect::<String>()).unwrap();
    let bench = bench(1);
    let (sender, process) = bench.ends();
    let source = thread::spawn(move || run_file(&path, false, sender, process, |_| {}));
    assert_eq!(bench.rest().0.len(), 20_000);
    source.join().unwrap().unwrap();
}

#[test]
fn a_drain_ends_a_source_that_waits_for_a_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    fs::write(&path, (0..20_000).map(event).collect::<String>()).unwrap();
    let mut bench = bench(1);
    let (sender, process) = bench.ends();
    let source = thread::spawn(move || run_file(&path, false, sender, process, |_| {}));
    let held_back = bench.work.blocking_recv().unwrap();
    bench.process.shutdown.drain.cancel();
    source.join().unwrap().unwrap();
    assert_eq!(bench.process.ledger.snapshot().received, held_back.held.count());
}

#[test]
fn a_followed_file_is_read_as_it_grows_is_truncated_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    fs::write(&path, event("a")).unwrap();
    let mut bench = bench(4);
    let source = bench.follow(&path);
    assert_eq!(bench.next().0, ["a"]);
    append(&path, &event("b"));
    assert_eq!(bench.next().0, ["b"]);
    let (head, tail) = (&event("in two halves")[..20], &event("in two halves")[20..]);
    append(&path, &(event("c") + head));
    assert_eq!(bench.next().0, ["c"]);
    append(&path, tail);
    assert_eq!(bench.next().0, ["in two halves"]);
    fs::write(&path, event("d")).unwrap();
    assert_eq!(bench.next().0, ["d"]);
    fs::rename(&path, folder.path().join("events.json.1")).unwrap();
    append(&folder.path().join("events.json.1"), &(event("e") + "{"));
    assert_eq!(bench.next().0, ["e"]);
    fs::write(&path, event("f")).unwrap();
    assert_eq!(bench.next(), (vec![], vec!["line 3, column 1".to_owned()]));
    assert_eq!(bench.next().0, ["f"]);
    bench.process.shutdown.drain.cancel();
    source.join().unwrap().unwrap();
}

#[test]
fn live_input_is_handed_on_when_no_more_is_there() {
    let (input, mut output) = std::io::pipe().unwrap();
    let mut bench = bench(4);
    let (sender, process) = bench.ends();
    let source = thread::spawn(move || run_live("pipe".to_owned(), input, sender, process, |_| {}));
    for name in ["a", "b"] {
        output.write_all(event(name).as_bytes()).unwrap();
        assert_eq!(bench.next().0, [name]);
    }
    output.write_all(&event("c").as_bytes()[..20]).unwrap();
    drop(output);
    assert_eq!(bench.next().1, ["line 3, column 1"]);
    source.join().unwrap().unwrap();
}

#[test]
fn a_drain_ends_a_source_that_waits_for_input() {
    let (input, mut output) = std::io::pipe().unwrap();
    let mut bench = bench(4);
    let (sender, process) = bench.ends();
    let source = thread::spawn(move || run_live("pipe".to_owned(), input, sender, process, |_| {}));
    output.write_all((event("a") + "{\"half\":").as_bytes()).unwrap();
    assert_eq!(bench.next().0, ["a"]);
    bench.process.shutdown.drain.cancel();
    source.join().unwrap().unwrap();
    // The half was not received; it is not malformed.
    assert_eq!(bench.process.ledger.snapshot().received, 1);
}

/// Reads live input of which all that there is has been read when the drain begins.
fn drain_behind(
    input: std::io::PipeReader,
    (sender, process): (SourceSender, Process),
    bytes: u64,
) -> JoinHandle<Result<(), FileError>> {
    let drain = process.shutdown.drain.clone();
    let mut left = bytes;
    thread::spawn(move || {
        run_live("pipe".to_owned(), input, sender, process, move |count| {
            left -= count;
            if left == 0 {
                drain.cancel();
            }
        })
    })
}

#[test]
fn a_drain_loses_nothing_that_was_read_of_live_input() {
    // More events than a chunk holds, in fewer bytes than it holds: those behind are carried over,
    // to a chunk that there is, or that must be waited for.
    let count = crate::event::CHUNK_EVENTS_MAX + 1_000;
    let text = "{\"involvedObject\":{}}\n".repeat(count) + "{\"half\":";
    for chunks in [1, 4] {
        let (input, mut output) = std::io::pipe().unwrap();
        let bench = bench(chunks);
        let source = drain_behind(input, bench.ends(), text.len() as u64);
        output.write_all(text.as_bytes()).unwrap();
        let ledger = bench.process.ledger.clone();
        assert_eq!(bench.rest().0.len(), count);
        source.join().unwrap().unwrap();
        assert_eq!(ledger.snapshot().received, count as u64);
    }
}

#[test]
fn an_error_whose_end_was_waited_for_is_refused_in_a_drain() {
    let (input, mut output) = std::io::pipe().unwrap();
    let bench = bench(2);
    let text = event("a") + "oops\nmore";
    output.write_all(text.as_bytes()).unwrap();
    drain_behind(input, bench.ends(), text.len() as u64).join().unwrap().unwrap();
    assert_eq!(bench.rest(), (vec!["a".to_owned()], vec!["line 2, column 1".to_owned()]));
}

fn fifo(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    path
}

#[test]
fn a_drain_ends_a_source_that_waits_for_the_writer_of_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(1);
    let source = bench.follow(&fifo(&folder));
    bench.process.shutdown.drain.cancel();
    source.join().unwrap().unwrap();
}

#[test]
fn a_fifo_is_read_live_until_its_writer_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = fifo(&folder);
    let mut bench = bench(4);
    let source = bench.follow(&path);
    let mut output = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for name in ["a", "b"] {
        output.write_all(event(name).as_bytes()).unwrap();
        assert_eq!(bench.next().0, [name]);
    }
    drop(output);
    source.join().unwrap().unwrap();
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let (sender, process) = bench(1).ends();
    let error = run_file(Path::new("/no/such/file"), false, sender, process, |_| {}).unwrap_err();
    insta::assert_snapshot!(error, @"cannot open the source's file /no/such/file: No such file or directory (os error 2); check `path` in [source], and that weir may read the file");
}

#[test]
fn workers_that_have_ended_end_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    fs::write(&path, event("a")).unwrap();
    let Bench { sender, process, work } = bench(1);
    drop(work);
    assert!(matches!(
        run_file(&path, false, sender, process, |_| {}),
        Err(FileError::Closed(Closed))
    ));
}
