//! The way to a folder of data: whoever can change a link on it can lead weir elsewhere, to a
//! folder that is ours, too, and holds other events.
//!
//! Folders that are above the one that was found are checked there (`owner`). What is checked here
//! are those that only the path goes through: they hold a link, or are left again by `..`.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{FolderError, at, owner};

/// As many as the kernel follows.
const LINKS_MAX: usize = 40;

/// Checks who may change the way that `folder` names.
pub(super) fn check(folder: &Path) -> Result<(), FolderError> {
    let mut links = HashSet::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let goes_back = path.components().any(|part| part == Component::ParentDir);
        let mut holder = PathBuf::from(".");
        let mut way = PathBuf::new();
        for part in path.components() {
            way.push(part);
            // Of what is not there yet, nothing leads elsewhere.
            let Ok(found) = way.symlink_metadata() else { break };
            if found.is_symlink() && links.insert(way.clone()) {
                if links.len() > LINKS_MAX {
                    return Err(at(folder)(rustix::io::Errno::LOOP.into()));
                }
                check_holder(&holder, folder)?;
                owner::check_link(found.uid(), &way, folder)?;
                // Its own way; from where it leads to, this one goes on.
                let to = fs::read_link(&way).map_err(at(folder))?;
                left.push(holder.join(to));
            } else if goes_back && part != Component::RootDir {
                check_holder(&holder, folder)?;
            }
            holder.clone_from(&way);
        }
    }
    Ok(())
}

fn check_holder(holder: &Path, folder: &Path) -> Result<(), FolderError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, holder, flags, Mode::empty());
    let opened = opened.map_err(|error| at(holder)(error.into()))?;
    owner::check_above(&opened, holder, folder)
}
