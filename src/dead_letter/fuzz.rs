//! What the fuzz target of the letter reader calls.

use super::index;
use super::record::Record;

/// The line that a folder would hold of a document of an index of letters; what is no letter stays
/// as it is.
pub fn line_of_document(source: &[u8]) -> Vec<u8> {
    index::line(source)
}

/// What the letter of a line is about: the source's own bytes.
///
/// # Errors
///
/// Why it is no letter.
pub fn source_of(line: &[u8]) -> Result<Vec<u8>, String> {
    Record::parse(line).map(|record| record.source).map_err(|error| error.to_string())
}
