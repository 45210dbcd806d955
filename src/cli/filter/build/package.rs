//! A filter that is a crate: cargo builds it into a core module, and `wit-component` makes a
//! component of that, using the description of its world that the SDK left in the module. What the
//! module does not call is not imported.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::module::{BuildError, Made, read};
use crate::cli::filter::{powers::Powers, toolchain::Toolchain};

/// The file that says that a folder is a crate.
pub(super) const MANIFEST: &str = "Cargo.toml";

/// Builds the filter crate in `dir`. cargo's messages go to stderr, as they come.
pub(super) fn make(dir: &Path) -> Result<Made, BuildError> {
    let manifest = dir.join(MANIFEST);
    let manifest =
        manifest.canonicalize().map_err(|source| BuildError::NoFilter { manifest, source })?;
    let dir = manifest.parent().unwrap_or(dir);
    let toolchain =
        Toolchain::find(dir).map_err(|error| BuildError::NoToolchain(error.to_string()))?;
    let package = Package::find(&toolchain, &manifest)?;
    let module = core_module(&toolchain, &manifest)?;
    let not_a_filter = |why| BuildError::NotAFilter { module: module.clone(), why };
    let component = component(&read(&module)?).map_err(not_a_filter)?;
    let powers = Powers::of(&component).map_err(not_a_filter)?;
    Ok(Made { name: package.name, folder: package.workspace, component, powers })
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
    fn a_core_module_that_is_no_filter_is_refused() {
        // An empty core module can be made a component, but not one that weir can call.
        let empty = component(b"\0asm\x01\0\0\0").expect("it is valid");
        assert!(Powers::of(&empty).is_err());
        assert!(component(b"not wasm").is_err());
    }
}
