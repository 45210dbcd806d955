//! What was given out and is not settled. Pure.
//!
//! Constraint: there is one entry for each record that is not settled, and at most one between two
//! of them, because settled neighbours share one. So a stuck document costs nothing while thousands
//! of records behind it are settled.
//!
//! Invariant: all records before `settled` are settled, and `marks` are those of the last of them
//! whose marks are known.

use std::collections::BTreeMap;

use super::{Amount, Point};

#[derive(Debug)]
pub(super) struct Window<M> {
    settled: Point,
    marks: Option<M>,
    /// By the number of its first record; none overlap, none is before `settled`.
    entries: BTreeMap<u64, Entry<M>>,
}

/// One record, or settled neighbours.
#[derive(Debug)]
struct Entry<M> {
    start: Point,
    end: Point,
    /// Documents that are not settled.
    remaining: u64,
    /// Of its last record; `None` when that was lost.
    marks: Option<M>,
}

impl<M> Window<M> {
    pub(super) fn new(settled: Point) -> Window<M> {
        Window { settled, marks: None, entries: BTreeMap::new() }
    }

    /// Behind the last record before which all are settled.
    pub(super) fn settled(&self) -> Point {
        self.settled
    }

    pub(super) fn marks(&self) -> Option<&M> {
        self.marks.as_ref()
    }

    /// A record was given out.
    pub(super) fn give(&mut self, start: Point, end: Point, marks: M) {
        let remaining = end.documents - start.documents;
        self.insert(Entry { start, end, remaining, marks: Some(marks) });
    }

    /// Records are lost, except those among them that were given out: nobody will settle them.
    pub(super) fn lose(&mut self, start: Point, end: Point) -> Amount {
        let mut lost = Amount::default();
        let mut at = start;
        while at.seq < end.seq {
            let given = self
                .entries
                .range(at.seq..end.seq)
                .next()
                .map(|(_, entry)| (entry.start, entry.end));
            let (upto, behind) = given.unwrap_or((end, end));
            if upto.seq > at.seq {
                let gap = at.until(upto);
                lost.records += gap.records;
                lost.documents += gap.documents;
                self.insert(Entry { start: at, end: upto, remaining: 0, marks: None });
            }
            at = behind;
        }
        lost
    }

    /// Where the next record lies that was not given out, at `at` or behind it.
    pub(super) fn skip(&self, at: Point) -> Point {
        let mut at = at.max(self.settled);
        while let Some((_, entry)) = self.entries.range(..=at.seq).next_back()
            && entry.end.seq > at.seq
        {
            at = entry.end;
        }
        at
    }

    /// How many of `documents` of a record are settled by this: all of them, unless it was settled
    /// before.
    pub(super) fn settle(&mut self, seq: u64, documents: u64) -> u64 {
        let Some(entry) = self.entries.get_mut(&seq) else {
            debug_assert!(documents == 0, "settled twice: record {seq}");
            return 0;
        };
        debug_assert!(documents <= entry.remaining, "settled twice: {documents} of record {seq}");
        let documents = documents.min(entry.remaining);
        entry.remaining -= documents;
        if entry.remaining == 0
            && let Some(entry) = self.entries.remove(&seq)
        {
            self.insert(entry);
        }
        documents
    }

    /// Puts an entry in its place; when it is settled, with its settled neighbours.
    fn insert(&mut self, mut entry: Entry<M>) {
        if entry.remaining == 0 {
            if self.entries.get(&entry.end.seq).is_some_and(|next| next.remaining == 0)
                && let Some(next) = self.entries.remove(&entry.end.seq)
            {
                entry.end = next.end;
                entry.marks = next.marks.or(entry.marks);
            }
            if entry.start.seq == self.settled.seq {
                self.settled = entry.end;
                self.marks = entry.marks.or(self.marks.take());
                return;
            }
            if let Some((_, before)) = self.entries.range_mut(..entry.start.seq).next_back()
                && before.end.seq == entry.start.seq
                && before.remaining == 0
            {
                before.end = entry.end;
                before.marks = entry.marks.or(before.marks.take());
                return;
            }
        }
        self.entries.insert(entry.start.seq, entry);
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }
}
