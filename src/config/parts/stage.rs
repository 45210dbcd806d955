//! `[[stage]]`

use std::collections::BTreeMap;

use crate::config::input::Input;
use crate::config::keys::DROP;
use crate::config::section::Section;
use crate::stages::{Keys, Match, MatchKey, ModuleSettings, ShadowSettings, StageSettings};

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

pub(in crate::config) fn build(section: &Section) -> Option<StageSettings> {
    let (name, matches) = (section.text("name")?, matcher(section.section("match")?));
    if section.flag(DROP)? {
        return Some(StageSettings::Drop { name, matches });
    }
    Some(StageSettings::Module(ModuleSettings {
        name,
        module: section.path("module")?,
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
pub(in crate::config) fn shadow(section: &Section) -> Option<ShadowSettings> {
    let shadow = section.section("shadow")?;
    Some(ShadowSettings { module: shadow.path("module")?, config: shadow.free("config")? })
}

fn matcher(section: &Section) -> Match {
    Match { keys: keys(section), not: section.sections("not").iter().map(keys).collect() }
}

fn keys(section: &Section) -> Keys {
    let all = MatchKey::ALL.into_iter();
    all.filter_map(|key| Some((key, section.texts(key.word())?))).collect()
}
