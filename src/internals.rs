//! What weir's own integration tests and benches use of its internals. They are crates of their own
//! and see nothing else. What is named here is public for them alone and changes without notice;
//! everything else stays private to the crate, so that the compiler finds what nobody uses.
//!
//! The fuzz targets need more, and have it in `fuzz` under the feature `fuzz`, which nothing that
//! ships is built with.

/// See `src/buffer/`.
pub mod buffer {
    pub use crate::buffer::{OpenError, Reader, Settings, SpoolSettings, Writer, open};
}

/// See `src/config/`.
pub mod config {
    pub use crate::config::{Environment, parse};
}

/// See `src/dead_letter/`.
pub mod dead_letter {
    pub use crate::dead_letter::{DeadLetters, Filter, LetterStore, Selection};
}

/// See `src/event/`.
pub mod event {
    pub use crate::event::{
        Chunk, Document, DocumentIdentity, Documents, Edits, EncodeSettings, Event, EventView,
        Field, Head, Member, Origin, Original, Parsed, Scanner, Span, encode, parse, parse_rfc3339,
    };
}

/// What the targets of `tests/fuzz/` call besides. Each part has in a `fuzz.rs` of its own what
/// takes foreign bytes to its pure machine, and gives back what a target can judge.
#[cfg(feature = "fuzz")]
pub mod fuzz {
    pub use crate::buffer::fuzz::{LogDisk, OpenLog, Read as LogRead};
    pub use crate::dead_letter::fuzz::{line_of_document, source_of};
    pub use crate::kube::lease::fuzz::{
        Candidate, DURATION as LEASE_DURATION, Event as LeaseEvent, IDENTITY as LEASE_IDENTITY,
        LeaseRecord, Then as LeaseThen,
    };
    pub use crate::lookup::fuzz::members_of;
    pub use crate::opensearch::fuzz::bulk_response;
    pub use crate::sink::fuzz::lookup_response;
    pub use crate::source::kubernetes::fuzz::{Handed, Listing};
}

/// See `src/handoff.rs`.
pub mod handoff {
    pub use crate::handoff::{Closed, Outbox, SourceSender, Work};
}

/// See `src/health.rs`.
pub mod health {
    pub use crate::health::Health;
}

/// See `src/kube/`.
pub mod kube {
    pub use crate::kube::LeaseSettings;
    pub use crate::kube::lease::{Leadership, Lease, MARK_ANNOTATION, Term};
}

/// See `src/ledger/`.
pub mod ledger {
    pub use crate::ledger::{Held, Ledger, Snapshot};
}

/// See `src/lookup/`.
pub mod lookup {
    pub use crate::lookup::{Lookups, Resource, Settings};
}

/// See `src/metrics.rs`.
pub mod metrics {
    pub use crate::metrics::Metrics;
}

/// See `src/opensearch/`.
pub mod opensearch {
    pub use crate::opensearch::Settings;
}

/// See `src/pipeline/`.
pub mod pipeline {
    pub use crate::pipeline::replay;
}

/// See `src/position/`.
pub mod position {
    pub use crate::position::Keeper;
}

/// See `src/process.rs`.
pub mod process {
    pub use crate::process::Process;
}

/// See `src/shutdown.rs`.
pub mod shutdown {
    pub use crate::shutdown::Shutdown;
}

/// See `src/sink/`.
pub mod sink {
    pub use crate::sink::{
        DateFormat, Duplicates, IndexPattern, LastTimestamp, Mode, OpenSearchSettings, Settings,
        Setup, SinkError, Template, run,
    };
}

/// See `src/source/`.
pub mod source {
    pub use crate::source::framer::{FrameType, Framer, Other, Rejected, Visitor};
    pub use crate::source::{Account, KubernetesSettings, Letters, SourceError};

    /// See `src/source/kubernetes/`.
    pub mod kubernetes {
        pub use crate::source::kubernetes::run;
    }
}

/// See `src/stages/`.
pub mod stages {
    pub use crate::stages::{
        COMPILE_COMMAND, Chain, CompileLimits, Compiler, Keys, LoadContext, Match, MatchKey,
        ModuleSettings, ModuleSource, OnError, ShadowSettings, StageSettings, Wasi, load,
    };
}

/// See `src/tls/mod.rs`.
pub mod tls {
    pub use crate::tls::install_crypto_provider;
}
