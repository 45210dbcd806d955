//! What a rendered pod sees of its volumes, put into a folder, so that `weir check` can be given
//! the configuration as it is rendered: only the folder is put before the paths in it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{of_kind, workload};
use crate::support::repository;

/// The paths of the container that a configuration may name.
const ROOTS: [&str; 4] = ["/etc/weir", "/run/", "/usr/share/weir", "/var/lib/weir"];

/// A pod's files.
pub(super) struct Files {
    root: tempfile::TempDir,
}

impl Files {
    /// The files of weir's container; `None` where the configuration is none of the chart's.
    pub(super) fn of(objects: &[Value]) -> Option<Files> {
        let files = Files { root: tempfile::tempdir().unwrap() };
        files.copy_modules("/usr/share/weir/filters");
        let spec = &workload(objects)["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        assert_eq!(container["name"], "weir");
        for mount in container["volumeMounts"].as_array().unwrap() {
            let path = mount["mountPath"].as_str().unwrap();
            assert!(
                mount["subPath"].is_null(),
                "what is mounted by subPath never changes: {mount}"
            );
            std::fs::create_dir_all(files.at(path)).unwrap();
            let volume = volume(objects, spec, mount["name"].as_str().unwrap());
            if path.starts_with("/run/weir/modules/") {
                files.copy_modules(path);
            } else {
                files.fill(objects, path, volume);
            }
        }
        files.at("/etc/weir/pipeline.toml").exists().then_some(files)
    }

    /// Where a path of the container is here.
    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// `pipeline.toml`, with paths of this folder.
    pub(super) fn config(&self) -> PathBuf {
        let path = self.at("/etc/weir/pipeline.toml");
        let mut text = super::read(&path);
        for root in ROOTS {
            let here = self.at(root);
            text = text.replace(&format!("\"{root}"), &format!("\"{}", here.display()));
        }
        std::fs::write(&path, text).unwrap();
        path
    }

    fn copy_modules(&self, to: &str) {
        let to = self.at(to);
        std::fs::create_dir_all(&to).unwrap();
        for module in ["drop-normal.wasm", "tag-gpu-failures.wasm"] {
            let built = repository().join("filters/dist").join(module);
            assert!(built.exists(), "{} is missing: run `make filters`", built.display());
            std::fs::copy(built, to.join(module)).unwrap();
        }
    }

    fn fill(&self, objects: &[Value], path: &str, volume: &Value) {
        let folder = self.at(path);
        if let Some(name) = volume["configMap"]["name"].as_str() {
            let data = find(objects, "ConfigMap", name).map(|map| &map["data"]);
            let data = data.and_then(Value::as_object).into_iter().flatten();
            for (key, text) in data {
                std::fs::write(folder.join(key), text.as_str().unwrap()).unwrap();
            }
        }
        let projected = volume["projected"]["sources"].as_array().into_iter().flatten();
        let secrets = projected.map(|source| &source["secret"]).chain(volume.get("secret"));
        for secret in secrets {
            let name = secret["secretName"].as_str().or(secret["name"].as_str()).unwrap();
            secret_files(objects, &folder, name, &secret["items"]);
        }
    }
}

/// Writes the items of a Secret: of the chart's what it holds, of the user's what it could hold.
fn secret_files(objects: &[Value], folder: &Path, name: &str, items: &Value) {
    let own = find(objects, "Secret", name);
    for item in items.as_array().expect("a Secret's keys are named") {
        let (key, path) = (item["key"].as_str().unwrap(), item["path"].as_str().unwrap());
        let content = match own {
            Some(secret) => {
                let data = secret["data"][key].as_str();
                let data = data.unwrap_or_else(|| panic!("Secret {name} has no key {key}"));
                STANDARD.decode(data).unwrap()
            }
            None if path == "ca.crt" => authority().into_bytes(),
            // Logins for registries.
            None if path == "config.json" => b"{\"auths\":{}}".to_vec(),
            None => b"of-the-users-secret".to_vec(),
        };
        std::fs::write(folder.join(path), content).unwrap();
    }
}

fn authority() -> String {
    rcgen::generate_simple_self_signed(["opensearch.example".to_owned()]).unwrap().cert.pem()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name)
}

/// A pod's volume; a StatefulSet's may be a template of claims.
fn volume<'a>(objects: &'a [Value], spec: &'a Value, name: &str) -> &'a Value {
    let claims = workload(objects)["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
    let of_claims = claims.map(|claim| (&claim["metadata"]["name"], claim));
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let all: Vec<_> = volumes.map(|volume| (&volume["name"], volume)).chain(of_claims).collect();
    let found: Vec<_> = all.iter().filter(|(of, _)| *of == name).collect();
    assert_eq!(found.len(), 1, "there is one volume {name}");
    found[0].1
}
