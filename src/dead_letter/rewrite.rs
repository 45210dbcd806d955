//! Takes letters out of a file that nobody appends to.
//!
//! Invariants: at any moment, a crash included, the file holds either all its letters or all but
//! those that are to go; what stays keeps its line number, because a letter that goes leaves an
//! empty line. A file in which nothing is left is removed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};

use super::folder::{file_name, read_line, with_extension};
use crate::folders::Folder;

/// Behind the file's name, of what is to take its place.
const SUFFIX: &str = "rewrite";

/// Takes the lines `gone` out of a file, durably. That the file is not there (any more) is fine:
/// whoever moved it has the letters.
///
/// # Errors
///
/// When the disk fails or is full; then all letters are still there.
pub(super) fn remove(folder: &Folder, number: u64, gone: &BTreeSet<u64>) -> io::Result<()> {
    let name = file_name(number);
    let kept = match folder.read(&name) {
        Ok(file) => any_stays(file, gone)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let new = with_extension(&name, SUFFIX);
    if kept {
        write_rest(folder, &name, gone)?;
        folder.rename(&new, &name)?;
    } else {
        // Without a copy: there may be no room for one.
        folder.remove(&name)?;
        // What a crash may have left.
        let _ = folder.remove(&new);
    }
    folder.sync()
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

/// Writes what stays of a file beside it, durably.
pub(super) fn write_rest(folder: &Folder, name: &str, gone: &BTreeSet<u64>) -> io::Result<()> {
    let out = folder.replace(&with_extension(name, SUFFIX))?;
    let mut out = BufWriter::with_capacity(256 << 10, out);
    each_line(folder.read(name)?, |number, line| {
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
        if read_line(&mut input, &mut line)? == 0 {
            break;
        }
        take(number, &line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::dead_letter::folder;
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

    fn folder() -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        (temporary, folder)
    }

    fn path(folder: &Folder) -> PathBuf {
        folder.path_of(&file_name(FILE))
    }

    fn write(folder: &Folder, lines: &[String], tail: &str) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(path(folder), text + tail).unwrap();
    }

    fn letters(folder: &Folder) -> Vec<LetterLine> {
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
            let (_temporary, folder) = folder();
            write(&folder, &lines, &tail);
            let before = letters(&folder);
            remove(&folder, FILE, &gone).unwrap();
            let expected: Vec<_> = before.into_iter().filter(|line| !is_in(&gone, line)).collect();
            prop_assert_eq!(&letters(&folder), &expected);
            prop_assert_eq!(path(&folder).exists(), !expected.is_empty());
            prop_assert!(!path(&folder).with_extension(SUFFIX).exists());
        }

        #[test]
        fn a_crash_at_any_step_leaves_every_letter_and_the_next_removal_ends_it(
            (lines, gone, tail) in content(), crash in crash(),
        ) {
            let (_temporary, folder) = folder();
            write(&folder, &lines, &tail);
            let before = letters(&folder);
            let path = path(&folder);
            let new = path.with_extension(SUFFIX);
            write_rest(&folder, &file_name(FILE), &gone).unwrap();
            if let Crash::InTheCopy(bytes) = crash {
                let copy = fs::read(&new).unwrap();
                fs::write(&new, &copy[..copy.len().min(bytes)]).unwrap();
            }
            prop_assert_eq!(&letters(&folder), &before);
            prop_assert_eq!(folder::look(&folder).unwrap().numbers, [FILE]);
            remove(&folder, FILE, &gone).unwrap();
            let expected: Vec<_> = before.into_iter().filter(|line| !is_in(&gone, line)).collect();
            prop_assert_eq!(letters(&folder), expected);
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_to_who_moved_it() {
        let (temporary, folder) = folder();
        remove(&folder, FILE, &[1].into()).unwrap();
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}
