//! End to end: a real API server, the real binary, a real OpenSearch. Every test has a namespace
//! and an index of its own, and ends with a balanced ledger.

mod delivery;
mod leading;
mod letter_index;
mod letters;
mod lookup;
mod outage;
mod positions;
mod refusals;
mod streams;
mod trial;
