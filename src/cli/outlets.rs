//! Where documents would go that must not: into the source's own file, under another name (symbolic
//! and hard links, standard streams that lead to a file), and into nothing, when stdout is closed.
//! What the names alone tell is `config`'s to refuse.

use std::fs::{File, Metadata};
use std::io::{self, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::fs::{OFlags, fcntl_getfl};

use crate::config::{Diagnostic, Named, SAME_FILE};
use crate::{sink, source};

const CLOSED: &str = "stdout is closed (or it is /dev/null, opened for reading too, which looks the same), and every document would be lost: redirect it to a file or a pipe, or with `>/dev/null` to throw the documents away";

/// A file source and a file sink that are one file.
pub(super) fn in_files(named: &Named) -> Option<Diagnostic> {
    let (Some(source::Settings::File { path: from, .. }), Some(sink::Settings::File { path: to })) =
        (&named.source, &named.sink)
    else {
        return None;
    };
    let is_same = is_same(std::fs::metadata(from), std::fs::metadata(to));
    is_same.then(|| named.sink_path.error(SAME_FILE))
}

/// The same of this process's standard streams, and a stdout that is closed.
pub(super) fn of_process(named: &Named) -> Option<Diagnostic> {
    let to_stdout = matches!(named.sink, Some(sink::Settings::Stdout));
    if to_stdout && is_closed(stdout()) {
        return Some(named.sink_kind.error(CLOSED));
    }
    let from = match named.source.as_ref()? {
        source::Settings::File { path, .. } => std::fs::metadata(path),
        source::Settings::Stdin => behind(stdin()),
        source::Settings::Kubernetes(_) => return None,
    };
    let to = match named.sink.as_ref()? {
        sink::Settings::File { path } => std::fs::metadata(path),
        sink::Settings::Stdout => behind(stdout()),
        sink::Settings::OpenSearch(_) => return None,
    };
    is_same(from, to)
        .then(|| if to_stdout { &named.sink_kind } else { &named.sink_path }.error(SAME_FILE))
}

/// Whether both are one file. What cannot be looked at is not there yet, or is the source's or the
/// sink's to report.
fn is_same(from: io::Result<Metadata>, to: io::Result<Metadata>) -> bool {
    matches!((from, to), (Ok(from), Ok(to)) if from.is_file() && (from.dev(), from.ino()) == (to.dev(), to.ino()))
}

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
