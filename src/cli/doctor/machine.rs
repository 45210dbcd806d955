//! What the disk has room for. Pure.

use std::path::PathBuf;

use super::Finding;
use crate::config::show_size;

/// With less, a folder is of no use: a segment of the spool does not fit.
const LEAST_BYTES: u64 = 64 << 20;

/// A folder that is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Which key names it.
    pub(super) key: &'static str,
    pub(super) path: PathBuf,
    /// How much may lie there, of that key's.
    pub(super) wanted: u64,
    /// The error says why it cannot be used.
    pub(super) found: Result<Found, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// On its file system, for weir's user.
    pub(super) available: u64,
    /// By what is in it.
    pub(super) used: u64,
}

/// What that means.
pub(super) fn finding(room: &Room) -> Finding {
    let Room { key, path, wanted, found } = room;
    let path = path.display();
    let Found { available, used } = match found {
        Ok(found) => *found,
        Err(why) => return Finding::fail("disk", format!("{key}, {path}: {why}")),
    };
    let mib = |bytes: u64| show_size(bytes >> 20 << 20);
    let still = wanted.saturating_sub(used);
    match available {
        _ if available >= still => Finding::ok(
            "disk",
            format!("{key}, {path}, may take {} and has room for it", show_size(*wanted)),
        ),
        _ if available < LEAST_BYTES => Finding::fail(
            "disk",
            format!("{key}, {path}, has {} left: make room there", mib(available)),
        ),
        _ => Finding::warn(
            "disk",
            format!(
                "{key}, {path}, may take {}, of which {} are used, and has {} left: make room, or \
                 allow it less",
                show_size(*wanted),
                mib(used),
                mib(available)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_before_it_is_full() {
        let finding = |found| {
            let room =
                Room { key: "buffer.path", path: "/var/lib/weir".into(), wanted: 2 << 30, found };
            finding(&room)
        };
        let found = |available: u64, used: u64| Ok(Found { available, used });
        assert_eq!(finding(found(2 << 30, 0)).level, Level::Ok);
        assert_eq!(finding(found(1 << 30, 1 << 30)).level, Level::Ok);
        let little = finding(found(500 << 20, 100 << 20));
        assert_eq!(little.level, Level::Warn);
        insta::assert_snapshot!(little.text, @"buffer.path, /var/lib/weir, may take 2GiB, of which 100MiB are used, and has 500MiB left: make room, or allow it less");
        assert_eq!(finding(found(10 << 20, 0)).level, Level::Fail);
        let refused = finding(Err("it is read-only".into()));
        assert_eq!(refused.level, Level::Fail);
        insta::assert_snapshot!(refused.text, @"buffer.path, /var/lib/weir: it is read-only");
    }
}
