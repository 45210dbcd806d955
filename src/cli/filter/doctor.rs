//! `weir filter doctor`: whether filters can be built here, and what to do where they cannot.
//!
//! Constraint: it only looks, and installs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::FilterError;
use super::build::is_made_by_script;
use super::new::Carried;
use super::toolchain::{self, TARGET};
use crate::cli::doctor::{Finding, Level};

/// The oldest Rust that the SDK builds with: its `rust-version`.
const RUST_MIN: (u32, u32) = (1, 95);

/// What `weir filter doctor` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The folder of the filter's crate, which may name a toolchain of its own
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Looks, and answers what to say; an error where a filter cannot be built.
pub(super) fn doctor(args: &DoctorArgs) -> (String, Result<(), FilterError>) {
    let findings = findings(&args.dir);
    let said = findings.iter().map(|finding| match args.json {
        true => finding.json(),
        false => finding.shown(),
    });
    let result = match findings.iter().any(|finding| finding.level == Level::Fail) {
        true => Err(FilterError::NotHere),
        false => Ok(()),
    };
    (said.collect(), result)
}

/// What keeps a filter in DIR from being built, a line each; empty: nothing of what is looked at.
pub(super) fn troubles(dir: &Path) -> String {
    let findings = findings(dir);
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail);
    failed.map(Finding::shown).collect()
}

fn findings(dir: &Path) -> Vec<Finding> {
    if !dir.is_dir() {
        return vec![Finding::fail("folder", format!("{} is no folder", dir.display()))];
    }
    if is_made_by_script(dir) {
        let text = "the filter is made by its build.sh, which says what it needs";
        return [Finding::ok("script", text)].into_iter().chain(carried_in(dir)).collect();
    }
    let mut all = ordinary(dir);
    if all.iter().any(|finding| finding.level == Level::Fail) {
        let debian = debian(dir);
        if debian.level == Level::Ok {
            // That is enough: `build` takes it where the ordinary one cannot do it.
            for finding in &mut all {
                finding.level = finding.level.min(Level::Warn);
            }
        }
        all.push(debian);
    }
    all.extend(carried_in(dir));
    all
}

/// What is on PATH.
fn ordinary(dir: &Path) -> Vec<Finding> {
    const INSTALL: &str = "install Rust as https://rustup.rs says, or, on Debian, `apt-get install \
                           rustc-web cargo-web rust-web-src`";
    let run = |program: &str, arguments: &[&str]| {
        toolchain::printed(Command::new(program).args(arguments).current_dir(dir))
    };
    let cargo = match run("cargo", &["--version"]) {
        Ok(version) => Finding::ok("cargo", version),
        Err(why) => Finding::fail("cargo", format!("{why}: {INSTALL}")),
    };
    let version = match run("rustc", &["--version"]) {
        Ok(version) => version,
        Err(why) => return vec![cargo, Finding::fail("rustc", format!("{why}: {INSTALL}"))],
    };
    let (major, minor) = RUST_MIN;
    let rustc = match version_of(&version) {
        Some(found) if found < RUST_MIN => Finding::fail(
            "rustc",
            format!(
                "{version} is older than {major}.{minor}, which the SDK needs: `rustup update`"
            ),
        ),
        _ => Finding::ok("rustc", version),
    };
    let folder = run("rustc", &["--print", "target-libdir", "--target", TARGET]);
    vec![cargo, rustc, target(folder), linker(dir)]
}

/// The standard library of the target.
fn target(folder: Result<String, String>) -> Finding {
    match folder {
        Ok(folder) if Path::new(&folder).is_dir() => {
            Finding::ok("target", format!("{TARGET} is installed"))
        }
        Ok(folder) => Finding::fail(
            "target",
            format!(
                "{folder} is not there: `rustup target add {TARGET}`, which `weir filter \
                     build` tries by itself"
            ),
        ),
        Err(why) => Finding::fail("target", format!("{why}: `rustup target add {TARGET}`")),
    }
}

/// What links WebAssembly; every toolchain of rustup has one, and distributions' have none.
fn linker(dir: &Path) -> Finding {
    match toolchain::linker(dir) {
        Ok(folder) => Finding::ok("linker", folder.join("rust-lld").display().to_string()),
        Err(why) => {
            Finding::fail("linker", format!("{why}: `rustup toolchain install stable` brings one"))
        }
    }
}

/// Debian's packages, which build the standard library too.
fn debian(dir: &Path) -> Finding {
    match toolchain::debian(dir) {
        Ok(_) => Finding::ok("debian", "Debian's toolchain can build filters, and is used"),
        Err(why) => {
            Finding::warn("debian", format!("Debian's toolchain cannot do it, either: {why}"))
        }
    }
}

/// What of weir's is in the folder, if that is a filter.
fn carried_in(dir: &Path) -> Option<Finding> {
    let Some(carried) = Carried::of(dir) else {
        let is_crate = dir.join("Cargo.toml").is_file();
        return is_crate.then(|| {
            Finding::ok("sdk", "it is not the one that weir carries: there is no .weir/sdk")
        });
    };
    let (what, name) = (carried.what(), carried.name());
    Some(match carried.is_current(dir) {
        true => Finding::ok(name, format!(".weir/{name} is the one that this weir carries")),
        false => Finding::warn(
            name,
            format!(
                "the {what} in .weir/{name} is not the one that this weir carries: \
                 `weir filter update`"
            ),
        ),
    })
}

/// Of `rustc 1.95.0 (…)`.
fn version_of(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_rustc_says_it() {
        assert_eq!(version_of("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(version_of("rustc 1.100.0-nightly"), Some((1, 100)));
        assert_eq!(version_of("nonsense"), None);
        assert!(version_of("rustc 1.9.0") < Some(RUST_MIN));
    }

    #[test]
    fn what_is_missing_is_told_with_its_cure() {
        let missing = target(Ok("/not/here".to_owned()));
        assert_eq!(missing.level, Level::Fail);
        assert!(missing.text.contains("`rustup target add wasm32-unknown-unknown`"));
        assert_eq!(findings(Path::new("/not/here"))[0].level, Level::Fail);
    }
}
