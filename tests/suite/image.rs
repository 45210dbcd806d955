//! The image that `deploy/image/build.sh` made before: what is in it, and that its two ways of
//! being made agree. That weir runs from it is for `tests/env/cluster.sh` to show.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Folder, repository};

/// The folder that `build.sh` filled; `None` where no image can be made, which `test.sh` says.
fn built() -> Option<PathBuf> {
    std::env::var_os("WEIR_TEST_IMAGE").map(PathBuf::from)
}

/// A blob by its descriptor, held against its digest and its size.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(format!("{:x}", Sha256::digest(&bytes)), digest);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

fn json_blob(layout: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(layout, descriptor)).unwrap()
}

fn index(layout: &Path) -> Value {
    serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap()
}

#[test]
fn its_layout_is_whole_and_made_again_the_same() {
    let Some(built) = built() else { return };
    let layout = built.join("weir-image");
    let first = index(&layout);
    let entry = &first["manifests"][0];
    let manifest = json_blob(&layout, entry);
    let config = json_blob(&layout, &manifest["config"]);
    let layer = blob(&layout, &manifest["layers"][0]);
    let mut archive = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*layer), &mut archive).unwrap();
    let diff = format!("sha256:{:x}", Sha256::digest(&archive));
    assert_eq!(config["rootfs"]["diff_ids"], json!([diff]));

    let again = Folder::new();
    let labels = &config["config"]["Labels"];
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].as_str().unwrap();
    let created = config["created"].as_str().unwrap();
    let script = "SOURCE_DATE_EPOCH=$(date -d \"$0\" +%s) exec deploy/image/layout.sh \"$@\"";
    let name = entry["annotations"]["io.containerd.image.name"].as_str().unwrap();
    let made = Command::new("bash")
        .args(["-c", script, created])
        .arg(again.path().join("again"))
        .arg(name)
        .arg(built.join("root"))
        .envs([("VERSION", label("version")), ("REVISION", label("revision"))])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(index(&again.path().join("again")), first);
}

#[test]
fn the_containerfile_says_the_same_of_it() {
    let Some(built) = built() else { return };
    let layout = built.join("weir-image");
    let manifest = json_blob(&layout, &index(&layout)["manifests"][0]);
    let config = &json_blob(&layout, &manifest["config"])["config"];
    let file = fs::read_to_string(repository().join("deploy/image/Containerfile")).unwrap();
    // Of the last stage; lines that end with a backslash go on.
    let stage = file.rsplit("\nFROM ").next().unwrap().replace("\\\n", " ");
    let said: BTreeMap<&str, &str> =
        stage.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(config["User"], said["USER"]);
    assert_eq!(config["Entrypoint"], serde_json::from_str::<Value>(said["ENTRYPOINT"]).unwrap());
    assert_eq!(config["Cmd"], serde_json::from_str::<Value>(said["CMD"]).unwrap());
    assert_eq!(config["Env"], json!([said["ENV"]]));
    assert_eq!(config["WorkingDir"], said["WORKDIR"]);
    assert_eq!(config["ExposedPorts"], json!({format!("{}/tcp", said["EXPOSE"]): {}}));
    let labels = config["Labels"].as_object().unwrap();
    assert_eq!(said["LABEL"].matches("org.opencontainers.").count(), labels.len());
    for name in ["title", "description", "licenses"] {
        let name = format!("org.opencontainers.image.{name}");
        let label = format!("{name}={}", labels[&name]);
        assert!(said["LABEL"].contains(&label), "{label}");
    }
}

/// Every file of a folder: its mode, and its path below the folder.
fn files(folder: &Path, found: &mut Vec<String>, root: &Path) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let about = path.symlink_metadata().unwrap();
        let mode = about.permissions().mode() & 0o7777;
        let name = path.strip_prefix(root).unwrap().display().to_string();
        match about {
            about if about.is_dir() => files(&path, found, root),
            about if about.is_symlink() => {
                let target = fs::read_link(&path).unwrap();
                found.push(format!("{name} -> {}", target.display()));
            }
            _ => found.push(format!("{name} {mode:o}")),
        }
    }
}

#[test]
fn there_is_nothing_in_it_that_weir_does_not_need() {
    let Some(built) = built() else { return };
    let root = built.join("root");
    let mut found = Vec::new();
    files(&root, &mut found, &root);
    // The folder of the libraries is named after the processor.
    let listed = found.join("\n").replace(&format!("{}-linux-gnu", std::env::consts::ARCH), "ARCH");
    insta::assert_snapshot!(listed, @r"
    etc/group 644
    etc/nsswitch.conf 644
    etc/passwd 644
    etc/ssl/certs/ca-certificates.crt 644
    lib/ARCH/ld-linux-x86-64.so.2 755
    lib/ARCH/libc.so.6 755
    lib/ARCH/libgcc_s.so.1 644
    lib/ARCH/libm.so.6 644
    lib/ARCH/libnss_dns.so.2 644
    lib/ARCH/libresolv.so.2 644
    lib64/ld-linux-x86-64.so.2 -> ../lib/ARCH/ld-linux-x86-64.so.2
    usr/bin/weir 755
    usr/share/weir/filters/drop-normal.wasm 644
    usr/share/weir/filters/explain.wasm 644
    usr/share/weir/filters/redact.wasm 644
    usr/share/weir/filters/route.wasm 644
    usr/share/weir/filters/tag-gpu-failures.wasm 644
    usr/share/weir/filters/throttle.wasm 644
    ");
    let mode = |folder: &str| root.join(folder).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("var/lib/weir"), mode("tmp"), mode("etc")), (0o775, 0o1777, 0o755));
    let authorities = fs::read_to_string(root.join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(authorities.matches("BEGIN CERTIFICATE").count() > 100);
}
