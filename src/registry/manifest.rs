//! What lies in a registry under a reference: a manifest, which names a configuration and layers by
//! their digests ([image specification][manifest]). Pure.
//!
//! A module is an artifact of the [CNCF's layout for WebAssembly][wasm]: one layer, the component
//! as it is, and a configuration that says what it imports. Others who store components leave the
//! configuration out, or have older media types: whatever has exactly one layer of WebAssembly is
//! taken.
//!
//! [manifest]: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
//! [wasm]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The manifest of an image or an artifact.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A list of manifests, one for each platform.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What Docker calls them.
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The configuration of a module.
pub(super) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// A component, as it is.
pub(super) const WASM: &str = "application/wasm";
/// What `wasm-to-oci` and its like called it.
const OLD_WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";

/// Something in a registry, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Of these bytes.
    pub(super) fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// Where an image runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// A list of manifests: of the platforms of an image, or all there is in an OCI layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
}

/// What the configuration of a module says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WasmConfig {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default)]
    pub(super) layer_digests: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<Component>,
}

/// What a component is, without having it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Component {
    /// The interfaces that it exports.
    #[serde(default)]
    pub(crate) exports: Vec<String>,
    /// The interfaces that it imports.
    #[serde(default)]
    pub(crate) imports: Vec<String>,
    /// The world that it is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
}

/// Where a module's parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModuleParts {
    pub(super) config: Descriptor,
    pub(super) layer: Descriptor,
}

impl ModuleParts {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// What it is the manifest of, if not of a module.
    pub(super) fn of(manifest: &[u8]) -> Result<ModuleParts, String> {
        let Ok(Manifest { config, layers, .. }) = serde_json::from_slice(manifest) else {
            return Err(match serde_json::from_slice::<Index>(manifest) {
                Ok(_) => format!("it lists the platforms of an image{}", IMAGE_HINT),
                Err(_) => {
                    "what the registry has there is no manifest of an image or artifact".into()
                }
            });
        };
        let is_wasm = |layer: &&Descriptor| [WASM, OLD_WASM].contains(&layer.media_type.as_str());
        let mut modules = layers.iter().filter(is_wasm);
        match (modules.next(), modules.next()) {
            (Some(layer), None) => Ok(ModuleParts { config, layer: layer.clone() }),
            (Some(_), Some(_)) => Err("it holds several modules, and a stage runs one".into()),
            (None, _) => Err(format!("it is an image or another artifact{IMAGE_HINT}")),
        }
    }
}

/// What to do with an image.
const IMAGE_HINT: &str = ": `weir filter push` without --as-image makes what a stage can name; an \
                          image is mounted by the kubelet, and its file named";

impl WasmConfig {
    /// What a configuration says of the component; `None`: nothing, or it is another's.
    pub(super) fn component_in(config: &[u8]) -> Option<Component> {
        serde_json::from_slice::<WasmConfig>(config).ok()?.component
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest(layers: &[&str]) -> Vec<u8> {
        let layers = layers.iter().map(|media_type| Descriptor::of(media_type, b"x")).collect();
        let config = Descriptor::of(WASM_CONFIG, b"{}");
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.into()),
            artifact_type: None,
            config,
            layers,
        };
        serde_json::to_vec(&manifest).unwrap()
    }

    #[test]
    fn a_module_is_what_has_one_layer_of_webassembly() {
        for layers in [&[WASM][..], &["text/markdown", WASM], &[OLD_WASM]] {
            let parts = ModuleParts::of(&manifest(layers)).unwrap();
            assert_eq!(parts.layer.digest, Digest::of(b"x"));
        }
        let said = |bytes: &[u8]| ModuleParts::of(bytes).unwrap_err();
        insta::assert_snapshot!(said(&manifest(&[WASM, WASM])), @"it holds several modules, and a stage runs one");
        insta::assert_snapshot!(said(&manifest(&["application/vnd.oci.image.layer.v1.tar"])), @"it is an image or another artifact: `weir filter push` without --as-image makes what a stage can name; an image is mounted by the kubelet, and its file named");
        insta::assert_snapshot!(said(br#"{"schemaVersion":2,"manifests":[]}"#), @"it lists the platforms of an image: `weir filter push` without --as-image makes what a stage can name; an image is mounted by the kubelet, and its file named");
        insta::assert_snapshot!(said(b"<html>"), @"what the registry has there is no manifest of an image or artifact");
    }

    #[test]
    fn a_configuration_of_others_says_nothing_and_one_of_a_module_its_imports() {
        let of = |text: &str| WasmConfig::component_in(text.as_bytes());
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"architecture":"wasm","os":"wasip1","layerDigests":[]}"#), None);
        let component = of(
            r#"{"created":"2026-01-01T00:00:00Z","author":null,"architecture":"wasm","os":"wasip2","layerDigests":[],"component":{"exports":[],"imports":["a:b/c"],"target":null}}"#,
        );
        assert_eq!(component.unwrap().imports, ["a:b/c"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = ModuleParts::of(&bytes);
            let _ = WasmConfig::component_in(&bytes);
        }
    }
}
