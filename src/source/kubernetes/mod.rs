//! The Kubernetes source: lists the events that a cluster holds, then watches for more, for ever.
//!
//! [`machine`] decides everything, and is pure. [`listing`] remembers what an unfinished list gave.
//! [`report`] shows what goes on.

mod backoff;
mod failure;
mod listing;
mod machine;
mod report;
mod scope;
mod state;
mod step;
mod version;

#[cfg(test)]
mod machine_test;
#[cfg(test)]
mod model_test;
