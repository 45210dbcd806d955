//! What the fuzz target of the lookup's answers calls.

use std::collections::BTreeSet;

use super::lookup::found;
use crate::opensearch::fuzz::{HOST, response, text};

/// Which ids an answer to a `_search` names, and whether there are more than it had room for.
///
/// # Errors
///
/// Why nothing follows from it.
pub fn lookup_response(status: u16, body: &[u8]) -> Result<(BTreeSet<String>, bool), String> {
    let found = found(Ok(response(status, body)), HOST).map_err(text)?;
    Ok((found.ids, found.is_cut))
}
