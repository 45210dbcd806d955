//! What the binary carries for a filter, in its folder `.weir`: the SDK for one in Rust, and the
//! contract for one in another language.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{NewError, write};

/// Where it lies in a filter's folder.
pub(super) const FOLDER: &str = ".weir";

/// Files, by where they lie in [`FOLDER`]; `build.rs` lists them.
type Files = &'static [(&'static str, &'static str)];
const SDK: Files = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
const WIT: Files = include!(concat!(env!("OUT_DIR"), "/wit.rs"));

/// What a filter has in [`FOLDER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::filter) enum Carried {
    /// The crate that filters in Rust are written with.
    Sdk,
    /// `wit/`, which the tools of other languages make their bindings of.
    Wit,
}

impl Carried {
    /// What the filter in `dir` has.
    pub(in crate::cli::filter) fn of(dir: &Path) -> Option<Carried> {
        [Carried::Sdk, Carried::Wit].into_iter().find(|carried| carried.folder(dir).is_dir())
    }

    pub(in crate::cli::filter) fn what(self) -> &'static str {
        match self {
            Carried::Sdk => "SDK",
            Carried::Wit => "contract",
        }
    }

    pub(in crate::cli::filter) fn name(self) -> &'static str {
        match self {
            Carried::Sdk => "sdk",
            Carried::Wit => "wit",
        }
    }

    /// Where it lies in the filter's folder.
    pub(super) fn folder(self, dir: &Path) -> PathBuf {
        dir.join(FOLDER).join(self.name())
    }

    fn files(self) -> Files {
        match self {
            Carried::Sdk => SDK,
            Carried::Wit => WIT,
        }
    }

    /// Whether what the filter in `dir` has is what this weir carries.
    pub(in crate::cli::filter) fn is_current(self, dir: &Path) -> bool {
        let folder = dir.join(FOLDER);
        self.files().iter().all(|(path, text)| {
            fs::read_to_string(folder.join(path)).is_ok_and(|written| written == *text)
        })
    }

    /// Writes it in the place of what is there: files that it has no more go.
    pub(super) fn write(self, dir: &Path) -> Result<(), NewError> {
        let path = self.folder(dir);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(NewError::File { path, error });
            }
            _ => {}
        }
        for (path, text) in self.files() {
            write(&dir.join(FOLDER).join(path), text)?;
        }
        Ok(())
    }
}
