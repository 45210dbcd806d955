//! What goes in comes out, and what is settled goes.

use super::*;

#[test]
fn records_come_back_byte_for_byte_in_order_durable_or_not() {
    let (_disk, mut log, mut samples) = with_records(0..20);
    for number in 20..25 {
        samples.push(Sample::new(number, 2, 50));
        log.append(&samples[number as usize].record()).unwrap();
    }
    assert_eq!(log.documents(), 20 * 3 + 5 * 2);
    let (records, errors) = read_all(&mut log);
    assert!(errors.is_empty() && log.is_drained());
    assert_eq!(records.len(), samples.len());
    for ((_, record), sample) in records.iter().zip(&samples) {
        assert_same(record, &sample.documents);
    }
}

#[test]
fn segments_go_when_all_in_them_and_before_them_is_settled_in_any_order() {
    let (disk, mut log, _) = with_records(0..40);
    let files = disk.contents().len();
    assert!(files > 6);
    let (records, _) = read_all(&mut log);
    for (seq, _) in records.iter().skip(1).rev() {
        log.settle(*seq, 2);
        log.settle(*seq, 1);
    }
    log.tidy(true).unwrap();
    assert_eq!((disk.contents().len(), mark(&log), log.documents()), (files, None, 3));
    assert_eq!(log.window.entries(), 2, "settled neighbours share an entry");
    log.settle(records[0].0, 3);
    log.tidy(true).unwrap();
    assert_eq!((mark(&log), log.documents()), (Some(39), 0));
    assert!(disk.contents().len() <= 2, "{:?}", disk.contents().keys());
    assert_eq!(log.bytes(), disk.bytes() + folder::LOCK_BYTES);
}

#[test]
fn copies_are_read_only_after_a_restart() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk, LIMITS).log;
    let mut seqs = Vec::new();
    for number in 0..10 {
        let sample = Sample { is_copy: number % 2 == 0, ..Sample::new(number, 1, 300) };
        seqs.push(log.append(&sample.record()).unwrap());
    }
    log.sync().unwrap();
    assert_eq!(numbers(&read_all(&mut log).0), [1, 3, 5, 7, 9]);
    assert!(log.is_drained());
    log.settle(seqs[0], 1);
    log.settle(seqs[1], 1);
    log.settle(seqs[2], 1);
    assert_eq!(mark(&log), Some(2));
    log.tidy(false).unwrap();
    disk.kill();
    let mut opened = open(&disk, LIMITS);
    assert_eq!(opened.recovered, 7);
    assert_eq!(numbers(&read_all(&mut opened.log).0), [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_log_of_copies_only_is_drained_and_goes_when_they_are_settled() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk, LIMITS).log;
    for number in 0..200 {
        let sample = Sample { is_copy: true, ..Sample::new(number, 1, 300) };
        let seq = log.append(&sample.record()).unwrap();
        assert!(log.is_drained());
        log.settle(seq, 1);
        log.tidy(number % 7 == 0).unwrap();
        assert!(log.bytes() < 16 << 10);
    }
    log.append(&Sample::new(200, 1, 300).record()).unwrap();
    log.sync().unwrap();
    assert_eq!(numbers(&read_all(&mut log).0), [200]);
}

#[test]
fn a_record_without_documents_only_moves_the_marks() {
    let disk = SimulatedDisk::default();
    let mut log = open(&disk, LIMITS).log;
    log.append(&Sample::new(1, 0, 0).record()).unwrap();
    assert_eq!(log.documents(), 0);
    assert!(log.read().unwrap().is_none() && log.is_drained());
    assert_eq!(mark(&log), Some(1));
    log.sync().unwrap();
    disk.kill();
    assert_eq!(open(&disk, LIMITS).marks, Some(Sample::new(1, 0, 0).marks));
}

#[test]
fn numbers_go_on_after_everything_was_settled_and_removed() {
    let (disk, mut log, _) = with_records(0..20);
    let last = read_all(&mut log)
        .0
        .into_iter()
        .map(|(seq, _)| (log.settle(seq, 3), seq).1)
        .last()
        .unwrap();
    log.retire_last_segment();
    log.tidy(true).unwrap();
    assert_eq!(disk.contents().keys().collect::<Vec<_>>(), [progress::NAME]);
    disk.kill();
    let mut opened = open(&disk, LIMITS);
    assert_eq!((opened.recovered, opened.marks), (0, None));
    assert!(opened.log.append(&Sample::new(20, 1, 10).record()).unwrap() > last);
}

#[test]
fn what_was_read_last_is_known_when_the_last_segment_is_empty() {
    let (disk, mut log, _) = with_records(0..5);
    log.tip.file = None;
    log.begin_segment().unwrap();
    disk.kill();
    let opened = open(&disk, LIMITS);
    assert_eq!((opened.recovered, opened.marks), (15, Some(Sample::new(4, 0, 0).marks)));
}
