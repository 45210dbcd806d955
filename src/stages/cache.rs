//! Compiled modules on disk: a help, without which a module is compiled at each start.
//!
//! Invariants:
//!
//! - A compiled module is machine code that runs in the daemon, so its folder is one that weir made
//!   ([`SUBFOLDER`]), that is ours and nobody else's. One that a mount has widened (the kubelet
//!   does so to whatever a volume holds) may have been written to: it is emptied, and ours alone
//!   again.
//! - A file is used only if it is ours and nobody else may write to it; it is found by what it was
//!   made from (the module's SHA-256, wasmtime's compatibility hash), and its own SHA-256 is the
//!   one written beside it. What was hashed is what is mapped: one open file. Whatever does not fit
//!   is compiled again.
//! - Files are written under another name and renamed, so a reader never sees half of one. They are
//!   written when the module has been compiled, which is done in memory: whenever a process ends
//!   while it compiles, it leaves nothing behind.
//! - That the folder cannot be used, or has no room, is no mistake of a module's and ends no run:
//!   a warning, and the module runs from memory.

use std::fs::{DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::{CompileError, Compiler, causes, compile};
use crate::folders::{Folder, FolderError};

/// In `cache`: that may be a volume, whose owner and mode are not ours to choose.
const SUBFOLDER: &str = "compiled";
/// Mode of the folder: nobody else may even look.
const MODE: u32 = 0o700;

/// Why the folder is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    /// It belongs to somebody else.
    #[error("{path} belongs to user {owner}, and weir runs as user {user}")]
    Owner { path: PathBuf, owner: u32, user: u32 },
    /// It cannot be made, read or written.
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

impl From<FolderError> for CacheError {
    fn from(error: FolderError) -> CacheError {
        match error {
            FolderError::Io { path, error } => CacheError::Io { path, error },
            // That is asked of folders of data.
            FolderError::NotOurs(error) => {
                CacheError::Io { path: PathBuf::new(), error: io::Error::other(error) }
            }
        }
    }
}

/// A folder of compiled modules, if there is one.
#[derive(Debug)]
pub(super) struct Cache {
    folder: Option<Folder>,
    keeps: bool,
}

impl Cache {
    /// Makes the folder where it is missing. One that cannot be used is told, and not used.
    pub(super) fn open(cache: &Path) -> Cache {
        match open(cache) {
            Ok(folder) => Cache { folder: Some(folder), keeps: true },
            Err(error) => {
                tracing::warn!(
                    "the compile cache is not used: {error}: modules are compiled at each start, \
                     in memory; set `cache` to a folder in which weir may make one of its own"
                );
                Cache { folder: None, keeps: true }
            }
        }
    }

    /// The folder as it is, if it is ours alone. Nothing in it changes.
    pub(super) fn look(cache: &Path) -> Cache {
        let is_ours = |folder: &Folder| {
            let of = folder.owner_and_mode();
            of.is_ok_and(|(owner, mode)| owner == user() && mode & 0o777 == MODE)
        };
        let folder = Folder::look(&cache.join(SUBFOLDER)).ok().filter(is_ours);
        Cache { folder, keeps: false }
    }

    /// The compiled form of `module`: from disk, or compiled now and kept. Ends early when `stop`
    /// is cancelled.
    pub(super) fn fetch(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        module: &[u8],
        stop: &CancellationToken,
    ) -> Result<Component, CompileError> {
        let name = file_name(engine, module);
        let kept = || self.folder.as_ref().and_then(|folder| load(engine, folder, &name));
        if let Some(component) = kept() {
            return Ok(component);
        }
        let mut compiled = Vec::new();
        compile(compiler, engine, module, &mut compiled, stop)?;
        if let Some(folder) = self.folder.as_ref().filter(|_| self.keeps) {
            match keep(folder, &name, &compiled) {
                // From there its pages cost no memory that is not to be had again.
                Ok(()) => {
                    if let Some(component) = kept() {
                        return Ok(component);
                    }
                    tracing::warn!(
                        path = %folder.path_of(&name).display(),
                        "a compiled module cannot be used from the compile cache (is its file \
                         system mounted noexec, or /proc not there?): it runs from memory"
                    );
                }
                Err(error) => tracing::warn!(
                    path = %folder.path().display(), %error,
                    "a compiled module cannot be kept: it runs from memory, and is compiled again \
                     at the next start"
                ),
            }
        }
        from_memory(engine, &compiled).map_err(|error| CompileError::Run(causes(&error)))
    }
}

/// The folder in `cache`, made where it is missing.
pub(super) fn open(cache: &Path) -> Result<Folder, CacheError> {
    let path = &cache.join(SUBFOLDER);
    let io = |error| CacheError::Io { path: path.to_owned(), error };
    DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(io)?;
    let folder = Folder::look(path)?;
    let (owner, mode) = folder.owner_and_mode().map_err(io)?;
    let user = user();
    if owner != user {
        return Err(CacheError::Owner { path: path.to_owned(), owner, user });
    }
    if mode & 0o777 != MODE {
        // First nobody else may write there any more.
        folder.set_mode(MODE).map_err(io)?;
        folder.remove_all(|_| true).map_err(io)?;
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:04o}"),
            "others had access to the compile cache, and what is in it runs inside of weir: it was \
             emptied, and is weir's alone again"
        );
    }
    folder.tidy().map_err(io)?;
    Ok(folder)
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Writes what was compiled into the folder.
pub(super) fn keep(folder: &Folder, name: &str, compiled: &[u8]) -> io::Result<()> {
    let digest = hex(Sha256::new_with_prefix(compiled));
    folder.put(&digest_name(name), digest.as_bytes())?;
    folder.put(name, compiled)
}

/// Loads a compiled module, if it is there, ours and whole.
fn load(engine: &Engine, folder: &Folder, name: &str) -> Option<Component> {
    map(engine, &open_whole(folder, name)?).ok()
}

/// The size of a compiled module, if it is there, ours and whole.
pub(super) fn whole(folder: &Folder, name: &str) -> Option<u64> {
    Some(open_whole(folder, name)?.metadata().ok()?.len())
}

/// A compiled module's file, if it is ours and whole.
fn open_whole(folder: &Folder, name: &str) -> Option<File> {
    let digest = folder.read_small(&digest_name(name), DIGEST_BYTES).ok()?;
    let file = folder.read(name).ok()?;
    let found = file.metadata().ok()?;
    if found.uid() != user() || found.mode() & 0o022 != 0 {
        return None;
    }
    (digest == hash_file(&file).ok()?.as_bytes()).then_some(file)
}

/// Maps an open file that [`compile`] wrote.
fn map(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: `deserialize_file` demands a file that `precompile_component` wrote and nobody
    // changes. This is the open file itself, whatever its name leads to by now: one that is ours,
    // in a folder that only we may enter (`open`), with the hash that we wrote beside it when we
    // compiled it; there a file is only ever replaced by rename, which leaves this mapping alone.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize_file(engine, path)
    }
}

/// Takes what [`compile`] wrote from memory: no file system has a say in that.
fn from_memory(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` demands what `precompile_component` wrote. This is what it has just
    // written, in this process or in a child of the same binary, and it was nowhere else since.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize(engine, compiled)
    }
}

/// The name of a module's compiled form.
pub(super) fn file_name(engine: &Engine, module: &[u8]) -> String {
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    format!("{}-{:016x}.cwasm", hex(Sha256::new_with_prefix(module)), compatibility.finish())
}

/// A SHA-256 in hexadecimal digits.
const DIGEST_BYTES: u64 = 64;

fn digest_name(name: &str) -> String {
    format!("{}.sha256", name.trim_end_matches(".cwasm"))
}

/// From its beginning, wherever it was read to.
fn hash_file(file: &File) -> io::Result<String> {
    let (mut hash, mut buffer, mut at) = (Sha256::new(), [0; 16 << 10], 0);
    loop {
        let length = file.read_at(&mut buffer, at)?;
        if length == 0 {
            return Ok(hex(hash));
        }
        hash.update(&buffer[..length]);
        at += length as u64;
    }
}

fn hex(hash: Sha256) -> String {
    format!("{:x}", hash.finalize())
}
