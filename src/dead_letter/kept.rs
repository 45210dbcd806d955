//! A letter that was kept: its id and its content, whether it is in a folder or in an index.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use super::record::{Record, RecordError};

/// What `weir dead-letter` shows and takes for one letter: `00000001:17` in a folder, 32
/// hexadecimal digits in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LetterId {
    /// In a folder.
    Line {
        /// The number in its file's name.
        file: u64,
        /// Its line, from 1.
        line: u64,
    },
    /// In an index: its `_id`.
    Document(u128),
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LetterId::Line { file, line } => write!(f, "{file:08}:{line}"),
            LetterId::Document(id) => write!(f, "{id:032x}"),
        }
    }
}

/// What is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must be a file's number and a line, such as 00000001:17, or the 32 digits of a letter in \
     an index, as `weir dead-letter list` prints it"
)]
pub struct NotAnId;

impl FromStr for LetterId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<LetterId, NotAnId> {
        if text.len() == 32
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        {
            return u128::from_str_radix(text, 16).map(LetterId::Document).map_err(|_| NotAnId);
        }
        let (file, line) = text.split_once(':').ok_or(NotAnId)?;
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0).ok_or(NotAnId);
        Ok(LetterId::Line { file: number(file)?, line: number(line)? })
    }
}

/// Which of the contents that a document of an index has had: OpenSearch's `_seq_no` and
/// `_primary_term` (<https://docs.opensearch.org/latest/api-reference/document-apis/index-document/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `_seq_no`
    pub seq_no: u64,
    /// `_primary_term`
    pub primary_term: u64,
}

/// A letter where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterLine {
    /// Where it is.
    pub id: LetterId,
    /// The record, without the line break.
    pub text: Vec<u8>,
    /// It has a line break; else it is just being written, or torn.
    pub is_whole: bool,
    /// In an index: what was read, so that nothing newer is removed.
    pub version: Option<Version>,
}

impl LetterLine {
    /// The letter.
    ///
    /// # Errors
    ///
    /// When it is not one.
    pub fn record(&self) -> Result<Record, RecordError> {
        if self.is_whole { Record::parse(&self.text) } else { Err(RecordError::Torn) }
    }
}

/// Why letters cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Those of a folder.
    #[error(
        "cannot read the dead letters in {path}: {error}: it must be there, and weir's user must \
         have the right to read it"
    )]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Those of an index.
    #[error("cannot read the dead letters in the index {index}: {why}")]
    Index {
        /// Its name.
        index: String,
        /// What OpenSearch says, and what to do.
        why: String,
        /// Whether it may pass without help.
        may_pass: bool,
    },
}

impl ReadError {
    /// There is no such folder, perhaps not yet.
    pub fn is_not_there(&self) -> bool {
        matches!(self, ReadError::Folder { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether to ask again may help: it has not failed for good.
    pub fn may_pass(&self) -> bool {
        matches!(self, ReadError::Index { may_pass: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown() {
        let id = LetterId::Line { file: 1, line: 17 };
        assert_eq!(id.to_string(), "00000001:17");
        assert_eq!("00000001:17".parse(), Ok(id));
        assert_eq!("1:17".parse(), Ok(id));
        let upper = "A".repeat(32);
        for text in [
            "",
            "1",
            "1:",
            ":1",
            "0:1",
            "1:0",
            "1:-1",
            "a:1",
            "1:1:1",
            "00000001.jsonl:1",
            "abc",
            &upper,
        ] {
            assert_eq!(text.parse::<LetterId>(), Err(NotAnId), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_id_of_a_document_is_read_as_it_is_shown(id in any::<u128>()) {
            let id = LetterId::Document(id);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
