//! End to end: a real API server, the real binary, a real OpenSearch. `make test` starts the
//! servers and says where they are; every test has a namespace and an index of its own, and ends
//! with a balanced ledger.

#![allow(clippy::unwrap_used, missing_docs)]

mod delivery;
mod leading;
mod letter_index;
mod letters;
mod outage;
mod positions;
mod refusals;
mod streams;
mod support;
