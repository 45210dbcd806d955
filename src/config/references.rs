//! What a configuration names outside itself, and where in the file. It can be checked even when
//! other parts of the configuration are wrong.

use std::path::PathBuf;

use super::diagnostic::Location;
use super::input::Input;
use super::keys::{DROP, STAGE_MEMORY_MAX, STAGE_TIMEOUT_MAX};
use super::parts::{Parts, shadow_of as shadow};
use super::section::Section;
use crate::opensearch::Username;
use crate::secret::Secret;
use crate::stages::{Match, ModuleSettings, OnError, Wasi};
use crate::{sink, source};

/// What a configuration names outside of itself. A value that has been diagnosed is left out: one
/// line tells what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct References {
    /// The folder of compiled modules, at `cache` or where that could be.
    pub cache: Reference<PathBuf>,
    /// The stages that can be loaded.
    pub stages: Vec<StageReference>,
    /// The file of registries' logins.
    pub registry_credentials: Option<Reference<PathBuf>>,
    /// The authorities of registries.
    pub registry_ca: Option<Reference<PathBuf>>,
    /// The sink's user.
    pub username: Option<Reference<Username>>,
    /// The sink's password.
    pub password: Option<Reference<Secret>>,
    /// The sink's `Authorization` header.
    pub authorization: Option<Reference<Secret>>,
    /// The sink's authorities.
    pub ca: Option<Reference<PathBuf>>,
    /// The files of the sink's certificate and key; at its `certificate`.
    pub identity: Option<Reference<(PathBuf, PathBuf)>>,
    /// The source, if it is whole; at its `path`, or at its header.
    pub source: Option<Reference<source::Settings>>,
    /// The sink, if it is whole; at its `path`, or else at its `kind`.
    pub sink: Option<Reference<sink::Settings>>,
}

/// Something that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<T> {
    /// What is named.
    pub value: T,
    /// Where the configuration names it.
    pub location: Location,
}

/// A stage whose module can be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageReference {
    /// How to load it. What is wrong with its other keys has been told: here it is as large as it
    /// may be.
    pub settings: ModuleSettings,
    /// Where its `module` is.
    pub module: Location,
    /// Where its `[stage.config]` is, or its header when it has none.
    pub config: Location,
    /// Where its `shadow` is, if it has one.
    pub shadow: Location,
}

/// Gathers what there is to look at.
pub(super) fn of(input: &Input<'_>, root: &Section, parts: &Parts) -> References {
    let (source, sink) = (root.section("source"), root.section("sink"));
    let at = |section: &Section, key| input.location(section.at(key));
    let in_sink = |key| sink.filter(|sink| !input.is_wrong(sink.at(key)));
    let secret = |key| {
        let sink = in_sink(key)?;
        Some(Reference { value: sink.secret(key)?, location: at(sink, key) })
    };
    let sink_key = match &parts.sink {
        Some(sink::Settings::File { .. }) => "path",
        _ => "kind",
    };
    let stages = root.sections("stage").iter().enumerate();
    let of_registry = |key| {
        let section = root.section("registry").filter(|of| !input.is_wrong(of.at(key)))?;
        Some(Reference { value: section.path(key)?, location: at(section, key) })
    };
    References {
        cache: Reference { value: parts.cache.clone(), location: at(root, "cache") },
        stages: stages.filter_map(|(index, stage)| loadable(input, index, stage)).collect(),
        registry_credentials: of_registry("credentials"),
        registry_ca: of_registry("ca"),
        username: in_sink("username").and_then(|sink| {
            let value = super::parts::username(sink)?;
            Some(Reference { value, location: at(sink, "username") })
        }),
        password: secret("password"),
        authorization: secret("authorization"),
        ca: in_sink("ca")
            .and_then(|sink| Some(Reference { value: sink.path("ca")?, location: at(sink, "ca") })),
        identity: in_sink("certificate").and_then(|sink| {
            let value = (sink.path("certificate")?, sink.path("key")?);
            Some(Reference { value, location: at(sink, "certificate") })
        }),
        source: parts.source.clone().zip(source).map(|(value, section)| {
            let location = at(section, "path");
            Reference { value, location }
        }),
        sink: parts.sink.clone().zip(sink).map(|(value, section)| {
            let location = at(section, sink_key);
            Reference { value, location }
        }),
    }
}

/// A stage whose module can be loaded and configured. That its bounds are wrong is no reason to say
/// that its module breaks them.
fn loadable(input: &Input<'_>, index: usize, section: &Section) -> Option<StageReference> {
    if input.is_wrong(section.at("module")) || section.flag(DROP) == Some(true) {
        return None;
    }
    let settings = ModuleSettings {
        name: section.text("name").unwrap_or_else(|| format!("number {}", index + 1)),
        module: section.module("module")?,
        matches: Match::default(),
        timeout: section.duration("timeout").unwrap_or(STAGE_TIMEOUT_MAX),
        memory: section.size("memory").unwrap_or(STAGE_MEMORY_MAX),
        on_error: OnError::Keep,
        wasi: section.word("wasi").unwrap_or(Wasi::Stub),
        config: section.free("config")?,
        shadow: shadow(section),
    };
    let location = |key| input.location(section.at(key));
    let (module, config) = (location("module"), location("config"));
    Some(StageReference { settings, module, config, shadow: location("shadow") })
}
