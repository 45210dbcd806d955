//! `weir filter new`, `update`, `inspect` and `doctor`: what they make and say, and that each
//! template builds and passes its tests before the first edit. That needs a toolchain for
//! WebAssembly, as `make filters` does, and the crates that it has fetched. `bench`, `compile`,
//! `diff`, `trial` and `watch` are about the commands of these names, `try` and `build`, and
//! `languages` about filters that are not in Rust.

mod bench;
mod compile;
mod diff;
mod languages;
mod trial;
mod watch;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sha2::Digest;

use crate::support::{Ended, Folder, finish, repository};

#[test]
fn every_template_builds_and_passes_its_tests_before_the_first_edit() {
    for (name, kind, does) in [
        ("noise", "--filter", "can drop events; cannot change anything"),
        ("team", "--enrich", "cannot drop events; can change events"),
    ] {
        let folder = Folder::new();
        let made = folder.weir(&["filter", "new", name, kind]);
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");

        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--quiet"]).current_dir(folder.path().join(name));
        cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let tested = finish(offline(&mut cargo).spawn().unwrap());
        let said = String::from_utf8_lossy(&tested.stdout).into_owned();
        assert!(tested.status.success(), "{said}{}", String::from_utf8_lossy(&tested.stderr));
        assert!(said.contains("1 passed"), "{said}");

        let weir = |arguments: &[&str]| folder.end_of(offline(&mut folder.command(arguments)));
        let tested = weir(&["filter", "test", name]);
        assert_eq!(tested.code, Some(0), "{tested:?}");
        assert_eq!(tested.stdout, "ok       first (2 events)\n1 passed, 0 failed\n");
        ran(&folder, name, kind);
        let built = weir(&["filter", "build", name]);
        assert!(built.stdout.contains(does), "{built:?}");

        let code = folder.read(&format!("{name}/src/lib.rs"));
        let code = code.split("#[cfg(test)]").next().unwrap();
        assert!(code.lines().filter(|line| !line.is_empty()).count() <= 13, "{code}");
    }
}

/// Runs the pipeline of a filter that `new` has made.
fn ran(folder: &Folder, name: &str, kind: &str) {
    let mut weir = folder.command(&["run", "--config", "pipeline.toml"]);
    let ran = folder.end_of(weir.current_dir(folder.path().join(name)));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (delivered, filtered) = if kind == "--filter" { (1, 1) } else { (2, 0) };
    assert_eq!(ran.stdout.lines().count(), delivered, "{ran:?}");
    let ledger = format!("delivered={delivered} filtered={filtered} dead_lettered=0");
    assert!(ran.last().contains(&ledger), "{ran:?}");
}

/// In one target folder for all, and with the crates that are there.
fn offline(command: &mut Command) -> &mut Command {
    offline_in("templates", command)
}

/// In a target folder for crates of one name that are built one after the other: cargo would take
/// the module of another one.
fn offline_in<'c>(folder: &str, command: &'c mut Command) -> &'c mut Command {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true")
}

#[test]
fn what_is_there_is_left_alone_and_a_name_is_one() {
    let folder = Folder::with(&[("noise/src/lib.rs", "mine")]);
    let new = |name: &str| folder.weir(&["filter", "new", name]);
    let Ended { code, stderr, .. } = new("noise");
    insta::assert_snapshot!(stderr, @"error: noise is there already: choose another name, or another folder to begin it in");
    assert_eq!((code, folder.read("noise/src/lib.rs").as_str()), (Some(2), "mine"));
    for name in ["fn", "../up", "Noise", "1st", "", "weir-filter", &"x".repeat(65)] {
        let ended = new(name);
        assert_eq!(ended.code, Some(2), "{name}");
        assert!(ended.stderr.contains("cannot be a filter's name"), "{ended:?}");
    }
    assert_eq!(folder.names(), ["noise"]);
}

#[test]
fn update_renews_the_sdk_and_nothing_else() {
    let folder = Folder::new();
    assert_eq!(folder.weir(&["filter", "update"]).code, Some(2));
    folder.weir(&["filter", "new", "noise"]);
    let sdk = folder.read("noise/.weir/sdk/src/lib.rs");
    assert!(sdk.contains("pub use stage::{Stage, Verdict};"));
    folder.write("noise/.weir/sdk/src/lib.rs", "an older one");
    folder.write("noise/.weir/sdk/src/gone.rs", "what it has no more");
    folder.write("noise/src/lib.rs", "mine");
    let ended = folder.weir(&["filter", "update", "noise"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(folder.read("noise/.weir/sdk/src/lib.rs"), sdk);
    assert_eq!(folder.read("noise/.weir/sdk/src/gone.rs"), "");
    assert_eq!(folder.read("noise/src/lib.rs"), "mine");
}

#[test]
fn a_workspace_around_it_is_told() {
    let folder = Folder::with(&[("Cargo.toml", "[workspace]\nmembers = [\"*\"]\n")]);
    let ended = folder.weir(&["filter", "new", "noise"]);
    assert!(ended.stdout.contains("DIR/Cargo.toml is a cargo workspace"), "{ended:?}");
    let alone = Folder::new().weir(&["filter", "new", "noise"]);
    assert!(!alone.stdout.contains("workspace"), "{alone:?}");
}

fn inspect(arguments: &[&str]) -> Ended {
    let module = repository().join("filters/dist/drop-normal.wasm");
    assert!(module.exists(), "{} is missing: run `make filters`", module.display());
    let folder = Folder::new();
    folder.write("drop-normal.wasm", std::fs::read(module).unwrap());
    folder.write("core.wasm", b"\0asm\x01\0\0\0");
    folder.weir(&[&["filter", "inspect"], arguments].concat())
}

#[test]
fn inspect_says_what_a_module_is_and_may_do() {
    let ended = inspect(&["drop-normal.wasm"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for line in [
        "world        weir:pipeline/filter@0.1.0\n",
        "permissions  can drop events; cannot change anything\n",
        "called for   Normal events\n",
        "reasons      normal\n",
        "counters     none\n",
        "\n\n[[stage]]\nname = \"drop-normal\"\nmodule = \"drop-normal.wasm\"\n",
    ] {
        assert!(ended.stdout.contains(line), "{line}{}", ended.stdout);
    }
    let json = inspect(&["drop-normal.wasm", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let bytes = std::fs::read(repository().join("filters/dist/drop-normal.wasm")).unwrap();
    assert_eq!(json["sha256"], format!("{:x}", sha2::Sha256::digest(&bytes)));
    assert_eq!(json["bytes"], bytes.len());
    assert!(json["toolchain"]["wit-component"].is_string(), "{json}");
    assert_eq!(json["configured"]["declares"]["reasons"][0], "normal");
}

#[test]
fn what_is_no_filter_is_not_inspected() {
    let ended = inspect(&["core.wasm"]);
    insta::assert_snapshot!(ended.stderr, @"error: core.wasm: it is not a WebAssembly component");
    assert_eq!(ended.code, Some(2));
    assert_eq!(inspect(&["none.wasm"]).code, Some(2));
}

#[test]
fn the_doctor_says_what_to_do_where_a_filter_cannot_be_built() {
    let folder = Folder::new();
    folder.weir(&["filter", "new", "noise"]);
    let well = folder.weir(&["filter", "doctor", "noise"]);
    assert_eq!(well.code, Some(0), "{well:?}");
    assert!(well.stdout.contains("ok sdk: .weir/sdk is the one that this weir carries\n"));
    folder.write("noise/.weir/sdk/src/lib.rs", "an older one");
    let older = folder.weir(&["filter", "doctor", "noise"]);
    assert!(older.stdout.contains("warn sdk: ") && older.stdout.contains("`weir filter update`"));

    // A rustc without the target, which no rustup can get, and no linker on PATH.
    let bin = programs(
        &folder,
        &[
            ("cargo", "echo cargo 1.95.0"),
            (
                "rustc",
                "case $2 in target-libdir|sysroot) echo /not/here;; *) echo rustc 1.80.0;; esac",
            ),
        ],
    );
    let arguments = ["filter", "doctor", "noise", "--json"];
    let ended = folder.end_of(folder.command(&arguments).env("PATH", &bin));
    let found: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| found.iter().find(|finding| finding["name"] == name).unwrap();
    let can_debian = of("debian")["level"] == "ok";
    assert_eq!(ended.code, Some(if can_debian { 0 } else { 1 }), "{ended:?}");
    let level = if can_debian { "warn" } else { "fail" };
    for (name, cure) in [
        ("rustc", "`rustup update`"),
        ("target", "`rustup target add wasm32-unknown-unknown`"),
        ("linker", "`rustup toolchain install stable`"),
    ] {
        assert_eq!(of(name)["level"], level, "{ended:?}");
        assert!(of(name)["text"].as_str().unwrap().contains(cure), "{ended:?}");
    }
    assert_eq!(of("cargo")["level"], "ok");
}

/// A folder for PATH with these scripts.
fn programs(folder: &Folder, scripts: &[(&str, &str)]) -> PathBuf {
    let bin = folder.path().join("bin");
    let _ = std::fs::remove_dir_all(&bin);
    for (name, script) in scripts {
        folder.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::create_dir_all(&bin).unwrap();
    bin
}

/// A build with these programs alone, and what the doctor finds wrong with them.
fn build_with(folder: &Folder, scripts: &[(&str, &str)]) -> (Ended, String) {
    let bin = programs(folder, scripts);
    let run = |arguments: &[&str]| folder.end_of(folder.command(arguments).env("PATH", &bin));
    let found = run(&["filter", "doctor", "noise"]).stdout;
    let failed = found.lines().filter(|line| line.starts_with("fail "));
    let failed: String = failed.map(|line| format!("{line}\n")).collect();
    (run(&["filter", "build", "noise"]), failed)
}

#[test]
fn a_build_that_fails_says_what_the_toolchain_said_and_then_what_the_doctor_does() {
    let folder = Folder::new();
    folder.weir(&["filter", "new", "noise"]);
    let metadata = format!(
        r#"{{"packages":[{{"name":"noise","manifest_path":"{0}/Cargo.toml"}}],"workspace_root":"{0}"}}"#,
        folder.path().canonicalize().unwrap().join("noise").display()
    );
    let cargo = format!(
        "case $1 in metadata) echo '{metadata}';; build) echo 'error: linker not found' >&2; \
         echo '  = note: no such file' >&2; exit 101;; *) echo cargo 1.95.0;; esac"
    );
    let rustc = "case $2 in target-libdir) echo /tmp;; sysroot) echo /not/here;; \
                 *) echo rustc 1.95.0;; esac";
    let (built, doctor) = build_with(&folder, &[("cargo", &cargo), ("rustc", rustc)]);
    assert_eq!(built.code, Some(1), "{built:?}");
    assert_eq!(
        built.stderr,
        format!(
            "error: linker not found\n  = note: no such file\n{doctor}error: cargo could not build \
             DIR/noise: its own messages are above\n"
        )
    );

    let without = rustc.replace("echo /tmp", "echo /not/here");
    let rustup = "echo 'info: downloading'; echo 'error: no network' >&2; \
                  echo 'help: try a proxy' >&2; exit 1";
    let scripts = [("cargo", &*cargo), ("rustc", &without), ("rustup", rustup)];
    let (built, doctor) = build_with(&folder, &scripts);
    let said = "info: downloading\nerror: no network\nhelp: try a proxy\n";
    assert!(built.stderr.starts_with(said), "{built:?}");
    assert!(built.stderr.contains(&doctor), "{built:?}");

    let (built, doctor) = build_with(&folder, &[]);
    assert_eq!(built.code, Some(1), "{built:?}");
    assert!(built.stderr.contains(&doctor), "{built:?}");
    if !doctor.is_empty() {
        // Debian's toolchain is not here to do it all the same.
        assert!(doctor.starts_with("fail cargo: `cargo`: No such file"), "{doctor}");
        assert!(doctor.contains("rustup.rs"), "{doctor}");
    }
}
