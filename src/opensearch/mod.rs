//! How weir talks to OpenSearch, for every part that does: the sink, and the dead letters in an
//! index. They decide what to ask; this module knows how a request travels and what its answer
//! means.
//!
//! - [`client`]: TLS, timeouts, and which node is asked; [`authentication`] has the credentials,
//!   and [`aws`] the signatures that Amazon's front asks for.
//! - [`response`] reads answers to `_bulk`, [`outcome`] classifies one of its items, [`refusal`]
//!   reads why a whole request was refused, and [`error`] says what that means. All are pure.
//! - [`BACKOFF`]: how long to wait before the next attempt.
//!
//! Constraint: nothing here asks again later. Whoever asks decides that; here a request that is
//! refused is only tried another way at once (`client::routes`).

mod authentication;
mod aws;
mod client;
mod error;
mod outcome;
mod refusal;
mod response;
mod settings;

use std::time::Duration;

pub(crate) use self::aws::named_by;
pub(crate) use self::aws::{Aws, Service};
pub(crate) use self::client::{
    ANSWER_BYTES_MAX, Client, GZIP_BYTES_MIN, Request, Response, TransportError,
};
pub(crate) use self::error::Unavailable;
pub(crate) use self::error::{
    RequestError, count, is_of_amazon, read_bulk, status_error, transport_error, unusable,
    what_it_is,
};
pub(crate) use self::outcome::{Class, Pressure, Refusal, classify};
pub(crate) use self::refusal::{WholeError, classify_whole, whole_error};
pub(crate) use self::response::{Answer, BulkAnswers, ItemError, bulk_filter_path, parse_bulk};
pub use self::settings::Settings;
pub(crate) use self::settings::{ClientError, Compression, is_loopback};
pub(crate) use self::settings::{ProxySetting, Username, is_username};
use crate::backoff::{Backoff, Jitter};

/// The waits between attempts. The end of an outage is noticed within the longest of them.
pub(crate) const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(250),
    max: Duration::from_secs(5),
    jitter: Jitter::Half,
};

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
