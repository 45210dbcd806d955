//! What was built for an earlier weir runs in this one, and `wit/` only grows.
//!
//! `tests/fixtures/modules/` has, for each minor version, modules as they were built then, a folder
//! of cases for each, and the contract as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wit_component::semver_check;
use wit_parser::{PackageId, Resolve, WorldId};

use crate::support::{Folder, repository};

/// All modules together: they are in everybody's clone.
const MODULES_BYTES_MAX: u64 = 300 << 10;

fn versions() -> Vec<PathBuf> {
    let folder = repository().join("tests/fixtures/modules");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut versions: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    versions.sort();
    versions
}

fn modules_of(version: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(version).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "wasm")).collect()
}

#[test]
fn modules_of_earlier_versions_do_what_they_did() {
    let (mut modules, mut bytes) = (0, 0);
    for module in versions().iter().flat_map(|version| modules_of(version)) {
        let (cases, path) = (module.with_extension(""), module.display().to_string());
        let cases = cases.display().to_string();
        let ended = Folder::new().weir(&["filter", "test", "--module", &path, "--cases", &cases]);
        assert_eq!(ended.code, Some(0), "{path}: {ended:?}");
        modules += 1;
        bytes += module.metadata().unwrap().len();
    }
    assert!(modules >= 3, "{modules}");
    assert!(bytes <= MODULES_BYTES_MAX, "{bytes}");
}

#[test]
fn the_contract_has_only_grown() {
    for version in versions() {
        grown(&version.join("wit"), &repository().join("wit")).unwrap_or_else(|why| {
            panic!("{}: wit/ is no addition to it: {why}", version.display())
        });
    }
}

/// Whether each world of `before` can be had of `now`: what is imported there is offered here, with
/// the same types, and the same is exported.
fn grown(before: &Path, now: &Path) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let (before, _) = resolve.push_path(before).map_err(|error| unreadable(&error))?;
    let now = push_as_latest(&mut resolve, now)?;
    let worlds = worlds(&resolve, now);
    for (name, before) in self::worlds(&resolve, before) {
        let now = *worlds.get(&name).ok_or_else(|| format!("the world {name} is gone"))?;
        // A world that exports less passes the check below.
        let [was, is] = [before, now].map(|world| exports(&resolve, world));
        if was != is {
            return Err(format!("the world {name} exports {is:?}, and exported {was:?}"));
        }
        semver_check(resolve.clone(), before, now).map_err(|error| format!("{name}: {error:#}"))?;
    }
    Ok(())
}

/// Two packages of one name must differ in their versions, which the check leaves out of account.
fn push_as_latest(resolve: &mut Resolve, wit: &Path) -> Result<PackageId, String> {
    let copy = Folder::new();
    for entry in std::fs::read_dir(wit).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if !name.ends_with(".wit") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.starts_with("package weir:pipeline@"), "{name}: {first}");
        copy.write(name, format!("package weir:pipeline@999.0.0;\n{rest}"));
    }
    let pushed = resolve.push_path(copy.path()).map_err(|error| unreadable(&error))?;
    Ok(pushed.0)
}

const UNREADABLE: &str = "it cannot be read: ";

fn unreadable(error: &impl std::fmt::Display) -> String {
    format!("{UNREADABLE}{error:#}")
}

fn worlds(resolve: &Resolve, package: PackageId) -> BTreeMap<String, WorldId> {
    let worlds = &resolve.packages[package].worlds;
    worlds.iter().map(|(name, world)| (name.clone(), *world)).collect()
}

/// The names of what a world exports, without versions.
fn exports(resolve: &Resolve, world: WorldId) -> Vec<String> {
    let names = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key));
    let mut names: Vec<String> =
        names.map(|name| name.split('@').next().unwrap_or_default().to_owned()).collect();
    names.sort();
    names
}

/// `wit/` with one text of a file replaced.
fn changed(file: &str, from: &str, to: &str) -> Result<(), String> {
    let wit = repository().join("wit");
    let copy = Folder::new();
    for entry in std::fs::read_dir(&wit).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut text = std::fs::read_to_string(&path).unwrap();
        if name == file {
            assert!(text.contains(from), "{file} has no {from:?}");
            text = text.replace(from, to);
        }
        copy.write(&name, text);
    }
    grown(&wit, copy.path())
}

#[test]
fn what_is_added_passes_and_whatever_else_is_changed_does_not() {
    changed(
        "log.wit",
        "interface log {",
        "interface log {\n    @since(version = 0.1.0)\n    trace: func(line: string);",
    )
    .expect("a function more takes nothing from anybody");
    for (file, from, to) in [
        ("log.wit", "    @since(version = 0.1.0)\n    warn: func(line: string);", ""),
        ("log.wit", "warn: func(line: string)", "warn: func(line: string, more: string)"),
        ("event.wit", "count: func() -> u32", "count: func() -> u64"),
        ("event.wit", "warning,", "warning, fatal,"),
        ("worlds.wit", "    import metrics;\n", ""),
        ("worlds.wit", "    export stage;\n", ""),
        ("worlds.wit", "world enrich {", "world richer {"),
        ("stage.wit", "process: func() -> result;", "process: func();"),
        (
            "stage.wit",
            "    process: func() -> result;",
            "    process: func() -> result;\n    @since(version = 0.1.0)\n    batch: func();",
        ),
    ] {
        let refused = changed(file, from, to).expect_err(to);
        assert!(!refused.starts_with(UNREADABLE), "{file}: {refused}");
    }
}
