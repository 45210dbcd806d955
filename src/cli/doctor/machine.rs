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
    /// Which file system it is on.
    pub(super) device: u64,
    /// On its file system, for weir's user.
    pub(super) available: u64,
    /// By what is in it.
    pub(super) used: u64,
}

impl Room {
    /// What may still come there.
    fn still(&self) -> u64 {
        self.found.as_ref().map_or(0, |found| self.wanted.saturating_sub(found.used))
    }

    fn device(&self) -> Option<u64> {
        self.found.as_ref().ok().map(|found| found.device)
    }
}

/// What that means. Folders on one file system take from each other.
pub(super) fn findings(rooms: &[Room]) -> Vec<Finding> {
    let of = |room: &Room| {
        let shares = |other: &&Room| other.key != room.key && other.device() == room.device();
        let others: Vec<&Room> = rooms.iter().filter(shares).collect();
        finding(room, &others)
    };
    rooms.iter().map(of).collect()
}

/// `others` are on the same file system.
fn finding(room: &Room, others: &[&Room]) -> Finding {
    let Room { key, path, wanted, found } = room;
    let path = path.display();
    let Found { available, used, .. } = match found {
        Ok(found) => *found,
        Err(why) => return Finding::fail("disk", format!("{key}, {path}: {why}")),
    };
    let mib = |bytes: u64| show_size(bytes >> 20 << 20);
    let still = room.still();
    let all = others.iter().fold(still, |all, other| all.saturating_add(other.still()));
    match available {
        _ if available >= still && available < all => {
            let others: Vec<&str> = others.iter().map(|other| other.key).collect();
            let text = format!(
                "{key}, {path}, and {} are on one file system, may take another {} together, and \
                 it has {} left: make room, allow them less, or give each a volume",
                others.join(", "),
                mib(all),
                mib(available)
            );
            Finding::warn("disk", text)
        }
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
            finding(&room, &[])
        };
        let found = |available: u64, used: u64| Ok(Found { device: 1, available, used });
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

    #[test]
    fn folders_on_one_file_system_take_from_each_other() {
        let room = |key, gib: u64, device| Room {
            key,
            path: "/var/lib/weir".into(),
            wanted: gib << 30,
            found: Ok(Found { device, available: 5 << 29, used: 0 }),
        };
        let levels = |devices: [u64; 2]| -> Vec<Level> {
            let rooms =
                [room("buffer.path", 2, devices[0]), room("dead_letter.path", 1, devices[1])];
            findings(&rooms).iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels([1, 2]), [Level::Ok, Level::Ok]);
        assert_eq!(levels([1, 1]), [Level::Warn, Level::Warn]);
        let rooms = [room("buffer.path", 2, 1), room("dead_letter.path", 1, 1)];
        insta::assert_snapshot!(findings(&rooms)[0].text, @"buffer.path, /var/lib/weir, and dead_letter.path are on one file system, may take another 3GiB together, and it has 2560MiB left: make room, allow them less, or give each a volume");
    }
}
