//! A filter in another language: `build.sh` in its folder makes the component, with whatever tools
//! it takes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use super::module::{BuildError, Made, read};
use super::package::MANIFEST;
use crate::cli::filter::powers::Powers;

/// `build.sh FILE` writes a component to FILE, whose path is absolute.
const SCRIPT: &str = "build.sh";

/// Whether the filter in `dir` is made by a script. A crate may have one, too, for its own ends.
pub(in crate::cli::filter) fn is_of(dir: &Path) -> bool {
    !dir.join(MANIFEST).exists() && dir.join(SCRIPT).is_file()
}

/// Has the script make the component. What it says goes to stderr, as it comes.
pub(super) fn make(dir: &Path) -> Result<Made, BuildError> {
    let broken = |source| BuildError::File { path: dir.to_owned(), source };
    let folder = dir.canonicalize().map_err(broken)?;
    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    let script = dir.join(SCRIPT);
    // Beside what it replaces, once it was looked at.
    let made = folder.join("dist").join(format!("{name}.made"));
    fs::create_dir_all(folder.join("dist")).map_err(broken)?;
    remove(&made)?;
    let mut shell = Command::new("sh");
    shell.arg(SCRIPT).arg(&made).current_dir(&folder).stdin(Stdio::null()).stdout(io::stderr());
    let status =
        shell.status().map_err(|source| BuildError::NoShell { script: script.clone(), source })?;
    if !status.success() {
        return Err(BuildError::Script { script, status: status.to_string() });
    }
    if !made.exists() {
        return Err(BuildError::NothingMade(script));
    }
    let component = read(&made)?;
    remove(&made)?;
    let powers =
        Powers::of(&component).map_err(|why| BuildError::ScriptNotAFilter { script, why })?;
    Ok(Made { name, folder, component, powers })
}

fn remove(made: &Path) -> Result<(), BuildError> {
    match fs::remove_file(made) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BuildError::File { path: made.to_owned(), source })
        }
        _ => Ok(()),
    }
}
