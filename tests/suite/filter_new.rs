//! `weir filter new` and `update`: what they make, and that each template builds and passes its
//! tests before the first edit. That needs a toolchain for WebAssembly, as `make filters` does, and
//! the crates that it has fetched.

use std::process::{Command, Stdio};

use crate::support::{Ended, Folder, finish};

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
        let built = weir(&["filter", "build", name]);
        assert!(built.stdout.contains(does), "{built:?}");

        let code = folder.read(&format!("{name}/src/lib.rs"));
        let code = code.split("#[cfg(test)]").next().unwrap();
        assert!(code.lines().filter(|line| !line.is_empty()).count() <= 13, "{code}");
    }
}

/// In one target folder for all, and with the crates that are there.
fn offline(command: &mut Command) -> &mut Command {
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("templates");
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
