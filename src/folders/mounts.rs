//! What is mounted where: [`/proc/self/mountinfo`][mountinfo].
//!
//! [mountinfo]: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html

use std::path::PathBuf;

/// One mount.
pub(crate) struct Mount<'a> {
    /// Which folder of its file system is mounted.
    pub(crate) root: &'a str,
    pub(crate) point: PathBuf,
    pub(crate) kind: &'a str,
}

/// The table of this process's mounts.
pub(crate) fn read() -> std::io::Result<String> {
    std::fs::read_to_string("/proc/self/mountinfo")
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda rw`
pub(crate) fn mount(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    Some(Mount { root, point: PathBuf::from(unescape(point)), kind: after.split(' ').next()? })
}

/// Blanks, tabs, line breaks and backslashes are written as `\040` and so on.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
