//! Reads letters from an index.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry;
use super::interface::{Index, Query, Stub};
use crate::dead_letter::kept::{LetterId, LetterLine, ReadError};
use crate::opensearch::Unavailable;

/// Bytes of one request, unless a letter alone has more.
pub(super) const BATCH_BYTES_MAX: usize = 4 << 20;

pub(in crate::dead_letter) fn read_error(index: &dyn Index, why: Unavailable) -> ReadError {
    let (why, may_pass) = match why {
        Unavailable::Outage(why) => (why, true),
        Unavailable::Refused(why) => (why, false),
    };
    ReadError::Index { index: index.name().to_owned(), why, may_pass }
}

/// The letters of an index, oldest first. A few are in memory at a time. After an error it may be
/// asked again, and goes on where it was.
#[derive(Debug)]
pub(in crate::dead_letter) struct Letters {
    index: Arc<dyn Index>,
    query: Query,
    last: Option<Stub>,
    is_last_page: bool,
    stubs: VecDeque<Stub>,
    lines: VecDeque<LetterLine>,
}

impl Letters {
    pub(in crate::dead_letter) fn new(index: Arc<dyn Index>, query: Query) -> Letters {
        let (stubs, lines) = (VecDeque::new(), VecDeque::new());
        Letters { index, query, last: None, is_last_page: false, stubs, lines }
    }

    fn fill(&mut self) -> Result<(), Unavailable> {
        while self.lines.is_empty() {
            if self.stubs.is_empty() {
                if self.is_last_page {
                    return Ok(());
                }
                let page = self.index.page(&self.query, self.last.as_ref())?;
                self.is_last_page = page.is_empty();
                self.last = page.last().copied().or(self.last);
                self.stubs = page.into();
            }
            let ids = self.first_ids();
            if ids.is_empty() {
                continue;
            }
            let mut found = self.index.read(&ids)?;
            // A search answers in an order of its own.
            found.sort_by_key(|found| ids.iter().position(|id| *id == found.id));
            self.stubs.drain(..ids.len());
            self.lines.extend(found.into_iter().map(|found| LetterLine {
                id: found.id,
                text: entry::line(&found.source),
                is_whole: true,
                version: Some(found.version),
            }));
        }
        Ok(())
    }

    /// Of the stubs as many as one request takes.
    fn first_ids(&self) -> Vec<LetterId> {
        let mut bytes = 0;
        let mut ids = Vec::new();
        for stub in &self.stubs {
            bytes += stub.bytes;
            if bytes > BATCH_BYTES_MAX as u64 && !ids.is_empty() {
                break;
            }
            ids.push(stub.id);
        }
        ids
    }
}

impl Iterator for Letters {
    type Item = Result<LetterLine, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(why) = self.fill() {
            return Some(Err(read_error(&*self.index, why)));
        }
        self.lines.pop_front().map(Ok)
    }
}
