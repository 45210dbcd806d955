//! Modules in registries (docs/modules.md#modules-from-a-registry): what names them, what brings
//! them here and there, and where they are kept.
//!
//! - [`mod@reference`] reads `oci://…`; [`docker`] who weir is to a registry, and [`challenge`]
//!   what a registry asks for; [`manifest`] has what lies there, and [`artifact`] what `push` makes
//!   of a module. All are pure.
//! - [`transport`] has the connections, [`client`] the requests, and [`upload`] those that bring
//!   something there.
//! - [`cache`] keeps what was pulled, [`mod@pull`] has modules here for who runs them, and
//!   [`archive`] carries them where no registry is.
//!
//! It is a client of weir's own over the HTTP client that is here already, and no library: those
//! bring an HTTP client that they make themselves, whose trust, proxies and redirects are not
//! weir's to say, and two dozen crates for the few requests below.
//!
//! Constraint: who asks again, and when, is decided by who asks.

pub(crate) mod archive;
mod artifact;
mod cache;
mod challenge;
mod client;
mod digest;
mod docker;
mod error;
mod manifest;
mod pull;
mod reference;
mod transport;
mod upload;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub(crate) use self::archive::{ArchiveError, Carried};
pub(crate) use self::artifact::Artifact;
pub(crate) use self::cache::Cache;
pub(crate) use self::client::{Client, check_credentials};
pub(crate) use self::error::RegistryError;
pub(crate) use self::manifest::Component;
pub(crate) use self::pull::{MODULE_BYTES_MAX, about, look, pull};
pub(crate) use self::pull::{Pulled, Unpulled};
pub(crate) use self::reference::Reference;
pub(crate) use self::reference::{ReferenceError, SCHEME};

/// `[registry]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A file with logins, as Docker has it.
    pub credentials: Option<PathBuf>,
    /// PEM file with the certificates to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// Whether a module may be named by a tag alone.
    pub allow_tags: bool,
}
