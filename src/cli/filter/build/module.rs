//! Builds one module: of a crate (`package`), or as the script in its folder does (`script`).

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use sha2::{Digest, Sha256};

use super::{package, script};
use crate::cli::filter::powers::{IMPORTS_SHOWN_MAX, Powers};
use crate::text;

/// A module that was built.
#[derive(Debug)]
pub(crate) struct BuiltModule {
    /// The crate's name.
    pub name: String,
    /// Where the component is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// `sha256:` and its digest.
    pub digest: String,
    /// What it can do.
    pub powers: Powers,
}

/// Why a module could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is neither a crate nor a script.
    #[error("{}: {source}; give the folder of a filter: a crate, or what its build.sh makes",
            .manifest.display())]
    NoFilter {
        /// The file that was looked for.
        manifest: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No toolchain can build for WebAssembly.
    #[error("{0}")]
    NoToolchain(String),
    /// cargo could not be run.
    #[error("cargo: {0}; is it installed?")]
    CargoMissing(io::Error),
    /// cargo ran and failed; it has said why.
    #[error("cargo could not build {}: its own messages are above", .0.display())]
    Cargo(PathBuf),
    /// cargo's answer does not name the crate.
    #[error("{}: `cargo metadata` knows no package here; give the folder of one filter crate, not \
             of its workspace", .0.display())]
    NoPackage(PathBuf),
    /// The crate is a library or a program, not a module.
    #[error("{}: the crate makes no WebAssembly module; add `crate-type = [\"cdylib\"]` under \
             [lib]", .0.display())]
    NoModule(PathBuf),
    /// The module is not a weir filter.
    #[error("{}: no component can be made of it: {why}; is `weir_filter::export!` called in the \
             crate?", .module.display())]
    NotAFilter {
        /// The core module.
        module: PathBuf,
        /// What the encoder says.
        why: String,
    },
    /// The script ran and failed; it has said why.
    #[error("{} failed ({status}): its own messages are above", .script.display())]
    Script {
        /// Which.
        script: PathBuf,
        /// How it ended.
        status: String,
    },
    /// The script cannot be run.
    #[error("{}: cannot run it: {source}", .script.display())]
    NoShell {
        /// Which.
        script: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The script ran well, and made nothing.
    #[error("{} has written nothing to the file that it was given: `build.sh FILE` is to write a \
             component to FILE", .0.display())]
    NothingMade(PathBuf),
    /// What the script made is not a weir filter.
    #[error("{}: what it makes is no filter: {why}", .script.display())]
    ScriptNotAFilter {
        /// Which.
        script: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What was made, and not yet put anywhere.
pub(super) struct Made {
    pub(super) name: String,
    /// Where `dist` is.
    pub(super) folder: PathBuf,
    pub(super) component: Vec<u8>,
    pub(super) powers: Powers,
}

/// Builds the filter in `dir` into a component: `out`, or `dist/NAME.wasm` in its folder, beside
/// the Cargo.toml of its workspace. What its tools say goes to stderr, as it comes.
pub(crate) fn build(dir: &Path, out: Option<&Path>) -> Result<BuiltModule, BuildError> {
    let made = if script::is_of(dir) { script::make(dir)? } else { package::make(dir)? };
    let default = made.folder.join("dist").join(format!("{}.wasm", made.name));
    let path = out.map_or(default, Path::to_owned);
    put(&path, &made.component)
        .map_err(|source| BuildError::File { path: path.clone(), source })?;
    let digest = format!("sha256:{:x}", Sha256::digest(&made.component));
    let bytes = made.component.len();
    Ok(BuiltModule { name: made.name, path, bytes, digest, powers: made.powers })
}

impl fmt::Display for BuiltModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.bytes.div_ceil(1024);
        writeln!(f, "{}: {} ({kib} KiB)", self.name, self.path.display())?;
        writeln!(f, "  {}", self.powers)?;
        write!(f, "  imports {}", text::first(self.powers.imports(), IMPORTS_SHOWN_MAX))
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|source| BuildError::File { path: path.to_owned(), source })
}

/// Written beside, then renamed: a weir that reads it meanwhile sees the old module or the new.
pub(super) fn put(path: &Path, component: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("wasm.new");
    fs::write(&beside, component)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_filter_is_named() {
        let error = build(Path::new("/nowhere/at/all"), None).expect_err("there is nothing there");
        assert!(
            error.to_string().starts_with("/nowhere/at/all/Cargo.toml: No such file"),
            "{error}"
        );
    }
}
