//! What is fuzzed, and what must hold whatever comes: that nothing panics, hangs or takes more
//! memory than it may goes without saying.

mod bulk;
mod configuration;
mod event;
mod framer;
mod json;
mod lease;
mod letters;
mod list;
mod lookup;
mod metadata;
mod module;
mod segments;

/// One of them.
pub(crate) struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub(crate) name: &'static str,
    /// Panics when what must hold does not.
    pub(crate) run: fn(&[u8]),
}

/// All of them, in the order of the flow.
pub(crate) const ALL: [Target; 11] = [
    Target { name: "event", run: event::run },
    Target { name: "framer", run: framer::run },
    Target { name: "list", run: list::run },
    Target { name: "metadata", run: metadata::run },
    Target { name: "module", run: module::run },
    Target { name: "segments", run: segments::run },
    Target { name: "bulk", run: bulk::run },
    Target { name: "lookup", run: lookup::run },
    Target { name: "letters", run: letters::run },
    Target { name: "lease", run: lease::run },
    Target { name: "configuration", run: configuration::run },
];
