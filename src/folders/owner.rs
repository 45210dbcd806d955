//! Who may change what a folder of data holds: one rule for spool, position and letters.
//!
//! The root of a mount is taken as it is. In a pod that is a volume, whose owner and mode are its
//! provider's: an `emptyDir` is root's 0777, 2777 with an `fsGroup`, 1777 in memory; a claim is
//! 2775 or whatever its driver makes; and nobody but who mounted it can say otherwise. Any other
//! folder is ours, or a group's that we are in, and not everybody's; and so are those above it,
//! up to the nearest mount: who may write to one of them can put another folder in its place.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Stat, StatxAttributes, StatxFlags, fstat, openat, statx};
use rustix::process::{getegid, geteuid, getgroups};

use super::{FolderError, at, mounts};
use crate::text::shell_word;

/// A folder is not used, because others may change what is in it.
#[derive(Debug)]
pub struct NotOurs {
    /// The folder that was to be used.
    folder: PathBuf,
    /// The one that is not ours: the same, or one above it.
    at: PathBuf,
    why: Why,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    Owner { owner: u32, user: u32 },
    Group { group: u32, mode: u32 },
    Everybody { mode: u32 },
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotOurs { folder, at, why } = self;
        let path = at.display();
        match why {
            Why::Owner { owner, user } => {
                write!(f, "{path} belongs to user {owner}, and weir runs as user {user}")?
            }
            Why::Group { group, mode } => write!(
                f,
                "group {group}, in which weir is not, may write to {path} (mode {mode:04o})"
            )?,
            Why::Everybody { mode } => {
                write!(f, "everybody may write to {path} (mode {mode:04o})")?;
            }
        }
        if at != folder {
            write!(f, ", above {}", folder.display())?;
        }
        let word = shell_word(&path.to_string());
        let mend = match why {
            Why::Owner { user, .. } => format!("chown {user} {word}"),
            Why::Group { .. } => format!("chmod g-w {word}"),
            Why::Everybody { .. } => format!("chmod o-w {word}"),
        };
        write!(
            f,
            ": whoever can change what weir keeps there can make it lose events, or send others: \
             `{mend}`, or name another folder, or mount a volume there"
        )
    }
}

impl std::error::Error for NotOurs {}

/// Who this process is.
struct Us {
    user: u32,
    groups: Vec<u32>,
}

impl Us {
    fn now() -> Us {
        let mut groups = vec![getegid().as_raw()];
        // Without an answer only the first is known: then less is taken for ours.
        groups.extend(getgroups().unwrap_or_default().iter().map(|group| group.as_raw()));
        Us { user: geteuid().as_raw(), groups }
    }

    /// Whether the folder itself may be used.
    fn may_use(&self, owner: u32, group: u32, mode: u32) -> Result<(), Why> {
        let is_our_groups = self.groups.contains(&group) && mode & 0o020 != 0;
        if owner != self.user && !is_our_groups {
            return Err(Why::Owner { owner, user: self.user });
        }
        if mode & 0o002 != 0 {
            return Err(Why::Everybody { mode });
        }
        Ok(())
    }

    /// Whether a folder above it is no way in for others.
    fn may_be_in(&self, owner: u32, group: u32, mode: u32) -> Result<(), Why> {
        // In a sticky folder, such as /tmp, nobody can rename what is not theirs.
        if mode & 0o1000 != 0 {
            return Ok(());
        }
        if owner != self.user && owner != 0 {
            return Err(Why::Owner { owner, user: self.user });
        }
        if mode & 0o002 != 0 {
            return Err(Why::Everybody { mode });
        }
        if mode & 0o020 != 0 && !self.groups.contains(&group) {
            return Err(Why::Group { group, mode });
        }
        Ok(())
    }
}

/// Checks a folder that is to be used.
pub(super) fn check(folder: &OwnedFd, path: &Path) -> Result<(), FolderError> {
    let failed = at(path);
    if is_mount_root(folder).map_err(&failed)? {
        return Ok(());
    }
    let found = fstat(folder).map_err(|error| failed(error.into()))?;
    Us::now()
        .may_use(found.st_uid, found.st_gid, found.st_mode & 0o7777)
        .map_err(|why| NotOurs { folder: path.to_owned(), at: path.to_owned(), why })?;
    let above =
        openat(folder, "..", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let above = above.map_err(|error| failed(error.into()))?;
    check_above(&above, &named(folder, path).join(".."), path)
}

/// Checks a folder in which `folder` is, or is to be made, and those above that. `path`: how it was
/// found.
pub(super) fn check_above(above: &OwnedFd, path: &Path, folder: &Path) -> Result<(), FolderError> {
    let failed = at(folder);
    let us = Us::now();
    let mut fd = above.try_clone().map_err(&failed)?;
    loop {
        if is_mount_root(&fd).map_err(&failed)? {
            return Ok(());
        }
        let found = fstat(&fd).map_err(|error| failed(error.into()))?;
        us.may_be_in(found.st_uid, found.st_gid, found.st_mode & 0o7777)
            .map_err(|why| NotOurs { folder: folder.to_owned(), at: named(&fd, path), why })?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let next = openat(&fd, "..", flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        // In a chroot the highest folder need not be a mount.
        if is_one(&found, &fstat(&next).map_err(|error| failed(error.into()))?) {
            return Ok(());
        }
        fd = next;
    }
}

/// Checks a link on the way to `folder`: whoever it belongs to may put another one in its place, in
/// a sticky folder, too.
pub(super) fn check_link(owner: u32, link: &Path, folder: &Path) -> Result<(), FolderError> {
    let user = geteuid().as_raw();
    if owner == user || owner == 0 {
        return Ok(());
    }
    let why = Why::Owner { owner, user };
    Err(NotOurs { folder: folder.to_owned(), at: link.to_owned(), why }.into())
}

fn is_one(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Where an open folder is, as the kernel says; else how it was found.
fn named(fd: &OwnedFd, path: &Path) -> PathBuf {
    fs::read_link(link_of(fd)).unwrap_or_else(|_| path.to_owned())
}

fn link_of(fd: &OwnedFd) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// Whether something is mounted at this folder. A kernel before 5.8 does not say, nor does a
/// sandbox that is none: then the table of mounts does.
fn is_mount_root(folder: &OwnedFd) -> io::Result<bool> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    if let Ok(found) = statx(folder.as_fd(), "", flags, StatxFlags::empty())
        && found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
    {
        return Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    let path = fs::read_link(link_of(folder))?;
    Ok(mounts::read()?.lines().filter_map(mounts::mount).any(|mount| mount.point == path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 1000;

    fn us() -> Us {
        Us { user: US, groups: vec![1000, 2000] }
    }

    #[test]
    fn a_folder_is_ours_or_our_groups_and_never_everybodys() {
        let may = |owner, group, mode| us().may_use(owner, group, mode).is_ok();
        assert!(may(US, 1000, 0o700) && may(US, 7, 0o755) && may(US, 0, 0o2770));
        assert!(may(0, 2000, 0o775) && may(7, 2000, 0o2775), "a group of ours may write");
        assert!(!may(0, 2000, 0o755), "our group may not write");
        assert!(!may(0, 7, 0o775) && !may(7, 7, 0o700));
        assert!(!may(US, 1000, 0o777) && !may(US, 1000, 0o1777) && !may(0, 2000, 0o777));
    }

    #[test]
    fn a_folder_above_is_written_by_us_root_or_a_group_of_ours_alone_or_sticky() {
        let may = |owner, group, mode| us().may_be_in(owner, group, mode).is_ok();
        assert!(may(US, 7, 0o755) && may(0, 0, 0o755) && may(0, 2000, 0o775));
        assert!(may(0, 0, 0o1777) && may(7, 7, 0o1777));
        assert!(!may(0, 0, 0o777) && !may(US, 1000, 0o777));
        assert!(!may(0, 7, 0o775) && !may(US, 7, 0o775));
        assert!(!may(7, 7, 0o755), "its owner may write whenever they like");
    }

    #[test]
    fn the_root_of_a_mount_is_known() {
        let open = |path: &str| OwnedFd::from(fs::File::open(path).unwrap());
        assert!(is_mount_root(&open("/proc")).unwrap());
        assert!(!is_mount_root(&open("/proc/self")).unwrap());
    }
}
