//! Letters in an index of the OpenSearch that the documents go to: how they are written to it and
//! read from it. All of it blocks, as a folder does.
//!
//! - [`interface`] is what weir needs of an index: the trait [`Index`]. [`http`] asks OpenSearch
//!   for it; `query` makes its requests and reads its answers, and is pure.
//! - [`entry`] makes a letter a document and back; [`writer`] writes, [`reader`] reads.

mod entry;
mod http;
mod interface;
mod query;
mod reader;
mod writer;

pub(crate) use self::entry::Owner;
#[cfg(feature = "fuzz")]
pub(super) use self::entry::line;
pub(super) use self::http::HttpIndex;
pub(crate) use self::interface::{Index, Query};
pub(super) use self::reader::{Letters, read_error};
pub(super) use self::writer::{Writer, write_error};

#[cfg(test)]
mod tests;
