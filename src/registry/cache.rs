//! What was pulled, on disk: with it a start needs no registry.
//!
//! Invariants:
//!
//! - A file is named by the digest of its content, and is read only if it has it: whatever else
//!   lies there is pulled again. So nothing in it can become another module, whoever may write
//!   there; the folder is kept like [other folders](crate::folders) all the same, because a tag is
//!   remembered here, too.
//! - That the folder cannot be used, or has no room, ends no run: a warning, and what was pulled is
//!   in memory.
//! - Nothing is removed: what `weir filter load` has brought may be wanted later.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::digest::Digest;
use super::manifest::ModuleParts;
use super::pull::Parts;
use super::reference::Reference;
use crate::folders::Folder;

/// In `cache`, beside the folder of compiled modules.
const SUBFOLDER: &str = "pulled";
/// A digest.
const TAG_BYTES_MAX: u64 = 128;

/// The folder of what was pulled, if there is one; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    folder: Option<Folder>,
}

/// A module that lies there whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cached {
    /// Of its manifest.
    pub(super) digest: Digest,
    pub(super) parts: ModuleParts,
}

impl Cache {
    /// Makes the folder where it is missing. One that cannot be used is told, and not used.
    pub(crate) fn open(cache: &Path) -> Cache {
        let opened = Folder::make(&cache.join(SUBFOLDER)).map_err(|error| error.to_string());
        let tidied = opened.and_then(|folder| match folder.tidy() {
            Ok(()) => Ok(folder),
            Err(error) => Err(format!("{}: {error}", folder.path().display())),
        });
        match tidied {
            Ok(folder) => Cache { folder: Some(folder) },
            Err(error) => {
                tracing::warn!(
                    "what is pulled is not kept: {error}: each start needs the registry; set \
                     `cache` to a folder in which weir may make one of its own"
                );
                Cache::default()
            }
        }
    }

    /// The folder as it is. Nothing in it changes.
    pub(crate) fn look(cache: &Path) -> Cache {
        Cache { folder: Folder::open(&cache.join(SUBFOLDER)).ok() }
    }

    /// What has this digest, if it is there whole, and not larger.
    pub(super) fn get(&self, digest: &Digest, bytes_max: u64) -> Option<Bytes> {
        let bytes = self.folder.as_ref()?.read_small(digest.hex(), bytes_max).ok()?;
        (Digest::of(&bytes) == *digest).then(|| bytes.into())
    }

    /// Keeps what has this digest. Whether it is kept.
    pub(super) fn keep(&self, digest: &Digest, bytes: &[u8]) -> io::Result<bool> {
        match &self.folder {
            Some(folder) => folder.put(digest.hex(), bytes).map(|()| true),
            None => Ok(false),
        }
    }

    /// What a reference without a digest led to when it was last pulled.
    pub(super) fn tagged(&self, reference: &Reference) -> Option<Digest> {
        let digest = self.folder.as_ref()?.read_small(&tag_name(reference), TAG_BYTES_MAX).ok()?;
        Digest::parse(std::str::from_utf8(&digest).ok()?).ok()
    }

    /// Keeps what a reference without a digest leads to.
    pub(super) fn keep_tag(&self, reference: &Reference, digest: &Digest) -> io::Result<()> {
        match &self.folder {
            Some(folder) => folder.put(&tag_name(reference), digest.to_string().as_bytes()),
            None => Ok(()),
        }
    }

    /// Keeps a module, and what its reference leads to. Whether it is kept.
    pub(super) fn keep_module(
        &self,
        reference: &Reference,
        Cached { digest, parts: ModuleParts { config, layer } }: &Cached,
        parts: &Parts,
    ) -> io::Result<bool> {
        self.keep(&layer.digest, &parts.module)?;
        self.keep(&config.digest, &parts.config)?;
        // What is here by its manifest is here whole.
        let is_kept = self.keep(digest, &parts.manifest)?;
        if reference.digest().is_none() {
            self.keep_tag(reference, digest)?;
        }
        Ok(is_kept)
    }

    /// The module that a reference names, if all of it is there.
    pub(super) fn module(
        &self,
        reference: &Reference,
        (manifest_bytes_max, module_bytes_max): (u64, u64),
    ) -> Option<Cached> {
        let digest = reference.digest().cloned().or_else(|| self.tagged(reference))?;
        let manifest = self.get(&digest, manifest_bytes_max)?;
        let parts = ModuleParts::of(&manifest).ok()?;
        self.get(&parts.layer.digest, module_bytes_max)?;
        Some(Cached { digest, parts })
    }
}

/// The file that says what a reference without a digest led to.
fn tag_name(reference: &Reference) -> String {
    format!("{}.tag", Digest::of(reference.to_string().as_bytes()).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1 << 20;

    #[test]
    fn what_has_another_content_than_its_name_says_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path());
        let digest = Digest::of(b"module");
        assert_eq!(cache.get(&digest, MAX), None);
        assert!(cache.keep(&digest, b"module").unwrap());
        assert_eq!(cache.get(&digest, MAX).as_deref(), Some(&b"module"[..]));
        assert_eq!(Cache::look(folder.path()).get(&digest, MAX).as_deref(), Some(&b"module"[..]));
        assert_eq!(cache.get(&digest, 5), None, "it is larger than it may be");
        let file = folder.path().join("pulled").join(digest.hex());
        std::fs::write(&file, b"modulE").unwrap();
        assert_eq!(cache.get(&digest, MAX), None);
        cache.keep(&digest, b"module").unwrap();
        assert!(cache.get(&digest, MAX).is_some());
    }

    #[test]
    fn a_tag_is_remembered_until_it_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path());
        let [one, other] = ["oci://registry.example/a:1", "oci://registry.example/a:2"]
            .map(|text| Reference::parse(text).unwrap());
        assert_eq!(cache.tagged(&one), None);
        for content in [&b"x"[..], b"y"] {
            cache.keep_tag(&one, &Digest::of(content)).unwrap();
            assert_eq!(cache.tagged(&one), Some(Digest::of(content)));
        }
        assert_eq!(cache.tagged(&other), None);
    }

    #[test]
    fn a_folder_that_cannot_be_used_keeps_nothing_and_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pulled"), "a file").unwrap();
        let cache = Cache::open(folder.path());
        assert!(!cache.keep(&Digest::of(b"x"), b"x").unwrap());
        assert_eq!(cache.get(&Digest::of(b"x"), MAX), None);
    }
}
