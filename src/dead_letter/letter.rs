//! A letter to be written.

use crate::text::{self, LINE_BYTES_MAX};

/// Which part of the pipeline refused an event: the `where` label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where<'a> {
    /// The source: malformed.
    Source,
    /// A stage with `on_error = "dead-letter"`.
    Stage(&'a str),
    /// OpenSearch refused the document.
    Sink,
}

impl<'a> Where<'a> {
    /// The metric label: `source`, the stage's name, `sink`.
    pub(crate) fn label(self) -> &'a str {
        match self {
            Where::Source => "source",
            Where::Stage(name) => name,
            Where::Sink => "sink",
        }
    }
}

impl Letter<'_> {
    /// `detail` as it is kept: on one line, bounded, and with nothing that could steer a terminal.
    pub(super) fn kept_detail(&self) -> String {
        text::words(self.detail, LINE_BYTES_MAX)
    }
}

/// One dead letter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    /// Which part refused it.
    pub part: Where<'a>,
    /// The `reason` label: one of a closed set.
    pub reason: &'a str,
    /// What went wrong, in words, with the location in the input where there is one.
    pub detail: &'a str,
    /// The source's own bytes (the first 64 KiB of an event that was too large).
    pub source: &'a [u8],
    /// The document, where one had been made.
    pub document: Option<&'a [u8]>,
    /// The event's uid and version, where the source understood it and it has both.
    pub identity: Option<(&'a str, &'a str)>,
}
