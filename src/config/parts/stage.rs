//! `[[stage]]`

use std::collections::BTreeMap;

use crate::config::input::Input;
use crate::config::keys::DROP;
use crate::config::section::Section;
use crate::stages::{
    Keys, Match, MatchKey, ModuleSettings, ModuleSource, ShadowSettings, StageSettings,
};

/// Diagnoses a name that two stages have.
pub(super) fn unique_names(input: &mut Input<'_>, stages: &[Section]) {
    let mut seen = BTreeMap::new();
    for (at, name) in
        stages.iter().filter_map(|stage| Some((stage.at("name"), stage.text("name")?)))
    {
        let line = input.location(at).line;
        match seen.get(&name) {
            Some(first) => {
                input.error(
                    at,
                    format!("the stage name \"{name}\" is taken by the stage in line {first}"),
                );
            }
            None => {
                seen.insert(name, line);
            }
        }
    }
}

/// Diagnoses modules that a tag alone names, where that is not allowed.
pub(super) fn digests(input: &mut Input<'_>, root: &Section) {
    let may_be_tags = root.section("registry").and_then(|section| section.flag("allow_tags"));
    if may_be_tags != Some(false) {
        return;
    }
    let stages = root.sections("stage").iter();
    for stage in stages.flat_map(|stage| [Some(stage), stage.section("shadow")]).flatten() {
        let Some(ModuleSource::Registry(reference)) = stage.module("module") else { continue };
        if reference.digest().is_none() {
            let text = format!(
                "`module` names {reference} by a tag alone, and whoever can move the tag decides \
                 what runs: add the digest that `weir filter inspect {reference}` prints, or set \
                 `allow_tags = true` in [registry]"
            );
            input.error(stage.at("module"), text);
        }
    }
}

pub(in crate::config) fn build(section: &Section) -> Option<StageSettings> {
    let (name, matches) = (section.text("name")?, matcher(section.section("match")?));
    if section.flag(DROP)? {
        return Some(StageSettings::Drop { name, matches });
    }
    Some(StageSettings::Module(ModuleSettings {
        name,
        module: section.module("module")?,
        matches,
        timeout: section.duration("timeout")?,
        memory: section.size("memory")?,
        on_error: section.word("on_error")?,
        wasi: section.word("wasi")?,
        config: section.free("config")?,
        shadow: shadow(section),
    }))
}

/// The candidate beside its module, if it has one and nothing is wrong with that.
pub(in crate::config) fn shadow(section: &Section) -> Option<Box<ShadowSettings>> {
    let shadow = section.section("shadow")?;
    let (module, config) = (shadow.module("module")?, shadow.free("config")?);
    Some(Box::new(ShadowSettings { module, config }))
}

fn matcher(section: &Section) -> Match {
    Match { keys: keys(section), not: section.sections("not").iter().map(keys).collect() }
}

fn keys(section: &Section) -> Keys {
    let all = MatchKey::ALL.into_iter();
    all.filter_map(|key| Some((key, section.texts(key.word())?))).collect()
}
