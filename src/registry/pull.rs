//! Modules out of registries, here: from the cache where they lie there whole, else pulled.
//!
//! Invariant: whatever is read has the digest that its reference names, each time that it is read.
//! A reference without a digest has the one that its tag led to when it was pulled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::Settings;
use super::cache::{Cache, Cached};
use super::client::{Client, MANIFEST_BYTES_MAX};
use super::digest::Digest;
use super::error::RegistryError;
use super::manifest::{Component, Descriptor, ModuleParts, WasmConfig};
use super::reference::Reference;
use crate::blocking::blocking;

/// What a module's file may have, and one in a registry no more.
pub(crate) const MODULE_BYTES_MAX: u64 = 64 << 20;
/// A module's has some hundred bytes.
pub(super) const CONFIG_BYTES_MAX: u64 = 1 << 20;

const BOUNDS: (u64, u64) = (MANIFEST_BYTES_MAX, MODULE_BYTES_MAX);

/// Modules that are here, by the references that name them; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pulled {
    modules: BTreeMap<Reference, Module>,
    cache: Cache,
}

#[derive(Clone, Debug)]
struct Module {
    cached: Cached,
    /// Where it could not be kept.
    parts: Option<Parts>,
}

/// All that makes a module: what its manifest names, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) manifest: Bytes,
    pub(crate) config: Bytes,
    pub(crate) module: Bytes,
}

/// A module that is not here, and why.
#[derive(Debug)]
pub struct Unpulled {
    /// What names it.
    pub reference: Reference,
    /// Why.
    pub error: RegistryError,
}

impl fmt::Display for Unpulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be pulled: {}", self.reference, self.error)
    }
}

impl Pulled {
    /// The component that a reference names.
    ///
    /// # Errors
    ///
    /// That it is not here, or not any more.
    pub(crate) fn read(&self, reference: &Reference) -> io::Result<Bytes> {
        let Module { cached, parts } = self.get(reference)?;
        let bytes = parts.as_ref().map(|parts| parts.module.clone());
        let kept = || self.cache.get(&cached.parts.layer.digest, MODULE_BYTES_MAX);
        bytes.or_else(kept).ok_or_else(gone)
    }

    /// All that makes the module that a reference names.
    ///
    /// # Errors
    ///
    /// As [`Pulled::read`].
    pub(crate) fn parts(&self, reference: &Reference) -> io::Result<Parts> {
        let Module { cached, parts } = self.get(reference)?;
        let kept = || {
            let ModuleParts { config, .. } = &cached.parts;
            Some(Parts {
                manifest: self.cache.get(&cached.digest, MANIFEST_BYTES_MAX)?,
                config: self.cache.get(&config.digest, CONFIG_BYTES_MAX)?,
                module: self.read(reference).ok()?,
            })
        };
        parts.clone().or_else(kept).ok_or_else(gone)
    }

    /// The digest of what a reference leads to, if it is here.
    pub(crate) fn digest(&self, reference: &Reference) -> Option<&Digest> {
        self.modules.get(reference).map(|module| &module.cached.digest)
    }

    /// Whether all references lead to what they led to in another.
    pub(crate) fn is_same(&self, other: &Pulled) -> bool {
        let of = |pulled: &Pulled| -> Vec<(Reference, Digest)> {
            let all = pulled.modules.iter();
            all.map(|(named, module)| (named.clone(), module.cached.digest.clone())).collect()
        };
        of(self) == of(other)
    }

    fn get(&self, reference: &Reference) -> io::Result<&Module> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "it is not in the cache");
        self.modules.get(reference).ok_or_else(none)
    }

    fn insert(&mut self, reference: &Reference, cached: Cached, parts: Option<Parts>) {
        self.modules.insert(reference.clone(), Module { cached, parts });
    }
}

fn gone() -> io::Error {
    io::Error::other("it is not in the cache any more")
}

/// Those of the references whose modules lie in the cache. Asks nobody.
pub(crate) fn look<'r>(
    cache: &Path,
    references: impl IntoIterator<Item = &'r Reference>,
) -> Pulled {
    let mut pulled = Pulled { modules: BTreeMap::new(), cache: Cache::look(cache) };
    for reference in references {
        if let Some(cached) = pulled.cache.module(reference, BOUNDS) {
            pulled.insert(reference, cached, None);
        }
    }
    pulled
}

/// Has all modules here. A reference with a digest asks nobody where the cache has it; one without
/// asks its registry, and the cache where that cannot be had.
///
/// # Errors
///
/// Those that are not here.
pub(crate) async fn pull(
    settings: &Settings,
    cache: &Path,
    references: BTreeSet<Reference>,
) -> Result<Pulled, Vec<Unpulled>> {
    let mut pulled = Pulled::default();
    if references.is_empty() {
        return Ok(pulled);
    }
    let cache = cache.to_owned();
    pulled.cache = blocking(move || Cache::open(&cache)).await;
    let (mut client, mut missing) = (None, Vec::new());
    for reference in references {
        let here = cached(&pulled.cache, &reference).await;
        if let Some(cached) = here.clone().filter(|_| reference.digest().is_some()) {
            pulled.insert(&reference, cached, None);
            continue;
        }
        match (fetch(settings, &mut client, &pulled.cache, &reference).await, here) {
            (Ok((cached, parts)), _) => pulled.insert(&reference, cached, parts),
            (Err(error), Some(cached)) if !error.is_final() => {
                let digest = &cached.digest;
                tracing::warn!(
                    "{reference} cannot be asked for: {error}; going on with what it was before, \
                     {digest}"
                );
                pulled.insert(&reference, cached, None);
            }
            (Err(error), _) => missing.push(Unpulled { reference, error }),
        }
    }
    if missing.is_empty() { Ok(pulled) } else { Err(missing) }
}

async fn cached(cache: &Cache, reference: &Reference) -> Option<Cached> {
    let (cache, reference) = (cache.clone(), reference.clone());
    blocking(move || cache.module(&reference, BOUNDS)).await
}

/// Pulls what a reference names, and keeps it.
async fn fetch(
    settings: &Settings,
    client: &mut Option<Client>,
    cache: &Cache,
    reference: &Reference,
) -> Result<(Cached, Option<Parts>), RegistryError> {
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::new(settings)?),
    };
    let (digest, manifest) = client.manifest(reference).await?;
    let parts = ModuleParts::of(&manifest).map_err(RegistryError::NoModule)?;
    let config = within(client, reference, &parts.config, CONFIG_BYTES_MAX).await?;
    let module = within(client, reference, &parts.layer, MODULE_BYTES_MAX).await?;
    tracing::info!(bytes = module.len(), %digest, "{reference} is pulled");
    let (cache, reference) = (cache.clone(), reference.clone());
    let parts = (Cached { digest, parts }, Parts { manifest, config, module });
    Ok(blocking(move || keep(&cache, &reference, parts)).await)
}

/// Keeps a module. Its parts are answered where they are kept nowhere else.
fn keep(
    cache: &Cache,
    reference: &Reference,
    (cached, parts): (Cached, Parts),
) -> (Cached, Option<Parts>) {
    match cache.keep_module(reference, &cached, &parts) {
        Ok(true) => (cached, None),
        Ok(false) => (cached, Some(parts)),
        Err(error) => {
            tracing::warn!(%error, "{reference} cannot be kept: the next start pulls it again");
            (cached, Some(parts))
        }
    }
}

async fn within(
    client: &Client,
    of: &Reference,
    descriptor: &Descriptor,
    bytes_max: u64,
) -> Result<Bytes, RegistryError> {
    if descriptor.size > bytes_max {
        let what = format!("{} of {of}", descriptor.digest);
        return Err(RegistryError::TooLarge { what, bytes_max });
    }
    client.blob(of, &descriptor.digest, bytes_max).await
}

/// What a registry says of a module, without its layer being pulled.
#[derive(Debug)]
pub(crate) struct About {
    /// The reference with its digest.
    pub(crate) reference: Reference,
    /// Of the component, in bytes.
    pub(crate) bytes: u64,
    /// Of the component.
    pub(crate) module: Digest,
    /// What its configuration says; `None`: nothing.
    pub(crate) component: Option<Component>,
}

/// Asks what a reference names, without pulling it.
///
/// # Errors
///
/// When the registry does not say, or it is no module.
pub(crate) async fn about(
    settings: &Settings,
    reference: &Reference,
) -> Result<About, RegistryError> {
    let client = Client::new(settings)?;
    let (digest, manifest) = client.manifest(reference).await?;
    let parts = ModuleParts::of(&manifest).map_err(RegistryError::NoModule)?;
    let config = within(&client, reference, &parts.config, CONFIG_BYTES_MAX).await?;
    Ok(About {
        reference: reference.at(digest),
        bytes: parts.layer.size,
        module: parts.layer.digest,
        component: WasmConfig::component_in(&config),
    })
}
