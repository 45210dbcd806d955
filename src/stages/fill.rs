//! Compiling a module ahead of the weir that will run it, into a folder of compiled modules: where
//! there is more memory than that weir has, or once for many.

use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::cache;
use super::compile::{CompileError, Compiler, causes, compile};
use super::engine::engine;

/// A compiled module.
#[derive(Debug)]
pub(crate) struct Filled {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Its size.
    pub(crate) bytes: u64,
    /// Whether it was there before.
    pub(crate) was_there: bool,
}

/// Why a module was not compiled into a folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    /// It is not a module, or too large a one.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The folder cannot be used.
    #[error("{0}")]
    Folder(String),
    /// The compiled module cannot be written.
    #[error("{}: {error}", .path.display())]
    Keep {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// wasmtime's engine cannot be set up.
    #[error("{0}")]
    Engine(String),
}

/// Compiles a module into `folder`, which is what `cache` in a pipeline.toml names.
pub(crate) fn fill(folder: &Path, module: &[u8]) -> Result<Filled, FillError> {
    let engine = engine().map_err(|error| FillError::Engine(causes(&error)))?;
    let kept = cache::open(folder).map_err(|error| FillError::Folder(error.to_string()))?;
    let name = cache::file_name(&engine, module);
    let filled = |bytes, was_there| Filled { path: kept.path_of(&name), bytes, was_there };
    if let Some(bytes) = cache::whole(&kept, &name) {
        return Ok(filled(bytes, true));
    }
    let mut compiled = Vec::new();
    compile(&Compiler::child(), &engine, module, &mut compiled, &CancellationToken::new())?;
    let keep = |error| FillError::Keep { path: kept.path().to_owned(), error };
    cache::keep(&kept, &name, &compiled).map_err(keep)?;
    Ok(filled(compiled.len() as u64, false))
}
