//! Reading a folder of dead letters. Needs no lock: a running weir only appends, and whoever
//! rewrites a file replaces it as a whole.
//!
//! Invariant: an id names the same letter as long as that letter exists. (A letter that was
//! replayed leaves an empty line behind, so that those after it keep their numbers; see `rewrite`.)

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::kept::{LetterId, LetterLine, ReadError};
use crate::folders::{Entry, Folder, FolderError};

const SUFFIX: &str = ".jsonl";
/// An event of 2 MiB, every byte of it escaped, and its document, are half of this.
pub(super) const LINE_BYTES_MAX: u64 = 64 << 20;
/// Files of 16 MiB up to this number are more than there are disks for: one with a larger number is
/// none of weir's, and the next number is always one.
const NUMBER_MAX: u64 = 1 << 48;

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

/// Opens a folder of letters, to look at them.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) fn open(path: &Path) -> Result<Folder, ReadError> {
    Folder::look(path).map_err(|error| match error {
        FolderError::Io { path, error } => ReadError::Folder { path, error },
        // Whoever only looks asks for no owner.
        FolderError::NotOurs(error) => {
            ReadError::Folder { path: path.to_owned(), error: io::Error::other(error) }
        }
    })
}

/// Looks at what is in the folder.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn files(folder: &Folder) -> Result<Files, ReadError> {
    look(folder).map_err(|error| ReadError::Folder { path: folder.path().to_owned(), error })
}

pub(super) fn look(folder: &Folder) -> io::Result<Files> {
    let mut files = Files::default();
    for Entry { name, bytes } in folder.entries()? {
        let Some(stem) = name.strip_suffix(SUFFIX) else { continue };
        let number = stem.parse().ok().filter(|number| (1..=NUMBER_MAX).contains(number));
        match number.filter(|number| file_name(*number) == name) {
            Some(number) => {
                files.numbers.push(number);
                files.bytes = files.bytes.saturating_add(bytes);
            }
            None => files.strangers.push(name),
        }
    }
    files.numbers.sort_unstable();
    files.strangers.sort_unstable();
    Ok(files)
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The name of a file that belongs to the letters' file `name`.
pub(super) fn with_extension(name: &str, extension: &str) -> String {
    format!("{}.{extension}", name.strip_suffix(SUFFIX).unwrap_or(name))
}

/// The lines of a file, in order. None when the file is not there any more: somebody moved it since
/// it was looked for.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) fn lines(folder: &Folder, number: u64) -> Result<Lines, ReadError> {
    let name = file_name(number);
    let path = folder.path_of(&name);
    let input = match folder.read(&name) {
        Ok(file) => Some(BufReader::with_capacity(256 << 10, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(ReadError::Folder { path, error }),
    };
    Ok(Lines { path, number, line: 0, input })
}

/// Appends a line to `text`, with its line break; how long it is.
pub(super) fn read_line(input: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<usize> {
    let length = input.take(LINE_BYTES_MAX + 1).read_until(b'\n', text)?;
    if length as u64 > LINE_BYTES_MAX {
        let long = format!("a line is longer than {} MiB, so no letter", LINE_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, long));
    }
    Ok(length)
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
            match read_line(input, &mut text) {
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

    fn data(folder: &tempfile::TempDir) -> Folder {
        Folder::open(folder.path()).unwrap()
    }

    #[test]
    fn empty_lines_are_passed_over_and_counted_and_a_torn_one_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file_name(3)), "a\n\n\nb\nc").unwrap();
        let found: Vec<_> = lines(&data(&folder), 3)
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
        assert_eq!(lines(&data(&folder), 4).unwrap().count(), 0, "it was moved away");
    }

    #[test]
    fn a_line_without_end_is_an_error_and_takes_little_memory() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join(file_name(3))).unwrap();
        file.set_len(1 << 40).unwrap();
        let found: Vec<_> = lines(&data(&folder), 3).unwrap().collect();
        assert_eq!(found.len(), 1);
        let error = found[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("a line is longer than 64 MiB, so no letter"), "{error}");
    }

    #[test]
    fn only_files_with_weirs_names_are_looked_into_and_the_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "00000010.jsonl",
            "00000002.jsonl",
            "7.jsonl",
            "00000000.jsonl",
            "18446744073709551615.jsonl",
            "lock",
            "00000001.torn",
        ] {
            std::fs::write(folder.path().join(name), "x\n").unwrap();
        }
        let found = files(&data(&folder)).unwrap();
        assert_eq!(found.numbers, [2, 10]);
        assert_eq!(found.strangers, ["00000000.jsonl", "18446744073709551615.jsonl", "7.jsonl"]);
        assert_eq!(found.bytes, 4);
    }
}
