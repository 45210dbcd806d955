//! What a configuration names outside of itself, and can be looked at whatever else is wrong with
//! it.

use super::keys::{STAGE_MEMORY_MAX, STAGE_TIMEOUT_MAX};
use super::section::Section;
use super::walk::Walk;
use super::{Environment, Named, StagePlaces, build};
use crate::stages::{Match, OnError, StageSettings, Wasi};

/// What there is to look at, but for the source and the sink. A value that has been diagnosed is
/// left out: one line tells what is wrong with it.
pub(super) fn named(walk: &Walk<'_>, root: &Section, environment: &Environment) -> Named {
    let sink = root.section("sink");
    let in_sink = |key| walk.place(sink.map_or(0, |sink| sink.at(key)));
    let source_path = root.section("source").map_or(0, |source| source.at("path"));
    let unblamed = |key| sink.filter(|sink| !walk.is_wrong(sink.at(key)));
    let stages = root.sections("stage").iter().enumerate();
    let (stages, places) = stages.filter_map(|(index, stage)| loadable(walk, index, stage)).unzip();
    Named {
        cache: build::cache(root, environment),
        cache_place: walk.place(root.at("cache")),
        stages,
        places,
        password: unblamed("password")
            .and_then(|sink| sink.secret("password"))
            .map(|it| (it, in_sink("password"))),
        ca: unblamed("ca").and_then(|sink| sink.path("ca")).map(|it| (it, in_sink("ca"))),
        source: None,
        source_path: walk.place(source_path),
        sink: None,
        sink_path: in_sink("path"),
        sink_kind: in_sink("kind"),
    }
}

/// A stage whose module can be loaded and configured. What is wrong with the bounds that it was
/// given is no reason to say that the module breaks them.
fn loadable(
    walk: &Walk<'_>,
    index: usize,
    section: &Section,
) -> Option<(StageSettings, StagePlaces)> {
    let place = |key| walk.place(section.at(key));
    if walk.is_wrong(section.at("module")) {
        return None;
    }
    let settings = StageSettings {
        name: section.text("name").unwrap_or_else(|| format!("number {}", index + 1)),
        module: section.path("module")?,
        matches: Match::default(),
        timeout: section.duration("timeout").unwrap_or(STAGE_TIMEOUT_MAX),
        memory: section.size("memory").unwrap_or(STAGE_MEMORY_MAX),
        on_error: OnError::Keep,
        wasi: build::wasi(section).unwrap_or(Wasi::Stub),
        config: section.free("config")?,
    };
    Some((settings, StagePlaces { module: place("module"), config: place("config") }))
}
