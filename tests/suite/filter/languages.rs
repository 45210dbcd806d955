//! `weir filter new --lang`: what it makes builds and passes its cases before the first edit, with
//! the tools that it fetches from npm and PyPI; and what is said where a script fails.

use std::path::{Path, PathBuf};

use crate::support::{Ended, Folder};

/// What the languages' tools are kept in from run to run.
fn tools(language: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools").join(language)
}

fn each_template(language: &str) {
    for (name, kind, does) in [
        ("noise", "--filter", "can drop events; cannot change anything"),
        ("team", "--enrich", "cannot drop events; can change events"),
    ] {
        let folder = Folder::new();
        let weir = |arguments: &[&str]| {
            folder.end_of(folder.command(arguments).env("TOOLS", tools(language)))
        };
        let made = weir(&["filter", "new", name, kind, "--lang", language]);
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
        assert!(!made.stdout.contains("cargo"), "{made:?}");
        let tested = weir(&["filter", "test", name]);
        assert_eq!(tested.code, Some(0), "{tested:?}");
        assert_eq!(tested.stdout, "ok       first (2 events)\n1 passed, 0 failed\n");
        super::ran(&folder, name, kind);
        let module = format!("{name}/dist/{name}.wasm");
        let inspected = weir(&["filter", "inspect", &module]);
        assert!(inspected.stdout.contains(does), "{inspected:?}");
        assert_eq!(folder.names_in(&format!("{name}/dist")), [format!("{name}.wasm")]);
    }
}

#[test]
fn each_template_in_javascript_builds_and_passes_its_cases_before_the_first_edit() {
    each_template("javascript");
}

#[test]
fn each_template_in_python_builds_and_passes_its_cases_before_the_first_edit() {
    each_template("python");
}

/// A filter that a script makes.
fn made_by(script: &str) -> (Folder, Ended) {
    let folder = Folder::with(&[("noise/build.sh", script)]);
    let ended = folder.weir(&["filter", "build", "noise"]);
    (folder, ended)
}

#[test]
fn a_script_that_fails_is_told_behind_what_it_said() {
    let (_, ended) = made_by("echo no such compiler >&2; exit 3");
    insta::assert_snapshot!(ended.stderr, @"
    no such compiler
    error: noise/build.sh failed (exit status: 3): its own messages are above
    ");
    assert_eq!(ended.code, Some(1));
    let (_, ended) = made_by("true");
    insta::assert_snapshot!(ended.stderr, @"error: noise/build.sh has written nothing to the file that it was given: `build.sh FILE` is to write a component to FILE");
    let (folder, ended) = made_by("echo text > $1");
    insta::assert_snapshot!(ended.stderr, @"error: noise/build.sh: what it makes is no filter: it is not a WebAssembly component");
    assert_eq!(folder.names_in("noise/dist"), <[String; 0]>::default());
}

#[test]
fn what_weir_carries_for_other_languages_is_renewed_and_looked_at() {
    let folder = Folder::new();
    assert_eq!(folder.weir(&["filter", "new", "noise", "--lang", "python"]).code, Some(0));
    let well = folder.weir(&["filter", "doctor", "noise"]);
    insta::assert_snapshot!(well.stdout, @"
    ok script: the filter is made by its build.sh, which says what it needs
    ok wit: .weir/wit is the one that this weir carries
    ");
    folder.write("noise/.weir/wit/event.wit", "an older one");
    let older = folder.weir(&["filter", "doctor", "noise"]);
    assert!(older.stdout.contains("warn wit: the contract in .weir/wit is not"), "{older:?}");
    assert_eq!(folder.weir(&["filter", "update", "noise"]).code, Some(0));
    assert!(folder.read("noise/.weir/wit/event.wit").contains("interface event {"));
}
