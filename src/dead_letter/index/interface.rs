//! What weir needs of an index of letters, however that is asked.

use std::fmt;
use std::time::Duration;

use super::entry::{Entry, Owner};
use crate::dead_letter::kept::{LetterId, Version};
use crate::opensearch::Unavailable;

/// What an index holds of one owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The sum of the letters' `bytes`.
    pub bytes: u64,
    /// The newest letter's time in ms since the epoch.
    pub newest: Option<i64>,
}

/// What becomes of a letter whose id is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// It stays as it is.
    Create,
    /// It is written anew.
    Replace,
}

/// Which letters to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only these.
    pub ids: Option<Vec<LetterId>>,
    /// Only those that are no newer, in ms since the epoch.
    pub until: Option<i64>,
}

/// A letter as it is found, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stub {
    /// Its id.
    pub id: LetterId,
    /// Its time, in ms since the epoch: what it is sorted by, before its id.
    pub time: i64,
    /// Its `bytes`.
    pub bytes: u64,
}

/// A letter as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: LetterId,
    /// Which of the contents that it has had.
    pub version: Version,
    /// Its document.
    pub source: Vec<u8>,
}

/// An index with the letters of one [`Owner`]. Every method is one attempt, and blocks.
pub trait Index: fmt::Debug + Send + Sync {
    /// The index's name.
    fn name(&self) -> &str;

    /// Whose letters it is asked for.
    fn owner(&self) -> &Owner;

    /// What it holds; `None` when there is no such index.
    ///
    /// # Errors
    ///
    /// When OpenSearch does not answer, or refuses.
    fn usage(&self) -> Result<Option<Usage>, Unavailable>;

    /// Makes the index, unless it is there.
    ///
    /// # Errors
    ///
    /// When OpenSearch does not answer, or refuses.
    fn make(&self) -> Result<(), Unavailable>;

    /// Writes all of them durably. After an error any of them may have been written.
    ///
    /// # Errors
    ///
    /// When not all are there.
    fn write(&self, entries: &[Entry], writing: Writing) -> Result<(), Unavailable>;

    /// A page of those that there are behind the last one; none when there are no more.
    ///
    /// # Errors
    ///
    /// When OpenSearch does not answer, or refuses.
    fn page(&self, query: &Query, behind: Option<&Stub>) -> Result<Vec<Stub>, Unavailable>;

    /// These letters, without those that are gone.
    ///
    /// # Errors
    ///
    /// When OpenSearch does not answer, or refuses.
    fn read(&self, ids: &[LetterId]) -> Result<Vec<Found>, Unavailable>;

    /// Removes letters that are what they were when they were read. After an error any of them may
    /// be gone.
    ///
    /// # Errors
    ///
    /// When some may be there that should not.
    fn remove(&self, letters: &[(LetterId, Version)]) -> Result<(), Unavailable>;

    /// How long to wait after this many failures in a row.
    fn wait(&self, failures: u32) -> Duration;
}
