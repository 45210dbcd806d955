//! Takes letters out of a file that nobody appends to.
//!
//! Invariants: at any moment, a crash included, the file holds either all its letters or all but
//! those that are to go; what stays keeps its line number, because a letter that goes leaves an
//! empty line. A file in which nothing is left is removed.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::folder;

/// Behind the file's name, of what is to take its place.
const SUFFIX: &str = "rewrite";

/// Takes the lines `gone` out of a file, durably. That the file is not there (any more) is fine:
/// whoever moved it has the letters.
///
/// # Errors
///
/// When the disk fails or is full; then all letters are still there.
pub(super) fn remove(folder: &Path, number: u64, gone: &BTreeSet<u64>) -> io::Result<()> {
    let path = folder::path(folder, number);
    let kept = match File::open(&path) {
        Ok(file) => any_stays(file, gone)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let new = path.with_extension(SUFFIX);
    if kept {
        write_rest(&path, &new, gone)?;
        fs::rename(&new, &path)?;
    } else {
        // Without a copy: there may be no room for one.
        fs::remove_file(&path)?;
        // What a crash may have left.
        let _ = fs::remove_file(&new);
    }
    File::open(folder)?.sync_all()
}

/// Whether any line that is not empty stays.
fn any_stays(file: File, gone: &BTreeSet<u64>) -> io::Result<bool> {
    let mut stays = false;
    each_line(file, |number, line| {
        stays |= line != b"\n" && !gone.contains(&number);
        Ok(())
    })?;
    Ok(stays)
}

/// Writes what stays to `new`, durably.
pub(super) fn write_rest(path: &Path, new: &Path, gone: &BTreeSet<u64>) -> io::Result<()> {
    let out = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(new)?;
    let mut out = BufWriter::with_capacity(256 << 10, out);
    each_line(File::open(path)?, |number, line| {
        out.write_all(if gone.contains(&number) { b"\n" } else { line })
    })?;
    out.flush()?;
    out.get_ref().sync_data()
}

/// Gives each line with its line break; the last one may have none.
fn each_line(file: File, mut take: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut input = BufReader::with_capacity(256 << 10, file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        take(number, &line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dead_letter::{LetterId, LetterLine};

    const FILE: u64 = 4;

    fn is_in(lines: &BTreeSet<u64>, letter: &LetterLine) -> bool {
        matches!(letter.id, LetterId::Line { line, .. } if lines.contains(&line))
    }

    fn content() -> impl Strategy<Value = (Vec<String>, BTreeSet<u64>, String)> {
        let lines = proptest::collection::vec("[a-z]{0,6}", 0..12);
        let gone = proptest::collection::btree_set(1u64..14, 0..12);
        (lines, gone, "[a-z]{0,3}")
    }

    fn write(folder: &Path, lines: &[String], tail: &str) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(folder::path(folder, FILE), text + tail).unwrap();
    }

    fn letters(folder: &Path) -> Vec<LetterLine> {
        folder::lines(folder, FILE).unwrap().map(|line| line.unwrap()).collect()
    }

    /// Where a crash, or a full disk, ends a removal.
    #[derive(Clone, Copy, Debug)]
    enum Crash {
        /// The copy has this many bytes.
        InTheCopy(usize),
        BehindTheCopy,
    }

    fn crash() -> impl Strategy<Value = Crash> {
        prop_oneof![(0usize..80).prop_map(Crash::InTheCopy), Just(Crash::BehindTheCopy)]
    }

    proptest! {
        #[test]
        fn what_stays_keeps_its_id_and_what_goes_is_gone((lines, gone, tail) in content()) {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &lines, &tail);
            let before = letters(folder.path());
            remove(folder.path(), FILE, &gone).unwrap();
            let expected: Vec<_> = before.into_iter().filter(|line| !is_in(&gone, line)).collect();
            prop_assert_eq!(&letters(folder.path()), &expected);
            prop_assert_eq!(folder::path(folder.path(), FILE).exists(), !expected.is_empty());
            prop_assert!(!folder::path(folder.path(), FILE).with_extension(SUFFIX).exists());
        }

        #[test]
        fn a_crash_at_any_step_leaves_every_letter_and_the_next_removal_ends_it(
            (lines, gone, tail) in content(), crash in crash(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &lines, &tail);
            let before = letters(folder.path());
            let path = folder::path(folder.path(), FILE);
            let new = path.with_extension(SUFFIX);
            write_rest(&path, &new, &gone).unwrap();
            if let Crash::InTheCopy(bytes) = crash {
                let copy = fs::read(&new).unwrap();
                fs::write(&new, &copy[..copy.len().min(bytes)]).unwrap();
            }
            prop_assert_eq!(&letters(folder.path()), &before);
            prop_assert_eq!(folder::look(folder.path()).unwrap().numbers, [FILE]);
            remove(folder.path(), FILE, &gone).unwrap();
            let expected: Vec<_> = before.into_iter().filter(|line| !is_in(&gone, line)).collect();
            prop_assert_eq!(letters(folder.path()), expected);
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_to_who_moved_it() {
        let folder = tempfile::tempdir().unwrap();
        remove(folder.path(), FILE, &[1].into()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
