//! Reads letters from an index.

use std::collections::{BTreeSet, VecDeque};
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
                check_progress(&page, self.last.as_ref())?;
                self.is_last_page = page.is_empty();
                self.last = page.last().copied().or(self.last);
                self.stubs = page.into();
            }
            let ids = self.first_ids();
            if ids.is_empty() {
                continue;
            }
            let mut found = self.index.read(&ids)?;
            // Each of them once, whatever the answer holds.
            let mut wanted: BTreeSet<LetterId> = ids.iter().copied().collect();
            found.retain(|found| wanted.remove(&found.id));
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

/// That each page goes on behind the one before: a server that gives one again would be asked for
/// ever, and its letters replayed as often.
fn check_progress(page: &[Stub], last: Option<&Stub>) -> Result<(), Unavailable> {
    let place = |stub: &Stub| (stub.time, stub.id);
    let mut last = last.map(place);
    for stub in page {
        if last.is_some_and(|last| place(stub) <= last) {
            return Err(Unavailable::Outage(format!(
                "the answer cannot be used: the letter {} comes again, or out of its order",
                stub.id
            )));
        }
        last = Some(place(stub));
    }
    Ok(())
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
