//! Whether a folder is lost with its pod, as far as that can be seen from inside.
//!
//! The table of mounts names the one that a path is on. Three kinds of mount are
//! lost with the pod: the container's own file system (overlay), memory (tmpfs), and an `emptyDir`,
//! which is known by the path that the kubelet mounts it from. Any other may be lost too, but that
//! cannot be seen from here.

use std::path::{Path, PathBuf};

use crate::folders::mounts;

/// Where every pod finds its account, unless it wants none.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Set in every container of a pod.
const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";
/// In the path of an emptyDir on its node
/// (<https://github.com/kubernetes/kubernetes/blob/v1.35.4/pkg/volume/emptydir/empty_dir.go>).
const EMPTY_DIR: &str = "/kubernetes.io~empty-dir/";

/// What a folder is on that goes with the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ephemeral {
    /// The container's own file system: gone when the container restarts.
    Container,
    /// Memory.
    Memory,
    /// An `emptyDir`: gone with the pod.
    EmptyDir,
}

impl Ephemeral {
    /// For people, behind "is on".
    pub(crate) fn what(self) -> &'static str {
        match self {
            Ephemeral::Container => {
                "the container's own file system, which is gone when the container restarts"
            }
            Ephemeral::Memory => "a file system in memory, which is gone with the pod",
            Ephemeral::EmptyDir => "an emptyDir volume, which is gone with the pod",
        }
    }
}

/// What this process's pod takes with it of a folder, which need not exist; `None` when it is not
/// known to, or when this is no pod.
pub(crate) fn ephemeral(folder: &Path) -> Option<Ephemeral> {
    if !Path::new(SERVICE_ACCOUNT).exists() && std::env::var_os(SERVICE_HOST).is_none() {
        return None;
    }
    kind(&mounts::read().ok()?, &real(folder)?)
}

/// The path without links, as far as it exists.
fn real(folder: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(folder).ok()?;
    path.ancestors().find_map(|ancestor| {
        let rest = path.strip_prefix(ancestor).ok()?;
        Some(ancestor.canonicalize().ok()?.join(rest))
    })
}

fn kind(table: &str, path: &Path) -> Option<Ephemeral> {
    let mounts =
        table.lines().filter_map(mounts::mount).filter(|mount| path.starts_with(&mount.point));
    // Of several at one point the last is what is seen.
    let mount = mounts.max_by_key(|mount| mount.point.as_os_str().len())?;
    match mount.kind {
        "overlay" | "aufs" => Some(Ephemeral::Container),
        "tmpfs" | "ramfs" => Some(Ephemeral::Memory),
        _ if mount.root.contains(EMPTY_DIR) => Some(Ephemeral::EmptyDir),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
600 500 0:300 / / rw,relatime - overlay overlay rw,lowerdir=/l
601 600 0:301 / /proc rw,nosuid - proc proc rw
602 600 259:1 /var/lib/kubelet/pods/7e/volumes/kubernetes.io~empty-dir/spool /var/lib/weir rw - ext4 /dev/root rw
603 602 0:302 / /var/lib/weir/fast\\040one rw,relatime - tmpfs tmpfs rw,size=1k
604 602 259:2 / /var/lib/weir/kept rw,relatime shared:9 - xfs /dev/sdb rw
";

    #[test]
    fn what_goes_with_the_pod_is_told_by_the_mount_that_a_folder_is_on() {
        let kind = |path: &str| kind(MOUNTS, Path::new(path));
        assert_eq!(kind("/data/dead"), Some(Ephemeral::Container));
        assert_eq!(kind("/var/lib/weirdo"), Some(Ephemeral::Container));
        assert_eq!(kind("/var/lib/weir/dead"), Some(Ephemeral::EmptyDir));
        assert_eq!(kind("/var/lib/weir/fast one/dead"), Some(Ephemeral::Memory));
        assert_eq!(kind("/var/lib/weir/kept/dead"), None);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for mounts in ["", "1 2 3", "1 2 3 / / rw", "600 500 0:300 / / rw - "] {
            assert_eq!(kind(mounts, Path::new("/a")), None, "{mounts}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_where_its_parent_is() {
        let folder = tempfile::tempdir().unwrap();
        let (there, link) = (folder.path().join("there"), folder.path().join("link"));
        std::fs::create_dir(&there).unwrap();
        std::os::unix::fs::symlink(&there, &link).unwrap();
        assert_eq!(real(&link.join("a/b")).unwrap(), there.canonicalize().unwrap().join("a/b"));
    }
}
