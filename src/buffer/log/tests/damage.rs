//! Flipped bytes, truncated, removed and foreign files.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::frame::{HEAD_BYTES, Head};
use super::super::segment::{HEADER_BYTES, encode_format};
use super::*;

/// Which record each byte of each segment belongs to; `None`: a header.
fn records_of(disk: &SimulatedDisk) -> Vec<(String, Vec<Option<u64>>)> {
    let mut files = Vec::new();
    for (name, bytes) in disk.contents() {
        if !name.ends_with(".segment") {
            continue;
        }
        let mut owners = vec![None; HEADER_BYTES];
        while owners.len() < bytes.len() {
            let head =
                Head::decode(bytes[owners.len()..][..HEAD_BYTES].try_into().unwrap()).unwrap();
            owners.resize(owners.len() + head.frame_bytes() as usize, Some(head.start.seq));
        }
        files.push((name, owners));
    }
    files
}

fn told(errors: &[ReadError]) -> (u64, u64) {
    errors.iter().fold((0, 0), |(all_records, all_documents), error| match error {
        ReadError::Damaged { records, documents, .. } => {
            (all_records + records, all_documents + documents)
        }
        ReadError::Io(error) => panic!("{error}"),
    })
}

fn segments(disk: &SimulatedDisk) -> Vec<String> {
    disk.contents().into_keys().filter(|name| name.ends_with(".segment")).collect()
}

proptest! {
    #[test]
    fn damage_loses_at_most_the_damaged_records_and_is_told(
        count in 1u64..30,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u8..), 0..5),
        cut in proptest::option::weighted(0.3, (any::<prop::sample::Index>(), any::<prop::sample::Index>())),
        gone in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        is_live in any::<bool>(),
    ) {
        let (disk, mut log, samples) = with_records(0..count);
        let files = records_of(&disk);
        let mut damaged = BTreeSet::new();
        for (file, at, mask) in flips {
            let (name, owners) = file.get(&files);
            let at = at.index(owners.len());
            disk.damage(name, |bytes| bytes[at] ^= mask);
            damaged.extend(owners[at]);
        }
        if let Some((file, at)) = cut {
            let (name, owners) = file.get(&files);
            let at = at.index(owners.len());
            disk.damage(name, |bytes| bytes.truncate(at));
            damaged.extend(owners[at..].iter().flatten());
        }
        if let Some(file) = gone {
            let (name, owners) = file.get(&files);
            disk.lose(name);
            damaged.extend(owners.iter().flatten());
        }
        if !is_live {
            disk.kill();
            let opened = open(&disk, LIMITS);
            prop_assert_eq!(opened.recovered, count * 3);
            log = opened.log;
        }
        let (records, errors) = read_all(&mut log);
        let numbers = numbers(&records);
        prop_assert!(numbers.is_sorted());
        let missing: BTreeSet<u64> = (0..count).filter(|number| !numbers.contains(number)).collect();
        prop_assert!(missing.is_subset(&damaged), "{missing:?} {damaged:?}");
        prop_assert_eq!(told(&errors), (missing.len() as u64, missing.len() as u64 * 3));
        for (_, record) in &records {
            assert_same(record, &samples[number_of(record) as usize].documents);
        }
        for (seq, _) in records {
            log.settle(seq, 3);
        }
        prop_assert_eq!((log.documents(), log.is_drained()), (0, true));
        prop_assert_eq!(log.window.settled().seq, count);
        log.append(&Sample::new(count, 3, 100).record()).unwrap();
        log.sync().unwrap();
        let (records, errors) = read_all(&mut log);
        prop_assert!(errors.is_empty());
        prop_assert_eq!(self::numbers(&records), [count]);
    }

    #[test]
    fn damaged_progress_only_gives_settled_records_again(
        slot in 0usize..2,
        at in prop_oneof![0usize..60, 0usize..4096],
        mask in 1u8..,
        settled in 0usize..20,
    ) {
        let (disk, mut log, _) = with_records(0..20);
        for (seq, _) in read_all(&mut log).0.into_iter().take(settled) {
            log.settle(seq, 3);
            log.tidy(true).unwrap();
        }
        disk.kill();
        disk.damage(progress::NAME, |bytes| bytes[slot * 4096 + at] ^= mask);
        let (records, errors) = read_all(&mut open(&disk, LIMITS).log);
        prop_assert!(errors.is_empty());
        let numbers = numbers(&records);
        prop_assert!(numbers.first().is_none_or(|first| *first <= settled as u64));
        prop_assert!(numbers.len() >= 20 - settled && numbers.is_sorted());
    }

    #[test]
    fn files_of_anything_at_all_are_opened_and_read_to_an_end(
        name in "0000000[0-3]\\.[0-9]\\.[0-9]\\.segment",
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0), prop::sample::select(&frame::MAGIC[..])], 0..400),
        progress in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let (disk, log, _) = with_records(0..3);
        drop(log);
        disk.damage(&segments(&disk)[0], |file| file.truncate(HEADER_BYTES + 10));
        disk.put(&name, &bytes);
        disk.damage(progress::NAME, |file| file[..progress.len()].copy_from_slice(&progress));
        disk.kill();
        let mut log = match Log::open(disk.clone(), LIMITS) {
            Ok(opened) => opened.log,
            // Two of them say that they hold the same records: a person decides.
            Err(OpenError::Contradiction { .. }) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        read_all(&mut log);
        log.append(&Sample::new(9, 1, 10).record()).unwrap();
        prop_assert_eq!(numbers(&read_all(&mut log).0), [9]);
    }
}

#[test]
fn a_damaged_record_is_told_with_its_place_and_what_is_lost() {
    let (disk, log, _) = with_records(0..20);
    drop(log);
    disk.kill();
    disk.damage(&segments(&disk)[1], |bytes| bytes[HEADER_BYTES + HEAD_BYTES + 20] ^= 1);
    let errors = read_all(&mut open(&disk, LIMITS).log).1;
    insta::assert_snapshot!(errors[0], @"the buffer's file /simulated/00000002.5.15.segment is damaged at byte 36 (a record is not what was written): 3 documents in 1 records are lost, which had been read from the source and not delivered; what is behind them goes on. Check the disk: the kernel's log says more");
    assert_eq!(errors.len(), 1);
}

#[test]
fn a_damaged_header_of_the_last_segment_loses_nothing() {
    let (disk, log, _) = with_records(0..3);
    drop(log);
    disk.kill();
    disk.damage(&segments(&disk)[0], |bytes| bytes[..HEADER_BYTES].fill(0));
    let mut log = open(&disk, LIMITS).log;
    log.append(&Sample::new(3, 3, 100).record()).unwrap();
    let (records, errors) = read_all(&mut log);
    assert!(errors.is_empty());
    assert_eq!(numbers(&records), [0, 1, 2, 3]);
    assert_eq!(segments(&disk).len(), 2, "no record is appended to a damaged file");
}

#[test]
fn a_last_segment_without_anything_whole_is_kept_and_told() {
    let (disk, log, _) = with_records(0..1);
    drop(log);
    disk.kill();
    let name = segments(&disk).remove(0);
    disk.damage(&name, |bytes| bytes.fill(0));
    disk.damage(progress::NAME, |bytes| bytes.fill(0));
    let mut log = open(&disk, LIMITS).log;
    assert!(segments(&disk).contains(&name));
    let (records, errors) = read_all(&mut log);
    assert_eq!((records.len(), told(&errors).0), (0, 1));
    log.append(&Sample::new(3, 3, 100).record()).unwrap();
    assert_eq!(numbers(&read_all(&mut log).0), [3]);
}

#[test]
fn a_torn_last_record_is_cut_and_told_to_nobody_as_lost() {
    for torn in 1..200 {
        let (disk, mut log, _) = with_records(0..3);
        let name = segments(&disk).remove(0);
        let durable = disk.contents()[&name].len();
        log.append(&Sample::new(3, 3, 100).record()).unwrap();
        disk.kill();
        disk.damage(&name, |bytes| bytes.truncate(durable + torn));
        let opened = open(&disk, LIMITS);
        assert_eq!(
            opened.marks,
            Some(Sample::new(2, 0, 0).marks),
            "it is read from the source again"
        );
        let (mut log, _) = (opened.log, assert_eq!(opened.recovered, 9));
        log.append(&Sample::new(4, 3, 100).record()).unwrap();
        let (records, errors) = read_all(&mut log);
        assert!(errors.is_empty());
        assert_eq!(numbers(&records), [0, 1, 2, 4]);
    }
}

#[test]
fn a_whole_record_behind_a_torn_one_is_cut_with_it() {
    let (disk, mut log, _) = with_records(0..3);
    let name = segments(&disk).remove(0);
    let durable = disk.contents()[&name].len();
    for number in 3..5 {
        log.append(&Sample::new(number, 3, 100).record()).unwrap();
    }
    disk.kill();
    disk.damage(&name, |bytes| bytes[durable + HEAD_BYTES + 30] ^= 1);
    let opened = open(&disk, LIMITS);
    // Marks of a later one would let the source go on behind what is not there.
    assert_eq!((opened.recovered, opened.marks), (9, Some(Sample::new(2, 0, 0).marks)));
}

#[test]
fn later_records_tell_damage_from_a_crash_when_nothing_else_does() {
    let (disk, mut log, _) = with_records(0..3);
    log.append(&Sample::new(3, 3, 100).record()).unwrap();
    disk.kill();
    disk.damage(&segments(&disk)[0], |bytes| bytes[HEADER_BYTES + HEAD_BYTES + 30] ^= 1);
    disk.damage(progress::NAME, |bytes| bytes.fill(0));
    let (records, errors) = read_all(&mut open(&disk, LIMITS).log);
    assert_eq!((numbers(&records), told(&errors)), (vec![1, 2, 3], (1, 3)));
}

#[test]
fn what_was_synced_of_the_progress_outlives_any_crash() {
    let point = |seq| Point { seq, documents: seq };
    let of = |seq| progress::Progress { settled: point(seq), durable: point(seq) };
    for seed in 0..200 {
        let mut disk = SimulatedDisk::default();
        disk.lock().unwrap();
        let mut file = ProgressFile::open(&disk, false).unwrap().0;
        file.write(&disk, of(1)).unwrap();
        file.sync(&disk).unwrap();
        file.write(&disk, of(2)).unwrap();
        file.write(&disk, of(3)).unwrap();
        disk.kill();
        disk.lock().unwrap();
        let (mut file, found) = ProgressFile::open(&disk, true).unwrap();
        assert_eq!(found, Some(of(3)));
        file.write(&disk, of(4)).unwrap();
        disk.crash(&mut fastrand::Rng::with_seed(seed));
        disk.lock().unwrap();
        let found = ProgressFile::open(&disk, true).unwrap().1;
        assert!(found == Some(of(3)) || found == Some(of(4)), "{found:?}");
    }
}

#[test]
fn files_of_a_newer_weir_are_left_alone() {
    for (magic, is_progress) in [(*b"weirlog\n", false), (*b"weirprog", true)] {
        let (disk, log, _) = with_records(0..20);
        drop(log);
        disk.kill();
        let name = if is_progress { progress::NAME.to_owned() } else { segments(&disk).remove(1) };
        disk.damage(&name, |bytes| bytes[..16].copy_from_slice(&encode_format(magic, 7)));
        let before = disk.contents();
        let error = Log::open(disk.clone(), LIMITS).unwrap_err().to_string();
        assert_eq!(disk.contents(), before);
        if is_progress {
            insta::assert_snapshot!(error, @"/simulated/progress was written by a newer weir (format 7; this one reads up to 1): run that one until the buffer is empty, or set buffer.path to another folder and keep this one for later");
        } else {
            insta::assert_snapshot!(error, @"/simulated/00000002.5.15.segment was written by a newer weir (format 7; this one reads up to 2): run that one until the buffer is empty, or set buffer.path to another folder and keep this one for later");
        }
    }
}

#[test]
fn a_damaged_copy_is_not_lost_as_long_as_its_original_is_in_memory() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk, LIMITS).log;
    for number in 0..6 {
        let sample = Sample { is_copy: number % 2 == 0, ..Sample::new(number, 3, 100) };
        log.append(&sample.record()).unwrap();
    }
    log.sync().unwrap();
    let (name, owners) = records_of(&disk).remove(0);
    let at = |seq: u64| owners.iter().position(|owner| *owner == Some(seq)).unwrap();
    // The heads of 1 and 2 and 4: only 1 is lost.
    for seq in [1, 2, 4] {
        disk.damage(&name, |bytes| bytes[at(seq)] ^= 1);
    }
    let (records, errors) = read_all(&mut log);
    assert_eq!((numbers(&records), told(&errors)), (vec![3, 5], (1, 3)));
    assert!(log.is_drained());
}

#[test]
fn a_planted_name_or_size_that_no_segment_comes_to_is_an_error_that_names_it() {
    for name in [
        "00000002.18446744073709551615.18446744073709551614.segment",
        "00000002.3.18446744073709551614.segment",
        "00000002.72057594037927937.9.segment",
        "18446744073709551615.3.9.segment",
    ] {
        let (disk, log, _) = with_records(0..3);
        drop(log);
        disk.kill();
        let mut planting = disk.clone();
        planting.lock().unwrap();
        planting.create(name).unwrap();
        disk.kill();
        let error = Log::open(disk.clone(), LIMITS).unwrap_err().to_string();
        let text = "cannot be a file of the buffer: no buffer counts as far as the numbers in its \
                    name, or has a file as large: find out who put it there, and move it away";
        assert_eq!(error, format!("/simulated/{name} {text}"));
    }
}

#[test]
fn behind_the_largest_numbers_that_there_can_be_nothing_overflows() {
    let (disk, log, _) = with_records(0..3);
    drop(log);
    disk.kill();
    let mut planting = disk.clone();
    planting.lock().unwrap();
    let number_max = 1u64 << 56;
    planting.create(&format!("{number_max}.{number_max}.{number_max}.segment")).unwrap();
    disk.kill();
    let mut opened = open(&disk, LIMITS);
    assert_eq!(opened.recovered, number_max, "it is believed: files are lost, and told");
    for number in 3..40 {
        opened.log.append(&Sample::new(number, 3, 100).record()).unwrap();
        opened.log.sync().unwrap();
    }
    let (records, errors) = read_all(&mut opened.log);
    assert_eq!((numbers(&records).len(), errors.len()), (40, 1));
}

/// Writes other points into the progress: everything before `settled` is settled, and before
/// `durable` was durable.
fn forge_progress(disk: &SimulatedDisk, settled: [u64; 2], durable: [u64; 2]) {
    disk.damage(progress::NAME, |bytes| {
        for slot in bytes.chunks_exact_mut(progress::SLOT_BYTES as usize) {
            for (field, number) in
                slot[24..56].chunks_exact_mut(8).zip(settled.iter().chain(&durable))
            {
                field.copy_from_slice(&number.to_le_bytes());
            }
            let crc = crc32fast::hash(&slot[..56]);
            slot[56..60].copy_from_slice(&crc.to_le_bytes());
        }
    });
}

#[test]
fn a_progress_that_no_log_of_these_files_comes_to_is_not_believed() {
    // Further than any; as many records with fewer documents; documents without a record.
    for durable in [[u64::MAX; 2], [20, 1], [0, 7]] {
        let (disk, log, _) = with_records(0..30);
        drop(log);
        disk.kill();
        assert!(segments(&disk).len() > 2, "a file begins before record 20");
        forge_progress(&disk, [0, 0], durable);
        let mut opened = open(&disk, LIMITS);
        assert_eq!(opened.recovered, 90);
        let (records, errors) = read_all(&mut opened.log);
        assert_eq!((numbers(&records), told(&errors)), ((0..30).collect(), (0, 0)));
    }
}

#[test]
fn files_that_no_log_has_both_of_are_an_error_that_names_them() {
    // As many records before it with other documents; more records, and fewer documents; a file
    // before the others, with more before it.
    let names = ["00000009.0.7.segment", "00000009.999.2.segment", "00000000.999.999.segment"];
    for name in names {
        let (disk, log, _) = with_records(0..30);
        drop(log);
        disk.kill();
        disk.put(name, b"");
        let error = Log::open(disk.clone(), LIMITS).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert!(error.contains("cannot be files of one buffer"), "{error}");
    }
}

#[test]
fn a_record_that_counts_documents_as_no_log_does_is_told_and_not_counted_twice() {
    for documents in [0, 100] {
        let (disk, log, _) = with_records(0..3);
        drop(log);
        disk.kill();
        disk.damage(&segments(&disk)[0], |bytes| {
            let at = memchr::memmem::find_iter(bytes, b"w\xffr\xfe").nth(1).unwrap();
            let head = &mut bytes[at..at + HEAD_BYTES];
            let mut forged = Head::decode((&*head).try_into().unwrap()).unwrap();
            forged.start.documents = documents;
            head.copy_from_slice(&forged.encode());
        });
        let mut opened = open(&disk, LIMITS);
        let (records, errors) = read_all(&mut opened.log);
        let read = 3 * records.len() as u64;
        assert_eq!(numbers(&records), [0, 2]);
        assert_eq!((told(&errors), read + 3), ((1, 3), opened.recovered));
    }
}
