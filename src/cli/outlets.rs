//! Whether source and sink are one file under two names: symbolic and hard links, and standard streams that lead to
//! a file. What the names alone tell is `config`'s to refuse.

use std::fs::{File, Metadata};
use std::io::{self, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use crate::config::{Config, Diagnostic, SAME_FILE};
use crate::{sink, source};

/// Looked at before a run starts: what is written to the file that is read is read again, without end.
pub(super) fn problem(config: &Config) -> Option<Diagnostic> {
    let from = match &config.settings.source {
        source::Settings::File { path, .. } => std::fs::metadata(path),
        source::Settings::Stdin => behind(stdin()),
        source::Settings::Kubernetes(_) => return None,
    };
    let to = match &config.settings.sink {
        sink::Settings::File { path } => std::fs::metadata(path),
        sink::Settings::Stdout => behind(stdout()),
        sink::Settings::OpenSearch(_) => return None,
    };
    // What cannot be looked at is not there yet, or is the source's or the sink's to report.
    let (from, to) = (from.ok()?, to.ok()?);
    let is_same = from.is_file() && (from.dev(), from.ino()) == (to.dev(), to.ino());
    is_same.then(|| config.sink.error(SAME_FILE))
}

fn behind(stream: impl AsFd) -> io::Result<Metadata> {
    File::from(stream.as_fd().try_clone_to_owned()?).metadata()
}
