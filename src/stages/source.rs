//! Where a module is.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::registry::Reference;

/// Where a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleSource {
    /// In this file.
    File(PathBuf),
    /// In a registry. Who loads stages has pulled it before:
    /// [`LoadContext::pulled`](super::LoadContext::pulled).
    Registry(Reference),
}

impl ModuleSource {
    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            ModuleSource::File(path) => Some(path),
            ModuleSource::Registry(_) => None,
        }
    }

    /// What names it in a registry, if it is there.
    pub(crate) fn reference(&self) -> Option<&Reference> {
        match self {
            ModuleSource::File(_) => None,
            ModuleSource::Registry(reference) => Some(reference),
        }
    }
}

impl From<PathBuf> for ModuleSource {
    fn from(path: PathBuf) -> ModuleSource {
        ModuleSource::File(path)
    }
}

impl fmt::Display for ModuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleSource::File(path) => path.display().fmt(f),
            ModuleSource::Registry(reference) => reference.fmt(f),
        }
    }
}
