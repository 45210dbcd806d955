//! This process's standard streams: a stdout that is closed, and a stdin or stdout that is the same
//! file as the other end of the pipeline.

use std::fs::{File, Metadata};
use std::io::{self, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::fs::{OFlags, fcntl_getfl};

use super::files::is_same;
use crate::config::{Diagnostic, References, SAME_FILE};
use crate::{sink, source};

const CLOSED: &str = "stdout is closed (or it is /dev/null, opened for reading too, which looks \
                      the same), and every document would be lost: redirect it to a file or a \
                      pipe, or with `>/dev/null` to throw the documents away";

/// What is wrong with the streams that the pipeline would read and write.
pub(super) fn of_process(references: &References) -> Option<Diagnostic> {
    let sink = references.sink.as_ref()?;
    if sink.value == sink::Settings::Stdout && is_closed(stdout()) {
        return Some(sink.location.error(CLOSED));
    }
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

/// Whether this process was started with the stream closed. Rust's runtime then opens /dev/null in
/// its place, so that no file gets the stream's number, for reading and writing; a shell's
/// `>/dev/null` opens it for writing only, and goes on working. (Some programs open it for both
/// when they start others, such as Python's `DEVNULL`: nothing tells that from a closed stream, so
/// it is refused, which loses nothing.)
fn is_closed(stream: impl AsFd) -> bool {
    let is_null = || {
        let (stream, null) = (behind(&stream)?, std::fs::metadata("/dev/null")?);
        io::Result::Ok(stream.file_type().is_char_device() && stream.rdev() == null.rdev())
    };
    match fcntl_getfl(stream.as_fd()) {
        Ok(flags) => flags.contains(OFlags::RDWR) && is_null().unwrap_or(false),
        Err(_) => true,
    }
}
