//! Compiled modules on disk.
//!
//! Invariants:
//!
//! - A compiled module is machine code that runs in the daemon, so the folder must be ours and
//!   nobody else's: it is refused when its owner or mode differ.
//! - A file is found by what it was made from (the module's SHA-256, wasmtime's compatibility
//!   hash), and used only when its own SHA-256 is the one written beside it. Whatever does not fit
//!   is compiled again.
//! - Files are written under another name and renamed, so a reader never sees half of one.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::compile::{CompileError, Compiler, compile};

/// Mode of the folder: nobody else may even look.
const MODE: u32 = 0o700;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It belongs to somebody else.
    #[error(
        "the compile cache {path} belongs to user {owner} and weir runs as {user}: what is in it \
         runs inside weir, so set `cache` to a folder of weir's own"
    )]
    Owner {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Others may write to it, or read it.
    #[error(
        "the compile cache {path} has mode {mode:o}: what is in it runs inside weir, so it must \
         be weir's alone: chmod 700 {path}"
    )]
    Mode {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Something else is there.
    #[error("the compile cache {path} is not a folder: move it away, or set `cache`")]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error(
        "cannot use the compile cache {path}: {error}: set `cache` to a folder that weir may write \
         to"
    )]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

/// Why there is no compiled module.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Compile(CompileError),
    #[error(transparent)]
    Cache(CacheError),
}

/// A folder of compiled modules.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Makes the folder where it is missing, and checks that it is ours.
    pub(super) fn open(folder: &Path) -> Result<Cache, CacheError> {
        let path = folder.to_owned();
        let io = |error| CacheError::Io { path: path.clone(), error };
        DirBuilder::new().recursive(true).mode(MODE).create(folder).or_else(|error| {
            match folder.exists() {
                true => Ok(()), // Something is there; what, is looked at next.
                false => Err(io(error)),
            }
        })?;
        let found = fs::metadata(folder).map_err(io)?;
        if !found.is_dir() {
            return Err(CacheError::NotAFolder { path });
        }
        let user = rustix::process::geteuid().as_raw();
        if found.uid() != user {
            return Err(CacheError::Owner { path, owner: found.uid(), user });
        }
        if found.mode() & 0o777 != MODE {
            return Err(CacheError::Mode { path, mode: found.mode() & 0o7777 });
        }
        Ok(Cache { folder: folder.to_owned() })
    }

    /// The compiled form of `module`: from disk, or compiled now and kept.
    pub(super) fn fetch(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        module: &[u8],
    ) -> Result<Component, FetchError> {
        let path = self.folder.join(file_name(engine, module));
        if let Some(component) = load(engine, &path) {
            return Ok(component);
        }
        self.compile_to(engine, compiler, module, &path)?;
        load(engine, &path).ok_or_else(|| {
            let error = io::Error::other("what was just written cannot be loaded");
            FetchError::Cache(CacheError::Io { path, error })
        })
    }

    fn compile_to(
        &self,
        engine: &Engine,
        compiler: &Compiler,
        module: &[u8],
        path: &Path,
    ) -> Result<(), FetchError> {
        let cache_error =
            |error| FetchError::Cache(CacheError::Io { path: path.to_owned(), error });
        let (file, temporary) = self.temporary().map_err(cache_error)?;
        let mut out = Hashing { inner: BufWriter::new(file), hash: Sha256::new() };
        let written = compile(compiler, engine, module, &mut out)
            .map_err(FetchError::Compile)
            .and_then(|()| out.inner.flush().map_err(cache_error))
            .and_then(|()| self.keep(&temporary, path, &hex(out.hash)).map_err(cache_error));
        if written.is_err() {
            // Left behind it would only take room.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn keep(&self, temporary: &Path, path: &Path, digest: &str) -> io::Result<()> {
        let (mut file, temporary_digest) = self.temporary()?;
        file.write_all(digest.as_bytes())?;
        fs::rename(temporary_digest, digest_path(path))?;
        fs::rename(temporary, path)
    }

    fn temporary(&self) -> io::Result<(File, PathBuf)> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!(".{}-{number}.tmp", std::process::id()));
        // One left by a killed process of the same number is in our folder, so it is ours to
        // replace.
        let file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        Ok((file, path))
    }
}

/// Loads a compiled module, if it is there and whole.
fn load(engine: &Engine, path: &Path) -> Option<Component> {
    let digest = fs::read_to_string(digest_path(path)).ok()?;
    if digest != hash_file(path).ok()? {
        return None;
    }
    // SAFETY: `deserialize_file` demands a file that `precompile_component` wrote and nobody
    // changes. It lies in a folder that only we may enter (`Cache::open`), has the hash that we
    // wrote beside it when we compiled it, and is only ever replaced by rename, which leaves
    // this mapping alone.
    #[allow(unsafe_code)]
    let component = unsafe { Component::deserialize_file(engine, path) };
    component.ok()
}

fn file_name(engine: &Engine, module: &[u8]) -> String {
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    format!("{}-{:016x}.cwasm", hex(Sha256::new_with_prefix(module)), compatibility.finish())
}

fn digest_path(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), [0; 16 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(hash)),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn hex(hash: Sha256) -> String {
    format!("{:x}", hash.finalize())
}

/// Hashes what passes.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
