//! Finds a cargo that can build for wasm32-unknown-unknown.
//!
//! The ordinary one can when the target's standard library is installed, which rustup does. Where
//! rustup cannot download, Debian's packages can build that library from source; they lack only a
//! linker for WebAssembly, which every rustup toolchain has.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::text::{self, REASON_BYTES_MAX};

/// What modules are built for: no operating system, so no ambient capability.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A cargo and what it needs to build for [`TARGET`].
#[derive(Debug)]
pub(super) enum Toolchain {
    /// The cargo on PATH.
    Ordinary,
    /// Debian's, which builds the standard library too.
    Debian {
        /// PATH with a folder that has `rust-lld`.
        path: OsString,
    },
}

/// There is no such cargo.
#[derive(Debug, thiserror::Error)]
#[error(
    "no Rust toolchain here can build for {TARGET}:\n  \
     the one on PATH: {ordinary}\n  \
     Debian's: {debian}\n\
     Run `rustup target add {TARGET}`; where rustup cannot download, \
     `apt-get install rustc-web cargo-web rust-web-src`"
)]
pub(super) struct NoToolchain {
    ordinary: String,
    debian: String,
}

impl Toolchain {
    /// The first that works for a crate in `dir`, which may name a toolchain of its own.
    pub(super) fn find(dir: &Path) -> Result<Self, NoToolchain> {
        let ordinary = match ordinary(dir) {
            Ok(()) => return Ok(Self::Ordinary),
            Err(why) => why,
        };
        match debian(dir) {
            Ok(path) => Ok(Self::Debian { path }),
            Err(debian) => Err(NoToolchain { ordinary, debian }),
        }
    }

    /// `cargo SUBCOMMAND`, to be run in `dir`.
    pub(super) fn cargo(&self, dir: &Path, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Ordinary => Command::new("cargo"),
            Self::Debian { path } => {
                let mut command = Command::new(DEBIAN_CARGO);
                // -Zbuild-std is not stable; Debian's compiler is, and takes it with this.
                command.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").env("PATH", path);
                command
            }
        };
        command.arg(subcommand).current_dir(dir);
        command
    }

    /// `cargo build` for [`TARGET`].
    pub(super) fn cargo_build(&self, dir: &Path) -> Command {
        let mut command = self.cargo(dir, "build");
        command.args(["--release", "--target", TARGET]);
        if let Self::Debian { .. } = self {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command
    }
}

fn ordinary(dir: &Path) -> Result<(), String> {
    let rustc = |what: &str| {
        printed(Command::new("rustc").args(["--print", what, "--target", TARGET]).current_dir(dir))
    };
    let library = PathBuf::from(rustc("target-libdir")?);
    if library.is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(dir).stdin(Stdio::null());
    // All of what it says is for whoever waits for it.
    let why = match rustup.stdout(io::stderr()).status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(_) => "`rustup` could not add it: its own messages are above".to_owned(),
        Err(error) => format!("`rustup`: {error}"),
    };
    Err(format!("{} is not there, and {why}", library.display()))
}

/// PATH with what Debian's packages need to build for [`TARGET`], or what they lack.
pub(super) fn debian(dir: &Path) -> Result<OsString, String> {
    for program in [DEBIAN_CARGO, DEBIAN_RUSTC] {
        if !Path::new(program).is_file() {
            return Err(format!("{program} is not there"));
        }
    }
    let sysroot = sysroot(DEBIAN_RUSTC, dir)?;
    let source = sysroot.join("lib/rustlib/src/rust/library/std");
    if !source.is_dir() {
        return Err(format!("the standard library's source is not there ({})", source.display()));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let linker = linker_beside(Some(sysroot), dir)?;
    env::join_paths(std::iter::once(linker).chain(env::split_paths(&path)))
        .map_err(|error| format!("PATH: {error}"))
}

/// The folder of the linker for WebAssembly, or where it is not.
pub(super) fn linker(dir: &Path) -> Result<PathBuf, String> {
    linker_beside(None, dir)
}

/// The same; `sysroot` is of one more toolchain.
fn linker_beside(sysroot: Option<PathBuf>, dir: &Path) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path);
    let in_sysroots =
        [sysroot, self::sysroot("rustc", dir).ok()].into_iter().flatten().flat_map(tools);
    let linker = on_path.chain(in_sysroots).find(|folder| folder.join("rust-lld").is_file());
    linker.ok_or_else(|| "rust-lld is not on PATH, nor in a rustup toolchain".to_owned())
}

fn sysroot(rustc: &str, dir: &Path) -> Result<PathBuf, String> {
    printed(Command::new(rustc).args(["--print", "sysroot"]).current_dir(dir)).map(PathBuf::from)
}

/// The folders where a toolchain keeps programs that only it uses.
fn tools(sysroot: PathBuf) -> Vec<PathBuf> {
    let Ok(hosts) = sysroot.join("lib/rustlib").read_dir() else {
        return Vec::new();
    };
    hosts.flatten().map(|host| host.path().join("bin")).collect()
}

/// What a command printed, or why it could not.
pub(super) fn printed(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("`{program}`: {error}"))?;
    if !output.status.success() {
        let said = text::words(&String::from_utf8_lossy(&output.stderr), REASON_BYTES_MAX);
        let said = if said.is_empty() { "it says nothing" } else { &said };
        return Err(format!("`{program}` failed: {said}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
