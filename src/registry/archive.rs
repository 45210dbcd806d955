//! Modules in one file, to be carried where no registry is: an archive of an [OCI layout][layout],
//! as other tools read it, too.
//!
//! Invariant: what comes out has the digests that name it: an archive that was changed on the way
//! is refused.
//!
//! [layout]: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};

use bytes::Bytes;

use super::artifact::Artifact;
use super::cache::{Cache, Cached};
use super::client::MANIFEST_BYTES_MAX;
use super::digest::Digest;
use super::manifest::{Descriptor, INDEX, Index, MANIFEST, ModuleParts};
use super::pull::{MODULE_BYTES_MAX, Parts};
use super::reference::{Reference, ReferenceError};

/// All of an archive that is read is in memory at once.
const ARCHIVE_BYTES_MAX: u64 = 1 << 30;
/// An archive of more is none of modules.
const ENTRIES_MAX: usize = 10_000;
const LAYOUT: (&str, &[u8]) = ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
const INDEX_FILE: &str = "index.json";
const BLOBS: &str = "blobs/sha256/";
/// What a manifest in a layout is called.
const NAME: &str = "org.opencontainers.image.ref.name";

/// A module on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// With its digest.
    pub(crate) reference: Reference,
    pub(crate) parts: Parts,
}

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or is none.
    #[error("it cannot be read as an archive: {0}")]
    Read(#[from] io::Error),
    /// It is too large.
    #[error(
        "it holds more than {} MiB or {ENTRIES_MAX} files: is it another one?",
        ARCHIVE_BYTES_MAX >> 20
    )]
    TooLarge,
    /// Another archive.
    #[error("it is no archive of an OCI layout: `weir filter save` makes one")]
    NoLayout,
    /// A file is not what its name says.
    #[error("its file {0} has another content than its name says: it was changed on the way")]
    Changed(String),
    /// A file is not there.
    #[error("it lacks {0}, which it names")]
    Lacks(Digest),
    /// Something in it has no name.
    #[error("it calls {digest} `{name}`, which {error}")]
    Name {
        /// What is called so.
        digest: Digest,
        /// The name, fit to be shown.
        name: String,
        /// Why it is none.
        error: ReferenceError,
    },
    /// Something in it is no module.
    #[error("{digest} is no module: {why}")]
    NoModule {
        /// What.
        digest: Digest,
        /// Why.
        why: String,
    },
}

impl Carried {
    /// Keeps it for stages that name it, by its digest or by its tag.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    pub(crate) fn keep(&self, cache: &Cache) -> io::Result<()> {
        let parts = ModuleParts::of(&self.parts.manifest).map_err(io::Error::other)?;
        let cached = Cached { digest: Digest::of(&self.parts.manifest), parts };
        let by_tag = self.reference.by_tag();
        let reference = by_tag.as_ref().unwrap_or(&self.reference);
        match cache.keep_module(reference, &cached, &self.parts)? {
            true => Ok(()),
            false => Err(io::Error::other("the folder cannot be used")),
        }
    }

    /// What brings it to a registry, byte for byte.
    pub(crate) fn artifact(&self) -> Artifact {
        let Parts { manifest, config, module } = self.parts.clone();
        let blobs = [config, module].map(|blob| (Digest::of(&blob), blob));
        Artifact { blobs: blobs.into(), manifests: vec![(MANIFEST.to_owned(), manifest)] }
    }
}

/// Writes an archive.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write(out: impl Write, modules: &[Carried]) -> io::Result<()> {
    let mut files: BTreeMap<String, Bytes> = BTreeMap::new();
    let mut index =
        Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: Vec::new() };
    for Carried { reference, parts } in modules {
        let mut descriptor = Descriptor::of(MANIFEST, &parts.manifest);
        let name = reference.by_tag().unwrap_or_else(|| reference.clone()).of_engines();
        descriptor.annotations = BTreeMap::from([(NAME.to_owned(), name)]);
        index.manifests.push(descriptor);
        for blob in [&parts.manifest, &parts.config, &parts.module] {
            files.insert(format!("{BLOBS}{}", Digest::of(blob).hex()), blob.clone());
        }
    }
    files.insert(LAYOUT.0.to_owned(), Bytes::from_static(LAYOUT.1));
    files.insert(INDEX_FILE.to_owned(), serde_json::to_vec(&index)?.into());
    let mut archive = tar::Builder::new(out);
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, name, &content[..])?;
    }
    archive.into_inner()?.flush()
}

/// Reads an archive.
///
/// # Errors
///
/// When it is none, or anything in it is not what is named.
pub(crate) fn read(from: impl Read) -> Result<Vec<Carried>, ArchiveError> {
    let mut files = files(from)?;
    let index = files.remove(INDEX_FILE).filter(|_| files.contains_key(LAYOUT.0));
    let index = index.and_then(|index| serde_json::from_slice::<Index>(&index).ok());
    let mut blobs = HashMap::new();
    for (name, content) in files {
        let Some(hex) = name.strip_prefix(BLOBS) else { continue };
        let digest = Digest::of(&content);
        if digest.hex() != hex {
            return Err(ArchiveError::Changed(crate::text::one_line(name, NAME_SHOWN_MAX)));
        }
        blobs.insert(digest, content);
    }
    let index = index.ok_or(ArchiveError::NoLayout)?;
    index.manifests.into_iter().map(|manifest| carried(manifest, &blobs)).collect()
}

/// Of a name that an archive gives.
const NAME_SHOWN_MAX: usize = 200;

fn carried(
    Descriptor { digest, annotations, .. }: Descriptor,
    blobs: &HashMap<Digest, Bytes>,
) -> Result<Carried, ArchiveError> {
    let blob = |digest: &Digest| {
        blobs.get(digest).cloned().ok_or_else(|| ArchiveError::Lacks(digest.clone()))
    };
    let manifest = blob(&digest)?;
    let parts = ModuleParts::of(&manifest)
        .map_err(|why| ArchiveError::NoModule { digest: digest.clone(), why })?;
    let (config, module) = (blob(&parts.config.digest)?, blob(&parts.layer.digest)?);
    let name = annotations.get(NAME).map_or("", String::as_str);
    let reference = Reference::of_argument(name).map_err(|error| ArchiveError::Name {
        digest: digest.clone(),
        name: crate::text::one_line(name, NAME_SHOWN_MAX),
        error,
    })?;
    Ok(Carried { reference: reference.at(digest), parts: Parts { manifest, config, module } })
}

/// All regular files of an archive, by their names.
fn files(from: impl Read) -> Result<BTreeMap<String, Bytes>, ArchiveError> {
    let mut archive = tar::Archive::new(from.take(ARCHIVE_BYTES_MAX + 1));
    let (mut files, mut bytes) = (BTreeMap::new(), 0);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.display().to_string();
        bytes += entry.size();
        let is_large = entry.size() > MODULE_BYTES_MAX.max(MANIFEST_BYTES_MAX);
        if is_large || bytes > ARCHIVE_BYTES_MAX || files.len() >= ENTRIES_MAX {
            return Err(ArchiveError::TooLarge);
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(path.trim_start_matches("./").to_owned(), content.into());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::manifest::Component;
    use proptest::prelude::*;

    fn module(name: &str, content: &[u8]) -> Carried {
        let artifact = Artifact::module(name, content.to_vec(), Component::default());
        let reference = Reference::of_argument(&format!("registry.example/{name}:1")).unwrap();
        let [config, module] = [0, 1].map(|at: usize| artifact.blobs[at].1.clone());
        let manifest = artifact.manifests[0].1.clone();
        let parts = Parts { manifest, config, module };
        Carried { reference: reference.at(artifact.digest()), parts }
    }

    fn archive(modules: &[Carried]) -> Vec<u8> {
        let mut archive = Vec::new();
        write(&mut archive, modules).unwrap();
        archive
    }

    #[test]
    fn what_was_saved_is_loaded_and_kept_by_digest_and_tag() {
        let modules = [module("a", b"one"), module("b/c", b"two")];
        let loaded = read(&archive(&modules)[..]).unwrap();
        assert_eq!(loaded, modules);
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path());
        for carried in &loaded {
            carried.keep(&cache).unwrap();
            assert_eq!(carried.artifact().digest(), *carried.reference.digest().unwrap());
            let references = [carried.reference.clone(), carried.reference.by_tag().unwrap()];
            let here = crate::registry::look(folder.path(), &references);
            for reference in &references {
                assert_eq!(here.read(reference).unwrap(), carried.parts.module);
            }
        }
    }

    #[test]
    fn what_was_changed_on_the_way_is_refused() {
        let whole = archive(&[module("a", b"the module")]);
        let at = whole.windows(10).position(|bytes| bytes == b"the module").unwrap();
        let mut changed = whole.clone();
        changed[at] = b'T';
        assert!(matches!(read(&changed[..]), Err(ArchiveError::Changed(_))));
        assert!(matches!(
            read(&b"no archive"[..]),
            Err(ArchiveError::NoLayout | ArchiveError::Read(_))
        ));
        assert!(read(&whole[..whole.len() / 2]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0usize..4096, byte: u8, length in 0usize..8192) {
            let mut whole = archive(&[module("a", b"the module")]);
            whole.truncate(length);
            if let Some(changed) = whole.get_mut(at) {
                *changed = byte;
            }
            if let Ok(carried) = read(&whole[..]) {
                for carried in carried {
                    prop_assert_eq!(&carried.parts.module[..], &b"the module"[..]);
                }
            }
        }
    }
}
