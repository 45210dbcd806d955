//! What waits for the sink: bounded in bytes, first in first out, and cut into batches.

/// `[buffer]` of `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of documents in memory, those being sent included.
    pub memory: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { memory: 16 << 20 }
    }
}
