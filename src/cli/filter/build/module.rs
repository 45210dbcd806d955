//! Builds one module: cargo builds the crate into a core module, and `wit-component` makes a
//! component of that, using the description of its world that the SDK left in the module. What the
//! module does not call is not imported.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cli::filter::{
    powers::{IMPORTS_SHOWN_MAX, Powers},
    toolchain::Toolchain,
};
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
    /// There is no crate.
    #[error("{}: {source}; give the folder of a filter's crate", .manifest.display())]
    NotACrate {
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
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Builds the filter crate in `dir` into a component: `out`, or `dist/NAME.wasm` beside the
/// Cargo.toml of its workspace. cargo's messages go to stderr, as they come.
pub(crate) fn build(dir: &Path, out: Option<&Path>) -> Result<BuiltModule, BuildError> {
    let manifest = dir.join("Cargo.toml");
    let manifest =
        manifest.canonicalize().map_err(|source| BuildError::NotACrate { manifest, source })?;
    let dir = manifest.parent().unwrap_or(dir);
    let toolchain =
        Toolchain::find(dir).map_err(|error| BuildError::NoToolchain(error.to_string()))?;
    let package = Package::find(&toolchain, &manifest)?;
    let module = core_module(&toolchain, &manifest)?;

    let component = component(&read(&module)?)
        .map_err(|why| BuildError::NotAFilter { module: module.clone(), why })?;
    let powers = Powers::of(&component).map_err(|why| BuildError::NotAFilter { module, why })?;

    let default = package.workspace.join("dist").join(format!("{}.wasm", package.name));
    let path = out.map_or(default, Path::to_owned);
    put(&path, &component).map_err(|source| BuildError::File { path: path.clone(), source })?;
    let digest = format!("sha256:{:x}", Sha256::digest(&component));
    Ok(BuiltModule { name: package.name, path, bytes: component.len(), digest, powers })
}

impl fmt::Display for BuiltModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.bytes.div_ceil(1024);
        writeln!(f, "{}: {} ({kib} KiB)", self.name, self.path.display())?;
        writeln!(f, "  {}", self.powers)?;
        write!(f, "  imports {}", text::first(self.powers.imports(), IMPORTS_SHOWN_MAX))
    }
}

/// The crate's name, and the folder of its workspace.
struct Package {
    name: String,
    workspace: PathBuf,
}

impl Package {
    fn find(toolchain: &Toolchain, manifest: &Path) -> Result<Self, BuildError> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Member>,
            workspace_root: PathBuf,
        }
        #[derive(Deserialize)]
        struct Member {
            name: String,
            manifest_path: PathBuf,
        }

        let dir = manifest.parent().unwrap_or(manifest);
        let mut cargo = toolchain.cargo(dir, "metadata");
        cargo.args(["--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
        let output = cargo.output().map_err(BuildError::CargoMissing)?;
        if !output.status.success() {
            return Err(BuildError::Cargo(dir.to_owned()));
        }
        let no_package = || BuildError::NoPackage(dir.to_owned());
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).map_err(|_| no_package())?;
        let member = metadata.packages.into_iter().find(|member| member.manifest_path == manifest);
        Ok(Self { name: member.ok_or_else(no_package)?.name, workspace: metadata.workspace_root })
    }
}

/// Has cargo build the core module, and answers where it is.
fn core_module(toolchain: &Toolchain, manifest: &Path) -> Result<PathBuf, BuildError> {
    let dir = manifest.parent().unwrap_or(manifest);
    let mut cargo = toolchain.cargo_build(dir);
    cargo.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = cargo.output().map_err(BuildError::CargoMissing)?;
    if !output.status.success() {
        return Err(BuildError::Cargo(dir.to_owned()));
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let mut artifacts = messages.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    artifacts
        .find_map(|artifact| artifact.module_of(manifest))
        .ok_or_else(|| BuildError::NoModule(manifest.to_owned()))
}

/// cargo's `compiler-artifact` message; no other has these members.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

impl Artifact {
    fn module_of(self, manifest: &Path) -> Option<PathBuf> {
        let is_module = self.manifest_path == manifest
            && self.target.crate_types.iter().any(|kind| kind == "cdylib");
        self.filenames
            .into_iter()
            .find(|file| is_module && file.extension().is_some_and(|end| end == "wasm"))
    }
}

/// The component around a core module, checked; the error says what is wrong with the module.
fn component(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoder = wit_component::ComponentEncoder::default();
    let encoded = encoder.module(module).and_then(|encoder| encoder.validate(true).encode());
    encoded.map_err(|error| format!("{error:#}"))
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
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

    fn module(message: &str) -> Option<PathBuf> {
        serde_json::from_str::<Artifact>(message).ok()?.module_of(Path::new("/f/drop/Cargo.toml"))
    }

    #[test]
    fn the_crates_own_module_is_found_among_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/f/drop/Cargo.toml",
            "target":{"kind":["cdylib"],"crate_types":["cdylib","rlib"],"name":"drop"},
            "filenames":["/t/libdrop.rlib","/t/drop.wasm"],"fresh":true}"#;
        assert_eq!(module(message), Some(PathBuf::from("/t/drop.wasm")));
        assert_eq!(module(&message.replace("/f/drop", "/f/other")), None);
        assert_eq!(module(&message.replace(r#""cdylib","rlib""#, r#""rlib""#)), None);
        assert_eq!(module(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn a_folder_without_a_crate_is_named() {
        let error = build(Path::new("/nowhere/at/all"), None).expect_err("there is nothing there");
        assert!(
            error.to_string().starts_with("/nowhere/at/all/Cargo.toml: No such file"),
            "{error}"
        );
    }

    #[test]
    fn a_core_module_that_is_no_filter_is_refused() {
        // An empty core module can be made a component, but not one that weir can call.
        let empty = component(b"\0asm\x01\0\0\0").expect("it is valid");
        assert!(Powers::of(&empty).is_err());
        assert!(component(b"not wasm").is_err());
    }
}
