//! Reading a folder of dead letters. Needs no lock: a running weir only appends, and whoever
//! rewrites a file replaces it as a whole.
//!
//! Invariant: an id names the same letter as long as that letter exists. (A letter that was
//! replayed leaves an empty line behind, so that those after it keep their numbers; see `rewrite`.)

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::kept::{LetterId, LetterLine, ReadError};

const SUFFIX: &str = ".jsonl";

/// The files of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// The numbers of weir's files, ascending.
    pub numbers: Vec<u64>,
    /// Other `*.jsonl` files: nobody looks into them.
    pub strangers: Vec<String>,
    /// Bytes of weir's files.
    pub bytes: u64,
}

/// Looks at what is in the folder.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn files(folder: &Path) -> Result<Files, ReadError> {
    look(folder).map_err(|error| ReadError::Folder { path: folder.to_owned(), error })
}

pub(super) fn look(folder: &Path) -> io::Result<Files> {
    let mut files = Files::default();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(SUFFIX) else { continue };
        match stem.parse().ok().filter(|number| *number > 0 && file_name(*number) == name) {
            Some(number) => {
                files.numbers.push(number);
                files.bytes += entry.metadata()?.len();
            }
            None => files.strangers.push(name),
        }
    }
    files.numbers.sort_unstable();
    files.strangers.sort_unstable();
    Ok(files)
}

fn file_name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(file_name(number))
}

/// The lines of a file, in order. None when the file is not there any more: somebody moved it since
/// it was looked for.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) fn lines(folder: &Path, number: u64) -> Result<Lines, ReadError> {
    let path = path(folder, number);
    let input = match File::open(&path) {
        Ok(file) => Some(BufReader::with_capacity(256 << 10, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(ReadError::Folder { path, error }),
    };
    Ok(Lines { path, number, line: 0, input })
}

/// The lines of a file that are not empty. A line is in memory whole.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    number: u64,
    line: u64,
    input: Option<BufReader<File>>,
}

impl Iterator for Lines {
    type Item = Result<LetterLine, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let input = self.input.as_mut()?;
        loop {
            let mut text = Vec::new();
            match input.read_until(b'\n', &mut text) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    self.input = None;
                    return Some(Err(ReadError::Folder { path: self.path.clone(), error }));
                }
            }
            self.line += 1;
            let is_whole = text.last() == Some(&b'\n');
            if is_whole {
                text.pop();
            }
            if !text.is_empty() {
                let id = LetterId::Line { file: self.number, line: self.line };
                return Some(Ok(LetterLine { id, text, is_whole, version: None }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_passed_over_and_counted_and_a_torn_one_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path(), 3), "a\n\n\nb\nc").unwrap();
        let found: Vec<_> = lines(folder.path(), 3)
            .unwrap()
            .map(|line| line.unwrap())
            .map(|line| (line.id.to_string(), String::from_utf8(line.text).unwrap(), line.is_whole))
            .collect();
        let line = |id: &str, text: &str, is_whole| (id.to_owned(), text.to_owned(), is_whole);
        assert_eq!(
            found,
            [
                line("00000003:1", "a", true),
                line("00000003:4", "b", true),
                line("00000003:5", "c", false)
            ]
        );
        assert_eq!(lines(folder.path(), 4).unwrap().count(), 0, "it was moved away");
    }

    #[test]
    fn only_files_with_weirs_names_are_looked_into_and_the_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "00000010.jsonl",
            "00000002.jsonl",
            "7.jsonl",
            "00000000.jsonl",
            "lock",
            "00000001.torn",
        ] {
            std::fs::write(folder.path().join(name), "x\n").unwrap();
        }
        let found = files(folder.path()).unwrap();
        assert_eq!(found.numbers, [2, 10]);
        assert_eq!(found.strangers, ["00000000.jsonl", "7.jsonl"]);
        assert_eq!(found.bytes, 4);
    }
}
