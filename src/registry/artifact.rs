//! What `weir filter push` brings to a registry, in memory: the blobs and the manifests that make a
//! module, or an image with the module in it. Pure.
//!
//! Invariant: the same module makes the same bytes, and so the same digest, whenever and wherever
//! it is pushed. So no time is written but the first of Unix, and files belong to nobody.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::digest::Digest;
use super::manifest::{
    Component, Descriptor, INDEX, Index, MANIFEST, Manifest, Platform, WASM, WASM_CONFIG,
    WasmConfig,
};

/// When it was made: the layout wants a time, and it would change the digest.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// Whatever tool downloads a layer names the file so.
const TITLE: &str = "org.opencontainers.image.title";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Nodes that may mount an image. Its one file is the same for all, but container engines take no
/// image of another platform.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// What makes a reference: what a manifest names is brought before it.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(super) blobs: Vec<(Digest, Bytes)>,
    /// With their media types. The last one is what the tag leads to.
    pub(super) manifests: Vec<(String, Bytes)>,
}

impl Artifact {
    /// The digest of the whole.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.manifests.last().map_or(&[][..], |(_, manifest)| manifest))
    }

    /// A module in the CNCF's layout: what a stage names.
    pub(crate) fn module(name: &str, module: Vec<u8>, component: Component) -> Artifact {
        let config = json(&WasmConfig {
            created: Some(CREATED.to_owned()),
            architecture: "wasm".to_owned(),
            os: "wasip2".to_owned(),
            layer_digests: vec![Digest::of(&module)],
            component: Some(component),
        });
        let mut layer = Descriptor::of(WASM, &module);
        layer.annotations = BTreeMap::from([(TITLE.to_owned(), format!("{name}.wasm"))]);
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: Some(WASM_CONFIG.to_owned()),
            config: Descriptor::of(WASM_CONFIG, &config),
            layers: vec![layer],
        });
        let blobs = [config, module.into()].map(|blob| (Digest::of(&blob), blob));
        Artifact { blobs: blobs.into(), manifests: vec![(MANIFEST.to_owned(), manifest)] }
    }

    /// An image whose only file is the module: what a kubelet mounts.
    ///
    /// # Errors
    ///
    /// When the name cannot be a file's in an archive.
    pub(crate) fn image(name: &str, module: &[u8]) -> std::io::Result<Artifact> {
        let tar: Bytes = tar(&format!("{name}.wasm"), module)?.into();
        let layer = Descriptor::of(TAR, &tar);
        let mut artifact =
            Artifact { blobs: vec![(layer.digest.clone(), tar)], manifests: Vec::new() };
        let mut index =
            Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: Vec::new() };
        for architecture in ARCHITECTURES {
            let config = json(&json!({
                "created": CREATED,
                "architecture": architecture,
                "os": "linux",
                "config": {},
                "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
            }));
            let manifest = json(&Manifest {
                schema_version: 2,
                media_type: Some(MANIFEST.to_owned()),
                artifact_type: None,
                config: Descriptor::of(IMAGE_CONFIG, &config),
                layers: vec![layer.clone()],
            });
            let (architecture, os) = (architecture.to_owned(), "linux".to_owned());
            let platform = Some(Platform { architecture, os });
            index.manifests.push(Descriptor { platform, ..Descriptor::of(MANIFEST, &manifest) });
            artifact.blobs.push((Digest::of(&config), config));
            artifact.manifests.push((MANIFEST.to_owned(), manifest));
        }
        artifact.manifests.push((INDEX.to_owned(), json(&index)));
        Ok(artifact)
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // Maps of text and numbers: nothing of them can fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// An archive of one file that everybody may read.
fn tar(name: &str, content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::manifest::ModuleParts;

    #[test]
    fn a_pushed_module_is_one_that_a_stage_can_name_with_its_imports_in_the_configuration() {
        let component = Component {
            exports: vec!["weir:pipeline/stage@0.1.0".into()],
            imports: vec!["weir:pipeline/event@0.1.0".into()],
            target: Some("weir:pipeline/filter@0.1.0".into()),
        };
        let make = || Artifact::module("noise", b"module".to_vec(), component.clone());
        let artifact = make();
        assert_eq!(artifact.digest(), make().digest());
        let (_, manifest) = artifact.manifests.last().unwrap();
        let parts = ModuleParts::of(manifest).unwrap();
        let blob = |digest: &Digest| {
            artifact.blobs.iter().find(|(own, _)| own == digest).unwrap().1.clone()
        };
        assert_eq!(blob(&parts.layer.digest), b"module"[..]);
        let config = blob(&parts.config.digest);
        assert_eq!(WasmConfig::component_in(&config), Some(component));
        insta::assert_snapshot!(String::from_utf8_lossy(&config), @r#"{"created":"1970-01-01T00:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":["sha256:120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9"],"component":{"exports":["weir:pipeline/stage@0.1.0"],"imports":["weir:pipeline/event@0.1.0"],"target":"weir:pipeline/filter@0.1.0"}}"#);
        insta::assert_snapshot!(String::from_utf8_lossy(manifest), @r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.wasm.config.v0+json","config":{"mediaType":"application/vnd.wasm.config.v0+json","digest":"sha256:db8b863174e7727965ae4bafcfe8be28fe68601f1faa0bfb84c8bcba85d4a16a","size":293},"layers":[{"mediaType":"application/wasm","digest":"sha256:120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9","size":6,"annotations":{"org.opencontainers.image.title":"noise.wasm"}}]}"#);
    }

    #[test]
    fn an_image_has_the_file_for_every_platform_of_weirs() {
        let artifact = Artifact::image("noise", b"module").unwrap();
        assert_eq!(artifact.digest(), Artifact::image("noise", b"module").unwrap().digest());
        let (media_type, index) = artifact.manifests.last().unwrap();
        assert_eq!(media_type, INDEX);
        let index: Index = serde_json::from_slice(index).unwrap();
        let platforms: Vec<_> =
            index.manifests.iter().map(|of| of.platform.clone().unwrap().architecture).collect();
        assert_eq!(platforms, ARCHITECTURES);
        for (of, (_, manifest)) in index.manifests.iter().zip(&artifact.manifests) {
            assert_eq!(of.digest, Digest::of(manifest));
            let manifest: Manifest = serde_json::from_slice(manifest).unwrap();
            for digest in [&manifest.config.digest, &manifest.layers[0].digest] {
                assert!(artifact.blobs.iter().any(|(own, _)| own == digest));
            }
        }
        let (_, layer) = &artifact.blobs[0];
        let mut archive = tar::Archive::new(&layer[..]);
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["noise.wasm"]);
    }
}
