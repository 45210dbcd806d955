//! Bounds, full disks, and disks that fail to sync.

use std::io::ErrorKind;

use super::super::simulated::Faults;
use super::*;

#[test]
fn at_the_bound_appending_is_refused_until_something_is_settled() {
    let disk = SimulatedDisk::default();
    let limits = Limits { bytes_max: 20 << 10, segment_bytes: 2 << 10 };
    let mut log = open(&disk, limits).log;
    let mut count = 0;
    let error = loop {
        match log.append(&Sample::new(count, 1, 1000).record()) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
        assert!(disk.bytes() <= limits.bytes_max && log.bytes() <= limits.bytes_max);
    };
    insta::assert_snapshot!(error, @"the buffer on disk is full (19463 bytes of at most 20480): buffer.disk sets how much it may take");
    assert!(count > 5, "{count}");
    let (records, _) = read_all(&mut log);
    assert_eq!(records.len() as u64, count);
    for (seq, _) in &records[..4] {
        log.settle(*seq, 1);
    }
    log.append(&Sample::new(count, 1, 1000).record()).unwrap();
    assert!(disk.bytes() <= limits.bytes_max);
}

#[test]
fn a_drained_log_at_its_bound_has_room_again_though_its_segment_is_not_full() {
    let disk = SimulatedDisk::default();
    let limits = Limits { bytes_max: 12 << 10, segment_bytes: 1 << 20 };
    let mut log = open(&disk, limits).log;
    for number in 0..100 {
        log.append(&Sample::new(number, 1, 1000).record()).unwrap();
        log.sync().unwrap();
        let (seq, _) = log.read().unwrap().unwrap();
        log.settle(seq, 1);
    }
    assert!(disk.bytes() <= limits.bytes_max);
}

#[test]
fn a_record_that_never_fits_says_so() {
    let mut log =
        open(&SimulatedDisk::default(), Limits { bytes_max: 12 << 10, segment_bytes: 2 << 10 }).log;
    let error = log.append(&Sample::new(1, 10, 1000).record()).unwrap_err();
    insta::assert_snapshot!(error, @"a record of 18543 bytes does not fit into the buffer on disk, which may take 12288: set buffer.disk higher");
    log.append(&Sample::new(1, 1, 1000).record()).unwrap();
}

#[test]
fn a_full_disk_stops_appending_only_and_a_restart_on_it_drains() {
    let (disk, mut log, _) = with_records(0..20);
    disk.set_faults(Faults { capacity: Some(disk.bytes() + 500), ..Faults::default() });
    let sample = Sample::new(20, 3, 1000);
    let before = disk.bytes();
    for _ in 0..3 {
        let error = log.append(&sample.record()).unwrap_err();
        assert!(
            matches!(&error, AppendError::Io(error) if error.error.kind() == ErrorKind::StorageFull),
            "{error}"
        );
        assert!(matches!(error, AppendError::Io(error) if error.is_want_of_room()));
    }
    assert!(disk.bytes() <= before + segment::HEADER_BYTES as u64);
    let (seq, _) = log.read().unwrap().unwrap();
    log.settle(seq, 3);
    log.tidy(true).unwrap();
    log.sync().unwrap();
    disk.crash(&mut fastrand::Rng::with_seed(7));
    let mut opened = open(&disk, LIMITS);
    let (records, errors) = read_all(&mut opened.log);
    assert!(errors.is_empty());
    assert_eq!(numbers(&records), (1..20).collect::<Vec<_>>());
    for (seq, _) in &records {
        opened.log.settle(*seq, 3);
    }
    opened.log.tidy(true).unwrap();
    assert!(disk.bytes() < 12 << 10, "room came back");
    disk.set_faults(Faults::default());
    opened.log.append(&sample.record()).unwrap();
}

#[test]
fn after_a_failed_fsync_what_was_not_durable_is_written_to_another_file() {
    for failures in 1..5 {
        let (disk, mut log, _) = with_records(0..3);
        log.append(&Sample::new(3, 3, 100).record()).unwrap();
        log.append(&Sample::new(4, 3, 100).record()).unwrap();
        disk.set_faults(Faults { syncs: failures, ..Faults::default() });
        let result = log.sync();
        assert_eq!(result.is_ok(), failures == 1, "the second try goes to a new file");
        while log.sync().is_err() {}
        assert_eq!(disk.faults().syncs, 0);
        // Had it asked the first file again, these would be lost now.
        disk.crash(&mut fastrand::Rng::with_seed(u64::from(failures)));
        let mut log = open(&disk, LIMITS).log;
        let (records, errors) = read_all(&mut log);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(numbers(&records), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn what_cannot_be_made_durable_is_read_and_settled_from_memory() {
    let (disk, mut log, _) = with_records(0..1);
    log.append(&Sample::new(1, 3, 100).record()).unwrap();
    disk.set_faults(Faults { syncs: 1000, ..Faults::default() });
    insta::assert_snapshot!(log.sync().unwrap_err(), @"cannot use the buffer in /simulated/00000002.1.3.segment: fsync failed: buffer.path must name a folder on a disk that works: the kernel's log says what is wrong with this one");
    log.append(&Sample::new(2, 3, 100).record()).unwrap_err();
    let (records, errors) = read_all(&mut log);
    assert!(errors.is_empty());
    assert_eq!(numbers(&records), [0, 1]);
    for (seq, _) in &records {
        log.settle(*seq, 3);
    }
    assert_eq!((mark(&log), log.documents()), (Some(1), 0));
    disk.set_faults(Faults::default());
    log.sync().unwrap();
    log.append(&Sample::new(2, 3, 100).record()).unwrap();
    assert_eq!(numbers(&read_all(&mut log).0), [2]);
}

#[test]
fn what_is_in_no_file_yet_counts_for_the_bound() {
    let disk = SimulatedDisk::default();
    let limits = Limits { bytes_max: 12 << 10, segment_bytes: 8 << 10 };
    let mut log = open(&disk, limits).log;
    for number in 0..2 {
        log.append(&Sample::new(number, 1, 1300).record()).unwrap();
    }
    disk.set_faults(Faults { syncs: 2, ..Faults::default() });
    log.sync().unwrap_err();
    let error = log.append(&Sample::new(2, 1, 1300).record()).unwrap_err();
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    log.sync().unwrap();
    assert!(disk.bytes() <= limits.bytes_max);
    assert_eq!(numbers(&read_all(&mut log).0), [0, 1]);
}

#[test]
fn a_read_that_fails_is_tried_again_and_loses_nothing() {
    let (disk, mut log, _) = with_records(0..3);
    disk.set_faults(Faults { reads: 2, ..Faults::default() });
    let (records, errors) = read_all(&mut log);
    assert_eq!((numbers(&records), errors.len()), (vec![0, 1, 2], 2));
    assert!(errors.iter().all(|error| matches!(error, ReadError::Io(_))));
}

#[test]
fn what_is_not_durable_takes_bounded_memory() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk, Limits::new(1 << 30)).log;
    for number in 0..12 {
        log.append(&Sample::new(number, 1, 1 << 20).record()).unwrap();
    }
    assert!(log.tip.durable.seq > 0);
}
