//! This process's standard streams: finds a stdin or stdout that is the same file as the other end
//! of the pipeline.

use std::fs::{File, Metadata};
use std::io::{self, stdin, stdout};
use std::os::fd::AsFd;

use super::files::is_same;
use crate::config::{Diagnostic, References, SAME_FILE};
use crate::{sink, source};

/// What is wrong with the streams that the pipeline would read and write.
pub(super) fn of_process(references: &References) -> Option<Diagnostic> {
    let sink = references.sink.as_ref()?;
    let from = match &references.source.as_ref()?.value {
        source::Settings::File { path, .. } => std::fs::metadata(path),
        source::Settings::Stdin => behind(stdin()),
        source::Settings::Kubernetes(_) => return None,
    };
    let to = match &sink.value {
        sink::Settings::File { path } => std::fs::metadata(path),
        sink::Settings::Stdout => behind(stdout()),
        sink::Settings::OpenSearch(_) => return None,
    };
    is_same(from, to).then(|| sink.location.error(SAME_FILE))
}

/// The file that a stream leads to.
fn behind(stream: impl AsFd) -> io::Result<Metadata> {
    File::from(stream.as_fd().try_clone_to_owned()?).metadata()
}
