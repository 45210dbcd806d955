//! On a real disk.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

fn open_at(path: &Path) -> Result<Opened<Folder>, OpenError> {
    Log::open(Folder::new(folders::Folder::make(path)?), LIMITS)
}

/// What opening says, with FOLDER for the folder.
fn refused(path: &Path, folder: &Path) -> String {
    let error = open_at(path).unwrap_err().to_string();
    error.replace(&folder.display().to_string(), "FOLDER")
}

fn append<D: Disk>(log: &mut Log<D>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        log.append(&Sample::new(number, 3, 100).record()).unwrap();
    }
}

#[test]
fn records_outlive_a_process_that_ends_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/buffer");
    let mut log = open_at(&path).unwrap().log;
    append(&mut log, 0..30);
    drop(log);
    let Opened { mut log, recovered, marks, .. } = open_at(&path).unwrap();
    assert_eq!((recovered, marks), (90, Some(Sample::new(29, 0, 0).marks)));
    append(&mut log, 30..32);
    let (records, errors) = read_all(&mut log);
    assert!(errors.is_empty());
    assert_eq!(numbers(&records), (0..32).collect::<Vec<_>>());
    for (seq, _) in &records[..31] {
        log.settle(*seq, 3);
    }
    log.tidy(false).unwrap();
    drop(log);
    let mut opened = open_at(&path).unwrap();
    assert_eq!(numbers(&read_all(&mut opened.log).0), [31]);
    assert_eq!(opened.log.bytes(), bytes_in(&path));
}

fn bytes_in(path: &Path) -> u64 {
    std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn the_folder_and_its_files_are_for_nobody_else_and_other_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("buffer");
    drop(open_at(&path).unwrap());
    let others =
        ["notes.txt", "0.segment", "00000001.0.0.segment.bak", "1.0.0.segment", "position.json"];
    for name in others {
        std::fs::write(path.join(name), "mine").unwrap();
    }
    std::fs::create_dir(path.join("00000009.0.0.segment")).unwrap();
    let mut log = open_at(&path).unwrap().log;
    append(&mut log, 0..3);
    log.sync().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in ["lock", "progress", "00000001.0.0.segment"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
    drop(log);
    assert_eq!(read_all(&mut open_at(&path).unwrap().log).0.len(), 3);
    for name in others {
        assert_eq!(std::fs::read_to_string(path.join(name)).unwrap(), "mine");
    }
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let first = open_at(path).unwrap();
    let number = format!("(process {})", std::process::id());
    insta::assert_snapshot!(refused(path, path).replace(&number, "(process N)"), @"the buffer in FOLDER belongs to another running weir (process N): stop it, or give each pipeline a buffer.path of its own");
    std::fs::write(path.join("lock"), "").unwrap();
    insta::assert_snapshot!(refused(path, path), @"the buffer in FOLDER belongs to another running weir (`fuser FOLDER/lock` shows which): stop it, or give each pipeline a buffer.path of its own");
    drop(first);
    open_at(path).unwrap();
}

#[test]
fn a_path_that_is_no_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    insta::assert_snapshot!(refused(&file, folder.path()), @"cannot use the buffer in FOLDER/file: Not a directory (os error 20): buffer.path must name a folder, or one that weir could make");
    insta::assert_snapshot!(refused(&file.join("below"), folder.path()), @"cannot use the buffer in FOLDER/file/below: Not a directory (os error 20): buffer.path must name a folder, or one that weir could make");
    insta::assert_snapshot!(refused(Path::new("/proc/weir"), folder.path()), @"cannot use the buffer in /proc/weir: No such file or directory (os error 2): buffer.path must name a folder, or one that weir could make");
}

#[test]
fn a_newer_format_names_the_file_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open_at(folder.path()).unwrap().log, 0..1);
    let file = folder.path().join("00000001.0.0.segment");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..16].copy_from_slice(&segment::encode_format(*b"weirlog\n", 3));
    std::fs::write(&file, &bytes).unwrap();
    insta::assert_snapshot!(refused(folder.path(), folder.path()), @"FOLDER/00000001.0.0.segment was written by a newer weir (format 3; this one reads up to 2): run that one until the buffer is empty, or set buffer.path to another folder and keep this one for later");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_torn_last_record_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open_at(folder.path()).unwrap().log;
    append(&mut log, 0..2);
    log.sync().unwrap();
    append(&mut log, 2..3);
    drop(log);
    let file = folder.path().join("00000001.0.0.segment");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let mut log = open_at(folder.path()).unwrap().log;
    append(&mut log, 3..4);
    drop(log);
    let (records, errors) = read_all(&mut open_at(folder.path()).unwrap().log);
    assert!(errors.is_empty());
    assert_eq!(numbers(&records), [0, 1, 3]);
}

/// A small disk of its own; only root may make one.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let disk = SmallDisk { folder };
        mount(&["-t", "tmpfs", "-o", "size=256k", "weir-test", disk.folder.path().to_str()?])
            .then_some(disk)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("buffer")
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.folder.path().join("filler")).unwrap();
        while std::io::Write::write(&mut filler, &[1; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

fn mount(arguments: &[&str]) -> bool {
    let output = Command::new("mount").args(arguments).output();
    let is_mounted = output.is_ok_and(|output| output.status.success());
    if !is_mounted {
        eprintln!("skipped: `mount` needs root");
    }
    is_mounted
}

#[test]
fn a_full_disk_is_named_and_is_drained_over_a_restart() {
    let Some(disk) = SmallDisk::new() else { return };
    let limits = Limits { bytes_max: 1 << 30, segment_bytes: 16 << 10 };
    let open =
        || Log::open(Folder::new(folders::Folder::make(&disk.path()).unwrap()), limits).unwrap();
    let mut log = open().log;
    let mut count = 0;
    let error = loop {
        match log.append(&Sample::new(count, 1, 5000).record()) {
            Ok(_) => count += 1,
            Err(error) => break error.to_string(),
        }
    };
    log.sync().unwrap();
    let file = error
        .split_whitespace()
        .find(|word| word.ends_with(".segment:"))
        .unwrap()
        .trim_end_matches(':');
    insta::assert_snapshot!(error.replace(file, "FILE"), @"cannot use the buffer in FILE: No space left on device (os error 28): make room on that disk, or set buffer.path to a folder on another");
    disk.fill();
    drop(log);
    let mut opened = open();
    assert_eq!(opened.recovered, count);
    let (records, errors) = read_all(&mut opened.log);
    assert!(errors.is_empty());
    for (seq, _) in &records[..records.len() / 2] {
        opened.log.settle(*seq, 1);
    }
    opened.log.tidy(true).unwrap();
    opened.log.append(&Sample::new(count, 1, 5000).record()).unwrap();
    drop(opened);
    assert_eq!(read_all(&mut open().log).0.len(), records.len() - records.len() / 2 + 1);
}

#[test]
fn a_full_disk_without_a_log_says_what_to_do() {
    let Some(disk) = SmallDisk::new() else { return };
    std::fs::create_dir(disk.path()).unwrap();
    disk.fill();
    insta::assert_snapshot!(refused(&disk.path(), disk.folder.path()), @"cannot use the buffer in FOLDER/buffer/progress: No space left on device (os error 28): make room on that disk, or set buffer.path to a folder on another");
}

#[test]
fn a_read_only_disk_says_what_to_do() {
    let Some(disk) = SmallDisk::new() else { return };
    append(&mut open_at(&disk.path()).unwrap().log, 0..1);
    assert!(mount(&["-o", "remount,ro", disk.folder.path().to_str().unwrap()]));
    insta::assert_snapshot!(refused(&disk.path(), disk.folder.path()), @"cannot use the buffer in FOLDER/buffer/lock: Read-only file system (os error 30): buffer.path must name a folder that weir may write to, and the files in it must be its own");
    insta::assert_snapshot!(refused(&disk.folder.path().join("new"), disk.folder.path()), @"cannot use the buffer in FOLDER/new: Read-only file system (os error 30): buffer.path must name a folder that weir may write to, and the files in it must be its own");
}
